"""What a query takes for granted: that names are columns, and that expressions can be bound.

A query may compute more than its result shows: hidden columns, an ORDER BY, what EXISTS selects.
Leaving that out of what is compared is right only if it can't make the new query fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seeknal.dag.classifier import UNCHANGED, Change
from seeknal_diff_sqlglot.relations import Item, NotUnderstood, Relation, Select, SetOperation
from seeknal_diff_sqlglot.terms import Terms

_PSEUDO_COLUMNS = {"rowid", "_rowid_", "rownum", "ctid"}
_BOUND = {"column", "literal", "true", "false", "Null", "count", "Is", "placeholder", "ordered"}


Asked = tuple[str | bool | int, ...]
"""A name, whether it is part of an expression, and the keys of what it may be a column of."""


@dataclass(slots=True)
class Assumptions:
    """first: the number of the first term that no earlier query has.

    asked: names that must be columns, with the relations of which one must have it. An expression
    that a name is part of may want a type. computed: terms of columns and ORDER BYs, whether the
    result shows them or not. tentative: names are only tried, and may turn out to be none.
    """

    first: int
    asked: dict[Asked, list[Relation]] = field(default_factory=dict)
    computed: set[int] = field(default_factory=set)
    tentative: bool = False

    def need(self, relations: list[Relation], name: str, computed: bool) -> None:
        """Take for granted that one of these, none of which surely lacks it, has a column."""
        if self.tentative:
            return
        if not relations:
            raise NotUnderstood(f"there is no column '{name}'")
        if name in _PSEUDO_COLUMNS and not any(has(relation, name) for relation in relations):
            raise NotUnderstood(f"'{name}' tells where a row is stored")
        self.asked[name, computed, *(relation.key for relation in relations)] = relations


def has(relation: Relation, name: str, owners: set[int] | None = None) -> bool | None:
    """Whether a relation has a column; None if that is not known.

    owners: gets the keys of the tables that have it, or may.
    """
    if isinstance(relation, Select):
        return _shows(relation, name, owners)
    if isinstance(relation, SetOperation):
        left = has(relation.left, name, owners)
        return left or has(relation.right, name, owners) if relation.by_name else left
    columns = relation.columns
    if columns is not None and name not in columns:
        return False
    if owners is not None:
        owners.add(relation.key)
    return True if columns is not None else None


def _shows(select: Select, name: str, owners: set[int] | None) -> bool | None:
    answer: bool | None = False
    for item in select.items:
        if isinstance(item, Item):
            if item.name == name:
                return True
            answer = None if item.generated else answer
            continue
        if any(name == replaced for replaced, _ in item.replaced):
            return True
        if name not in item.without:
            source = next(s for s in select.sources if s.label == item.source)
            inner = has(source.relation, name, owners)
            if inner:
                return True
            answer = None if inner is None else answer
    return answer


def _resolved(name: str, relations: list[Relation]) -> tuple[frozenset[int], bool]:
    """The keys of the tables that have a column, or may; and whether it is there for certain."""
    owners: set[int] = set()
    answers = [has(relation, name, owners) for relation in relations]
    return frozenset(owners), True in answers


def doubt(terms: Terms, inputs: Mapping[str, Change]) -> str | None:
    """Why the new query might fail where the old one worked, though both give the same."""
    old, new = terms.assumptions[0], terms.assumptions[-1]
    missing = _missing(old, new) if new is not old else None
    if missing is not None:
        return f"nothing tells that there is a column '{missing}'"
    if new is not old and not all(_binds(term, terms, new.first) for term in new.computed):
        return "what is not shown is computed differently, and may fail"
    return _input_doubt(new, terms, inputs) if inputs else None


def _missing(old: Assumptions, new: Assumptions) -> str | None:
    """A name that only the new query uses, and that no table is known to have."""
    fresh = {asked: new.asked[asked] for asked in new.asked.keys() - old.asked.keys()}
    names = {asked[0] for asked in fresh}
    used = set()
    for asked, relations in old.asked.items():
        if asked[0] in names:
            owners, sure = _resolved(str(asked[0]), relations)
            used |= set() if sure else {(owners, asked[0])}
    for asked, relations in fresh.items():
        owners, sure = _resolved(str(asked[0]), relations)
        if not sure and (owners, asked[0]) not in used:
            return str(asked[0])
    return None


def _input_doubt(assumed: Assumptions, terms: Terms, inputs: Mapping[str, Change]) -> str | None:
    touched = {n for c in inputs.values() for n in (*c.added, *c.removed, *c.changed)}
    for (name, computed, *_), relations in assumed.asked.items():
        for owner in _resolved(str(name), relations)[0] if name in touched else ():
            change = inputs.get(str(terms[owner].parts[-1]).lower(), UNCHANGED)
            if name in change.removed or name in change.added:
                return f"'{name}' is named where it decides nothing, but must be there"
            if computed and name in change.changed:
                return f"something not shown is made from '{name}', and may fail"
    return None


def _binds(number: int, terms: Terms, first: int) -> bool:
    """Whether an expression can be bound: the old query has it too, or no type is a wrong one."""
    if number < first:
        return True
    term = terms[number]
    children = [part for part in term.parts[1:] if isinstance(part, int)]
    if term.parts[0] == "Cast":
        return terms[children[0]].parts[0] in ("literal", "Null")
    return term.parts[0] in _BOUND and all(_binds(child, terms, first) for child in children)
