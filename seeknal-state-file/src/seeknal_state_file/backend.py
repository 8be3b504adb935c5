"""Runs, node states and environments as JSON files below `<base path>/state/`.

runs/<run>/run.json
runs/<run>/nodes/<node>.json
environments/<name>.json
journal/<n>.json
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from seeknal.errors import ConflictError, StateError
from seeknal.state.records import Environment, NodeState, Record, Run
from seeknal_state_file.store import Store

R = TypeVar("R", bound=Record)


class FileBackend:
    """base_path: the folder below which state is kept, in a folder of its own.

    Several threads and processes on one machine may use it. In a process, a transaction belongs
    to the thread that began it, and others wait.
    """

    def __init__(self, base_path: Path = Path("target")) -> None:
        self._root = Path(base_path) / "state"
        self._store = Store(self._root)
        self._thread = threading.RLock()
        self._depth = 0

    def __repr__(self) -> str:
        return f"FileBackend({str(self._root)!r})"

    def initialize(self) -> None:
        self._store.open()

    def close(self) -> None:
        pass

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._thread:
            if self._depth:
                yield
                return
            self._depth = 1
            try:
                with self._store.writing():
                    yield
            finally:
                self._depth = 0

    # --- Runs -------------------------------------------------------------------------------

    def create_run(self, run_id: str, **fields: Any) -> Run:
        run = Run(run_id).with_fields(fields)
        with self.transaction():
            if self.get_run(run_id) is not None:
                raise ConflictError(f"There is already a run '{run_id}'.")
            self._write(_run_path(run_id), run)
        return run

    def update_run(self, run_id: str, **fields: Any) -> Run:
        with self.transaction():
            run = self.get_run(run_id)
            if run is None:
                raise StateError(f"There is no run '{run_id}'.")
            run = run.with_fields(fields)
            self._write(_run_path(run_id), run)
        return run

    def get_run(self, run_id: str) -> Run | None:
        return self._read(_run_path(run_id), Run)

    def list_runs(self, *, limit: int | None = None) -> list[Run]:
        runs = [self.get_run(unquote(name)) for name in self._store.names("runs")]
        newest_first = sorted(
            (r for r in runs if r), key=lambda r: (r.started_at, r.run_id), reverse=True
        )
        return newest_first[:limit]

    # --- Node states ------------------------------------------------------------------------

    def set_node_state(self, run_id: str, node_id: str, **fields: Any) -> NodeState:
        path = _node_path(run_id, node_id)
        with self.transaction():
            state = self._read(path, NodeState) or NodeState(run_id, node_id)
            state = state.with_fields(fields)
            self._write(path, state)
        return state

    def get_node_state(self, run_id: str, node_id: str) -> NodeState | None:
        return self._read(_node_path(run_id, node_id), NodeState)

    def list_node_states(self, run_id: str) -> list[NodeState]:
        folder = f"runs/{_file_name(run_id)}/nodes"
        states = [self._read(f"{folder}/{name}", NodeState) for name in self._store.names(folder)]
        return sorted((s for s in states if s), key=lambda s: s.node_id)

    # --- Environments -----------------------------------------------------------------------

    def get_environment(self, name: str) -> Environment | None:
        return self._read(_environment_path(name), Environment)

    def list_environments(self) -> list[Environment]:
        found = [
            self._read(f"environments/{name}", Environment)
            for name in self._store.names("environments")
        ]
        return sorted((e for e in found if e), key=lambda e: e.name)

    def save_environment(self, environment: Environment) -> Environment:
        with self.transaction():
            stored = self.get_environment(environment.name)
            version = stored.version if stored else 0
            if version != environment.version:
                raise ConflictError(
                    f"The environment '{environment.name}' was changed by someone else: "
                    f"it is at version {version}, and not at {environment.version}."
                )
            saved = replace(environment, version=version + 1)
            self._write(_environment_path(saved.name), saved)
        return saved

    # --- Files ------------------------------------------------------------------------------

    def _read(self, path: str, kind: type[R]) -> R | None:
        text = self._store.read(path)
        if text is None:
            return None
        try:
            return kind.from_dict(json.loads(text))
        except (ValueError, TypeError, KeyError) as error:
            raise StateError(
                f"{self._root / path} can't be read: {error}. Move it away and run again: what "
                "was computed is found again."
            ) from error

    def _write(self, path: str, record: Record) -> None:
        self._store.write(path, json.dumps(record.to_dict(), indent=2, ensure_ascii=False))


def _file_name(name: str) -> str:
    return quote(name, safe="")


def _run_path(run_id: str) -> str:
    return f"runs/{_file_name(run_id)}/run.json"


def _node_path(run_id: str, node_id: str) -> str:
    return f"runs/{_file_name(run_id)}/nodes/{_file_name(node_id)}.json"


def _environment_path(name: str) -> str:
    return f"environments/{_file_name(name)}.json"
