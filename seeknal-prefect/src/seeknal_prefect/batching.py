"""How many tasks share one Prefect task."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence
from typing import Literal

from seeknal.errors import RequestError
from seeknal.workflow.task import NodeResult, Task

AT_LEAST = 0.25
"""Seconds of nodes' own time that make a Prefect task worth its cost on threads, milliseconds."""

TIMES_ITS_COST = 3
"""How much longer than what a Prefect task costs its nodes should take: a process takes a tenth of
a second and more to begin one."""

MOST = 100
"""Tasks that "auto" puts together at most."""


class Batching:
    """Tasks that wait for a Prefect task, and how many of them share one.

    size: tasks at most, or "auto" for as many as are worth a Prefect task, by what tasks and
    Prefect have taken so far. workers: that are busy at once. grows: a Prefect task that is at
    work takes what becomes ready, one by one; where it can't, it is given its fair share when it
    begins.

    What is retried goes alone, so that what has been done beside it isn't done again.
    """

    def __init__(self, size: int | Literal["auto"], workers: int, grows: bool) -> None:
        if size != "auto" and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
            raise RequestError(f"'batch' should be a whole number from 1, or auto: not {size!r}.")
        self._auto = size == "auto"
        self._most = MOST if size == "auto" else int(size)
        self._workers = workers
        self._grows = grows
        self._seconds, self._done = 0.0, 0
        self._cost = math.inf
        self._waiting: deque[Task] = deque()
        self._changed = threading.Condition()
        self._closed = False

    @property
    def slots(self) -> int:
        """How many tasks are to be had at once, so that batches can be full."""
        return self._workers * self._most

    def add(self, task: Task) -> None:
        """One more waits."""
        with self._changed:
            self._waiting.append(task)
            self._changed.notify()

    def add_again(self, tasks: Sequence[Task]) -> None:
        """These are the next that are taken."""
        with self._changed:
            self._waiting.extendleft(reversed(tasks))

    @property
    def waits(self) -> bool:
        """Whether any does."""
        return bool(self._waiting)

    def close(self) -> None:
        """Nothing more is to be waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> list[Task]:
        """Remove all that waits."""
        with self._changed:
            left = list(self._waiting)
            self._waiting.clear()
            return left

    def note(self, results: Sequence[NodeResult], seconds: float) -> None:
        """A batch has been done. seconds: from when it was handed over to when it came back."""
        own = sum(result.seconds for result in results)
        self._seconds += own
        self._done += len(results)
        self._cost = min(self._cost, seconds - own)

    def take(self, free: int) -> list[Task]:
        """What a new Prefect task is to do, while `free` workers have none; empty when nothing
        waits."""
        with self._changed:
            size, taken = self._share(free), list[Task]()
            while self._waiting and (not taken or (len(taken) < size and self._goes_along(taken))):
                taken.append(self._waiting.popleft())
            return taken

    def grow(self, batch: list[Task], seconds: float) -> Task | None:
        """Add a task to a batch that has taken so many seconds of its own, and return it.

        Waits for one for as long as another Prefect task would cost.
        """
        with self._changed:
            if len(batch) >= self._most or (self._auto and seconds >= self._worth):
                return None
            patience = min(self._cost, AT_LEAST)
            self._changed.wait_for(lambda: self._waiting or self._closed, patience)
            if not self._waiting or not self._goes_along(batch):
                return None
            batch.append(self._waiting.popleft())
            return batch[-1]

    def _goes_along(self, batch: list[Task]) -> bool:
        """Whether the next that waits may be done with these."""
        first, following = batch[0], self._waiting[0]
        if first.attempts.retries or following.attempts.retries:
            return False
        return not self._grows or set(following.tags) <= set(first.tags)

    def _share(self, free: int) -> int:
        """How many of those that wait one of so many workers takes."""
        if self._grows:
            return 1
        share = min(-(-len(self._waiting) // max(free, 1)), self._most)
        if not self._auto:
            return share
        return min(share, int(self._worth * self._done / max(self._seconds, 1e-6)))

    @property
    def _worth(self) -> float:
        """Seconds that the nodes of a Prefect task should take."""
        cost = 0.0 if math.isinf(self._cost) else self._cost
        return max(AT_LEAST, TIMES_ITS_COST * cost)
