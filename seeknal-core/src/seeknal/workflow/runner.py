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
from seeknal.workflow.dispatch import STOP, Dispatcher
from seeknal.workflow.executor import Executor
from seeknal.workflow.intervals import range_of
from seeknal.workflow.late_tasks import LateTasks
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.plan import Circumstances, Plan, make_plan
from seeknal.workflow.publishing import publish
from seeknal.workflow.recording import Recorder
from seeknal.workflow.task import NodeResult, RunInfo, RunSummary, Task
from seeknal.workflow.worker import serving

RECORD_EVERY = 0.05
"""Seconds between two writes of what nodes have come to: many quick nodes share one. What a crash
loses of it is only the record; the snapshots are found again."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is asked for.

    select: a selector, None for all nodes. full_refresh: compute what is selected anew, even
    where nothing has changed. workers: tasks at once, None for what the executor finds good.
    start, end: of incremental nodes, the first and last time to compute, as ISO 8601 dates or
    times. batch_size: intervals at once, over what the nodes say.
    """

    environment: str = "prod"
    select: str | None = None
    full_refresh: bool = False
    workers: int | None = None
    start: str | None = None
    end: str | None = None
    batch_size: int | None = None


def plan_run(project: OpenProject, request: RunRequest) -> Plan:
    """What a run would do, without doing any of it."""
    name = check_name(request.environment, "an environment")
    environment = project.state.get_environment(name) or Environment(name)
    if request.full_refresh:
        environment = _refreshed(project, environment, request, "a-run-that-is-only-planned")
    return _plan(project, environment, request, "")


def run_project(project: OpenProject, request: RunRequest) -> RunSummary:
    """Do a run. Nodes that fail are in the summary; what can't even be begun raises.

    SIGINT and SIGTERM stop it: what has finished is kept, and the summary says "interrupted".
    """
    check_name(request.environment, "an environment")
    started = time.perf_counter()
    run = RunInfo(new_run_id(), request.environment, project.settings.name, project.root)
    state = project.state
    environment = state.get_environment(run.environment) or Environment(run.environment)
    if request.full_refresh:
        environment = state.save_environment(_refreshed(project, environment, request, run.run_id))
    plan = _plan(project, environment, request, run.run_id)
    emit = project.plugins.emit
    emit(hookspecs.seeknal_plan_created, plan=plan)
    executor = project.executor(workers=request.workers)
    close_abandoned_runs(state)
    with _alive(state, run):
        state.create_run(run.run_id, environment=run.environment)
        emit(hookspecs.seeknal_run_started, run=run, plan=plan)
        results: dict[str, NodeResult] = {}
        try:
            with serving(project):
                late = LateTasks(plan, project.manifest, environment.refreshed, project.engine)
                _work(plan, late, executor, project, run, results)
            summary = RunSummary(
                status=_status(results.values()),
                seconds=time.perf_counter() - started,
                results=results,
                unchanged=len(plan.unchanged),
                reused=len(plan.reused),
                waiting=plan.waiting,
            )
            behind = publish(project, plan, summary)
            summary = replace(summary, behind=behind)
            project.contents.save()
        except BaseException as error:
            state.update_run(
                run.run_id, status="failed", finished_at=datetime.now(UTC), error=repr(error)
            )
            raise
        finally:
            executor.close()
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


def new_run_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.urandom(3).hex()}"


def selected_nodes(project: OpenProject, selector: str | None) -> set[str]:
    """Ids of the nodes that a selector names; of all without one."""
    manifest = project.manifest
    return select(manifest, selector) if selector else set(manifest.nodes)


def _refreshed(
    project: OpenProject, environment: Environment, request: RunRequest, run_id: str
) -> Environment:
    """The environment, asked to compute what is selected anew."""
    selected = selected_nodes(project, request.select)
    return replace(
        environment, refreshed={**environment.refreshed, **dict.fromkeys(selected, run_id)}
    )


def _plan(project: OpenProject, environment: Environment, request: RunRequest, run_id: str) -> Plan:
    if request.start and request.end:
        range_of(request.start, request.end, project.settings.timezone)
    given = Circumstances(
        root=project.root,
        run_id=run_id,
        selected=selected_nodes(project, request.select),
        engine=project.engine,
        contents=project.contents,
        held=project.state.get_parts,
        scheduler=project.scheduler,
        now=datetime.now(UTC),
        judge=lambda: project.judge,
        impact=project.settings.impact,
        bounds=(request.start, request.end),
        batch_size=request.batch_size,
    )
    return make_plan(project.manifest, environment, given)


def _alive(state: StateBackend, run: RunInfo) -> Lock:
    """The lock that tells others that a run is at work."""
    lock = state.acquire_lock(run.run_id, 0)
    if lock is None:
        raise ConflictError(f"The run '{run.run_id}' is at work already.")
    return lock


def _status(results: Iterable[NodeResult]) -> str:
    statuses = {r.status for r in results}
    return next((s for s in ("interrupted", "failed") if s in statuses), "success")


def _work(
    plan: Plan,
    late: LateTasks,
    executor: Executor,
    project: OpenProject,
    run: RunInfo,
    results: dict[str, NodeResult],
) -> None:
    """Run the plan's tasks, tell and record what happens, and fill `results`."""
    dispatcher = Dispatcher(plan.tasks, executor, late.complete, late.note)
    recorder = Recorder(project.state, run, plan)
    unrecorded: list[Task | NodeResult] = []
    due = time.monotonic()
    with _signals_stop(dispatcher):
        dispatcher.start()
        while not dispatcher.finished:
            batch = dispatcher.next_events(RECORD_EVERY if unrecorded else None)
            if STOP in batch:
                dispatcher.stop()
                project.engine.interrupt()
            happened = [event for event in batch if event is not STOP]
            results.update({e.task: e for e in happened if isinstance(e, NodeResult)})
            _tell(happened, project.plugins.emit, run)
            unrecorded += happened
            if time.monotonic() >= due or dispatcher.finished:
                project.engine.flush()
                recorder.record(unrecorded)
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


def _tell(events: Iterable[Task | NodeResult], emit: Callable[..., None], run: RunInfo) -> None:
    for event in events:
        if isinstance(event, NodeResult):
            emit(hookspecs.seeknal_node_finished, run=run, result=event)
        else:
            emit(hookspecs.seeknal_node_started, run=run, node_id=event.node_id, task=event)
