"""`seeknal env ...`: carry plans out, promote, take back, look at and remove environments."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seeknal.cli.differing import diff
from seeknal.cli.options import AsJson, AsJsonLines, ExecutorName, ProjectPath, Workers
from seeknal.cli.words import columns, count, on_terminal
from seeknal.errors import RequestError, some
from seeknal.files import make_room
from seeknal.names import PROD, run_command

if TYPE_CHECKING:
    from seeknal.workflow.environment import Environment
    from seeknal.workflow.promoting import Promotion

Name = Annotated[str, typer.Argument(metavar="ENV", help="The environment.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Try changes beside production, put them live, take them back.",
)


app.command()(diff)


@app.command()
def apply(
    environment: Name,
    project: ProjectPath = Path(),
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="A plan's file.", show_default="the one kept"),
    ] = None,
    parallel: Annotated[
        bool,
        typer.Option("--parallel/--no-parallel", help="Several nodes at once, or one by one."),
    ] = True,
    workers: Workers = None,
    executor: ExecutorName = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Even if what it was planned against has moved since."),
    ] = False,
    as_json: AsJsonLines = False,
) -> None:
    """Carry out the plan of an environment.

    Computes what the plan names, and shows it when all of it is complete. Failed or killed, the
    same command goes on where it stopped; when files were edited since, plan again first: what was
    computed is reused. Ends as `seeknal run` does, and --json prints what that prints.
    """
    from seeknal.cli.running import end, progress_of
    from seeknal.workflow.applying import apply_plan, chosen_plan
    from seeknal.workflow.moved import PlanMovedError
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.plan_document import EnvironmentPlan

    if workers and not parallel:
        raise RequestError("--no-parallel is one worker: leave out --workers.")
    document = EnvironmentPlan.load(plan) if plan else None
    with OpenProject(project) as opened:
        opened.run_on(executor)
        planning = chosen_plan(opened.state, environment, document).command
        with progress_of(opened, as_json, _mend(environment, planning, force)) as progress:
            try:
                summary = apply_plan(
                    opened,
                    environment,
                    document=document,
                    force=force,
                    workers=workers if parallel else 1,
                    tell=on_terminal,
                )
            except PlanMovedError as error:
                advice = f"Plan again with `{planning}`, or go on all the same with --force."
                raise PlanMovedError(error.message, error.moved, advice) from None
            if not summary.run_id:
                progress.nothing_to_do(
                    summary,
                    f"The plan of '{environment}' has been applied already. For what has changed "
                    f"since, make another one with `{planning}`.",
                )
    end(summary)


def _mend(environment: str, planning: str, force: bool) -> str:
    """How to go on when nodes have failed: what is edited since isn't in the plan."""
    if force:
        return "Mend it and run the same command again: what was computed is reused."
    return (
        f"If nothing in the project's files must be mended, run the same command again. "
        f"Otherwise mend it, then do `{planning}` and `seeknal env apply {environment}`: what was "
        "computed is reused."
    )


@app.command()
def promote(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Whose versions to show.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where.")],
    project: ProjectPath = Path(),
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let one environment show what another one shows, all at once.

    Refused, with the list, when the target has moved since the source was planned against it.
    """
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.promoting import promote

    with OpenProject(project) as opened:
        keep = opened.settings.retention.revisions
        moved = promote(opened.state, source, target, keep=keep, dry_run=dry_run)
        made = opened.environment(target) if moved.revision == 1 and not dry_run else None
    done = f"'{target}' shows what '{source}' shows"
    then = f"Take it back with `seeknal env rollback {target}`."
    if made:
        hours = made.ttl_hours
        then = f"It expires {hours:,g} hours after its last use." if hours is not None else ""
    _tell(moved, done, f"{done} now", then, dry_run, as_json, _unmatched(moved, source))


def _unmatched(moved: Promotion, source: str) -> str:
    """What is shown beside a version of what it is made from that it wasn't made from."""
    names = moved.unmatched
    if not names:
        return ""
    one = len(names) == 1
    match, it = ("doesn't match what it is", "it") if one else ("don't match what they are", "them")
    return (
        f"{count(len(names), 'node')} {match} made from, since the plan of '{source}' left {it} "
        f"out: {some(names)}. Without --select, `seeknal plan {source}` plans {it} too."
    )


@app.command()
def rollback(
    environment: Name,
    to: Annotated[
        int | None,
        typer.Option(
            "--to",
            metavar="N",
            min=0,
            help="What it showed after this revision: see `seeknal env history`.",
            show_default="the one before",
        ),
    ] = None,
    project: ProjectPath = Path(),
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let an environment show what it showed before.

    A run brings it to what the project's files say again: take the change back there too.
    """
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.promoting import rollback

    with OpenProject(project) as opened:
        keep = opened.settings.retention.revisions
        moved = rollback(opened.state, environment, to, keep=keep, dry_run=dry_run)
    done = f"'{environment}' shows what it showed after revision {moved.back_to}"
    then = f"The next `{run_command(environment)}` brings it to what the project's files say."
    _tell(moved, done, f"{done} again", then, dry_run, as_json)


def _tell(
    moved: Promotion,
    already: str,
    done: str,
    then: str,
    dry_run: bool,
    as_json: bool,
    note: str = "",
) -> None:
    """What a move of pointers comes to. already, done: what is so, or what is so now. then, note:
    what to know about it, afterwards and in any case."""
    parts = {"gains": moved.gained, "changes": moved.changed, "loses": moved.lost}
    if as_json:
        answer: dict[str, Any] = {"environment": moved.environment, "dry_run": dry_run}
        answer |= {name: list(ids) for name, ids in parts.items()}
        answer["unmatched"] = list(moved.unmatched)
        typer.echo(json.dumps({**answer, "revision": moved.revision}, indent=2))
        return
    if not moved.moved:
        typer.echo(f"{already} already: nothing to move.")
        return
    for name, ids in parts.items():
        if ids:
            typer.echo(f"'{moved.environment}' {name} {count(len(ids), 'node')}: {some(ids)}")
    if note:
        typer.echo(note)
    if dry_run:
        typer.echo("Nothing was moved: this is a dry run.")
    else:
        typer.echo(f"{done}: revision {moved.revision}. {then}".rstrip())


@app.command()
def history(environment: Name, project: ProjectPath = Path(), as_json: AsJson = False) -> None:
    """List the moves of an environment's pointers, the newest first."""
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.revisions import counts_moved

    with OpenProject(project) as opened:
        shown = opened.environment(environment)
        revisions = opened.state.list_revisions(environment)
    facts = [
        {
            "revision": r.number,
            "made_at": r.made_at.isoformat(timespec="seconds"),
            "nodes": moved,
            "made_by": r.made_by,
        }
        for r, moved in zip(revisions, counts_moved(shown, revisions), strict=True)
    ]
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    elif not facts:
        typer.echo(f"'{shown.name}' has not moved since it was made.")
    else:
        rows = [[str(value) for value in fact.values()] for fact in facts]
        typer.echo(columns(("REVISION", "AT", "NODES", "BY"), rows))


@app.command(name="list")
def list_environments(project: ProjectPath = Path(), as_json: AsJson = False) -> None:
    """List the environments."""
    from seeknal.workflow.environment import Environment
    from seeknal.workflow.open_project import OpenProject

    with OpenProject(project) as opened:
        found = [Environment(record) for record in opened.state.list_environments()]
    if as_json:
        typer.echo(json.dumps([_facts(environment) for environment in found], indent=2))
        return
    if not found:
        typer.echo("There is no environment yet: `seeknal run` makes prod.")
        return
    rows = [
        (e.name, e.status, str(len(e.pointers)), _time(e.created_at), _time(e.used_at), _expiry(e))
        for e in found
    ]
    typer.echo(columns(("NAME", "STATUS", "NODES", "CREATED", "USED", "EXPIRES"), rows))


@app.command()
def show(environment: Name, project: ProjectPath = Path(), as_json: AsJson = False) -> None:
    """Show an environment, its plan, and how it differs from what it was planned against."""
    from seeknal.state.records import PLANNED
    from seeknal.workflow.environment import Environment
    from seeknal.workflow.moved import is_to_be_applied
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.revisions import nodes_moved

    with OpenProject(project) as opened:
        record = opened.environment(environment)
        shown = Environment(record)
        plan = shown.plan
        waits = is_to_be_applied(record)
        base = opened.state.get_environment(plan.base) if plan and plan.base else None
    differ = list(nodes_moved(base, record)) if base and record.pointers else []
    if as_json:
        answer = {
            **_facts(shown),
            "base": plan.base if plan else None,
            "differs_from_base": differ,
            "pointers": shown.pointers,
        }
        typer.echo(json.dumps(answer, indent=2))
        return
    typer.echo(f"{shown.name}: {shown.status}, shows {count(len(shown.pointers), 'node')}")
    typer.echo(f"  made {_time(shown.created_at)}, last used {_time(shown.used_at)}")
    typer.echo(f"  expires {_expiry(shown)}")
    if base and record.pointers:
        what = f"{count(len(differ), 'node')}: {some(differ)}" if differ else "nothing"
        typer.echo(f"  differs from '{base.name}' in {what}")
    if plan and waits:
        typer.echo(plan.summary)
        typer.echo(f"Carry it out with `seeknal env apply {shown.name}`.")
    elif plan:
        against = f", against '{plan.base}'" if plan.base else ""
        typer.echo(f"  last plan of {_time(plan.created_at)}{against}: {plan.edits}")
        if record.status == PLANNED:
            typer.echo(
                f"  it no longer holds: '{shown.name}' has moved since. Plan again with "
                f"`{plan.command}`."
            )


@app.command()
def delete(
    environment: Name,
    project: ProjectPath = Path(),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Delete an environment. What only it shows is removed by `seeknal env cleanup`."""
    from seeknal.workflow.cleaning import based_on, delete
    from seeknal.workflow.open_project import OpenProject

    with OpenProject(project) as opened:
        based = based_on(opened.state, environment)
        if not yes and sys.stdin.isatty() and environment != PROD:
            nodes = count(len(opened.environment(environment).pointers), "node")
            also = f", and on which {_are_based(based)}" if based else ""
            if not typer.confirm(f"Delete '{environment}', which shows {nodes}{also}?"):
                raise typer.Abort
        delete(opened.state, environment)
    typer.echo(f"'{environment}' is deleted.")
    if based:
        choose = f"seeknal plan {based[0]} --base {PROD}"
        typer.echo(f"On it {_are_based(based)}: choose another base, as with `{choose}`.")


def _are_based(names: Sequence[str]) -> str:
    return f"{some(names)} {'is' if len(names) == 1 else 'are'} based"


@app.command()
def cleanup(
    project: ProjectPath = Path(), dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Remove environments that have expired, and the data that nothing reaches then.

    What environments show, what they can be rolled back to, and what runs at work need, stays.
    """
    from seeknal.workflow.cleaning import clean_up
    from seeknal.workflow.open_project import OpenProject

    with OpenProject(project) as opened:
        done = clean_up(opened.state, opened.engine, dry_run=dry_run, tell=on_terminal)
    if as_json:
        answer = {
            "dry_run": dry_run,
            "environments": list(done.environments),
            "snapshots": [one._asdict() for one in done.stored],
            "bytes": done.bytes,
        }
        typer.echo(json.dumps(answer, indent=2))
        return
    if dry_run:
        for one in done.stored:
            typer.echo(f"{one.node_id} {one.part or one.snapshot}  {_size(one.bytes)}")
    names = list(done.environments)
    what = []
    if names:
        what.append(f"{count(len(names), 'environment')} ({some(names)})")
    if done.stored:
        what.append(f"{count(done.snapshots, 'snapshot')} with {_size(done.bytes)}")
    if not what:
        typer.echo("There is nothing to remove.")
    elif dry_run:
        typer.echo(f"Would remove {' and '.join(what)}. Nothing was: this is a dry run.")
    else:
        typer.echo(f"Removed {' and '.join(what)}.")


@app.command()
def export(
    environment: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A DuckDB file to write.")],
    project: ProjectPath = Path(),
) -> None:
    """Write a DuckDB file with a view for every node, for other programs to read.

    Its views show what the environment shows now. Export again to follow it.
    """
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.reading import tables_of

    make_room(file)
    with OpenProject(project) as opened:
        tables = tables_of(opened, environment)
        shown = opened.engine.export_views(tables, file)
    typer.echo(f"{file}: {count(len(shown), 'view')} of '{environment}'.")
    empty = [node_id for node_id in tables if node_id not in shown]
    if empty:
        them = "it" if len(empty) == 1 else "them"
        typer.echo(f"Without a view, since nothing is in {them} yet: {some(empty)}")


def _facts(environment: Environment) -> dict[str, Any]:
    end = environment.expires_at
    return {
        "name": environment.name,
        "status": environment.status,
        "nodes": len(environment.pointers),
        "created_at": environment.created_at.isoformat(),
        "used_at": environment.used_at.isoformat(),
        "ttl_hours": environment.ttl_hours,
        "expires_at": end.isoformat() if end else None,
    }


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _expiry(environment: Environment) -> str:
    end = environment.expires_at
    if end is None:
        return "never"
    return "at the next cleanup" if end <= datetime.now(UTC) else _time(end)


def _size(size: int) -> str:
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
