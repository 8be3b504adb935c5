"""Which columns of other nodes a column is made from, and which are made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from seeknal.dag.classifier import ColumnOf
from seeknal.dag.judge import Judge
from seeknal.dag.manifest import Manifest
from seeknal.dag.queries import DIALECT, Queries
from seeknal.errors import RequestError, did_you_mean

ALL = "*"
VALUES, ROWS, UNKNOWN = "values", "rows", "unknown"


class Link(NamedTuple):
    """One step from a column to one that is made from it.

    how: "values", or "rows" where it only decides which rows there are, or "unknown" where what
    computes the node can't be looked into. A column "*" stands for all of a node's.
    """

    made_from: ColumnOf
    made: ColumnOf
    how: str


Step = Callable[[ColumnOf], Iterator[tuple[Link, ColumnOf]]]


class Tracer:
    """Follows columns through a manifest. Names are compared in lower case."""

    def __init__(self, manifest: Manifest, judge: Judge, dialect: str = DIALECT) -> None:
        self._manifest = manifest
        self._queries = Queries(manifest, judge, dialect)

    def column_named(self, text: str) -> ColumnOf:
        """What `node`, `kind.node`, `node.column` or `kind.node.column` stands for.

        Raises RequestError when there is no such node, or when the node is known not to have the
        column.
        """
        found = self._manifest.find(text)
        if found:
            return ColumnOf(found.id, ALL)
        name, _, column = text.rpartition(".")
        found = self._manifest.find(name)
        if found is None:
            near = did_you_mean(text, self._manifest.names)
            raise RequestError(f"There is no node '{text}'.{near}")
        lineage = self._queries.lineage(found.id)
        columns = {name.lower() for name in lineage.columns} if lineage else {ALL}
        if ALL not in columns and column.lower() not in columns:
            near = did_you_mean(column.lower(), columns)
            raise RequestError(f"{found.id} has no column '{column}'.{near}")
        return ColumnOf(found.id, column.lower())

    def upstream(self, start: ColumnOf) -> list[Link]:
        """Every step from what a column is made from to it, those next to it first."""
        return self._follow(start, self._above)

    def downstream(self, start: ColumnOf) -> list[Link]:
        """Every step from a column to what is made from it, those next to it first."""
        return self._follow(start, self._below)

    def _follow(self, start: ColumnOf, step: Step) -> list[Link]:
        links: dict[Link, None] = {}
        todo, seen = [start], {start}
        for current in todo:
            for link, end in step(current):
                links[link] = None
                if end not in seen:
                    seen.add(end)
                    todo.append(end)
        return list(links)

    def _above(self, made: ColumnOf) -> Iterator[tuple[Link, ColumnOf]]:
        node = self._manifest.nodes.get(made.table)
        if node is None:
            return
        for link in self._links_to(made):
            yield link, link.made_from

    def _below(self, made_from: ColumnOf) -> Iterator[tuple[Link, ColumnOf]]:
        for below in self._manifest.dependents.get(made_from.table, ()):
            for link in self._links_from(made_from, below):
                yield link, link.made

    def _links_from(self, made_from: ColumnOf, below: str) -> Iterator[Link]:
        lineage = self._queries.lineage(below)
        if lineage is None:
            yield Link(made_from, ColumnOf(below, ALL), UNKNOWN)
            return
        for name, sources in lineage.columns.items():
            if any(_meets(source, made_from) for source in sources):
                column = made_from.column if name == ALL else name.lower()
                yield Link(made_from, ColumnOf(below, column), VALUES)
        if made_from.column == ALL or any(_meets(source, made_from) for source in lineage.rows):
            yield Link(made_from, ColumnOf(below, ALL), ROWS)

    def _links_to(self, made: ColumnOf) -> Sequence[Link]:
        """The steps to one column, or to all of a node."""
        lineage = self._queries.lineage(made.table)
        if lineage is None:
            inputs = dict.fromkeys(self._manifest.nodes[made.table].inputs)
            return [Link(ColumnOf(i, ALL), made, UNKNOWN) for i in inputs]
        by_name = {name.lower(): sources for name, sources in lineage.columns.items()}
        if made.column == ALL:
            values = frozenset[ColumnOf]().union(*by_name.values())
        elif made.column in by_name:
            values = by_name[made.column]
        else:
            values = frozenset(ColumnOf(t, made.column) for t, _ in by_name.get(ALL, ()))
        links = [Link(source, made, VALUES) for source in sorted(values)]
        rows = sorted(lineage.rows - values)
        return links + [Link(source, ColumnOf(made.table, ALL), ROWS) for source in rows]


def _meets(source: ColumnOf, other: ColumnOf) -> bool:
    if source.table != other.table:
        return False
    return ALL in (source.column, other.column) or source.column.lower() == other.column
