"""What is said to the database, built once: SQLAlchemy takes longer to build than to execute."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from seeknal_state_db.schema import (
    environments,
    holdings,
    intervals,
    locks,
    node_states,
    pointers,
    revisions,
    runs,
    tokens,
)

P = sa.bindparam

TABLES = {
    table.name: table
    for table in (
        runs,
        node_states,
        intervals,
        holdings,
        environments,
        pointers,
        revisions,
        locks,
    )
}

OF_POINTERS = {
    "pointers": "snapshot",
    "refreshed": "refreshed",
    "definitions": "definition",
    "addresses": "address",
}
"""What is kept of each node in an environment: fields of one, and the columns that hold them."""


def equal(*columns: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Each column is the parameter by its name, with an underscore before it."""
    return sa.and_(*(column == P(f"_{column.name}") for column in columns))


@cache
def insert_if_absent(dialect: str, table: str) -> Any:
    """Its rowcount tells whether the row was inserted."""
    insert = _insert(dialect, table).on_conflict_do_nothing()
    return insert.execution_options(preserve_rowcount=True)


@cache
def upsert(dialect: str, table: str, names: tuple[str, ...]) -> Any:
    """Insert a row of the keys and the columns `names`, or set these of the row there is."""
    keys = [column.name for column in TABLES[table].primary_key]
    insert = _insert(dialect, table).values({name: P(name) for name in [*keys, *names]})
    if not names:
        return insert.on_conflict_do_nothing()
    return insert.on_conflict_do_update(
        index_elements=keys, set_={name: insert.excluded[name] for name in names}
    )


@cache
def upsert_states(names: tuple[str, ...], rows: int, placeholder: str) -> str:
    """For the driver itself: what `upsert` says of node states, of several rows at once, with the
    run, the node and the columns `names` in this order."""
    columns = ", ".join(f'"{name}"' for name in ("run_id", "node_id", *names))
    row = f"({', '.join([placeholder] * (len(names) + 2))})"
    update = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
    return (
        f"INSERT INTO node_states ({columns}) VALUES {', '.join([row] * rows)} "
        f"ON CONFLICT (run_id, node_id) DO {f'UPDATE SET {update}' if update else 'NOTHING'}"
    )


def _insert(dialect: str, table: str) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(TABLES[table])


@cache
def update_run(names: tuple[str, ...]) -> sa.Update:
    return runs.update().where(equal(runs.c.run_id)).values({name: P(name) for name in names})


get_run = sa.select(runs).where(equal(runs.c.run_id))
run_exists = sa.select(sa.literal(1)).where(equal(runs.c.run_id)).select_from(runs)
delete_run = runs.delete().where(equal(runs.c.run_id))
delete_states = node_states.delete().where(equal(node_states.c.run_id))

get_state = sa.select(node_states).where(equal(node_states.c.run_id, node_states.c.node_id))
get_snapshot = sa.select(node_states.c.snapshot).where(
    equal(node_states.c.run_id, node_states.c.node_id)
)
list_states = (
    sa.select(node_states).where(equal(node_states.c.run_id)).order_by(node_states.c.node_id)
)

_of_ledger = equal(intervals.c.node_id, intervals.c.snapshot)
_part = sa.select(intervals.c.start_at, intervals.c.end_at, intervals.c.part)
ledger = _part.where(_of_ledger).order_by(intervals.c.start_at)
part_before = (
    _part.where(_of_ledger, intervals.c.start_at < P("start"))
    .order_by(intervals.c.start_at.desc())
    .limit(1)
)
parts_within = _part.where(
    _of_ledger, intervals.c.start_at >= P("start"), intervals.c.start_at <= P("end")
).order_by(intervals.c.start_at)
ledgers = (
    sa.select(intervals.c.node_id, intervals.c.snapshot)
    .distinct()
    .order_by(intervals.c.node_id, intervals.c.snapshot)
)
delete_part = intervals.delete().where(_of_ledger, equal(intervals.c.start_at))
delete_ledger = intervals.delete().where(_of_ledger)

_of_pointer = equal(holdings.c.node_id, holdings.c.pointer)
get_holding = sa.select(holdings).where(_of_pointer)
list_holdings = sa.select(holdings).order_by(holdings.c.node_id, holdings.c.pointer)
delete_holding = holdings.delete().where(_of_pointer)
holding_keys = list_holdings.with_only_columns(holdings.c.node_id, holdings.c.pointer)

list_environments = sa.select(environments).order_by(environments.c.name)
get_environment = list_environments.where(equal(environments.c.name))
list_pointers = sa.select(
    pointers.c.environment, pointers.c.node_id, *(pointers.c[n] for n in OF_POINTERS.values())
).order_by(pointers.c.environment, pointers.c.node_id)
get_pointers = list_pointers.where(equal(pointers.c.environment))
environment_exists = (
    sa.select(sa.literal(1)).where(equal(environments.c.name)).select_from(environments)
)
delete_environment = environments.delete().where(equal(environments.c.name))
delete_pointer = pointers.delete().where(equal(pointers.c.environment, pointers.c.node_id))
delete_pointers = pointers.delete().where(equal(pointers.c.environment))
list_revisions = (
    sa.select(revisions).where(equal(revisions.c.environment)).order_by(revisions.c.number.desc())
)
delete_all_revisions = revisions.delete().where(equal(revisions.c.environment))
delete_revisions = delete_all_revisions.where(revisions.c.number <= P("until"))

get_lock = sa.select(locks).where(equal(locks.c.name))
renew_lock = (
    locks.update().where(equal(locks.c.name, locks.c.token)).values(expires_at=P("expires_at"))
)
release_lock = locks.delete().where(equal(locks.c.name, locks.c.token))
delete_lock = locks.delete().where(equal(locks.c.name))
raise_token = tokens.update().values(last=tokens.c.last + 1)
last_token = sa.select(tokens.c.last)
