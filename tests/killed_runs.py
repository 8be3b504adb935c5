"""Run a project in children that are killed at random moments; a script for test_crash.py.

    python killed_runs.py PROJECT SEED COUNT

Each child runs the project with another parameter, so that all nodes are new. After each kill the
state must be readable, everything that an environment points at must be there, and finishing the
run must give what an undisturbed run gives. Prints how many children were killed at work.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import seeknal_engine_duckdb.engine  # noqa: F401  so that children begin with the work
import seeknal_state_file.backend  # noqa: F401
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import tables_of
from seeknal.workflow.runner import RunRequest, run_project

NODES = 12


def make_project(root: Path) -> None:
    (root / "seeknal").mkdir(parents=True)
    (root / "data").mkdir()
    (root / "data/start.csv").write_text("x\n" + "\n".join(map(str, range(500))) + "\n")
    (root / "seeknal/n0.yml").write_text(
        "kind: source\nname: n0\nsource: csv\ntable: data/start.csv\n"
    )
    for i in range(1, NODES):
        kind = "source" if i == 1 else "transform"
        (root / f"seeknal/n{i}.sql").write_text(
            f"select x + {{{{ params.step }}}} as x from ref('{kind}.n{i - 1}')"
        )


def set_step(root: Path, step: int) -> None:
    (root / "seeknal_project.yml").write_text(f"name: killed\nparams:\n  step: {step}\n")


def run_in_child(root: Path) -> int:
    child = os.fork()
    if child == 0:
        with OpenProject(root) as project:
            run_project(project, RunRequest())
        os._exit(0)
    return child


def kill_after(child: int, seconds: float) -> bool:
    """Whether it was still at work."""
    time.sleep(seconds)
    finished, _ = os.waitpid(child, os.WNOHANG)
    if finished:
        return False
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def check_readable(root: Path) -> None:
    """Nothing that is visible is torn, and everything that is pointed at is there."""
    child = os.fork()
    if child == 0:
        with OpenProject(root) as project:
            for run in project.state.list_runs():
                project.state.list_node_states(run.run_id)
            environment = project.state.get_environment("prod")
            if environment is not None and environment.pointers:
                tables = tables_of(project, "prod")
                assert project.engine.existing(tables.values()) == set(tables.values())
                for node_id in tables:
                    (row,) = project.engine.query(f"select count(*) from {node_id}", tables).rows
                    assert row == (500,), (node_id, row)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status


def check_finished(root: Path, step: int) -> None:
    child = os.fork()
    if child == 0:
        with OpenProject(root) as project:
            summary = run_project(project, RunRequest())
            assert summary.status == "success", summary
            sql = f"select sum(x), count(*) from transform.n{NODES - 1}"
            (row,) = project.engine.query(sql, tables_of(project, "prod")).rows
            total = sum(range(500)) + 500 * step * (NODES - 1)
            assert row == (total, 500), (row, total)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status


def main(root: Path, seed: int, count: int) -> None:
    chance = random.Random(seed)
    make_project(root)
    set_step(root, 0)
    started = time.monotonic()
    os.waitpid(run_in_child(root), 0)
    whole = time.monotonic() - started
    killed = 0
    for step in range(1, count + 1):
        set_step(root, step)
        killed += kill_after(run_in_child(root), chance.uniform(0.0, whole))
        check_readable(root)
        if chance.random() < 0.5:
            check_finished(root, step)
    check_finished(root, count)
    print(killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
