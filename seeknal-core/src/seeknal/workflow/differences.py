"""How what one environment shows differs from what another one does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seeknal.dag.manifest import Node
from seeknal.errors import RequestError, did_you_mean
from seeknal.workflow.engine import Comparison, Snapshot
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import tables_of


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one node. before, after: its snapshots; None where the node isn't shown. comparison: None
    where there is one side only."""

    node_id: str
    before: Snapshot | None
    after: Snapshot | None
    comparison: Comparison | None


def differences(
    project: OpenProject,
    after: str,
    before: str,
    *,
    node: str | None = None,
    keys: Sequence[str] = (),
    rows: int = 20,
) -> Iterator[Difference]:
    """What would change for readers of `before` if it showed what `after` shows; by node, in the
    order in which they are computed, without those that are the same.

    node: the id or name of the only one to look at, which is told of even if nothing differs.
    keys: of this one, the columns that tell which rows belong together; by default what its
    `unique_key` says. rows: how many to show of each kind. Raises RequestError when there is no
    such environment, node or key.
    """
    new, old = tables_of(project, after), tables_of(project, before)
    manifest = project.manifest
    if node is not None:
        known = sorted(new.keys() | old)
        found = [i for i in known if node in (i, i.partition(".")[2])]
        if len(found) != 1:
            if found:
                raise RequestError(f"There are several nodes '{node}': write {' or '.join(found)}.")
            near = did_you_mean(node, known)
            raise RequestError(f"Neither '{before}' nor '{after}' shows a node '{node}'.{near}")
        wanted = found
    else:
        places = manifest.positions
        differ = (i for i in new.keys() | old if new.get(i) != old.get(i))
        wanted = sorted(differ, key=lambda i: (places.get(i, len(places)), i))
    for node_id in wanted:
        sides = old.get(node_id), new.get(node_id)
        comparison = None
        if sides[0] and sides[1]:
            chosen = keys or _keys(manifest.nodes.get(node_id))
            comparison = project.engine.compare(sides[0], sides[1], chosen, rows)
        yield Difference(node_id, *sides, comparison)


def _keys(node: Node | None) -> Sequence[str]:
    return node.unique_key if node else ()
