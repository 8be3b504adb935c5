"""The engine: what lies on storage, and, when that is needed, DuckDB.

To tell what is there takes no DuckDB: a plan that finds nothing to do never starts it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seeknal.dag.manifest import Node
from seeknal.errors import Flaw
from seeknal.workflow.engine import (
    Built,
    Comparison,
    Job,
    Rows,
    Snapshot,
    Stored,
    Workspace,
)
from seeknal_engine_duckdb import stored_files
from seeknal_engine_duckdb.storage import open_storage

if TYPE_CHECKING:
    from seeknal_engine_duckdb.database import Database


class DuckDBEngine:
    """See `seeknal.workflow.engine.Engine`."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        threads: int | None = None,
        memory_limit: str | None = None,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        self._workspace = workspace
        self._storage = open_storage(workspace.storage, storage_options)
        self._limits = threads, memory_limit
        self._made: Database | None = None
        self._interrupted = False
        self._lock = threading.Lock()

    @property
    def _database(self) -> Database:
        """Made when it is first needed. Raises RequestError when it can't be."""
        with self._lock:
            if self._made is None:
                from seeknal_engine_duckdb.database import Database

                self._made = Database(self._workspace, self._storage, *self._limits)
                if self._interrupted:
                    self._made.interrupt()
            return self._made

    def check(self, node: Node) -> Sequence[Flaw]:
        return self._database.check(node)

    def existing(self, snapshots: Iterable[Snapshot]) -> set[Snapshot]:
        return self._storage.existing(snapshots)

    def build(self, job: Job) -> Built:
        return self._database.build(job)

    def flush(self) -> None:
        self._storage.flush()

    def query(self, sql: str, tables: Mapping[str, Snapshot]) -> Rows:
        return self._database.query(sql, tables)

    def export(self, sql: str, tables: Mapping[str, Snapshot], path: Path, format: str) -> None:
        self._database.export(sql, tables, path, format)

    def compare(
        self, before: Snapshot, after: Snapshot, keys: Sequence[str] = (), rows: int = 20
    ) -> Comparison:
        return self._database.compare(before, after, keys, rows)

    def export_views(self, tables: Mapping[str, Snapshot], path: Path) -> list[str]:
        return self._database.export_views(tables, path)

    def stored(self) -> Iterator[Stored]:
        return stored_files.find(self._storage)

    def remove(self, stored: Iterable[Stored]) -> None:
        stored_files.remove(self._storage, stored)

    def interrupt(self) -> None:
        with self._lock:
            self._interrupted = True
            if self._made:
                self._made.interrupt()

    def close(self) -> None:
        with self._lock:
            if self._made:
                self._made.close()
