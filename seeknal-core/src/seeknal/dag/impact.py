"""Follow changes from node to node, along the columns that are really read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

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
from seeknal.processes import Processes, cores

WORTH_A_PROCESS = 250
"""Nodes that are edited: judging so many takes longer than starting a process to do it."""

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
        levels, places = self._new.levels, self._new.positions
        waiting: dict[int, set[str]] = defaultdict(set)
        for node_id in begin:
            waiting[levels[node_id]].add(node_id)
        effects: dict[str, Effect] = {}
        with Processes(self._effect, min(cores(), len(begin) // WORTH_A_PROCESS) - 1) as processes:
            while waiting:
                level = sorted(waiting.pop(min(waiting)))
                for effect in processes.map([(i, self._inputs(i, effects)) for i in level]):
                    effects[effect.node_id] = effect
                    for below in self._new.dependents.get(effect.node_id, ()):
                        if effect.change:
                            waiting[levels[below]].add(below)
        return {i: effects[i] for i in sorted(effects, key=places.__getitem__)}

    def own(self, node_id: str) -> Change:
        """What an edit of a node alone changes in its result, were its inputs the same."""
        return self._effect((node_id, self._inputs(node_id, {}))).change

    def _inputs(self, node_id: str, effects: Mapping[str, Effect]) -> Mapping[str, Change]:
        """What changes in what a node reads."""
        return {
            i: effects[i].change if i in effects else EVERYTHING
            for i in self._new.nodes[node_id].inputs
            if i not in self._new.nodes or (i in effects and effects[i].change)
        }

    def _effect(self, asked: tuple[str, Mapping[str, Change]]) -> Effect:
        """What happens to a node where this changes in what it reads."""
        node, inputs = self._new.nodes[asked[0]], asked[1]
        old = self._old.nodes.get(node.id)
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
