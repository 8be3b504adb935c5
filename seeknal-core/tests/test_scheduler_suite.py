"""The conformance suite passes a scheduler that keeps its promises, and no other."""

from __future__ import annotations

import pytest

from seeknal.testing import SchedulerSuite
from seeknal.workflow.cron_scheduler import CronScheduler
from seeknal.workflow.scheduler import Scheduler


class TestCron(SchedulerSuite):
    schedules = (
        "@hourly", "@daily", "*/20 * * * *", "15,45 1-3 * * *", "30 2 * * *", "0 6 * * 1-5",
        "@monthly", "0 0 29 2 *",
    )  # fmt: skip

    @pytest.fixture
    def scheduler(self) -> Scheduler:
        return CronScheduler()
