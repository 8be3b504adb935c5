"""Remove environments that have expired, then what nothing can reach.

A snapshot is reached from the pointers of environments, from what they showed before, as far as
that can be rolled back, and from runs: at work, they pin what they need when they have planned, and
when they are over, what they have written and their environment doesn't show yet. A run that begins
while snapshots are removed waits with its planning.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from seeknal.dag.fingerprint import is_incremental, snapshot_of
from seeknal.errors import ConflictError, RequestError, did_you_mean
from seeknal.names import PROD, check_name
from seeknal.state.backend import StateBackend
from seeknal.state.housekeeping import CLEANUP, close_abandoned_runs
from seeknal.state.locks import Lock, lock_on
from seeknal.state.records import Environment
from seeknal.workflow.engine import Engine, Stored
from seeknal.workflow.holders import Tell, nobody, take, try_again, who_holds
from seeknal.workflow.holdings import known
from seeknal.workflow.moved import readable_plan
from seeknal.workflow.revisions import snapshots_before

LEASE_MS = 10_000
"""How long snapshots seem to be removed after the process that did it died."""

_AT_ONCE = 200
_PLANNING_SECONDS, _PAUSE = 60, 0.05


class _Reached(NamedTuple):
    """What must stay. snapshots: ids by node, an empty one for all of the node. pinned: those of
    them to which something is being written. parts: nodes' ids and names of what is read.
    pointers: nodes' ids and pointers to what is shown of incremental ones."""

    snapshots: dict[str, set[str]]
    pinned: dict[str, set[str]]
    parts: set[tuple[str, str]]
    pointers: set[tuple[str, str]]

    def add(self, pointers: Mapping[str, str]) -> None:
        for node_id, pointer in pointers.items():
            snapshot = snapshot_of(pointer)
            self.snapshots[node_id].add(snapshot)
            if pointer != snapshot:
                self.pointers.add((node_id, pointer))

    def snapshot(self, node_id: str, snapshot: str) -> bool:
        found = self.snapshots.get(node_id, ())
        return snapshot in found or "" in found

    def needs(self, one: Stored) -> bool:
        being_written = self.pinned.get(one.node_id, ())
        if "" in being_written or one.snapshot in being_written:
            return True
        if one.part:
            return (one.node_id, one.part) in self.parts
        return self.snapshot(one.node_id, one.snapshot)


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What was removed, or would be. environments: names of those that have expired. stored: what
    lay on storage and nothing reached."""

    environments: Sequence[str]
    stored: Sequence[Stored]

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.stored)

    @property
    def snapshots(self) -> int:
        """How many snapshots are concerned, whole ones or parts of them."""
        return len({(one.node_id, one.snapshot) for one in self.stored})


def expires_at(environment: Environment) -> datetime | None:
    """When an environment may be removed, if nobody uses it until then; None for never."""
    if environment.ttl_hours is None or environment.name == PROD:
        return None
    return environment.used_at + timedelta(hours=environment.ttl_hours)


def delete(state: StateBackend, name: str) -> Environment:
    """Forget an environment. What only it shows is removed by the next cleanup.

    Returns it. Raises RequestError for prod, or where there is none; ConflictError while a plan is
    being applied to it.
    """
    check_name(name, "an environment")
    if name == PROD:
        raise RequestError(f"'{PROD}' can't be deleted: all other environments begin as it is.")
    found = state.get_environment(name)
    if found is None:
        names = [e.name for e in state.list_environments() if e.name != PROD]
        raise RequestError(f"There is no environment '{name}'.{did_you_mean(name, names)}")
    lock = lock_on(name)
    if state.get_lock(lock):
        why = f"{who_holds(state, lock)}. {try_again(state, lock)}"
        raise ConflictError(f"'{name}' can't be deleted now: {why}")
    state.delete_environment(found)
    return found


def based_on(state: StateBackend, name: str) -> list[str]:
    """Names of the environments whose last plan was made on this one as its base."""
    others = [e for e in state.list_environments() if e.name not in (name, PROD)]
    return [e.name for e in others if (plan := readable_plan(e)) and plan.base == name]


def expired(state: StateBackend, now: datetime | None = None) -> list[Environment]:
    """The environments that have expired, by name, without those that somebody is at."""
    now = now or datetime.now(UTC)
    return [
        environment
        for environment in state.list_environments()
        if (end := expires_at(environment)) is not None
        and end <= now
        and not state.get_lock(lock_on(environment.name))
    ]


def clean_up(
    state: StateBackend, engine: Engine, *, dry_run: bool = False, tell: Tell = nobody
) -> Cleanup:
    """Remove expired environments and unreachable snapshots, or only tell which.

    tell: what is waited for.
    Raises ConflictError while somebody else does, or when a run doesn't get done with its planning.
    """
    if dry_run:
        old = expired(state)
        names = [environment.name for environment in old]
        with state.transaction():
            reached = _reached(state, without=names)
        return Cleanup(names, _unreached(engine, reached))
    with take(state, CLEANUP, "Snapshots are being removed already", LEASE_MS, tell) as lock:
        close_abandoned_runs(state)
        names = _delete_expired(state)
        _wait_for_planning(state)
        with state.transaction():
            reached = _reached(state, without=())
            _forget_intervals(state, reached)
        stored = _unreached(engine, reached)
        _remove(state, engine, stored, lock)
    return Cleanup(names, stored)


def _delete_expired(state: StateBackend) -> list[str]:
    names = []
    for environment in expired(state):
        try:
            state.delete_environment(environment)
        except ConflictError:
            continue  # somebody has used it just now
        names.append(environment.name)
    return names


def _wait_for_planning(state: StateBackend) -> None:
    """Wait until every run at work has pinned what it needs."""
    deadline = time.monotonic() + _PLANNING_SECONDS
    while planning := [run for run in state.list_runs(status="running") if run.pins is None]:
        if time.monotonic() > deadline:
            raise ConflictError(
                f"The run '{planning[0].run_id}' has been planning for over {_PLANNING_SECONDS} s, "
                "and may need whatever there is. Try again later."
            )
        time.sleep(_PAUSE)


def _reached(state: StateBackend, without: Collection[str]) -> _Reached:
    """without: environments that don't count."""
    reached = _Reached(defaultdict(set), defaultdict(set), set(), set())
    names = set()
    for environment in state.list_environments():
        if environment.name in without:
            continue
        names.add(environment.name)
        reached.add(environment.pointers)
        for revision in state.list_revisions(environment.name):
            reached.add(snapshots_before(revision))
    for run in state.list_runs():
        if run.status == "running":
            for node_id, pointer in (run.pins or {}).items():
                reached.pinned[node_id].add(snapshot_of(pointer))
        if run.status == "running" or run.environment in names:
            reached.add(run.pins or {})
    for node_id, snapshots in reached.snapshots.items():
        for snapshot in filter(is_incremental, snapshots):
            parts = state.get_parts(node_id, snapshot)
            reached.parts.update((node_id, part.name) for part in parts)
    for node_id, pointer in reached.pointers:
        reached.parts.update((node_id, part.name) for part in known(state, node_id, pointer))
    return reached


def _unreached(engine: Engine, reached: _Reached) -> list[Stored]:
    """What lies on storage and isn't needed."""
    return [one for one in engine.stored() if not reached.needs(one)]


def _forget_intervals(state: StateBackend, reached: _Reached) -> None:
    """Before parts are removed: what is recorded as complete must be there."""
    for node_id, snapshot in state.list_ledgers():
        if is_incremental(snapshot) and not reached.snapshot(node_id, snapshot):
            for start, end in state.get_completed_intervals(node_id, snapshot):
                state.remove_intervals(node_id, snapshot, start, end)
    for node_id, pointer in state.list_holdings():
        if (node_id, pointer) not in reached.pointers:
            state.delete_holding(node_id, pointer)


def _remove(state: StateBackend, engine: Engine, stored: Sequence[Stored], lock: Lock) -> None:
    """Some at a time, while the lock is ours: runs that wait for it begin when it is lost."""
    for first in range(0, len(stored), _AT_ONCE):
        holder = state.get_lock(CLEANUP)
        if holder is None or holder.token != lock.token:
            raise ConflictError("The lock on removing snapshots was lost: run the cleanup again.")
        engine.remove(stored[first : first + _AT_ONCE])
