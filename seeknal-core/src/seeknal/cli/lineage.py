"""`seeknal lineage`: which columns a node or a column is made from, or what is made from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seeknal.cli.options import AsJson, ProjectPath

if TYPE_CHECKING:
    from seeknal.dag.classifier import ColumnOf
    from seeknal.dag.lineage import Link


def lineage(
    column: Annotated[str, typer.Argument(metavar="NODE[.COLUMN]", help="As daily_revenue.total.")],
    upstream: Annotated[
        bool, typer.Option("--upstream", help="What it is made from: the default.")
    ] = False,
    downstream: Annotated[bool, typer.Option("--downstream", help="What is made from it.")] = False,
    project: ProjectPath = Path(),
    as_json: AsJson = False,
) -> None:
    """Show which columns a column is made from, node by node, or what is made from it."""
    from seeknal.dag.lineage import Tracer
    from seeknal.workflow.open_project import OpenProject

    with OpenProject(project) as opened:
        tracer = Tracer(opened.manifest, opened.judge)
        start = tracer.column_named(column)
        directions = {"upstream": upstream or not downstream, "downstream": downstream}
        found = {
            name: getattr(tracer, name)(start) for name, wanted in directions.items() if wanted
        }
    if as_json:
        typer.echo(json.dumps({"of": _named(start), **_document(found)}, indent=2))
        return
    for name, links in found.items():
        if len(found) > 1:
            typer.echo(f"{name}:")
        typer.echo("\n".join(_told(start, links, upwards=name == "upstream")))


def _named(column: ColumnOf) -> str:
    return column.table if column.column == "*" else ".".join(column)


def _document(found: dict[str, Sequence[Link]]) -> dict[str, list[dict[str, str]]]:
    return {
        name: [
            {"from": ".".join(link.made_from), "to": ".".join(link.made), "how": link.how}
            for link in links
        ]
        for name, links in found.items()
    }


def _told(start: ColumnOf, links: Sequence[Link], *, upwards: bool) -> Iterator[str]:
    """Values as a tree, in which what stands twice is drawn once; then what decides rows."""
    yield _named(start)
    steps = [link for link in links if link.how != "rows"]
    if not links:
        yield "  made from no other node" if upwards else "  nothing is made from it"
    drawn = {start}
    todo = [(link, 1) for link in reversed(_next(start, steps, upwards))]
    while todo:
        link, depth = todo.pop()
        end = link.made_from if upwards else link.made
        below = _next(end, steps, upwards)
        note = "  (not SQL: it may read all of it)" if link.how == "unknown" else ""
        note += "  (see above)" if below and end in drawn else ""
        yield f"{'  ' * depth}{_named(end)}{note}"
        todo += [(one, depth + 1) for one in reversed(below)] if end not in drawn else []
        drawn.add(end)
    yield from _rows(start, links, upwards)


def _rows(start: ColumnOf, links: Sequence[Link], upwards: bool) -> Iterator[str]:
    """What decides which rows a node has; or of which nodes a column decides that."""
    if upwards:
        deciding = [k.made_from for k in links if k.how == "rows" and k.made.table == start.table]
        if deciding:
            yield f"Which rows {start.table} has is decided by:"
            yield from (f"  {_named(column)}" for column in deciding)
        return
    decided = dict.fromkeys(link.made.table for link in links if link.how == "rows")
    if decided:
        yield "It has a say in which rows there are of:"
        yield from (f"  {node_id}" for node_id in decided)


def _next(column: ColumnOf, links: Sequence[Link], upwards: bool) -> list[Link]:
    return [link for link in links if (link.made if upwards else link.made_from) == column]
