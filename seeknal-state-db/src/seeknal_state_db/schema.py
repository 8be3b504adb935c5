"""The tables, and the versions of them that there have been."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from seeknal.errors import StateError
from seeknal.state.fields import time_text

POSTGRESQL_SCHEMA = "seeknal"


class UtcTime(sa.TypeDecorator[datetime]):
    """A moment: TIMESTAMP WITH TIME ZONE, or ISO 8601 text in UTC where there is no such type."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return time_text(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return value.astimezone(UTC) if isinstance(value, datetime) else None


Name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that is sorted by its characters' numbers, as Python does."""
Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

tables = sa.MetaData()


def _of_run() -> sa.ForeignKey:
    return sa.ForeignKey("runs.run_id", ondelete="CASCADE")


def _of_environment() -> sa.ForeignKey:
    return sa.ForeignKey("environments.name", ondelete="CASCADE")


runs = sa.Table(
    "runs",
    tables,
    sa.Column("run_id", Name, primary_key=True),
    sa.Column("environment", Name, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Column("counts", Json, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("pins", Json, comment="snapshots that must stay"),
    sa.Index("runs_by_time", "started_at", "run_id"),
    sa.Index("runs_by_environment", "environment", "started_at"),
    sa.Index("runs_by_status", "status", "started_at"),
)

node_states = sa.Table(
    "node_states",
    tables,
    sa.Column("run_id", Name, _of_run(), primary_key=True),
    sa.Column("node_id", Name, primary_key=True),
    sa.Column("status", sa.Text, nullable=False, server_default="running"),
    sa.Column("snapshot", sa.Text),
    sa.Column("started_at", UtcTime),
    sa.Column("finished_at", UtcTime),
    sa.Column("seconds", sa.Double),
    sa.Column("rows", sa.BigInteger),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("error", sa.Text),
    sa.Column("tasks", sa.BigInteger),
    sa.Index("node_states_by_node", "node_id", "finished_at"),
)

intervals = sa.Table(
    "intervals",
    tables,
    sa.Column("node_id", Name, primary_key=True),
    sa.Column("snapshot", Name, primary_key=True),
    sa.Column("start_at", UtcTime, primary_key=True),
    sa.Column("end_at", UtcTime, nullable=False),
    sa.Column("part", sa.Text, nullable=False, comment="what holds this time"),
)

holdings = sa.Table(
    "holdings",
    tables,
    sa.Column("node_id", Name, primary_key=True),
    sa.Column("pointer", Name, primary_key=True),
    sa.Column("parts", sa.Text, nullable=False, comment="what the pointer shows"),
)

environments = sa.Table(
    "environments",
    tables,
    sa.Column("name", Name, primary_key=True),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False, server_default="applied"),
    sa.Column("ttl_hours", sa.Double, comment="after its last use"),
    sa.Column("plan", sa.Text, comment="the last that was made for it, as JSON"),
    sa.Column("used_at", UtcTime),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
)

revisions = sa.Table(
    "revisions",
    tables,
    sa.Column("environment", Name, _of_environment(), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("made_at", UtcTime, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False, comment="what was there of each node, as JSON"),
)

pointers = sa.Table(
    "pointers",
    tables,
    sa.Column("environment", Name, _of_environment(), primary_key=True),
    sa.Column("node_id", Name, primary_key=True),
    sa.Column("snapshot", sa.Text, comment="what is read"),
    sa.Column("refreshed", sa.Text, comment="the run that was asked to compute it anew"),
    sa.Column("definition", sa.Text, comment="what the node was when this was right, as JSON"),
    sa.Column("address", sa.Text, comment="which snapshot this stands for, if not for itself"),
)

locks = sa.Table(
    "locks",
    tables,
    sa.Column("name", Name, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
)

tokens = sa.Table(
    "tokens",
    tables,
    sa.Column("of", sa.Text, primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False),
)

version = sa.Table(
    "schema_version",
    tables,
    sa.Column("of", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)


def _create(connection: sa.Connection) -> None:
    own = schema_of(connection.dialect)
    if own:
        connection.execute(sa.schema.CreateSchema(own, if_not_exists=True))
    tables.create_all(connection, checkfirst=False)
    connection.execute(tokens.insert().values(of="locks", last=0))
    connection.execute(version.insert().values(of="seeknal", version=0))


def _add_what_pointers_stand_for(connection: sa.Connection) -> None:
    _add_columns(connection, pointers, "definition", "address")


def _add_what_environments_were(connection: sa.Connection) -> None:
    names = ("status", "ttl_hours", "plan", "used_at", "revision")
    _add_columns(connection, environments, *names)
    connection.execute(environments.update().values(used_at=environments.c.updated_at))
    _add_columns(connection, runs, "pins")
    _add_columns(connection, node_states, "tasks")
    revisions.create(connection, checkfirst=True)


def _add_what_pointers_show(connection: sa.Connection) -> None:
    holdings.create(connection, checkfirst=True)


def _add_columns(connection: sa.Connection, table: sa.Table, *names: str) -> None:
    """Those that are not there yet: a table that was just made has them."""
    dialect = connection.dialect
    own = schema_of(dialect)
    there = {c["name"] for c in sa.inspect(connection).get_columns(table.name, schema=own)}
    where = f"{own}.{table.name}" if own else table.name
    for name in names:
        if name not in there:
            column = sa.schema.CreateColumn(table.c[name]).compile(dialect=dialect)
            connection.execute(sa.text(f"ALTER TABLE {where} ADD COLUMN {column}"))


STEPS: Sequence[Callable[[sa.Connection], None]] = (
    _create,
    _add_what_pointers_stand_for,
    _add_what_environments_were,
    _add_what_pointers_show,
)
"""Each brings the tables from the version that is its index to the next one."""


def schema_of(dialect: sa.Dialect) -> str | None:
    """Where databases have schemas, the tables are in one of their own."""
    return POSTGRESQL_SCHEMA if dialect.name == "postgresql" else None


def version_of(connection: sa.Connection) -> int:
    """0 where there are no tables yet."""
    if not sa.inspect(connection).has_table(version.name, schema=schema_of(connection.dialect)):
        return 0
    found: int = connection.execute(sa.select(version.c.version)).scalar_one()
    return found


def upgrade(connection: sa.Connection) -> None:
    """Bring the tables to the newest version, in the transaction that is open.

    Raises StateError when a newer Seeknal made them.
    """
    found = version_of(connection)
    if found > len(STEPS):
        raise StateError(
            f"This state was written by a newer Seeknal: its tables have version {found}, and this "
            f"one knows up to {len(STEPS)}. Install the newer seeknal-state-db here too: it was "
            "left as it is."
        )
    for step in STEPS[found:]:
        step(connection)
    if found < len(STEPS):
        connection.execute(version.update().values(version=len(STEPS)))
