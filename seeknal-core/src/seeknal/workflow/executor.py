"""The contract of executors: plugins that decide where tasks run."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from seeknal.workflow.task import NodeResult, Task


class Executor(Protocol):
    """Runs tasks. What to run, when, and what a failure means is decided by who submits."""

    @property
    def slots(self) -> int:
        """How many tasks it can make good use of at once."""

    def submit(self, task: Task) -> Future[NodeResult]:
        """Begin a task whose inputs are all there.

        Wherever it runs, `seeknal.workflow.worker.execute(task)` does it, and opens project and
        engine by itself.
        """

    def interrupt(self) -> None:
        """End what has been submitted as soon as that can be, from another thread. The engine of
        the process that planned is interrupted beside it; nothing more is submitted."""

    def close(self) -> None:
        """Wait for what is running, and let go of everything; harmless when done twice."""
