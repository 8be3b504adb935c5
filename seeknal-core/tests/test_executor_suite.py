"""The conformance suite passes an executor that keeps its promises, and no other."""

from __future__ import annotations

import pytest

from seeknal.testing import ExecutorSuite
from seeknal.testing.executor import OpenExecutor
from seeknal.workflow.local_executor import LocalExecutor


class TestLocal(ExecutorSuite):
    own_processes = False

    @pytest.fixture
    def open_executor(self) -> OpenExecutor:
        return lambda: LocalExecutor(2)
