"""How many tasks share one Prefect task."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Literal

from seeknal.errors import RequestError
from seeknal.workflow.task import NodeResult, Task

AT_LEAST = 0.1
"""Seconds of nodes' own time that make a Prefect task worth its cost on threads, milliseconds."""

TIMES_ITS_COST = 3
"""How much longer than what a Prefect task costs its nodes should take: a process takes a tenth of
a second and more to begin one."""

MOST = 50
"""Tasks that "auto" puts together at most: their results come when all are done."""


class Batching:
    """size: tasks at most, or "auto" for as many as are worth a Prefect task, by what tasks and
    Prefect have taken so far. workers: that are busy at once.

    What is retried goes alone, so that what has been done beside it isn't done again.
    """

    def __init__(self, size: int | Literal["auto"], workers: int) -> None:
        if size != "auto" and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
            raise RequestError(f"'batch' should be a whole number from 1, or auto: not {size!r}.")
        self._auto = size == "auto"
        self._most = MOST if size == "auto" else int(size)
        self._workers = workers
        self._seconds, self._done = 0.0, 0
        self._cost = math.inf

    @property
    def slots(self) -> int:
        """How many tasks are to be had at once, so that batches can be full."""
        return self._workers * self._most

    def note(self, results: Sequence[NodeResult], seconds: float) -> None:
        """A batch has been done. seconds: from when it was handed over to when it came back."""
        own = sum(result.seconds for result in results)
        self._seconds += own
        self._done += len(results)
        self._cost = min(self._cost, seconds - own)

    def take(self, waiting: deque[Task], free: int) -> list[Task]:
        """Remove the next batch from those that wait: a fair share for each of `free` workers."""
        share = -(-len(waiting) // max(free, 1))
        size = min(share, self._most, self._worth())
        taken = [waiting.popleft()]
        while waiting and len(taken) < size and _goes_along(taken[0]) and _goes_along(waiting[0]):
            taken.append(waiting.popleft())
        return taken

    def _worth(self) -> int:
        if not self._auto:
            return self._most
        if not self._done:
            return 1
        worth = max(AT_LEAST, TIMES_ITS_COST * self._cost)
        return max(1, int(worth * self._done / max(self._seconds, 1e-6)))


def _goes_along(task: Task) -> bool:
    return not task.attempts.retries
