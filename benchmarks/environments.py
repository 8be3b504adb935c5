"""What environments cost: made, promoted, applied four at once.

A new environment of 1,000 unchanged nodes is planned and applied, and one with 1,000 changed nodes
is promoted and rolled back, in SQLite, over a megabyte of data and over a gigabyte. Then four
processes apply four environments at once, each with 998 nodes to compute, in files and in SQLite;
bare is one after the other.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import projects
import timing

from seeknal.workflow.applying import apply_plan, plan_environment
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.promoting import promote, rollback
from seeknal.workflow.proposing import Wanted
from seeknal.workflow.runner import RunRequest, run_project

NODES = 1000
ROWS = {"1 MB": 100, "1 GB": 62_500}
REPETITIONS = 5
MOST_SECONDS = 0.1
SEEKNAL = Path(sys.executable).with_name("seeknal")
NAMES = ("one", "two", "three", "four")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = {size: _moved(Path(folder) / str(rows), rows) for size, rows in ROWS.items()}
        met = all(
            seconds <= MOST_SECONDS
            for of_size in figures.values()
            for seconds in (of_size["made_s"], of_size["promoted_s"])
        )
        timing.report("environments", {"nodes": NODES, **figures, "most_s": 0.1, "met": met})
        at_once = {state: _at_once(Path(folder) / state, state) for state in ("file", "database")}
        timing.report(
            "environments_at_once",
            {**at_once, "met": all(not f["failed"] for f in at_once.values())},
        )


def _moved(root: Path, rows: int) -> dict[str, Any]:
    """Seconds in which environments are made, promoted and rolled back."""
    _write(root, rows, factor=1, state="database")
    with OpenProject(root) as project:
        run_project(project, RunRequest())
    made, promoted, back = [], [], []
    with OpenProject(root) as project:
        for number in range(REPETITIONS + 1):
            made.append(timing.seconds(lambda name=f"e{number}": _make(project, name)))
    _write(root, rows, factor=2, state="database")
    with OpenProject(root) as project:
        _make(project, "dev")
        for _ in range(REPETITIONS):
            plan_environment(project, Wanted("dev"))
            promoted.append(timing.seconds(lambda: promote(project.state, "dev", "prod", keep=10)))
            back.append(timing.seconds(lambda: rollback(project.state, "prod", keep=10)))
    stored = sum(f.stat().st_size for f in (root / "target/snapshots").rglob("*.parquet"))
    seconds = {"made_s": made[1:], "promoted_s": promoted, "rolled_back_s": back}
    return {
        "stored_mb": round(stored / 1e6),
        **{name: round(statistics.median(found), 4) for name, found in seconds.items()},
    }


def _make(project: OpenProject, name: str) -> None:
    plan_environment(project, Wanted(name))
    apply_plan(project, name)


def _at_once(root: Path, state: str) -> dict[str, Any]:
    """Four environments, applied by four processes at once, and by one after the other."""
    bare, bare_codes = _applied(root / "bare", state, at_once=False)
    ours, our_codes = _applied(root / "ours", state, at_once=True)
    failed = sum(code != 0 for code in [*bare_codes, *our_codes])
    return {**timing.compared([ours], [bare]), "failed": failed}


def _applied(root: Path, state: str, *, at_once: bool) -> tuple[float, list[int]]:
    _write(root, 100, factor=1, state=state)
    _call(root, "run")
    for number, name in enumerate(NAMES, start=2):
        _write(root, 100, factor=number, state=state)
        _call(root, "plan", name)
    processes = []

    def apply() -> None:
        for name in NAMES:
            command = [SEEKNAL, "env", "apply", "--force", name]
            processes.append(subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL))
            if not at_once:
                processes[-1].wait()
        for process in processes:
            process.wait()

    seconds = timing.seconds(apply)
    return seconds, [process.returncode for process in processes]


def _call(root: Path, *arguments: str) -> None:
    subprocess.run([SEEKNAL, *arguments], cwd=root, stdout=subprocess.DEVNULL, check=True)


def _write(root: Path, rows: int, *, factor: int, state: str) -> None:
    """A source of rows, and nodes that each read it."""
    projects.write_text(root / "seeknal_project.yml", f"name: environments\nstate: {state}\n")
    sql = f"SELECT range AS id FROM range({rows})"
    projects.write_text(root / "seeknal" / "rows.sql", sql)
    for index in range(NODES - 1):
        read = f"hash(id + {index * factor}) AS value FROM ref('transform.rows')"
        projects.write_text(root / "seeknal" / f"node_{index:04}.sql", f"SELECT {read}")


if __name__ == "__main__":
    main()
