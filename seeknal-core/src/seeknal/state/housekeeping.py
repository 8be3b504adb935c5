"""What is done with runs that are over: those that died are told so, the oldest are forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from seeknal.errors import ConflictError
from seeknal.state.backend import StateBackend
from seeknal.state.records import Run

DIED = "its process ended without a word"


def close_abandoned_runs(state: StateBackend) -> list[str]:
    """Call what runs without a process "interrupted", and its nodes too. Returns the runs' ids.

    A run is alive while its lock is held.
    """
    closed = []
    for run in state.list_runs(status="running"):
        lock = state.acquire_lock(run.run_id, 0)
        if lock is None:
            continue
        with lock, state.transaction():
            current = state.get_run(run.run_id)
            if current is None or current.status != "running":
                continue
            now = datetime.now(UTC)
            state.update_run(run.run_id, status="interrupted", finished_at=now, error=DIED)
            for node in state.list_node_states(run.run_id):
                if node.status == "running":
                    state.set_node_state(run.run_id, node.node_id, status="interrupted")
            closed.append(run.run_id)
    return closed


def prune_runs(
    state: StateBackend, *, runs: int | None = None, days: float | None = None
) -> list[str]:
    """Forget runs that are over: all but the newest `runs`, and those begun over `days` ago.

    None: no such limit. Returns the ids of those that were forgotten.
    """
    kept = state.list_runs()
    gone = {run.run_id for run in _over(kept[runs:] if runs is not None else [])}
    if days is not None:
        horizon = datetime.now(UTC) - timedelta(days=days)
        gone |= {run.run_id for run in _over(kept) if run.started_at < horizon}
    for run_id in sorted(gone):
        state.delete_run(run_id)
    return sorted(gone)


CLEANUP = "cleanup"
"""The lock of whoever removes snapshots. A run that began before it was taken has pinned what it
needs, or is going to; one that begins later waits until it is released."""

_CLEANUP_TIMEOUT_MS = 600_000


def wait_for_cleanup(state: StateBackend) -> None:
    """Return when nobody removes snapshots. Raises ConflictError after ten minutes."""
    if state.get_lock(CLEANUP) is None:
        return
    lock = state.acquire_lock(CLEANUP, _CLEANUP_TIMEOUT_MS)
    if lock is None:
        raise ConflictError(
            f"Snapshots are being removed by {who_cleans_up(state)}, which doesn't end. Try again "
            "later."
        )
    lock.release()


def who_cleans_up(state: StateBackend) -> str:
    """Who removes snapshots, for messages."""
    holder = state.get_lock(CLEANUP)
    return holder.holder if holder else "somebody"


def _over(runs: Iterable[Run]) -> list[Run]:
    return [run for run in runs if run.status != "running"]
