"""A backend in an empty folder, processes that die, and machines that lose power."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from seeknal.testing.processes import in_children
from seeknal_state_file import store
from seeknal_state_file.backend import FileBackend

ANOTHER_BOOT = b"not this"

WRITES = {
    "open", "pwrite", "ftruncate", "rename", "unlink", "mkdir", "rmdir", "fdatasync",
}  # fmt: skip
"""The calls after which a folder may look different."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, in memory where that can be: how things reach a disk is played here."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 500_000_000
    with tempfile.TemporaryDirectory(dir=memory if roomy else None) as made:
        yield Path(made)


@pytest.fixture
def backend(folder: Path) -> Iterator[FileBackend]:
    opened = FileBackend(folder)
    opened.initialize()
    yield opened
    opened.close()


@pytest.fixture
def state(folder: Path) -> Path:
    return folder / "state"


@pytest.fixture
def die_at_call(folder: Path) -> Callable[[int, Callable[[], None]], bool]:
    """Does a work in a child that dies just before one of its writes, which are counted from 0;
    tells whether the work was done before that."""

    def die_at_call(number: int, work: Callable[[], None]) -> bool:
        done = folder / "done"
        done.unlink(missing_ok=True)
        left = number

        def count(frame: FrameType, event: str, function: Any) -> None:
            nonlocal left
            if event == "c_call" and function.__name__ in WRITES:
                if not left:
                    os._exit(0)
                left -= 1

        def live() -> None:
            sys.setprofile(count)
            work()
            sys.setprofile(None)
            done.touch()

        in_children([live])
        return done.exists()

    return die_at_call


class Disk:
    """What of a state folder is on disk for sure. All else may be lost when power fails: each
    file by itself, since they reach the disk in any order."""

    def __init__(self, state: Path, kept: Path) -> None:
        self.state, self.kept = state, kept

    def sync(self) -> None:
        shutil.rmtree(self.kept, ignore_errors=True)
        if self.state.exists():
            shutil.copytree(self.state, self.kept)

    def sync_file_system(self, descriptor: int) -> None:
        if self._is_journal(descriptor):
            with _uncounted():
                self.sync()

    def sync_data(self, descriptor: int) -> None:
        if self._is_journal(descriptor):
            with _uncounted():
                _put(self.kept / ".journal", _get(self.state / ".journal"))

    def _is_journal(self, descriptor: int) -> bool:
        """A thread that another test has left may write elsewhere."""
        journal = self.state / ".journal"
        return journal.exists() and os.path.samestat(os.fstat(descriptor), journal.stat())

    def lose_power(self, chance: random.Random) -> None:
        trees = (self.kept, self.state)
        files = {f.relative_to(tree) for tree in trees for f in tree.rglob("*") if f.is_file()}
        for file in sorted(files):
            kept, written = (_get(tree / file) for tree in trees)
            if kept != written:
                _put(self.state / file, chance.choice(_versions(file, kept, written)))
                if file.name == ".journal" and kept and written and written.startswith(kept):
                    _put(self.state / file, written[: chance.randint(len(kept), len(written))])
        self.start_again()

    def replace_by(self, files: Mapping[Path, bytes]) -> None:
        """Begin with these, all of them on disk."""
        shutil.rmtree(self.state, ignore_errors=True)
        for file, content in files.items():
            _put(file, content)
        self.sync()

    def start_again(self) -> None:
        """As if the machine had been switched off and on."""
        mark = self.state / ".mark"
        _put(mark, ANOTHER_BOOT + (_get(mark) or b"")[len(ANOTHER_BOOT) :])
        self.sync()


@contextmanager
def _uncounted() -> Iterator[None]:
    counting = sys.getprofile()
    sys.setprofile(None)
    yield
    sys.setprofile(counting)


def _versions(file: Path, kept: bytes | None, written: bytes | None) -> list[bytes | None]:
    if file.name == ".journal":
        return [kept, written]
    mixed = (written or b"")[:100] + (kept or b"")[100:]
    return [kept, written, b"", mixed]


def _get(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _put(file: Path, content: bytes | None) -> None:
    if content is None:
        file.unlink(missing_ok=True)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


@pytest.fixture
def disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk below the state folder: it keeps what is synced from now on."""
    disk = Disk(folder / "state", folder / "kept")
    monkeypatch.setattr(store, "_sync_file_system", disk.sync_file_system)
    monkeypatch.setattr(store, "_sync_data", disk.sync_data)
    return disk
