"""Conformance suites: what proves that a plugin keeps its contract.

    # tests/test_my_backend.py
    import pytest
    from seeknal.testing import StateBackendSuite

    class TestMyBackend(StateBackendSuite):
        @pytest.fixture
        def open_backend(self, tmp_path):
            return lambda: MyBackend(tmp_path / "state")

Install `seeknal-core[testing]`. The promises that the tests cite by number stand in
docs/behaviour/.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seeknal.testing.classifier import ClassifierSuite
    from seeknal.testing.engine import EngineSuite
    from seeknal.testing.executor import ExecutorSuite
    from seeknal.testing.memory import MemoryBackend
    from seeknal.testing.scheduler import SchedulerSuite
    from seeknal.testing.sqlite_engine import SqliteEngine
    from seeknal.testing.state_backend import StateBackendSuite

__all__ = [
    "ClassifierSuite",
    "EngineSuite",
    "ExecutorSuite",
    "MemoryBackend",
    "SchedulerSuite",
    "SqliteEngine",
    "StateBackendSuite",
]

_MODULES = {
    "ClassifierSuite": "classifier",
    "EngineSuite": "engine",
    "ExecutorSuite": "executor",
    "MemoryBackend": "memory",
    "SchedulerSuite": "scheduler",
    "SqliteEngine": "sqlite_engine",
    "StateBackendSuite": "state_backend",
}


def __getattr__(name: str) -> object:
    """A plugin that begins from `MemoryBackend` or `SqliteEngine` needs no pytest to run."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
