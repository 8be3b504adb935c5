"""The contract of state backends: where runs, node states and environments are kept."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from seeknal.state.records import Environment, NodeState, Run


class StateBackend(Protocol):
    """Keeps records. Every call is durable when it returns, or when its transaction does."""

    def initialize(self) -> None:
        """Make the storage ready; harmless when it is."""

    def create_run(self, run_id: str, **fields: Any) -> Run:
        """Store a new run. fields: of `Run`. Raises ConflictError when the id is taken."""

    def update_run(self, run_id: str, **fields: Any) -> Run:
        """Change fields of a run. Raises StateError when there is no such run."""

    def get_run(self, run_id: str) -> Run | None:
        """A run, or None."""

    def list_runs(self, *, limit: int | None = None) -> list[Run]:
        """Runs, newest first."""

    def set_node_state(self, run_id: str, node_id: str, **fields: Any) -> NodeState:
        """Store what is known of a node in a run. fields: of `NodeState`; those not given keep
        their value."""

    def get_node_state(self, run_id: str, node_id: str) -> NodeState | None:
        """The state of a node in a run, or None."""

    def list_node_states(self, run_id: str) -> list[NodeState]:
        """The states of all nodes of a run, by node id."""

    def get_environment(self, name: str) -> Environment | None:
        """An environment, or None."""

    def list_environments(self) -> list[Environment]:
        """All environments, by name."""

    def save_environment(self, environment: Environment) -> Environment:
        """Store an environment and return it with its new version.

        Raises ConflictError when the stored version isn't `environment.version`: someone else
        wrote it since it was read. A new one has version 0.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """All that is written inside lands, or nothing does. Nests into one."""

    def close(self) -> None:
        """Let go of files and connections; harmless when done twice."""


def create_state_backend(backend_type: str, **kwargs: Any) -> StateBackend:
    """Make a state backend by the name of its plugin.

    backend_type: "file", "database", or whatever is installed. kwargs: the backend's own options;
    paths are relative to the current folder. Raises PluginError, or RequestError for an option
    that the backend doesn't have.
    """
    from seeknal.hookspecs import STATE_BACKEND
    from seeknal.plugins import Plugins

    return Plugins().create(STATE_BACKEND, backend_type, **kwargs)


_BACKENDS = {"FileBackend": "file", "DatabaseBackend": "database"}


def __getattr__(name: str) -> Any:
    """`FileBackend` and `DatabaseBackend`, from the plugins of these backends."""
    if name not in _BACKENDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from seeknal.hookspecs import STATE_BACKEND
    from seeknal.plugins import Plugins

    return getattr(Plugins().module(STATE_BACKEND, _BACKENDS[name]), name)
