"""A folder of text files in which several writes land together or not at all.

A transaction is first written, whole, to a journal file: that one durable write decides it. Then
its files are replaced, which needs no waiting for the disk, since the journal would replace them
again. Journals are dropped when the files they speak of are known to be on disk. What is left of
them repairs a crash: one that was not carried out is repeated by whoever writes next, and all that
are left when the machine has been started anew since.

    journal/00000007.json       decided
    journal/00000007.5b1f09e2   decided, and its files replaced since the machine was started
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from seeknal.files import sync

CHECKPOINT_AFTER = 64
"""Journals that may pile up: a crash costs repeating these."""


class Store:
    """Not thread-safe; safe between processes. Paths are relative, with forward slashes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pending: dict[str, str] | None = None
        self._made: set[str] = set()

    def read(self, path: str) -> str | None:
        """What is committed, or what this transaction has written; None where there is nothing."""
        if self._pending is not None and path in self._pending:
            return self._pending[path]
        try:
            with open(f"{self._root}/{path}", encoding="utf-8") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, folder: str) -> list[str]:
        """Names of the files and folders in a folder, sorted."""
        try:
            committed = {n for n in os.listdir(self._root / folder) if not n.startswith(".")}
        except FileNotFoundError:
            committed = set()
        prefix = f"{folder}/"
        pending = {
            path.removeprefix(prefix).partition("/")[0]
            for path in self._pending or ()
            if path.startswith(prefix)
        }
        return sorted(committed | pending)

    def write(self, path: str, text: str) -> None:
        """Part of the transaction that is open."""
        assert self._pending is not None
        self._pending[path] = text

    def open(self) -> None:
        """Repair what a crash, of a process or of the machine, may have left."""
        with self._locked():
            done = f".{_boot()}"
            if any(journal.suffix != done for journal in self._journals()):
                self._replay(self._journals())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction: alone among all processes, durable when it ends without an error."""
        with self._locked():
            self._replay(self._journals(".json"))
            self._pending = {}
            try:
                yield
                self._commit(self._pending)
            finally:
                self._pending = None

    # --- Inside the lock --------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _commit(self, files: dict[str, str]) -> None:
        if not files:
            return
        journals = self._journals()
        number = int(journals[-1].stem) + 1 if journals else 1
        journal = self._root / "journal" / f"{number:08}.json"
        self._replace(f"journal/{journal.name}", json.dumps(files), durable=True)
        self._apply(files)
        done = journal.rename(journal.with_suffix(f".{_boot()}"))
        if len(journals) + 1 >= CHECKPOINT_AFTER:
            self._checkpoint([*journals, done])

    def _journals(self, suffix: str = ".*") -> list[Path]:
        """In the order in which they were decided."""
        return sorted((self._root / "journal").glob(f"[0-9]*{suffix}"))

    def _replay(self, journals: list[Path]) -> None:
        """Replace each file once, by the last word on it: readers see no older one in between."""
        last: dict[str, str] = {}
        for journal in journals:
            last |= json.loads(journal.read_text(encoding="utf-8"))
        self._apply(last)
        for journal in journals:
            journal.rename(journal.with_suffix(f".{_boot()}"))

    def _apply(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            self._replace(path, text)

    def _checkpoint(self, journals: list[Path]) -> None:
        """Bring to disk what these journals have replaced, and drop them."""
        paths: set[Path] = set()
        for journal in journals:
            paths |= {self._root / p for p in json.loads(journal.read_text(encoding="utf-8"))}
        folders = {p for path in paths for p in path.parents if p.is_relative_to(self._root)}
        for path in [*sorted(paths), *sorted(folders)]:
            sync(path)
        for journal in journals:
            journal.unlink()

    def _replace(self, path: str, text: str, *, durable: bool = False) -> None:
        """path: relative to the root. Plain strings: this is done for every node of every run."""
        full = f"{self._root}/{path}"
        folder, _, name = full.rpartition("/")
        if folder not in self._made:
            os.makedirs(folder, exist_ok=True)
            self._made.add(folder)
        beside = f"{folder}/.{name}.{os.getpid()}"
        with open(beside, "wb") as file:
            file.write(text.encode())
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(beside, full)
        if durable:
            sync(Path(folder))


@cache
def _boot() -> str:
    """Names the time since the machine was started, or this moment where that can't be known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return os.urandom(4).hex()
