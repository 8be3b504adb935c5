"""What follows for the result of a query from what changed in it and in what it reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from seeknal.dag.classifier import EVERYTHING, UNCHANGED, Change
from seeknal_diff_sqlglot import reasons as why
from seeknal_diff_sqlglot.assumptions import doubt, has
from seeknal_diff_sqlglot.outputs import Outputs, hit
from seeknal_diff_sqlglot.reasons import Reasons
from seeknal_diff_sqlglot.relations import (
    Clause,
    Item,
    Opaque,
    Relation,
    Select,
    SetOperation,
    Source,
    Table,
)
from seeknal_diff_sqlglot.tables import names_once, star_of
from seeknal_diff_sqlglot.terms import PERHAPS_OUTER, Terms

_MESSAGES = {
    "WHERE": "the WHERE condition is different",
    "GROUP BY": "the rows are grouped differently",
    "HAVING": "the HAVING condition is different",
    "QUALIFY": "the QUALIFY condition is different",
    "DISTINCT": "DISTINCT is not in both",
    "DISTINCT ON": "DISTINCT ON is different",
    "ORDER BY": "the ORDER BY is different, and decides which rows there are",
    "LIMIT": "the LIMIT is different",
    "OFFSET": "the OFFSET is different",
    "LEFT JOIN": "a LEFT JOIN is different",
    "JOIN": "a join is different",
    "NATURAL JOIN": "a NATURAL JOIN is different",
    "aggregation": "an aggregate without GROUP BY makes one row of all",
    "function that makes rows": "a function that makes several rows of one is different",
}


@dataclass(slots=True)
class Comparison:
    """Compares relations of an old and a new query, from the tables upwards.

    inputs: what changed in tables, by lower-cased id. Names in changes are in lower case.
    """

    terms: Terms
    inputs: Mapping[str, Change]
    reasons: Reasons
    _known: dict[tuple[int, int], Change] = field(default_factory=dict)
    _reached: dict[int, bool] = field(default_factory=dict)

    def change(self, old: Relation, new: Relation) -> Change:
        """How the new result differs from the old one."""
        pair = (id(old), id(new))
        if pair not in self._known:
            self._known[pair] = self._change(old, new)
        return self._known[pair]

    def _change(self, old: Relation, new: Relation) -> Change:
        if isinstance(old, Table) and isinstance(new, Table):
            return self._table(old, new)
        if old.key == new.key and not self.reaches(new) and not self.reaches(old):
            return UNCHANGED
        mark = self.reasons.mark()
        if isinstance(old, SetOperation) and isinstance(new, SetOperation):
            found = self._set(old, new)
        elif isinstance(old, Opaque) and isinstance(new, Opaque):
            return self._opaque(old, new)
        elif isinstance(old, Select) and isinstance(new, Select):
            found = self._select(old, new)
        elif isinstance(old, Select) or isinstance(new, Select):
            found = EVERYTHING
        else:
            return self._unlike(new)
        return self._wrapped(old, new, mark) if found.rows else found

    def _wrapped(self, old: Relation, new: Relation, mark: int) -> Change:
        """Try whether one of both is a query over the other, after all else has failed."""
        direct = self.reasons.cut(mark)
        for plain, other in ((old, new), (new, old)):
            if not isinstance(other, Select) or not other.sources:
                continue
            inner = other.sources[0].relation
            if inner.root != plain.root or isinstance(inner, Opaque) or not names_once(plain):
                continue
            whole = star_of(plain, self.terms)
            found = self._select(whole, other) if plain is old else self._select(other, whole)
            if not found.rows:
                return found
            self.reasons.cut(mark)
        self.reasons.extend(direct)
        return EVERYTHING if direct else self._unlike(new)

    def _unlike(self, new: Relation) -> Change:
        self.reasons.add(why.ROWS, "the query is built differently", getattr(new, "node", None))
        return EVERYTHING

    def _table(self, old: Table, new: Table) -> Change:
        if old.key != new.key:
            self.reasons.add(why.ROWS, f"it reads {new.id} instead of {old.id}")
            return EVERYTHING
        change = self.inputs.get(new.id.lower(), UNCHANGED)
        if change.rows:
            self.reasons.add(why.ROWS, f"the rows of {new.id} may be different")
        return change

    def _opaque(self, old: Opaque, new: Opaque) -> Change:
        if old.key == new.key and not self.reaches(old) and not self.reaches(new):
            return UNCHANGED
        message = "something that is not understood is different, or reads what changed"
        self.reasons.add(why.ROWS, message, new.node)
        return EVERYTHING

    def reaches(self, relation: Relation) -> bool:
        """Whether a relation reads a table that changed, however deep inside."""
        known = self._reached.get(id(relation))
        if known is None:
            known = any(self.reaches(inner) for inner in self._beneath(relation))
            if isinstance(relation, Table):
                known = bool(self.inputs.get(relation.id.lower(), UNCHANGED))
            self._reached[id(relation)] = known
        return known

    def _beneath(self, relation: Relation) -> Iterator[Relation]:
        if isinstance(relation, Opaque):
            yield from relation.beneath
            yield from self.terms[relation.key].relations
        elif isinstance(relation, SetOperation):
            yield relation.left
            yield relation.right
        elif isinstance(relation, Select):
            yield from (source.relation for source in relation.sources)
            for term in _terms_of(relation):
                yield from self.terms[term].relations

    def _set(self, old: SetOperation, new: SetOperation) -> Change:
        word = new.kind.split()[0].upper()
        if (old.kind, old.by_name) != (new.kind, new.by_name):
            self.reasons.add(why.ROWS, f"the {word} is of another kind", new.node)
            return EVERYTHING
        left = self.change(old.left, new.left)
        right = self.change(old.right, new.right)
        if left.rows or right.rows or not self._same_clauses(old.clauses, new.clauses):
            return EVERYTHING
        if not left and not right:
            return UNCHANGED
        message = f"{word} looks at every column of both sides, and some are not the same"
        if new.clauses or not new.all or any(_width(change) for change in (left, right)):
            self.reasons.add(why.ROWS, message, new.node)
            return EVERYTHING
        changed = set(left.changed)
        if right.changed:
            mine, theirs = new.left.columns, new.right.columns
            if new.by_name:
                mine = theirs = tuple(right.changed)
            if mine is None or theirs is None or len(mine) != len(theirs):
                self.reasons.add(why.ROWS, message, new.node)
                return EVERYTHING
            if len(set(theirs)) < len(theirs):
                return EVERYTHING
            changed |= {a for a, b in zip(mine, theirs, strict=True) if b in right.changed}
        return Change(changed=frozenset(changed))

    def _select(self, old: Select, new: Select) -> Change:
        changes: dict[str, Change] = {}
        olds = {source.label: source for source in old.sources}
        news = {source.label: source for source in new.sources}
        alone = set[str]()
        for label, source in (*olds.items(), *news.items()):
            if label in olds and label in news:
                if label not in changes:
                    changes[label] = self.change(olds[label].relation, news[label].relation)
                    if changes[label].rows:
                        return EVERYTHING
            elif self._keeps_rows(source):
                alone.add(label)
            else:
                self._other_source(olds, news)
                return EVERYTHING
        mine = [c for c in old.clauses if not (c.name == "LEFT JOIN" and c.value[0] in alone)]
        theirs = [c for c in new.clauses if not (c.name == "LEFT JOIN" and c.value[0] in alone)]
        if not self._same_clauses(mine, theirs):
            return EVERYTHING
        if self._rows_touched(old, new, changes):
            return EVERYTHING
        if self._of_around(old) != self._of_around(new):
            message = "an aggregate in a subquery may be one of the query around it"
            self.reasons.add(why.ROWS, message, new.node)
            return EVERYTHING
        outputs = Outputs(self, old, new, changes).change()
        return self._as_decided(old, new, outputs)

    def _other_source(self, olds: Mapping[str, Source], news: Mapping[str, Source]) -> None:
        gone = [label.rpartition("#")[0] for label in olds if label not in news]
        come = [label.rpartition("#")[0] for label in news if label not in olds]
        node = next((news[label].node for label in news if label not in olds), None)
        if gone and come:
            message = f"it reads {come[0] or 'something else'} instead of {gone[0] or 'another'}"
        else:
            what = "is read too" if come else "is no longer read"
            message = (
                f"{(come or gone)[0] or 'another table'} {what}, "
                "and nothing proves that it neither drops nor repeats rows"
            )
        self.reasons.add(why.ROWS, message, node)

    def _as_decided(self, old: Select, new: Select, change: Change) -> Change:
        if change.rows or not change:
            return change
        shown = sorted(change.added or change.changed or change.removed)
        names = ", ".join(f"'{name.lstrip(chr(0))}'" for name in shown[:3])
        looks_at_all = (new.distinct and not _has(new, "DISTINCT ON")) or new.wide
        if looks_at_all and (change.added or change.changed or change.removed):
            word = "DISTINCT" if new.distinct else "GROUP BY"
            message = f"{word} looks at every column, so {names} may change which rows there are"
            self.reasons.add(why.ROWS, message, _node(new, word))
            return EVERYTHING
        if old.key != new.key:
            return self.settled(old, new, change)
        return change

    def settled(self, old: Relation, new: Relation, change: Change) -> Change:
        """What is computed again comes out as before only where nothing depends on luck."""
        from seeknal_diff_sqlglot.steadiness import unsteady_columns

        if change.rows:
            return change
        if not change:
            return self._checked(new)
        for relation in (old, new):
            if getattr(relation, "unsteady_rows", False):
                message = "which rows there are depends on the order in which they come"
                self.reasons.add(why.ROWS, message, getattr(new, "node", None))
                return EVERYTHING
        moving = (unsteady_columns(old) | unsteady_columns(new)) - change.removed
        if not moving:
            return change
        for name in sorted(moving)[:3]:
            shown = name.lstrip("\0")
            self.reasons.add(
                why.CHANGED, f"column '{shown}' is another one each time it is computed"
            )
        return Change(
            changed=change.changed | moving,
            added=change.added,
            removed=change.removed,
            moved=change.moved,
        )

    def _checked(self, new: Relation) -> Change:
        """UNCHANGED, unless the new query may fail where the old one worked."""
        reason = doubt(self.terms, self.inputs)
        if reason is None:
            return UNCHANGED
        self.reasons.add(why.ROWS, reason, getattr(new, "node", None))
        return EVERYTHING

    def _same_clauses(self, old: list[Clause], new: list[Clause]) -> bool:
        a = Counter((clause.name, clause.value) for clause in old)
        b = Counter((clause.name, clause.value) for clause in new)
        ordered = [(c.name, c.value) for c in old] == [(c.name, c.value) for c in new]
        if ordered or (a == b and not any(clause.name == "JOIN" for clause in new)):
            return True
        nodes = {clause.name: clause.node for clause in new}
        for name in dict.fromkeys(name for name, _ in (*(a - b), *(b - a))):
            self.reasons.add(why.ROWS, _MESSAGES.get(name, f"{name} is different"), nodes.get(name))
        return False

    def _keeps_rows(self, source: Source) -> bool:
        """A left join over all columns of a unique key finds one row at most, and drops none."""
        if source.kind != "left":
            return False
        found = set[str]()
        for number in source.condition:
            parts = self.terms[number].parts
            if parts[0] != "eq":
                continue
            for mine, other in ((parts[1], parts[2]), (parts[2], parts[1])):
                assert isinstance(mine, int)
                assert isinstance(other, int)
                column = self.terms[mine].parts
                reads = self.terms[other].reads
                if any(read.source in (source.label, "?") and not read.depth for read in reads):
                    continue
                if column[:3] == ("column", "0", source.label) and not self.terms[other].flags:
                    found.add(str(column[3]).lower())
        return any(unique <= found for unique in source.relation.unique)

    def _rows_touched(self, old: Select, new: Select, changes: dict[str, Change]) -> bool:
        """Whether what changed in what is read may decide which rows there are."""
        if not any(changes.values()) and not self.reaches(new):
            return False
        if new.natural and self._may_meet(old, new, changes):
            message = "NATURAL JOIN compares whatever columns there are, and they changed"
            self.reasons.add(why.ROWS, message, _node(new, "NATURAL JOIN"))
            return True
        for change in changes.values():
            if found := change.added & new.guards:
                message = f"'{min(found)}' may mean the column of that name, which was added"
                self.reasons.add(why.ROWS, message, new.node)
                return True
        for source in new.sources:
            reads = self.terms[source.relation.key].reads
            name = hit(reads, changes, new)
            if name is not None:
                self.reasons.add(why.ROWS, f"a table of the FROM reads '{name}', which changed")
                return True
        for clause in new.clauses:
            for term in clause.value:
                if not isinstance(term, int):
                    continue
                name = self.touched(term, changes, new)
                if name is not None:
                    message = f"{clause.name} reads '{name}', which changed"
                    self.reasons.add(why.ROWS, message, clause.node)
                    return True
        return False

    def _may_meet(self, old: Select, new: Select, changes: Mapping[str, Change]) -> bool:
        """Whether a NATURAL JOIN may compare something that changed."""
        if any(new.stars()):
            return any(changes.values())
        for label, change in changes.items():
            for name in change.changed | change.added | change.removed:
                for source in (*old.sources, *new.sources):
                    if source.label != label and has(source.relation, name) is not False:
                        return True
        return False

    def _of_around(self, select: Select) -> frozenset[int]:
        """Columns that may make one row of all, as nothing else in the list forbids it."""
        if select.aggregated or any(select.stars()):
            return frozenset()
        flags = {i.term: self.terms[i.term].flags for i in select.items if isinstance(i, Item)}
        found = frozenset(term for term, flag in flags.items() if flag & PERHAPS_OUTER)
        bare = any(self.terms[term].bare for term in flags if term not in found)
        return frozenset() if bare else found

    def touched(self, term: int, changes: Mapping[str, Change], select: Select) -> str | None:
        """The name of something that a term reads and that changed, or None."""
        known = self.terms[term]
        name = hit(known.reads, changes, select)
        if name is not None:
            return name
        for relation in known.relations:
            if self.reaches(relation):
                mark = self.reasons.mark()
                change = self.change(relation, relation)
                self.reasons.cut(mark)
                if change:
                    return relation.root or "a subquery"
        return None


def _terms_of(select: Select) -> Iterator[int]:
    for clause in select.clauses:
        yield from (part for part in clause.value if isinstance(part, int))
    for item in select.items:
        if isinstance(item, Item):
            yield item.term
        else:
            yield from (term for _, term in item.replaced)


def _width(change: Change) -> bool:
    return bool(change.added or change.removed or change.moved)


def _has(select: Select, name: str) -> bool:
    return any(clause.name == name for clause in select.clauses)


def _node(select: Select, name: str) -> exp.Expr | None:
    return next((clause.node for clause in select.clauses if clause.name == name), None)
