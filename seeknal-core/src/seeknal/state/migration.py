"""Copy all state from one backend to another, and prove that it arrived."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from seeknal.errors import ConflictError, StateError
from seeknal.state.backend import StateBackend
from seeknal.state.records import (
    CompletedIntervals,
    Environment,
    Holding,
    NodeState,
    Record,
    Revision,
    Run,
)

KINDS: Mapping[type[Record], str] = {
    Run: "runs",
    NodeState: "node states",
    CompletedIntervals: "interval ledgers",
    Environment: "environments",
    Revision: "environment revisions",
    Holding: "shown intervals",
}

Inventory = Mapping[tuple[type[Record], tuple[Any, ...]], bytes]
"""What a backend holds: kind and key of each record -> a hash of its content."""


@dataclass(frozen=True)
class Comparison:
    """Of one kind of record, how many each side has, and where the sides differ.

    missing: in the source only. differing: in both, but not the same. extra: in the target only.
    """

    what: str
    source: int
    target: int
    missing: int
    differing: int
    extra: int

    @property
    def is_same(self) -> bool:
        return not (self.missing or self.differing or self.extra)


def migrate(
    source: StateBackend,
    target: StateBackend,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Comparison]:
    """Make the target hold just what the source holds, all at once, and compare the two.

    Both are initialized; the source is only read. Interrupted, it leaves the target as it was.
    overwrite: also change and delete what the target has and the source has not. progress: told
    how many records of how many were written.

    Raises ConflictError when a run is at work, or when the target has something that the source
    doesn't have and may not be overwritten; StateError when the comparison fails.
    """
    with source.transaction():
        _refuse_runs_at_work(source)
        ours = take_inventory(source)
        with target.transaction():
            if overwrite:
                _empty(target)
            else:
                _refuse_what_is_not_ours(ours, take_inventory(target))
            target.restore(_counted(source.records(), len(ours), progress))
        with target.transaction():
            arrived = take_inventory(target)
    comparisons = _compared(ours, arrived)
    if not all(c.is_same for c in comparisons):
        raise StateError(
            f"The copy is not what was copied: {_differences(comparisons)}. Keep using the old "
            "state, which is as it was, and report this to the author of the new one's plugin."
        )
    return comparisons


def compare(source: StateBackend, target: StateBackend) -> list[Comparison]:
    """What two backends hold, kind by kind."""
    with source.transaction():
        ours = take_inventory(source)
    with target.transaction():
        theirs = take_inventory(target)
    return _compared(ours, theirs)


def count(backend: StateBackend) -> dict[str, int]:
    """How many records of each kind a backend holds."""
    with backend.transaction():
        counts = Counter(type(record) for record in backend.records())
    return {what: counts[kind] for kind, what in KINDS.items()}


def take_inventory(backend: StateBackend) -> Inventory:
    """All that a backend holds. Call it in a transaction."""
    return {(type(record), record.key): _hash(record) for record in backend.records()}


def _hash(record: Record) -> bytes:
    text = json.dumps(record.to_dict(), sort_keys=True)
    return blake2b(text.encode(), digest_size=16).digest()


def _compared(ours: Inventory, theirs: Inventory) -> list[Comparison]:
    def of(kind: type[Record], inventory: Inventory) -> Inventory:
        return {key: content for key, content in inventory.items() if key[0] is kind}

    comparisons = []
    for kind, what in KINDS.items():
        left, right = of(kind, ours), of(kind, theirs)
        differing = sum(left[key] != right[key] for key in left.keys() & right.keys())
        missing, extra = len(left.keys() - right.keys()), len(right.keys() - left.keys())
        comparisons.append(Comparison(what, len(left), len(right), missing, differing, extra))
    return comparisons


def _refuse_runs_at_work(source: StateBackend) -> None:
    for run in source.list_runs(status="running"):
        lock = source.get_lock(run.run_id)
        if lock:
            raise ConflictError(
                f"The run '{run.run_id}' in '{run.environment}' is at work ({lock.holder}), and "
                "would go on writing to the old state. Wait for its end, or stop it."
            )


def _refuse_what_is_not_ours(ours: Inventory, theirs: Inventory) -> None:
    comparisons = _compared(ours, theirs)
    if any(c.differing or c.extra for c in comparisons):
        raise ConflictError(
            f"The new state isn't empty, and not a part of the old one: "
            f"{_differences(comparisons)}. Nothing was written. See --summary; replace it all "
            "with --overwrite."
        )


def _differences(comparisons: list[Comparison]) -> str:
    told = []
    for c in comparisons:
        counts = {"missing": c.missing, "other": c.differing, "too many": c.extra}
        told += [f"{c.what} {how}: {number}" for how, number in counts.items() if number]
    return ", ".join(told)


def _empty(target: StateBackend) -> None:
    """Runs take their node states along, environments their revisions."""
    for record in list(target.records()):
        if isinstance(record, Run):
            target.delete_run(record.run_id)
        elif isinstance(record, Environment):
            target.delete_environment(record)
        elif isinstance(record, CompletedIntervals):
            ends = record.parts[0].start, record.parts[-1].end
            target.remove_intervals(record.node_id, record.snapshot, *ends)
        elif isinstance(record, Holding):
            target.delete_holding(record.node_id, record.pointer)


def _counted(
    records: Iterator[Record], total: int, progress: Callable[[int, int], None]
) -> Iterator[Record]:
    for done, record in enumerate(records):
        progress(done, total)
        yield record
    progress(total, total)
