"""What a Python node is given, and what it may return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from seeknal.dag.manifest import Node
from seeknal.errors import BuildError, did_you_mean
from seeknal.state.intervals import Interval


class NodeContext:
    """The `ctx` of one call; see `seeknal.pipeline.Context`."""

    def __init__(
        self,
        node: Node,
        connection: duckdb.DuckDBPyConnection,
        tables: Mapping[str, str],
        interval: Interval | None,
    ) -> None:
        self._node = node
        self._interval = interval
        self._tables = tables
        self.duckdb = connection

    @property
    def params(self) -> Mapping[str, Any]:
        params: Mapping[str, Any] = self._node.config.get("params", {})
        return params

    @property
    def interval(self) -> Interval | None:
        timing = self._node.incremental
        if self._interval is None or timing is None:
            return None
        zone = ZoneInfo(timing.timezone)
        return Interval(*(moment.astimezone(zone) for moment in self._interval))

    def ref(self, node_id: str) -> duckdb.DuckDBPyRelation:
        if node_id not in self._tables:
            raise BuildError(
                f"ctx.ref({node_id!r}): that is no input of {self._node.id}."
                f"{did_you_mean(node_id, self._tables)} Name it in the decorator's inputs=[...]."
            )
        return self.duckdb.sql(f"SELECT * FROM {self._tables[node_id]}")


def as_relation(
    value: object, node: Node, connection: duckdb.DuckDBPyConnection
) -> duckdb.DuckDBPyRelation:
    """What a function returned, for DuckDB. Raises BuildError when it is no table."""
    if isinstance(value, duckdb.DuckDBPyRelation):
        return value
    if value is None:
        raise BuildError(f"{node.config['function']}() returned None: return the table it made")
    package = type(value).__module__.partition(".")[0]
    if package in ("pandas", "polars", "pyarrow"):
        return (
            connection.from_arrow(value) if package == "pyarrow" else _from_frame(value, connection)
        )
    raise BuildError(
        f"{node.config['function']}() returned {type(value).__name__}: return an Arrow table, a "
        "pandas or polars frame, or a DuckDB relation"
    )


def _from_frame(value: object, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    return connection.sql("SELECT * FROM value")
