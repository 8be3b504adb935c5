"""Where snapshots lie: a local folder, or any file system that fsspec knows.

    <storage>/snapshots/<node id>/<snapshot id>/data.parquet
    <storage>/snapshots/<node id>/<snapshot id>/<interval>_<digest>.parquet

A file is written beside its place and renamed into it, so that what is there is whole; and one
that the machine lost the end of, when it went down before `flush`, is not taken for whole.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from seeknal.dag.fingerprint import is_incremental
from seeknal.files import sync
from seeknal.workflow.engine import Snapshot

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PARQUET = ".parquet"
DATA_FILE = f"data{PARQUET}"
_PARQUET_END = b"PAR1"
_OWN_NAME = re.compile(rf"\.{re.escape(DATA_FILE)}\.\d+\.[0-9a-f]{{8}}")
_ATTEMPTS = 10

Entries = Mapping[str, int | None]
"""What lies in a folder: the bytes of a file, None for what is none."""


class Storage(Protocol):
    """What the engine asks of a place for snapshots. Paths are as DuckDB takes them."""

    def attach(self, connection: DuckDBPyConnection) -> None:
        """Make paths of this storage known to a connection."""

    def path(self, snapshot: Snapshot) -> str:
        """Where a snapshot's data is, or will be."""

    def part(self, node_id: str, name: str) -> str:
        """Where a part of a node's snapshots is, or will be."""

    def look(self, snapshot: Snapshot) -> None:
        """Find out at once what there is to know of a snapshot's files, which are to be read."""

    def beside(self, snapshot: Snapshot) -> str:
        """Where to write it first: a place of this call's own, in a folder that is there."""

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

    def folders(self) -> Iterator[tuple[str, str, Entries]]:
        """The folders of all snapshots: a node's id, a snapshot's, and what lies there."""

    def entries(self, node_id: str, snapshot: str) -> Entries:
        """What lies in a snapshot's folder, if there is one."""

    def remove(self, node_id: str, snapshot: str, names: Iterable[str]) -> None:
        """Remove files from a snapshot's folder, and the folder if it's empty then. Harmless for
        what isn't there."""


def open_storage(storage: str, options: dict[str, Any] | None) -> Storage:
    """storage: an absolute folder or an fsspec URL. options: for the URL's file system."""
    if "://" in storage:
        return RemoteStorage(storage, options or {})
    return LocalStorage(Path(storage))


def _own_name() -> str:
    return f".{DATA_FILE}.{os.getpid()}.{os.urandom(4).hex()}"


def is_beside(name: str) -> bool:
    """Whether a file is called as what `Storage.beside` gives."""
    return _OWN_NAME.fullmatch(name) is not None


class LocalStorage:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = f"{root}/snapshots"
        self._unflushed: deque[str] = deque()

    def attach(self, connection: DuckDBPyConnection) -> None:
        pass

    def path(self, snapshot: Snapshot) -> str:
        return f"{self._root}/{snapshot.node_id}/{snapshot.id}/{DATA_FILE}"

    def look(self, snapshot: Snapshot) -> None:
        pass

    def beside(self, snapshot: Snapshot) -> str:
        folder = f"{self._root}/{snapshot.node_id}/{snapshot.id}"
        _make_folder(folder)
        return f"{folder}/{_own_name()}"

    def part(self, node_id: str, name: str) -> str:
        return f"{self._root}/{node_id}/{name}{PARQUET}"

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
            folder = os.path.dirname(path)
            folders |= {folder, os.path.dirname(folder), self._root}
            sync(path)
        for folder in folders:
            sync(folder)

    def discard(self, beside: str) -> None:
        Path(beside).unlink(missing_ok=True)

    def existing(self, snapshots: Iterable[Snapshot]) -> set[Snapshot]:
        return {s for s in snapshots if _is_whole(self.path(s))}

    def folders(self) -> Iterator[tuple[str, str, Entries]]:
        for node_id in _folders(self._root):
            for snapshot in _folders(f"{self._root}/{node_id}"):
                yield node_id, snapshot, self.entries(node_id, snapshot)

    def entries(self, node_id: str, snapshot: str) -> Entries:
        return _entries(f"{self._root}/{node_id}/{snapshot}")

    def remove(self, node_id: str, snapshot: str, names: Iterable[str]) -> None:
        folder = f"{self._root}/{node_id}/{snapshot}"
        for name in names:
            Path(folder, name).unlink(missing_ok=True)
        with suppress(OSError):  # something is in it, or it isn't there
            os.rmdir(folder)
            os.rmdir(os.path.dirname(folder))


def _make_folder(folder: str) -> None:
    """Even while somebody else removes empty folders."""
    for _ in range(_ATTEMPTS):
        with suppress(FileExistsError, FileNotFoundError):
            return os.makedirs(folder, exist_ok=True)
    return os.makedirs(folder, exist_ok=True)


def _entries(folder: str) -> Entries:
    entries: dict[str, int | None] = {}
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            with suppress(FileNotFoundError):
                is_file = entry.is_file(follow_symlinks=False)
                entries[entry.name] = entry.stat().st_size if is_file else None
    return entries


def _folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return [entry.name for entry in found if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _is_whole(path: str) -> bool:
    """Whether a Parquet file is there with its end, which is written last."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        os.lseek(descriptor, -len(_PARQUET_END), os.SEEK_END)
        return os.read(descriptor, len(_PARQUET_END)) == _PARQUET_END
    except OSError:
        return False
    finally:
        os.close(descriptor)


class RemoteStorage:
    """A file system that fsspec knows, by its URL."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        import fsspec

        self._fs, path = fsspec.core.url_to_fs(url, **options)
        self._root = f"{url.rstrip('/')}/snapshots"
        self._path = f"{path.rstrip('/')}/snapshots"

    def attach(self, connection: DuckDBPyConnection) -> None:
        connection.register_filesystem(self._fs)

    def path(self, snapshot: Snapshot) -> str:
        return f"{self._root}/{snapshot.node_id}/{snapshot.id}/{DATA_FILE}"

    def look(self, snapshot: Snapshot) -> None:
        """DuckDB asks for each file some ten times what a listing of their folder says once."""
        folders = {part.name.rpartition("/")[0] for part in snapshot.parts}
        for folder in folders if is_incremental(snapshot.id) else {snapshot.id}:
            with suppress(FileNotFoundError):  # whoever reads it says so
                self._fs.ls(f"{self._path}/{snapshot.node_id}/{folder}", refresh=True)

    def beside(self, snapshot: Snapshot) -> str:
        folder = f"{self._root}/{snapshot.node_id}/{snapshot.id}"
        self._fs.makedirs(folder, exist_ok=True)
        return f"{folder}/{_own_name()}"

    def part(self, node_id: str, name: str) -> str:
        return f"{self._root}/{node_id}/{name}{PARQUET}"

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

    def folders(self) -> Iterator[tuple[str, str, Entries]]:
        self._fs.invalidate_cache()
        folders: dict[tuple[str, str], dict[str, int | None]] = defaultdict(dict)
        for path, info in self._fs.find(self._path, withdirs=True, detail=True).items():
            node_id, *below = path.removeprefix(self._path).strip("/").split("/")
            is_file = info["type"] == "file"
            if len(below) == 1 and not is_file:
                folders[node_id, below[0]].update()
            elif len(below) > 1:
                bytes_ = info["size"] if is_file and len(below) == 2 else None
                folders[node_id, below[0]][below[1]] = bytes_
        for (node_id, snapshot), entries in folders.items():
            yield node_id, snapshot, entries

    def entries(self, node_id: str, snapshot: str) -> Entries:
        self._fs.invalidate_cache()
        try:
            found = self._fs.ls(f"{self._path}/{node_id}/{snapshot}", detail=True)
        except FileNotFoundError:
            return {}
        return {
            info["name"].rstrip("/").rpartition("/")[2]: (
                info["size"] if info["type"] == "file" else None
            )
            for info in found
        }

    def remove(self, node_id: str, snapshot: str, names: Iterable[str]) -> None:
        folder = f"{self._path}/{node_id}/{snapshot}"
        paths = [f"{folder}/{name}" for name in names]
        try:
            if paths:
                self._fs.rm(paths)
        except FileNotFoundError:  # of one of them, and the others may be there
            for path in paths:
                with suppress(FileNotFoundError):
                    self._fs.rm(path)
        for emptied in (folder, f"{self._path}/{node_id}"):
            self._fs.invalidate_cache()
            with suppress(OSError):  # something is in it, or it isn't there
                if self._fs.isdir(emptied) and not self._fs.ls(emptied):
                    self._fs.rmdir(emptied)
