"""The executor "local": threads of this process."""

from __future__ import annotations

import os
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

    def submit(self, task: Task) -> Future[NodeResult]:
        from seeknal.workflow.worker import execute

        return self._pool.submit(execute, task)

    def close(self) -> None:
        self._pool.shutdown(wait=True)
