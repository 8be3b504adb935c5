"""The flows: a project's run, and a backfill of one node, to be called, served and deployed.

What is to be done is decided by Seeknal as for `seeknal run` and `seeknal backfill`: the same
plan, the same snapshots, the same record. So a flow run that failed, was cancelled or died is taken
up where it stopped, by a retry from Prefect's UI as by the next run.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ParamSpec, TypeVar

from prefect import Flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelled, Failed
from prefect.utilities.callables import get_call_parameters

from seeknal.config import find_root
from seeknal.state.intervals import Interval
from seeknal.workflow.intervals import range_of
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.runner import RunRequest, run_project
from seeknal.workflow.task import RunSummary
from seeknal.workflow.timelines import refuse_what_holds_no_interval, timelines
from seeknal_prefect.listening import FlowListener
from seeknal_prefect.results import PrefectRunResult, failures, of_intervals, of_nodes

P = ParamSpec("P")
R = TypeVar("R")

Results = dict[str, PrefectRunResult]
ENVIRONMENT = "prod"
RUN_FLOW = "seeknal-run-pipeline"
BACKFILL_FLOW = "seeknal-backfill"


class ProjectFlow(Flow[P, R]):
    """A flow of a project. When it is called, the project is looked for before any server is
    asked, and what went wrong in nodes is returned, although the flow run has failed."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # type: ignore[override]
        options: dict[str, Any] = {k: kwargs.pop(k) for k in _ENGINES if k in kwargs}
        find_root(get_call_parameters(self.fn, args, kwargs)["project_path"])
        state: Any = super().__call__(*args, **kwargs, **options | {"return_state": True})
        if options.get("return_state"):
            return state  # type: ignore[no-any-return]
        found: Any = state.result(raise_on_failure=False)
        answer: Any = found if isinstance(found, dict) else state.result()
        return answer  # type: ignore[no-any-return]


_ENGINES = ("return_state", "wait_for")
"""What a call of a flow may be given besides the flow's own parameters."""


def _project_flow(name: str, run_name: str) -> Callable[[Callable[P, R]], ProjectFlow[P, R]]:
    def made_of(function: Callable[P, R]) -> ProjectFlow[P, R]:
        return ProjectFlow(function, name=name, flow_run_name=run_name, persist_result=False)

    return made_of


@_project_flow(RUN_FLOW, "run of {project_path}")
def seeknal_run_flow(
    project_path: str, parallel: bool = True, node_ids: list[str] | None = None
) -> dict[str, PrefectRunResult]:
    """Execute a Seeknal pipeline as a Prefect flow.

    Computes what is missing or has changed. The flow run fails when a node fails.

    Args:
        project_path: Path to the Seeknal project, as the machine that runs the flow sees it.
        parallel: Execute nodes in parallel.
        node_ids: Specific nodes to run, as transform.orders; all without it.

    Returns:
        Dictionary of node_id -> PrefectRunResult
    """
    if node_ids is not None and not node_ids:
        return {}
    with OpenProject(project_path) as project:
        for node_id in node_ids or ():
            project.manifest.node(node_id)
        request = RunRequest(
            ENVIRONMENT,
            select=",".join(node_ids) if node_ids else None,
            workers=None if parallel else 1,
        )
        summary, listener = _carry_out(project, request, progress=False)
        return _ended(summary, of_nodes(summary, listener.plan))


@_project_flow(BACKFILL_FLOW, "{node_id} [{start_date}, {end_date}]")
def seeknal_backfill_flow(
    project_path: str,
    node_id: str,
    start_date: str,
    end_date: str,
    schedule: str = "@daily",
    parallel: bool = True,
) -> dict[str, PrefectRunResult]:
    """Backfill historical data across intervals.

    Computes the intervals of the node that are missing, once what it reads is up to date. The
    node's own schedule says what its intervals are. The flow run fails when one fails.

    Args:
        project_path: Path to the Seeknal project, as the machine that runs the flow sees it.
        node_id: Node to backfill.
        start_date: Start date (ISO format).
        end_date: End date (ISO format); a date includes that day, a time does not include itself.
        schedule: Interval schedule: each of its intervals has a result.
        parallel: Execute intervals in parallel.

    Returns:
        Dictionary of interval -> PrefectRunResult
    """
    with OpenProject(project_path) as project:
        node = project.manifest.incremental(node_id)
        timing = node.incremental
        assert timing is not None
        within = range_of(start_date, end_date, timing.timezone)
        scheduler = project.scheduler(project.settings.scheduler.name)
        ticks = scheduler.ticks(schedule, timing.timezone, *within)
        edges = sorted({*within, *ticks})
        refuse_what_holds_no_interval(project, ENVIRONMENT, node.id, (start_date, end_date))
        request = RunRequest(
            ENVIRONMENT,
            select=f"+{node.id}",
            workers=None if parallel else 1,
            start=start_date,
            end=end_date,
        )
        summary, _ = _carry_out(project, request, progress=True)
        (line,) = timelines(project, ENVIRONMENT, node.id, bounds=(start_date, end_date))
        results = summary.results.values()
        of_node = [result for result in results if result.node_id == node.id]
        wrong = [r for r in results if r.node_id != node.id and r.status == "failed"]
        told = [Interval(*pair) for pair in pairwise(edges)]
        return _ended(summary, of_intervals(told, line, of_node, wrong))


def _carry_out(
    project: OpenProject, request: RunRequest, *, progress: bool
) -> tuple[RunSummary, FlowListener]:
    listener = FlowListener(get_run_logger(), progress=progress)
    project.plugins.listen("prefect-flow", listener)
    project.run_on("prefect")
    return run_project(project, request), listener


def _ended(summary: RunSummary, results: Results) -> Results:
    """The results, or the state in which the flow run ends with them."""
    ended: Any = results
    if summary.status == "interrupted":
        ended = _interrupted()
    elif summary.status == "failed" or not all(result.success for result in results.values()):
        ended = Failed(message=f"Not done: {failures(results)}", data=results)
    return ended  # type: ignore[no-any-return]


def _interrupted() -> State[Any]:
    """Cancelled, when it was; else end as whoever sent a signal to this process expects."""
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(context.flow_run.id)
    if flow_run.state and (flow_run.state.is_cancelling() or flow_run.state.is_cancelled()):
        return Cancelled(message="What has finished is kept: the next run does the rest.")
    if flow_run.deployment_id:
        raise TerminationSignal(signal.SIGTERM)
    raise KeyboardInterrupt
