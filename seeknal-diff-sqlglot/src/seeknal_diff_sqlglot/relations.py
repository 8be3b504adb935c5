"""What a query is made of: tables, selections and set operations over each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from sqlglot import exp

GENERATED = "\0"
"""Begins the names of columns that have none, so that nothing written is one of them."""


class NotUnderstood(Exception):
    """A query says what no rule knows. Its verdict is BREAKING."""

    def __init__(self, message: str, node: exp.Expr | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.node = node


@dataclass(slots=True, eq=False)
class Table:
    """A table by its node id, or by its written name.

    pending: its columns may become known, if all is looked at once more.
    """

    id: str
    key: int
    look_up: Callable[[], tuple[str, ...] | None]
    unique: tuple[frozenset[str], ...] = ()
    pending: bool = False

    @property
    def columns(self) -> tuple[str, ...] | None:
        return self.look_up()

    @property
    def root(self) -> str:
        return self.id


@dataclass(slots=True, eq=False)
class Item:
    """A column of a result. name: lower case; term: what computes it."""

    name: str
    spelled: str
    term: int
    node: exp.Expr | None = None
    unsteady: bool = False

    @property
    def generated(self) -> bool:
        return self.name.startswith(GENERATED)


@dataclass(slots=True, eq=False)
class Star:
    """All columns of one source, but for `without`; `replaced` ones are computed by a term."""

    source: str
    without: frozenset[str] = frozenset()
    replaced: tuple[tuple[str, int], ...] = ()
    node: exp.Expr | None = None


@dataclass(slots=True, eq=False)
class Source:
    """A relation in a FROM. label: the same in old and new for what has the same place.

    ordered: it is joined by the order of rows.
    """

    label: str
    alias: str
    relation: Relation
    node: exp.Expr
    kind: str = "inner"
    condition: tuple[int, ...] = ()
    ordered: bool = False
    _columns: frozenset[str] | Literal[False] | None = False

    @property
    def columns(self) -> frozenset[str] | None:
        """Those of its relation, worked out once."""
        if self._columns is False:
            columns = self.relation.columns
            self._columns = None if columns is None else frozenset(columns)
        return self._columns


@dataclass(slots=True, eq=False)
class Clause:
    """A part of a query that decides which rows there are. value: numbers of terms and words."""

    name: str
    value: tuple[int | str, ...]
    node: exp.Expr | None = None


@dataclass(slots=True, eq=False)
class Select:
    """unsteady_rows: a second evaluation may give other rows. wide: each column decides rows.

    guards: names that would mean something else if a source had such a column.
    """

    sources: list[Source]
    clauses: list[Clause]
    items: list[Item | Star]
    key: int = -1
    aggregated: bool = False
    distinct: bool = False
    natural: bool = False
    wide: bool = False
    unsteady_rows: bool = False
    unique: tuple[frozenset[str], ...] = ()
    guards: frozenset[str] = frozenset()
    node: exp.Expr | None = None

    @property
    def columns(self) -> tuple[str, ...] | None:
        names: list[str] = []
        for item in self.items:
            if isinstance(item, Star):
                inner = next(s for s in self.sources if s.label == item.source).relation.columns
                if inner is None:
                    return None
                names.extend(name for name in inner if name not in item.without)
            elif item.generated:
                return None
            else:
                names.append(item.name)
        return tuple(names)

    @property
    def root(self) -> str:
        return self.sources[0].relation.root if self.sources else ""

    def explicit(self) -> dict[str, Item]:
        return {item.name: item for item in self.items if isinstance(item, Item)}

    def stars(self) -> Iterator[Star]:
        return (item for item in self.items if isinstance(item, Star))


@dataclass(slots=True, eq=False)
class SetOperation:
    """UNION, INTERSECT, EXCEPT. by_name: columns meet by name, not by position."""

    kind: str
    left: Relation
    right: Relation
    by_name: bool
    clauses: list[Clause]
    key: int = -1
    unsteady_rows: bool = False
    node: exp.Expr | None = None
    unique: tuple[frozenset[str], ...] = ()

    @property
    def all(self) -> bool:
        return self.kind == "Union all"

    @property
    def columns(self) -> tuple[str, ...] | None:
        return None if self.by_name else self.left.columns

    @property
    def root(self) -> str:
        return self.left.root


@dataclass(slots=True, eq=False)
class Opaque:
    """A source of rows of which only this is known: the same words over the same make the same."""

    key: int
    beneath: tuple[Relation, ...] = ()
    columns: tuple[str, ...] | None = None
    unsteady_rows: bool = False
    unique: tuple[frozenset[str], ...] = ()
    node: exp.Expr | None = None
    root: str = field(default="")


Relation = Table | Select | SetOperation | Opaque


def spelling(relation: Relation, name: str) -> str | None:
    """The name that a query gives to a column, in the case that is written; None if it gives none.

    name: in lower case.
    """
    while isinstance(relation, SetOperation):
        relation = relation.left
    if not isinstance(relation, Select):
        return None
    for item in relation.items:
        if isinstance(item, Item) and item.name == name:
            return item.spelled
    stars = {star.source for star in relation.stars() if name not in star.without}
    found = (spelling(s.relation, name) for s in relation.sources if s.label in stars)
    return next((spelled for spelled in found if spelled), None)
