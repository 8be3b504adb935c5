"""The conformance suite for schedulers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice, pairwise, product, zip_longest
from typing import ClassVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seeknal.errors import RequestError
from seeknal.state.intervals import Interval
from seeknal.testing.suite import Suite
from seeknal.workflow.intervals import (
    FIRST,
    LAST,
    IntervalCalculator,
    intervals_between,
    tick_before,
)
from seeknal.workflow.scheduler import Scheduler

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TIMEZONES = (
    "UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe",
    "Africa/Casablanca", "Pacific/Apia",
)  # fmt: skip
"""Clocks that change by an hour, by half of one, twice around Ramadan, once by a day, or never."""

NO_TIMEZONES = ("Mars/Olympus_Mons", "", "+01:00", "../UTC")
WITHIN = 1.0
"""Seconds in which a first tick comes, on a busy machine too."""


class SchedulerSuite(Suite):
    """Inherit it, name some `schedules`, and give the fixture `scheduler`.

    The numbers in the tests are those of the promises in docs/behaviour/schedulers.md.
    """

    capabilities: ClassVar[dict[str, str]] = {
        "wall_clock": "Schedules speak of the wall clock of the zone that they are given with.",
    }
    wall_clock: ClassVar[bool] = True

    schedules: ClassVar[Sequence[str]] = ()
    """That it knows: often ones and rare ones. Each has ticks in the years of the suite."""

    wrong_schedules: ClassVar[Sequence[str]] = ("", "no such schedule", "@dayly")
    """That it doesn't know."""

    years: ClassVar[tuple[int, int]] = (2015, 2025)
    """The first and the last year for which it is asked."""

    examples: ClassVar[int] = 50
    """How many random windows are tried in a test."""

    @pytest.fixture
    def scheduler(self) -> Scheduler:
        raise NotImplementedError("Give the fixture `scheduler`: see SchedulerSuite.")

    @property
    def window(self) -> Interval:
        """All the years of the suite, whatever the zone."""
        first, last = self.years
        return Interval(datetime(first, 1, 2, tzinfo=UTC), datetime(last, 12, 31, tzinfo=UTC))

    @property
    def questions(self) -> list[tuple[str, str]]:
        """Each schedule with each timezone."""
        assert self.schedules, f"name some schedules as {type(self).__name__}.schedules"
        return list(product(self.schedules, TIMEZONES))

    def some(self, scheduler: Scheduler, schedule: str, zone: str) -> list[datetime]:
        """Its first ticks in the years of the suite: at most 1,000."""
        ticks = list(islice(scheduler.ticks(schedule, zone, *self.window), 1000))
        assert len(ticks) > 1, f"{schedule!r} has fewer than two ticks in the years {self.years}"
        return ticks

    def moments(self) -> st.SearchStrategy[datetime]:
        start, end = (moment.replace(tzinfo=None) for moment in self.window)
        return st.datetimes(start, end - DAY, timezones=st.just(UTC))

    def spans(self) -> st.SearchStrategy[timedelta]:
        """From nothing to some months."""
        return st.timedeltas(timedelta(0), HOUR) | st.timedeltas(timedelta(0), 100 * DAY)

    # --- Ticks ------------------------------------------------------------------------------

    def test_ticks_ascend_in_utc(self, scheduler: Scheduler) -> None:
        """T1"""
        for schedule, zone in self.questions:
            pieces = [self.some(scheduler, schedule, zone)]
            pieces += [list(scheduler.ticks(schedule, zone, *days)) for days in self.changing(zone)]
            for ticks in pieces:
                assert {type(tick) for tick in ticks} <= {datetime}
                assert {tick.utcoffset() for tick in ticks} <= {timedelta(0)}, (schedule, zone)
                assert all(one < following for one, following in pairwise(ticks)), (schedule, zone)

    def test_a_window_has_its_start_and_not_its_end(self, scheduler: Scheduler) -> None:
        """T2"""
        for schedule, zone in self.questions:
            ticks = self.some(scheduler, schedule, zone)[:30]
            first, last = ticks[0], ticks[-1]
            just = timedelta(microseconds=1)
            for start, end, expected in (
                (first, last, ticks[:-1]),
                (first, last + just, ticks),
                (first + just, last, ticks[1:-1]),
                (first, first, []),
                (first, first + just, ticks[:1]),
                (last, first, []),
            ):
                found = list(scheduler.ticks(schedule, zone, start, end))
                assert not difference(found, expected), (schedule, zone, start, end)

    def test_two_windows_that_meet_have_the_ticks_of_the_whole(self, scheduler: Scheduler) -> None:
        """T3"""

        @settings(max_examples=self.examples, deadline=None, database=None)
        @given(st.sampled_from(self.questions), self.moments(), self.spans(), self.spans())
        def agree(
            question: tuple[str, str], start: datetime, first: timedelta, second: timedelta
        ) -> None:
            cut, end = start + first, start + first + second
            whole = list(scheduler.ticks(*question, start, end))
            assert all(start <= tick < end for tick in whole)
            halves = [
                *scheduler.ticks(*question, start, cut),
                *scheduler.ticks(*question, cut, end),
            ]
            assert not difference(halves, whole)

        agree()

    def test_windows_agree_wherever_a_clock_changes(self, scheduler: Scheduler) -> None:
        """T3"""
        for schedule, zone in self.questions:
            for start, end in self.changing(zone):
                whole = list(scheduler.ticks(schedule, zone, start, end))
                middle = start + (end - start) / 2
                for cut in [*(middle + n * HOUR / 2 for n in range(-5, 6)), *whole]:
                    before = list(scheduler.ticks(schedule, zone, start, cut))
                    behind = list(scheduler.ticks(schedule, zone, cut, end))
                    expected = [tick for tick in whole if tick < cut]
                    assert not difference(before, expected), (schedule, zone, cut)
                    assert not difference(behind, whole[len(expected) :]), (schedule, zone, cut)

    def test_a_moment_is_the_same_in_every_zone(self, scheduler: Scheduler) -> None:
        """T4"""
        for schedule, zone in self.questions:
            start, *_, end = self.some(scheduler, schedule, zone)[:20]
            whole = list(scheduler.ticks(schedule, zone, start, end))
            for other in (timezone(timedelta(hours=-9, minutes=-30)), ZoneInfo("Asia/Tokyo")):
                window = start.astimezone(other), end.astimezone(other)
                found = list(scheduler.ticks(schedule, zone, *window))
                assert not difference(found, whole), (schedule, zone, other)

    def test_the_same_question_has_the_same_answer(self, scheduler: Scheduler) -> None:
        """T5"""
        questions = self.questions

        def ask(question: tuple[str, str]) -> list[datetime]:
            return list(islice(scheduler.ticks(*question, *self.window), 50))

        first = [ask(question) for question in questions]
        with ThreadPoolExecutor(4) as threads:
            assert not difference(list(threads.map(ask, questions)), first)
        side_by_side = [scheduler.ticks(*question, *self.window) for question in questions]
        begun = [list(islice(ticks, 20)) for ticks in side_by_side]
        ended = [list(islice(ticks, 30)) for ticks in side_by_side]
        together = [one + other for one, other in zip(begun, ended, strict=True)]
        assert not difference(together, first)
        assert not difference([ask(question) for question in reversed(questions)], first[::-1])

    def test_ticks_are_read_as_they_are_needed(self, scheduler: Scheduler) -> None:
        """T6"""
        for schedule, zone in self.questions:
            first, second, *_ = self.some(scheduler, schedule, zone)
            began = time.perf_counter()
            ticks = scheduler.ticks(schedule, zone, first, LAST)
            assert [next(ticks), next(ticks)] == [first, second]
            assert time.perf_counter() - began < WITHIN, (schedule, zone)

    def test_times_that_it_knows_nothing_of_have_no_ticks_or_are_refused(
        self, scheduler: Scheduler
    ) -> None:
        """T6"""
        for schedule, zone in self.questions:
            for start, end in ((FIRST, FIRST + 40 * DAY), (LAST - 40 * DAY, LAST)):
                ticks: list[datetime] = []
                with suppress(RequestError):
                    ticks += islice(scheduler.ticks(schedule, zone, start, end), 1000)
                assert all(start <= tick < end for tick in ticks)

    # --- Requests ---------------------------------------------------------------------------

    def test_a_schedule_that_it_does_not_know_is_named(self, scheduler: Scheduler) -> None:
        """T7"""
        for schedule in self.wrong_schedules:
            with pytest.raises(RequestError) as refused:
                next(scheduler.ticks(schedule, "UTC", *self.window), None)
            assert repr(schedule) in str(refused.value) or f"'{schedule}'" in str(refused.value)

    @pytest.mark.parametrize("zone", NO_TIMEZONES)
    def test_a_timezone_that_there_is_not_is_named(self, scheduler: Scheduler, zone: str) -> None:
        """T7"""
        for schedule in self.schedules:
            with pytest.raises(RequestError) as refused:
                next(scheduler.ticks(schedule, zone, *self.window), None)
            assert zone in str(refused.value)
            assert next(scheduler.ticks(schedule, "UTC", *self.window), None) is not None

    # --- Clocks -----------------------------------------------------------------------------

    def test_ticks_are_on_the_wall_clock(self, scheduler: Scheduler) -> None:
        """T8"""
        self.need("wall_clock")
        for schedule, name in self.questions:
            zone, away = ZoneInfo(name), 2 * DAY
            changes = self._changes(name)
            for start in self._starts():
                window = Interval(start, start + 60 * DAY)
                if any(window.start - away < change < window.end + away for change in changes):
                    continue
                local = scheduler.ticks(schedule, name, *_on_clock(window, zone))
                shown = [tick.astimezone(zone).replace(tzinfo=UTC) for tick in islice(local, 500)]
                expected = list(islice(scheduler.ticks(schedule, "UTC", *window), 500))
                assert not difference(shown, expected), (schedule, name)

    def changing(self, zone: str) -> list[Interval]:
        """Days around the first changes of a zone's clocks in the years of the suite."""
        return [Interval(at - 2 * DAY, at + 2 * DAY) for at in self._changes(zone)[:8]]

    def _starts(self) -> list[datetime]:
        first, last = self.years
        return [
            datetime(year, month, 5, tzinfo=UTC)
            for year in {first, last - 1}
            for month in (1, 4, 7, 9)
        ]

    def _changes(self, name: str) -> list[datetime]:
        """When clocks change in the years of the suite: the first full hour at which they have."""
        zone, (start, end) = ZoneInfo(name), self.window
        days = [start + n * DAY for n in range((end - start) // DAY + 1)]
        offsets = [_offset(day, zone) for day in days]
        return [
            next(at for n in range(25) if _offset(at := day + n * HOUR, zone) == after)
            for day, (before, after) in zip(days, pairwise(offsets), strict=False)
            if before != after
        ]

    # --- What is cut by it ------------------------------------------------------------------

    def test_intervals_leave_no_gap_and_do_not_overlap(self, scheduler: Scheduler) -> None:
        """T9"""
        for schedule, zone in self.questions:
            for within in (self.window, *self.changing(zone)):
                cut = intervals_between(scheduler, schedule, zone, within)
                intervals = list(islice(cut, 500))
                assert all(start < end for start, end in intervals), (schedule, zone)
                assert all(one.end == following.start for one, following in pairwise(intervals))

    def test_from_any_moment_its_interval_and_the_next_are_found(
        self, scheduler: Scheduler
    ) -> None:
        """T9"""
        for schedule, zone in self.questions:
            calculator = IntervalCalculator(zone, scheduler)
            first, *following = islice(
                intervals_between(scheduler, schedule, zone, self.window), 12
            )
            interval = first
            for expected in following:
                middle = expected.start + (expected.end - expected.start) / 2
                assert tick_before(scheduler, schedule, zone, middle) == expected.start
                assert tick_before(scheduler, schedule, zone, expected.start) == expected.start
                interval = calculator.get_next_interval(interval, schedule)
                assert interval == expected, (schedule, zone)


def difference(found: Sequence[object], expected: Sequence[object]) -> str:
    """Where two lists begin to differ, if they do: pytest would align thousands of ticks first."""
    for n, (one, other) in enumerate(zip_longest(found, expected)):
        if one != other:
            return f"the one at {n} is {one}, and should be {other}"
    return ""


def _offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


def _on_clock(window: Interval, zone: ZoneInfo) -> Interval:
    """The time between what clocks show in UTC at either end, in a zone."""
    start, end = (moment.replace(tzinfo=zone).astimezone(UTC) for moment in window)
    return Interval(start, end)
