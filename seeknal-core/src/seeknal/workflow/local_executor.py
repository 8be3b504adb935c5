"""The executor "local": threads of this process."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from seeknal.errors import RequestError
from seeknal.workflow.task import NodeResult, Task


class LocalExecutor:
    """workers: tasks that run at once; as many as this machine has processors by default."""

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise RequestError(f"'workers' should be a whole number from 1, and not {workers!r}.")
        self.slots = workers or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self.slots, thread_name_prefix="seeknal-worker")
        self._interrupted = threading.Event()

    def submit(self, task: Task) -> Future[NodeResult]:
        return self._pool.submit(self._try, task)

    def _try(self, task: Task) -> NodeResult:
        from seeknal.workflow.worker import execute

        result = execute(task)
        for delay in task.attempts.delays:
            if result.status == "success" or self._interrupted.wait(delay):
                break
            result = execute(task)
        return result

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        self._pool.shutdown(wait=True)
