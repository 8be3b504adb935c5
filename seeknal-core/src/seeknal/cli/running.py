"""`seeknal run` and `seeknal backfill`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seeknal.cli.inspecting import warn
from seeknal.cli.options import (
    AsJsonLines,
    DryRun,
    End,
    EnvironmentName,
    ExecutorName,
    ProjectPath,
    Select,
    Start,
    Workers,
)

if TYPE_CHECKING:
    from seeknal.cli.progress import JsonLines, Live, Plain
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.plan import Plan
    from seeknal.workflow.runner import RunRequest
    from seeknal.workflow.task import RunSummary


def run(
    project: ProjectPath = Path(),
    env: EnvironmentName = "prod",
    select: Select = None,
    start: Start = None,
    end: End = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Compute anew even what has not changed.")
    ] = False,
    workers: Workers = None,
    executor: ExecutorName = None,
    dry_run: DryRun = False,
    as_json: AsJsonLines = False,
) -> None:
    """Compute what is missing or has changed.

    Of incremental nodes, the intervals that are pending; --start and --end bound them. Ends with 0
    when all is done, 1 when a node failed, 130 after Ctrl-C. What has finished is kept: the next
    run does only what is missing.
    """
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.runner import RunRequest

    with OpenProject(project) as opened:
        opened.run_on(executor)
        request = RunRequest(env, select, full_refresh, workers, start, end)
        _do(opened, request, dry_run, as_json)


def backfill(
    node: Annotated[str, typer.Argument(help="The node, as transform.orders.")],
    start: Annotated[str, typer.Option("--start", metavar="TIME", help="From this date or time.")],
    end: Annotated[
        str, typer.Option("--end", metavar="TIME", help="To the end of a date, or to a time.")
    ],
    project: ProjectPath = Path(),
    env: EnvironmentName = "prod",
    restate: Annotated[
        bool, typer.Option("--restate", help="Also compute anew what is complete.")
    ] = False,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Intervals at once.", show_default="the node's")
    ] = None,
    workers: Workers = None,
    executor: ExecutorName = None,
    dry_run: DryRun = False,
    as_json: AsJsonLines = False,
) -> None:
    """Compute the intervals of one node that are missing in a stretch of time.

    What it reads is brought up to date first, so that it reads what is there now.
    Killed or failed, the same command goes on where it stopped; after one with --restate, without
    that option, which forgets the stretch before it begins.
    """
    from seeknal.workflow.interval_set import IntervalSet
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.runner import RunRequest
    from seeknal.workflow.timelines import refuse_what_holds_no_interval, widened
    from seeknal.workflow.timelines import restate as forget

    with OpenProject(project) as opened:
        opened.run_on(executor)
        chosen = opened.manifest.incremental(node)
        node_id = chosen.id
        if restate and not dry_run:
            gone = forget(opened, env, node_id, start, end)
            start, end = widened(chosen, start, end, gone.get(node_id, IntervalSet()))
        refuse_what_holds_no_interval(opened, env, node_id, (start, end))
        request = RunRequest(env, f"+{node_id}", False, workers, start, end, batch_size)
        _do(opened, request, dry_run, as_json)


def _do(project: OpenProject, request: RunRequest, dry_run: bool, as_json: bool) -> None:
    """Run, or tell what a run would do."""
    from seeknal.workflow.runner import plan_run, run_project

    if dry_run:
        warn(project)
        _tell(plan_run(project, request), as_json)
        return
    with progress_of(project, as_json):
        summary = run_project(project, request)
    end(summary)


@contextmanager
def progress_of(
    project: OpenProject, as_json: bool, mend: str | None = None
) -> Iterator[JsonLines | Live | Plain]:
    """Show what is computed: on a terminal, as lines, or as JSON lines. mend: how to go on when
    nodes have failed."""
    from seeknal.cli.progress import MEND, JsonLines, Live, Plain

    if as_json:
        progress: JsonLines | Live | Plain = JsonLines(sys.stdout)
        sys.stdout = sys.stderr
    else:
        progress = Live(mend or MEND) if sys.stdout.isatty() else Plain(mend or MEND)
    project.plugins.listen("progress", progress)
    _ = project.manifest
    warn(project)
    with progress:
        yield progress


def end(summary: RunSummary) -> None:
    """End as a run has ended."""
    if summary.status == "interrupted":
        raise typer.Exit(130)
    if summary.status == "failed":
        raise typer.Exit(1)


def _tell(plan: Plan, as_json: bool) -> None:
    from seeknal.cli.progress import to_compute

    if as_json:
        answer = {
            "environment": plan.environment,
            "tasks": [
                {
                    "node": task.node_id,
                    "task": task.name,
                    "interval": task.interval and [time.isoformat() for time in task.interval],
                }
                for task in plan.tasks
            ],
            "unchanged": list(plan.unchanged),
            "reused": list(plan.reused),
            "waiting": dict(plan.waiting),
        }
        typer.echo(json.dumps(answer, indent=2))
        return
    for task in plan.tasks:
        typer.echo(task.name)
    for node_id, why in plan.waiting.items():
        typer.echo(f"{node_id} waits: {why}")
    typer.echo(
        f"{to_compute(plan)}; {len(plan.unchanged)} up to date, {len(plan.reused)} reused. "
        "Nothing was computed: this is a dry run."
    )
