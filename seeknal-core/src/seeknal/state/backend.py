"""The contract of state backends: where runs, node states, intervals and environments are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from typing import Any, Protocol

from seeknal.state.intervals import Interval, Part
from seeknal.state.locks import LEASE_MS, Lock
from seeknal.state.records import (
    Environment,
    Holding,
    LockInfo,
    NodeState,
    Record,
    Revision,
    Run,
)


class StateBackend(Protocol):
    """Keeps records.

    Every write is durable when its call returns, or when its transaction does. Several threads
    may use one backend, and several processes one storage. `seeknal.testing` holds a backend to
    what is promised here.
    """

    def initialize(self) -> None:
        """Make the storage ready, and upgrade what an older version wrote; harmless when it is.

        Raises StateError when a newer version wrote it.
        """

    def close(self) -> None:
        """Let go of files and connections; harmless when done twice."""

    def transaction(self) -> AbstractContextManager[None]:
        """All that is written inside lands at once, or nothing does.

        What is read inside stays true until the end, since others wait with their writes. In a
        process, it belongs to the thread that began it. It nests into one: when an inner one
        fails, all of it does.
        """

    # --- Runs

    def create_run(self, run_id: str, **fields: Any) -> None:
        """Store a new run. fields: of `Run`. Raises ConflictError when the id is taken."""

    def update_run(self, run_id: str, **fields: Any) -> None:
        """Change fields of a run. Raises StateError when there is no such run."""

    def get_run(self, run_id: str) -> Run | None:
        """A run, or None."""

    def list_runs(
        self,
        *,
        environment: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Run]:
        """Runs, newest first: of those that match, at most `limit` after the first `offset`."""

    def delete_run(self, run_id: str) -> None:
        """Forget a run, its node states and its lock, but no intervals; harmless without one."""

    # --- Node states

    def set_node_state(self, run_id: str, node_id: str, **fields: Any) -> None:
        """Store what is known of a node in a run. fields: of `NodeState`; those not given keep
        their value. Raises StateError when there is no such run."""

    def get_node_state(self, run_id: str, node_id: str) -> NodeState | None:
        """The state of a node in a run, or None."""

    def list_node_states(self, run_id: str) -> list[NodeState]:
        """The states of all nodes of a run, by node id."""

    # --- Intervals

    def add_completed_interval(
        self,
        run_id: str,
        node_id: str,
        start: date | str,
        end: date | str,
        *,
        snapshot: str | None = None,
        part: str = "",
    ) -> None:
        """Record that a snapshot of a node now holds the time from `start` until before `end`.

        start, end: datetimes, dates, or ISO 8601 text; without a zone in UTC. snapshot: None for
        the one that the node's state in this run names. part: the name of what holds it, in the
        place of whatever held any of this time. Raises StateError when there is no such run.
        """

    def remove_intervals(
        self, node_id: str, snapshot: str | None, start: date | str, end: date | str
    ) -> None:
        """Record that a snapshot no longer holds this time."""

    def get_completed_intervals(self, node_id: str, snapshot: str | None) -> list[Interval]:
        """The time that a snapshot of a node holds: sorted ranges, of which none touch.

        snapshot: None for what was recorded without one.
        """

    def get_parts(self, node_id: str, snapshot: str | None) -> list[Part]:
        """What holds that time: sorted, without overlaps; of one name, none touch."""

    def list_ledgers(self) -> list[tuple[str, str]]:
        """Ids of nodes and snapshots for which any time is recorded, sorted; an empty id for what
        was recorded without a snapshot."""

    def add_holding(self, holding: Holding) -> None:
        """Store what a pointer shows; harmless when that is there already."""

    def get_holding(self, node_id: str, pointer: str) -> Holding | None:
        """What a pointer shows, or None."""

    def list_holdings(self) -> list[tuple[str, str]]:
        """Ids of nodes and pointers of all that pointers show, sorted."""

    def delete_holding(self, node_id: str, pointer: str) -> None:
        """Forget what a pointer shows; harmless without it."""

    # --- Environments

    def get_environment(self, name: str) -> Environment | None:
        """An environment, or None."""

    def list_environments(self) -> list[Environment]:
        """All environments, by name."""

    def save_environment(self, environment: Environment) -> Environment:
        """Store an environment and return it with its new version.

        Raises ConflictError when what is stored isn't what was read: someone else wrote or
        deleted it. A new one has version 0.
        """

    def delete_environment(self, environment: Environment) -> None:
        """Forget an environment and its revisions; harmless without one. Raises ConflictError as
        saving does."""

    def add_revision(self, revision: Revision) -> None:
        """Store a revision, in the transaction in which its environment is saved. Raises
        StateError when there is no such environment, ConflictError when the number is taken."""

    def list_revisions(self, environment: str) -> list[Revision]:
        """The revisions of an environment, newest first."""

    def delete_revisions(self, environment: str, until: int) -> None:
        """Forget the revisions of an environment up to this number; harmless without any."""

    # --- Locks

    def acquire_lock(
        self, run_id: str, timeout_ms: float, *, lease_ms: int = LEASE_MS
    ) -> Lock | None:
        """Hold the lock on a run, or None when `timeout_ms` have passed.

        It holds among all processes, until it is released, or for `lease_ms` after its holder
        died. While this backend holds it, and after another one has taken it over, what this
        backend writes of the run is checked: ConflictError when the lock was lost. The lock
        `environment:<name>` guards an environment in the same way. Raises StateError inside a
        transaction.
        """

    def get_lock(self, run_id: str) -> LockInfo | None:
        """Who holds a lock; None when nobody does."""

    def fence(self, run_id: str, token: int) -> None:
        """Write of this run, from now on, only while the lock with this token is held: for a
        process that works for the one that holds it."""

    # --- All of it

    def records(self) -> Iterator[Record]:
        """Everything but locks: each run before its node states, each environment before its
        revisions. Read it in a transaction."""

    def restore(self, records: Iterable[Record]) -> None:
        """Store records as they are, over what has the same keys, all at once."""


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
