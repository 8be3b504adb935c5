"""What separates an environment from a manifest, and the tasks that close the distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seeknal.dag.fingerprint import snapshot_id
from seeknal.dag.manifest import Manifest
from seeknal.errors import BuildError, RequestError
from seeknal.project.source_files import ContentVersions, files_of, reads_files
from seeknal.state.records import Environment
from seeknal.workflow.engine import Engine, Snapshot
from seeknal.workflow.task import Task


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does.

    snapshots: where the environment's pointers are to go, node id -> snapshot id. tasks: what
    must be computed for that, every node behind its inputs. unchanged: nodes whose pointer is
    already there. reused: nodes whose snapshot exists and only needs a pointer.
    """

    environment: str
    snapshots: Mapping[str, str]
    tasks: tuple[Task, ...]
    unchanged: tuple[str, ...]
    reused: tuple[str, ...]


def make_plan(
    manifest: Manifest,
    environment: Environment,
    engine: Engine,
    contents: ContentVersions,
    *,
    root: Path,
    run_id: str,
    selected: set[str],
) -> Plan:
    """Compare an environment with a manifest.

    selected: ids of the nodes to bring up to date. The others stay at their pointers.
    """
    versions = _versions(manifest, environment, contents, root, selected)
    wanted = [Snapshot(i, versions[i][0]) for i in manifest.order if i in selected]
    there = engine.existing(wanted)
    tasks, unchanged, reused = [], [], []
    for snapshot in wanted:
        node_id = snapshot.node_id
        if snapshot not in there:
            tasks.append(
                Task(
                    project_path=str(root),
                    environment=environment.name,
                    run_id=run_id,
                    node_id=node_id,
                    snapshot=snapshot.id,
                    inputs={i: versions[i][0] for i in manifest.nodes[node_id].inputs},
                    content=versions[node_id][1],
                )
            )
        elif environment.pointers.get(node_id) == snapshot.id:
            unchanged.append(node_id)
        else:
            reused.append(node_id)
    return Plan(environment.name, dict(wanted), tuple(tasks), tuple(unchanged), tuple(reused))


def _versions(
    manifest: Manifest,
    environment: Environment,
    contents: ContentVersions,
    root: Path,
    selected: set[str],
) -> dict[str, tuple[str, str]]:
    """For each node, the snapshot that this run reads or writes, and its sources' content."""
    versions: dict[str, tuple[str, str]] = {}
    for node_id in manifest.order:
        node = manifest.nodes[node_id]
        if node_id not in selected:
            if node_id in environment.pointers:
                versions[node_id] = (environment.pointers[node_id], "")
            continue
        missing = [i for i in node.inputs if i not in versions]
        if missing:
            raise RequestError(
                f"{node_id} needs {', '.join(missing)}, which has never been computed in "
                f"'{environment.name}'. Select it too: --select +{node.name}"
            )
        content = _content(node_id, manifest, contents, root)
        inputs = {i: versions[i][0] for i in node.inputs}
        refresh = environment.refreshed.get(node_id, "")
        versions[node_id] = (snapshot_id(node, inputs, content, refresh), content)
    return versions


def _content(node_id: str, manifest: Manifest, contents: ContentVersions, root: Path) -> str:
    node = manifest.nodes[node_id]
    if not reads_files(node):
        return ""
    try:
        return contents.of(root, files_of(root, node))
    except (BuildError, OSError) as error:
        raise RequestError(f"{node_id} ({node.file_path}): {error}") from error
