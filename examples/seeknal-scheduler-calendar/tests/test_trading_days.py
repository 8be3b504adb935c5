"""Ticks on trading days, as the core is to find them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from seeknal_scheduler_calendar.trading_days import TradingDays

from seeknal.errors import RequestError
from seeknal.testing import SchedulerSuite
from seeknal.workflow.intervals import IntervalCalculator
from seeknal.workflow.scheduler import Scheduler

NEW_YORK = "America/New_York"


class TestTradingDays(SchedulerSuite):
    schedules = ("XNYS", "XNYS 02:30", "XLON 08:00", "XSAU 10:00")
    wrong_schedules = ("", "XNYZ", "@daily", "XNYS noon", "XNYS 25:00")
    years = (2020, 2025)

    @pytest.fixture
    def scheduler(self) -> Scheduler:
        return TradingDays()


def days(schedule: str, start: str, end: str, zone: str = NEW_YORK) -> list[date]:
    window = (datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)) for day in (start, end))
    ticks = TradingDays().ticks(schedule, zone, *window)
    return [tick.astimezone(ZoneInfo(zone)).date() for tick in ticks]


def test_exchanges_are_closed_on_weekends_and_on_holidays_of_their_own() -> None:
    easter = {date(2024, 3, 28), date(2024, 4, 1), date(2024, 4, 2)}
    assert set(days("XNYS", "2024-03-28", "2024-04-03")) == easter
    assert set(days("XLON", "2024-03-28", "2024-04-03")) == easter - {date(2024, 4, 1)}


def test_a_day_of_mourning_is_no_trading_day() -> None:
    assert days("XNYS", "2018-12-04", "2018-12-07") == [date(2018, 12, 4), date(2018, 12, 6)]


def test_a_week_may_begin_on_a_sunday() -> None:
    week = days("XSAU", "2024-06-02", "2024-06-09", "Asia/Riyadh")
    assert [day.strftime("%a") for day in week] == ["Sun", "Mon", "Tue", "Wed", "Thu"]


def test_closed_days_belong_to_the_trading_day_before_them() -> None:
    calculator = IntervalCalculator(NEW_YORK, TradingDays())
    thursday, monday = calculator.calculate_intervals("2024-03-28", "2024-04-01", "XNYS")
    assert thursday.start == datetime(2024, 3, 28, 4, tzinfo=UTC)
    assert thursday.end == monday.start == datetime(2024, 4, 1, 4, tzinfo=UTC)


def test_a_time_of_the_day_is_kept_when_clocks_change() -> None:
    window = (datetime(2024, 3, 8, tzinfo=UTC), datetime(2024, 3, 12, tzinfo=UTC))
    ticks = list(TradingDays().ticks("XNYS 16:00", NEW_YORK, *window))
    assert ticks == [datetime(2024, 3, 8, 21, tzinfo=UTC), datetime(2024, 3, 11, 20, tzinfo=UTC)]


def test_years_that_nobody_knows_of_are_refused_and_not_left_out() -> None:
    with pytest.raises(RequestError, match="'XSAU' are known from 2020 to"):
        days("XSAU", "2018-01-01", "2021-01-01")


def test_a_slip_of_the_pen_is_answered_with_the_right_name() -> None:
    with pytest.raises(RequestError, match="Did you mean 'XNYS'"):
        days("XNY", "2024-01-01", "2024-02-01")
