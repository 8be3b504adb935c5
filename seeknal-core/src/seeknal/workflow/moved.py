"""What a plan was made against, and how that is another now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seeknal.errors import RequestError, count, some
from seeknal.state.backend import StateBackend
from seeknal.state.records import PLANNED, Environment
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.plan_document import EnvironmentPlan, EnvironmentVersion, PlannedNode
from seeknal.workflow.revisions import as_of, nodes_moved


class PlanMovedError(RequestError):
    """A plan was made against something that is no longer so. moved: what, in words. advice: what
    to do, for whoever asked."""

    def __init__(self, message: str, moved: Sequence[str], advice: str) -> None:
        self.message, self.moved = message, tuple(moved)
        super().__init__("\n".join([message, *(f"  {line}" for line in (*moved, advice))]))


def stored_plan(environment: Environment) -> EnvironmentPlan | None:
    """The plan that an environment keeps. Raises RequestError when it can't be read."""
    if environment.plan is None:
        return None
    name = environment.name
    try:
        return EnvironmentPlan.from_json(environment.plan, f"What '{name}' keeps")
    except RequestError as error:
        raise RequestError(f"{error}\nMake it anew with `seeknal plan {name}`.") from error


def readable_plan(environment: Environment) -> EnvironmentPlan | None:
    """The plan that an environment keeps, if this version can read it."""
    try:
        return stored_plan(environment)
    except RequestError:
        return None


def is_to_be_applied(environment: Environment) -> bool:
    """Whether an environment keeps a plan that waits for being applied: it was not yet, and what
    the environment shows has not moved since, by a run or otherwise."""
    if environment.status != PLANNED:
        return False
    plan = readable_plan(environment)
    return plan is None or plan.against.environment == version_of(environment)


def version_of(environment: Environment | None) -> EnvironmentVersion | None:
    """None for one that shows nothing."""
    if environment is None or not environment.pointers:
        return None
    return EnvironmentVersion(
        name=environment.name,
        created_at=environment.created_at,
        revision=environment.revision,
    )


def what_moved(state: StateBackend, then: EnvironmentPlan, now: EnvironmentPlan) -> Iterator[str]:
    """What a plan was made against, and is another now: a line each."""
    before, after = then.against, now.against
    if then.project != now.project:
        yield f"it was made for the project '{then.project}', and this is '{now.project}'"
    old_nodes, new_nodes = before.definitions, after.definitions
    ids = sorted(old_nodes.keys() | new_nodes)
    edited = [i for i in ids if old_nodes.get(i) != new_nodes.get(i)]
    if edited:
        yield f"the project's files: {some(edited)}"
    for name in sorted(before.plugins.keys() | after.plugins):
        old, new = before.plugins.get(name, "not there"), after.plugins.get(name, "not there")
        if old != new:
            yield f"{name}: {old} then, {new} now"
    shown = before.environment, after.environment
    for name, (old_version, new_version) in (
        (then.environment, shown),
        (then.base or now.base or "", (before.base, after.base)),
    ):
        how = how_it_moved(state, old_version, new_version)
        if how:
            yield f"'{name}' {how}"
    yield from _more_to_compute(then, now)


def how_it_moved(
    state: StateBackend, then: EnvironmentVersion | None, now: EnvironmentVersion | None
) -> str | None:
    """How an environment is another one than it was, in words; None when it isn't."""
    if then == now:
        return None
    if now is None:
        return "is gone: it was deleted, or has expired"
    current = state.get_environment(now.name) or Environment(now.name)
    if then is None:
        return f"showed nothing then, and shows {count(len(current.pointers), 'node')} now"
    if then.created_at != now.created_at:
        return "was deleted and made anew"
    steps = f"has moved from revision {then.revision} to {now.revision}"
    try:
        before = as_of(current, state.list_revisions(now.name), then.revision)
    except RequestError:
        return steps
    moved = nodes_moved(before, current)
    return f"{steps}: {some(list(moved))}" if moved else None


def _more_to_compute(then: EnvironmentPlan, now: EnvironmentPlan) -> Iterator[str]:
    planned = {node.node: node for node in then.nodes}
    for node in now.of_action("compute"):
        before = planned.get(node.node)
        if before is None or before.action != "compute" or _adds_time(before, node):
            yield f"{node.node} must be computed now, and the plan doesn't say so: {node.why}"
        elif _content(then, node) != _content(now, node):
            yield f"the data of {node.node} has changed"


def _content(plan: EnvironmentPlan, node: PlannedNode) -> str | None:
    return plan.against.contents.get(node.node)


def _adds_time(before: PlannedNode, after: PlannedNode) -> bool:
    return bool(IntervalSet(after.intervals) - IntervalSet(before.intervals))
