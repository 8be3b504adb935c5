"""Runs that died are told so; old ones are forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from seeknal.state.housekeeping import close_abandoned_runs, prune_runs
from seeknal.testing import MemoryBackend


@pytest.fixture
def state() -> MemoryBackend:
    backend = MemoryBackend()
    backend.initialize()
    return backend


def test_a_run_without_a_process_is_called_interrupted(state: MemoryBackend) -> None:
    for run_id in ("dead", "alive", "done"):
        state.create_run(run_id)
        state.set_node_state(run_id, "a", status="success")
        state.set_node_state(run_id, "b", status="running")
    state.update_run("done", status="success")
    with state.acquire_lock("alive", 0) or pytest.fail("the lock was free"):
        assert close_abandoned_runs(state) == ["dead"]
        assert close_abandoned_runs(state) == []
    statuses = {run.run_id: run.status for run in state.list_runs()}
    assert statuses == {"dead": "interrupted", "alive": "running", "done": "success"}
    assert [node.status for node in state.list_node_states("dead")] == ["success", "interrupted"]
    assert [node.status for node in state.list_node_states("alive")] == ["success", "running"]
    dead = state.get_run("dead")
    assert dead is not None
    assert dead.finished_at is not None
    assert "without a word" in (dead.error or "")


def test_old_runs_are_forgotten_but_for_those_at_work(state: MemoryBackend) -> None:
    now = datetime.now(UTC)
    for age in range(10):
        status = "running" if age == 8 else "success"
        state.create_run(f"r{age}", status=status, started_at=now - timedelta(days=age))
    assert prune_runs(state) == []
    assert prune_runs(state, days=6.5) == ["r7", "r9"]
    assert prune_runs(state, runs=3) == ["r3", "r4", "r5", "r6"]
    assert [run.run_id for run in state.list_runs()] == ["r0", "r1", "r2", "r8"]
