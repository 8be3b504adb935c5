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


class Queries:
    """The nodes of one manifest as queries."""

    def __init__(self, manifest: Manifest, judge: Judge, dialect: str) -> None:
        self._manifest, self._judge, self._dialect = manifest, judge, dialect
        self._lineages: dict[str, Lineage | None] = {}
        self._columns = _Columns(manifest, self)
        self._keys = _Keys(manifest)

    def of(self, node: Node) -> Query | None:
        """None when no SQL computes the node."""
        sql = sql_of(node)
        if sql is None:
            return None
        dialect = node.config.get("dialect") or self._dialect
        return Query(readable(sql), str(dialect), node.inputs, self._columns, self._keys)

    def lineage(self, node_id: str) -> Lineage | None:
        """What a node's columns are made from, or None where that can't be told."""
        if node_id not in self._lineages:
            node = self._manifest.nodes.get(node_id)
            query = self.of(node) if node else None
            self._lineages[node_id] = self._judge.lineage(query) if query else None
        return self._lineages[node_id]


class _Columns(Mapping[str, tuple[str, ...]]):
    """The columns of the nodes of which all are known; worked out when they are asked for."""

    def __init__(self, manifest: Manifest, queries: Queries) -> None:
        self._manifest, self._queries = manifest, queries
        self._known: dict[str, tuple[str, ...] | None] = {}

    def __getitem__(self, node_id: str) -> tuple[str, ...]:
        for above in self._unknown_above(node_id):
            self._known[above] = None
            lineage = self._queries.lineage(above)
            closed = lineage is not None and "*" not in lineage.columns
            self._known[above] = tuple(lineage.columns) if lineage and closed else None
        columns = self._known[node_id]
        if columns is None:
            raise KeyError(node_id)
        return columns

    def _unknown_above(self, node_id: str) -> list[str]:
        """This node and what it is made from, as far as it isn't known, each behind its inputs."""
        found: set[str] = set()
        todo = [node_id]
        while todo:
            current = todo.pop()
            if current not in self._known and current not in found:
                found.add(current)
                node = self._manifest.nodes.get(current)
                todo += node.inputs if node else ()
        return sorted(found, key=lambda i: self._manifest.positions.get(i, -1))

    def __iter__(self) -> Iterator[str]:
        return (i for i in self._manifest.nodes if i in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Keys(Mapping[str, tuple[frozenset[str], ...]]):
    """What is declared to be unique, by node."""

    def __init__(self, manifest: Manifest) -> None:
        self._nodes = manifest.nodes

    def __getitem__(self, node_id: str) -> tuple[frozenset[str], ...]:
        key = self._nodes[node_id].unique_key
        if not key:
            raise KeyError(node_id)
        return (frozenset(name.lower() for name in key),)

    def __iter__(self) -> Iterator[str]:
        return (i for i, node in self._nodes.items() if node.unique_key)

    def __len__(self) -> int:
        return sum(1 for _ in self)
