"""`seeknal diff`: what was edited, and what has to be computed again because of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seeknal.cli.options import AsJson, EnvironmentName, ProjectPath
from seeknal.cli.words import count, some

if TYPE_CHECKING:
    from seeknal.dag.diff import ManifestDiff, NodeImpact
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
    from seeknal.dag.manifest import Manifest

    if old and new:
        _show(Manifest.load(old), Manifest.load(new), project, as_json)
        return
    from seeknal.workflow.open_project import OpenProject

    with OpenProject(project) as opened:
        before = Manifest.load(old) if old else opened.remembered(env)
        _show(before, opened.manifest, project, as_json)


def _show(old: Manifest, new: Manifest, project: Path, as_json: bool) -> None:
    from seeknal.config import load_settings
    from seeknal.dag.diff import ManifestDiff
    from seeknal.dag.judge import Judge
    from seeknal.names import PROJECT_FILE
    from seeknal.plugins import Plugins

    if (project / PROJECT_FILE).is_file():
        settings = load_settings(project)
        judge = Judge.of(settings.classifiers, Plugins.of_project(project))
        compared = ManifestDiff.compare(old, new, judge=judge, impact=settings.impact)
    else:
        compared = ManifestDiff.compare(old, new)
    if as_json:
        typer.echo(json.dumps(_document(compared, new), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(compared, new)))


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
            yield from _of_node(compared.impact(node_id), new.nodes[node_id], width)
    for node_id in compared.removed:
        yield f"- {node_id.ljust(width)}  removed"
    spared = [i for i, e in compared.effects.items() if not e.change and e.status == REACHED]
    untouched = len(new.nodes) - len(compared.effects)
    yield ""
    if spared:
        yield f"Spared, since they read nothing that changes: {some(spared)}"
    if untouched:
        yield f"{count(untouched, 'node')} out of reach"


_SIGNS = {"added": "+", "edited": "~", "reached": ">", None: " "}


def _of_node(impact: NodeImpact, node: Node, width: int) -> Iterator[str]:
    from seeknal.dag.diff import told

    category = impact.category.name if impact.category else ""
    if impact.status == "added":
        yield f"+ {impact.node_id.ljust(width)}  new"
        return
    steps = [step.node_id for step in impact.path[:-1]] if impact.change else []
    by_way = " > ".join(steps if len(steps) < 5 else [*steps[:2], "...", *steps[-2:]])
    way = f"  by way of {by_way}" if by_way else ""
    yield f"{_SIGNS[impact.status]} {impact.node_id.ljust(width)}  {category}{way}"
    if not impact.change:
        same = [message for message, _ in impact.reasons if not message.startswith("of ")]
        yield f"    {'; '.join(same) or 'it means the same'}: nothing to compute"
        return
    if not impact.change.rows:
        yield f"    {told(impact.change)}"
    for message, line in impact.reasons[:5]:
        place = f" ({node.file_path}:{node.line + line - 1})" if line else ""
        yield f"    {message}{place}"
