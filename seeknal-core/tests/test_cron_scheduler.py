from __future__ import annotations

from datetime import UTC, datetime

import pytest

from seeknal.errors import RequestError
from seeknal.workflow.cron_scheduler import CronScheduler


def ticks(schedule: str, start: str, end: str, zone: str = "UTC") -> list[str]:
    bounds = [datetime.fromisoformat(t).replace(tzinfo=UTC) for t in (start, end)]
    return [
        t.strftime("%m-%d %H:%M") for t in CronScheduler().ticks(schedule, zone, *bounds)
    ]  # fmt: skip


def test_ticks_begin_on_the_start_and_end_before_the_end() -> None:
    found = ticks("@daily", "2024-01-01", "2024-01-03")
    assert found == ["01-01 00:00", "01-02 00:00"]


def test_ticks_follow_the_wall_clock_of_the_zone_and_are_given_in_utc() -> None:
    found = ticks("0 2 * * *", "2024-06-01", "2024-06-02", "Europe/Berlin")
    assert found == ["06-01 00:00"]


def test_a_bad_expression_or_zone_is_one_clear_message() -> None:
    with pytest.raises(RequestError, match="neither a cron expression"):
        ticks("@dayly", "2024-01-01", "2024-01-02")
    with pytest.raises(RequestError, match="no timezone 'Mars/Olympus'"):
        ticks("@daily", "2024-01-01", "2024-01-02", "Mars/Olympus")
