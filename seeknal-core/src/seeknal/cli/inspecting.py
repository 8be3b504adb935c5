"""`seeknal parse` and `seeknal list`: what a project holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from seeknal.cli.options import AsJson, ProjectPath, Select
from seeknal.cli.words import columns, count
from seeknal.errors import some

if TYPE_CHECKING:
    from seeknal.workflow.open_project import OpenProject


def parse(project: ProjectPath = Path(), as_json: AsJson = False) -> None:
    """Check all nodes and write the manifest.

    It goes to target/manifest.json, a node a line.
    """
    from seeknal.workflow.open_project import OpenProject

    with OpenProject(project) as opened:
        path = opened.target / "manifest.json"
        opened.manifest.save(path)
        nodes = opened.manifest.nodes.values()
        counts = {kind: sum(n.kind == kind for n in nodes) for kind in ("source", "transform")}
        warn(opened)
        if as_json:
            answer = {"manifest": str(path), "nodes": counts, "skipped": opened.skipped}
            typer.echo(json.dumps(answer, indent=2))
        else:
            what = " and ".join(count(number, kind) for kind, number in counts.items())
            typer.echo(f"{opened.settings.name}: {what}. Wrote {path}")


def list_nodes(
    project: ProjectPath = Path(), select: Select = None, as_json: AsJson = False
) -> None:
    """List the nodes, with what they read and where they are written."""
    from seeknal.dag.selectors import select as chosen
    from seeknal.workflow.open_project import OpenProject

    with OpenProject(project) as opened:
        manifest = opened.manifest
        ids = chosen(manifest, select) if select else set(manifest.nodes)
        nodes = [manifest.nodes[node_id] for node_id in manifest.order if node_id in ids]
        warn(opened)
    if as_json:
        typer.echo(json.dumps([n.to_dict() for n in nodes], indent=2, ensure_ascii=False))
        return
    rows = [
        (n.id, f"{n.file_path}:{n.line}", ", ".join(n.inputs) or "-", n.description or "")
        for n in nodes
    ]
    typer.echo(columns(("NODE", "FILE", "INPUTS", "DESCRIPTION"), rows))


def warn(project: OpenProject) -> None:
    """Name once, on standard error, what was passed over."""
    for kind, ids in project.skipped.items():
        typer.echo(
            f"Skipped {count(len(ids), 'node')} of the kind '{kind}', which nothing installed "
            f"supports: {some(ids)}",
            err=True,
        )
    if project.unchecked:
        typer.echo(f"The nodes' SQL was not checked. {project.unchecked}", err=True)
