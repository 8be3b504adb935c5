"""Propose how to bring an environment to what a project is: a plan, and the document of it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from seeknal.dag.diff import told
from seeknal.dag.impact import ADDED, REACHED, Effect
from seeknal.dag.manifest import Node
from seeknal.errors import RequestError, did_you_mean
from seeknal.hookspecs import CLASSIFIER, ENGINE, SCHEDULER
from seeknal.names import PROD, check_name
from seeknal.state.intervals import Interval
from seeknal.state.records import Environment
from seeknal.workflow.estimates import Estimate, estimates
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.moved import readable_plan, version_of
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.plan import Plan, make_plan
from seeknal.workflow.plan_document import (
    Action,
    EnvironmentPlan,
    MadeAgainst,
    PlannedNode,
    PlannedReason,
    plan_command,
)
from seeknal.workflow.revisions import KEPT, TTL_HOURS
from seeknal.workflow.runner import circumstances, new_run_id
from seeknal.workflow.standing import Standing, definition_text
from seeknal.workflow.task import Task

LONGEST_TTL_HOURS = 1_000_000
"""A hundred years: sums of times have an end."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. base: the environment that a new one begins as; None for that of its last
    plan, or prod, where there is one.
    select: a selector, None for all nodes. ttl_hours: None for what the environment has, or a
    week."""

    environment: str
    base: str | None = None
    select: str | None = None
    ttl_hours: float | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """stored: the environment as it is kept, None where there is none. shown: what it shows now, or
    begins as."""

    stored: Environment | None
    shown: Environment
    plan: Plan
    document: EnvironmentPlan


def propose(
    project: OpenProject, wanted: Wanted, *, run_id: str = "", now: datetime | None = None
) -> Proposal:
    """Plan, without storing anything. now: the moment at which intervals are to be over.

    Raises RequestError for an environment that can't be planned so.
    """
    name = check_name(wanted.environment, "an environment")
    now = now or datetime.now(UTC)
    stored = project.state.get_environment(name)
    base = _base(project, wanted, stored)
    is_new = stored is None or not stored.pointers
    shown = stored or Environment(name)
    if is_new and base:
        shown = replace(shown, **{field: getattr(base, field) for field in KEPT})
    manifest = project.manifest
    standing = project.standing(shown)
    given = circumstances(
        project,
        run_id,
        wanted.select,
        now,
        base=base,
    )
    plan = make_plan(manifest, shown, given, standing)
    texts = {node.id: definition_text(node) for node in manifest.nodes.values()}
    document = _Document(project, shown, plan, standing, texts, given.selected)
    return Proposal(
        stored,
        shown,
        plan,
        EnvironmentPlan(
            id=new_run_id(),
            environment=name,
            base=base.name if base else None,
            project=project.settings.name,
            created_at=now,
            ttl_hours=_ttl(wanted, stored),
            select=wanted.select,
            against=MadeAgainst(
                environment=version_of(stored),
                base=version_of(base),
                definitions={i: _digest(text) for i, text in texts.items()},
                contents=dict(plan.contents),
                plugins=_plugins(project),
            ),
            nodes=document.nodes(),
            unchanged=document.unchanged(),
            is_new=is_new,
        ),
    )


def _base(project: OpenProject, wanted: Wanted, stored: Environment | None) -> Environment | None:
    last = readable_plan(stored) if stored and stored.name != PROD else None
    name = wanted.base or (last and last.base) or PROD
    if name == wanted.environment:
        if wanted.base:
            raise RequestError(f"'{name}' can't be its own base.")
        return None
    check_name(name, "an environment")
    found = project.state.get_environment(name)
    if found and found.pointers:
        return found
    if wanted.base:
        names = [e.name for e in project.state.list_environments()]
        raise RequestError(
            f"Nothing has been computed in '{name}', so it can't be a base."
            f"{did_you_mean(name, names)}"
        )
    if name != PROD:
        raise RequestError(
            f"'{wanted.environment}' was planned on the base '{name}', which is gone: choose "
            f"another one, as with `{plan_command(wanted.environment, PROD, wanted.select)}`."
        )
    return None


def _ttl(wanted: Wanted, stored: Environment | None) -> float | None:
    if wanted.environment == PROD:
        if wanted.ttl_hours is not None:
            raise RequestError(f"'{PROD}' never expires: leave out the time to live.")
        return None
    hours = wanted.ttl_hours
    if hours is None:
        return stored.ttl_hours if stored and (stored.pointers or stored.plan) else TTL_HOURS
    if not 0 <= hours <= LONGEST_TTL_HOURS:
        raise RequestError(
            f"'{wanted.environment}' can't have {hours:g} hours to live: give a number from 0 to "
            f"{LONGEST_TTL_HOURS:,}."
        )
    return hours


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plugins(project: OpenProject) -> dict[str, str]:
    """Versions of the distributions whose plugins have a say in what is planned and computed."""
    settings = project.settings
    timings = [n.incremental for n in project.manifest.nodes.values() if n.incremental]
    used = {
        ENGINE.group: {settings.engine.name},
        SCHEDULER.group: {timing.scheduler for timing in timings},
    }
    found = [
        announced
        for group, names in used.items()
        for announced in project.plugins.announced(group)
        if announced.name in names
    ]
    chosen = settings.classifiers
    found += [
        announced
        for announced in project.plugins.announced(CLASSIFIER.group)
        if chosen is None or announced.name in chosen
    ]
    return {a.distribution: a.version for a in sorted(found, key=lambda a: a.distribution)}


class _Document:
    """Tells of each node what a plan does with it, and why."""

    def __init__(
        self,
        project: OpenProject,
        shown: Environment,
        plan: Plan,
        standing: Standing,
        texts: Mapping[str, str],
        selected: set[str],
    ) -> None:
        self._project, self._shown, self._plan = project, shown, plan
        self._manifest, self._selected = project.manifest, selected
        edited = any(shown.definitions.get(i) != text for i, text in texts.items())
        self._removed = [i for i in sorted(shown.pointers) if i not in self._manifest.nodes]
        self._diff = standing.diff if edited or self._removed else None
        self._tasks: dict[str, list[Task]] = defaultdict(list)
        for task in plan.tasks:
            self._tasks[task.node_id].append(task)
        self._actions: dict[str, Action] = {}
        self._behind: set[str] = set()
        for node_id in self._manifest.order:
            if action := self._action(node_id):
                self._actions[node_id] = action

    def unchanged(self) -> list[str]:
        """Nodes that are in place, and of which there is nothing to say."""
        return [i for i in self._manifest.order if i not in self._actions and i in self._plan.pins]

    def nodes(self) -> list[PlannedNode]:
        expected = estimates(self._project.state, self._tasks)
        where = self._where_they_are()
        removed = [
            PlannedNode(node=i, action="remove", why="it is no longer a node", change="removed")
            for i in self._removed
        ]
        planned = [
            self._node(self._manifest.nodes[i], action, expected.get(i), where)
            for i, action in self._actions.items()
        ]
        return [*planned, *removed]

    def _action(self, node_id: str) -> Action | None:
        if node_id in self._tasks:
            return "compute"
        if node_id in self._plan.waiting:
            return "wait"
        if self._shown.pointers.get(node_id) != self._plan.pins.get(node_id):
            return "reuse"
        if self._diff is None or node_id not in self._diff.effects:
            return "leave" if self._is_left_behind(node_id) else None
        return "spare" if node_id in self._selected else "leave"

    def _is_left_behind(self, node_id: str) -> bool:
        """Whether a node that is not selected, and that no edit reaches, is made from what gets
        other data."""
        if node_id in self._selected or node_id not in self._plan.pins:
            return False
        if any(self._moves(i) for i in self._manifest.nodes[node_id].inputs):
            self._behind.add(node_id)
        return node_id in self._behind

    def _moves(self, node_id: str) -> bool:
        """Whether a node gets other data, or stays behind where it should."""
        if self._actions.get(node_id) != "compute":
            return node_id in self._behind or self._actions.get(node_id) == "reuse"
        first = self._tasks[node_id][0]
        return bool(first.interval) or first.snapshot != self._shown.pointers.get(node_id)

    def _where_they_are(self) -> dict[str, str]:
        """Of each node whose snapshot is there, which other environment shows it."""
        reused = {i: self._plan.pins[i] for i, a in self._actions.items() if a == "reuse"}
        others = self._project.state.list_environments() if reused else []
        found: dict[str, str] = {}
        for other in others:
            for node_id, snapshot in reused.items():
                if other.pointers.get(node_id) == snapshot:
                    found.setdefault(node_id, other.name)
        return found

    def _node(
        self, node: Node, action: Action, expected: Estimate | None, where: Mapping[str, str]
    ) -> PlannedNode:
        effect = self._diff.effects.get(node.id) if self._diff else None
        impact = self._diff.impact(node.id) if self._diff and effect else None
        reasons = impact.reasons if impact else ()
        tasks = self._tasks[node.id]
        intervals = [task.interval for task in tasks if task.interval]
        rows, seconds = expected.of(len(tasks)) if expected else (None, None)
        if action == "compute":
            why = "; ".join(self._reasons_to_compute(node, effect, intervals))
        elif action == "spare":
            why = "; ".join(reason.message for reason in reasons) or "it means the same"
        else:
            why = self._why_not_computed(node.id, action, where)
        return PlannedNode(
            node=node.id,
            action=action,
            why=why,
            change=effect.status if effect else None,  # type: ignore[arg-type]
            category=effect.change.category.value if effect else None,
            reasons=[PlannedReason(message=m, place=_place(node, line)) for m, line in reasons],
            path=[step.node_id for step in impact.path] if impact else [],
            intervals=[(one.start, one.end) for one in IntervalSet(intervals)],
            batches=len(tasks),
            rows=rows,
            seconds=seconds,
        )

    def _why_not_computed(self, node_id: str, action: Action, where: Mapping[str, str]) -> str:
        if action == "wait":
            return self._plan.waiting[node_id]
        if action == "leave":
            return "it is not selected"
        other = where.get(node_id)
        return f"'{other}' shows it" if other else "it has been computed before"

    def _reasons_to_compute(
        self, node: Node, effect: Effect | None, intervals: Sequence[Interval]
    ) -> Iterator[str]:
        shown = self._shown.pointers.get(node.id)
        if effect and effect.change:
            if effect.status == REACHED:
                yield " and ".join(f"of {i} {told(c)}" for i, c in effect.inputs.items())
            else:
                yield "it is new" if effect.status == ADDED else told(effect.change)
        elif shown is None:
            yield "it has never been computed"
        elif not intervals and shown == self._tasks[node.id][0].snapshot:
            yield "its snapshot is gone"
        elif not intervals:
            yield "its data has changed" if not node.inputs else "what it reads has other data"
        if intervals:
            yield "intervals are pending" if len(intervals) > 1 else "an interval is pending"


def _place(node: Node, line: int | None) -> str | None:
    return f"{node.file_path}:{node.line + line - 1}" if line else None
