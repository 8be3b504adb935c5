"""The contract of executors: plugins that decide where tasks run."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from seeknal.workflow.task import NodeResult, Task


class Executor(Protocol):
    """Runs tasks, for one run. What to run, when, and what a failure means is decided by who
    submits. docs/behaviour/executors.md numbers what it promises."""

    @property
    def slots(self) -> int:
        """How many tasks it can make good use of at once: no more are submitted. It stays what it
        is."""

    def submit(self, task: Task) -> Future[NodeResult]:
        """Begin a task whose inputs are all there. Called by several threads, one at a time: those
        that finish tasks, too.

        Wherever it runs, `seeknal.workflow.worker.execute(task)` does it, and opens project and
        engine by itself. That returns a result, which the future is to give, whatever goes wrong;
        while it says "failed", the task is done again after each of `task.attempts.delays`.
        """

    def interrupt(self) -> None:
        """End what has been submitted as soon as that can be, from another thread, and without
        waiting for it: all futures are done soon, in whichever way. The engine of the process that
        planned is interrupted beside it, and one in another by `seeknal.workflow.worker.interrupt`
        there; nothing more is submitted."""

    def close(self) -> None:
        """Wait for what has been submitted, and let go of everything; harmless when done twice."""
