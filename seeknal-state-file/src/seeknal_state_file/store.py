"""A folder of JSON texts in which several writes land together or not at all.

A transaction is first appended, whole, to the journal: that one durable write decides it. Then its
files are written, which needs no waiting for the disk, since the journal would write them again.
When the journal has grown, all is brought to disk at once and the journal emptied.

One file alone is replaced by a rename, and readers go on meanwhile. Several are written where they
are, which is quicker: nobody reads until all are, and whoever finds that this was left half done,
as the mark says, does it again from the journal before anything is read.

    .journal    transactions, a line each, with a checksum: what a crash may have left undone
    .mark       since which start of the machine, and up to which byte, the journal is carried out;
                its lock is held shared by readers, and alone while several files are written
    .lock       its lock is held by the one that writes
    damaged/    files whose checksum was wrong
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import logging
import os
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from seeknal.errors import StateError
from seeknal.files import sync

CHECKPOINT_BYTES = 8_000_000
"""The journal's size at which it is emptied: a crash costs reading as much."""

DAMAGED = "damaged"

LONGEST_ASIDE = 240
"""Bytes of a path that the name of a damaged file keeps: six more digits fit everywhere."""

_sync_data = getattr(os, "fdatasync", os.fsync)
"""macOS has no fdatasync."""

_UNFINISHED = b"-" * 24

_DECIDED = ". What was being stored is in its journal and will be there when this is mended."


class _Files(NamedTuple):
    """Open files. A forked process opens its own: else it would share the locks too."""

    pid: int
    lock: int
    mark: int
    journal: int


class Store:
    """For one thread at a time; safe between processes. Paths are relative, with forward slashes;
    one that ends with a slash is a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: _Files | None = None
        self._pending: dict[str, str | None] | None = None

    def close(self) -> None:
        if self._files and self._files.pid == os.getpid():
            for descriptor in self._files[1:]:
                os.close(descriptor)
        self._files = None

    @contextmanager
    def view(self) -> Iterator[None]:
        """Reads that see no part of another's transaction."""
        files = self._open()
        try:
            self._share(files)
            yield
        finally:
            fcntl.flock(files.mark, fcntl.LOCK_UN)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction: alone among all processes, durable when it ends without an error."""
        files = self._open()
        fcntl.flock(files.lock, fcntl.LOCK_EX)
        try:
            self._repair(files)
            self._pending = {}
            yield
            if self._pending:
                self._commit(files, self._pending)
        finally:
            self._pending = None
            fcntl.flock(files.lock, fcntl.LOCK_UN)

    # --- Inside a view or a transaction -----------------------------------------------------

    def read(self, path: str) -> str | None:
        """What is committed, or what this transaction has written; None where there is nothing.

        A damaged file is moved to `damaged/` and reported, and then there is nothing.
        """
        if self._pending:
            if path in self._pending:
                return self._pending[path]
            if self._is_removed(path):
                return None
        try:
            with open(f"{self._root}/{path}", "rb") as file:
                content = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _unsealed(content) or self._set_aside(path)

    def paths(self, folder: str) -> list[str]:
        """The files below a folder, at any depth, sorted."""
        found = set()
        for parent, _, names in os.walk(f"{self._root}/{folder}"):
            within = parent.removeprefix(f"{self._root}/")
            found |= {f"{within}/{n}" for n in names if n.endswith(".json") and n[0] != "."}
        if self._pending:
            found = {path for path in found if not self._is_removed(path)}
            for path, text in self._pending.items():
                if path.startswith(f"{folder}/") and not path.endswith("/"):
                    (found.discard if text is None else found.add)(path)
        return sorted(found)

    def write(self, path: str, text: str) -> None:
        """Part of the transaction that is open. text: a JSON object, its last brace on a line."""
        assert self._pending is not None
        self._pending[path] = text

    def remove(self, path: str) -> None:
        """Part of the transaction that is open. path: a file, or a folder with all below it."""
        assert self._pending is not None
        _add(self._pending, {path: None})

    def _is_removed(self, path: str) -> bool:
        """Whether this transaction has removed a folder above it, and not written it since."""
        assert self._pending is not None
        if path in self._pending:
            return False
        parts = path.split("/")
        return any("/".join(parts[:n]) + "/" in self._pending for n in range(1, len(parts)))

    def _set_aside(self, path: str) -> str | None:
        """Move a damaged file away. In a view, another look by a writer must come first."""
        if self._pending is None:
            files = self._open()
            fcntl.flock(files.mark, fcntl.LOCK_UN)
            with self.writing():
                text = self.read(path)
            self._share(files)
            return text
        aside = f"{DAMAGED}/{path.replace('/', '-')[-LONGEST_ASIDE:]}.{os.urandom(3).hex()}"
        with self._explained():
            self._move(path, aside)
        _report(f"{self._root / path} is damaged", self._root / aside)
        return None

    def _move(self, path: str, to: str) -> None:
        (self._root / to).parent.mkdir(exist_ok=True)
        os.rename(self._root / path, self._root / to)

    # --- Locks and the journal --------------------------------------------------------------

    def _open(self) -> _Files:
        files = self._files
        if files is None or files.pid != os.getpid():
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            names = (".lock", ".mark", ".journal")
            with self._explained():
                self._root.mkdir(parents=True, exist_ok=True)
                opened = [os.open(self._root / name, flags, 0o666) for name in names]
                sync(self._root)
            files = self._files = _Files(os.getpid(), *opened)
        return files

    @contextmanager
    def _explained(self, more: str = "") -> Iterator[None]:
        """What the disk refuses, as an error that says where and what now."""
        try:
            yield
        except OSError as error:
            raise StateError(f"{self._root} can't be written: {error}{more}") from error

    def _share(self, files: _Files) -> None:
        """Take the readers' lock, when nothing is left half carried out."""
        fcntl.flock(files.mark, fcntl.LOCK_SH)
        while os.pread(files.mark, 8, 0) != _boot():
            fcntl.flock(files.mark, fcntl.LOCK_UN)
            with self.writing():
                pass
            fcntl.flock(files.mark, fcntl.LOCK_SH)

    def _commit(self, files: _Files, pending: dict[str, str | None]) -> None:
        line = _line(pending)
        begin = os.fstat(files.journal).st_size
        with self._explained():
            try:
                _write_all(files.journal, line, begin)
                _sync_data(files.journal)
            except OSError:
                os.ftruncate(files.journal, begin)
                raise
        end = begin + len(line)
        with self._explained(_DECIDED):
            if len(pending) == 1 and not next(iter(pending)).endswith("/"):
                self._apply(pending, self._replace)
                os.pwrite(files.mark, _mark(end), 0)
            else:
                self._carry_out(files, pending, end)
            if end >= CHECKPOINT_BYTES:
                self._checkpoint(files)

    def _carry_out(self, files: _Files, texts: dict[str, str | None], end: int) -> None:
        """Write several files while nobody reads."""
        fcntl.flock(files.mark, fcntl.LOCK_EX)
        try:
            os.pwrite(files.mark, _UNFINISHED, 0)
            self._apply(texts, self._overwrite)
            os.pwrite(files.mark, _mark(end), 0)
        finally:
            fcntl.flock(files.mark, fcntl.LOCK_UN)

    def _repair(self, files: _Files) -> None:
        """Carry out again what was decided, when a process or the machine died meanwhile."""
        size = os.fstat(files.journal).st_size
        if os.pread(files.mark, len(_UNFINISHED), 0) == _mark(size):
            return
        with self._explained(_DECIDED):
            texts, sound = self._journaled()
            self._carry_out(files, texts, size)
            if not sound:
                self._checkpoint(files)

    def _journaled(self) -> tuple[dict[str, str | None], bool]:
        """What the journal says, and whether it says it from end to end."""
        texts: dict[str, str | None] = {}
        sound = True
        with open(self._root / ".journal", "rb") as journal:
            for line in filter(bytes.strip, journal):
                decided = _decided(line)
                whole = line.endswith(b"\n")  # else it is torn, and was never acknowledged
                sound = sound and whole and decided is not None
                if decided is not None:
                    _add(texts, decided)
                elif whole:
                    aside = self._root / DAMAGED / f"journal.{os.urandom(3).hex()}"
                    aside.parent.mkdir(exist_ok=True)
                    aside.write_bytes(line)
                    _report(f"A transaction in {self._root / '.journal'} is damaged", aside)
        return texts, sound

    def _checkpoint(self, files: _Files) -> None:
        """Bring to disk all that the journal has replaced, and empty it."""
        try:
            _sync_file_system(files.journal)
        except OSError:
            os.pwrite(files.mark, _UNFINISHED, 0)  # what the disk refused is to be written anew
            raise
        os.ftruncate(files.journal, 0)
        _sync_data(files.journal)
        os.pwrite(files.mark, _mark(0), 0)

    def _apply(self, texts: dict[str, str | None], write: Callable[[str, bytes], None]) -> None:
        for path, text in texts.items():
            if text is not None:
                write(path, _sealed(text))
            elif path.endswith("/"):
                with suppress(FileNotFoundError):
                    shutil.rmtree(f"{self._root}/{path}")
            else:
                Path(f"{self._root}/{path}").unlink(missing_ok=True)

    def _replace(self, path: str, content: bytes) -> None:
        """Who reads meanwhile finds what was there before, or all of what is there now."""
        full = f"{self._root}/{path}"
        beside = f"{full.rpartition('/')[0]}/.writing"
        _write_file(beside, content)
        os.rename(beside, full)

    def _overwrite(self, path: str, content: bytes) -> None:
        """Where it is: only while nobody reads, and what is left half done is done again."""
        _write_file(f"{self._root}/{path}", content)


# --- Texts and bytes ------------------------------------------------------------------------

_SEAL = ',\n  "crc32": "%08x"\n}\n'
_SEAL_BYTES = len(_SEAL % 0)


def _sealed(text: str) -> bytes:
    """A JSON object with its checksum as the last of its fields."""
    body = text.removesuffix("\n}\n").encode()
    return body + (_SEAL % zlib.crc32(body)).encode()


def _unsealed(content: bytes) -> str | None:
    """What was sealed, or None when it isn't that any more."""
    body = content[:-_SEAL_BYTES]
    if content[-_SEAL_BYTES:] != (_SEAL % zlib.crc32(body)).encode():
        return None
    return body.decode() + "\n}\n"


def _line(texts: dict[str, str | None]) -> bytes:
    """A transaction as a line of the journal. It begins with a newline too: when one of two is
    damaged, lines are still told apart."""
    text = json.dumps(texts, ensure_ascii=False).encode()
    return b"\n%08x %s\n" % (zlib.crc32(text), text)


def _decided(line: bytes) -> dict[str, str | None] | None:
    """The transaction of a line, or None when it is damaged."""
    text = line[9:-1]
    if line[:9] != b"%08x " % zlib.crc32(text):
        return None
    texts: dict[str, str | None] = json.loads(text)
    return texts


def _add(texts: dict[str, str | None], later: dict[str, str | None]) -> None:
    """Put later writes and removals after those that there are."""
    for path, text in later.items():
        if path.endswith("/"):
            for below in [p for p in texts if p.startswith(path)]:
                del texts[below]
        texts[path] = text


def _write_file(path: str, content: bytes) -> None:
    """Over what there may be, and cut off behind: to empty a file first makes ext4 wait for the
    disk when it is closed. Plain strings: this is done for every node of every run."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(path.rpartition("/")[0], exist_ok=True)
        descriptor = os.open(path, flags, 0o666)
    try:
        _write_all(descriptor, content, 0)
        if os.lseek(descriptor, 0, os.SEEK_END) > len(content):
            os.ftruncate(descriptor, len(content))
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes, offset: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, offset)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        content, offset = content[written:], offset + written


def _mark(end: int) -> bytes:
    """The journal is carried out up to this byte."""
    return b"%s %14d\n" % (_boot(), end)


@cache
def _boot() -> bytes:
    """Eight bytes for the time since the machine was started, or for this process where that
    can't be known: then each process repairs what the one before it wrote."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        try:
            asked = ["sysctl", "-n", "kern.bootsessionuuid"]
            text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            text = os.urandom(4).hex()
    return f"{text[:8]:08}".encode()


def _sync_file_system(descriptor: int) -> None:
    """Bring to disk whatever was written to the file system of an open file."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):
        os.sync()
    elif library.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _report(what: str, aside: Path) -> None:
    logging.getLogger("seeknal.state").warning(
        "%s: its checksum is wrong. It was moved to %s; what it held is lost, and nothing else.",
        what,
        aside,
    )
