"""`seeknal diff`: what was edited, and what has to be computed again because of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seeknal.cli.options import AsJson, EnvironmentName, ProjectPath
from seeknal.cli.words import count, way
from seeknal.errors import some

if TYPE_CHECKING:
    from seeknal.dag.diff import ManifestDiff, NodeImpact
    from seeknal.dag.impact import Effect
    from seeknal.dag.manifest import Manifest, Node


def diff(
    old: Annotated[
        Path | None, typer.Argument(help="A manifest's file.", show_default="what --env shows")
    ] = None,
    new: Annotated[
        Path | None, typer.Argument(help="A manifest's file.", show_default="the project now")
    ] = None,
    project: ProjectPath = Path(),
    env: EnvironmentName = "prod",
    as_json: AsJson = False,
) -> None:
    """Show what was edited, and what has to be computed again because of it.

    Compares two manifests that `seeknal parse` wrote, or one with the project as it is, or without
    any, what an environment was computed from. New data is not looked at: see `run --dry-run`.
    """
    from seeknal.dag.diff import ManifestDiff
    from seeknal.dag.manifest import Manifest
    from seeknal.names import PROJECT_FILE
    from seeknal.workflow.open_project import OpenProject

    if old and new and not (project / PROJECT_FILE).is_file():
        after = Manifest.load(new)
        compared = ManifestDiff.compare(Manifest.load(old), after)
    else:
        with OpenProject(project) as opened:
            before = Manifest.load(old) if old else opened.remembered(env)
            after = Manifest.load(new) if new else opened.manifest
            compared = ManifestDiff.compare(
                before, after, judge=opened.judge, impact=opened.settings.impact
            )
    if as_json:
        typer.echo(json.dumps(_document(compared, after), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(compared, after)))


def _document(compared: ManifestDiff, new: Manifest) -> dict[str, Any]:
    rebuilt = compared.get_nodes_to_rebuild(new)
    return {
        "added": compared.added,
        "removed": compared.removed,
        "edited": compared.edited,
        "changes": {c.value: ids for c, ids in compared.get_categorized_changes().items()},
        "rebuild": {node_id: category.value for node_id, category in rebuilt.items()},
        "nodes": {i: compared.impact(i).to_dict() for i in compared.effects},
    }


def _lines(compared: ManifestDiff, new: Manifest) -> Iterator[str]:
    from seeknal.dag.impact import REACHED

    if not compared.has_changes():
        yield "Nothing was edited."
        return
    rebuilt = compared.get_nodes_to_rebuild(new)
    edits = {"added": compared.added, "edited": compared.edited, "removed": compared.removed}
    told = ", ".join(f"{len(ids)} {what}" for what, ids in edits.items() if ids)
    yield f"{told}; {count(len(rebuilt), 'node')} to compute again"
    yield ""
    width = max(len(i) for i in [*compared.effects, *compared.removed])
    for node_id, effect in compared.effects.items():
        if effect.change or effect.status != REACHED:
            yield from _of_node(compared.impact(node_id), effect, new.nodes[node_id], width)
    for node_id in compared.removed:
        yield f"- {node_id.ljust(width)}  removed"
    spared = [i for i, e in compared.effects.items() if not e.change and e.status == REACHED]
    untouched = len(new.nodes) - len(compared.effects)
    yield ""
    if spared:
        read = "it reads" if len(spared) == 1 else "they read"
        yield f"Spared, since {read} nothing that changes: {some(spared)}"
    if untouched:
        yield f"{count(untouched, 'node')} out of reach"


def _of_node(impact: NodeImpact, effect: Effect, node: Node, width: int) -> Iterator[str]:
    from seeknal.dag.diff import told
    from seeknal.dag.impact import ADDED, REACHED

    name = impact.node_id.ljust(width)
    if effect.status == ADDED:
        yield f"+ {name}  new"
        return
    sign = ">" if effect.status == REACHED else "~"
    steps = [step.node_id for step in impact.path[:-1]] if effect.change else []
    by_way = f"  by way of {way(steps)}" if steps else ""
    yield f"{sign} {name}  {effect.change.category.name}{by_way}"
    if not effect.change:
        same = "; ".join(message for message, _ in effect.reasons) or "it means the same"
        yield f"    {same}: nothing to compute"
        return
    if not effect.change.rows:
        yield f"    {told(effect.change)}"
    for message, line in impact.reasons[:5]:
        place = f" ({node.file_path}:{node.line + line - 1})" if line else ""
        yield f"    {message}{place}"
