"""Node states to measure with, and the backends that keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from seeknal.state.backend import StateBackend
from seeknal_state_db.backend import DatabaseBackend
from seeknal_state_file.backend import FileBackend

RUN = "20260131T060000-4f2a91"
FIRST_START = datetime(2026, 1, 31, 6, tzinfo=UTC)

Call = tuple[str, dict[str, Any]]
"""The id of a node, and the fields that are set."""

BACKENDS: Mapping[str, Callable[[str], StateBackend]] = {
    "file": lambda folder: FileBackend(Path(folder)),
    "sqlite": lambda folder: DatabaseBackend(Path(folder, "state.db")),
    "turso": lambda folder: DatabaseBackend(url=f"turso:///{folder}/state.db"),
    "postgresql": lambda url: DatabaseBackend(url=url),
}


def calls(count: int, prefix: str = "node") -> list[Call]:
    """What is recorded of nodes that went well."""
    return [(f"transform.{prefix}_{index:05}", _fields(index)) for index in range(count)]


def _fields(index: int) -> dict[str, Any]:
    started = FIRST_START + timedelta(milliseconds=137 * index)
    return {
        "status": "success",
        "snapshot": hashlib.sha256(str(index).encode()).hexdigest()[:32],
        "started_at": started,
        "finished_at": started + timedelta(milliseconds=73),
        "seconds": round(0.05 + index * 1.7e-6, 6),
        "rows": 1000 + index,
        "bytes": 40_000 + 31 * index,
        "error": None,
    }


@contextmanager
def opened(name: str, place: str | Path) -> Iterator[StateBackend]:
    """A backend that is ready, and has the run. place: a folder, or a URL."""
    backend = BACKENDS[name](str(place))
    backend.initialize()
    if backend.get_run(RUN) is None:
        backend.create_run(RUN)
    try:
        yield backend
    finally:
        backend.close()


def set_each(backend: StateBackend, many: Iterable[Call]) -> None:
    for node_id, fields in many:
        backend.set_node_state(RUN, node_id, **fields)
