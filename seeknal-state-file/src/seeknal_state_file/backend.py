"""Runs, node states, intervals and environments as JSON files below `<base path>/state/`.

runs/<run>.json
nodes/<run>/<node>.json
intervals/<node>/<snapshot>/<month>.json
holdings/<node>/<pointer>.json
environments/<name>.json
revisions/<environment>/<number>.json
locks/<name>.json
about/schema.json
about/tokens.json

A name of a file is the name of what is in it, where that is of small letters, digits and `_.-`;
anything else is written as `%` and two digits, and a long name ends in a hash of all of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from seeknal.state.documents import Document, DocumentBackend, Key
from seeknal_state_file import version_1
from seeknal_state_file.store import Store

LONGEST_NAME = 120
"""Bytes: twice as much and a suffix still make a file name everywhere."""


class FileBackend(DocumentBackend):
    """base_path: the folder below which state is kept, in a folder of its own.

    Several threads and processes on one machine may use it.
    """

    def __init__(self, base_path: Path = Path("target")) -> None:
        super().__init__()
        self._root = Path(base_path) / "state"
        self._store = Store(self._root)

    def __repr__(self) -> str:
        return f"FileBackend({str(self._root)!r})"

    def initialize(self) -> None:
        if version_1.is_at(self._root):
            with self._writing():
                self._upgrade()
        super().initialize()

    def _upgrade(self) -> None:
        if version_1.is_at(self._root):  # no other process was quicker
            for folder in version_1.folders(self._root):
                self._store.remove(folder)
            self.restore(version_1.records(self._root))

    def close(self) -> None:
        with self._thread:
            self._store.close()

    def _exclusive(self) -> AbstractContextManager[None]:
        return self._store.writing()

    def _view(self) -> AbstractContextManager[None]:
        return self._store.view()

    def _read(self, key: Key) -> Document | None:
        text = self._store.read(_path(*key))
        return json.loads(text) if text else None

    def _documents(self, *prefix: str) -> Iterator[Document]:
        for path in self._store.paths("/".join(map(file_name, prefix))):
            text = self._store.read(path)
            if text:
                yield json.loads(text)

    def _write(self, key: Key, document: Document) -> None:
        fields = _encode(document)
        self._store.write(_path(*key), f"{{\n  {fields[1:-1]}\n}}\n")

    def _delete(self, *prefix: str) -> None:
        path = _path(*prefix)
        self._store.remove(path)
        folder = path.removesuffix(".json")
        if self._store.paths(folder):
            self._store.remove(f"{folder}/")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",\n  ", ": ")).encode


def _path(*key: str) -> str:
    return "/".join(map(file_name, key)) + ".json"


@lru_cache(maxsize=100_000)
def file_name(name: str) -> str:
    """A name for a file or folder: another one for every name, also where `A` and `a` are one
    file. It never ends as files do, so no folder has the name of a file."""
    encoded = re.sub(r"[^a-z0-9_.-]|^\.|\.(?=json\Z)|^$", _percent, name)
    if len(encoded) > LONGEST_NAME:
        return f"{encoded[:LONGEST_NAME]}~{sha256(name.encode()).hexdigest()}"
    return encoded


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02x}" for byte in match[0].encode()) or "%"
