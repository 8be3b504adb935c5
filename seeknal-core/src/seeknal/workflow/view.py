"""An environment, as a plan looks at it: the one that it is for, or its base."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property

from seeknal.dag.fingerprint import snapshot_of
from seeknal.dag.manifest import Manifest
from seeknal.state.records import Environment
from seeknal.workflow.engine import Engine, Snapshot
from seeknal.workflow.standing import Standing


def begins_as(environment: Environment, base: Environment) -> bool:
    """Whether an environment shows what its base does, and nothing of its own."""
    same = environment.pointers == base.pointers and environment.addresses == base.addresses
    return same and environment.definitions == base.definitions


class View:
    """An environment, as far as what it shows may be shown again.

    moved: nodes that come to something else than it shows for another reason than that something
    was edited.
    """

    def __init__(
        self,
        environment: Environment,
        manifest: Manifest,
        selected: Collection[str],
        engine: Engine,
        standing: Standing,
    ) -> None:
        self.pointers = environment.pointers
        self.standing = standing
        self.moved: set[str] = set()
        self._manifest, self._selected, self._engine = manifest, selected, engine

    def snapshot(self, node_id: str) -> str:
        """Of which snapshot it shows something; empty for none."""
        return snapshot_of(self.pointers.get(node_id, ""))

    @cached_property
    def there(self) -> Mapping[str, str]:
        """Pointers of the selected nodes that are computed whole, and whose snapshot is still
        there."""
        shown = [
            Snapshot(i, self.pointers[i])
            for i, node in self._manifest.nodes.items()
            if i in self.pointers and i in self._selected and not node.incremental
        ]
        return {s.node_id: s.id for s in self._engine.existing(shown)}
