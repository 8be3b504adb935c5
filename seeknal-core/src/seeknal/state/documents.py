"""The whole contract, over anything that keeps documents by key and can write several at once."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from seeknal.state import refusals
from seeknal.state.intervals import Interval, Part, added, by_month, joined, merged, removed
from seeknal.state.locks import LEASE_MS, Lock, acquire, lock_on, this_process
from seeknal.state.records import (
    SCHEMA,
    CompletedIntervals,
    Environment,
    Holding,
    LockInfo,
    NodeState,
    Record,
    Revision,
    Run,
    check_id,
    check_schema,
)

R = TypeVar("R", bound=Record)

Key = tuple[str, ...]
"""Of a document: its room, and what names it there. Any text but the empty one, the last part of
`intervals` aside.

    ("runs", run id)                                  ("environments", name)
    ("nodes", run id, node id)                        ("locks", name)
    ("intervals", node id, snapshot, month)           ("revisions", environment, number)
    ("holdings", node id, pointer)                   ("about", "schema" or "tokens")
"""
Document = Mapping[str, Any]
"""As JSON can hold it."""


class DocumentBackend(ABC):
    """A state backend whose author implements six methods, the storage of documents.

    `_exclusive()`, a context manager: be the only writer among all processes. When it is left
    without an error, what was written lands at once and durably; with an error, nothing of it does.
    `_view()`, a context manager: several reads that see no part of another's write.
    `_read(key)`: a document, or None.
    `_documents(*prefix)`: all documents whose key begins so, in any order.
    `_write(key, document)`: put a document in place of the one that there may be.
    `_delete(*prefix)`: remove all documents whose key begins so; harmless when there are none.

    A key is a tuple of texts, a document a mapping that JSON can hold. The last four are called
    inside `_exclusive` or `_view`, by one thread at a time; those that write, only inside
    `_exclusive`, and what was written there is read there. `_exclusive` and `_view` are not nested.
    `close` may be overridden too. What storage raises, they raise as StateError.
    """

    @abstractmethod
    def _exclusive(self) -> AbstractContextManager[None]:
        """Be the only writer: all of it lands, or nothing."""

    @abstractmethod
    def _view(self) -> AbstractContextManager[None]:
        """See one moment."""

    @abstractmethod
    def _read(self, key: Key) -> Document | None:
        """A document, or None."""

    @abstractmethod
    def _documents(self, *prefix: str) -> Iterator[Document]:
        """All documents whose key begins so, in any order."""

    @abstractmethod
    def _write(self, key: Key, document: Document) -> None:
        """Put a document in place of the one that there may be."""

    @abstractmethod
    def _delete(self, *prefix: str) -> None:
        """Remove all documents whose key begins so; harmless when there are none."""

    def __init__(self) -> None:
        self._thread = threading.RLock()
        self._depth = 0
        self._failed = False
        self._fences: dict[str, int] = {}
        self._known_runs: set[str] = set()

    def initialize(self) -> None:
        with self._reading():
            about = self._read(_SCHEMA_KEY)
        if about == _SCHEMA_DOCUMENT:
            return
        with self._writing():
            about = self._read(_SCHEMA_KEY)
            if about:
                check_schema(about["schema"])
                self.restore(list(self.records()))
            self._write(_SCHEMA_KEY, _SCHEMA_DOCUMENT)

    def close(self) -> None:  # noqa: B027  there may be nothing to let go of
        """Let go of files and connections; harmless when done twice."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._writing():
            try:
                yield
            except BaseException:
                self._failed = True
                raise
            if self._failed:
                raise refusals.transaction_failed()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._thread:
            if self._depth:
                yield
                return
            self._depth, self._failed = 1, False
            self._known_runs.clear()
            try:
                with self._exclusive():
                    yield
            finally:
                self._depth = 0

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._thread:
            if self._depth:
                yield
            else:
                with self._view():
                    yield

    # --- Runs -------------------------------------------------------------------------------

    def create_run(self, run_id: str, **fields: Any) -> None:
        run = Run(check_id(run_id, "a run")).with_fields(fields)
        with self._writing():
            self._check_fence(run_id)
            if self._read(("runs", run_id)):
                raise refusals.run_exists(run_id)
            self._put(run)

    def update_run(self, run_id: str, **fields: Any) -> None:
        changes = Run.checked(fields)
        with self._writing():
            self._check_fence(run_id)
            run = self._get(Run, run_id)
            if run is None:
                raise refusals.no_run(run_id)
            self._put(replace(run, **changes))

    def get_run(self, run_id: str) -> Run | None:
        with self._reading():
            return self._get(Run, run_id)

    def list_runs(
        self,
        *,
        environment: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Run]:
        with self._reading():
            runs = [Run.from_dict(d) for d in self._documents("runs")]
        matching = [
            run
            for run in runs
            if environment in (None, run.environment) and status in (None, run.status)
        ]
        matching.sort(key=lambda run: (run.started_at, run.run_id), reverse=True)
        return matching[offset : None if limit is None else offset + limit]

    def delete_run(self, run_id: str) -> None:
        with self._writing():
            self._check_fence(run_id)
            for room in ("runs", "nodes", "locks"):
                self._delete(room, run_id)
            self._known_runs.discard(run_id)

    # --- Node states ------------------------------------------------------------------------

    def set_node_state(self, run_id: str, node_id: str, **fields: Any) -> None:
        changes = NodeState.checked(fields)
        check_id(node_id, "a node")
        with self._writing():
            self._begin_on(run_id)
            state = self._get(NodeState, run_id, node_id) or NodeState(run_id, node_id)
            self._put(replace(state, **changes))

    def get_node_state(self, run_id: str, node_id: str) -> NodeState | None:
        with self._reading():
            return self._get(NodeState, run_id, node_id)

    def list_node_states(self, run_id: str) -> list[NodeState]:
        with self._reading():
            states = [NodeState.from_dict(d) for d in self._documents("nodes", run_id)]
        return sorted(states, key=lambda state: state.node_id)

    # --- Intervals --------------------------------------------------------------------------

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
        interval = Interval.between(start, end)
        check_id(node_id, "a node")
        with self._writing():
            self._begin_on(run_id)
            if snapshot is None:
                state = self._get(NodeState, run_id, node_id)
                snapshot = state.snapshot if state else None
            for month, piece in by_month(interval):
                parts = added(self._month(node_id, snapshot, month), Part(*piece, part))
                self._put_month(node_id, snapshot, month, parts)

    def remove_intervals(
        self, node_id: str, snapshot: str | None, start: date | str, end: date | str
    ) -> None:
        interval = Interval.between(start, end)
        with self._writing():
            for month, piece in by_month(interval):
                before = self._month(node_id, snapshot, month)
                parts = removed(before, piece)
                if parts != before:
                    self._put_month(node_id, snapshot, month, parts)

    def get_completed_intervals(self, node_id: str, snapshot: str | None) -> list[Interval]:
        return merged(self._parts(node_id, snapshot))

    def get_parts(self, node_id: str, snapshot: str | None) -> list[Part]:
        return joined(self._parts(node_id, snapshot))

    def _parts(self, node_id: str, snapshot: str | None) -> Iterator[Part]:
        with self._reading():
            months = list(self._documents("intervals", node_id, snapshot or ""))
        return (part for month in months for part in CompletedIntervals.from_dict(month).parts)

    def _month(self, node_id: str, snapshot: str | None, month: str) -> list[Part]:
        document = self._read(("intervals", node_id, snapshot or "", month))
        return list(CompletedIntervals.from_dict(document).parts) if document else []

    def _put_month(
        self, node_id: str, snapshot: str | None, month: str, parts: Iterable[Part]
    ) -> None:
        """What a snapshot holds is kept by months, so that no document grows without bounds."""
        record = CompletedIntervals(node_id, snapshot or "", tuple(parts))
        key = ("intervals", *record.key, month)
        if record.parts:
            self._write(key, record.to_dict())
        else:
            self._delete(*key)

    def list_ledgers(self) -> list[tuple[str, str]]:
        with self._reading():
            months = [CompletedIntervals.from_dict(d) for d in self._documents("intervals")]
        return sorted({(month.node_id, month.snapshot) for month in months})

    def add_holding(self, holding: Holding) -> None:
        ours = holding.normalized()
        for name in ours.key:
            check_id(name, "what a pointer shows")
        with self._writing():
            self._put(ours)

    def get_holding(self, node_id: str, pointer: str) -> Holding | None:
        with self._reading():
            return self._get(Holding, node_id, pointer)

    def list_holdings(self) -> list[tuple[str, str]]:
        with self._reading():
            found = [Holding.from_dict(d) for d in self._documents("holdings")]
        return sorted((holding.node_id, holding.pointer) for holding in found)

    def delete_holding(self, node_id: str, pointer: str) -> None:
        with self._writing():
            self._delete("holdings", node_id, pointer)

    # --- Environments -----------------------------------------------------------------------

    def get_environment(self, name: str) -> Environment | None:
        with self._reading():
            return self._get(Environment, name)

    def list_environments(self) -> list[Environment]:
        with self._reading():
            found = [Environment.from_dict(d) for d in self._documents("environments")]
        return sorted(found, key=lambda environment: environment.name)

    def save_environment(self, environment: Environment) -> Environment:
        check_id(environment.name, "an environment")
        ours = environment.normalized()
        saved = replace(ours, version=ours.version + 1)
        with self._writing():
            if self._unmoved(ours, absent_is_fine=ours.version == 0) is None:
                self._delete("revisions", ours.name)  # of one whose document was damaged
            self._put(saved)
        return saved

    def delete_environment(self, environment: Environment) -> None:
        with self._writing():
            self._unmoved(environment.normalized(), absent_is_fine=True)
            self._delete("environments", environment.name)
            self._delete("revisions", environment.name)

    def add_revision(self, revision: Revision) -> None:
        name, ours = revision.environment, revision.normalized()
        with self._writing():
            self._check_fence(lock_on(name))
            if self._get(Environment, name) is None:
                raise refusals.no_environment(name)
            if self._read(_key(ours)):
                raise refusals.revision_exists(ours)
            self._put(ours)

    def list_revisions(self, environment: str) -> list[Revision]:
        with self._reading():
            found = [Revision.from_dict(d) for d in self._documents("revisions", environment)]
        return sorted(found, key=lambda revision: revision.number, reverse=True)

    def delete_revisions(self, environment: str, until: int) -> None:
        with self._writing():
            self._check_fence(lock_on(environment))
            for revision in self.list_revisions(environment):
                if revision.number <= until:
                    self._delete(*_key(revision))

    def _unmoved(self, ours: Environment, *, absent_is_fine: bool) -> Environment | None:
        """What is stored, which must be what was read: two by one name may have one version."""
        self._check_fence(lock_on(ours.name))
        stored = self._get(Environment, ours.name)
        if stored is None:
            moved = not absent_is_fine
        else:
            moved = (stored.version, stored.created_at) != (ours.version, ours.created_at)
        if moved:
            raise refusals.environment_moved(ours, stored)
        return stored

    # --- Locks ------------------------------------------------------------------------------

    def acquire_lock(
        self, run_id: str, timeout_ms: float, *, lease_ms: int = LEASE_MS
    ) -> Lock | None:
        check_id(run_id, "a lock")
        with self._thread:
            if self._depth:
                raise refusals.lock_in_transaction()
        return acquire(lambda: self._try_lock(run_id, lease_ms), timeout_ms)

    def get_lock(self, run_id: str) -> LockInfo | None:
        with self._reading():
            found = self._get(LockInfo, run_id)
        return found if found and found.expires_at > datetime.now(UTC) else None

    def fence(self, run_id: str, token: int) -> None:
        self._fences[run_id] = token

    def _try_lock(self, name: str, lease_ms: int) -> Lock | None:
        if self.get_lock(name):
            return None
        with self._writing():
            if self.get_lock(name):
                return None
            about = self._read(_TOKENS_KEY)
            token = about["last"] + 1 if about else 1
            self._write(_TOKENS_KEY, {"last": token})
            self._put(LockInfo(name, this_process(), token, _in_future(lease_ms)))
        self.fence(name, token)
        return Lock(
            name,
            token,
            lease_ms,
            renew=lambda: self._renew(name, token, lease_ms),
            release=lambda: self._release(name, token),
        )

    def _renew(self, name: str, token: int, lease_ms: int) -> bool:
        with self._writing():
            held = self._get(LockInfo, name)
            if held is None or held.token != token:
                return False
            self._put(replace(held, expires_at=_in_future(lease_ms)))
        return True

    def _release(self, name: str, token: int) -> None:
        with self._writing():
            held = self._get(LockInfo, name)
            if held and held.token == token:
                self._delete("locks", name)
        if self._fences.get(name) == token:
            del self._fences[name]

    def _check_fence(self, name: str) -> None:
        token = self._fences.get(name)
        if token is not None:
            held = self._get(LockInfo, name)
            if held is None or held.token != token:
                raise refusals.lock_lost(name, held)

    # --- All of it --------------------------------------------------------------------------

    def records(self) -> Iterator[Record]:
        for run in self.list_runs():
            yield run
            yield from self.list_node_states(run.run_id)
        for environment in self.list_environments():
            yield environment
            yield from self.list_revisions(environment.name)
        ledgers: dict[Key, list[Part]] = {}
        with self._reading():
            for document in self._documents("intervals"):
                month = CompletedIntervals.from_dict(document)
                ledgers.setdefault(month.key, []).extend(month.parts)
        for (node_id, snapshot), parts in sorted(ledgers.items()):
            yield CompletedIntervals(node_id, snapshot, tuple(joined(parts)))
        with self._reading():
            holdings = [Holding.from_dict(d) for d in self._documents("holdings")]
        yield from sorted(holdings, key=lambda holding: holding.key)

    def restore(self, records: Iterable[Record]) -> None:
        with self._writing():
            for record in records:
                if not isinstance(record, CompletedIntervals):
                    self._put(record)
                    continue
                self._delete("intervals", *record.key)
                months: dict[str, list[Part]] = {}
                for part in record.parts:
                    for month, piece in by_month(Interval(part.start, part.end)):
                        months.setdefault(month, []).append(Part(*piece, part.name))
                for month, pieces in months.items():
                    self._put_month(record.node_id, record.snapshot, month, pieces)

    # --- Documents --------------------------------------------------------------------------

    def _get(self, kind: type[R], *key: str) -> R | None:
        document = self._read((_ROOMS[kind], *key))
        return kind.from_dict(document) if document else None

    def _put(self, record: Record) -> None:
        self._write(_key(record), record.to_dict())

    def _begin_on(self, run_id: str) -> None:
        """Make sure that there is such a run, and that it may be written."""
        self._check_fence(run_id)
        if run_id not in self._known_runs:
            if self._read(("runs", run_id)) is None:
                raise refusals.no_run(run_id)
            self._known_runs.add(run_id)


_ROOMS: dict[type[Record], str] = {
    Run: "runs",
    NodeState: "nodes",
    Environment: "environments",
    Revision: "revisions",
    Holding: "holdings",
    LockInfo: "locks",
}
_SCHEMA_KEY = ("about", "schema")
_SCHEMA_DOCUMENT = {"schema": SCHEMA}
_TOKENS_KEY = ("about", "tokens")


def _key(record: Record) -> Key:
    return (_ROOMS[type(record)], *map(str, record.key))


def _in_future(milliseconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(milliseconds=milliseconds)
