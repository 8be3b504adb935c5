"""The API reference word for word, the rules of dates, limits and errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import islice, pairwise
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeknal.errors import RequestError
from seeknal.state.intervals import Part
from seeknal.state.records import CompletedIntervals
from seeknal.workflow import intervals as module
from seeknal.workflow.cron_scheduler import CronScheduler
from seeknal.workflow.intervals import (
    CronSchedule,
    Interval,
    IntervalCalculator,
    IntervalSet,
    intervals_between,
    not_contained,
    parse_cron_schedule,
    range_of,
    tick_before,
)

CRON = CronScheduler()
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(start: str, end: str) -> Interval:
    return Interval(utc(start), utc(end))


def days(*numbers: int) -> list[Interval]:
    """Of January 2024, in UTC."""
    first = utc("2024-01-01")
    return [Interval(first + (n - 1) * DAY, first + n * DAY) for n in numbers]


class Shifts:
    """A scheduler that isn't cron: a tick every so many hours since the beginning of 2024."""

    def ticks(
        self, schedule: str, timezone: str, start: datetime, end: datetime
    ) -> Iterator[datetime]:
        if not schedule.endswith("h"):
            raise RequestError(f"{schedule!r} is no shift: write it as in '8h'.")
        every = int(schedule[:-1]) * HOUR
        first = utc("2024-01-01")
        number = max(0, -((first - start) // every))
        while (tick := first + number * every) < end:
            yield tick
            number += 1


# --- The API reference ----------------------------------------------------------------------


def test_calculate_intervals_as_in_the_reference() -> None:
    calculator = IntervalCalculator()
    intervals = calculator.calculate_intervals(
        start_date="2024-01-01", end_date="2024-01-31", schedule="@daily"
    )
    assert intervals == days(*range(1, 32))


def test_get_pending_intervals_as_in_the_reference() -> None:
    calculator = IntervalCalculator()
    intervals = calculator.get_pending_intervals(
        last_completed="2024-01-01", schedule="@daily", end_date="2024-01-31"
    )
    assert intervals == days(*range(2, 32))


def test_parse_cron_schedule_as_in_the_reference() -> None:
    daily = parse_cron_schedule("@daily")
    at_two = parse_cron_schedule("0 2 * * *")
    assert isinstance(daily, CronSchedule)
    assert str(at_two) == "0 2 * * *"


def test_what_the_module_is_for() -> None:
    assert set(module.__all__) == {
        "CronSchedule",
        "Interval",
        "IntervalCalculator",
        "IntervalSet",
        "parse_cron_schedule",
    }


# --- Dates and times ------------------------------------------------------------------------

UNTIL_3 = days(1, 2, 3)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2024-01-01", "2024-01-03"),
        (date(2024, 1, 1), date(2024, 1, 3)),
        ("20240101", "2024-W01-3"),
        ("2024-01-01T00:00", "2024-01-04T00:00"),
        ("2023-12-31T00:00:01", "2024-01-04T23:59:59"),
        ("2024-01-01T01:00+01:00", "2024-01-03T19:00-05:00"),
        (datetime(2024, 1, 1), utc("2024-01-04")),
        (datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1))), "2024-01-03"),
        (pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-04", tz="Europe/London")),
    ],
)
def test_ends_that_are_dates_are_included_and_those_with_a_time_are_not(
    start: Any, end: Any
) -> None:
    found = IntervalCalculator().calculate_intervals(start, end, "@daily")
    assert found == UNTIL_3
    assert {type(edge) for interval in found for edge in interval} == {datetime}


def test_only_whole_intervals_are_given() -> None:
    calculator = IntervalCalculator()
    assert calculator.calculate_intervals("2024-01-01", "2024-02-28", "@monthly") == [
        between("2024-01-01", "2024-02-01")
    ]
    assert calculator.calculate_intervals("2024-01-01T06:00", "2024-01-02T23:00", "@daily") == []
    assert calculator.calculate_intervals("2024-01-01T06:00", "2024-01-01T06:00", "@daily") == []


def test_dates_and_times_without_a_zone_are_on_the_wall_clock() -> None:
    calculator = IntervalCalculator("Europe/Berlin")
    assert calculator.calculate_intervals("2024-03-30", "2024-03-31", "@daily") == [
        between("2024-03-29T23:00", "2024-03-30T23:00"),
        between("2024-03-30T23:00", "2024-03-31T22:00"),
    ]
    assert calculator.calculate_intervals("2024-03-31T01:00", "2024-03-31T04:00", "@hourly") == [
        between("2024-03-31T00:00", "2024-03-31T01:00"),
        between("2024-03-31T01:00", "2024-03-31T02:00"),
    ]


def test_the_zone_of_a_cron_schedule_counts() -> None:
    schedule = parse_cron_schedule("@daily", "Asia/Kathmandu")
    assert IntervalCalculator("UTC").calculate_intervals("2024-01-02", "2024-01-02", schedule) == [
        between("2024-01-01T18:15", "2024-01-02T18:15")
    ]
    assert IntervalCalculator("UTC").get_next_interval("2024-01-01", schedule) == (
        between("2024-01-01T18:15", "2024-01-02T18:15")
    )


@pytest.mark.parametrize(
    ("start", "end", "zone", "expected"),
    [
        ("2024-03-10T02:30", "2024-03-11", "America/New_York", "03-10 07:30 03-12 04:00"),
        ("2024-11-03T01:30", "2024-11-03", "America/New_York", "11-03 05:30 11-04 05:00"),
        ("2024-03-10", "2024-03-09", "America/Havana", "refused"),
        ("2024-03-10", "2024-03-10", "America/Havana", "03-10 05:00 03-11 04:00"),
        ("2024-11-03", "2024-11-03", "America/Havana", "11-03 04:00 11-04 05:00"),
        ("2011-12-30", "2011-12-30", "Pacific/Apia", "12-30 10:00 12-30 10:00"),
    ],
)
def test_range_of_on_days_on_which_clocks_change(
    start: str, end: str, zone: str, expected: str
) -> None:
    if expected == "refused":
        with pytest.raises(RequestError, match=f"start {start} is after the end {end}"):
            range_of(start, end, zone)
    else:
        found = range_of(start, end, zone)
        assert f"{found.start:%m-%d %H:%M} {found.end:%m-%d %H:%M}" == expected


def test_range_of_takes_the_second_of_a_time_that_is_shown_twice_when_it_is_meant() -> None:
    second = datetime(2024, 11, 3, 1, 30, fold=1)
    assert range_of(second, "2024-11-03", "America/New_York").start == utc("2024-11-03T06:30")


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2024-01-02", "2024-01-01", "start 2024-01-02 is after the end 2024-01-01"),
        ("2024-01-01T01:00", "2024-01-01T00:00", "is after the end"),
        (date(2024, 1, 3), "2024-01-01", "start 2024-01-03 is after the end 2024-01-01"),
        ("soon", "2024-01-01", "'soon' is neither a date nor a time"),
        ("2024-01", "2024-01-01", "'2024-01' is neither"),
        ("2024-02-30", "2024-03-01", "'2024-02-30' is neither"),
        (None, "2024-01-01", "None is neither"),
        (20240101, "2024-01-01", "20240101 is neither"),
        (pd.NaT, "2024-01-01", "NaT is no time"),
        ("2024-01-01", "9999-12-31", "9999-12-31 is the last day"),
        (date.min, "2024-01-01", "0001-01-01 is no time that UTC has"),
    ],
)
def test_what_is_no_range_is_refused(start: Any, end: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        IntervalCalculator("Europe/Berlin").calculate_intervals(start, end, "@daily")


@pytest.mark.parametrize("method", ["calculate_intervals", "iterate"])
def test_a_bad_schedule_is_refused_at_once(method: str) -> None:
    with pytest.raises(RequestError, match="Did you mean '@daily'"):
        getattr(IntervalCalculator(), method)("2024-01-01", "2024-01-02", "@dayly")
    with pytest.raises(RequestError, match="Did you mean '@daily'"):
        IntervalCalculator().get_pending_intervals("2024-01-05", "@dayly", "2024-01-02")


def test_a_bad_zone_is_refused_at_once() -> None:
    with pytest.raises(RequestError, match="Did you mean 'Europe/Berlin'"):
        IntervalCalculator("Europe/Berln")


# --- Limits ---------------------------------------------------------------------------------


def test_a_list_is_never_shortened() -> None:
    few = IntervalCalculator(limit=31)
    assert len(few.calculate_intervals("2024-01-01", "2024-01-31", "@daily")) == 31
    message = "at least 32 intervals, and at most 31 .* `limit`, .* `iterate`"
    with pytest.raises(RequestError, match=message):
        few.calculate_intervals("2024-01-01", "2024-02-01", "@daily")
    with pytest.raises(RequestError, match=message):
        few.get_pending_intervals("2023-12-31", "@daily", "2024-02-01")
    with pytest.raises(RequestError, match="at least 100,001 intervals"):
        IntervalCalculator().calculate_intervals("2000-01-01", "2024-01-01", "@hourly")


def test_what_is_complete_does_not_count() -> None:
    few = IntervalCalculator(limit=1)
    completed = [("2024-01-01", "2024-01-31")]
    assert few.get_pending_intervals("2023-12-31", "@daily", "2024-01-31", completed) == days(31)


def test_iterate_has_no_limit_and_takes_its_time() -> None:
    calculator = IntervalCalculator(limit=1)
    every_second = calculator.iterate("1000-01-01", "9000-01-01", "* * * * * *")
    assert len(list(islice(every_second, 1000))) == 1000
    daily = calculator.iterate("2024-01-01", "2024-01-31", "@daily")
    assert list(daily) == days(*range(1, 32))


# --- The next interval ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "current",
    [
        days(1)[0],
        ("2024-01-01", "2024-01-02"),
        (date(2024, 1, 1), datetime(2024, 1, 2)),
        ("2023-12-31T05:00", "2024-01-01T05:00"),
        "2024-01-01",
        date(2024, 1, 1),
        "2024-01-01T00:00",
        "2024-01-01T23:59",
        utc("2024-01-01T12:00"),
        pd.Timestamp("2024-01-01 12:00"),
    ],
)
def test_the_next_interval_begins_at_the_first_tick_from_the_end_on(current: Any) -> None:
    assert IntervalCalculator().get_next_interval(current, "@daily") == days(2)[0]


def test_intervals_follow_each_other() -> None:
    calculator = IntervalCalculator("America/Havana")
    expected = calculator.calculate_intervals("2024-03-01", "2024-11-30", "0 0 */3 * *")
    found = [expected[0]]
    while len(found) < len(expected):
        found.append(calculator.get_next_interval(found[-1], "0 0 */3 * *"))
    assert found == expected


def test_the_next_interval_may_be_far() -> None:
    found = IntervalCalculator().get_next_interval("2024-03-01", "0 0 29 2 5#5")
    assert found == between("2036-02-29", "2064-02-29")


@pytest.mark.parametrize(
    ("current", "schedule", "message"),
    [
        ("2024-01-01", "0 0 1 1 * 0 2020-2024", "no interval in 100 years"),
        ("2022-12-31", "0 0 1 1 * 0 2020-2023", "no interval in 100 years"),
        (("2024-01-02", "2024-01-01"), "@daily", "give a start and an end, in that order"),
        (("2024-01-02",), "@daily", "give a start and an end"),
        (("2024-01-01", "soon"), "@daily", "'soon' is neither"),
        (None, "@daily", "None is neither"),
    ],
)
def test_what_nothing_follows_is_refused(current: Any, schedule: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        IntervalCalculator().get_next_interval(current, schedule)


# --- What is complete, and what is pending --------------------------------------------------


class Row(SimpleNamespace):
    completed_intervals: Any


TWO = [*days(5), *days(1), *days(2)]


@pytest.mark.parametrize(
    "run_state",
    [
        TWO,
        iter(TWO),
        tuple(TWO),
        IntervalSet(TWO),
        {"completed_intervals": TWO},
        {"completed_intervals": [[start.isoformat(), end.isoformat()] for start, end in TWO]},
        Row(completed_intervals=TWO),
        Row(completed_intervals=IntervalSet(TWO)),
        SimpleNamespace(ranges=tuple(TWO)),
        Row(completed_intervals=SimpleNamespace(ranges=TWO)),
        CompletedIntervals("transform.a", "b", tuple(Part(*i, "c") for i in sorted(TWO))),
        [("2024-01-01", "2024-01-03"), (date(2024, 1, 5), "2024-01-06T00:00")],
    ],
)
def test_completed_intervals_are_read_from_many_things_and_merged(run_state: Any) -> None:
    assert IntervalCalculator().get_completed_intervals(run_state) == [
        between("2024-01-01", "2024-01-03"),
        between("2024-01-05", "2024-01-06"),
    ]


@pytest.mark.parametrize(
    "run_state", [None, [], {}, {"completed_intervals": None}, Row(completed_intervals=())]
)
def test_nothing_is_complete(run_state: Any) -> None:
    assert IntervalCalculator().get_completed_intervals(run_state) == []


@pytest.mark.parametrize(
    ("run_state", "message"),
    [
        (7, "No intervals can be read from an object of type int"),
        ("2024-01-01", "No intervals can be read from an object of type str"),
        ({"intervals": TWO}, "'completed_intervals', and this one has only intervals"),
        ([1, 2], "1 is no interval"),
        ([("2024-01-01", "soon")], "'soon' is neither"),
        ([("2024-01-02", "2024-01-01")], "in that order"),
        ([("2024-01-01", "2024-01-02", "2024-01-03")], "is no interval"),
    ],
)
def test_a_run_state_that_cannot_be_read_is_refused(run_state: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        IntervalCalculator().get_completed_intervals(run_state)


@pytest.mark.parametrize(
    ("last_completed", "expected"),
    [
        ("2024-01-28", [29, 30, 31]),
        (date(2024, 1, 30), [31]),
        ("2024-01-31", []),
        ("2024-02-20", []),
        ("2024-01-29T00:00", [29, 30, 31]),
        ("2024-01-28T00:01", [29, 30, 31]),
        (days(28)[0], [29, 30, 31]),
        (("2024-01-01", "2024-01-30"), [30, 31]),
    ],
)
def test_pending_is_what_comes_after_what_was_completed_last(
    last_completed: Any, expected: list[int]
) -> None:
    found = IntervalCalculator().get_pending_intervals(last_completed, "@daily", "2024-01-31")
    assert found == days(*expected)


@pytest.mark.parametrize("make", [IntervalSet, list, iter])
def test_what_is_complete_is_not_pending(make: Any) -> None:
    completed = [("2024-01-02", "2024-01-04"), ("2024-01-05T00:00", "2024-01-05T23:59")]
    found = IntervalCalculator().get_pending_intervals(
        "2024-01-01", "@daily", "2024-01-06", make(completed)
    )
    assert found == days(4, 5, 6)


def test_pending_in_a_zone() -> None:
    found = IntervalCalculator("America/New_York").get_pending_intervals(
        "2024-03-08", "@daily", "2024-03-11", [("2024-03-10", "2024-03-11")]
    )
    assert found == [
        between("2024-03-09T05:00", "2024-03-10T05:00"),
        between("2024-03-11T04:00", "2024-03-12T04:00"),
    ]


# --- Other schedulers, and what planning uses -----------------------------------------------


def test_another_scheduler_cuts_time() -> None:
    calculator = IntervalCalculator(scheduler=Shifts())
    assert calculator.calculate_intervals("2024-01-01", "2024-01-01", "8h") == [
        between("2024-01-01T00:00", "2024-01-01T08:00"),
        between("2024-01-01T08:00", "2024-01-01T16:00"),
        between("2024-01-01T16:00", "2024-01-02T00:00"),
    ]
    assert calculator.get_next_interval("2024-01-01T07:00", "12h") == (
        between("2024-01-01T12:00", "2024-01-02T00:00")
    )
    with pytest.raises(RequestError, match="'@daily' is no shift"):
        calculator.calculate_intervals("2024-01-01", "2024-01-01", "@daily")


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("@daily", "2024-01-02T00:00", "2024-01-02T00:00"),
        ("@daily", "2024-01-02T23:59", "2024-01-02T00:00"),
        ("* * * * * *", "2024-01-02T23:59:59.5", "2024-01-02T23:59:59"),
        ("@yearly", "2024-12-31T00:00", "2024-01-01T00:00"),
        ("0 0 29 2 *", "2024-02-28T00:00", "2020-02-29T00:00"),
        ("0 0 1 1 * 0 1970", "2069-01-01T00:00", "1970-01-01T00:00"),
        ("0 0 1 1 * 0 1970", "2071-01-01T00:00", None),
        ("@daily", "0001-01-01T00:00", None),
    ],
)
def test_the_tick_before_a_moment_is_found_from_a_second_to_a_century_away(
    schedule: str, moment: str, expected: str | None
) -> None:
    found = tick_before(CRON, schedule, "UTC", utc(moment))
    assert found == (expected and utc(expected))


def test_the_tick_before_a_moment_may_lie_at_the_end_of_time() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    found = tick_before(CRON, "@hourly", "UTC", last)
    assert found is not None
    assert (
        next(intervals_between(CRON, "@daily", "UTC", Interval(utc("2024-01-01"), last)))
        == (days(1)[0])
    )


def test_a_scheduler_without_an_earlier_tick_has_none_before() -> None:
    assert tick_before(Shifts(), "8h", "UTC", utc("2023-12-31")) is None


moments = st.integers(0, 40).map(lambda n: utc("2024-01-01") + n * HOUR)
pairs = st.tuples(moments, moments).map(lambda pair: Interval(min(pair), max(pair)))


@given(st.lists(moments, unique=True).map(sorted), st.lists(pairs, max_size=10))
def test_those_not_contained_are_those_that_the_set_does_not_contain(
    ticks: list[datetime], completed: list[Interval]
) -> None:
    intervals = [Interval(*pair) for pair in pairwise(ticks)]
    held = IntervalSet(completed)
    assert list(not_contained(iter(intervals), held)) == [
        interval for interval in intervals if interval not in held
    ]


def test_those_not_contained_come_one_at_a_time() -> None:
    endless: Iterable[Interval] = intervals_between(
        CRON, "@hourly", "UTC", Interval(utc("2024-01-01"), utc("9000-01-01"))
    )
    assert next(not_contained(endless, IntervalSet(days(1)))).start == utc("2024-01-02")
