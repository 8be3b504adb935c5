"""What a second evaluation over the same rows may change, and which columns are unique."""

from __future__ import annotations

from seeknal_diff_sqlglot.relations import GENERATED, Item, Relation, Select, Star
from seeknal_diff_sqlglot.scopes import Context, outward
from seeknal_diff_sqlglot.terms import COLLATED, UNSTEADY, VOLATILE, Part, Read, Terms


def finish_select(
    select: Select, context: Context, unique: list[frozenset[int]], can_see_out: bool
) -> int:
    """Give a SELECT its key, and find out what a second evaluation may change."""
    terms = context.terms
    parts: list[Part] = ["select"]
    reads: frozenset[Read] = frozenset()
    flags = 0
    for source in sorted(select.sources, key=lambda s: s.label):
        parts += (source.label, source.relation.key)
        reads |= terms[source.relation.key].reads
        flags |= terms[source.relation.key].flags
    for clause in select.clauses:
        parts += (clause.name, *clause.value)
        for value in clause.value:
            if isinstance(value, int):
                reads |= terms[value].reads
                flags |= terms[value].flags
    moving = {s.label: unsteady_columns(s.relation) for s in select.sources}
    select.unsteady_rows |= any(s.ordered or _unsteady_rows(s.relation) for s in select.sources)
    select.unsteady_rows |= _rows_unsteady(select, terms)
    select.unsteady_rows |= _touches(reads, moving)
    parts.append("columns")
    grouped = _grouped_reads(select, terms)
    for item in select.items:
        if isinstance(item, Star):
            select.unsteady_rows |= grouped is not None
            parts += ("*", item.source, *sorted(item.without))
            for name, term in item.replaced:
                parts += (name, term)
                reads |= terms[term].reads
                flags |= terms[term].flags
            continue
        term_reads = terms[item.term].reads
        item_flags = terms[item.term].flags
        item.unsteady = bool(item_flags & (VOLATILE | UNSTEADY)) or _touches(term_reads, moving)
        if grouped is not None and not _ungrouped(item.term, terms) <= grouped:
            item.unsteady = True
        merged = any(clause.name in ("GROUP BY", "DISTINCT") for clause in select.clauses)
        if merged and item_flags & COLLATED:
            select.unsteady_rows = True
        if select.distinct and item.unsteady:
            select.unsteady_rows = True
        reads |= term_reads
        flags |= item_flags | (UNSTEADY if item.unsteady else 0)
        parts += (item.spelled, item.term)
    if flags & (VOLATILE | UNSTEADY) or select.unsteady_rows:
        context.unsteady = True
    if select.unsteady_rows:
        flags |= UNSTEADY
    select.unique = _unique_columns(select, unique)
    seen = outward(reads, can_see_out)
    select.key = terms.put_relation(tuple(parts), select, seen, flags)
    return select.key


def _grouped_reads(select: Select, terms: Terms) -> frozenset[Read] | None:
    """What may stand outside of aggregates; anything else is refused, or of an arbitrary row."""
    if not select.aggregated:
        return None
    found: frozenset[Read] = frozenset()
    for clause in select.clauses:
        if clause.name == "GROUP BY":
            for term in clause.value:
                found |= terms[term].reads if isinstance(term, int) else frozenset()
            if select.wide:
                return None
    return found


def _ungrouped(number: int, terms: Terms) -> frozenset[Read]:
    """What stands outside of aggregates.

    A name that is a column or one of the result must be the latter, if it is not grouped.
    """
    term = terms[number]
    bare = frozenset(read for read in term.bare if not read.depth)
    children = [part for part in term.parts if isinstance(part, int)]
    if not bare or not children or term.relations:
        return bare
    if term.parts[0] == "either":
        children = children[1:]
    return frozenset().union(*(_ungrouped(child, terms) for child in children))


def _rows_unsteady(select: Select, terms: Terms) -> bool:
    return any(
        isinstance(value, int) and terms[value].flags & (VOLATILE | UNSTEADY)
        for clause in select.clauses
        for value in clause.value
    )


def _unsteady_rows(relation: Relation) -> bool:
    return bool(getattr(relation, "unsteady_rows", False))


def unsteady_columns(relation: Relation) -> frozenset[str]:
    """Columns that a second evaluation may compute differently."""
    if not isinstance(relation, Select):
        return frozenset()
    found = {item.name for item in relation.items if isinstance(item, Item) and item.unsteady}
    for star in relation.stars():
        source = next(s for s in relation.sources if s.label == star.source)
        found |= unsteady_columns(source.relation)
    return frozenset(found)


def _touches(reads: frozenset[Read], moving: dict[str, frozenset[str]]) -> bool:
    for depth, source, name in reads:
        if depth:
            continue
        for label, names in moving.items():
            if source in (label, "?") and names and (name == "*" or name in names):
                return True
            if source == label and any(n.startswith(GENERATED) for n in names):
                return True
    return False


def _unique_columns(select: Select, sets: list[frozenset[int]]) -> tuple[frozenset[str], ...]:
    """Sets of columns of the result that no two rows have in common."""
    if any(clause.name == "function that makes rows" for clause in select.clauses):
        return ()
    shown: dict[int, str] = {}
    for item in select.items:
        if isinstance(item, Item):
            shown.setdefault(item.term, item.name)
    found = [
        frozenset(shown[term] for term in unique)
        for unique in sets
        if unique and unique <= shown.keys()
    ]
    if any(clause.name == "DISTINCT" for clause in select.clauses) and not any(select.stars()):
        found.append(frozenset(shown.values()))
    return tuple(found)
