"""Point one environment at what another one shows, and take such a step back.

Only pointers move, in one transaction: whatever the data's size.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from seeknal.errors import RequestError, did_you_mean
from seeknal.names import PROD, check_name
from seeknal.state.backend import StateBackend
from seeknal.state.records import APPLIED, PLANNED, PROMOTED, Environment, Revision
from seeknal.workflow.moved import (
    PlanMovedError,
    how_it_moved,
    is_to_be_applied,
    readable_plan,
    stored_plan,
    version_of,
)
from seeknal.workflow.plan_document import plan_command
from seeknal.workflow.revisions import KEPT, TTL_HOURS, as_of, nodes_moved, save

_ROLLBACK = "rollback to "


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a move of pointers comes to.

    gained: nodes that the environment did not show. changed: those of which it shows another
    snapshot now. lost: those that it shows no longer. revision: of the environment, afterwards.
    back_to: the revision after which it showed the same, when this is a step back. unmatched: nodes
    that were not selected when what they are made from was planned, so that they don't match it.
    """

    environment: str
    gained: Sequence[str]
    changed: Sequence[str]
    lost: Sequence[str]
    revision: int
    back_to: int | None = None
    unmatched: Sequence[str] = ()

    @property
    def moved(self) -> int:
        """How many nodes it concerns."""
        return len(self.gained) + len(self.changed) + len(self.lost)


def promote(
    state: StateBackend, source: str, target: str, *, keep: int, dry_run: bool = False
) -> Promotion:
    """Let the target show what the source shows, all at once.

    keep: how many revisions of the target stay. Raises RequestError when the source shows nothing,
    has a plan that isn't applied, or was planned against another environment; PlanMovedError, with
    the list, when the target has moved since.
    """
    if source == target:
        raise RequestError(f"'{source}' can't be promoted to itself: name two environments.")
    with state.transaction():
        shown = _environment(state, source)
        found = state.get_environment(check_name(target, "an environment"))
        current = found or Environment(target, ttl_hours=_time_to_live(shown, target))
        after = replace(current, **{field: getattr(shown, field) for field in KEPT})
        if after.pointers != current.pointers:
            _refuse_what_moved(state, shown, current)
        promotion = replace(_promotion(current, after), unmatched=_unmatched(shown))
        if dry_run or not promotion.moved:
            return promotion
        after = replace(after, status=_status_after_a_move(current))
        saved = save(state, current, after, f"promote {source}", keep)
        now = datetime.now(UTC)
        state.save_environment(replace(shown, status=PROMOTED, updated_at=now, used_at=now))
        return replace(promotion, revision=saved.revision)


def _unmatched(source: Environment) -> list[str]:
    """Nodes that the last plan left as they were, although it changed what they are made from."""
    plan = readable_plan(source)
    if plan is None or plan.select is None:
        return []
    moved = {node.node for node in plan.nodes if node.action in ("compute", "reuse")}
    unmatched = []
    for node in plan.of_action("leave"):
        text = source.definitions.get(node.node)
        if text is None or node.category == "metadata":
            continue
        if not moved.isdisjoint(json.loads(text).get("inputs") or ()):
            moved.add(node.node)
            unmatched.append(node.node)
    return unmatched


def _time_to_live(source: Environment, target: str) -> float | None:
    """Of an environment that a promotion makes."""
    if target == PROD:
        return None
    return TTL_HOURS if source.ttl_hours is None else source.ttl_hours


def _refuse_what_moved(state: StateBackend, source: Environment, target: Environment) -> None:
    """Promoting takes a plan that was made against the target as it still is."""
    plan = stored_plan(source)
    planning = plan_command(source.name, target.name, plan.select if plan else None)
    again = f"`{planning}` and `seeknal env apply {source.name}`"
    if is_to_be_applied(source):
        raise RequestError(
            f"The plan of '{source.name}' has not been applied: do it with "
            f"`seeknal env apply {source.name}`, then promote."
        )
    if source.status == PLANNED:
        raise RequestError(
            f"'{source.name}' has moved since it was planned, so nobody knows what would be "
            f"overwritten in '{target.name}'. Do {again} first: what is computed already is reused."
        )
    if not target.pointers:
        return
    base = plan.against.base if plan else None
    if base is None or base.name != target.name:
        raise RequestError(
            f"'{source.name}' was not planned against '{target.name}', so nobody knows what would "
            f"be overwritten there. Do {again} first: what is computed already is reused."
        )
    how = how_it_moved(state, base, version_of(target))
    if how:
        raise PlanMovedError(
            f"'{source.name}' can't be promoted, since it was planned against something else:",
            [f"'{target.name}' {how}"],
            f"Do {again} first: what is computed already is reused.",
        )


def rollback(
    state: StateBackend, name: str, to: int | None = None, *, keep: int, dry_run: bool = False
) -> Promotion:
    """Let an environment show what it showed before.

    to: what it showed after the revision of this number; without, before its last move, and when
    that was a step back, before the move that was last then. It is a move as any other, so it can
    be taken back. Raises RequestError when that isn't known.
    """
    check_name(name, "an environment")
    with state.transaction():
        current = state.get_environment(name)
        if current is None:
            raise _unknown(state, name)
        revisions = state.list_revisions(name)
        if to is None:
            to = _before_last(current, revisions)
        elif to == current.revision:
            return replace(_promotion(current, current), back_to=to)
        before = as_of(current, revisions, to)
        promotion = replace(_promotion(current, before), back_to=to)
        if dry_run or not promotion.moved:
            return promotion
        before = replace(before, status=_status_after_a_move(current))
        saved = save(state, current, before, f"{_ROLLBACK}{to}", keep)
        return replace(promotion, revision=saved.revision)


def _status_after_a_move(environment: Environment) -> str:
    """A plan that was not applied stays, to be refused with what has moved since."""
    return PLANNED if environment.status == PLANNED else APPLIED


def _before_last(environment: Environment, revisions: Sequence[Revision]) -> int:
    """The revision before the one whose pointers are shown."""
    by_number = {revision.number: revision for revision in revisions}
    shown = environment.revision
    while shown in by_number and by_number[shown].made_by.startswith(_ROLLBACK):
        shown = int(by_number[shown].made_by.removeprefix(_ROLLBACK))
    return shown - 1


def _environment(state: StateBackend, name: str) -> Environment:
    check_name(name, "an environment")
    found = state.get_environment(name)
    if found is None or not found.pointers:
        raise _unknown(state, name)
    return found


def _unknown(state: StateBackend, name: str) -> RequestError:
    names = [e.name for e in state.list_environments() if e.pointers]
    found = state.get_environment(name)
    step = "env apply" if found and is_to_be_applied(found) else "plan"
    return RequestError(
        f"Nothing has been applied in '{name}'.{did_you_mean(name, names)} "
        f"Begin with `seeknal {step} {name}`."
    )


def _promotion(before: Environment, after: Environment) -> Promotion:
    moved = nodes_moved(before, after)
    return Promotion(
        environment=before.name,
        gained=[i for i, (old, _) in moved.items() if old is None],
        changed=[i for i, (old, new) in moved.items() if old and new],
        lost=[i for i, (_, new) in moved.items() if new is None],
        revision=before.revision,
    )
