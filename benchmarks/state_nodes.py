"""10,000 node states written, one by one and in one transaction, and read back.

Bare is the same rows through `sqlite3`, into the same tables with the same pragmas, and the same
texts in files. Its rows and texts are made before it is measured, and its rows are left as they
are read. For information, also against a bare side that turns times into text and back.
Every repetition writes to a store of its own, and nothing is deleted until all is measured: on
ext4 without a journal, that makes it slow to create files for some minutes.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bare_states
import states
import timing

from seeknal.state.backend import StateBackend

NODES = 10_000
REPETITIONS = {"one_by_one": 7, "together": 9, "read": 25}
CALLS = states.calls(NODES)
MOST = {
    "sqlite": {"one_by_one": 2.5, "together": 1.5, "read": 2.0},
    "file": {"one_by_one": 2.0, "together": 1.5, "read": 2.0},
}

NewFolder = Callable[[], Path]
Sides = dict[str, timing.Side]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:

        def new_folder() -> Path:
            return Path(tempfile.mkdtemp(dir=folder))

        measured = {
            "sqlite": _measure(_sqlite(new_folder), MOST["sqlite"]),
            "file": _measure(_file(new_folder), MOST["file"]),
        }
    met = all(figures["met"] for backend in measured.values() for figures in backend.values())
    timing.report("state_nodes", {"nodes": NODES, **measured, "met": met})


def _measure(kinds: Mapping[str, Sides], most: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    figures = {}
    for kind, sides in kinds.items():
        times = timing.interleaved(sides, REPETITIONS[kind])
        ours, bare = times.pop("ours"), times.pop("bare")
        others = {name: timing.compared(ours, other) for name, other in times.items()}
        figures[kind] = {**timing.judged(ours, bare, most[kind]), **others}
    return figures


def _sqlite(new_folder: NewFolder) -> dict[str, Sides]:
    rows = list(bare_states.rows(states.RUN, CALLS))
    filled = _filled("sqlite", new_folder())

    def with_tables() -> Path:
        folder = new_folder()
        with states.opened("sqlite", folder):
            return folder

    def bare(folder: NewFolder, work: Callable[[sqlite3.Connection], object]) -> timing.Side:
        def side() -> float:
            with bare_states.connected(folder() / "state.db") as connection:
                return timing.seconds(lambda: work(connection))

        return side

    return {
        "one_by_one": {
            "ours": _ours("sqlite", new_folder, _one_by_one),
            "bare": bare(with_tables, lambda db: bare_states.upsert_each(db, rows)),
        },
        "together": {
            "ours": _ours("sqlite", new_folder, _together),
            "bare": bare(with_tables, lambda db: bare_states.upsert_together(db, rows)),
            "with_times": bare(
                with_tables,
                lambda db: bare_states.upsert_together(db, bare_states.rows(states.RUN, CALLS)),
            ),
        },
        "read": {
            "ours": _ours("sqlite", lambda: filled, _read),
            "bare": bare(lambda: filled, lambda db: bare_states.select(db, states.RUN)),
            "with_times": bare(
                lambda: filled, lambda db: bare_states.select_with_times(db, states.RUN)
            ),
        },
    }


def _file(new_folder: NewFolder) -> dict[str, Sides]:
    filled = _filled("file", new_folder())
    (states_folder,) = (filled / "state" / "nodes").iterdir()
    texts = {path.name: path.read_bytes() for path in sorted(states_folder.iterdir())}

    def bare(folder: NewFolder, work: Callable[[str], object]) -> timing.Side:
        def side() -> float:
            place = str(folder())
            return timing.seconds(lambda: work(place))

        return side

    return {
        "one_by_one": {
            "ours": _ours("file", new_folder, _one_by_one),
            "bare": bare(new_folder, lambda place: bare_states.write_each(place, texts)),
        },
        "together": {
            "ours": _ours("file", new_folder, _together),
            "bare": bare(new_folder, lambda place: bare_states.write_together(place, texts)),
        },
        "read": {
            "ours": _ours("file", lambda: filled, _read),
            "bare": bare(lambda: states_folder, bare_states.read_all),
        },
    }


def _ours(name: str, folder: NewFolder, work: Callable[[StateBackend], object]) -> timing.Side:
    def side() -> float:
        with states.opened(name, folder()) as backend:
            return timing.seconds(lambda: work(backend))

    return side


def _one_by_one(backend: StateBackend) -> None:
    states.set_each(backend, CALLS)


def _together(backend: StateBackend) -> None:
    with backend.transaction():
        states.set_each(backend, CALLS)


def _read(backend: StateBackend) -> None:
    if len(backend.list_node_states(states.RUN)) != NODES:
        raise RuntimeError("node states are missing")


def _filled(name: str, folder: Path) -> Path:
    with states.opened(name, folder) as backend:
        _together(backend)
    return folder


if __name__ == "__main__":
    main()
