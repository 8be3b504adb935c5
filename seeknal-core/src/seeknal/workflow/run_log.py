"""The listener "run-log": everything that happens in a run, in `target/logs/<run id>.log`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from seeknal.errors import count
from seeknal.hookspecs import hookimpl
from seeknal.names import TARGET_FOLDER

if TYPE_CHECKING:
    from seeknal.workflow.plan import Plan
    from seeknal.workflow.task import NodeResult, RunInfo, RunSummary, Task


class RunLog:
    """Writes the full log of a run to target/logs, with tracebacks"""

    def __init__(self) -> None:
        self._files: dict[str, TextIO] = {}

    @hookimpl
    def seeknal_run_started(self, run: RunInfo, plan: Plan) -> None:
        folder = run.root / TARGET_FOLDER / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        self._files[run.run_id] = (folder / f"{run.run_id}.log").open("w", encoding="utf-8")
        self._write(run, f"run of {run.project} in {run.environment}: {len(plan.tasks)} to do")
        for task in plan.tasks:
            self._write(run, f"to do: {task.name} -> {task.snapshot or 'known when it is ready'}")

    @hookimpl
    def seeknal_node_started(self, run: RunInfo, node_id: str, task: Task) -> None:
        self._write(run, f"started: {task.name}")

    @hookimpl
    def seeknal_node_finished(self, run: RunInfo, result: NodeResult) -> None:
        facts = [f"{result.seconds:.3f} s"]
        if result.rows is not None:
            facts.append(f"{count(result.rows, 'row')}, {result.bytes} bytes")
        if result.blocked_by:
            facts.append(f"needs {result.blocked_by}")
        if result.error:
            facts.append(f"{result.place}: {result.error}")
        self._write(run, f"{result.status}: {result.task}: {'; '.join(facts)}")
        if result.detail:
            self._write(run, result.detail)

    @hookimpl
    def seeknal_run_finished(self, run: RunInfo, summary: RunSummary) -> None:
        self._write(run, f"{summary.status} after {summary.seconds:.3f} s")
        self._files.pop(run.run_id).close()

    def _write(self, run: RunInfo, text: str) -> None:
        file = self._files[run.run_id]
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        file.write(f"{stamp}.{int(now % 1 * 1000):03}Z {text}\n")
        file.flush()


listener = RunLog()
