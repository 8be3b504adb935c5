"""What a flow run leaves to be looked at in Prefect's UI."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from seeknal.workflow.plan import Plan
from seeknal.workflow.task import NodeResult

MOST_LISTED = 200
"""Names in the text of a plan: a page that lists thousands is not read."""


def run_table(results: Iterable[NodeResult], key: str = "seeknal-run") -> None:
    """A table of what became of every task of a run."""
    rows = [
        {
            "node": result.task,
            "status": "reused" if result.reused else result.status,
            "rows": result.rows,
            "seconds": round(result.seconds, 3),
            "error": result.error or result.blocked_by or "",
        }
        for result in results
    ]
    create_table_artifact(rows, key=key, description="Nodes of this run")


def plan_text(plan: Plan, key: str = "seeknal-plan") -> None:
    """What a run is going to do, as text."""
    create_markdown_artifact(_markdown(plan), key=key, description="What is to be computed")


def _markdown(plan: Plan) -> str:
    counts = (
        f"{len(plan.tasks)} to compute, {len(plan.unchanged)} up to date, "
        f"{len(plan.reused)} reused, {len(plan.waiting)} waiting"
    )
    lines = [f"## {plan.environment}", "", counts, ""]
    lines += [f"- `{task.name}`" for task in plan.tasks[:MOST_LISTED]]
    if len(plan.tasks) > MOST_LISTED:
        lines.append(f"- and {len(plan.tasks) - MOST_LISTED} more")
    lines += [f"- `{node_id}` waits: {why}" for node_id, why in plan.waiting.items()]
    return "\n".join(lines)


class Progress:
    """How much of a backfill is done, in percent."""

    def __init__(self, total: int, key: str = "seeknal-backfill") -> None:
        self._total, self._done, self._shown = max(total, 1), 0, 0
        made = create_progress_artifact(0.0, key=key, description=f"{total} batches of intervals")
        assert isinstance(made, UUID)  # called from a thread without an event loop
        self._id = made

    def step(self) -> None:
        """One more is done. What is shown follows percent by percent."""
        self._done += 1
        percent = int(100 * self._done / self._total)
        if percent > self._shown:
            self._shown = percent
            update_progress_artifact(self._id, progress=float(percent))
