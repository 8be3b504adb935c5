"""Point an environment at what a run has computed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from seeknal.dag.fingerprint import is_incremental, pointer_to, snapshot_of
from seeknal.errors import ConflictError
from seeknal.state.intervals import Part
from seeknal.state.records import APPLIED, PROMOTED, Environment, Holding
from seeknal.workflow.batches import due, limits
from seeknal.workflow.holdings import holding_of, known, overlaid, within
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.intervals import ALWAYS
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.plan import Plan
from seeknal.workflow.revisions import save
from seeknal.workflow.standing import definition_text
from seeknal.workflow.task import RunInfo, RunSummary

ATTEMPTS = 20


def publish(project: OpenProject, run: RunInfo, plan: Plan, summary: RunSummary) -> tuple[str, ...]:
    """Move an environment's pointers, all at once, and drop those of what is no longer a node.

    Returns the nodes that stay where they are although they were computed: readers would lose time
    that the old snapshot of the node, or of something that it is made from, holds.
    """
    publishing = Publishing(project, plan, summary)
    for attempt in range(ATTEMPTS):
        current = project.state.get_environment(plan.environment) or Environment(plan.environment)
        moved = publishing.moved(current)
        if moved.environment == current and current.version:
            return moved.behind
        try:
            show(project, run, current, moved)
        except ConflictError:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return moved.behind
    return ()


class Moved(NamedTuple):
    """An environment with all pointers as they should be. behind: nodes that stay where they are
    although they were computed. holdings: what its new pointers show."""

    environment: Environment
    behind: tuple[str, ...]
    holdings: Sequence[Holding]


def show(project: OpenProject, run: RunInfo, before: Environment, moved: Moved) -> None:
    """Let an environment show what a run has computed. Raises ConflictError when the run has lost
    its lock: what it computed may have been removed since."""
    state = project.state
    with state.transaction():
        state.update_run(run.run_id, status="running")
        for holding in moved.holdings:
            state.add_holding(holding)
        kept = project.settings.retention.revisions
        save(state, before, moved.environment, f"run {run.run_id}", kept)


class Publishing:
    """Knows where the pointers of a plan's nodes should go."""

    def __init__(self, project: OpenProject, plan: Plan, summary: RunSummary) -> None:
        self._project, self._plan, self._nodes = project, plan, project.manifest.nodes
        self._done = {i for i, status in summary.nodes.items() if status == "success"}
        self._done |= {*plan.unchanged, *plan.reused, *plan.left}
        results = summary.results.values()
        self._planned = dict(plan.snapshots)
        self._fresh = {i: list(parts) for i, parts in plan.adopted.items()}
        for result in results:
            if result.status == "success":
                self._planned[result.node_id] = result.snapshot
                if result.interval:
                    part = Part(*result.interval, result.part)
                    self._fresh.setdefault(result.node_id, []).append(part)
        self._wanted = {
            i: self._planned[i]
            for i in project.manifest.order
            if i in self._planned and (i in self._done or is_incremental(self._planned[i]))
        }
        self._addresses = plan.addresses
        self._texts: dict[str, str] = {}
        self._shows: dict[str, Sequence[Part]] = {}
        """Of nodes whose pointers are to go elsewhere, what they would show there."""

    def moved(self, current: Environment) -> Moved:
        """What an environment comes to when it shows what is planned and done."""
        pointers, definitions, addresses = (
            {i: value for i, value in values.items() if i in self._nodes}
            for values in (current.pointers, current.definitions, current.addresses)
        )
        behind: list[str] = []
        as_now: set[str] = set()
        """Nodes that are noted as they are now, and all that they are made from too."""
        for node_id in self._project.manifest.order:
            snapshot = self._wanted.get(node_id)
            if snapshot is not None:
                pointer = pointers.get(node_id, "")
                target = self._target(node_id, pointer)
                if target != pointer and self._may_move(node_id, pointers):
                    pointers[node_id] = target
                elif target != pointer and node_id in self._done:
                    behind.append(node_id)
                if pointers.get(node_id) == target and (
                    snapshot_of(pointer) != snapshot
                    or self._may_be_noted(node_id, pointers, as_now)
                ):
                    self._note(node_id, snapshot, definitions, addresses)
            inputs = self._nodes[node_id].inputs
            if definitions.get(node_id) == self._text(node_id) and as_now.issuperset(inputs):
                as_now.add(node_id)
        moved = replace(current, pointers=pointers, definitions=definitions, addresses=addresses)
        if pointers != current.pointers and current.status == PROMOTED:
            moved = replace(moved, status=APPLIED)
        holdings = [
            holding_of(node_id, pointers[node_id], parts)
            for node_id, parts in self._shows.items()
            if pointers.get(node_id) != current.pointers.get(node_id)
        ]
        return Moved(moved, tuple(behind), holdings)

    def _target(self, node_id: str, pointer: str) -> str:
        """Where the pointer of a node should go."""
        snapshot, fresh = self._planned[node_id], self._fresh.get(node_id, ())
        if not is_incremental(snapshot):
            return snapshot
        before: Sequence[Part] = self._plan.parts[node_id]
        if snapshot_of(pointer) == snapshot:
            if node_id in self._plan.left or (
                not fresh and pointer == self._plan.pins.get(node_id)
            ):
                return pointer
            own = IntervalSet([limits(self._nodes[node_id])])
            before = within(known(self._project.state, node_id, pointer), own)
        parts = self._shows[node_id] = overlaid(before, fresh)
        return pointer_to(snapshot, parts)

    def _note(
        self,
        node_id: str,
        snapshot: str,
        definitions: dict[str, str],
        addresses: dict[str, str],
    ) -> None:
        """What a node is now, and which snapshot its pointer stands for."""
        definitions[node_id] = self._text(node_id)
        addresses.pop(node_id, None)
        address = self._addresses.get(node_id, snapshot)
        if address != snapshot:
            addresses[node_id] = address

    def _may_be_noted(
        self, node_id: str, pointers: Mapping[str, str], as_now: Collection[str]
    ) -> bool:
        """The address of an incremental node is made of the definitions of all above it: it is
        only understood beside them."""
        inputs = self._nodes[node_id].inputs
        if is_incremental(pointers[node_id]) and not all(i in as_now for i in inputs):
            return False
        return self._inputs_are_there(node_id, pointers)

    def _text(self, node_id: str) -> str:
        if node_id not in self._texts:
            self._texts[node_id] = definition_text(self._nodes[node_id])
        return self._texts[node_id]

    def _inputs_are_there(self, node_id: str, pointers: Mapping[str, str]) -> bool:
        inputs = (i for i in self._nodes[node_id].inputs if i in self._planned)
        return all(snapshot_of(pointers.get(i, "")) == self._planned[i] for i in inputs)

    def _may_move(self, node_id: str, pointers: Mapping[str, str]) -> bool:
        """What is shown together must have been made from each other."""
        if not self._inputs_are_there(node_id, pointers):
            return False
        old, new = pointers.get(node_id, ""), self._planned[node_id]
        if not is_incremental(new) or snapshot_of(old) == new:
            return True
        if not old:
            return bool(self._shows[node_id])
        if node_id not in self._done or not is_incremental(old):
            return node_id in self._done
        held = IntervalSet(known(self._project.state, node_id, old))
        return not (held & self._due(node_id)) - IntervalSet(self._shows[node_id])

    def _due(self, node_id: str) -> IntervalSet:
        """The time that a node should hold by now."""
        node = self._nodes[node_id]
        if node.incremental is None or not node.incremental.start:
            return IntervalSet([ALWAYS])
        scheduler = self._project.scheduler(node.incremental.scheduler)
        return IntervalSet(due(node, scheduler, datetime.now(UTC), (None, None), IntervalSet()))
