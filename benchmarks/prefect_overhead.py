"""What a run on Prefect costs above Prefect's own tasks: 200 small SQL nodes.

In layers of ten, where ten can be done at the same time, and in layers of a hundred. Ours is a
fresh project run on Prefect's threads, each node a task, and with `batch: auto`. Bare is the same
DAG of Prefect tasks that do nothing, in a flow, plus what the nodes take by themselves in a local
run.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import prefect_server
import projects
import timing

from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.runner import RunRequest, run_project

NODES = 200
WORKERS = os.cpu_count() or 1
REPETITIONS = 5
MOST = 1.2
FASTER = 3.0
WIDTHS = (10, 100)
SETTINGS = "name: overhead\nexecutor: {{name: local, prefect: {{workers: {}, batch: {}}}}}\n"


def main() -> None:
    with prefect_server.serving() as rest:
        figures = {
            f"layers_of_{width}": _measure(projects.layers(NODES, width), rest) for width in WIDTHS
        }
    met = all(f["met"] and f["batched"]["met"] for f in figures.values())
    timing.report("prefect_overhead", {"nodes": NODES, **figures, "met": met})


def _measure(inputs: projects.Inputs, rest: Callable[[], None]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "project")
        projects.write_run_project(root, inputs)

        def ours(batch: object) -> timing.Side:
            def side() -> float:
                rest()
                return _run(root, "prefect", batch)[0]

            return side

        def bare() -> float:
            own = _run(root, "local", 1)[1]
            rest()
            return own + _no_ops(inputs)

        sides = {"ours": ours(1), "batched": ours("auto"), "bare": bare}
        times = timing.interleaved(sides, REPETITIONS)
    batched = timing.judged(times["batched"], times["ours"], round(1 / FASTER, 3))
    return {**timing.judged(times["ours"], times["bare"], MOST), "batched": batched}


def _run(root: Path, executor: str, batch: object) -> tuple[float, float]:
    """Seconds of a run from nothing, and of its nodes by themselves."""
    projects.put_away(root / "target", root.with_name("old"))
    (root / "seeknal_project.yml").write_text(SETTINGS.format(WORKERS, batch), encoding="utf-8")
    summaries: list[Any] = []

    def run() -> None:
        with OpenProject(root) as project:
            project.run_on(executor)
            summaries.append(run_project(project, RunRequest()))

    taken = timing.seconds(run)
    (summary,) = summaries
    if summary.count("success") != NODES + 1:
        raise RuntimeError(f"{summary.status}: {summary.count('success')} nodes computed")
    return taken, sum(result.seconds for result in summary.results.values())


def _no_ops(inputs: projects.Inputs) -> float:
    """Seconds of the same DAG, of tasks that do nothing, until its flow run is Completed: there
    Prefect itself waits for up to a second more."""
    from prefect import flow, task
    from prefect.task_runners import ThreadPoolTaskRunner

    @task(name="no-op", persist_result=False)
    def no_op() -> None:
        pass

    def over(flow: object, flow_run: object, state: object) -> None:
        ended.append(time.perf_counter())

    @flow(
        task_runner=ThreadPoolTaskRunner(max_workers=WORKERS),
        persist_result=False,
        on_completion=[over],
    )
    def no_ops() -> None:
        futures = {"source.rows": no_op.submit()}
        for name, read in inputs.items():
            futures[f"transform.{name}"] = no_op.submit(wait_for=[futures[i] for i in read])
        for future in futures.values():
            future.wait()

    ended: list[float] = []
    started = time.perf_counter()
    no_ops()
    return ended[0] - started


if __name__ == "__main__":
    main()
