"""Write what happens in a run to the state backend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from seeknal.state.backend import StateBackend
from seeknal.workflow.plan import Plan
from seeknal.workflow.task import NodeResult, RunInfo, Task


@dataclass(slots=True)
class _SoFar:
    """What a node's tasks have come to. left: how many are not over. tasks: how many went well."""

    left: int
    tasks: int = 0
    status: str = "running"
    snapshot: str | None = None
    started_at: datetime | None = None
    seconds: float = 0.0
    rows: int | None = None
    bytes: int | None = None
    error: str | None = None

    def add(self, result: NodeResult) -> None:
        self.left -= 1
        self.seconds += result.seconds
        self.snapshot = result.snapshot or self.snapshot
        if result.rows is not None:
            self.rows = (self.rows or 0) + result.rows
        if result.bytes is not None:
            self.bytes = (self.bytes or 0) + result.bytes
        if result.status == "success":
            self.tasks += 1
            return
        if self.status in ("running", "interrupted", "skipped"):
            self.status = result.status
            why = result.error or (result.blocked_by and f"needs {result.blocked_by}")
            self.error = f"{result.task}: {why}" if why and result.interval else why or self.error

    @property
    def final_status(self) -> str:
        if self.left:
            return "running"
        return "success" if self.status == "running" else self.status


class Recorder:
    """Keeps the states of a run's nodes, and with them the intervals that they have completed."""

    def __init__(self, state: StateBackend, run: RunInfo, plan: Plan) -> None:
        self._state, self._run = state, run
        counts = Counter(task.node_id for task in plan.tasks)
        self._nodes = {node_id: _SoFar(left) for node_id, left in counts.items()}

    def record(self, events: Iterable[Task | NodeResult]) -> None:
        """Write what several events come to, all at once.

        A batch's interval is complete in the transaction in which its part becomes visible, since
        what is visible is what is recorded here.
        """
        now = datetime.now(UTC)
        changed: dict[str, _SoFar] = {}
        with self._state.transaction():
            for event in events:
                node = changed[event.node_id] = self._nodes[event.node_id]
                if isinstance(event, Task):
                    node.started_at = node.started_at or now
                    continue
                node.add(event)
                if event.interval and event.status == "success":
                    self._state.add_completed_interval(
                        self._run.run_id,
                        event.node_id,
                        *event.interval,
                        snapshot=event.snapshot,
                        part=event.part,
                    )
            for node_id, node in changed.items():
                self._write(node_id, node, now)

    def _write(self, node_id: str, node: _SoFar, now: datetime) -> None:
        """Fields in two groups, so that many nodes can be written as one."""
        if node.left:
            self._state.set_node_state(
                self._run.run_id, node_id, status="running", started_at=node.started_at
            )
            return
        self._state.set_node_state(
            self._run.run_id,
            node_id,
            status=node.final_status,
            snapshot=node.snapshot,
            started_at=node.started_at,
            finished_at=now,
            seconds=round(node.seconds, 6),
            rows=node.rows,
            tasks=node.tasks,
            bytes=node.bytes,
            error=node.error,
        )
