"""The executor "prefect" keeps the promises of executors."""

from __future__ import annotations

import os

import pytest

from seeknal.testing import ExecutorSuite
from seeknal.testing.executor import OpenExecutor
from seeknal_prefect.executor import PrefectExecutor

pytestmark = pytest.mark.usefixtures("server")


class TestThreads(ExecutorSuite):
    own_processes = False

    @pytest.fixture
    def open_executor(self) -> OpenExecutor:
        return lambda: PrefectExecutor("threads", workers=2)


@pytest.mark.skipif(
    not os.environ.get("SEEKNAL_NIGHTLY"),
    reason="every task waits for a process of Prefect to begin: SEEKNAL_NIGHTLY=1 does it",
)
class TestProcesses(ExecutorSuite):
    @pytest.fixture
    def open_executor(self) -> OpenExecutor:
        return lambda: PrefectExecutor("processes", workers=2)
