"""Tasks that depend on what other tasks of their run give.

What reads an incremental node reads the parts that it holds, and its own snapshot is addressed by
them. So where a run adds parts, the tasks behind them are completed when they become ready.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from seeknal.dag.fingerprint import is_incremental, snapshot_id, version_of_parts
from seeknal.dag.manifest import Manifest
from seeknal.state.intervals import Part, added
from seeknal.workflow.engine import Engine, Snapshot
from seeknal.workflow.plan import Plan
from seeknal.workflow.task import NodeResult, Task


class LateTasks:
    """Knows what each node of a plan comes to while it is carried out. For one thread at a time."""

    def __init__(
        self, plan: Plan, manifest: Manifest, refreshed: Mapping[str, str], engine: Engine
    ) -> None:
        self._manifest, self._refreshed, self._engine = manifest, refreshed, engine
        self._parts: dict[str, Sequence[Part]] = dict(plan.parts)
        self._snapshots: dict[str, str] = {}

    def note(self, result: NodeResult) -> None:
        """A task has ended well."""
        self._snapshots[result.node_id] = result.snapshot
        if result.interval:
            part = Part(*result.interval, result.part)
            self._parts[result.node_id] = added(self._parts[result.node_id], part)

    def complete(self, task: Task) -> Task | NodeResult:
        """The task as it can be done now; or its result, when the same has been done before."""
        if task.snapshot and not task.parts and all(task.inputs.values()):
            return task
        inputs = {i: self._snapshots.get(i) or known for i, known in task.inputs.items()}
        parts = {i: self._parts[i] for i, s in inputs.items() if is_incremental(s)}
        complete = replace(task, inputs=inputs, parts=parts)
        if task.snapshot:
            return complete
        versions = {
            i: version_of_parts(s, parts[i]) if i in parts else s for i, s in inputs.items()
        }
        node = self._manifest.nodes[task.node_id]
        refresh = self._refreshed.get(node.id, "")
        snapshot = Snapshot(node.id, snapshot_id(node, versions, task.content, refresh))
        complete = replace(complete, snapshot=snapshot.id)
        if self._engine.existing([snapshot]):
            return NodeResult.of(complete, "success", reused=True)
        return complete
