"""A backfill of a year of days on Prefect: four workers against one, processes or Dask's.

Of days that are computed in a moment, where the machine's processors are the limit, and of days
that take 200 ms of waiting, as for another system. `batch: auto` everywhere.

    python prefect_backfill.py [processes|dask]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import prefect_server
import projects
import timing

from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.runner import RunRequest, run_project

DAYS = 365
WORKERS = 4
FASTER = 3.0
SETTINGS = """\
name: backfill
executor:
  name: prefect
  prefect: {{task_runner: {}, workers: {}, batch: auto}}
"""
NODE = """\
import time
from seeknal.pipeline import transform

@transform(
    inputs=["source.rows"], schedule="@daily", start="2023-01-01", end="2023-12-31",
    incremental={{"time_column": "day"}},
)
def daily(ctx):
    time.sleep({})
    days = "SELECT DATE '2023-01-01' + CAST(id AS INTEGER) AS day, value FROM source.rows"
    start, end = ctx.interval
    return ctx.duckdb.sql(f"FROM ({{days}}) WHERE day >= '{{start:%F}}' AND day < '{{end:%F}}'")
"""


def main() -> None:
    task_runner = sys.argv[1] if len(sys.argv) > 1 else "processes"
    with prefect_server.serving() as rest:
        figures = {}
        for name, waits in (("computed", 0.0), ("waiting", 0.2)):
            four, one = [], []
            for workers, times in ((WORKERS, four), (1, one)):
                rest()
                times.append(_backfill(task_runner, workers, waits))
            figures[name] = timing.compared(four, one)
    most = round(1 / FASTER, 3)
    met = figures["waiting"]["ratio"] <= most
    timing.report(
        "prefect_backfill",
        {"days": DAYS, "task_runner": task_runner, **figures, "target": most, "met": met},
    )


def _backfill(task_runner: str, workers: int, waits: float) -> float:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "project")
        projects.write_run_project(root, {})
        settings: dict[str, Any] = {
            "seeknal_project.yml": SETTINGS.format(task_runner, workers),
            "seeknal/daily.py": NODE.format(waits),
        }
        for path, text in settings.items():
            (root / path).write_text(text, encoding="utf-8")
        return timing.seconds(lambda: _run(root))


def _run(root: Path) -> None:
    with OpenProject(root) as project:
        summary = run_project(project, RunRequest(select="+transform.daily"))
    if summary.status != "success" or len(summary.results) != DAYS + 1:
        raise RuntimeError(f"{summary.status}: {len(summary.results) - 1} days computed")


if __name__ == "__main__":
    main()
