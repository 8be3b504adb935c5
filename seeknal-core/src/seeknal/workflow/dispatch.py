"""Hand tasks to an executor as they become ready.

A task is ready the moment the last of those that it needs is done. One that fails takes with it
what needs it, and nothing else.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from queue import Empty, SimpleQueue
from typing import Literal

from seeknal.workflow.executor import Executor
from seeknal.workflow.task import NodeResult, Task


class _Asked(Enum):
    STOP = auto()


STOP = _Asked.STOP
"""The event that asks whoever reads the events to call `stop`."""

Event = Task | NodeResult | Literal[_Asked.STOP]
"""A task that has been handed over, a result that is known, or STOP."""

Complete = Callable[[Task], Task | NodeResult]
"""What a task that is ready comes to: itself, with what is known now, or its result at once."""


class Dispatcher:
    """Runs tasks, given with every one behind those that it needs, through an executor.

    complete: asked about every task before it is handed over. note: told every result of a task
    that ended well, before those that need it are completed. Both are called by one thread at a
    time.

    Tasks are submitted from whichever thread finishes one, so that nothing that is done about an
    event delays the next task. Events are for one thread to read.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        executor: Executor,
        complete: Complete = lambda task: task,
        note: Callable[[NodeResult], None] = lambda result: None,
    ) -> None:
        self._executor, self._complete, self._note = executor, complete, note
        self._tasks = {t.name: t for t in tasks}
        self._waiting: dict[str, int] = {}
        self._dependents: dict[str, list[str]] = defaultdict(list)
        self._ready: deque[str] = deque()
        self._held_back: dict[str, deque[str]] = defaultdict(deque)
        """By node, tasks that are ready while enough others of their node are running."""
        self._of_node: dict[str, int] = defaultdict(int)
        self._unfinished = set(self._tasks)
        self._expected = len(self._tasks)
        self._running = 0
        self._stopped = False
        self._submitting = False
        self._lock = threading.RLock()
        self._events: SimpleQueue[Event] = SimpleQueue()
        for task in self._tasks.values():
            needs = [name for name in task.needs if name in self._tasks]
            self._waiting[task.name] = len(needs)
            for name in needs:
                self._dependents[name].append(task.name)
            if not needs:
                self._ready.append(task.name)

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
            self._held_back.clear()
            if not self._running:
                self._interrupt_rest()

    def _submit_ready(self) -> None:
        """Under the lock. Not re-entered by a submit that finishes at once."""
        if self._submitting:
            return
        self._submitting = True
        while self._ready and self._running < self._executor.slots:
            task = self._tasks[self._ready.popleft()]
            if task.at_once and self._of_node[task.node_id] >= task.at_once:
                self._held_back[task.node_id].append(task.name)
                continue
            self._running += 1
            self._of_node[task.node_id] += 1
            self._events.put(task)
            self._submit(task).add_done_callback(partial(self._done, task))
        self._submitting = False

    def _submit(self, task: Task) -> Future[NodeResult]:
        try:
            ready = self._complete(task)
            if isinstance(ready, Task):
                return self._executor.submit(ready)
        except Exception as error:
            future: Future[NodeResult] = Future()
            future.set_exception(error)
            return future
        future = Future()
        future.set_result(ready)
        return future

    def _done(self, task: Task, future: Future[NodeResult]) -> None:
        result = _result(task, future)
        with self._lock:
            self._running -= 1
            self._make_room(task.node_id)
            if self._stopped and result.status == "failed":
                result = NodeResult.of(task, "interrupted", seconds=result.seconds)
            if result.status == "success":
                self._note(result)
                self._release(task)
            self._finish(result)
            if result.status == "failed":
                self._skip_dependents(task.name)
            if self._stopped and not self._running:
                self._interrupt_rest()
            self._submit_ready()

    def _make_room(self, node_id: str) -> None:
        """One task less of a node is running."""
        self._of_node[node_id] -= 1
        held_back = self._held_back.get(node_id)
        if held_back:
            self._ready.append(held_back.popleft())

    def _release(self, done: Task) -> None:
        """Let go on what has waited for a task."""
        for name in self._dependents[done.name]:
            self._waiting[name] -= 1
            if not self._waiting[name] and not self._stopped:
                self._ready.append(name)

    def _finish(self, result: NodeResult) -> None:
        if result.task in self._unfinished:
            self._unfinished.discard(result.task)
            self._events.put(result)

    def _skip_dependents(self, failed: str) -> None:
        todo = list(self._dependents[failed])
        while todo:
            name = todo.pop()
            if name in self._unfinished:
                self._finish(NodeResult.of(self._tasks[name], "skipped", blocked_by=failed))
                todo += self._dependents[name]

    def _interrupt_rest(self) -> None:
        for name in [name for name in self._tasks if name in self._unfinished]:
            self._finish(NodeResult.of(self._tasks[name], "interrupted"))


def _result(task: Task, future: Future[NodeResult]) -> NodeResult:
    """What a future holds; an executor that broke has failed the task."""
    try:
        return future.result()
    except BaseException as error:
        message = f"the executor failed: {type(error).__name__}: {error}"
        return NodeResult.of(task, "failed", error=message)
