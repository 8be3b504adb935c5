"""The conformance suite passes a scheduler that keeps its promises, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from seeknal.testing import SchedulerSuite
from seeknal.workflow.cron_scheduler import CronScheduler
from seeknal.workflow.scheduler import Scheduler

from .broken_plugins import citing, failed, hold_page_and_suite_together


class TestCron(SchedulerSuite):
    schedules = (
        "@hourly", "@daily", "*/20 * * * *", "15,45 1-3 * * *", "30 2 * * *", "0 6 * * 1-5",
        "@monthly", "0 0 29 2 *",
    )  # fmt: skip

    @pytest.fixture
    def scheduler(self) -> Scheduler:
        return CronScheduler()


BROKEN = """
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import sleep
from zoneinfo import ZoneInfo

import pytest
from seeknal.errors import RequestError
from seeknal.testing import SchedulerSuite
from seeknal.workflow.cron_scheduler import CronScheduler


class Scheduler:
    cron = CronScheduler()

    def ticks(self, schedule, timezone, start, end):
        {body}


class TestBroken(SchedulerSuite):
    schedules = ("@hourly", "30 2 * * *", "@monthly")
    examples = 20

    @pytest.fixture
    def scheduler(self):
        return Scheduler()
"""
RIGHT = "return self.cron.ticks(schedule, timezone, start, end)"
FAULTS = {
    "T1, in the zone": """for tick in self.cron.ticks(schedule, timezone, start, end):
            yield tick.astimezone(ZoneInfo(timezone))""",
    "T1, one twice": """for tick in self.cron.ticks(schedule, timezone, start, end):
            yield from (tick, tick)""",
    "T2, with the end": """step = timedelta(microseconds=1)
        return self.cron.ticks(schedule, timezone, start, end + step)""",
    "T2, without the start": """step = timedelta(microseconds=1)
        return self.cron.ticks(schedule, timezone, start + step, end)""",
    "T3, counted from the start": """tick = start
        while tick < end:
            yield tick.astimezone(UTC)
            tick += timedelta(hours=7)""",
    "T3, clocks that go back are not seen": """zone = ZoneInfo(timezone)
        for tick in self.cron.ticks(schedule, "UTC", *(
            at.astimezone(zone).replace(tzinfo=UTC) for at in (start, end)
        )):
            yield tick.replace(tzinfo=zone).astimezone(UTC)""",
    "T4, the zone is dropped": """return self.cron.ticks(
            schedule, timezone, start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))""",
    "T5, one position for all": """self.position = self.cron.ticks(schedule, timezone, start, end)
        def read():
            while (tick := next(self.position, None)) is not None:
                yield tick
        return read()""",
    "T6, all of a wide window is listed first": """if end - start > timedelta(days=365 * 1000):
            sleep(1.1)  # what that takes at least
        return self.cron.ticks(schedule, timezone, start, end)""",
    "T7, no ticks for what is wrong": """try:
            yield from self.cron.ticks(schedule, timezone, start, end)
        except RequestError:
            return""",
    "T7, an error that names nothing": """try:
            yield from self.cron.ticks(schedule, timezone, start, end)
        except RequestError:
            raise RequestError("wrong schedule") from None""",
    "T8, in UTC whatever the zone": """self.cron.ticks(schedule, timezone, start, end)
        return self.cron.ticks(schedule, "UTC", start, end)""",
    "T1, one tick twice where clocks go forward": """zone = ZoneInfo(timezone)
        for tick in self.cron.ticks(schedule, "UTC", start, end):
            yield tick.replace(tzinfo=zone).astimezone(UTC)""",
    "T9, the last tick is always missing": """ticks = list(islice(
            self.cron.ticks(schedule, timezone, start, end), 3000
        ))
        return iter(ticks[:-1])""",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_scheduler_that_breaks_a_promise_fails_its_test(tmp_path: Path, fault: str) -> None:
    promise = fault.partition(",")[0]
    tests = citing(SchedulerSuite, promise)
    assert failed(tmp_path, BROKEN.format(body=FAULTS[fault]), tests)


def test_without_a_fault_it_passes(tmp_path: Path) -> None:
    tests = [name for name in vars(SchedulerSuite) if name.startswith("test_")]
    assert failed(tmp_path, BROKEN.format(body=RIGHT), tests) == set()


def test_a_scheduler_that_names_no_schedules_is_told_to(tmp_path: Path) -> None:
    text = BROKEN.format(body=RIGHT).replace('"@hourly", "30 2 * * *", "@monthly"', "")
    assert failed(tmp_path, text, citing(SchedulerSuite, "T1"))


def test_the_page_and_the_suite_hold_together() -> None:
    hold_page_and_suite_together(SchedulerSuite, "schedulers.md", "T")
