"""What an environment's pointers stand for, now that the project is what it is.

A pointer stands for what its node would come to now when nothing that determines that has changed,
or when an edit is all that has, and is proven to make no difference to it. Then the node keeps its
pointer, and the environment notes the address of the snapshot that it stands for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property

from pydantic_core import PydanticSerializationError, to_json

from seeknal.dag.diff import BY_COLUMN, ManifestDiff
from seeknal.dag.fingerprint import (
    definition_hashes,
    incremental_snapshot_id,
    is_incremental,
    snapshot_of,
)
from seeknal.dag.impact import Effect
from seeknal.dag.judge import Judge
from seeknal.dag.manifest import Manifest, Node
from seeknal.state.records import Environment

_WHERE_IT_STANDS = ("file_path", "line")


def definition_text(node: Node) -> str:
    """What an environment remembers of a node."""
    fields = node.to_dict()
    for name in _WHERE_IT_STANDS:
        del fields[name]
    try:
        return to_json(fields).decode()
    except PydanticSerializationError:  # text that UTF-8 can't hold
        return json.dumps(fields)


class Standing:
    """Compares an environment with a manifest. What an edit means is judged only where something
    has to be computed anew otherwise."""

    def __init__(
        self,
        manifest: Manifest,
        environment: Environment,
        judge: Callable[[], Judge],
        impact: str = BY_COLUMN,
    ) -> None:
        self._manifest, self._environment = manifest, environment
        self._judge, self._impact = judge, impact

    def address(self, node_id: str) -> str | None:
        """The id of the snapshot that a node's pointer stands for; its own, where no other is
        noted."""
        noted = self._environment.addresses.get(node_id)
        pointer = self._environment.pointers.get(node_id)
        return noted if noted or pointer is None else snapshot_of(pointer)

    def refresh(self, node_id: str) -> str:
        return self._environment.refreshed.get(node_id, "")

    def incremental_address(self, node: Node) -> str:
        """The id of the snapshot that the intervals of a node belong to, were it made now."""
        return incremental_snapshot_id(node, self._hashes, self.refresh(node.id))

    def incremental_snapshot(self, node: Node) -> str:
        """The snapshot that the intervals of a node belong to."""
        address = self.incremental_address(node)
        shown = snapshot_of(self._environment.pointers.get(node.id, ""))
        if not is_incremental(shown) or shown == address:
            return address
        return shown if self._stands(node.id, address) else address

    def _stands(self, node_id: str, address: str) -> bool:
        noted = self.address(node_id)
        if noted == address:
            return True
        if self.before(node_id) is None or not is_spared(self.effects.get(node_id)):
            return False
        return noted == self.address_before(node_id)

    def address_before(self, node_id: str) -> str | None:
        """What `incremental_address` was by the definitions that the environment remembers."""
        before = self.before(node_id)
        if before is None or node_id not in self._hashes_before:
            return None
        return incremental_snapshot_id(before, self._hashes_before, self.refresh(node_id))

    def before(self, node_id: str) -> Node | None:
        """A node as it was when its pointer was last found to be right."""
        return self.remembered.nodes.get(node_id)

    @property
    def effects(self) -> Mapping[str, Effect]:
        """What the edits come to."""
        return self.diff.effects

    @cached_property
    def diff(self) -> ManifestDiff:
        """The edits, from what pointers were found to be right for to what the project is now."""
        return ManifestDiff.compare(
            self.remembered, self._manifest, judge=self._judge(), impact=self._impact
        )

    @cached_property
    def remembered(self) -> Manifest:
        """All nodes that have a pointer, as they were: not necessarily at one moment."""
        pointers = self._environment.pointers
        texts = self._environment.definitions
        nodes = [Node.from_dict(json.loads(text)) for i, text in texts.items() if i in pointers]
        old = Manifest(self._manifest.project, nodes)
        return Manifest(self._manifest.project, []) if old.cycles() else old

    @cached_property
    def _hashes_before(self) -> Mapping[str, str]:
        return definition_hashes(self.remembered)

    @cached_property
    def _hashes(self) -> Mapping[str, str]:
        return definition_hashes(self._manifest)


def is_spared(effect: Effect | None) -> bool:
    """Whether no edit makes a difference to a node's result."""
    return effect is None or not effect.change
