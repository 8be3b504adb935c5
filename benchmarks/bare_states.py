"""What keeping node states comes to without Seeknal: the same upserts through sqlite3, and the
same texts in files."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

FIELDS = ("status", "snapshot", "started_at", "finished_at", "seconds", "rows", "bytes", "error")
COLUMNS = ("run_id", "node_id", *FIELDS)
UPSERT = (
    f"INSERT INTO node_states ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    "ON CONFLICT (run_id, node_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in FIELDS)
)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM node_states WHERE run_id = ? ORDER BY node_id"

Row = tuple[Any, ...]
Texts = Mapping[str, bytes]
"""Names of files, and what is in them."""


# --- Rows in SQLite -----------------------------------------------------------------------------


def rows(run_id: str, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[Row]:
    """As the table holds them."""
    for node_id, fields in calls:
        status, snapshot, started_at, finished_at, *others = fields.values()
        started, finished = started_at.isoformat(), finished_at.isoformat()
        yield (run_id, node_id, status, snapshot, started, finished, *others)


@contextmanager
def connected(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a database that has the tables already."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


def upsert_each(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    for row in rows:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(UPSERT, row)
        connection.execute("COMMIT")


def upsert_together(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for row in rows:
        connection.execute(UPSERT, row)
    connection.execute("COMMIT")


def select(connection: sqlite3.Connection, run_id: str) -> Sequence[Row]:
    return connection.execute(SELECT, (run_id,)).fetchall()


def select_with_times(connection: sqlite3.Connection, run_id: str) -> Sequence[Row]:
    of_text = datetime.fromisoformat
    return [
        (*row[:4], of_text(row[4]), of_text(row[5]), *row[6:]) for row in select(connection, run_id)
    ]


# --- Texts in files -----------------------------------------------------------------------------


def write_each(folder: str, texts: Texts) -> None:
    """Each file is on disk before the next one is begun."""
    directory = os.open(folder, os.O_RDONLY)
    for name, content in texts.items():
        _replace(folder, name, content, durably=True)
        os.fsync(directory)
    os.close(directory)


def write_together(folder: str, texts: Texts) -> None:
    """A journal is on disk before the files are written, which are not brought there."""
    _replace(folder, ".journal", b"".join(texts.values()), durably=True)
    for name, content in texts.items():
        _replace(folder, name, content, durably=False)


def _replace(folder: str, name: str, content: bytes, *, durably: bool) -> None:
    beside = f"{folder}/.writing"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.write(descriptor, content)
    if durably:
        os.fsync(descriptor)
    os.close(descriptor)
    os.rename(beside, f"{folder}/{name}")


def read_all(folder: str) -> list[dict[str, Any]]:
    found = []
    for name in os.listdir(folder):
        with open(f"{folder}/{name}", "rb") as file:
            found.append(json.loads(file.read()))
    return found
