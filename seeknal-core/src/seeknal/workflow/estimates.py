"""What computing a node took in earlier runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from seeknal.state.backend import StateBackend

RUNS = 20
"""So many of the last runs are looked at."""


class Estimate(NamedTuple):
    """Of one task of a node. rows: in what it wrote. seconds: of work."""

    rows: float
    seconds: float

    def of(self, tasks: int) -> tuple[int, float]:
        """Rows and seconds of so many tasks."""
        return round(self.rows * tasks), round(self.seconds * tasks, 3)


def estimates(state: StateBackend, node_ids: Iterable[str]) -> dict[str, Estimate]:
    """By node, from the last run that computed it; without those that none of the last did."""
    missing = set(node_ids)
    found: dict[str, Estimate] = {}
    for run in state.list_runs(limit=RUNS) if missing else ():
        if not missing:
            break
        for node in state.list_node_states(run.run_id):
            if node.node_id in missing and node.status == "success" and node.rows is not None:
                tasks = node.tasks or 1
                found[node.node_id] = Estimate(node.rows / tasks, (node.seconds or 0) / tasks)
                missing.discard(node.node_id)
    return found
