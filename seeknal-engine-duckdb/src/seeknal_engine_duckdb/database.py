"""Computes nodes with DuckDB.

One in-memory database an engine; every build and query has a connection to it of its own.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

from seeknal.dag.fingerprint import is_incremental
from seeknal.dag.manifest import Node
from seeknal.dag.sql_text import first_statement, mentions
from seeknal.errors import BuildError, Flaw, RequestError, did_you_mean
from seeknal.names import TARGET_FOLDER
from seeknal.project.source_files import files_of
from seeknal.project.timed import fill, sample
from seeknal.state.intervals import Interval
from seeknal.workflow.engine import (
    Built,
    Comparison,
    Job,
    Rows,
    Snapshot,
    Workspace,
)
from seeknal_engine_duckdb import comparing, parts, readers, view_files
from seeknal_engine_duckdb.bind import bind
from seeknal_engine_duckdb.part_names import part_name
from seeknal_engine_duckdb.python_nodes import NodeContext, as_relation
from seeknal_engine_duckdb.readers import identifier, literal
from seeknal_engine_duckdb.storage import Storage

_LINE = re.compile(r"\n+LINE (\d+): ")
_MAY_BE_HUGE = re.compile(r"sum|count_?if|huge|int128|\d{18}|\bmd5_number", re.IGNORECASE)
"""What makes 128-bit integers in DuckDB, or may: to ask for a query's types costs a third of it."""
_QUERIES = (duckdb.StatementType.SELECT, duckdb.StatementType.MULTI)
"""MULTI is a PIVOT whose columns depend on the data."""
_FETCH = 1000
IN_MEMORY = "memory"
"""What DuckDB calls a database without a file."""
_COPY_OPTIONS = {
    "csv": "FORMAT csv, HEADER",
    "json": "FORMAT json, ARRAY true",
    "parquet": "FORMAT parquet",
}


class Database:
    """The part of the engine that needs DuckDB: see `seeknal.workflow.engine.Engine`."""

    def __init__(
        self,
        workspace: Workspace,
        storage: Storage,
        threads: int | None,
        memory_limit: str | None,
    ) -> None:
        self._root = workspace.root
        self._timezone = workspace.timezone
        self._storage = storage
        config = {"threads": threads, "memory_limit": memory_limit}
        try:
            self._database = duckdb.connect(
                config={key: value for key, value in config.items() if value is not None}
            )
        except duckdb.Error as error:
            raise RequestError(f"The engine 'duckdb' can't start: {error}") from error
        self._database.execute(
            f"SET temp_directory = {literal(str(workspace.root / TARGET_FOLDER / 'tmp'))}"
        )
        self._database.execute(f"SET GLOBAL TimeZone = {literal(workspace.timezone)}")
        self._storage.attach(self._database)
        self._part_tables = parts.PartTables(self._storage.part, self._database.cursor)
        self._catalogs = count()
        self._open: set[duckdb.DuckDBPyConnection] = set()
        self._lock = threading.Lock()
        self._threads = threading.local()
        self._interrupted = False

    # --- Checking ---------------------------------------------------------------------------

    def check(self, node: Node) -> Sequence[Flaw]:
        if "source" in node.config:
            return [*readers.flaws(node), *self._wrong_types(node)]
        sql = node.config.get("sql")
        if sql is None:
            return ()
        try:
            statements = self._database.extract_statements(sample(sql))
        except duckdb.Error as error:
            message, line = _explain(error)
            return [Flaw(message, line)]
        if len(statements) != 1 or statements[0].type not in _QUERIES:
            return [Flaw("a node is one SELECT statement")]
        return ()

    def _wrong_types(self, node: Node) -> Iterator[Flaw]:
        for name, kind in readers.types(node).items():
            try:
                self._database.execute(f"SELECT NULL::{kind}")
            except duckdb.Error as error:
                message = _explain(error)[0].partition(" Did you mean")[0]
                yield Flaw(f"the dtype of '{name}': {message}", key=("columns", name, "dtype"))

    # --- Building ---------------------------------------------------------------------------

    def build(self, job: Job) -> Built:
        with self._connection(job) as connection, _limited(connection, job.timeout):
            beside = self._storage.beside(job.snapshot)
            try:
                if job.interval:
                    return self._build_part(job, job.interval, connection, beside)
                rows = int(self._write(job, connection, beside)[0])
                job.verify()
                size = self._storage.publish(beside, self._storage.path(job.snapshot))
            except BaseException:
                self._storage.discard(beside)
                raise
        return Built(rows, size)

    def _build_part(
        self, job: Job, interval: Interval, connection: duckdb.DuckDBPyConnection, beside: str
    ) -> Built:
        node, timing = job.node, job.node.incremental
        assert timing is not None
        row = self._write(job, connection, beside, parts.copy_options(timing))
        types = parts.types_in(connection, beside)
        parts.refuse_rows_outside(connection, beside, row, types, node, interval)
        job.verify()
        name = part_name(job.snapshot.id, interval, types, self._storage.digest(beside))
        size = self._storage.publish(beside, self._storage.part(node.id, name))
        return Built(parts.rows_in(row), size, name)

    def _write(
        self, job: Job, connection: duckdb.DuckDBPyConnection, path: str, options: str = ""
    ) -> Sequence[Any]:
        """Compute a node into a file. Returns what DuckDB says of it."""
        node, config = job.node, job.node.config
        tables = {i: self._table(s) for i, s in job.inputs.items()}
        if job.function is not None:
            self._create_views(connection, {i: i for i in tables}, tables)
            value = job.function(NodeContext(node, connection, tables, job.interval))
            result = as_relation(value, node, connection)
            return _copy(connection, "SELECT * FROM result", path, options, result=result)
        if "sql" not in config:
            return self._write_source(node, connection, path)
        sql = config["sql"]
        if job.interval and node.incremental:
            sql = fill(sql, *job.interval, node.incremental.timezone)
        sql, views = bind(sql, node.inputs, tables, self._keywords.__contains__)
        try:
            self._create_views(connection, views, tables)
            return _copy(connection, sql, path, options)
        except duckdb.Error as error:
            message, line = _explain(error)
            raise BuildError(message, line=line - 1 if line else None) from error

    def _write_source(
        self, node: Node, connection: duckdb.DuckDBPyConnection, path: str
    ) -> Sequence[Any]:
        try:
            return _copy(connection, readers.select(node, files_of(self._root, node)), path)
        except duckdb.Error as error:
            message = _explain(error)[0].replace("nullstr", "null_values")
            raise BuildError(message) from error

    def _table(self, snapshot: Snapshot) -> str:
        self._storage.look(snapshot)
        if is_incremental(snapshot.id):
            return self._part_tables.table(snapshot)
        return f"read_parquet({literal(self._storage.path(snapshot))})"

    def _create_views(
        self,
        connection: duckdb.DuckDBPyConnection,
        views: Mapping[str, str],
        tables: Mapping[str, str],
    ) -> None:
        """views: name, with its schema or without, -> node id. tables: node id -> what to select
        from."""
        schemas = {name.rpartition(".")[0] for name in views} - {""}
        if schemas:
            self._use_own_catalog(connection, schemas)
        for name, node_id in views.items():
            schema, _, table = name.rpartition(".")
            what, place = "TEMP VIEW", identifier(table)
            if schema:
                what, place = "VIEW", f"{identifier(schema)}.{place}"
            connection.execute(f"CREATE OR REPLACE {what} {place} AS FROM {tables[node_id]}")

    def _use_own_catalog(
        self, connection: duckdb.DuckDBPyConnection, schemas: Iterable[str]
    ) -> None:
        """Views with a schema can't be temporary, and threads must not see each other's."""
        own = identifier(f"of_connection_{next(self._catalogs)}")
        connection.execute(f"ATTACH ':memory:' AS {own}")
        connection.execute(f"USE {own}")
        for schema in schemas:
            connection.execute(f"CREATE SCHEMA {identifier(schema)}")

    def _leave_own_catalog(self, connection: duckdb.DuckDBPyConnection) -> None:
        row = connection.execute("SELECT current_database()").fetchone()
        if row and row[0] != IN_MEMORY:
            connection.execute(f"USE {IN_MEMORY}")
            connection.execute(f"DETACH {identifier(row[0])}")

    @cached_property
    def _keywords(self) -> frozenset[str]:
        """Words that can't be an alias without AS, in lower case and as they are mostly written."""
        rows = self._database.cursor().execute(
            "SELECT keyword_name FROM duckdb_keywords() "
            "WHERE keyword_category IN ('reserved', 'type_function')"
        )
        return frozenset(word for (word,) in rows.fetchall())

    # --- Reading ----------------------------------------------------------------------------

    def query(self, sql: str, tables: Mapping[str, Snapshot]) -> Rows:
        connection = self._database.cursor()
        try:
            self._create_views(connection, *self._named(sql, tables))
            connection.execute(sql)
        except duckdb.Error as error:
            raise _query_error(error, tables) from error
        columns = connection.description or []
        return Rows(
            columns=[c[0] for c in columns],
            types=[str(c[1]) for c in columns],
            rows=_fetch(connection),
        )

    def export(self, sql: str, tables: Mapping[str, Snapshot], path: Path, format: str) -> None:
        connection = self._database.cursor()
        try:
            self._create_views(connection, *self._named(sql, tables))
            connection.execute(
                f"COPY (\n{first_statement(sql)}\n) TO {literal(str(path))} "
                f"({_COPY_OPTIONS[format]})"
            )
        except duckdb.Error as error:
            raise _query_error(error, tables) from error

    def compare(
        self, before: Snapshot, after: Snapshot, keys: Sequence[str] = (), rows: int = 20
    ) -> Comparison:
        try:
            tables = self._table(before), self._table(after)
            with self._database.cursor() as connection:
                return comparing.compare(connection, tables, keys, rows)
        except duckdb.Error as error:
            message, _ = _explain(error)
            raise RequestError(
                f"Two versions of {after.node_id} can't be compared: {message}"
            ) from error

    def export_views(self, tables: Mapping[str, Snapshot], path: Path) -> list[str]:
        shown = {i: s for i, s in tables.items() if parts.holds_data(s)}
        try:
            with self._database.cursor() as connection:
                view_files.write(connection, {i: self._table(s) for i, s in shown.items()}, path)
        except (duckdb.Error, OSError) as error:
            raise RequestError(f"{path} can't be written: {_explain(error)[0]}") from error
        return list(shown)

    def _named(
        self, sql: str, tables: Mapping[str, Snapshot]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Views for the nodes whose names are among the words of a text, and their tables."""
        words = {word.lower() for word in re.findall(r"[\w-]+|\w+(?=-)", sql)}
        views: dict[str, str] = {}
        for name, ids in _by_name(tables).items():
            if name in words:
                views |= {node_id: node_id for node_id in ids}
                if len(ids) == 1:
                    views[name] = ids[0]
        return views, {i: self._table(tables[i]) for i in views.values()}

    # --- Connections ------------------------------------------------------------------------

    @contextmanager
    def _connection(self, job: Job) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one build, which `interrupt` knows of.

        Builds that leave nothing behind in it share one a thread: that spares a twentieth of a
        small node's time.
        """
        timing = job.node.incremental
        elsewhere = timing is not None and timing.timezone != self._timezone
        plain = job.function is None and all(
            mention.how == "ref" for mention in mentions(job.node.config.get("sql", ""))
        )
        shared = plain and not elsewhere
        connection = self._connection_of_thread() if shared else self._database.cursor()
        if timing and elsewhere:
            connection.execute(f"SET TimeZone = {literal(timing.timezone)}")
        with self._lock:
            if self._interrupted:
                raise BuildError("interrupted")
            self._open.add(connection)
        try:
            yield connection
        finally:
            with self._lock:
                self._open.discard(connection)
            if not shared:
                self._leave_own_catalog(connection)
                connection.close()

    def _connection_of_thread(self) -> duckdb.DuckDBPyConnection:
        if not hasattr(self._threads, "connection"):
            self._threads.connection = self._database.cursor()
        connection: duckdb.DuckDBPyConnection = self._threads.connection
        return connection

    def interrupt(self) -> None:
        with self._lock:
            self._interrupted = True
            for connection in self._open:
                connection.interrupt()

    def close(self) -> None:
        self._database.close()


@contextmanager
def _limited(connection: duckdb.DuckDBPyConnection, seconds: float | None) -> Iterator[None]:
    """Raise BuildError when what is done takes longer than so many seconds, and stop its query."""
    if seconds is None:
        yield
        return
    over, late = threading.Event(), threading.Event()

    def watch() -> None:
        if over.wait(seconds):
            return
        late.set()
        while not over.wait(0.05):  # between two statements there is nothing to interrupt
            connection.interrupt()

    watcher = threading.Thread(target=watch, name="seeknal-timeout", daemon=True)
    watcher.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            message = f"it took longer than its timeout, {seconds:g} seconds"
            raise BuildError(message) from error
        raise
    finally:
        over.set()
        watcher.join()


def _copy(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    path: str,
    options: str = "",
    result: duckdb.DuckDBPyRelation | None = None,
) -> Sequence[Any]:
    """Write what a SELECT gives, and return what COPY says: the number of rows first, without
    options. `result` may stand in the SQL."""
    select = first_statement(sql)
    if result is not None or _MAY_BE_HUGE.search(select):
        columns = connection.execute(f"DESCRIBE\n{select}").fetchall()
        select = _without_huge(select, [name for name, kind, *_ in columns if "HUGEINT" in kind])
    how = ", ".join(filter(None, ("FORMAT parquet", options)))
    row = connection.execute(f"COPY (\n{select}\n) TO {literal(path)} ({how})").fetchone()
    if row is None:  # what a PIVOT that depends on the data answers
        count = f"SELECT num_rows FROM parquet_file_metadata({literal(path)})"
        row = connection.execute(count).fetchone()
    return row or (0,)


def _without_huge(select: str, columns: Sequence[str]) -> str:
    """Keep 128-bit integers exact: Parquet has none, and DuckDB would write them as doubles."""
    if not columns:
        return select
    casts = ", ".join(f"{identifier(c)}::DECIMAL(38, 0) AS {identifier(c)}" for c in columns)
    return f"SELECT * REPLACE ({casts}) FROM (\n{select}\n)"


def _fetch(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := connection.fetchmany(_FETCH):
        yield from rows


def _explain(error: Exception) -> tuple[str, int | None]:
    """DuckDB's message without its drawing, and the line that it speaks of."""
    text = str(error).partition("\n  file = ")[0]  # behind it, all settings of the CSV reader
    found = _LINE.search(text)
    message = " ".join(text[: found.start()].split()) if found else text
    return message, int(found[1]) if found else None


def _by_name(node_ids: Iterable[str]) -> dict[str, list[str]]:
    """Ids by name, in lower case, since SQL doesn't tell `A` from `a`."""
    found: dict[str, list[str]] = {}
    for node_id in node_ids:
        found.setdefault(node_id.partition(".")[2].lower(), []).append(node_id)
    return found


def _query_error(error: duckdb.Error, tables: Mapping[str, Snapshot]) -> RequestError:
    message, _ = _explain(error)
    missing = re.search(r"Table with name (\S+) does not exist", str(error))
    hint = ""
    if missing:
        ids = _by_name(tables).get(missing[1].lower(), [])
        names = [*tables, *_by_name(tables)]
        hint = f" Write {' or '.join(ids)}." if ids else did_you_mean(missing[1], names)
        message = f"there is no table '{missing[1]}'; a node is one when it has been computed."
    lost = re.search(r'No files found that match the pattern ".*/snapshots/([^/]+)/', str(error))
    if lost:
        message = f"data of {lost[1]} is gone from storage."
        hint = f" Compute it anew: `seeknal run --full-refresh --select {lost[1]}`."
    return RequestError(f"The query can't be answered: {message}{hint}")
