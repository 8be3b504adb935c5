"""What separates an environment from a manifest, and the tasks that close the distance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from seeknal.dag.diff import BY_COLUMN
from seeknal.dag.fingerprint import (
    is_incremental,
    pointer_to,
    snapshot_id,
    snapshot_of,
    version_of,
)
from seeknal.dag.judge import Judge
from seeknal.dag.manifest import Manifest, Node, reach
from seeknal.errors import BuildError, RequestError
from seeknal.project.source_files import ContentVersions, files_of, reads_files
from seeknal.state.intervals import Interval, Part
from seeknal.state.records import Environment
from seeknal.workflow.batches import Batches, due, in_batches, limits, to_compute
from seeknal.workflow.engine import Engine, Snapshot
from seeknal.workflow.holdings import absent, overlaid, within
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.scheduler import Scheduler
from seeknal.workflow.standing import Standing, is_spared
from seeknal.workflow.task import Task, label
from seeknal.workflow.view import View, begins_as


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does.

    snapshots: what the environment's pointers are to point at, node id -> snapshot id, as far as
    that is known. tasks: what must be computed for that, every one behind those that it needs.
    unchanged: nodes whose pointer stays. left: nodes that are not selected, and that an edit comes
    near without a difference to them. reused: nodes whose snapshot exists and only needs a pointer.
    addresses: of nodes that keep a pointer, the id of the snapshot that it stands for. waiting:
    nodes for which what they read isn't there yet, and why. parts: what is read of incremental
    nodes before the run has computed any more. adopted: those of them that the environment doesn't
    show yet. pins: node id -> the pointer to what the run reads, empty where that isn't known yet.
    contents: source id -> the version of its data.
    """

    environment: str
    snapshots: Mapping[str, str]
    tasks: tuple[Task, ...]
    unchanged: tuple[str, ...]
    reused: tuple[str, ...]
    left: tuple[str, ...] = ()
    addresses: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Sequence[Part]] = field(default_factory=dict)
    adopted: Mapping[str, Sequence[Part]] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a plan is made in.

    selected: ids of the nodes to bring up to date; the others stay at their pointers. held: what a
    snapshot of a node holds. shown: what a pointer to one shows of it. bounds: the first and last
    time to compute, None for no such limit. judge: who judges edits of SQL. impact: how far edits
    are followed, as `ManifestDiff.compare` takes it. base: another environment, whose snapshots are
    shown where they stand for what is wanted; of incremental nodes, nothing is computed that lies
    behind the time that it shows. batch_size: over what the nodes say.
    """

    root: Path
    run_id: str
    selected: set[str]
    engine: Engine
    contents: ContentVersions
    held: Callable[[str, str], Sequence[Part]]
    shown: Callable[[str, str], Sequence[Part]]
    scheduler: Callable[[str], Scheduler]
    now: datetime
    judge: Callable[[], Judge] = Judge.of
    impact: str = BY_COLUMN
    base: Environment | None = None
    bounds: tuple[str | None, str | None] = (None, None)
    batch_size: int | None = None


def make_plan(
    manifest: Manifest,
    environment: Environment,
    given: Circumstances,
    standing: Standing | None = None,
) -> Plan:
    """Compare an environment with a manifest. standing: of these two, if there is one already."""
    standing = standing or _standing(manifest, environment, given)
    return _Planner(manifest, environment, given, standing).plan()


def _standing(manifest: Manifest, environment: Environment, given: Circumstances) -> Standing:
    return Standing(manifest, environment, given.judge, given.impact)


class _Planner:
    """Goes through the nodes, each behind its inputs."""

    def __init__(
        self,
        manifest: Manifest,
        environment: Environment,
        given: Circumstances,
        standing: Standing,
    ) -> None:
        self._manifest, self._environment, self._given = manifest, environment, given
        self._standing, self._base = standing, given.base
        self._own = View(environment, manifest, given.selected, given.engine, standing)
        self._views = [self._own]
        if self._base and not begins_as(environment, self._base):
            of_base = _standing(manifest, self._base, given)
            self._views.append(View(self._base, manifest, given.selected, given.engine, of_base))
        self._snapshots: dict[str, str] = {}
        """Of each node, what is read of it in this run: empty where that isn't known yet."""
        self._versions: dict[str, str] = {}
        """The same, with what incremental ones hold."""
        self._parts: dict[str, Sequence[Part]] = {}
        self._adopted: dict[str, Sequence[Part]] = {}
        self._pins: dict[str, str] = {}
        """Of incremental nodes, the pointers to what is read of them."""
        self._batches: dict[str, Batches] = {}
        self._tasks: list[Task] = []
        self._whole: dict[str, Task] = {}
        self._waiting: dict[str, str] = {}
        self._ready: list[str] = []
        self._addresses: dict[str, str] = {}
        self._left: list[str] = []
        self._contents: dict[str, str] = {}
        self._shown = cache(given.shown)

    def plan(self) -> Plan:
        for node_id in self._manifest.order:
            node = self._manifest.nodes[node_id]
            if node_id not in self._given.selected:
                self._leave(node)
                continue
            self._refuse_missing_inputs(node)
            self._refuse_old_inputs(node)
            reason = self._reason_to_wait(node)
            if reason:
                self._waiting[node_id] = reason
            elif node.incremental:
                self._plan_batches(node)
            else:
                self._plan_whole(node)
        wanted = [Snapshot(i, task.snapshot) for i, task in self._whole.items() if task.snapshot]
        there = {snapshot.node_id for snapshot in self._given.engine.existing(wanted)}
        tasks = tuple(t for t in self._tasks if t.interval or t.node_id not in there)
        pointers, pins = self._environment.pointers, {**self._snapshots, **self._pins}
        done = [*self._ready, *(i for i in self._whole if i in there)]
        done.sort(key=self._manifest.positions.__getitem__)
        selected, left = self._given.selected, set(self._left)
        return Plan(
            environment=self._environment.name,
            snapshots={
                i: s for i, s in self._snapshots.items() if s and (i in selected or i in left)
            },
            tasks=_without_what_is_there(tasks, there),
            unchanged=tuple(i for i in done if pointers.get(i) == pins[i]),
            reused=tuple(i for i in done if pointers.get(i) != pins[i]),
            left=tuple(self._left),
            addresses=self._addresses,
            waiting=self._waiting,
            parts=self._parts,
            adopted=self._adopted,
            pins=pins,
            contents={
                i: self._contents[node.config["table"]]
                for i, node in self._manifest.nodes.items()
                if reads_files(node) and node.config["table"] in self._contents
            },
        )

    def _leave(self, node: Node) -> None:
        """What is not selected is read where its pointer is."""
        pointer = self._environment.pointers.get(node.id)
        if pointer is None:
            return
        self._snapshots[node.id] = self._versions[node.id] = pointer
        for view in self._views:
            if pointer != view.pointers.get(node.id):
                view.moved.add(node.id)
        if is_incremental(pointer):
            self._hold(node.id, snapshot_of(pointer), self._shown(node.id, pointer))
        address = self._address_left(node)
        if address not in ("", self._standing.address(node.id)):
            self._addresses[node.id] = address
            self._left.append(node.id)

    def _address_left(self, node: Node) -> str:
        """What a node that is not selected still stands for; empty if that isn't known."""
        if node.incremental:
            stands = self._standing.incremental_snapshot(node) == self._snapshots[node.id]
            return self._standing.incremental_address(node) if stands else ""
        address = "" if reads_files(node) else self._address(node)
        return address if self._stands(self._own, node, address) else ""

    def _hold(self, node_id: str, snapshot: str, parts: Sequence[Part]) -> str:
        """Read these parts of a snapshot in this run. Returns the pointer to them."""
        pointer = self._pins[node_id] = pointer_to(snapshot, parts)
        self._snapshots[node_id] = snapshot
        self._parts[node_id] = parts
        self._versions[node_id] = version_of(pointer)
        self._batches[node_id] = Batches([], [], IntervalSet(parts))
        return pointer

    def _refuse_missing_inputs(self, node: Node) -> None:
        missing = [i for i in node.inputs if i not in self._snapshots and i not in self._waiting]
        if missing:
            raise RequestError(
                f"{node.id} needs {', '.join(missing)}, which has never been computed in "
                f"'{self._environment.name}'. Select it too: --select +{node.name}"
            )

    def _refuse_old_inputs(self, node: Node) -> None:
        """An interval is computed once, so not from what is older than the files that it is made
        of: neither their definitions nor, where nothing incremental lies between, their data."""
        if node.incremental is None:
            return
        nodes = self._manifest.nodes
        above = reach(node.inputs, lambda i: () if nodes[i].incremental else nodes[i].inputs)
        for node_id in (i for i in self._manifest.order if i in above):
            if node_id in self._given.selected or self._is_present(nodes[node_id]):
                continue
            raise RequestError(
                f"{node.id} needs {node_id}, which, or what it reads, has changed since it was "
                f"computed in '{self._environment.name}'. Select it too: --select +{node.name}"
            )

    def _is_present(self, node: Node) -> bool:
        """Whether a node that is not selected shows what its present definition makes of the
        present data."""
        pointer = self._environment.pointers.get(node.id)
        if node.incremental:
            shown = snapshot_of(pointer or "")
            return self._standing.incremental_snapshot(node) == shown
        return pointer is not None and self._stands(self._own, node, self._address(node))

    def _reason_to_wait(self, node: Node) -> str | None:
        for input_id in node.inputs:
            if input_id in self._waiting:
                return f"{input_id} waits too"
            batches = self._batches.get(input_id)
            if batches and not batches.holds:
                return f"{input_id} holds no interval yet"
        return None

    # --- Incremental nodes ------------------------------------------------------------------

    def _plan_batches(self, node: Node) -> None:
        given, timing = self._given, node.incremental
        assert timing is not None
        snapshot = self._incremental_snapshot(node)
        self._addresses[node.id] = self._standing.incremental_address(node)
        shown = self._shown_of(self._environment, node.id, snapshot)
        held = given.held(node.id, snapshot)
        if self._base:
            held = overlaid(held, self._shown_of(self._base, node.id, snapshot))
        scheduler, now = given.scheduler(timing.scheduler), self._until(node)
        intervals = due(node, scheduler, now, given.bounds, IntervalSet(shown or held))
        available = [self._batches[i].holds for i in node.inputs if i in self._batches]
        possible = [i for i in intervals if all(there.contains(i) for there in available)]
        wanted = to_compute(intervals, possible, IntervalSet(held), timing.lookback)
        there = within(held, IntervalSet(possible) - IntervalSet(wanted))
        self._adopted[node.id] = list(absent(there, shown))
        parts = overlaid(within(shown, IntervalSet([limits(node)])), self._adopted[node.id])
        pointer = self._hold(node.id, snapshot, parts)
        for view in self._views:
            if wanted or pointer != view.pointers.get(node.id):
                view.moved.add(node.id)
        if wanted:
            self._versions[node.id] = ""
            self._add_batches(
                node, snapshot, list(in_batches(wanted, given.batch_size or timing.batch_size))
            )
        elif parts:
            self._ready.append(node.id)
        else:
            why = "its first interval is not over yet"
            if available and intervals:
                why = f"what it reads does not hold {label(intervals[0], timing.timezone)}"
            self._waiting[node.id] = why

    def _shown_of(self, environment: Environment, node_id: str, snapshot: str) -> Sequence[Part]:
        """The parts that an environment shows of a snapshot of a node."""
        pointer = environment.pointers.get(node_id, "")
        return self._shown(node_id, pointer) if snapshot_of(pointer) == snapshot else ()

    def _until(self, node: Node) -> datetime:
        """When what is computed is to be over: an environment that is compared with its base is
        brought as far as that is, and further only when the node's own end was moved."""
        if self._base is None:
            return self._given.now
        pointer = self._base.pointers.get(node.id, "")
        before = self._views[-1].standing.before(node.id) if is_incremental(pointer) else None
        assert node.incremental is not None
        if before is None or before.incremental is None:
            return self._given.now
        if before.incremental.end != node.incremental.end:
            return self._given.now
        parts = self._shown(node.id, pointer)
        return min(self._given.now, parts[-1].end) if parts else self._given.now

    def _incremental_snapshot(self, node: Node) -> str:
        """The one that its intervals belong to."""
        found = self._standing.incremental_snapshot(node)
        for view in self._views[1:]:
            if found == self._own.snapshot(node.id):
                break
            other = view.standing.incremental_snapshot(node)
            if other == view.snapshot(node.id) and self._is_asked_as_in(view, node):
                return other
        return found

    def _add_batches(self, node: Node, snapshot: str, intervals: list[Interval]) -> None:
        timing, planned = node.incremental, self._batches[node.id]
        assert timing is not None
        before: tuple[str, ...] = ()
        for interval in intervals:
            task = self._task(
                node,
                snapshot,
                interval=interval,
                name=f"{node.id} {label(interval, timing.timezone)}",
                needs=(*self._needs(node, interval), *before),
                at_once=timing.batch_concurrency,
            )
            before = (task.name,) if timing.depends_on_past else ()
            planned.tasks.append(task)
        planned.intervals = intervals
        planned.holds = planned.holds | IntervalSet(intervals)
        self._tasks += planned.tasks

    # --- Nodes that are computed whole ------------------------------------------------------

    def _plan_whole(self, node: Node) -> None:
        address = self._address(node)
        standing = (
            view.there[node.id]
            for view in self._views
            if self._stands(view, node, address) and node.id in view.there
        )
        pointer = next(standing, None)
        for view in self._views:
            same = pointer is not None and view.pointers.get(node.id) == pointer
            if not same and not self._is_as_before(view, node):
                view.moved.add(node.id)
        if pointer is not None:
            self._snapshots[node.id] = self._versions[node.id] = pointer
            self._addresses[node.id] = address
            self._ready.append(node.id)
            return
        content = self._content(node)
        task = self._task(node, address, content=content, needs=self._needs(node))
        self._snapshots[node.id] = self._versions[node.id] = address
        self._whole[node.id] = task
        self._tasks.append(task)

    def _address(self, node: Node) -> str:
        """What its snapshot is called when it is computed now; empty where that isn't known yet."""
        versions = {i: self._versions.get(i, "") for i in node.inputs}
        if not all(versions.values()):
            return ""
        refresh = self._standing.refresh(node.id)
        return snapshot_id(node, versions, self._content(node), refresh)

    def _stands(self, view: View, node: Node, address: str) -> bool:
        """Whether computing it at this address would only give again what is shown there."""
        if not address or not self._is_asked_as_in(view, node):
            return False
        if view.standing.address(node.id) == address:
            return True
        return self._is_as_before(view, node) and is_spared(view.standing.effects.get(node.id))

    def _is_asked_as_in(self, view: View, node: Node) -> bool:
        """Whether nobody asked one of two environments alone to compute a node anew."""
        return self._standing.refresh(node.id) == view.standing.refresh(node.id)

    def _is_as_before(self, view: View, node: Node) -> bool:
        """Whether it would come to what is shown there if nothing had been edited."""
        before = view.standing.before(node.id)
        if before is None or any(i in view.moved for i in before.inputs):
            return False
        versions = {i: version_of(view.pointers.get(i, "")) for i in before.inputs}
        if not all(versions.values()):
            return False
        refresh = view.standing.refresh(node.id)
        address = snapshot_id(before, versions, self._content(before), refresh)
        return view.standing.address(node.id) == address

    def _task(self, node: Node, snapshot: str, **more: object) -> Task:
        return Task(
            project_path=str(self._given.root),
            environment=self._environment.name,
            run_id=self._given.run_id,
            node_id=node.id,
            snapshot=snapshot,
            inputs={i: self._snapshots[i] for i in node.inputs},
            parts={i: self._parts[i] for i in node.inputs if i in self._parts},
            attempts=node.attempts,
            tags=node.tags,
            **more,  # type: ignore[arg-type]
        )

    def _needs(self, node: Node, interval: Interval | None = None) -> tuple[str, ...]:
        names: list[str] = []
        for input_id in dict.fromkeys(node.inputs):
            if input_id in self._whole:
                names.append(input_id)
            batches = self._batches.get(input_id)
            if batches and interval:
                overlapping = batches.overlapping(interval)
                if not overlapping and not any(part.name for part in self._parts[input_id]):
                    overlapping = [task.name for task in batches.tasks[:1]]  # so that it has rows
                names += overlapping
            elif batches:
                names += [task.name for task in batches.tasks]
        return tuple(names)

    def _content(self, node: Node) -> str:
        if not reads_files(node):
            return ""
        root, table = self._given.root, node.config["table"]
        try:
            if table not in self._contents:
                self._contents[table] = self._given.contents.of(root, files_of(root, node))
        except (BuildError, OSError) as error:
            raise RequestError(f"{node.id} ({node.file_path}): {error}") from error
        return self._contents[table]


def _without_what_is_there(tasks: Sequence[Task], there: set[str]) -> tuple[Task, ...]:
    """Tasks need not wait for snapshots that exist."""
    if not there:
        return tuple(tasks)
    return tuple(
        replace(task, needs=tuple(n for n in task.needs if n not in there))
        if any(n in there for n in task.needs)
        else task
        for task in tasks
    )
