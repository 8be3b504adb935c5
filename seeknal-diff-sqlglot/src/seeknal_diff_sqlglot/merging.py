"""A simple query inside of a FROM, made part of the query around it."""

from __future__ import annotations

from dataclasses import dataclass

from seeknal_diff_sqlglot.relations import Clause, Item, Opaque, Select, Source, Star
from seeknal_diff_sqlglot.terms import (
    AGGREGATE,
    NEW_ROWS,
    UNSTEADY,
    VOLATILE,
    WINDOW,
    Part,
    Read,
    Terms,
)

_SPECIAL = AGGREGATE | NEW_ROWS | UNSTEADY | VOLATILE | WINDOW
_PLAIN = {"WHERE", "LEFT JOIN"}


def merge(select: Select, unique: list[frozenset[int]], terms: Terms) -> list[frozenset[int]]:
    """Put simple queries of the FROM in their place.

    A query that only filters and computes gives each of its rows once, so that filtering them
    later, beside whatever they are joined with, gives the same: NULLs and duplicates included.
    Not where it is the right side of an outer join, nor with aggregates, windows, DISTINCT, LIMIT
    or anything volatile. What it computes keeps its type: inside of other expressions it stays
    apart from the same words written there, for a literal may take another type in place.

    unique: sets of terms that no two rows share; given back in the new terms.
    """
    for source in list(select.sources):
        inner = source.relation
        if isinstance(inner, Select) and _simple(inner, source, select, terms):
            replace = _Merge(select, source, inner, terms).run()
            unique = [frozenset(replace.of(term) for term in terms_) for terms_ in unique]
    return unique


def _simple(inner: Select, source: Source, outer: Select, terms: Terms) -> bool:
    if source.kind != "inner" or inner.aggregated or inner.natural or not inner.sources:
        return False
    if any(clause.name not in _PLAIN for clause in inner.clauses):
        return False
    if any(clause.name in ("JOIN", "NATURAL JOIN") for clause in outer.clauses):
        return False
    if terms[inner.key].reads or any(isinstance(s.relation, Opaque) for s in inner.sources):
        return False
    stars = list(inner.stars())
    if stars and (len(inner.items) > 1 or len(inner.sources) > 1 or _excepts(stars[0])):
        return False
    names = [item.name for item in inner.items if isinstance(item, Item)]
    if len(set(names)) < len(names) or any(name.startswith("\0") for name in names):
        return False
    if any(terms[s.relation.key].reads for s in inner.sources):
        return False
    if any(_special(term, terms) for term in all_terms(inner)):
        return False
    if any(_excepts(star) for star in outer.stars() if star.source == source.label):
        return False
    shown = None if stars else set(names)
    outside = [*all_terms(outer), *(s.relation.key for s in outer.sources)]
    return all(_readable(term, source.label, shown, terms) for term in outside)


def _excepts(star: Star) -> bool:
    return bool(star.without or star.replaced)


def _special(number: int, terms: Terms) -> bool:
    term = terms[number]
    reads = any(read.source == "?" or read.name == "*" or read.depth for read in term.reads)
    return bool(term.flags & _SPECIAL or term.relations or reads)


def _readable(number: int, label: str, shown: set[str] | None, terms: Terms) -> bool:
    """Whether all that a term reads of a source can be replaced."""
    term = terms[number]
    for read in term.reads:
        if not read.depth and read.source == "?":
            return False
        if read.depth or read.source != label:
            continue
        if read.name == "*" or term.relations or (shown is not None and read.name not in shown):
            return False
    return True


def all_terms(select: Select) -> list[int]:
    found = [t for clause in select.clauses for t in clause.value if isinstance(t, int)]
    for item in select.items:
        found += [item.term] if isinstance(item, Item) else [t for _, t in item.replaced]
    return found


@dataclass(slots=True)
class _Merge:
    select: Select
    source: Source
    inner: Select
    terms: Terms

    def run(self) -> _Rewriting:
        taken = [s for s in self.select.sources if s is not self.source]
        labels: dict[str, str] = {}
        sources: list[Source] = []
        for source in self.inner.sources:
            root = source.label.rpartition("#")[0]
            ordinal = 0
            while any(other.label == f"{root}#{ordinal}" for other in (*taken, *sources)):
                ordinal += 1
            labels[source.label] = f"{root}#{ordinal}"
            sources.append(
                Source(labels[source.label], "", source.relation, source.node, source.kind)
            )
        rename = _Rewriting(self.terms, labels, None, {})
        columns = {
            item.name: rename.of(item.term) for item in self.inner.items if isinstance(item, Item)
        }
        star = labels[self.inner.sources[0].label] if any(self.inner.stars()) else None
        for source, copy in zip(self.inner.sources, sources, strict=True):
            copy.condition = tuple(rename.of(term) for term in source.condition)
        inside = [_rewritten(clause, rename, labels) for clause in self.inner.clauses]
        replace = _Rewriting(self.terms, {}, self.source.label, columns, star)
        outside = [_rewritten(clause, replace, {}) for clause in self.select.clauses]
        for source in taken:
            source.condition = tuple(replace.of(term) for term in source.condition)
        self.select.clauses = _with_one_where(outside, inside)
        self.select.items = [self._item(item, replace, star) for item in self.select.items]
        place = self.select.sources.index(self.source)
        self.select.sources = [
            *self.select.sources[:place],
            *sources,
            *self.select.sources[place + 1 :],
        ]
        return replace

    def _item(self, item: Item | Star, replace: _Rewriting, star: str | None) -> Item | Star:
        if isinstance(item, Item):
            return Item(item.name, item.spelled, replace.of(item.term), item.node)
        if item.source == self.source.label and star is not None:
            return Star(star, node=item.node)
        return Star(
            item.source,
            item.without,
            tuple((name, replace.of(term)) for name, term in item.replaced),
            item.node,
        )


def _rewritten(clause: Clause, rewriting: _Rewriting, labels: dict[str, str]) -> Clause:
    value = tuple(
        rewriting.of(part) if isinstance(part, int) else labels.get(part, part)
        for part in clause.value
    )
    numbers = [part for part in value if isinstance(part, int)]
    if clause.name == "LEFT JOIN":
        value = (value[0], *sorted(numbers))
    elif clause.name not in ("ORDER BY", "LIMIT", "OFFSET") and len(numbers) == len(value):
        value = tuple(sorted(numbers))
    return Clause(clause.name, value, clause.node)


def _with_one_where(outside: list[Clause], inside: list[Clause]) -> list[Clause]:
    wheres = [clause for clause in (*outside, *inside) if clause.name == "WHERE"]
    joins = [clause for clause in (*outside, *inside) if clause.name == "LEFT JOIN"]
    joins.sort(key=lambda clause: str(clause.value[0]))
    rest = [clause for clause in outside if clause.name not in _PLAIN]
    if not wheres:
        return joins + rest
    value = sorted({part for clause in wheres for part in clause.value if isinstance(part, int)})
    return [*joins, Clause("WHERE", tuple(value), wheres[0].node), *rest]


@dataclass(slots=True)
class _Rewriting:
    """Terms with other labels, and the columns of one source by what computes them."""

    terms: Terms
    labels: dict[str, str]
    label: str | None
    columns: dict[str, int]
    star: str | None = None

    def of(self, number: int, outermost: bool = True) -> int:
        term = self.terms[number]
        wanted: set[str | None] = {*self.labels} or {self.label}
        if not any(not read.depth and read.source in wanted for read in term.reads):
            return number
        parts = term.parts
        if parts[0] == "column" and parts[1] == "0":
            return self._column(number, str(parts[2]), str(parts[3]), outermost)
        new: list[Part] = [
            self.of(part, False) if isinstance(part, int) else part for part in parts
        ]
        if parts[0] in ("eq", "ne", "same", "distinct", "and", "or", "plus", "Mul"):
            new[1:] = sorted(new[1:], key=int)
        aggregate = bool(term.flags & AGGREGATE) and not term.bare
        return self.terms.put(*new, flags=term.flags, aggregate=aggregate)

    def _column(self, number: int, label: str, name: str, outermost: bool) -> int:
        if label in self.labels or (label == self.label and self.star is not None):
            there = self.labels.get(label, self.star or "")
            read = frozenset({Read(0, there, name.lower())})
            return self.terms.put("column", "0", there, name, reads=read)
        if label != self.label:
            return number
        found = self.columns[name.lower()]
        if outermost or self.terms[found].parts[0] == "column":
            return found
        return self.terms.put("typed", found)
