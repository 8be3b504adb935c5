"""Follow changes from node to node, along the columns that are really read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from seeknal.dag.classifier import (
    EVERYTHING,
    UNCHANGED,
    Change,
    ChangeCategory,
    Reason,
    Verdict,
)
from seeknal.dag.judge import Judge, Judged
from seeknal.dag.manifest import Manifest, Node
from seeknal.dag.node_changes import edits, is_same
from seeknal.dag.queries import Plain, Queries

ADDED, EDITED, REACHED = "added", "edited", "reached"


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens to one node.

    change: what changes in its result. reasons: why. inputs: what changes in those that it reads.
    judged_by: the classifier that said so, None when there was nothing to ask or none knew.
    status: ADDED, EDITED, or REACHED by what changes above it.
    """

    node_id: str
    status: str
    change: Change
    reasons: tuple[Reason, ...]
    inputs: Mapping[str, Change]
    judged_by: str | None = None


class Impact:
    """Works out the effects of all edits between two manifests.

    by_column: follow single columns; without, whatever reads a node with a BREAKING change is
    taken to read all of it. queries: of the new manifest.
    """

    def __init__(
        self, old: Manifest, new: Manifest, judge: Judge, dialect: str, *, by_column: bool = True
    ) -> None:
        self._old, self._new, self._judge = old, new, judge
        self._by_column = by_column
        plain: Plain = {}
        self._old_queries = Queries(old, judge, dialect, plain)
        self.queries = Queries(new, judge, dialect, plain)

    def effects(self, changed: Iterable[str], removed: Iterable[str]) -> dict[str, Effect]:
        """For each node that was added or edited, or reads something that changes or is gone: what
        happens to it. Nodes stand behind those that they read.

        changed: the added and the edited ones.
        """
        begin = {*changed, *(i for g in removed for i in self._new.dependents.get(g, ()))}
        if not begin:
            return {}
        places, order = self._new.positions, self._new.order
        waiting = sorted(places[i] for i in begin)
        known = set(waiting)
        effects: dict[str, Effect] = {}
        while waiting:
            node_id = order[heappop(waiting)]
            effect = self._effect(self._new.nodes[node_id], effects)
            effects[node_id] = effect
            for below in self._new.dependents.get(node_id, ()) if effect.change else ():
                if places[below] not in known:
                    known.add(places[below])
                    heappush(waiting, places[below])
        return effects

    def own(self, node_id: str) -> Change:
        """What an edit of a node alone changes in its result, were its inputs the same."""
        return self._effect(self._new.nodes[node_id], {}).change

    def _effect(self, node: Node, effects: Mapping[str, Effect]) -> Effect:
        old = self._old.nodes.get(node.id)
        inputs = {i: effects[i].change for i in node.inputs if i in effects and effects[i].change}
        inputs |= {i: EVERYTHING for i in node.inputs if i not in self._new.nodes}
        if old is None:
            return Effect(node.id, ADDED, EVERYTHING, (Reason("it is new"),), inputs)
        edited = not is_same(old, node)
        found = edits(old, node) if edited else []
        judged = self._judged(old, node, self._followed(inputs))
        changes = [*(change for change, _ in found), judged.verdict.change]
        reasons = [*(reason for _, reason in found), *judged.verdict.reasons]
        return Effect(
            node.id,
            EDITED if edited else REACHED,
            change=_with_time(node, united(changes)),
            reasons=tuple(dict.fromkeys(reasons)),
            inputs=inputs,
            judged_by=judged.by,
        )

    def _judged(self, old: Node, new: Node, inputs: Mapping[str, Change]) -> Judged:
        """What its SQL comes to, before and after."""
        before, after = self._old_queries.of(old), self.queries.of(new)
        if before and after:
            return self._judge.classify(before, after, inputs)
        if inputs:
            why = f"it is not SQL, so it may read anything of {' and '.join(inputs)}"
            return Judged(Verdict(EVERYTHING, (Reason(why),)), None)
        return Judged(Verdict(UNCHANGED), None)

    def _followed(self, inputs: Mapping[str, Change]) -> Mapping[str, Change]:
        if self._by_column:
            return inputs
        breaking = ChangeCategory.BREAKING
        return {i: EVERYTHING if c.category is breaking else c for i, c in inputs.items()}


def united(changes: Iterable[Change]) -> Change:
    """What several changes of one table come to."""
    found = list(changes)
    added = frozenset().union(*(c.added for c in found))
    removed = frozenset().union(*(c.removed for c in found))
    return Change(
        rows=any(c.rows for c in found),
        changed=(added & removed).union(*(c.changed for c in found)),
        added=added - removed,
        removed=removed - added,
        moved=any(c.moved for c in found),
    )


def _with_time(node: Node, change: Change) -> Change:
    """Which interval a row belongs to is told by a column."""
    columns = change.changed | change.added | change.removed
    if node.incremental and node.incremental.time_column.lower() in columns:
        return replace(change, rows=True)
    return change
