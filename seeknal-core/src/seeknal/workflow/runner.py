"""Bring an environment up to date: plan, run, record, and move its pointers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import FrameType

from seeknal import hookspecs
from seeknal.dag.selectors import select
from seeknal.errors import ConflictError
from seeknal.names import check_name
from seeknal.state.backend import StateBackend
from seeknal.state.housekeeping import close_abandoned_runs, prune_runs
from seeknal.state.locks import Lock
from seeknal.state.records import Environment
from seeknal.workflow.dispatch import STOP, Dispatcher, Event
from seeknal.workflow.executor import Executor
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.plan import Plan, make_plan
from seeknal.workflow.task import NodeResult, RunInfo, RunSummary
from seeknal.workflow.worker import serving

PUBLISH_ATTEMPTS = 20
RECORD_EVERY = 0.05
"""Seconds between two writes of what nodes have come to: many quick nodes share one. What a crash
loses of it is only the record; the snapshots are found again."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is asked for.

    select: a selector, None for all nodes. full_refresh: compute what is selected anew, even
    where nothing has changed. workers: tasks at once, None for what the executor finds good.
    """

    environment: str = "prod"
    select: str | None = None
    full_refresh: bool = False
    workers: int | None = None


def run_project(project: OpenProject, request: RunRequest) -> RunSummary:
    """Do a run. Nodes that fail are in the summary; what can't even be begun raises.

    SIGINT and SIGTERM stop it: what has finished is kept, and the summary says "interrupted".
    """
    check_name(request.environment, "an environment")
    started = time.perf_counter()
    run = RunInfo(_new_run_id(), request.environment, project.settings.name, project.root)
    manifest, state = project.manifest, project.state
    selected = select(manifest, request.select) if request.select else set(manifest.nodes)
    environment = state.get_environment(run.environment) or Environment(run.environment)
    if request.full_refresh:
        refreshed = {**environment.refreshed, **dict.fromkeys(selected, run.run_id)}
        environment = state.save_environment(replace(environment, refreshed=refreshed))
    plan = make_plan(
        manifest,
        environment,
        project.engine,
        project.contents,
        root=project.root,
        run_id=run.run_id,
        selected=selected,
    )
    emit = project.plugins.emit
    emit(hookspecs.seeknal_plan_created, plan=plan)
    executor = project.executor(workers=request.workers)
    close_abandoned_runs(state)
    results: dict[str, NodeResult] = {}
    with _alive(state, run):
        state.create_run(run.run_id, environment=run.environment)
        emit(hookspecs.seeknal_run_started, run=run, plan=plan)
        try:
            with serving(project):
                _work(plan, executor, project, run, results)
            _publish(state, plan, results.values(), manifest.nodes)
            project.contents.save()
        except BaseException as error:
            state.update_run(
                run.run_id, status="failed", finished_at=datetime.now(UTC), error=repr(error)
            )
            raise
        finally:
            executor.close()
        summary = RunSummary(
            status=_status(results.values()),
            seconds=time.perf_counter() - started,
            results=results,
            unchanged=len(plan.unchanged),
            reused=len(plan.reused),
        )
        counts = {s: summary.count(s) for s in ("success", "failed", "skipped", "interrupted")}
        state.update_run(
            run.run_id,
            status=summary.status,
            finished_at=datetime.now(UTC),
            counts={**counts, "unchanged": summary.unchanged, "reused": summary.reused},
        )
    retention = project.settings.retention
    prune_runs(state, runs=retention.runs, days=retention.days)
    emit(hookspecs.seeknal_run_finished, run=run, summary=summary)
    return summary


def _alive(state: StateBackend, run: RunInfo) -> Lock:
    """The lock that tells others that a run is at work."""
    lock = state.acquire_lock(run.run_id, 0)
    if lock is None:
        raise ConflictError(f"The run '{run.run_id}' is at work already.")
    return lock


def _new_run_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.urandom(3).hex()}"


def _status(results: Iterable[NodeResult]) -> str:
    statuses = {r.status for r in results}
    return next((s for s in ("interrupted", "failed") if s in statuses), "success")


def _work(
    plan: Plan,
    executor: Executor,
    project: OpenProject,
    run: RunInfo,
    results: dict[str, NodeResult],
) -> None:
    """Run the plan's tasks, tell and record what happens, and fill `results`."""
    dispatcher = Dispatcher(plan.tasks, executor)
    unrecorded: list[Event] = []
    due = time.monotonic()
    with _signals_stop(dispatcher):
        dispatcher.start()
        while not dispatcher.finished:
            batch = dispatcher.next_events(RECORD_EVERY if unrecorded else None)
            if STOP in batch:
                dispatcher.stop()
                project.engine.interrupt()
                batch.remove(STOP)
            results.update({e.node_id: e for e in batch if isinstance(e, NodeResult)})
            _tell(batch, project.plugins.emit, run)
            unrecorded += batch
            if time.monotonic() >= due or dispatcher.finished:
                project.engine.flush()
                _record(unrecorded, project.state, run)
                unrecorded = []
                due = time.monotonic() + RECORD_EVERY


@contextmanager
def _signals_stop(dispatcher: Dispatcher) -> Iterator[None]:
    """Let SIGINT and SIGTERM stop the run in order, and a second one end the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    asked = False

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(128 + number)
        asked = True
        dispatcher.ask_to_stop()

    before = {number: signal.signal(number, on_signal) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(batch: list[Event], emit: Callable[..., None], run: RunInfo) -> None:
    for event in batch:
        if isinstance(event, NodeResult):
            emit(hookspecs.seeknal_node_finished, run=run, result=event)
        else:
            emit(hookspecs.seeknal_node_started, run=run, node_id=event)


def _record(batch: list[Event], state: StateBackend, run: RunInfo) -> None:
    """Write the last word on each node of a batch, all at once."""
    last = {e.node_id if isinstance(e, NodeResult) else e: e for e in batch}
    now = datetime.now(UTC)
    with state.transaction():
        for node_id, event in last.items():
            if not isinstance(event, NodeResult):
                state.set_node_state(run.run_id, node_id, status="running", started_at=now)
                continue
            error = event.error or (event.blocked_by and f"needs {event.blocked_by}")
            state.set_node_state(
                run.run_id,
                node_id,
                status=event.status,
                snapshot=event.snapshot,
                finished_at=now,
                seconds=round(event.seconds, 6),
                rows=event.rows,
                bytes=event.bytes,
                error=error,
            )


def _publish(
    state: StateBackend, plan: Plan, results: Iterable[NodeResult], nodes: Iterable[str]
) -> None:
    """Point the environment at what has been computed, and at nothing that is no longer a node."""
    done = {r.node_id for r in results if r.status == "success"}
    done |= {*plan.unchanged, *plan.reused}
    moved = {i: s for i, s in plan.snapshots.items() if i in done}
    known = set(nodes)
    for attempt in range(PUBLISH_ATTEMPTS):
        current = state.get_environment(plan.environment) or Environment(plan.environment)
        pointers = {i: s for i, s in {**current.pointers, **moved}.items() if i in known}
        if pointers == current.pointers and current.version:
            return
        try:
            state.save_environment(
                replace(current, pointers=pointers, updated_at=datetime.now(UTC))
            )
        except ConflictError:
            if attempt == PUBLISH_ATTEMPTS - 1:
                raise
        else:
            return
