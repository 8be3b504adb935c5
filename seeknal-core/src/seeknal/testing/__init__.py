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
