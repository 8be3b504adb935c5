"""How nodes are written in Python.

    from seeknal.pipeline import source, transform

    @transform(name="busiest_days", inputs=["source.flights"])
    def busiest_days(ctx):
        flights = ctx.ref("source.flights")
        return ctx.duckdb.sql("SELECT day, count(*) AS flights FROM flights GROUP BY day")

The function gets a context: `ctx.ref(node_id)` is an input as a DuckDB relation, `ctx.duckdb` a
DuckDB connection that knows every input by its id, as in `FROM source.flights` (above, `flights`
is the variable), `ctx.params` the parameters,
`ctx.interval` the time to compute where the node is incremental. It returns an Arrow table, a
pandas or polars frame, or a DuckDB relation. Inputs that it names with `ctx.ref("...")` need not
stand in `inputs`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

OTHER_KINDS = (
    "aggregation", "exposure", "feature_group", "materialize", "metric", "model", "profile",
    "rule", "second_order_aggregation", "semantic_model",
)  # fmt: skip
"""Kinds of nodes that existing seeknal projects have, and that nothing here computes."""


class Context(Protocol):
    """What a Python node is given."""

    @property
    def duckdb(self) -> Any:
        """A DuckDB connection in which every input is a table, as in `FROM source.flights`."""

    @property
    def params(self) -> Mapping[str, Any]:
        """The project's parameters, and the node's own over them."""

    @property
    def interval(self) -> Any:
        """Of an incremental node, the time to compute: `start` and `end`, aware, in the node's
        timezone; the end does not belong to it. None for a node that is computed whole."""

    def ref(self, node_id: str) -> Any:
        """An input, as a DuckDB relation: `.df()`, `.pl()` and `.arrow()` turn it into frames."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One use of a decorator: the kind, the fields as they were given, the function, its line."""

    kind: str
    fields: Mapping[str, Any]
    function: Callable[..., Any]
    line: int


_collected: ContextVar[list[Declared] | None] = ContextVar("collected", default=None)


@contextmanager
def collecting() -> Iterator[list[Declared]]:
    """Gather what is declared meanwhile."""
    declared: list[Declared] = []
    token = _collected.set(declared)
    try:
        yield declared
    finally:
        _collected.reset(token)


def source(
    *,
    name: str | None = None,
    source: str | None = None,
    table: str | None = None,
    params: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Callable[[Function], Function]:
    """Declare a source.

    With `source` and `table` it is a file, as in YAML, and the function is not called. Without
    them the function gives the data, as a transform's does. name: the function's name by default.
    fields: description, owner, tags, columns; and those of time, as for a transform.
    """
    return _declare(
        "source", {"name": name, "source": source, "table": table, "params": params, **fields}
    )


def transform(
    *,
    name: str | None = None,
    inputs: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Callable[[Function], Function]:
    """Declare a transform that the function computes.

    name: the function's name by default. inputs: ids of nodes, as `transform.orders`.
    fields: description, owner, tags, columns; retries, retry_delay and timeout; and for a node
    that is computed interval by interval schedule, timezone, start, end, incremental.
    """
    return _declare("transform", {"name": name, "inputs": inputs, "params": params, **fields})


def _declare(kind: str, fields: Mapping[str, Any]) -> Callable[[Function], Function]:
    given = {key: value for key, value in fields.items() if value is not None}

    def decorate(function: Function) -> Function:
        collected = _collected.get()
        if collected is not None:
            line = inspect.unwrap(function).__code__.co_firstlineno
            collected.append(Declared(kind, given, function, line))
        return function

    return decorate


def __getattr__(name: str) -> Callable[..., Any]:
    """Decorators of kinds that nothing here computes: such nodes are named as skipped."""
    if name not in OTHER_KINDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def decorator(**fields: Any) -> Callable[[Function], Function]:
        return _declare(name, fields)

    return decorator
