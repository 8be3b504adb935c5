"""The smallest engine that keeps the contract: for tests, and to begin one's own from."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from seeknal.dag.fingerprint import is_incremental
from seeknal.dag.manifest import Node
from seeknal.dag.sql_text import first_statement, mentions
from seeknal.errors import BuildError, Flaw, RequestError
from seeknal.hookspecs import Offer, hookimpl
from seeknal.project.source_files import files_of
from seeknal.project.timed import fill, sample
from seeknal.state.intervals import Interval
from seeknal.testing import row_tables
from seeknal.testing.row_tables import Table
from seeknal.workflow.engine import (
    Built,
    Comparison,
    Engine,
    Job,
    Rows,
    Snapshot,
    Stored,
    Workspace,
)
from seeknal.workflow.task import label

SUFFIX = ".json"
DATA_FILE = f"data{SUFFIX}"
STEPS = 1000
"""Of SQLite's machine, between two looks at whether a query is to end."""

_QUERY = re.compile(r"\s*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)
_WRONG = (sqlite3.Error, sqlite3.Warning)


class PythonContext(NamedTuple):
    """What a Python node is given. Its inputs come as lists of rows, and a row is a dictionary; so
    does its result."""

    params: Mapping[str, Any]
    interval: Interval | None
    ref: Callable[[str], list[dict[str, Any]]]


class SqliteEngine:
    """SQLite computes nodes in memory, and snapshots are JSON files in a local folder.

    SQLite has no type for times: a time column is text in ISO 8601. Sources are CSV files, and
    answers are exported as CSV and JSON.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._folder = Path(workspace.storage) / "snapshots"
        self._interrupted = False

    # --- Checking ---------------------------------------------------------------------------

    def check(self, node: Node) -> Sequence[Flaw]:
        form = node.config.get("source", "csv")
        if form != "csv":
            return [Flaw(f"there is no source format {form!r}: csv", key=("source",))]
        if "sql" not in node.config:
            return []
        sql = _bound(sample(node.config["sql"]), node.inputs)
        if not _QUERY.match(sql):
            return [Flaw("a node is one SELECT statement")]
        try:
            with closing(sqlite3.connect(":memory:")) as database:
                database.execute(f"EXPLAIN {sql}")
        except _WRONG as error:
            return [] if str(error).startswith("no such ") else [Flaw(str(error))]
        return []

    # --- Building ---------------------------------------------------------------------------

    def build(self, job: Job) -> Built:
        if self._interrupted:
            raise BuildError("interrupted")
        table, name = self._computed(job), DATA_FILE
        if job.interval:
            table = _within_interval(table, job.node, job.interval)
            digest = hashlib.sha256(json.dumps(table).encode()).hexdigest()[:16]
            name = f"{job.interval.start:%Y%m%dT%H%M%S}_{digest}{SUFFIX}"
        job.verify()
        path = self._folder / job.node.id / job.snapshot.id / name
        size = row_tables.write(path, table)
        return Built(
            len(table.rows), size, f"{job.snapshot.id}/{path.stem}" if job.interval else ""
        )

    def _computed(self, job: Job) -> Table:
        node, sql = job.node, job.node.config.get("sql", "")
        if job.function is not None:
            return self._called(job, job.function)
        if not sql:
            return row_tables.read_csv(files_of(self._root, node))
        if job.interval and node.incremental:
            sql = fill(sql, *job.interval, node.incremental.timezone)
        over = time.monotonic() + job.timeout if job.timeout else float("inf")
        try:
            return self._answer(_bound(sql, node.inputs), job.inputs, over)
        except _WRONG as error:
            late = f"it took longer than its timeout, {job.timeout} seconds"
            raise BuildError(late if time.monotonic() > over else str(error)) from error

    def _called(self, job: Job, function: Callable[..., Any]) -> Table:
        def ref(node_id: str) -> list[dict[str, Any]]:
            if node_id not in job.inputs:
                raise BuildError(f"ctx.ref({node_id!r}): that is no input of {job.node.id}")
            return self._table(job.inputs[node_id]).records

        rows = function(PythonContext(job.node.config.get("params", {}), job.interval, ref))
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BuildError(
                f"{job.node.config['function']}() should return a list of dictionaries"
            )
        columns = list(dict.fromkeys(name for row in rows for name in row))
        return Table(columns, [[row.get(name) for name in columns] for row in rows])

    def flush(self) -> None:
        """Whatever was built is durable already."""

    # --- Reading ----------------------------------------------------------------------------

    def query(self, sql: str, tables: Mapping[str, Snapshot]) -> Rows:
        try:
            answer = self._answer(first_statement(sql), tables)
        except (BuildError, *_WRONG) as error:
            raise RequestError(f"The query can't be answered: {error}") from error
        return Rows(answer.columns, answer.types, iter(map(tuple, answer.rows)))

    def export(self, sql: str, tables: Mapping[str, Snapshot], path: Path, format: str) -> None:
        answer = self.query(sql, tables)
        if format == "json":
            records = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
            path.write_text(json.dumps(records), encoding="utf-8")
        elif format == "csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([answer.columns, *answer.rows])
        else:
            raise RequestError(f"The engine 'sqlite' writes csv or json, and not {format}.")

    def compare(
        self, before: Snapshot, after: Snapshot, keys: Sequence[str] = (), rows: int = 20
    ) -> Comparison:
        try:
            tables = self._table(before), self._table(after)
        except BuildError as error:
            raise RequestError(f"{after.node_id} can't be compared: {error}") from error
        return row_tables.compare(*tables, keys, rows)

    def export_views(self, tables: Mapping[str, Snapshot], path: Path) -> list[str]:
        """SQLite can't read snapshots, so that the file has a table with a copy of each."""
        shown = {i: s for i, s in tables.items() if not is_incremental(s.id) or _named(s)}
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        with closing(sqlite3.connect(beside)) as database:
            for node_id, snapshot in shown.items():
                _create(database, _quoted(node_id), self._table(snapshot))
            database.commit()
        beside.replace(path)
        return list(shown)

    def _table(self, snapshot: Snapshot) -> Table:
        folder = self._folder / snapshot.node_id
        if not is_incremental(snapshot.id):
            return row_tables.read(folder / snapshot.id / DATA_FILE)
        pieces = [
            row_tables.read(folder / f"{name}{SUFFIX}").within(Interval(start, end))
            for start, end, name in _named(snapshot)
        ]
        if not pieces:
            raise BuildError(f"{snapshot.node_id} holds no data")
        return Table.of(
            [record for piece in pieces for record in piece.records],
            [name for piece in pieces for name in piece.columns],
        )

    def _answer(
        self, sql: str, tables: Mapping[str, Snapshot], over: float = float("inf")
    ) -> Table:
        """over: when it has to end, on the monotonic clock."""
        with closing(sqlite3.connect(":memory:")) as database:
            for kind in {node_id.partition(".")[0] for node_id in tables}:
                database.execute(f"ATTACH ':memory:' AS {_quoted(kind)}")
            for node_id, snapshot in tables.items():
                _create(database, _place(node_id), self._table(snapshot))
            _hide_ambiguous_names(database, tables)
            database.set_progress_handler(
                lambda: self._interrupted or time.monotonic() > over, STEPS
            )
            cursor = database.execute(sql)
            columns = [column[0] for column in cursor.description or ()]
            return Table(columns, [list(row) for row in cursor])

    # --- Storage ----------------------------------------------------------------------------

    def existing(self, snapshots: Iterable[Snapshot]) -> set[Snapshot]:
        return {s for s in snapshots if (self._folder / s.node_id / s.id / DATA_FILE).is_file()}

    def stored(self) -> Iterator[Stored]:
        for path in self._folder.glob("*/*/*"):
            node_id, snapshot, name = path.relative_to(self._folder).parts
            part = "" if name == DATA_FILE else f"{snapshot}/{name.removesuffix(SUFFIX)}"
            if path.is_file():
                yield Stored(node_id, snapshot, part, path.stat().st_size)

    def remove(self, stored: Iterable[Stored]) -> None:
        for node_id, snapshot, part, _ in stored:
            name = part.rpartition("/")[2]
            if not name.startswith("."):
                name = f"{name}{SUFFIX}" if name else DATA_FILE
            (self._folder / node_id / snapshot / name).unlink(missing_ok=True)

    def interrupt(self) -> None:
        self._interrupted = True

    def close(self) -> None:
        """There is nothing to let go of."""


# --- SQL ------------------------------------------------------------------------------------


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _place(node_id: str) -> str:
    """Where a node's table is: each kind has a database of its own."""
    kind, _, name = node_id.partition(".")
    return f"{_quoted(kind)}.{_quoted(name)}"


def _bound(sql: str, inputs: Sequence[str]) -> str:
    """SQL with tables in the place of `ref('...')` and `input_0`."""
    pieces, position = [], 0
    for mention in mentions(sql):
        target = mention.target
        if mention.how == "input":
            target = inputs[int(target)] if int(target) < len(inputs) else ""
        if target and mention.how != "table":
            pieces += [sql[position : mention.start], _place(target)]
            position = mention.end
    return "".join([*pieces, sql[position:]])


def _create(database: sqlite3.Connection, place: str, table: Table) -> None:
    columns = ", ".join(map(_quoted, table.columns)) or "nothing"
    database.execute(f"CREATE TABLE {place} ({columns})")
    values = ", ".join("?" * len(table.columns)) or "NULL"
    database.executemany(f"INSERT INTO {place} VALUES ({values})", table.rows)


def _hide_ambiguous_names(database: sqlite3.Connection, node_ids: Iterable[str]) -> None:
    """SQLite would take one of two nodes that have a name; so it finds a view of what isn't."""
    by_name: dict[str, list[str]] = {}
    for node_id in node_ids:
        by_name.setdefault(node_id.partition(".")[2], []).append(node_id)
    for name, ids in by_name.items():
        if len(ids) > 1:
            choice = _quoted(f"{name}: write {' or '.join(ids)}")
            database.execute(f"CREATE TEMP VIEW {_quoted(name)} AS SELECT * FROM {choice}")


def _within_interval(table: Table, node: Node, interval: Interval) -> Table:
    """The table with its times. Raises BuildError when rows don't belong to the interval."""
    timing = node.incremental
    assert timing is not None
    timed = table.timed(timing.time_column, timing.timezone)
    outside = len(table.rows) - len(timed.within(interval).rows)
    if outside:
        raise BuildError(
            f"{outside} of {len(table.rows)} rows of {node.id} don't belong to "
            f"{label(interval, timing.timezone)}"
        )
    return timed


def _named(snapshot: Snapshot) -> list[tuple[Any, ...]]:
    """The parts of a snapshot that have rows."""
    return [part for part in snapshot.parts if part.name]


@hookimpl
def seeknal_engine() -> Offer[Engine]:
    return Offer(create=SqliteEngine, summary="SQLite computes, for tests")
