"""Read what an environment points at."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from seeknal.dag.fingerprint import is_incremental, snapshot_of
from seeknal.errors import ConflictError, RequestError, did_you_mean
from seeknal.names import check_name, run_command
from seeknal.state.backend import StateBackend
from seeknal.state.records import PLANNED, Environment
from seeknal.workflow.engine import Snapshot
from seeknal.workflow.holdings import shown
from seeknal.workflow.open_project import OpenProject


def tables_of(project: OpenProject, environment: str) -> dict[str, Snapshot]:
    """The snapshots that an environment shows, by node id.

    Raises RequestError when there is no such environment.
    """
    check_name(environment, "an environment")
    found = project.state.get_environment(environment)
    if found is None or not found.pointers:
        names = [e.name for e in project.state.list_environments()]
        planned = found is not None and found.status == PLANNED
        command = f"seeknal env apply {environment}" if planned else run_command(environment)
        raise RequestError(
            f"Nothing has been computed in '{environment}'.{did_you_mean(environment, names)} "
            f"Do it with `{command}`."
        )
    touch(project.state, found)
    return {i: read(project.state, i, pointer) for i, pointer in found.pointers.items()}


_TOUCHED_EVERY = timedelta(minutes=10)


def touch(state: StateBackend, environment: Environment) -> None:
    """Note that somebody uses an environment that would expire otherwise."""
    now = datetime.now(UTC)
    if environment.ttl_hours is None or now - environment.used_at < _TOUCHED_EVERY:
        return
    with suppress(ConflictError):  # whoever else writes it uses it too
        state.save_environment(replace(environment, used_at=now))


def read(state: StateBackend, node_id: str, pointer: str) -> Snapshot:
    """What a pointer points at."""
    parts = shown(state, node_id, pointer) if is_incremental(pointer) else ()
    return Snapshot(node_id, snapshot_of(pointer), parts)
