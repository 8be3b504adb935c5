"""`seeknal intervals ...` and `seeknal backfill`: time, looked at and corrected."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seeknal.cli.options import AsJson, End, EnvironmentName, ProjectPath, Start
from seeknal.cli.words import count
from seeknal.errors import some
from seeknal.names import run_command

if TYPE_CHECKING:
    from seeknal.workflow.interval_set import IntervalSet
    from seeknal.workflow.intervals import Interval
    from seeknal.workflow.timelines import Timeline

BAR = 40
"""Cells of a bar."""

Node = Annotated[
    str | None, typer.Option("--node", "-n", metavar="NODE", help="Only this node; else all.")
]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Show and correct what incremental nodes hold of their time.",
)


@app.command()
def show(
    project: ProjectPath = Path(),
    node: Node = None,
    env: EnvironmentName = "prod",
    as_json: AsJson = False,
) -> None:
    """Show which intervals are complete, and where the gaps are."""
    lines = _timelines(project, env, node)
    if as_json:
        typer.echo(json.dumps([_facts(line) for line in lines], indent=2))
        return
    typer.echo("\n\n".join(_drawn(line) for line in lines))


@app.command()
def pending(
    project: ProjectPath = Path(),
    node: Node = None,
    schedule: Annotated[
        str | None, typer.Option("--schedule", metavar="CRON", help="Cut time by this instead.")
    ] = None,
    start: Start = None,
    end: End = None,
    env: EnvironmentName = "prod",
    as_json: AsJson = False,
) -> None:
    """List the intervals that are still to be computed."""
    lines = _timelines(project, env, node, schedule=schedule, bounds=(start, end))
    if as_json:
        answer = {line.node.id: _times(line.pending) for line in lines}
        typer.echo(json.dumps(answer, indent=2))
        return
    for line in lines:
        for interval in line.pending:
            typer.echo(f"{line.node.id} {_label(interval, line)}")
        if not line.pending:
            typer.echo(f"{line.node.id}: nothing is pending")


@app.command()
def complete(
    interval: Annotated[
        str,
        typer.Option(
            "--interval",
            metavar="TIME",
            help="A date, as 2024-01-01, or two: 2024-01-01/2024-01-31.",
        ),
    ],
    project: ProjectPath = Path(),
    node: Node = None,
    env: EnvironmentName = "prod",
) -> None:
    """Mark intervals as complete without computing them."""
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.timelines import complete

    with OpenProject(project) as opened:
        marked = complete(opened, env, node, interval)
        zones = {i: _zone(opened, i) for i in marked}
    for node_id, intervals in marked.items():
        typer.echo(f"{node_id}: {_ranges(intervals, zones[node_id])} is complete")


@app.command()
def restate(
    node: Annotated[str, typer.Argument(help="The node, as transform.orders.")],
    start: Annotated[str, typer.Option("--start", metavar="TIME", help="From this date or time.")],
    end: Annotated[
        str, typer.Option("--end", metavar="TIME", help="To the end of a date, or to a time.")
    ],
    downstream: Annotated[
        bool, typer.Option("--downstream", help="Also in the nodes that are made from it.")
    ] = False,
    project: ProjectPath = Path(),
    env: EnvironmentName = "prod",
) -> None:
    """Forget that intervals were computed: the next run computes them again.

    Other environments keep what they show.
    """
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.timelines import restate

    with OpenProject(project) as opened:
        gone = restate(opened, env, node, start, end, downstream=downstream)
        zones = {i: _zone(opened, i) for i in gone}
    for node_id, intervals in gone.items():
        typer.echo(f"{node_id}: {_ranges(intervals, zones[node_id])} is pending")
    if gone:
        typer.echo(f"What is shown stays until it is computed again: `{run_command(env)}`.")
    else:
        typer.echo("Nothing of this time is complete, so nothing was changed.")


def _timelines(project: Path, env: str, node: str | None, **more: Any) -> list[Timeline]:
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.timelines import timelines

    with OpenProject(project) as opened:
        return timelines(opened, env, node, **more)


def _zone(project: Any, node_id: str) -> str:
    return str(project.manifest.nodes[node_id].incremental.timezone)


# --- How it is shown ------------------------------------------------------------------------


def _drawn(line: Timeline) -> str:
    """A node's bar, and its gaps."""
    held = len(line.due) - len(line.pending)
    header = f"{line.node.id}  {line.timing.schedule}"
    if line.timing.timezone != "UTC":
        header += f" in {line.timing.timezone}"
    if not line.due:
        why = "no interval is over yet" if line.timing.start else "it has no `start:` yet"
        return f"{header}\n  {why}"
    first, last = line.due[0].start, line.due[-1].end
    percent = f"{100 * held // len(line.due)}%"
    text = f"{header}\n  {_bar(line)}  {held:,} of {count(len(line.due), 'interval')}, {percent}"
    span = _label_of(first, last, line.timing.timezone)
    gaps = [_label_of(g.start, g.end, line.timing.timezone) for g in _gaps(line)]
    text += f"\n  {span}" + (f"\n  pending: {some(gaps)}" if gaps else "")
    if line.shows_other or line.shown != line.held:
        other = ", of another version of the node" if line.shows_other else ""
        text += f"\n  shown until the next run: {_shown(line)}{other}"
    return text


def _shown(line: Timeline) -> str:
    return _ranges(line.shown, line.timing.timezone) if line.shown else "nothing"


def _bar(line: Timeline) -> str:
    """Full where all is complete, half where some is, a dot where nothing is."""
    missing = set(line.pending)
    cells = min(BAR, len(line.due))
    bar = ""
    for cell in range(cells):
        begin, end = (len(line.due) * n // cells for n in (cell, cell + 1))
        gone = sum(interval in missing for interval in line.due[begin:end])
        bar += "█" if not gone else "·" if gone == end - begin else "▒"
    return bar


def _gaps(line: Timeline) -> list[Interval]:
    from seeknal.workflow.interval_set import IntervalSet

    return list(IntervalSet(line.pending))


def _facts(line: Timeline) -> dict[str, Any]:
    return {
        "node": line.node.id,
        "snapshot": line.snapshot,
        "schedule": line.timing.schedule,
        "timezone": line.timing.timezone,
        "completed": _times(line.held),
        "shown": _times(line.shown),
        "missing": _times(_gaps(line)),
        "due": len(line.due),
        "pending": len(line.pending),
    }


def _times(intervals: Iterable[Interval]) -> list[list[str]]:
    return [[start.isoformat(), end.isoformat()] for start, end in intervals]


def _ranges(intervals: IntervalSet, timezone: str) -> str:
    return some([_label_of(start, end, timezone) for start, end in intervals])


def _label(interval: Interval, line: Timeline) -> str:
    return _label_of(interval.start, interval.end, line.timing.timezone)


def _label_of(start: Any, end: Any, timezone: str) -> str:
    from seeknal.workflow.intervals import Interval
    from seeknal.workflow.task import label

    return label(Interval(start, end), timezone)
