"""Hand tasks to an executor as they become ready.

A task is ready the moment the last of its inputs is done. One that fails takes with it what needs
it, and nothing else.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue

from seeknal.workflow.executor import Executor
from seeknal.workflow.task import NodeResult, Task

Event = str | NodeResult
"""A node id when its task has been handed over, a result when it is known, or STOP."""


STOP = ""
"""The event that asks whoever reads the events to call `stop`."""


class Dispatcher:
    """Runs tasks, given with every one behind its inputs, through an executor.

    Tasks are submitted from whichever thread finishes one, so that nothing that is done about an
    event delays the next task. Events are for one thread to read.
    """

    def __init__(self, tasks: Iterable[Task], executor: Executor) -> None:
        self._executor = executor
        self._tasks = {t.node_id: t for t in tasks}
        self._waiting: dict[str, int] = {}
        self._dependents: dict[str, list[str]] = defaultdict(list)
        self._ready: deque[str] = deque()
        self._unfinished = set(self._tasks)
        self._expected = len(self._tasks)
        self._running = 0
        self._stopped = False
        self._submitting = False
        self._lock = threading.RLock()
        self._events: SimpleQueue[Event] = SimpleQueue()
        for task in self._tasks.values():
            needs = [i for i in task.inputs if i in self._tasks]
            self._waiting[task.node_id] = len(needs)
            for input_id in needs:
                self._dependents[input_id].append(task.node_id)
            if not needs:
                self._ready.append(task.node_id)

    def start(self) -> None:
        """Submit what needs nothing; the rest follows by itself."""
        with self._lock:
            self._submit_ready()

    @property
    def finished(self) -> bool:
        """Whether every task's result has been given out."""
        return not self._expected

    def next_events(self, timeout: float | None = None) -> list[Event]:
        """Wait until something happens, for `timeout` seconds at most, and give all that has."""
        batch: list[Event] = []
        with suppress(Empty):
            batch.append(self._events.get(timeout=timeout))
            while True:
                batch.append(self._events.get_nowait())
        self._expected -= sum(isinstance(event, NodeResult) for event in batch)
        return batch

    def ask_to_stop(self) -> None:
        """Put STOP among the events. Safe in a signal handler, whatever the thread holds."""
        self._events.put(STOP)

    def stop(self) -> None:
        """Submit nothing more. What is running ends as it ends; the rest is interrupted."""
        with self._lock:
            self._stopped = True
            self._ready.clear()
            if not self._running:
                self._interrupt_rest()

    def _submit_ready(self) -> None:
        """Under the lock. Not re-entered by a submit that finishes at once."""
        if self._submitting:
            return
        self._submitting = True
        while self._ready and self._running < self._executor.slots:
            node_id = self._ready.popleft()
            self._running += 1
            self._events.put(node_id)
            try:
                future = self._executor.submit(self._tasks[node_id])
            except Exception as error:
                future = Future()
                future.set_exception(error)
            future.add_done_callback(lambda f, node_id=node_id: self._done(node_id, f))  # type: ignore[misc]
        self._submitting = False

    def _done(self, node_id: str, future: Future[NodeResult]) -> None:
        result = _result(node_id, future)
        with self._lock:
            self._running -= 1
            if self._stopped and result.status == "failed":
                result = NodeResult(node_id, "interrupted", result.snapshot, result.seconds)
            if result.status == "success":
                for dependent in self._dependents[node_id]:
                    self._waiting[dependent] -= 1
                    if not self._waiting[dependent] and not self._stopped:
                        self._ready.append(dependent)
            self._finish(result)
            if result.status == "failed":
                self._skip_dependents(node_id)
            if self._stopped and not self._running:
                self._interrupt_rest()
            self._submit_ready()

    def _finish(self, result: NodeResult) -> None:
        if result.node_id in self._unfinished:
            self._unfinished.discard(result.node_id)
            self._events.put(result)

    def _skip_dependents(self, failed: str) -> None:
        todo = list(self._dependents[failed])
        while todo:
            node_id = todo.pop()
            if node_id in self._unfinished:
                snapshot = self._tasks[node_id].snapshot
                self._finish(NodeResult(node_id, "skipped", snapshot, blocked_by=failed))
                todo += self._dependents[node_id]

    def _interrupt_rest(self) -> None:
        for node_id in [i for i in self._tasks if i in self._unfinished]:
            self._finish(NodeResult(node_id, "interrupted", self._tasks[node_id].snapshot))


def _result(node_id: str, future: Future[NodeResult]) -> NodeResult:
    """What a future holds; an executor that broke has failed the task."""
    try:
        return future.result()
    except BaseException as error:
        message = f"the executor failed: {type(error).__name__}: {error}"
        return NodeResult(node_id, "failed", error=message)
