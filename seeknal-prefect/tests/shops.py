"""Projects to run on Prefect."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seeknal.workflow.holdings import shown
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import tables_of
from seeknal.workflow.runner import RunRequest, run_project
from seeknal.workflow.task import RunSummary

DAYS = 5


class Project:
    """A folder, and what tests do with it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, executor: str | None = None, **request: Any) -> RunSummary:
        with OpenProject(self.root) as project:
            project.run_on(executor)
            return run_project(project, RunRequest(**request))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with OpenProject(self.root) as project:
            return list(project.engine.query(sql, tables_of(project, "prod")).rows)

    @property
    def pointers(self) -> dict[str, str]:
        with OpenProject(self.root) as project:
            return dict(project.environment("prod").pointers)

    @property
    def stored(self) -> dict[str, str]:
        """A hash of every file below its snapshots."""
        folder = self.root / "target" / "snapshots"
        return {
            file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }


class Shop(Project):
    """Orders, what they came to a day, and what is made from that."""

    def __init__(self, root: Path, settings: str = "", state: str = "file") -> None:
        super().__init__(root)
        self.write("seeknal_project.yml", f"name: shop\nstate: {state}\n{settings}")
        rows = [f"{n},2024-01-0{n % DAYS + 1},{n * 10}" for n in range(20)]
        self.write("orders.csv", "\n".join(["id,day,amount", *rows]) + "\n")
        self.write(
            "seeknal/orders.yml", "kind: source\nname: orders\nsource: csv\ntable: orders.csv\n"
        )
        self.sql(
            "daily",
            "SELECT CAST(day AS DATE) AS day, sum(amount) AS amount FROM ref('source.orders') "
            "WHERE day >= {{ start }} AND day < {{ end }} GROUP BY ALL",
            "schedule: '@daily'\nstart: 2024-01-01\nend: 2024-01-05\n"
            "incremental: {time_column: day}\ntags: [money]\n",
        )
        self.sql("total", "SELECT sum(amount) AS amount FROM ref('transform.daily')")
        self.sql("largest", "SELECT max(amount) AS amount FROM ref('source.orders')")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def sql(self, name: str, sql: str, front: str = "") -> None:
        head = f"/*\n---\n{front}---\n*/\n" if front else ""
        self.write(f"seeknal/{name}.sql", f"{head}{sql}\n")

    @property
    def intervals(self) -> list[Any]:
        """What `transform.daily` holds, with the names of its parts."""
        with OpenProject(self.root) as project:
            pointer = project.environment("prod").pointers["transform.daily"]
            return list(shown(project.state, "transform.daily", pointer))


def until(true: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something is so, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it has not happened"
        time.sleep(0.3)
    return found
