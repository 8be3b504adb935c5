"""Turns among processes, for an engine that can't keep them apart by itself."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Turn:
    """For one thread at a time, which may enter it again; every process must use it. The lock is
    that of a file beside the database, so that it ends with its process.

    kept: it lasts until `close`, and who comes meanwhile gets a BlockingIOError.
    """

    def __init__(self, database: str, *, kept: bool) -> None:
        self._path = Path(f"{database}.lock")
        self._kept = kept
        self._file = -1
        self._pid = 0
        self._entered = 0

    def __enter__(self) -> None:
        if self._pid != os.getpid():
            self._open()
        if not self._entered:
            fcntl.flock(self._file, fcntl.LOCK_EX | (fcntl.LOCK_NB if self._kept else 0))
        self._entered += 1

    def __exit__(self, *error: object) -> None:
        self._entered -= 1
        if not self._entered and not self._kept:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._pid == os.getpid():
            os.close(self._file)
        self._pid = 0

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._pid, self._entered = os.getpid(), 0
