"""Rows of the tables as records, and records as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, groupby
from typing import Any

import sqlalchemy as sa

from seeknal.state.intervals import Part
from seeknal.state.records import Environment, NodeState, Record
from seeknal_state_db import schema
from seeknal_state_db import statements as sql


def values_of(record: Record) -> dict[str, Any]:
    return dict(vars(record))


TIMES = {c.name for c in schema.node_states.c if isinstance(c.type, schema.UtcTime)}


def states_of_texts(rows: Iterable[Sequence[Any]]) -> list[NodeState]:
    """Rows of node states, with their texts made times. Field by field, and past the constructor:
    that takes two thirds of the time."""
    states = []
    time_of = datetime.fromisoformat
    for run_id, node_id, status, snapshot, start, end, seconds, count, size, error, tasks in rows:
        state = object.__new__(NodeState)
        state.__dict__.update(
            run_id=run_id,
            node_id=node_id,
            status=status,
            snapshot=snapshot,
            started_at=start and time_of(start),
            finished_at=end and time_of(end),
            seconds=seconds,
            rows=count,
            bytes=size,
            error=error,
            tasks=tasks,
        )
        states.append(state)
    return states


def ledger_key(node_id: str, snapshot: str | None) -> dict[str, str]:
    return {"_node_id": node_id, "_snapshot": snapshot or ""}


def parts_in(
    connection: sa.Connection, statement: sa.Executable, parameters: dict[str, Any]
) -> list[Part]:
    return [Part(*row) for row in connection.execute(statement, parameters)]


def pointers_of(environment: Environment | None) -> dict[str, dict[str, str | None]]:
    """What is kept of each node, by column."""
    if environment is None:
        return {}
    kept = {column: getattr(environment, name) for name, column in sql.OF_POINTERS.items()}
    node_ids = dict.fromkeys(chain.from_iterable(kept.values()))
    return {i: {column: values.get(i) for column, values in kept.items()} for i in node_ids}


ENVIRONMENT = tuple(column.name for column in schema.environments.c if not column.primary_key)
"""Columns of an environment besides its name: fields of the record."""


def environments_of(
    rows: Iterable[sa.Row[Any]], of_pointers: Iterable[sa.Row[Any]]
) -> Iterator[Environment]:
    """From rows of environments, and those of their pointers, sorted by environment."""
    grouped = {name: list(group) for name, group in groupby(of_pointers, key=lambda row: row[0])}
    for row in rows:
        kept: dict[str, Any] = {
            field: {
                p.node_id: v
                for p in grouped.get(row.name, ())
                if (v := getattr(p, column)) is not None
            }
            for field, column in sql.OF_POINTERS.items()
        }
        yield Environment(**row._mapping, **kept)
