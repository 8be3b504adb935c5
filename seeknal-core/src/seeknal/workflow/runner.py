"""Bring an environment up to date: plan, run, record, and move its pointers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import FrameType
from typing import Any

from seeknal import hookspecs
from seeknal.dag.fingerprint import snapshot_of
from seeknal.dag.selectors import select
from seeknal.errors import ConflictError
from seeknal.names import check_name
from seeknal.state.backend import StateBackend
from seeknal.state.housekeeping import close_abandoned_runs, prune_runs, wait_for_cleanup
from seeknal.state.locks import Lock
from seeknal.state.records import Environment
from seeknal.workflow.dispatch import STOP, Dispatcher
from seeknal.workflow.executor import Executor
from seeknal.workflow.holdings import holding_of, known
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

    def planned(run: RunInfo) -> tuple[Environment, Plan]:
        state = project.state
        environment = state.get_environment(run.environment) or Environment(run.environment)
        if request.full_refresh:
            refreshed = _refreshed(project, environment, request, run.run_id)
            environment = state.save_environment(refreshed)
        return environment, _plan(project, environment, request, run.run_id)

    return carry_out(project, request.environment, planned, publish, request.workers)


Planned = Callable[[RunInfo], tuple[Environment, Plan]]
"""An environment, and what a run is to do for it."""

Publish = Callable[[OpenProject, RunInfo, Plan, RunSummary], Sequence[str]]
"""Shows what a run has come to, and returns the nodes that stay behind."""


def carry_out(
    project: OpenProject, environment: str, planned: Planned, publish: Publish, workers: int | None
) -> RunSummary:
    """Plan, compute, publish, and keep a record of it. Raises what planning and publishing do."""
    started = time.perf_counter()
    run = RunInfo(new_run_id(), environment, project.settings.name, project.root)
    state, emit = project.state, project.plugins.emit
    close_abandoned_runs(state)
    with _alive(state, run):
        state.create_run(run.run_id, environment=run.environment)
        environment_now, plan = _pinned(project, run, planned)
        emit(hookspecs.seeknal_plan_created, plan=plan)
        emit(hookspecs.seeknal_run_started, run=run, plan=plan)
        results: dict[str, NodeResult] = {}

        def over(status: str) -> RunSummary:
            return RunSummary(
                status=status,
                seconds=time.perf_counter() - started,
                results=results,
                unchanged=len(plan.unchanged),
                reused=len(plan.reused),
                waiting=plan.waiting,
                run_id=run.run_id,
            )

        try:
            with serving(project), project.executing(workers=workers) as executor:
                late = LateTasks(plan, project.manifest, environment_now.refreshed, project.engine)
                _work(plan, late, executor, project, run, results)
            summary = over(_status(results.values()))
            summary = replace(summary, behind=publish(project, run, plan, summary))
            project.contents.save()
        except BaseException as error:
            state.update_run(
                run.run_id, status="failed", finished_at=datetime.now(UTC), error=repr(error)
            )
            emit(hookspecs.seeknal_run_finished, run=run, summary=over("failed"))
            raise
        counts = {s: summary.count(s) for s in ("success", "failed", "skipped", "interrupted")}
        state.update_run(
            run.run_id,
            status=summary.status,
            finished_at=datetime.now(UTC),
            counts={**counts, "unchanged": summary.unchanged, "reused": summary.reused},
            pins=_unshown(state, plan, summary),
        )
    retention = project.settings.retention
    prune_runs(state, runs=retention.runs, days=retention.days)
    emit(hookspecs.seeknal_run_finished, run=run, summary=summary)
    return summary


def _pinned(project: OpenProject, run: RunInfo, planned: Planned) -> tuple[Environment, Plan]:
    """Plan, while nobody removes anything, and tell what must stay until the run is over."""
    state = project.state
    try:
        wait_for_cleanup(state)
        environment, plan = planned(run)
        _pin(state, run, environment, plan)
    except BaseException:
        state.delete_run(run.run_id)
        raise
    return environment, plan


def _pin(state: StateBackend, run: RunInfo, environment: Environment, plan: Plan) -> None:
    """Tell what a run needs, and with it what no pointer has shown yet."""
    with state.transaction():
        for node_id, parts in plan.parts.items():
            pointer = plan.pins[node_id]
            if plan.adopted.get(node_id) or pointer != environment.pointers.get(node_id):
                state.add_holding(holding_of(node_id, pointer, parts))
        state.update_run(run.run_id, pins=plan.pins)


def _unshown(state: StateBackend, plan: Plan, summary: RunSummary) -> dict[str, str]:
    """What a run has written, or begun, and its environment doesn't show."""
    written = {task.node_id: task.snapshot for task in plan.tasks if task.snapshot}
    results = summary.results.values()
    written |= {r.node_id: r.snapshot for r in results if r.status == "success"}
    written |= {i: plan.snapshots[i] for i in plan.reused}
    environment = state.get_environment(plan.environment) if written else None
    pointers = environment.pointers if environment else {}
    return {i: s for i, s in written.items() if snapshot_of(pointers.get(i, "")) != s}


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
    given = circumstances(
        project,
        run_id,
        request.select,
        datetime.now(UTC),
        bounds=(request.start, request.end),
        batch_size=request.batch_size,
    )
    return make_plan(project.manifest, environment, given)


def circumstances(
    project: OpenProject, run_id: str, selector: str | None, now: datetime, **more: Any
) -> Circumstances:
    """What a plan is made in, in a project. more: other fields of `Circumstances`."""
    return Circumstances(
        root=project.root,
        run_id=run_id,
        selected=selected_nodes(project, selector),
        engine=project.engine,
        contents=project.contents,
        held=project.state.get_parts,
        shown=partial(known, project.state),
        scheduler=project.scheduler,
        now=now,
        judge=lambda: project.judge,
        impact=project.settings.impact,
        **more,
    )


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
    _at_work[run.run_id] = dispatcher
    with _signals_stop(dispatcher):
        dispatcher.start()
        while not dispatcher.finished:
            batch = dispatcher.next_events(RECORD_EVERY if unrecorded else None)
            if STOP in batch:
                dispatcher.stop()
                project.engine.interrupt()
                executor.interrupt()
            happened = [event for event in batch if event is not STOP]
            results.update({e.task: e for e in happened if isinstance(e, NodeResult)})
            _tell(happened, project.plugins.emit, run)
            unrecorded += happened
            if time.monotonic() >= due or dispatcher.finished:
                project.engine.flush()
                recorder.record(unrecorded)
                unrecorded = []
                due = time.monotonic() + RECORD_EVERY
    del _at_work[run.run_id]


_at_work: dict[str, Dispatcher] = {}


def stop(run_id: str) -> None:
    """Stop a run of this process in order, as SIGINT does; harmless when it is over."""
    dispatcher = _at_work.get(run_id)
    if dispatcher:
        dispatcher.ask_to_stop()


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
