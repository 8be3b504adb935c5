"""Runs, node states, intervals and environments as rows of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from threading import get_ident
from typing import Any, cast

import sqlalchemy as sa

from seeknal.state import refusals
from seeknal.state.fields import time_text
from seeknal.state.intervals import Interval, Part, added, merged, removed
from seeknal.state.locks import LEASE_MS, Lock, acquire, lock_on, this_process
from seeknal.state.records import (
    CompletedIntervals,
    Environment,
    Holding,
    LockInfo,
    NodeState,
    Record,
    Revision,
    Run,
    check_id,
)
from seeknal_state_db import address, schema
from seeknal_state_db import statements as sql
from seeknal_state_db.database import Database
from seeknal_state_db.rows import (
    ENVIRONMENT,
    TIMES,
    environments_of,
    ledger_key,
    parts_in,
    pointers_of,
    states_of_texts,
    values_of,
)

QUEUE = 10_000
"""Values of node states that a transaction collects before it writes them."""


class DatabaseBackend:
    """db_path: a SQLite file. url: of any database instead, as SQLAlchemy writes them; without it,
    what the environment's SEEKNAL_STATE_URL says. token: for a remote Turso; without it,
    TURSO_AUTH_TOKEN.

    Several threads and processes may use it, and for PostgreSQL several machines.
    """

    def __init__(
        self,
        db_path: Path = Path("target/state.db"),
        url: str | None = None,
        token: str | None = None,
    ) -> None:
        self._db = Database(address.find(Path(db_path), url, token))
        self._owner: int | None = None
        """The thread whose transaction is open."""
        self._failed = False
        self._fences: dict[str, int] = {}
        self._known_runs: set[str] = set()
        self._queue: list[Any] = []
        """Values of node states, those of one after those of the other."""
        self._queued: tuple[str, ...] = ()
        """The fields that each of them sets."""
        self._texts: dict[sa.ClauseElement, str] = {}

    def __repr__(self) -> str:
        return f"DatabaseBackend({self._db.address.name!r})"

    def initialize(self) -> None:
        with self._db.reading() as connection:
            if schema.version_of(connection) == len(schema.STEPS):
                return
        with self._writing() as connection:
            schema.upgrade(connection)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._writing():
            try:
                yield
            except BaseException:
                self._failed = True
                raise
            if self._failed:
                raise refusals.transaction_failed()

    @contextmanager
    def _writing(self, *, alone: bool = True) -> Iterator[sa.Connection]:
        with self._db.writing(alone=alone) as connection:
            if self._owner:
                yield connection
                return
            self._owner, self._failed = get_ident(), False
            self._known_runs.clear()
            self._queue.clear()
            try:
                yield connection
                self._flush(connection)
            finally:
                self._owner = None

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._db.reading() as connection:
            if self._owner:
                self._flush(connection)
            yield connection

    # --- Runs -------------------------------------------------------------------------------

    def create_run(self, run_id: str, **fields: Any) -> None:
        run = Run(check_id(run_id, "a run")).with_fields(fields)
        with self._writing(alone=False) as connection:
            self._check_fence(run_id)
            insert = sql.insert_if_absent(self._dialect, "runs")
            if not connection.execute(insert, values_of(run)).rowcount:
                raise refusals.run_exists(run_id)

    def update_run(self, run_id: str, **fields: Any) -> None:
        changes = Run.checked(fields)
        with self._writing(alone=False) as connection:
            self._begin_on(run_id)
            if changes:
                update = sql.update_run(tuple(changes))
                connection.execute(update, {**changes, "_run_id": run_id})

    def get_run(self, run_id: str) -> Run | None:
        with self._reading() as connection:
            row = connection.execute(sql.get_run, {"_run_id": run_id}).one_or_none()
        return Run(**row._mapping) if row else None

    def list_runs(
        self,
        *,
        environment: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Run]:
        runs = schema.runs
        query = sa.select(runs).order_by(runs.c.started_at.desc(), runs.c.run_id.desc())
        for column, value in ((runs.c.environment, environment), (runs.c.status, status)):
            if value is not None:
                query = query.where(column == value)
        query = query.limit(limit if limit is not None else 2**31).offset(offset)
        with self._reading() as connection:
            return [Run(**row._mapping) for row in connection.execute(query)]

    def delete_run(self, run_id: str) -> None:
        with self._writing(), self._reading() as connection:
            self._check_fence(run_id)
            connection.execute(sql.delete_states, {"_run_id": run_id})
            connection.execute(sql.delete_run, {"_run_id": run_id})
            connection.execute(sql.delete_lock, {"_name": run_id})
            self._known_runs.discard(run_id)

    # --- Node states ------------------------------------------------------------------------

    def set_node_state(self, run_id: str, node_id: str, **fields: Any) -> None:
        changes = NodeState.checked(fields)
        check_id(node_id, "a node")
        if self._owner == get_ident():
            self._enqueue(run_id, node_id, changes)
            return
        with self._writing(alone=False):
            self._enqueue(run_id, node_id, changes)

    def get_node_state(self, run_id: str, node_id: str) -> NodeState | None:
        with self._reading() as connection:
            row = connection.execute(
                sql.get_state, {"_run_id": run_id, "_node_id": node_id}
            ).one_or_none()
        return NodeState(**row._mapping) if row else None

    def list_node_states(self, run_id: str) -> list[NodeState]:
        with self._reading() as connection:
            text = self._text(connection, sql.list_states)
            with connection.exec_driver_sql(text, (run_id,)) as found:
                if self._db.keeps_times_as_text:
                    # The driver's rows: SQLAlchemy's own take a tenth of the time.
                    return states_of_texts(cast("Iterable[Sequence[Any]]", found.cursor))
                return [NodeState.of_row(row) for row in found]

    def _enqueue(self, run_id: str, node_id: str, changes: Mapping[str, Any]) -> None:
        """Write a node state with those that come after it, if they set the same fields."""
        if run_id not in self._known_runs:
            self._begin_on(run_id)
        names = tuple(changes)
        if names != self._queued or len(self._queue) >= QUEUE:
            self._flush(self._db.connection)
            self._queued = names
        self._queue += run_id, node_id
        self._queue += changes.values()

    def _flush(self, connection: sa.Connection) -> None:
        if not self._queue:
            return
        values = self._queue.copy()
        names = ("run_id", "node_id", *self._queued)
        width = len(names)
        if self._db.keeps_times_as_text:
            for place, name in enumerate(names):
                if name in TIMES:
                    times = values[place::width]
                    values[place::width] = [time and time_text(time) for time in times]
        at_once = width * self._db.rows_a_statement
        full = len(values) - len(values) % at_once
        for some, step in ((values[:full], at_once), (values[full:], width)):
            if some:
                upsert = sql.upsert_states(self._queued, step // width, self._db.placeholder)
                rows = [tuple(some[n : n + step]) for n in range(0, len(some), step)]
                connection.exec_driver_sql(upsert, rows)
        self._queue = []

    def _text(self, connection: sa.Connection, statement: sa.ClauseElement) -> str:
        """A statement for the driver itself: for what is said ten thousand times."""
        text = self._texts.get(statement)
        if text is None:
            text = self._texts[statement] = str(statement.compile(dialect=connection.dialect))
        return text

    # --- Intervals --------------------------------------------------------------------------

    def add_completed_interval(
        self,
        run_id: str,
        node_id: str,
        start: date | str,
        end: date | str,
        *,
        snapshot: str | None = None,
        part: str = "",
    ) -> None:
        interval = Interval.between(start, end)
        check_id(node_id, "a node")
        with self._writing(), self._reading() as connection:
            self._begin_on(run_id)
            if snapshot is None:
                key = {"_run_id": run_id, "_node_id": node_id}
                snapshot = connection.execute(sql.get_snapshot, key).scalar_one_or_none()
            self._change_ledger(
                connection,
                ledger_key(node_id, snapshot),
                interval,
                lambda parts: added(parts, Part(*interval, part)),
            )

    def remove_intervals(
        self, node_id: str, snapshot: str | None, start: date | str, end: date | str
    ) -> None:
        interval = Interval.between(start, end)
        with self._writing() as connection:
            self._change_ledger(
                connection,
                ledger_key(node_id, snapshot),
                interval,
                lambda parts: removed(parts, interval),
            )

    def get_completed_intervals(self, node_id: str, snapshot: str | None) -> list[Interval]:
        return merged(self.get_parts(node_id, snapshot))

    def get_parts(self, node_id: str, snapshot: str | None) -> list[Part]:
        with self._reading() as connection:
            return parts_in(connection, sql.ledger, ledger_key(node_id, snapshot))

    def _change_ledger(
        self,
        connection: sa.Connection,
        key: dict[str, str],
        interval: Interval,
        change: Callable[[Sequence[Part]], list[Part]],
    ) -> None:
        """Read and write only the parts that an interval can touch."""
        ends = {"start": interval.start, "end": interval.end}
        before = parts_in(connection, sql.part_before, {**key, "start": interval.start})
        before += parts_in(connection, sql.parts_within, {**key, **ends})
        after = change(before)
        kept = {part.start for part in after}
        for gone in before:
            if gone.start not in kept:
                connection.execute(sql.delete_part, {**key, "_start_at": gone.start})
        for fresh in set(after) - set(before):
            self._put_part(connection, key, fresh)

    def _put_part(self, connection: sa.Connection, key: dict[str, str], part: Part) -> None:
        upsert = sql.upsert(self._dialect, "intervals", ("end_at", "part"))
        of_ledger = {"node_id": key["_node_id"], "snapshot": key["_snapshot"]}
        row = {"start_at": part.start, "end_at": part.end, "part": part.name}
        connection.execute(upsert, {**of_ledger, **row})

    def list_ledgers(self) -> list[tuple[str, str]]:
        with self._reading() as connection:
            return [(node_id, snapshot) for node_id, snapshot in connection.execute(sql.ledgers)]

    def add_holding(self, holding: Holding) -> None:
        ours = holding.normalized()
        for name in ours.key:
            check_id(name, "what a pointer shows")
        with self._writing() as connection:
            connection.execute(sql.upsert(self._dialect, "holdings", ("parts",)), values_of(ours))

    def get_holding(self, node_id: str, pointer: str) -> Holding | None:
        key = {"_node_id": node_id, "_pointer": pointer}
        with self._reading() as connection:
            row = connection.execute(sql.get_holding, key).one_or_none()
        return Holding(**row._mapping) if row else None

    def list_holdings(self) -> list[tuple[str, str]]:
        with self._reading() as connection:
            return [(node_id, pointer) for node_id, pointer in connection.execute(sql.holding_keys)]

    def delete_holding(self, node_id: str, pointer: str) -> None:
        with self._writing() as connection:
            connection.execute(sql.delete_holding, {"_node_id": node_id, "_pointer": pointer})

    # --- Environments -----------------------------------------------------------------------

    def get_environment(self, name: str) -> Environment | None:
        with self._db.viewing() as connection:
            rows = connection.execute(sql.get_environment, {"_name": name}).all()
            pointers = connection.execute(sql.get_pointers, {"_environment": name}).all()
        return next(environments_of(rows, pointers), None)

    def list_environments(self) -> list[Environment]:
        with self._db.viewing() as connection:
            rows = connection.execute(sql.list_environments).all()
            pointers = connection.execute(sql.list_pointers).all()
        return list(environments_of(rows, pointers))

    def save_environment(self, environment: Environment) -> Environment:
        check_id(environment.name, "an environment")
        ours = environment.normalized()
        saved = replace(ours, version=ours.version + 1)
        with self._writing() as connection:
            stored = self._unmoved(ours, absent_is_fine=ours.version == 0)
            self._put_environment(connection, saved, stored)
        return saved

    def delete_environment(self, environment: Environment) -> None:
        with self._writing() as connection:
            self._unmoved(environment.normalized(), absent_is_fine=True)
            for delete in (sql.delete_pointers, sql.delete_all_revisions):
                connection.execute(delete, {"_environment": environment.name})
            connection.execute(sql.delete_environment, {"_name": environment.name})

    def add_revision(self, revision: Revision) -> None:
        ours = revision.normalized()
        with self._writing() as connection:
            self._check_fence(lock_on(ours.environment))
            if not connection.execute(sql.environment_exists, {"_name": ours.environment}).first():
                raise refusals.no_environment(ours.environment)
            insert = sql.insert_if_absent(self._dialect, "revisions")
            if not connection.execute(insert, values_of(ours)).rowcount:
                raise refusals.revision_exists(ours)

    def list_revisions(self, environment: str) -> list[Revision]:
        with self._reading() as connection:
            rows = connection.execute(sql.list_revisions, {"_environment": environment})
            return [Revision(**row._mapping) for row in rows]

    def delete_revisions(self, environment: str, until: int) -> None:
        with self._writing() as connection:
            self._check_fence(lock_on(environment))
            connection.execute(sql.delete_revisions, {"_environment": environment, "until": until})

    def _unmoved(self, ours: Environment, *, absent_is_fine: bool) -> Environment | None:
        """What is stored, which must be what was read: two by one name may have one version."""
        self._check_fence(lock_on(ours.name))
        stored = self.get_environment(ours.name)
        if stored is None:
            moved = not absent_is_fine
        else:
            moved = (stored.version, stored.created_at) != (ours.version, ours.created_at)
        if moved:
            raise refusals.environment_moved(ours, stored)
        return stored

    def _put_environment(
        self, connection: sa.Connection, saved: Environment, stored: Environment | None
    ) -> None:
        """Write an environment, and of its pointers those that differ."""
        row = {name: getattr(saved, name) for name in ("name", *ENVIRONMENT)}
        connection.execute(sql.upsert(self._dialect, "environments", ENVIRONMENT), row)
        before, after = pointers_of(stored), pointers_of(saved)
        gone = [
            {"_environment": saved.name, "_node_id": node_id} for node_id in before.keys() - after
        ]
        fresh = [
            {"environment": saved.name, "node_id": node_id, **kept}
            for node_id, kept in after.items()
            if before.get(node_id) != kept
        ]
        if gone:
            connection.execute(sql.delete_pointer, gone)
        if fresh:
            upsert = sql.upsert(self._dialect, "pointers", tuple(sql.OF_POINTERS.values()))
            connection.execute(upsert, fresh)

    # --- Locks ------------------------------------------------------------------------------

    def acquire_lock(
        self, run_id: str, timeout_ms: float, *, lease_ms: int = LEASE_MS
    ) -> Lock | None:
        check_id(run_id, "a lock")
        with self._db.reading():
            if self._owner:
                raise refusals.lock_in_transaction()
        return acquire(lambda: self._try_lock(run_id, lease_ms), timeout_ms)

    def get_lock(self, run_id: str) -> LockInfo | None:
        found = self._stored_lock(run_id)
        return found if found and found.expires_at > self._db.now() else None

    def fence(self, run_id: str, token: int) -> None:
        self._fences[run_id] = token

    def _try_lock(self, name: str, lease_ms: int) -> Lock | None:
        if self.get_lock(name):
            return None
        with self._writing() as connection:
            if self.get_lock(name):
                return None
            connection.execute(sql.raise_token)
            token: int = connection.execute(sql.last_token).scalar_one()
            names = ("holder", "token", "expires_at")
            lease = {"expires_at": self._db.now() + timedelta(milliseconds=lease_ms)}
            connection.execute(
                sql.upsert(self._dialect, "locks", names),
                {"name": name, "holder": this_process(), "token": token, **lease},
            )
        self.fence(name, token)
        return Lock(
            name,
            token,
            lease_ms,
            renew=lambda: self._renew(name, token, lease_ms),
            release=lambda: self._release(name, token),
        )

    def _renew(self, name: str, token: int, lease_ms: int) -> bool:
        with self._writing() as connection:
            expires_at = self._db.now() + timedelta(milliseconds=lease_ms)
            row = {"_name": name, "_token": token, "expires_at": expires_at}
            return bool(connection.execute(sql.renew_lock, row).rowcount)

    def _release(self, name: str, token: int) -> None:
        with self._writing() as connection:
            connection.execute(sql.release_lock, {"_name": name, "_token": token})
        if self._fences.get(name) == token:
            del self._fences[name]

    def _stored_lock(self, name: str) -> LockInfo | None:
        with self._reading() as connection:
            row = connection.execute(sql.get_lock, {"_name": name}).one_or_none()
        return LockInfo(**row._mapping) if row else None

    def _check_fence(self, name: str) -> None:
        token = self._fences.get(name)
        if token is not None:
            held = self._stored_lock(name)
            if held is None or held.token != token:
                raise refusals.lock_lost(name, held)

    # --- All of it --------------------------------------------------------------------------

    def records(self) -> Iterator[Record]:
        for run in self.list_runs():
            yield run
            yield from self.list_node_states(run.run_id)
        for environment in self.list_environments():
            yield environment
            yield from self.list_revisions(environment.name)
        for node_id, snapshot in self.list_ledgers():
            yield CompletedIntervals(node_id, snapshot, tuple(self.get_parts(node_id, snapshot)))
        with self._reading() as connection:
            rows = connection.execute(sql.list_holdings).all()
        yield from (Holding(**row._mapping) for row in rows)

    def restore(self, records: Iterable[Record]) -> None:
        with self._writing() as connection:
            for record in records:
                values = values_of(record)
                if isinstance(record, NodeState):
                    self._enqueue(values.pop("run_id"), values.pop("node_id"), values)
                elif isinstance(record, Run):
                    names = tuple(name for name in values if name != "run_id")
                    connection.execute(sql.upsert(self._dialect, "runs", names), values)
                elif isinstance(record, Environment):
                    self._put_environment(connection, record, self.get_environment(record.name))
                elif isinstance(record, Revision):
                    names = tuple(n for n in values if n not in record.keys)
                    connection.execute(sql.upsert(self._dialect, "revisions", names), values)
                elif isinstance(record, Holding):
                    self.add_holding(record)
                elif isinstance(record, CompletedIntervals):
                    key = ledger_key(record.node_id, record.snapshot)
                    connection.execute(sql.delete_ledger, key)
                    for part in record.parts:
                        self._put_part(connection, key, part)

    # --- Rows -------------------------------------------------------------------------------

    @property
    def _dialect(self) -> str:
        return self._db.connection.dialect.name

    def _begin_on(self, run_id: str) -> None:
        """Make sure that there is such a run, and that it may be written."""
        self._check_fence(run_id)
        if run_id not in self._known_runs:
            found = self._db.connection.execute(sql.run_exists, {"_run_id": run_id}).first()
            if found is None:
                raise refusals.no_run(run_id)
            self._known_runs.add(run_id)
