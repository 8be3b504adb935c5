"""Small things done with files in more than one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from seeknal.errors import RequestError

Signature = tuple[int, int, int, int]
"""Size, modification and change times in nanoseconds, inode."""

SETTLED_NS = 50_000_000
"""A file changed less than this ago could change again within one tick of the file system's
clock, and look the same: its signature isn't to be trusted later."""


def signature(path: str | Path) -> Signature:
    """What changes whenever a file's content does. Raises OSError."""
    stat = os.stat(path)
    return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def settled(sign: Signature, now_ns: int) -> bool:
    """Whether a signature that was read at `now_ns` stands for one content only."""
    return max(sign[1], sign[2]) < now_ns - SETTLED_NS


def write_beside(path: Path, text: str) -> None:
    """Replace a file at once: readers see the old text or the new. Not durable by itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def write_new_folder(root: Path, texts: Mapping[str, str]) -> None:
    """Write files by their paths in a new folder. Raises RequestError when there is something in
    its place."""
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise RequestError(f"{root} already exists: choose another name.")
    for path, text in texts.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def make_room(path: Path) -> None:
    """Make the folder of a file that is to be written. Raises RequestError when there can be no
    file by this path."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"{path} can't be written: {error.strerror}, at {path.parent}."
        ) from None
    if path.is_dir():
        raise RequestError(f"{path} can't be written: it is a folder. Name a file in it.")


def sync(path: str | Path) -> None:
    """Bring a file's content, or a folder's entries, to disk before returning."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
