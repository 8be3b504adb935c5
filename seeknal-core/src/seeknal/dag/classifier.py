"""The contract of classifiers: plugins that judge what a change of SQL can reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol


class ChangeCategory(Enum):
    """What a change means for whatever reads the node."""

    BREAKING = "breaking"
    """Something downstream may read other values or rows."""

    NON_BREAKING = "non_breaking"
    """This node is rebuilt, and what downstream reads of it is unchanged."""

    METADATA = "metadata"
    """This node's result is unchanged."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a table's new content may have that its old one had not.

    rows: anything may be different. Otherwise the rows are the same ones, as many times each, and
    differ in columns only: in those of `changed` there may be other values or types, `added` are
    new, `removed` are gone; moved: the others stand in another order. Columns are named as the
    dialect of what reads them normalizes names; in lower case where it ignores case.
    """

    rows: bool = False
    changed: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    moved: bool = False

    @property
    def category(self) -> ChangeCategory:
        if self.rows or self.changed or self.removed or self.moved:
            return ChangeCategory.BREAKING
        return ChangeCategory.NON_BREAKING if self.added else ChangeCategory.METADATA

    def __bool__(self) -> bool:
        return self.category is not ChangeCategory.METADATA


UNCHANGED = Change()
EVERYTHING = Change(rows=True)


class Reason(NamedTuple):
    """Why a verdict is no milder one. line: where in the new text, counted from 1, if anywhere."""

    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What changed, and for people, why."""

    change: Change
    reasons: tuple[Reason, ...] = ()

    @property
    def category(self) -> ChangeCategory:
        return self.change.category


@dataclass(frozen=True, slots=True)
class Query:
    """The SQL of a node, and what is known of the tables that it names.

    sql: other nodes stand in it as `source.x`, `transform.y`, or `input_0`, the first of `inputs`;
    a `{{ start }}` of the interval that is computed stands as the parameter `$start`. inputs: node
    ids. columns: of tables of which all columns are known, their names in order; looking one up may
    cost what parsing a query costs, so it may iterate over tables that it doesn't know. keys: sets
    of columns that are declared to be unique together, and not NULL.
    """

    sql: str
    dialect: str = "duckdb"
    inputs: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keys: Mapping[str, tuple[frozenset[str], ...]] = field(default_factory=dict)


class ColumnOf(NamedTuple):
    """A column of a table that a query names. column: "*" for each of its columns."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """What the result of a query is made from.

    columns: of the result, in order, with what the values of each are made from; "*" stands for
    the columns of a table of which not all are known, each under its own name. rows: what decides
    which rows there are.
    """

    columns: Mapping[str, frozenset[ColumnOf]]
    rows: frozenset[ColumnOf] = frozenset()


class Classifier(Protocol):
    """Judges changes of SQL. Never raises because of what a text says."""

    def classify(self, old: Query, new: Query, inputs: Mapping[str, Change]) -> Verdict | None:
        """How the result of `new` differs from that of `old`, where the tables that they read
        differ as `inputs` says, by node id; those that it doesn't name are the same.

        None leaves it to the next classifier. A change that says less than the truth leaves data
        stale: say less than EVERYTHING only as far as it is proven.
        """

    def lineage(self, query: Query) -> Lineage | None:
        """What a result is made from, or None where that can't be told. It may name too much, and
        never too little."""
