"""The files that sources read: where they are, and what version of data they hold."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path

from seeknal.dag.manifest import Node
from seeknal.errors import BuildError
from seeknal.files import Signature, settled, signature, write_beside
from seeknal.project.parsed import FILE_FORMATS


def reads_files(node: Node) -> bool:
    """Whether a node is a source whose data lies in files of the project."""
    return node.config.get("source") in FILE_FORMATS


def files_of(root: Path, node: Node) -> list[Path]:
    """The files that a source reads, sorted. Raises BuildError when there are none."""
    table: str = node.config["table"]
    if any(c in table for c in "*?["):
        found = sorted(p for p in root.glob(table) if p.is_file())
        if not found:
            raise BuildError(f"no file matches {table!r} in {root}")
        return found
    path = root / table
    if path.is_dir():
        raise BuildError(f"{table!r} is a folder: write a glob, as {table.rstrip('/')}/*.csv")
    if not path.is_file():
        raise BuildError(f"there is no file {table!r} in {root}")
    return [path]


class ContentVersions:
    """Hashes of files' contents. One that was computed is kept while the file stays as it was."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._known: dict[str, tuple[Signature, str]] = {}
        self._changed = False
        try:
            stored = json.loads(cache.read_text(encoding="utf-8"))
            self._known = {p: (tuple(sign), digest) for p, (sign, digest) in stored.items()}
        except (OSError, ValueError, TypeError):
            pass

    def of(self, root: Path, files: Iterable[Path]) -> str:
        """The version of the data in these files: of their contents and names."""
        parts = [[p.relative_to(root).as_posix(), self._digest(p)] for p in files]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _digest(self, path: Path) -> str:
        sign = signature(path)
        known = self._known.get(str(path))
        if known and known[0] == sign:
            return known[1]
        now = time.time_ns()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if settled(sign, now) and signature(path) == sign:
            self._known[str(path)] = (sign, digest)
            self._changed = True
        return digest

    def save(self) -> None:
        if not self._changed:
            return
        try:
            write_beside(self._cache, json.dumps(self._known))
        except OSError:
            pass  # a cache that can't be written costs time, and nothing else
