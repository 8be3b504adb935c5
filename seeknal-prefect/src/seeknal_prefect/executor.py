"""The executor "prefect". Seeknal decides what runs when; Prefect runs it, and shows it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, InvalidStateError
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Literal, NamedTuple

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.futures import PrefectFuture
from prefect.states import Cancelling, Crashed
from prefect.task_runners import TaskRunner

from seeknal.errors import RequestError
from seeknal.workflow import runner as core_runner
from seeknal.workflow.task import NodeResult, Task
from seeknal_prefect import artifacts
from seeknal_prefect.batching import Batching
from seeknal_prefect.hosting import Host, OwnFlow, host_of
from seeknal_prefect.runners import task_runner as task_runner_of
from seeknal_prefect.server import require_server
from seeknal_prefect.tasks import (
    LOOK_EVERY,
    name_of,
    prefect_task_for,
    states_of,
    stop_trying,
    told_here,
)

PATIENCE = 5.0
"""Seconds that an interrupted task has to end: one that waits to be tried again does not."""

WORKERS_LOST = 2
"""How many workers may die over one task before it has failed: it may be what kills them."""


class Batch(NamedTuple):
    """Tasks that share a Prefect task. results: what is known of them, when it is done here."""

    tasks: list[Task]
    results: list[NodeResult]


class Done(NamedTuple):
    """A batch that Prefect is done with, well or not. runner: which one had it. seconds: for how
    long."""

    batch: Batch
    future: PrefectFuture[Any]
    runner: TaskRunner[Any]
    seconds: float


Event = Done | None
"""A batch that Prefect is done with, or None: look what there is to do."""


class PrefectExecutor:
    """Hands tasks to a Prefect task runner, within the flow run around it or one of its own.

    task_runner: threads, processes, dask or ray. workers: Prefect tasks at once. batch: nodes in
    one at most, or "auto". address: of a Dask or Ray cluster. Raises RequestError for what can't
    be, NoServerError when no server answers.
    """

    def __init__(
        self,
        task_runner: str = "threads",
        workers: int | None = None,
        batch: int | Literal["auto"] = 1,
        address: str | None = None,
    ) -> None:
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise RequestError(f"'workers' should be a whole number from 1, and not {workers!r}.")
        self._workers = workers or os.cpu_count() or 1
        self._runner = task_runner_of(task_runner, self._workers, address)
        self._elsewhere = task_runner != "threads"
        self._batching = Batching(batch, self._workers, grows=not self._elsewhere)
        self.slots = self._batching.slots
        self._host: Host | None = None
        self._run_id = ""
        self._futures: dict[str, Future[NodeResult]] = {}
        self._at_work: dict[str, Batch] = {}
        """By first task."""
        self._results: list[NodeResult] = []
        self._lost: Counter[str] = Counter()
        """By task, how many workers have died over it."""
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._pump = threading.Thread(target=self._work, name="seeknal-prefect", daemon=True)
        self._interrupted = self._closed = False
        if FlowRunContext.get() is None:
            require_server(may_start=not self._elsewhere)

    def submit(self, task: Task) -> Future[NodeResult]:
        if self._host is None:
            self._begin(task)
        future: Future[NodeResult] = Future()
        self._futures[task.name] = future
        self._batching.add(task)
        self._events.put(None)
        return future

    def _begin(self, first: Task) -> None:
        """The first task is submitted by the thread that runs the run, and so in its flow."""
        self._host, self._run_id = host_of(first), first.run_id
        if not self._elsewhere:
            told_here[self._run_id] = self._one_done
        self._in_flow(self._runner.__enter__)
        self._pump.start()
        threading.Thread(
            target=self._in_flow,
            args=(_stop_when_cancelled, self._host, self._run_id),
            daemon=True,
        ).start()

    # --- The pump: one thread submits, and takes what is done -----------------------------------

    def _work(self) -> None:
        while not self._is_over():
            todo = [self._events.get()]
            while not self._events.empty():
                todo.append(self._events.get())
            for done in filter(None, todo):
                self._batching.add_again(self._take(done))
            while len(self._at_work) < self._workers and not self._interrupted:
                tasks = self._batching.take(self._workers - len(self._at_work))
                if not tasks:
                    break
                self._send(Batch(tasks, []))

    def _is_over(self) -> bool:
        idle = not self._at_work and not self._batching.waits
        return self._closed and (self._interrupted or idle)

    def _send(self, batch: Batch) -> None:
        runner, began, tasks = self._runner, time.monotonic(), batch.tasks
        self._at_work[tasks[0].name] = batch
        try:
            parameters = {
                "name": name_of(tasks),
                "documents": json.dumps([one.to_dict() for one in tasks]),
                "watch": self._elsewhere,
            }
            future = self._in_flow(runner.submit, prefect_task_for(tasks), parameters)
        except Exception as error:
            del self._at_work[tasks[0].name]
            self._resolve(tasks, f"{type(error).__name__}: {error}")
            return
        future.add_done_callback(
            lambda done: self._events.put(Done(batch, done, runner, time.monotonic() - began))
        )

    def _one_done(self, first: str, result: NodeResult) -> Task | None:
        """The last task of a batch is done, in this process. Returns one to be done along.

        What Prefect may try again is not done before Prefect says so.
        """
        batch = self._at_work.get(first)
        if batch is None or batch.tasks[0].attempts.retries:
            return None
        batch.results.append(result)
        self._resolve(batch.tasks[-1:], [result])
        more = self._batching.grow(batch.tasks, sum(one.seconds for one in batch.results))
        if more is None:  # another may be sent, while Prefect takes note of this one
            del self._at_work[first]
            self._events.put(None)
        return more

    def _take(self, done: Done) -> list[Task]:
        """What of it is to be done again, since a worker died over it."""
        tasks, results = done.batch
        self._at_work.pop(tasks[0].name, None)
        if len(results) < len(tasks):
            answer = _answer_of(done.future)
            if isinstance(answer, BrokenExecutor) and not self._interrupted:
                return self._after_a_death(done)
            if not isinstance(answer, list):
                self._resolve(tasks, f"{type(answer).__name__}: {answer}")
                return []
            results = [NodeResult.from_dict(document) for document in answer]
            if any(result.status == "interrupted" for result in results):
                core_runner.stop(self._run_id)  # its worker was the first to see it
            self._resolve(tasks, results)
        self._batching.note(results, done.seconds)
        return []

    def _after_a_death(self, done: Done) -> list[Task]:
        """A pool of processes is lost as a whole, when one of them dies: begin another one."""
        if done.runner is self._runner:
            self._runner = done.runner.duplicate()
            self._in_flow(self._runner.__enter__)
            threading.Thread(
                target=self._in_flow, args=(done.runner.__exit__, None, None, None), daemon=True
            ).start()
        self._in_flow(_tell_crashed, self._host, done)
        again = []
        for one in done.batch.tasks:
            self._lost[one.name] += 1
            if self._lost[one.name] > WORKERS_LOST:
                self._resolve([one], f"{self._lost[one.name]} workers have died over it")
            else:
                again.append(one)
        return again

    def _in_flow(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call something as the flow would."""
        assert self._host is not None
        return self._host.context.copy().run(call, *arguments)

    def _resolve(self, tasks: list[Task], outcome: Sequence[NodeResult] | str) -> None:
        """outcome: a result for each, or what has kept Prefect from doing any."""
        if isinstance(outcome, str):
            error = f"Prefect could not do it: {outcome}"
            outcome = [NodeResult.of(one, "failed", error=error) for one in tasks]
        for one, result in zip(tasks, outcome, strict=True):
            future = self._futures.pop(one.name, None)
            if future is None:
                continue
            self._results.append(result)
            with suppress(InvalidStateError):  # it was given up
                future.set_result(result)

    # --- The end ----------------------------------------------------------------------------

    def interrupt(self) -> None:
        if self._host is None or self._interrupted:
            return
        self._interrupted = True
        if self._closed:
            self._events.put(None)  # who closes it waits for what has been submitted
        stop_trying(self._host.flow_run_id)
        waiting = self._batching.clear()
        self._resolve(waiting, [NodeResult.of(one, "interrupted") for one in waiting])
        threading.Thread(target=self._give_up, daemon=True).start()
        if self._elsewhere:
            self._in_flow(_tell_workers, self._host)

    def _give_up(self) -> None:
        threading.Event().wait(PATIENCE)
        for future in list(self._futures.values()):
            with suppress(InvalidStateError):
                future.set_exception(RuntimeError("it did not end when it was interrupted"))

    def close(self) -> None:
        if self._host is None or self._closed:
            return
        self._closed = True
        self._batching.close()
        self._events.put(None)
        self._pump.join()
        leave = threading.Thread(
            target=self._in_flow, args=(self._runner.__exit__, None, None, None), daemon=True
        )
        leave.start()
        leave.join(PATIENCE if self._interrupted else None)
        told_here.pop(self._run_id, None)
        if isinstance(self._host, OwnFlow):
            with suppress(Exception):  # an artifact is no part of the work
                self._in_flow(artifacts.run_table, self._results)
        self._host.end(self._outcome(), f"{len(self._results)} tasks")

    def _outcome(self) -> str:
        if self._interrupted:
            return "interrupted"
        failed = any(result.status != "success" for result in self._results)
        return "failed" if failed else "success"


def _answer_of(future: PrefectFuture[Any]) -> Any:
    """What its Prefect task has returned or failed with, or what has kept it from either."""
    try:
        future.wait()
        return future.state.result(raise_on_failure=False)
    except BaseException as error:
        return error


def _stop_when_cancelled(host: Host, run_id: str) -> None:
    """Stop the run when its flow run is cancelled, by whoever it was."""
    for state in states_of(host.flow_run_id, LOOK_EVERY):
        if state.is_cancelling() or state.is_cancelled():
            core_runner.stop(run_id)
            return
        if state.is_final():
            return


def _tell_crashed(host: Host | None, done: Done) -> None:
    """Nobody else says of a Prefect task whose process died that it is over; of one that died
    before it had told of itself, not even that it was."""
    assert host is not None
    task_run_id = done.future.task_run_id
    state: State[Any] = Crashed(message="Its worker died; it is done again.")
    with suppress(Exception), get_client(sync_client=True) as client:
        try:
            client.read_task_run(task_run_id)
        except ObjectNotFound:
            with suppress(PrefectHTTPStatusError):  # a conflict: it has become known meanwhile
                client.create_task_run(
                    prefect_task_for(done.batch.tasks),
                    host.flow_run_id,
                    dynamic_key=str(task_run_id),
                    id=task_run_id,
                    name=name_of(done.batch.tasks),
                )
        client.set_task_run_state(task_run_id, state, force=True)


def _tell_workers(host: Host) -> None:
    """Let workers that run elsewhere see that the flow run is being cancelled."""
    with suppress(Exception), get_client(sync_client=True) as client:
        client.set_flow_run_state(host.flow_run_id, Cancelling(), force=True)
