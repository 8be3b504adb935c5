"""The columns of an old and a new SELECT, one against the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from seeknal.dag.classifier import EVERYTHING, UNCHANGED, Change
from seeknal_diff_sqlglot import reasons as why
from seeknal_diff_sqlglot.merging import all_terms
from seeknal_diff_sqlglot.relations import (
    GENERATED,
    Item,
    Relation,
    Select,
    SetOperation,
    Star,
    Table,
)
from seeknal_diff_sqlglot.terms import MAY_FAIL, UNSTEADY, VOLATILE, Read

if TYPE_CHECKING:
    from seeknal_diff_sqlglot.comparison import Comparison


def hit(reads: frozenset[Read], changes: Mapping[str, Change], select: Select) -> str | None:
    """The name of a column that is read here and changed, was added, or was removed.

    An added column counts: a name that meant something else may now mean it.
    """
    for depth, source, name in reads:
        if depth:
            continue
        for label, change in changes.items():
            if not change or source not in (label, "?"):
                continue
            if name == "*":
                return name
            names = change.changed | change.added | change.removed
            if name in names:
                return name
            if any(n.startswith(GENERATED) for n in names) and not _plain(select, label, name):
                return name
    return None


def _plain(select: Select, label: str, name: str) -> bool:
    for source in select.sources:
        if source.label == label and isinstance(source.relation, Select):
            return name in source.relation.explicit()
    return False


class Outputs:
    """changes: of each source of the two SELECTs, whose rows are the same."""

    def __init__(
        self, comparison: Comparison, old: Select, new: Select, changes: Mapping[str, Change]
    ) -> None:
        self._comparison = comparison
        self._terms = comparison.terms
        self._reasons = comparison.reasons
        self._changes = changes
        self._old, self._new = old, new
        self._changed: set[str] = set()
        self._added: set[str] = set()
        self._removed: set[str] = set()
        self._moved = False
        self._shown_again: dict[str, set[str]] = {}

    def change(self) -> Change:
        """EVERYTHING where the columns can't be told apart."""
        old, new = self._written_out()
        mine, theirs = _by_place(old), _by_place(new)
        if mine is None or theirs is None:
            return self._same_places(old, new)
        stars = {key for key in (*mine, *theirs) if key.startswith("*")}
        if any(key not in mine or key not in theirs for key in stars):
            self._reasons.add(
                why.ROWS, "a star stands for columns that are not known", self._new.node
            )
            return EVERYTHING
        self._removals(mine, theirs)
        shown = [star for star in theirs.values() if isinstance(star, Star)]
        if any(not self._lacks(star, name) for star in shown for name in self._removed):
            return EVERYTHING
        for key, item in theirs.items():
            if isinstance(item, Star):
                before = mine[key]
                assert isinstance(before, Star)
                self._star(before, item)
            elif key in mine:
                before_item = mine[key]
                assert isinstance(before_item, Item)
                self._both(before_item, item)
            elif not self._addition(item, theirs):
                return EVERYTHING
        common_old = [key for key in mine if key in theirs]
        if common_old != [key for key in theirs if key in mine]:
            self._moved = True
            self._reasons.add(why.MOVED, "the columns stand in another order", self._new.node)
        return self._result(theirs)

    def _result(self, theirs: Mapping[str, Item | Star]) -> Change:
        stars = [item for item in theirs.values() if isinstance(item, Star)]
        explicit = {item.name for item in theirs.values() if isinstance(item, Item)}
        for star in stars:
            carried = self._changes.get(star.source, UNCHANGED)
            for name in (carried.added - star.without) | self._shown_again.get(star.source, set()):
                if name in explicit:
                    message = f"there are two columns '{name}' then"
                    self._reasons.add(why.ROWS, message, star.node)
                    return EVERYTHING
                others = [other for other in stars if other is not star]
                if any(not self._lacks(other, name) for other in others):
                    self._reasons.add(why.ROWS, f"there may be two columns '{name}'", star.node)
                    return EVERYTHING
        if self._added and all(self._may_be_empty(item) for item in self._old.items):
            self._reasons.add(why.ROWS, "nothing may be left of the star", self._new.node)
            return EVERYTHING
        changed = frozenset(self._changed - self._removed)
        return Change(False, changed, frozenset(self._added), frozenset(self._removed), self._moved)

    def _lacks(self, star: Star, name: str) -> bool:
        columns = self._relation(star).columns
        return name in star.without or (columns is not None and name not in columns)

    def _relation(self, star: Star) -> Relation:
        return next(s for s in self._new.sources if s.label == star.source).relation

    def _may_be_empty(self, item: Item | Star) -> bool:
        """Whether a star leaves out columns of a table that may have no other."""
        if not isinstance(item, Star) or not item.without:
            return False
        return pending(self._relation(item))

    def _has(self, star: Star, name: str) -> bool:
        """Whether a star shows a column for certain: it is known, or the query reads it."""
        if name in dict(star.replaced):
            return True
        read = Read(0, star.source, name)
        terms = all_terms(self._new) if name not in star.without else []
        if any(read in self._terms[term].reads for term in terms):
            return True
        return name not in star.without and name in (self._relation(star).columns or ())

    def _same_places(self, old: list[Item | Star], new: list[Item | Star]) -> Change:
        """Two columns of one name: only what is the same place by place is the same."""
        touched = [
            item
            for item in new
            if (isinstance(item, Star) and self._changes.get(item.source, UNCHANGED))
            or (isinstance(item, Item) and self._touched(item.term) is not None)
        ]
        if not touched and [_shape(item) for item in old] == [_shape(item) for item in new]:
            return UNCHANGED
        self._reasons.add(why.ROWS, "two columns have one name", self._new.node)
        return EVERYTHING

    def _touched(self, term: int) -> str | None:
        return self._comparison.touched(term, self._changes, self._new)

    def _written_out(self) -> tuple[list[Item | Star], list[Item | Star]]:
        """The columns of both; a star that only one of them has is written out if it is known."""
        old = {star.source for star in self._old.stars()}
        new = {star.source for star in self._new.stars()}
        lone = old ^ new
        both = (self._expanded(self._old, lone), self._expanded(self._new, lone))
        return both if lone else (self._old.items, self._new.items)

    def _expanded(self, select: Select, sources: set[str]) -> list[Item | Star]:
        items: list[Item | Star] = []
        for item in select.items:
            if isinstance(item, Item) or item.source not in sources:
                items.append(item)
                continue
            source = next(s for s in select.sources if s.label == item.source)
            columns = source.relation.columns
            if columns is None or not self._told(item.source, columns, select is self._new):
                items.append(item)
                continue
            replaced = dict(item.replaced)
            for name in columns:
                if name not in item.without:
                    read = frozenset({Read(0, item.source, name)})
                    term = self._terms.put("column", "0", item.source, name, reads=read)
                    items.append(Item(name, name, replaced.get(name, term), item.node))
        return items

    def _told(self, source: str, columns: tuple[str, ...], new: bool) -> bool:
        change = self._changes.get(source, UNCHANGED)
        there, gone = (change.added, change.removed) if new else (change.removed, change.added)
        return there <= set(columns) and not gone & set(columns)

    def _removals(self, mine: Mapping[str, Item | Star], theirs: Mapping[str, Item | Star]) -> None:
        for key, item in mine.items():
            if isinstance(item, Item) and key not in theirs:
                self._removed.add(item.name)
                self._reasons.add(why.REMOVED, f"column '{_shown(item.name)}' was removed")

    def _star(self, old: Star, new: Star) -> None:
        carried = self._changes.get(new.source, UNCHANGED)
        replaced_old, replaced = dict(old.replaced), dict(new.replaced)
        hidden = new.without | frozenset(replaced)
        self._changed |= carried.changed - hidden
        self._added |= carried.added - hidden
        self._removed |= carried.removed - old.without
        self._moved |= carried.moved
        for name in sorted(carried.changed - hidden):
            self._reasons.add(why.CHANGED, f"the star carries on that '{name}' changed", new.node)
        for name in sorted(carried.added - hidden):
            self._reasons.add(why.ADDED, f"the star carries on that '{name}' was added", new.node)
        for name in sorted(carried.removed - old.without):
            self._reasons.add(
                why.REMOVED, f"the star carries on that '{name}' was removed", new.node
            )
        for name in sorted(new.without - old.without - carried.removed):
            self._removed.add(name)
            self._reasons.add(why.REMOVED, f"the star leaves out '{name}'", new.node)
        for name in sorted(old.without - new.without - carried.removed):
            self._added.add(name)
            self._shown_again.setdefault(new.source, set()).add(name)
            self._reasons.add(why.ADDED, f"the star no longer leaves out '{name}'", new.node)
        for name in sorted(replaced_old.keys() | replaced.keys()):
            term = replaced.get(name)
            if term != replaced_old.get(name) or (term is not None and self._touched(term)):
                self._changed.add(name)
                self._reasons.add(why.CHANGED, f"column '{name}' is computed differently", new.node)

    def _both(self, old: Item, new: Item) -> None:
        shown = _shown(new.name)
        if old.term != new.term:
            self._changed.add(new.name)
            self._reasons.add(why.CHANGED, f"column '{shown}' is computed differently", new.node)
        elif old.spelled != new.spelled:
            self._changed.add(new.name)
            self._reasons.add(why.CHANGED, f"column '{shown}' is spelled differently", new.node)
        elif (name := self._touched(new.term)) is not None:
            self._changed.add(new.name)
            message = f"column '{shown}' is made from '{name}', which changed"
            self._reasons.add(why.CHANGED, message, new.node)

    def _addition(self, item: Item, theirs: Mapping[str, Item | Star]) -> bool:
        """An added column. Whether it is one that always comes out the same."""
        shown = _shown(item.name)
        if item.unsteady or self._terms[item.term].flags & (UNSTEADY | VOLATILE):
            message = f"the added column '{shown}' may be another one each time it is computed"
            self._reasons.add(why.ROWS, message, item.node)
            return False
        if self._terms[item.term].flags & MAY_FAIL:
            message = f"the added column '{shown}' converts text, which may fail; TRY_CAST doesn't"
            self._reasons.add(why.ROWS, message, item.node)
            return False
        stars = [other for other in theirs.values() if isinstance(other, Star)]
        if any(self._has(star, item.name) for star in stars):
            self._reasons.add(why.ROWS, f"there are two columns '{shown}' then", item.node)
            return False
        places = list(theirs.values())
        doubtful = [star for star in stars if not self._lacks(star, item.name)]
        before_a_star = any(places.index(item) < places.index(star) for star in doubtful)
        if before_a_star or any(pending(self._relation(star)) for star in doubtful):
            message = f"'{shown}' may take the name of a column that the star stands for"
            self._reasons.add(why.ROWS, message, item.node)
            return False
        self._added.add(item.name)
        self._reasons.add(why.ADDED, f"column '{shown}' was added", item.node)
        return True


def pending(relation: Relation) -> bool:
    """Whether more of the columns may become known."""
    if isinstance(relation, Select):
        sources = {source.label: source.relation for source in relation.sources}
        return any(pending(sources[star.source]) for star in relation.stars())
    if isinstance(relation, SetOperation):
        return pending(relation.left)
    return isinstance(relation, Table) and relation.pending


def _shown(name: str) -> str:
    return name.removeprefix(GENERATED)


def _shape(item: Item | Star) -> tuple[object, ...]:
    if isinstance(item, Item):
        return (item.spelled, item.term)
    return (item.source, item.without, item.replaced)


def _by_place(items: list[Item | Star]) -> dict[str, Item | Star] | None:
    """Columns by name and stars by source, or None if there are two of one."""
    found: dict[str, Item | Star] = {}
    for item in items:
        key = item.name if isinstance(item, Item) else f"*{item.source}"
        if key in found:
            return None
        found[key] = item
    return found
