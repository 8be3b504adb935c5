"""The backend "database" keeps all promises of state backends, on each database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seeknal.testing.state_backend import OpenBackend, StateBackendSuite
from seeknal_state_db.backend import DatabaseBackend


class TestSqlite(StateBackendSuite):
    @pytest.fixture
    def open_backend(self, tmp_path: Path) -> OpenBackend:
        return lambda: DatabaseBackend(tmp_path / "state.db")


class TestTurso(StateBackendSuite):
    @pytest.fixture
    def open_backend(self, tmp_path: Path) -> OpenBackend:
        return lambda: DatabaseBackend(url=f"turso:///{tmp_path}/state.db")


class TestRemoteTurso(StateBackendSuite):
    shared_by_processes = False
    examples = 5
    kills = 30

    @pytest.fixture
    def open_backend(self, tmp_path: Path, turso_server: str) -> OpenBackend:
        url = f"turso+sync:///{tmp_path}/replica.db?remote_url={turso_server}"
        return lambda: DatabaseBackend(url=url)


class TestPostgresql(StateBackendSuite):
    @pytest.fixture
    def open_backend(self, postgresql: Callable[[], str]) -> OpenBackend:
        url = postgresql()
        return lambda: DatabaseBackend(url=url)
