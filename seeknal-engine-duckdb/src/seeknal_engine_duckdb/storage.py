"""Where snapshots lie: a local folder, or any file system that fsspec knows.

    <storage>/snapshots/<node id>/<snapshot id>/data.parquet
    <storage>/snapshots/<node id>/<snapshot id>/<interval>_<digest>.parquet

A file is written beside its place and renamed into it, so that what is there is whole; and one
that the machine lost the end of, when it went down before `flush`, is not taken for whole.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from seeknal.files import sync
from seeknal.workflow.engine import Snapshot

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DATA_FILE = "data.parquet"
_PARQUET_END = b"PAR1"


class Storage(Protocol):
    """What the engine asks of a place for snapshots. Paths are as DuckDB takes them."""

    def attach(self, connection: DuckDBPyConnection) -> None:
        """Make paths of this storage known to a connection."""

    def path(self, snapshot: Snapshot) -> str:
        """Where a snapshot's data is, or will be."""

    def part(self, node_id: str, name: str) -> str:
        """Where a part of a node's snapshots is, or will be."""

    def beside(self, snapshot: Snapshot) -> str:
        """Where to write it first: a place of this call's own."""

    def publish(self, beside: str, path: str) -> int:
        """Move what was written into its place, and return its size in bytes."""

    def digest(self, beside: str) -> str:
        """Sixteen hexadecimal digits that stand for what was written."""

    def flush(self) -> None:
        """Make durable what has been published."""

    def discard(self, beside: str) -> None:
        """Remove what was written and is not to be published; harmless when there is nothing."""

    def existing(self, snapshots: Iterable[Snapshot]) -> set[Snapshot]:
        """Which of these are in their places."""


def open_storage(storage: str, options: dict[str, Any] | None) -> Storage:
    """storage: an absolute folder or an fsspec URL. options: for the URL's file system."""
    if "://" in storage:
        return RemoteStorage(storage, options or {})
    return LocalStorage(Path(storage))


def _own_name() -> str:
    return f".{DATA_FILE}.{os.getpid()}.{os.urandom(4).hex()}"


class LocalStorage:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = f"{root}/snapshots"
        self._unflushed: deque[str] = deque()

    def attach(self, connection: DuckDBPyConnection) -> None:
        pass

    def path(self, snapshot: Snapshot) -> str:
        return f"{self._root}/{snapshot.node_id}/{snapshot.id}/{DATA_FILE}"

    def beside(self, snapshot: Snapshot) -> str:
        folder = f"{self._root}/{snapshot.node_id}/{snapshot.id}"
        os.makedirs(folder, exist_ok=True)
        return f"{folder}/{_own_name()}"

    def part(self, node_id: str, name: str) -> str:
        return f"{self._root}/{node_id}/{name}.parquet"

    def digest(self, beside: str) -> str:
        with open(beside, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def publish(self, beside: str, path: str) -> int:
        size = os.stat(beside).st_size
        os.rename(beside, path)
        self._unflushed.append(path)
        return size

    def flush(self) -> None:
        folders: set[str] = set()
        while self._unflushed:
            path = self._unflushed.popleft()
            sync(path)
            folder = os.path.dirname(path)
            folders |= {folder, os.path.dirname(folder), self._root}
        for folder in folders:
            sync(folder)

    def discard(self, beside: str) -> None:
        Path(beside).unlink(missing_ok=True)

    def existing(self, snapshots: Iterable[Snapshot]) -> set[Snapshot]:
        return {s for s in snapshots if _is_whole(self.path(s))}


def _is_whole(path: str) -> bool:
    """Whether a Parquet file is there with its end, which is written last."""
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(-len(_PARQUET_END), os.SEEK_END)
            return file.read() == _PARQUET_END
    except OSError:
        return False


class RemoteStorage:
    """A file system that fsspec knows, by its URL."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        import fsspec

        self._fs, _ = fsspec.core.url_to_fs(url, **options)
        self._root = f"{url.rstrip('/')}/snapshots"

    def attach(self, connection: DuckDBPyConnection) -> None:
        connection.register_filesystem(self._fs)

    def path(self, snapshot: Snapshot) -> str:
        return f"{self._root}/{snapshot.node_id}/{snapshot.id}/{DATA_FILE}"

    def beside(self, snapshot: Snapshot) -> str:
        folder = f"{self._root}/{snapshot.node_id}/{snapshot.id}"
        self._fs.makedirs(folder, exist_ok=True)
        return f"{folder}/{_own_name()}"

    def part(self, node_id: str, name: str) -> str:
        return f"{self._root}/{node_id}/{name}.parquet"

    def digest(self, beside: str) -> str:
        with self._fs.open(beside, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def publish(self, beside: str, path: str) -> int:
        size = int(self._fs.size(beside))
        self._fs.mv(beside, path)
        return size

    def flush(self) -> None:
        pass

    def discard(self, beside: str) -> None:
        if self._fs.exists(beside):
            self._fs.rm(beside)

    def existing(self, snapshots: Iterable[Snapshot]) -> set[Snapshot]:
        self._fs.invalidate_cache()
        return {s for s in snapshots if self._fs.exists(self.path(s))}
