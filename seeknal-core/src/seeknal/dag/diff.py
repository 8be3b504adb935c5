"""What changed between two manifests, and what has to be computed again because of it.

    diff = ManifestDiff.compare(old, new)
    if diff.has_changes():
        for node_id, category in diff.get_nodes_to_rebuild(new).items():
            print(node_id, category.value, diff.impact(node_id))

An edit of SQL is judged by the classifiers that are installed, and followed along the columns that
are really read: what reads nothing that changes is spared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from seeknal.dag.classifier import UNCHANGED, Change, ChangeCategory, ColumnOf, Query, Reason
from seeknal.dag.impact import REACHED, Effect, Impact
from seeknal.dag.judge import Judge
from seeknal.dag.manifest import Manifest
from seeknal.dag.node_changes import is_same
from seeknal.dag.queries import DIALECT, readable
from seeknal.errors import some

__all__ = [
    "Change",
    "ChangeCategory",
    "ManifestDiff",
    "NodeImpact",
    "Reason",
    "Step",
    "classify_sql_change",
]

BY_COLUMN, BY_NODE = "column", "node"
"""How far changes are followed: along the columns that are read, or to all that reads the node."""


def classify_sql_change(
    old_sql: str, new_sql: str, *, dialect: str = DIALECT, judge: Judge | None = None
) -> ChangeCategory:
    """How bad a change of SQL is for what reads its result.

    Whatever can't be proven to be harmless, SQL that can't be parsed included, is BREAKING.
    dialect: one that the installed classifiers know; DuckDB's by default.
    """
    old, new = (
        Query(readable(sql) if isinstance(sql, str) else "", dialect) for sql in (old_sql, new_sql)
    )
    if not (old.sql.strip() and new.sql.strip()):
        return ChangeCategory.METADATA if old_sql == new_sql else ChangeCategory.BREAKING
    return (judge or Judge.of()).classify(old, new, {}).verdict.category


@dataclass(frozen=True, slots=True)
class Step:
    """A node on the way of a change, and what changes in it."""

    node_id: str
    change: Change


@dataclass(frozen=True, slots=True)
class NodeImpact:
    """Why a node is rebuilt, or why it is spared.

    status: "added", "edited", "reached" by what changes above it, or None when no edit comes near.
    category: None when nothing has changed in it. path: from the node that was edited to this one,
    each with what changes in it; empty for a node that no edit comes near. reads: what it reads of
    the changed nodes that it reads, where that is known.
    """

    node_id: str
    status: str | None
    category: ChangeCategory | None
    change: Change
    reasons: tuple[Reason, ...]
    path: tuple[Step, ...]
    reads: Mapping[str, tuple[str, ...]]
    judged_by: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "status": self.status,
            "category": self.category.value if self.category else None,
            "change": _as_json(self.change),
            "reasons": [reason._asdict() for reason in self.reasons],
            "path": [{"node": s.node_id, "change": _as_json(s.change)} for s in self.path],
            "reads": {node_id: list(columns) for node_id, columns in self.reads.items()},
            "judged_by": self.judged_by,
        }


class ManifestDiff:
    """Two manifests, compared. What an edit means is worked out when it is first asked for.

    added, removed, edited: ids, sorted.
    """

    def __init__(
        self, old: Manifest, new: Manifest, judge: Judge | None, dialect: str, impact: str
    ) -> None:
        self._old, self._new = old, new
        self._given, self._dialect, self._impact = judge, dialect, impact
        self.added = [i for i in new.nodes if i not in old.nodes]
        self.removed = [i for i in old.nodes if i not in new.nodes]
        self.edited = [
            i for i, node in new.nodes.items() if i in old.nodes and not is_same(old.nodes[i], node)
        ]

    @classmethod
    def compare(
        cls,
        old: Manifest,
        new: Manifest,
        *,
        judge: Judge | None = None,
        dialect: str = DIALECT,
        impact: str = BY_COLUMN,
    ) -> ManifestDiff:
        """Compare two manifests. Where a node's file is, and on which line it begins, is no part
        of it.

        judge: who judges edits of SQL; the classifiers that are installed by default. dialect: of
        the nodes that name none. impact: "column", or "node" to follow BREAKING changes to all
        that is made from a node, whatever it reads.
        """
        return cls(old, new, judge, dialect, impact)

    def has_changes(self) -> bool:
        """Whether anything was added, removed or edited, descriptions included."""
        return bool(self.added or self.removed or self.edited)

    def get_nodes_to_rebuild(self, manifest: Manifest) -> dict[str, ChangeCategory]:
        """The nodes of the new manifest that must be computed again, each behind its inputs, and
        how bad that is for what reads them: never METADATA."""
        return {
            i: effect.change.category
            for i, effect in self.effects.items()
            if effect.change and i in manifest.nodes
        }

    def get_categorized_changes(self) -> dict[ChangeCategory, list[str]]:
        """What was added, removed or edited, by what that alone means. All categories are there."""
        found: dict[ChangeCategory, list[str]] = {category: [] for category in ChangeCategory}
        for node_id in sorted([*self.added, *self.edited]):
            found[self._own(node_id).category].append(node_id)
        found[ChangeCategory.BREAKING] = sorted([*found[ChangeCategory.BREAKING], *self.removed])
        return found

    @cached_property
    def effects(self) -> dict[str, Effect]:
        """What happens to each node that an edit comes near, in the order of the new manifest."""
        return self._followed.effects([*self.added, *self.edited], self.removed)

    @cached_property
    def _followed(self) -> Impact:
        judge = self._given or Judge.of()
        by_column = self._impact != BY_NODE
        return Impact(self._old, self._new, judge, self._dialect, by_column=by_column)

    def _own(self, node_id: str) -> Change:
        """What the edit of a node alone changes in it."""
        effect = self.effects[node_id]
        if effect.status == REACHED:
            return UNCHANGED
        return self._followed.own(node_id) if effect.inputs else effect.change

    def impact(self, node_id: str) -> NodeImpact:
        """Why a node of the new manifest is rebuilt, or why it is spared.

        Raises RequestError when there is no such node.
        """
        self._new.node(node_id)
        effect = self.effects.get(node_id)
        if effect is None:
            why = (Reason("nothing that it is made from has changed"),)
            return NodeImpact(node_id, None, None, UNCHANGED, why, (), {})
        reads = self._reads(effect)
        reasons = effect.reasons
        if not effect.change and effect.inputs:
            reasons = (*reasons, *_why_spared(effect, reads))
        elif not reasons:
            reasons = tuple(Reason(f"of {i} {told(c)}") for i, c in effect.inputs.items())
        return NodeImpact(
            node_id,
            effect.status,
            effect.change.category,
            effect.change,
            reasons,
            tuple(self._path(effect)),
            reads,
            effect.judged_by,
        )

    def _path(self, effect: Effect) -> list[Step]:
        """From an edit to a node: at each step by way of the input that changes most."""
        steps = [Step(effect.node_id, effect.change)]
        while effect.inputs and not self._own(effect.node_id):
            worst = max(effect.inputs, key=lambda i: _weight(effect.inputs[i]))
            steps.append(Step(worst, effect.inputs[worst]))
            if worst not in self.effects:
                break
            effect = self.effects[worst]
        return steps[::-1]

    def _reads(self, effect: Effect) -> dict[str, tuple[str, ...]]:
        if not effect.inputs:
            return {}
        lineage = self._followed.queries.lineage(effect.node_id)
        if lineage is None:
            return {}
        read = frozenset[ColumnOf]().union(lineage.rows, *lineage.columns.values())
        return {
            i: tuple(sorted(column for table, column in read if table == i)) for i in effect.inputs
        }


def _as_json(change: Change) -> dict[str, Any]:
    return {
        "rows": change.rows,
        "changed": sorted(change.changed),
        "added": sorted(change.added),
        "removed": sorted(change.removed),
        "moved": change.moved,
    }


def _weight(change: Change) -> tuple[bool, bool, bool]:
    return change.rows, change.category is ChangeCategory.BREAKING, bool(change)


def _why_spared(effect: Effect, reads: Mapping[str, Sequence[str]]) -> list[Reason]:
    return [
        Reason(f"of {i} only {told(change)}, and it reads {some(reads.get(i, ())) or 'none of it'}")
        for i, change in effect.inputs.items()
    ]


def told(change: Change) -> str:
    """A change in a few words, to stand behind "of x"."""
    if change.rows:
        return "the rows may change"
    parts = [
        f"{some(sorted(names))} {word}"
        for names, word in (
            (change.changed, "may change"),
            (change.added, "is added" if len(change.added) == 1 else "are added"),
            (change.removed, "is removed" if len(change.removed) == 1 else "are removed"),
        )
        if names
    ]
    parts += ["the order of columns changes"] if change.moved else []
    return ", ".join(parts) or "nothing changes"
