"""One connection to a database: transactions, threads, forks, and errors without secrets."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from seeknal.errors import StateError
from seeknal_state_db.address import Address, check_driver
from seeknal_state_db.schema import POSTGRESQL_SCHEMA
from seeknal_state_db.turns import Turn

BUSY_SECONDS = 60
"""How long a writer waits for another one."""

_DRIVERS = ("sqlalchemy", "sqlite3", "turso")
"""Whose errors are told as ours."""

_LOCK_KEY = 0x5EEC4A1
"""Of PostgreSQL's advisory lock: held shared by single writes, alone by transactions."""


class Database:
    """For several threads, one at a time. A forked child opens a connection of its own."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._thread = threading.RLock()
        self._connection: sa.Connection | None = None
        self._pid = 0
        self._inherited: list[sa.Connection] = []
        self._turn = self._turn_of(address)
        self.depth = 0

    @property
    def is_postgresql(self) -> bool:
        return self.address.driver.startswith("postgresql")

    @property
    def keeps_times_as_text(self) -> bool:
        return not self.is_postgresql

    @property
    def placeholder(self) -> str:
        """Of a parameter, in what is said to the driver itself."""
        return "%s" if self.is_postgresql else "?"

    @property
    def rows_a_statement(self) -> int:
        """How many rows to upsert by one statement, when there are many. SQLite takes a third less
        time for it; in PostgreSQL such a statement may not have a row twice."""
        return 1 if self.is_postgresql else 50

    @property
    def connection(self) -> sa.Connection:
        """The open connection. Inside `reading` or `writing` only."""
        assert self._connection is not None
        return self._connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A single statement, outside of a transaction or inside the one that is open."""
        with self._thread, self._told(), self._turn or nullcontext():
            connection = self._connected()
            if not self.depth:
                self._pull()
            yield connection

    @contextmanager
    def viewing(self) -> Iterator[sa.Connection]:
        """Several statements that read, and see what is stored as it was at one moment."""
        with self.reading() as connection:
            if self.depth:
                yield connection
                return
            isolation = " ISOLATION LEVEL REPEATABLE READ READ ONLY" if self.is_postgresql else ""
            connection.exec_driver_sql(f"BEGIN{isolation}")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise

    @contextmanager
    def writing(self, *, alone: bool = True) -> Iterator[sa.Connection]:
        """A transaction, or a part of the one that is open.

        alone: no other one writes meanwhile. Where databases allow it, writes that are not alone
        go on beside each other.
        """
        with self._thread, self._told(), self._turn or nullcontext():
            connection = self._connected()
            if self.depth:
                yield connection
                return
            self._pull()
            self._begin(connection, alone)
            self.depth = 1
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
                self._push()
            except BaseException:
                self._roll_back(connection)
                raise
            finally:
                self.depth = 0

    def now(self) -> datetime:
        """By the clock that all who use this database share."""
        if not self.is_postgresql:
            return datetime.now(UTC)
        with self.reading() as connection:
            moment: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        return moment.astimezone(UTC)

    def close(self) -> None:
        with self._thread:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
                self._connection.engine.dispose()
            self._connection = None
            if self._turn:
                self._turn.close()

    # --- Connecting -------------------------------------------------------------------------

    @staticmethod
    def _turn_of(address: Address) -> Turn | None:
        """Turso (0.8) shares a file between processes as an experiment, and panics when one begins
        to write on what another has written meanwhile. It does not share a replica at all."""
        if not address.is_turso:
            return None
        return Turn(str(address.url.database), kept=address.is_replica)

    def _connected(self) -> sa.Connection:
        if self._connection is not None and self._pid != os.getpid():
            # Closing it here would close it for the parent: it is kept, and not used.
            self._inherited.append(self._connection)
            self._connection, self.depth = None, 0
        if self._connection is not None and (
            self._connection.invalidated or self._connection.closed
        ):
            self._connection = None
        if self._connection is None:
            self._connection = self._connect()
            self._pid = os.getpid()
        return self._connection

    def _connect(self) -> sa.Connection:
        check_driver(self.address)
        url = self.address.url
        if url.database and not self.is_postgresql:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {}
        if self.address.driver == "sqlite+pysqlite":
            options = {"timeout": BUSY_SECONDS, "check_same_thread": False}
        elif self.is_postgresql:
            options = {"connect_timeout": 10, "application_name": "seeknal"}
        else:
            # Its files are shared by several processes only if each of them says so.
            options = {"isolation_level": None, "experimental_features": "multiprocess_wal"}
        if self.address.token:
            options["auth_token"] = self.address.token
        engine = sa.create_engine(
            url,
            poolclass=sa.NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args=options,
            hide_parameters=True,
            paramstyle="format" if self.is_postgresql else "qmark",
        )
        connection = engine.connect()
        for statement in self._settings():
            connection.exec_driver_sql(statement)
        return connection

    def _settings(self) -> list[str]:
        if self.is_postgresql:
            return [
                "SET TIME ZONE 'UTC'",
                f"SET search_path TO {POSTGRESQL_SCHEMA}",
                f"SET lock_timeout TO '{BUSY_SECONDS}s'",
            ]
        return [
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
            f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",
        ]

    # --- Transactions -----------------------------------------------------------------------

    def _begin(self, connection: sa.Connection, alone: bool) -> None:
        if not self.is_postgresql:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        connection.exec_driver_sql("BEGIN")
        lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        connection.exec_driver_sql(f"SELECT {lock}({_LOCK_KEY})")

    def _roll_back(self, connection: sa.Connection) -> None:
        try:
            connection.exec_driver_sql("ROLLBACK")
        except sa.exc.DBAPIError:
            connection.invalidate()  # it ends with its connection

    # --- A replica of a remote database -----------------------------------------------------

    def _pull(self) -> None:
        """Bring what others have pushed."""
        if self.address.is_replica:
            _synced(self.connection).pull()

    def _push(self) -> None:
        """Bring what was committed here to where others see it."""
        if self.address.is_replica:
            try:
                _synced(self.connection).push()
            except Exception as error:
                told = self.address.masked(str(error))
                raise StateError(
                    f"{self.address.name}: {told}. It is stored in the replica, and is sent with "
                    "what is written next."
                ) from None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the database as ours, without secrets, and without a chain that has them."""
        try:
            yield
        except BlockingIOError:
            raise StateError(
                f"{self.address.name}: another process has this replica open. Give each process "
                "one of its own: another path in its url."
            ) from None
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in _DRIVERS:
                raise
            text = str(getattr(error, "orig", None) or error).strip()
            told = self.address.masked(text)
            raise StateError(f"{self.address.name}: {told}") from (error if told == text else None)


def _synced(connection: sa.Connection) -> Any:
    from turso.sqlalchemy import get_sync_connection

    return get_sync_connection(connection)  # type: ignore[no-untyped-call]
