"""What lies on storage: found, and removed. Only what this engine has written counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from seeknal.dag.fingerprint import PARTS
from seeknal.names import NAME
from seeknal.workflow.engine import Stored
from seeknal_engine_duckdb.part_names import is_part_name
from seeknal_engine_duckdb.storage import DATA_FILE, PARQUET, Entries, Storage, is_beside

_NODE = re.compile(rf"{NAME.pattern}\.{NAME.pattern}")
_SNAPSHOT = re.compile(rf"[0-9a-f]+({PARTS})?")


def find(storage: Storage) -> Iterator[Stored]:
    for node_id, snapshot, entries in storage.folders():
        if _is_ours(node_id, snapshot):
            yield from _in_folder(node_id, snapshot, entries)


def _in_folder(node_id: str, snapshot: str, entries: Entries) -> Iterator[Stored]:
    files = {name: size for name, size in entries.items() if size is not None}
    if DATA_FILE in files or not entries:
        yield Stored(node_id, snapshot, bytes=files.get(DATA_FILE, 0))
    for name, size in files.items():
        part = f"{snapshot}/{name.removesuffix(PARQUET)}"
        if is_beside(name) or (name.endswith(PARQUET) and is_part_name(part)):
            yield Stored(node_id, snapshot, part, size)


def remove(storage: Storage, stored: Iterable[Stored]) -> None:
    folder = itemgetter(0, 1)
    for (node_id, snapshot), together in groupby(sorted(stored), key=folder):
        if _is_ours(node_id, snapshot):
            names = filter(None, [_file_name(one) for one in together])
            there = storage.entries(node_id, snapshot)
            files = [name for name in names if there.get(name) is not None]
            storage.remove(node_id, snapshot, files)


def _file_name(one: Stored) -> str | None:
    """None when there is no such file of this engine."""
    if not one.part:
        return DATA_FILE
    folder, _, name = one.part.rpartition("/")
    if folder != one.snapshot:
        return None
    if is_beside(name):
        return name
    return name + PARQUET if is_part_name(one.part) else None


def _is_ours(node_id: str, snapshot: str) -> bool:
    return bool(_NODE.fullmatch(node_id) and _SNAPSHOT.fullmatch(snapshot))
