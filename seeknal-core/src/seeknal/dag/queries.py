"""The SQL of a manifest's nodes, as classifiers are asked about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seeknal.dag.classifier import Lineage, Query
from seeknal.dag.judge import Judge
from seeknal.dag.manifest import Manifest, Node
from seeknal.dag.sql_text import mentions, replace_times

DIALECT = "duckdb"
"""Of nodes that name none, where nothing else is said."""

SQL_KEYS = ("sql", "transform")
"""Where a node's config has its SQL; the second in older manifests."""


def sql_of(node: Node) -> str | None:
    """The SQL that computes a node, as its file has it, or None when something else does."""
    if "function" in node.config:
        return None
    texts = (node.config.get(key) for key in SQL_KEYS)
    return next((text for text in texts if isinstance(text, str)), None)


def readable(sql: str) -> str:
    """SQL that a parser of SQL can read: `ref('source.x')` as `source.x`, and `{{ start }}` as the
    parameter `$start`. Lines stay the lines they were."""
    parts, position = [], 0
    for mention in mentions(sql):
        if mention.how == "ref":
            kind, _, name = mention.target.partition(".")
            table = name if name.isidentifier() else f'"{name}"'
            lines = "\n" * sql.count("\n", mention.start, mention.end)
            parts += [sql[position : mention.start], f"{kind}.{table}{lines}"]
            position = mention.end
    bound = "".join(parts) + sql[position:]
    return replace_times(bound, lambda name: f"${name}")


Plain = dict[tuple[str, str, tuple[str, ...]], "Lineage | None"]


class Queries:
    """The nodes of one manifest as queries.

    plain: what is known of queries whatever the columns of their tables are. Manifests that are
    compared share it, as most of their nodes are the same.
    """

    def __init__(
        self, manifest: Manifest, judge: Judge, dialect: str, plain: Plain | None = None
    ) -> None:
        self._manifest, self._judge, self._dialect = manifest, judge, dialect
        self._lineages: dict[str, Lineage | None] = {}
        self._plain = {} if plain is None else plain
        self._columns = _Columns(self)

    def of(self, node: Node) -> Query | None:
        """None when no SQL computes the node."""
        sql = sql_of(node)
        if sql is None:
            return None
        dialect = node.config.get("dialect") or self._dialect
        columns = _ColumnsOfInputs(self._columns, node.inputs)
        return Query(readable(sql), str(dialect), node.inputs, columns, self._keys(node))

    def _keys(self, node: Node) -> dict[str, tuple[frozenset[str], ...]]:
        """What is declared to be unique in what a node reads."""
        keys = {
            i: self._manifest.nodes[i].unique_key for i in node.inputs if i in self._manifest.nodes
        }
        return {i: (frozenset(name.lower() for name in key),) for i, key in keys.items() if key}

    def lineage(self, node_id: str) -> Lineage | None:
        """What a node's columns are made from, or None where that can't be told."""
        if node_id not in self._lineages:
            node = self._manifest.nodes.get(node_id)
            query = self.of(node) if node else None
            self._lineages[node_id] = self._judge.lineage(query) if query else None
        return self._lineages[node_id]

    def plain_lineage(self, node_id: str) -> Lineage | None:
        """The same without looking at the columns of what it reads."""
        node = self._manifest.nodes.get(node_id)
        query = self.of(node) if node else None
        if query is None:
            return None
        alone = (query.sql, query.dialect, query.inputs)
        if alone not in self._plain:
            self._plain[alone] = self._judge.lineage(Query(*alone))
        return self._plain[alone]


class _Columns:
    """The columns of the nodes of which all are known; worked out when they are asked for.

    A `SELECT *` has the columns of what it reads: those are worked out before it.
    """

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._known: dict[str, tuple[str, ...] | None] = {}

    def of(self, node_id: str) -> tuple[str, ...] | None:
        todo = [] if node_id in self._known else [node_id]
        while todo:
            lineage = self._queries.plain_lineage(todo[-1])
            stars = lineage.columns.get("*", ()) if lineage else ()
            unknown = [t for t, _ in stars if t not in self._known and t not in todo]
            if unknown:
                todo += unknown
                continue
            current = todo.pop()
            if stars and all(self._known.get(table) for table, _ in stars):
                lineage = self._queries.lineage(current)
            closed = lineage is not None and "*" not in lineage.columns
            self._known[current] = tuple(lineage.columns) if lineage and closed else None
        return self._known[node_id]


class _ColumnsOfInputs(Mapping[str, tuple[str, ...]]):
    """Of those that a query reads. Iterating gives all of them: looking one up may cost a parse."""

    def __init__(self, columns: _Columns, inputs: tuple[str, ...]) -> None:
        self._columns, self._inputs = columns, inputs

    def __getitem__(self, node_id: str) -> tuple[str, ...]:
        columns = self._columns.of(node_id) if node_id in self._inputs else None
        if columns is None:
            raise KeyError(node_id)
        return columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)
