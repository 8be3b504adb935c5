"""DuckDB files with a view for every node, for other programs to read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from seeknal.errors import RequestError
from seeknal_engine_duckdb.readers import identifier, literal

_VERSION = "v1.0.0"
"""Of DuckDB, from which on programs can read the file."""
_OF_SOMEBODY = ("tables", "sequences", "functions", "types")
"""What such a file never has, as DuckDB lists it."""


def write(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, str], path: Path) -> None:
    """tables: node id -> what can stand in FROM.

    The file appears whole. One that is there is replaced if it holds nothing but views. Raises
    RequestError for any other.
    """
    path = path.absolute()
    replaces = path.exists()
    if replaces:
        _refuse_what_is_not_ours(connection, path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with _attached(connection, beside, f"STORAGE_VERSION {literal(_VERSION)}") as database:
            for schema in {node_id.partition(".")[0] for node_id in tables}:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {database}.{identifier(schema)}")
            for node_id, table in tables.items():
                schema, _, name = node_id.partition(".")
                view = f"{database}.{identifier(schema)}.{identifier(name)}"
                connection.execute(f"CREATE VIEW {view} AS FROM {table}")
            connection.execute(f"CHECKPOINT {database}")
        if replaces:
            _log_of(path).unlink(missing_ok=True)  # else it would be taken for the new file's
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
        _log_of(beside).unlink(missing_ok=True)


def _refuse_what_is_not_ours(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        with _attached(connection, path, "READ_ONLY") as database:
            counts = " + ".join(
                f"(SELECT count(*) FROM duckdb_{what}() WHERE database_name = {literal(database)} "
                f"AND NOT {'temporary' if what == 'sequences' else 'internal'})"
                for what in _OF_SOMEBODY
            )
            row = connection.execute(f"SELECT {counts}").fetchone()
    except duckdb.Error as error:
        raise RequestError(
            f"{path} is not replaced: it can't be read as a DuckDB file ({error}). Name another."
        ) from error
    if row != (0,):
        raise RequestError(
            f"{path} is not replaced: it is a database that holds more than views. Name another."
        )


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, path: Path, option: str) -> Iterator[str]:
    """A file as a database of the connection, by its name there."""
    database = f"file_{os.urandom(8).hex()}"
    connection.execute(f"ATTACH {literal(str(path))} AS {database} (TYPE duckdb, {option})")
    try:
        yield database
    finally:
        connection.execute(f"DETACH {database}")


def _log_of(path: Path) -> Path:
    """What DuckDB has not yet brought into a file."""
    return path.with_name(f"{path.name}.wal")
