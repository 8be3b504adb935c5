"""Read what an environment points at."""

from __future__ import annotations

from seeknal.dag.fingerprint import is_incremental
from seeknal.errors import RequestError, did_you_mean
from seeknal.names import check_name
from seeknal.state.backend import StateBackend
from seeknal.workflow.engine import Snapshot
from seeknal.workflow.open_project import OpenProject


def tables_of(project: OpenProject, environment: str) -> dict[str, Snapshot]:
    """The snapshots that an environment shows, by node id.

    Raises RequestError when there is no such environment.
    """
    check_name(environment, "an environment")
    found = project.state.get_environment(environment)
    if found is None or not found.pointers:
        names = [e.name for e in project.state.list_environments()]
        command = "seeknal run" if environment == "prod" else f"seeknal run --env {environment}"
        raise RequestError(
            f"Nothing has been computed in '{environment}'.{did_you_mean(environment, names)} "
            f"Do it with `{command}`."
        )
    return {node_id: read(project.state, node_id, s) for node_id, s in found.pointers.items()}


def read(state: StateBackend, node_id: str, snapshot: str) -> Snapshot:
    """A snapshot with what it holds now."""
    parts = state.get_parts(node_id, snapshot) if is_incremental(snapshot) else ()
    return Snapshot(node_id, snapshot, tuple(parts))
