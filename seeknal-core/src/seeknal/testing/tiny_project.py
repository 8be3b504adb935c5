"""A project that needs nothing but the core: its engine is SQLite, its state the process's."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from seeknal.dag.manifest import ONCE, Attempts
from seeknal.state.intervals import Interval
from seeknal.workflow.task import Task

DAYS = 6
RUN = "a-run"
NODES = f'''\
"""Each of them leaves a file in the folder `done` whenever it is done."""

import os
import signal
import sys
import time
from pathlib import Path

from seeknal.pipeline import source, transform

DONE = Path(__file__).parents[1] / "done"


def note(name):
    (DONE / f"{{name}} {{os.getpid()}} {{time.monotonic_ns()}}").touch()


@source()
def numbers(ctx):
    note("numbers")
    return [{{"n": 1}}, {{"n": 2}}]


@transform(
    inputs=["source.numbers"],
    schedule="@daily",
    start="2024-01-01",
    end="2024-01-{DAYS:02}",
    incremental={{"time_column": "day"}},
)
def daily(ctx):
    day = ctx.interval.start
    note(f"daily {{day.day}}")
    return [{{"day": day.isoformat(), "n": day.day}}]


@transform(inputs=["source.numbers"])
def bad(ctx):
    note("bad")
    raise LookupError("no such thing")


@transform(inputs=["source.numbers"])
def flaky(ctx):
    note("flaky")
    if len(list(DONE.glob("flaky *"))) < 3:
        raise LookupError("not yet")
    return ctx.ref("source.numbers")


@transform(inputs=["source.numbers"])
def takes_a_while(ctx):
    time.sleep(0.3)
    note("takes_a_while")
    return ctx.ref("source.numbers")


@transform(inputs=["source.numbers"])
def leaves(ctx):
    sys.exit("I leave")


@transform(inputs=["source.numbers"])
def deadly(ctx):
    os.kill(os.getpid(), signal.SIGKILL)
'''
SQL = {
    "doubled": "SELECT 2 * n AS n FROM ref('source.numbers')",
    "total": "SELECT sum(n) AS n FROM ref('transform.daily')",
    "behind_bad": "SELECT n FROM ref('transform.bad')",
    "endless": "WITH RECURSIVE more(n) AS (SELECT n FROM ref('source.numbers') "
    "UNION ALL SELECT n + 1 FROM more) SELECT count(*) AS n FROM more",
}
ENGINE = {
    "METADATA": "Metadata-Version: 2.1\nName: seeknal-testing-engine\nVersion: 1\n",
    "entry_points.txt": "[seeknal.engine]\nsqlite = seeknal.testing.sqlite_engine\n",
}
"""Announces the engine as an installed distribution would, to whatever process is told the path."""


class TinyProject:
    """In a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("seeknal_project.yml", "name: tiny\nengine: sqlite\n")
        self.write("seeknal/nodes.py", NODES)
        for name, sql in SQL.items():
            self.write(f"seeknal/{name}.sql", sql)
        (root / "done").mkdir()

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    @property
    def done(self) -> Counter[str]:
        """How often each Python node was begun; of `daily`, each of its days."""
        return Counter(file.name.rsplit(" ", 2)[0] for file in (self.root / "done").iterdir())

    def place(self, text: str) -> str:
        """File and line of a text in the Python nodes."""
        line = NODES[: NODES.index(text)].count("\n") + 1
        return f"seeknal/nodes.py:{line}"

    def task(self, node: str, attempts: Attempts = ONCE, run_id: str = RUN, **more: Any) -> Task:
        """To compute a node's snapshot "1" from its inputs'. more: fields of `Task`."""
        kind = "source" if node == "numbers" else "transform"
        inputs = {} if node == "numbers" else {"source.numbers": "1"}
        return Task(
            str(self.root), "prod", run_id, f"{kind}.{node}", "1", inputs, attempts=attempts, **more
        )

    def days(self, needs: Sequence[str] = (), run_id: str = RUN) -> list[Task]:
        """The batches of `daily`, one a day."""
        first = datetime(2024, 1, 1, tzinfo=UTC)
        starts = [first + timedelta(days=n) for n in range(DAYS)]
        task = self.task
        return [
            task("daily", run_id=run_id, name=f"day {start.day}", needs=needs,
                 interval=Interval(start, start + timedelta(days=1)))
            for start in starts
        ]  # fmt: skip


def announce_engine(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process, and those that it starts, find the engine "sqlite"."""
    folder = site / "seeknal_testing_engine-1.dist-info"
    folder.mkdir(parents=True)
    for name, text in ENGINE.items():
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    paths = filter(None, [os.environ.get("PYTHONPATH"), str(site)])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
