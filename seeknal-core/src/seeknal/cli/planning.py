"""`seeknal plan`: what would have to be done, and why, as a document and on the screen."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seeknal.cli.inspecting import warn
from seeknal.cli.options import AsJson, ProjectPath, Select
from seeknal.cli.words import count, on_terminal, way
from seeknal.files import make_room

if TYPE_CHECKING:
    from seeknal.dag.manifest import Manifest
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.plan_document import EnvironmentPlan, PlannedNode

SOMETHING_TO_DO = 3
"""The exit code of `--check`."""

_REASONS = 5


def plan(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="The environment.")] = "prod",
    project: ProjectPath = Path(),
    summary: Annotated[
        bool, typer.Option("--summary", help="Print only what it comes to.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Also write it as JSON.")
    ] = None,
    as_json: AsJson = False,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            metavar="ENV",
            help="What it begins as, and is compared with.",
            show_default="that of its last plan, or prod",
        ),
    ] = None,
    select: Select = None,
    ttl_hours: Annotated[
        float | None,
        typer.Option(
            "--ttl-hours",
            metavar="HOURS",
            help="How long after its last use it expires.",
            show_default="168; prod never",
        ),
    ] = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Also show how the nodes' SQL differs.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Keep no plan; end with 3 when there is something to do."),
    ] = False,
) -> None:
    """Plan how to bring an environment to what the project is now.

    Computes nothing. A new environment begins as production is: only what was changed has to be
    computed in it. The plan is kept until `seeknal env apply` carries it out.
    """
    from seeknal.workflow.applying import plan_environment
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.proposing import Wanted, propose

    wanted = Wanted(environment, base, select, ttl_hours)
    if output:
        make_room(output)
    with OpenProject(project) as opened:
        _ = opened.manifest
        warn(opened)
        document = (
            propose(opened, wanted).document
            if check
            else plan_environment(opened, wanted, tell=on_terminal)
        )
        opened.contents.save()
        before = _before(opened, document) if sql else None
        if output:
            document.save(output)
        if as_json:
            typer.echo(document.model_dump_json(indent=2))
        else:
            typer.echo(document.summary)
            if not summary:
                _print(_details(document, before, opened.manifest))
                if document.has_changes and not check:
                    typer.echo(f"\nCarry it out with `seeknal env apply {environment}`.")
    if check and document.has_changes:
        raise typer.Exit(SOMETHING_TO_DO)


def _before(project: OpenProject, document: EnvironmentPlan) -> Manifest:
    """The nodes to which the plan compares those of the project."""
    begins_as = document.base if document.is_new and document.base else document.environment
    return project.remembered(begins_as)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


_SIGNS = {"added": "+", "edited": "~", "reached": ">", "removed": "-", None: " "}


def _details(document: EnvironmentPlan, before: Manifest | None, after: Manifest) -> Iterator[str]:
    """Each node of which there is something to say."""
    if not document.nodes:
        return
    yield ""
    width = max(len(node.node) for node in document.nodes)
    for node in document.nodes:
        yield from _lines(node, width)
        if before is not None:
            yield from _sql(node, before, after)


def _lines(node: PlannedNode, width: int) -> Iterator[str]:
    category = node.category.upper() if node.category and node.change != "added" else ""
    head = f"{_SIGNS[node.change]} {node.node.ljust(width)}  {node.action:<7}  {category:<12}"
    yield f"{head}  {node.why}".rstrip()
    if node.action == "spare":
        return
    if len(node.path) > 1:
        yield f"    by way of {way(node.path[:-1])}"
    if node.intervals:
        yield f"    {_intervals(node)}"
    shown = node.reasons[:_REASONS] if node.change != "added" else []
    for reason in shown:
        yield f"    {reason.message}" + (f" ({reason.place})" if reason.place else "")
    if len(shown) < len(node.reasons) and shown:
        yield f"    and {count(len(node.reasons) - len(shown), 'more reason')}"


def _intervals(node: PlannedNode) -> str:
    spans = [f"[{start:%Y-%m-%d %H:%M}, {end:%Y-%m-%d %H:%M})" for start, end in node.intervals]
    more = f" and {len(spans) - 3} more" if len(spans) > 3 else ""
    return f"{', '.join(spans[:3])}{more} UTC in {count(node.batches, 'batch', 'batches')}"


def _sql(node: PlannedNode, before: Manifest, after: Manifest) -> Iterator[str]:
    """How the text of a node differs, coloured on a terminal."""
    from seeknal.dag.queries import sql_of

    def text(manifest: Manifest) -> list[str]:
        found = manifest.nodes.get(node.node)
        whole = (sql_of(found) or str(found.config.get("code", ""))) if found else ""
        return whole.splitlines()

    colours = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}
    for line in list(unified_diff(text(before), text(after), lineterm=""))[2:]:
        colour = colours.get(line[:1]) if sys.stdout.isatty() else None
        yield "    " + (typer.style(line, fg=colour) if colour else line)
