"""The Prefect task that does tasks of Seeknal, wherever a task runner puts it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import cache
from typing import Any
from uuid import UUID

from prefect import Task as PrefectTask
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.states import Failed

from seeknal.dag.manifest import Attempts
from seeknal.workflow import worker
from seeknal.workflow.task import NodeResult, Task

Document = dict[str, Any]
"""A task, or a result, as JSON holds it."""


class Answer(list[Document]):
    """Documents of results: what Prefect logs of a failed state shall not repeat them."""

    def __repr__(self) -> str:
        return f"{len(self)} of seeknal's results"


MOST_TOLD = 3
"""Failures that the state of a batch tells of; its log has all."""

LOOK_EVERY = 2.0
"""Seconds between two looks of a worker at whether its flow run was cancelled."""

told_here: dict[str, Callable[[str, NodeResult], Task | None]] = {}
"""By run, an executor in this process: it is told the first task of a batch and each result at
once, and may give a task to be done along."""

_stopped: set[UUID] = set()
"""Flow runs of which nothing more is to be tried here."""


def stop_trying(flow_run_id: UUID) -> None:
    """Let no task of a flow run be tried again in this process."""
    _stopped.add(flow_run_id)


def _may_try_again(task: object, run: TaskRun, state: State[Any]) -> bool:
    return run.flow_run_id not in _stopped


@task(
    name="seeknal-node",
    task_run_name="{name}",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=True,
    retry_condition_fn=_may_try_again,
)
def run_nodes(name: str, documents: str, watch: bool) -> list[Document] | State[Any]:
    """Do tasks, one after the other; a failed one fails this run, and keeps none from being done.

    name: of the task run, to begin with. documents: a list of what `Task.to_dict` gives, as JSON:
    a text is what no task runner looks into, and all of them hand over as it is. watch: look out
    for a cancelled flow run, since nobody else interrupts what this process computes. Returns, or
    fails with, what `NodeResult.to_dict` gives for each.
    """
    tasks = [Task.from_dict(document) for document in json.loads(documents)]
    if watch:
        _watch_for_cancelling(tasks[0].run_id)
    results = _do_all(tasks)
    answer = Answer(result.to_dict() for result in results)
    failed = [result for result in results if result.status != "success"]
    if failed:
        told = [_told(result) for result in failed[:MOST_TOLD]]
        if len(failed) > MOST_TOLD:
            told.append(f"and {len(failed) - MOST_TOLD} more")
        return Failed(message="\n".join(told), data=answer)
    return answer


def _do_all(tasks: list[Task]) -> list[NodeResult]:
    """Do these, and what an executor in this process gives besides."""
    first = tasks[0]
    results = []
    for one in tasks:
        results.append(_do(one))
        one_done = told_here.get(first.run_id)
        more = one_done(first.name, results[-1]) if one_done else None
        if more:
            tasks.append(more)
    _rename(name_of(tasks))
    return results


def _do(one: Task) -> NodeResult:
    logger = get_run_logger()
    result = worker.execute(one)
    if result.status == "failed" and _is_stopped():
        result = NodeResult.of(one, "interrupted", seconds=result.seconds)
    if result.status == "success":
        logger.info("%s: %s rows, %.2f s", one.name, f"{result.rows or 0:,}", result.seconds)
    else:
        logger.error("%s", _told(result))
        logger.debug("%s", result.detail)
    return result


def _rename(name: str) -> None:
    """What the state that this task run ends in calls it, and so Prefect from then on."""
    context = TaskRunContext.get()
    if context is not None:
        context.task_run.name = name


def _is_stopped() -> bool:
    context = TaskRunContext.get()
    return context is not None and context.task_run.flow_run_id in _stopped


def _told(result: NodeResult) -> str:
    place = f" ({result.place})" if result.place else ""
    return f"{result.task} {result.status}{place}: {result.error or ''}".rstrip(": ")


# --- Cancelling, seen from a worker ---------------------------------------------------------

_watched: set[UUID] = set()
_watching = threading.Lock()


def _watch_for_cancelling(run_id: str) -> None:
    """Interrupt what this process computes for a run when its flow run is cancelled."""
    context = TaskRunContext.get()
    flow_run_id = context.task_run.flow_run_id if context else None
    if flow_run_id is None:
        return
    with _watching:
        if flow_run_id in _watched:
            return
        _watched.add(flow_run_id)
    look_out = copy_context()
    threading.Thread(
        target=look_out.run, args=(_look_out, flow_run_id, run_id), daemon=True
    ).start()


def _look_out(flow_run_id: UUID, run_id: str) -> None:
    for state in states_of(flow_run_id, LOOK_EVERY):
        if state.is_cancelling() or state.is_cancelled():
            stop_trying(flow_run_id)
            worker.interrupt(run_id)
            return
        if state.is_final():
            with _watching:
                _watched.discard(flow_run_id)
            return


def states_of(flow_run_id: UUID, seconds: float) -> Any:
    """The state of a flow run, every so many seconds; while no server answers, none."""
    with get_client(sync_client=True) as client:
        while True:
            time.sleep(seconds)
            try:
                state = client.read_flow_run(flow_run_id).state
            except Exception:
                continue
            if state is not None:
                yield state


def name_of(tasks: Sequence[Task]) -> str:
    """What a Prefect task that does these is called."""
    more = f" and {len(tasks) - 1} more" if len(tasks) > 1 else ""
    return f"{tasks[0].name}{more}"


def prefect_task_for(tasks: Sequence[Task]) -> PrefectTask[..., Any]:
    """`run_nodes`, with the tags of all these, tried as the first one is."""
    return _tried(tasks[0].attempts, frozenset(tag for one in tasks for tag in one.tags))


@cache
def _tried(attempts: Attempts, tags: frozenset[str]) -> PrefectTask[..., Any]:
    return run_nodes.with_options(
        tags=tags, retries=attempts.retries, retry_delay_seconds=attempts.delays or 0
    )
