"""Time cut into intervals by a schedule.

    calculator = IntervalCalculator()
    calculator.calculate_intervals("2024-01-01", "2024-01-31", "@daily")   # 31 intervals

Intervals are half-open, `[tick, next tick)`. Wherever a time is taken, it may be a date, a
datetime, or ISO 8601 text of either. A date as a start is its first moment; as an end it includes
that day. A time as an end is excluded. What has no zone is on the wall clock of the schedule's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Any

from seeknal.errors import RequestError
from seeknal.state.intervals import Interval, merged, moment
from seeknal.workflow.cron_scheduler import (
    CronSchedule,
    CronScheduler,
    parse_cron_schedule,
    zone_named,
)
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.scheduler import Scheduler

__all__ = [
    "CronSchedule",
    "Interval",
    "IntervalCalculator",
    "IntervalSet",
    "parse_cron_schedule",
]

When = date | str
Schedule = str | CronSchedule

LIMIT = 100_000
LAST = datetime(9998, 1, 1, tzinfo=UTC)
"""No tick is looked for behind this."""

_LONGEST_SEARCH = timedelta(days=36_525)


class IntervalCalculator:
    """Calculates intervals.

    timezone: of schedules that are text. scheduler: what understands them, cron by default. limit:
    the most intervals that a list may have.
    """

    def __init__(
        self, timezone: str = "UTC", scheduler: Scheduler | None = None, limit: int = LIMIT
    ) -> None:
        zone_named(timezone)
        self.timezone = timezone
        self.limit = limit
        self._scheduler = scheduler or CronScheduler()

    def calculate_intervals(
        self, start_date: When, end_date: When, schedule: Schedule
    ) -> list[Interval]:
        """The whole intervals between two times.

        Raises RequestError when there are more than `limit`, when the end is before the start, and
        for a schedule that can't be read.
        """
        return self._limited(self.iterate(start_date, end_date, schedule))

    def iterate(self, start_date: When, end_date: When, schedule: Schedule) -> Iterator[Interval]:
        """The same one by one, however many there are."""
        expression, timezone = self._read(schedule)
        within = range_of(start_date, end_date, timezone)
        return intervals_between(self._scheduler, expression, timezone, within)

    def get_next_interval(
        self, current_interval: Interval | tuple[When, When] | When, schedule: Schedule
    ) -> Interval:
        """The interval that begins at the end of the current one, or at the next tick behind it.

        current_interval: an interval, a pair of times, or a time that it holds. Raises RequestError
        when there is no later one.
        """
        expression, timezone = self._read(schedule)
        if isinstance(current_interval, date | str):
            held = start_of(current_interval, timezone)
            after = self._first_tick(expression, timezone, held + timedelta(microseconds=1))
        elif isinstance(current_interval, Interval):
            after = current_interval.end
        else:
            after = range_of(*current_interval, timezone).end
        following = Interval(after, LAST)
        for interval in intervals_between(self._scheduler, expression, timezone, following):
            return interval
        raise RequestError(f"{expression!r} has no interval after {after.isoformat()}.")

    def get_completed_intervals(self, run_state: object) -> list[Interval]:
        """The time that is complete, as merged intervals.

        run_state: what has `completed_intervals`, as an attribute or a key, or intervals, or pairs
        of times. None and nothing give an empty list. Raises RequestError for what can't be read.
        """
        found: Any = run_state
        if isinstance(run_state, Mapping):
            found = run_state.get("completed_intervals")
        else:
            for name in ("completed_intervals", "parts"):
                found = getattr(run_state, name, found)
        try:
            pairs = [(item[0], item[1]) for item in found or ()]
        except (TypeError, KeyError, IndexError, AttributeError):
            raise RequestError(
                f"No completed intervals can be read from {run_state!r}: give pairs of times, or "
                "what has them as `completed_intervals`."
            ) from None
        return merged(Interval.between(*pair) for pair in pairs)

    def get_pending_intervals(
        self,
        last_completed: Interval | When,
        schedule: Schedule,
        end_date: When,
        completed: Iterable[Interval] = (),
    ) -> list[Interval]:
        """The whole intervals behind what is complete, up to an end.

        last_completed: an interval, or a time up to which all is complete: a date with that day.
        completed: what is complete besides. Raises RequestError as `calculate_intervals` does; an
        end that is complete already leaves nothing.
        """
        expression, timezone = self._read(schedule)
        if isinstance(last_completed, Interval):
            start = last_completed.end
        else:
            start = end_of(last_completed, timezone)
        end = end_of(end_date, timezone)
        if end <= start:
            return []
        there = completed if isinstance(completed, IntervalSet) else IntervalSet(completed)
        between = intervals_between(self._scheduler, expression, timezone, Interval(start, end))
        return self._limited(not_contained(between, there))

    def _read(self, schedule: Schedule) -> tuple[str, str]:
        if isinstance(schedule, CronSchedule):
            return schedule.expression, schedule.timezone
        return schedule, self.timezone

    def _first_tick(self, expression: str, timezone: str, start: datetime) -> datetime:
        for tick in self._scheduler.ticks(expression, timezone, start, LAST):
            return tick
        raise RequestError(f"{expression!r} has no tick after {start.isoformat()}.")

    def _limited(self, intervals: Iterator[Interval]) -> list[Interval]:
        found = list(islice(intervals, self.limit + 1))
        if len(found) > self.limit:
            raise RequestError(
                f"These are more than {self.limit:,} intervals: the last of those is at "
                f"{found[-1].start.isoformat()}. Raise IntervalCalculator(limit=...), or take them "
                "one by one with `iterate`."
            )
        return found


# --- Times ----------------------------------------------------------------------------------


def range_of(start: When, end: When, timezone: str) -> Interval:
    """From a start until an end, which may be equal. Raises RequestError when they are reversed."""
    first, last = start_of(start, timezone), end_of(end, timezone)
    if last < first:
        raise RequestError(f"The end, {end}, is before the start, {start}.")
    return Interval(first, last)


def start_of(when: When, timezone: str) -> datetime:
    """A time, or the first moment of a date, in UTC."""
    return _localized(_parsed(when), timezone)


def end_of(when: When, timezone: str) -> datetime:
    """A time, or the first moment after a date, in UTC."""
    value = _parsed(when)
    if not isinstance(value, datetime):
        value += timedelta(days=1)
    return _localized(value, timezone)


def _parsed(when: When) -> date:
    """A date, or a datetime. Raises RequestError for what is neither."""
    if isinstance(when, date):
        return when
    try:
        return date.fromisoformat(when)
    except (TypeError, ValueError):
        pass
    try:
        return datetime.fromisoformat(when)
    except (TypeError, ValueError):
        raise RequestError(
            f"{when!r} is no time: write it as in 2024-01-31 or 2024-01-31T06:00."
        ) from None


def _localized(value: date, timezone: str) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone_named(timezone))
    return moment(value)


# --- Intervals of any schedule --------------------------------------------------------------


def intervals_between(
    scheduler: Scheduler, schedule: str, timezone: str, within: Interval
) -> Iterator[Interval]:
    """The whole intervals that lie within a stretch of time, one by one."""
    just_after = within.end + timedelta(microseconds=1)
    ticks = scheduler.ticks(schedule, timezone, within.start, just_after)
    return map(Interval._make, pairwise(ticks))


def tick_before(
    scheduler: Scheduler, schedule: str, timezone: str, at: datetime
) -> datetime | None:
    """The last tick at or before a moment; None when there is none in the hundred years before."""
    just_after = at + timedelta(microseconds=1)
    searched = timedelta(hours=1)
    while True:
        tick = None
        for tick in scheduler.ticks(schedule, timezone, at - searched, just_after):  # noqa: B007
            pass
        if tick is not None or searched > _LONGEST_SEARCH:
            return tick
        searched *= 4


def not_contained(intervals: Iterable[Interval], completed: IntervalSet) -> Iterator[Interval]:
    """Those of sorted intervals that don't lie wholly in what is complete."""
    ranges = iter(completed)
    current = next(ranges, None)
    for interval in intervals:
        while current is not None and current.end < interval.end:
            current = next(ranges, None)
        if current is None or interval.start < current.start:
            yield interval
