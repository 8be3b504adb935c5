"""Time cut into intervals by a schedule, for what is computed a piece at a time.

```python
from seeknal.workflow.intervals import IntervalCalculator

calculator = IntervalCalculator()
january = calculator.calculate_intervals("2024-01-01", "2024-01-31", "@daily")
assert len(january) == 31
```
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Any

from seeknal.errors import RequestError
from seeknal.state.intervals import Interval, moment
from seeknal.workflow.cron_scheduler import (
    EARLIEST,
    LATEST,
    CronSchedule,
    CronScheduler,
    parse_cron_schedule,
    zone_named,
)
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.scheduler import Scheduler

__all__ = ["CronSchedule", "Interval", "IntervalCalculator", "IntervalSet", "parse_cron_schedule"]

When = date | str
"""A date or a time, or either as ISO 8601 text. What has no zone is on the wall clock of the zone
in question; of a time that clocks show twice the first is meant, unless its `fold` is 1."""

FIRST, LAST = EARLIEST, LATEST
"""No tick is looked for outside of these."""
ALWAYS = Interval(FIRST, LAST)

COMPLETED = "completed_intervals"
FIRST_WINDOW = timedelta(hours=1)
MOST_SEARCHED = timedelta(days=36525)
"""How far from a moment a tick is looked for: 100 years."""


class IntervalCalculator:
    """Cuts time by schedules.

    timezone: the zone on whose wall clock dates, times and schedules are. scheduler: what knows
    when something is due; cron, when none is given. limit: the most intervals in one list.

    Every schedule is text for the scheduler, as `@daily` or `0 2 * * *`, or a CronSchedule, whose
    own zone then counts. RequestError is raised for a schedule, a date or a zone that is none.
    """

    def __init__(
        self, timezone: str = "UTC", scheduler: Scheduler | None = None, limit: int = 100_000
    ) -> None:
        zone_named(timezone)
        self.timezone = timezone
        self.scheduler = CronScheduler() if scheduler is None else scheduler
        self.limit = limit

    def calculate_intervals(
        self, start_date: When, end_date: When, schedule: str | CronSchedule
    ) -> list[Interval]:
        """The intervals, each from a tick to the next, that lie wholly between start and end.

        An end that is a date includes that day; an end with a time excludes that moment. Raises
        RequestError when the start is after the end, and for more than `limit` intervals.
        """
        return self._listed(self.iterate(start_date, end_date, schedule))

    def iterate(
        self, start_date: When, end_date: When, schedule: str | CronSchedule
    ) -> Iterator[Interval]:
        """What `calculate_intervals` lists, one by one: in constant memory, and without limit."""
        text, timezone = self._text_and_zone(schedule)
        within = range_of(start_date, end_date, timezone)
        return intervals_between(self.scheduler, text, timezone, within)

    def get_next_interval(
        self,
        current_interval: Interval | tuple[When, When] | When,
        schedule: str | CronSchedule,
    ) -> Interval:
        """The interval that follows: it begins at the first tick from the end of this one on.

        current_interval: half-open, so that a date in a pair is its midnight at either end; or a
        moment within it, and of a date its midnight. Raises RequestError when no tick is near, and
        for an interval that ends before it begins.
        """
        text, timezone = self._text_and_zone(schedule)
        if isinstance(current_interval, tuple):
            after = _interval(current_interval, timezone).end
        else:
            after = _just_after(start_of(current_interval, timezone))
        start = _tick_from(self.scheduler, text, timezone, after)
        end = start and _tick_from(self.scheduler, text, timezone, _just_after(start))
        if start is None or end is None:
            raise RequestError(f"The schedule {text!r} has no interval in 100 years from {after}.")
        return Interval(start, end)

    def get_completed_intervals(self, run_state: Any) -> list[Interval]:
        """The time that has been completed, with intervals that touch made one.

        run_state: what has intervals as `completed_intervals`, an attribute or a key, or as
        `ranges` or `parts`; or the intervals themselves, or pairs of their starts and ends, of
        which a date is its midnight. Raises RequestError for what has none of these.
        """
        return list(IntervalSet(_in_zone(_completed(run_state), self.timezone)))

    def get_pending_intervals(
        self,
        last_completed: Interval | tuple[When, When] | When,
        schedule: str | CronSchedule,
        end_date: When,
        completed: IntervalSet | Iterable[Interval | tuple[When, When]] = (),
    ) -> list[Interval]:
        """The whole intervals after what was completed last, as far as the end, that remain.

        last_completed: an interval; or a date, of a day that is done; or a time, as far as which
        all is done. end_date: as of `calculate_intervals`. completed: what need not be done again;
        an interval is left out when all of it is there. Raises RequestError for more than `limit`.
        """
        text, timezone = self._text_and_zone(schedule)
        if isinstance(last_completed, tuple):
            start = _interval(last_completed, timezone).end
        else:
            start = end_of(last_completed, timezone)
        within = Interval(start, max(start, end_of(end_date, timezone)))
        due = intervals_between(self.scheduler, text, timezone, within)
        if not isinstance(completed, IntervalSet):
            completed = IntervalSet(_in_zone(completed, timezone))
        return self._listed(not_contained(due, completed))

    def _text_and_zone(self, schedule: str | CronSchedule) -> tuple[str, str]:
        if isinstance(schedule, CronSchedule):
            return schedule.expression, schedule.timezone
        return schedule, self.timezone

    def _listed(self, intervals: Iterator[Interval]) -> list[Interval]:
        listed = list(islice(intervals, self.limit + 1))
        if len(listed) > self.limit:
            raise RequestError(
                f"There are at least {len(listed):,} intervals, and at most {self.limit:,} are "
                "listed: raise the calculator's `limit`, or take them from its `iterate`."
            )
        return listed


def range_of(start: When, end: When, timezone: str) -> Interval:
    """The time between two dates or times on a zone's wall clock; it may be empty.

    A start that is a date is its midnight. An end that is a date includes that day; an end with a
    time excludes that moment. Raises RequestError when the start is after the end.
    """
    within = Interval(start_of(start, timezone), end_of(end, timezone))
    if within.start > within.end or _is_later_day(start, end):
        raise RequestError(f"The start {start} is after the end {end}: put the earlier one first.")
    return within


def start_of(when: When, timezone: str) -> datetime:
    """In UTC: a time, or the midnight that begins a date. Raises RequestError for what is none."""
    read = _read(when)
    if not isinstance(read, datetime):
        read = datetime.combine(read, time())
    try:
        zone = read.tzinfo or zone_named(timezone)
        return moment(datetime.combine(read.date(), read.time(), zone))
    except (ValueError, OverflowError):
        raise RequestError(f"{when} is no time that UTC has: give another one.") from None


def end_of(when: When, timezone: str) -> datetime:
    """In UTC: a time, or the midnight that ends a date. Raises RequestError for what is none."""
    read = _read(when)
    if isinstance(read, datetime):
        return start_of(read, timezone)
    if read == date.max:
        raise RequestError(f"{when} is the last day that there is: give an earlier end.")
    return start_of(read + timedelta(days=1), timezone)


def intervals_between(
    scheduler: Scheduler, schedule: str, timezone: str, within: Interval
) -> Iterator[Interval]:
    """The intervals, each from a tick to the next, that lie wholly in `within`: lazily, in order.

    Raises RequestError for a schedule or a zone that the scheduler doesn't know.
    """
    ticks = scheduler.ticks(schedule, timezone, within.start, _just_after(within.end))
    return map(Interval._make, pairwise(ticks))


def tick_before(
    scheduler: Scheduler, schedule: str, timezone: str, moment: datetime
) -> datetime | None:
    """The latest tick that is not after `moment`, or None when there is none in the 100 years
    before it. Looks through windows that double backwards. Raises as `intervals_between` does."""
    end, window = _just_after(moment), FIRST_WINDOW
    first = end - min(MOST_SEARCHED, end - FIRST)
    while first < end:
        start = end - min(window, end - first)
        last = deque(scheduler.ticks(schedule, timezone, start, end), maxlen=1)
        if last:
            return last[0]
        end, window = start, 2 * window
    return None


def not_contained(intervals: Iterable[Interval], completed: IntervalSet) -> Iterator[Interval]:
    """Those intervals that don't lie wholly in what is completed. They come, and go, in order."""
    ranges = iter(completed)
    held = next(ranges, None)
    for interval in intervals:
        start, end = interval
        while held is not None and held.end < end:
            held = next(ranges, None)
        if held is None or start < held.start:
            yield interval


def _tick_from(
    scheduler: Scheduler, schedule: str, timezone: str, start: datetime
) -> datetime | None:
    """The first tick that is not before `start`, or None when there is none in 100 years."""
    window, last = FIRST_WINDOW, start + min(MOST_SEARCHED, LAST - start)
    while start < last:
        end = start + min(window, last - start)
        for tick in scheduler.ticks(schedule, timezone, start, end):
            return tick
        start, window = end, 2 * window
    return None


def _just_after(at: datetime) -> datetime:
    return min(at, LAST) + timedelta.resolution


def _completed(run_state: Any) -> Iterable[Any]:
    """The intervals of a run state."""
    if run_state is None:
        return ()
    if isinstance(run_state, Mapping):
        if run_state and COMPLETED not in run_state:
            raise RequestError(
                f"A run state has its intervals as '{COMPLETED}', and this one has only "
                f"{', '.join(map(str, run_state))}."
            )
        return _completed(run_state.get(COMPLETED))
    for name in (COMPLETED, "ranges", "parts"):
        if hasattr(run_state, name):
            return _completed(getattr(run_state, name))
    if isinstance(run_state, Iterable) and not isinstance(run_state, str | bytes):
        return run_state
    raise RequestError(
        f"No intervals can be read from an object of type {type(run_state).__name__}: give what "
        f"has '{COMPLETED}', pairs of starts and ends, or what a state backend's "
        "`get_completed_intervals` gives."
    )


def _in_zone(intervals: Iterable[Any], timezone: str) -> Iterator[Any]:
    """Pairs as intervals; what is no pair as it is, for IntervalSet to judge."""
    for one in intervals:
        if type(one) is Interval or not isinstance(one, (tuple, list)) or len(one) != 2:
            yield one
        else:
            yield _interval(one, timezone)


def _interval(given: Iterable[When], timezone: str) -> Interval:
    """A pair of what `start_of` takes. Raises RequestError unless it is one, in order."""
    moments = [start_of(when, timezone) for when in given]
    if len(moments) != 2 or moments[0] > moments[1]:
        raise RequestError(f"{given!r} is no interval: give a start and an end, in that order.")
    return Interval(*moments)


def _read(when: When) -> date:
    """Text as the date or the datetime that it is."""
    if isinstance(when, date):
        return when
    if isinstance(when, str):
        for read in (date.fromisoformat, datetime.fromisoformat):
            try:
                return read(when)
            except ValueError:
                continue
    raise RequestError(
        f"{when!r} is neither a date nor a time: write it as in 2024-01-31, 2024-01-31T06:00 or "
        "2024-01-31T06:00+01:00."
    )


def _is_later_day(start: When, end: When) -> bool:
    """Whether both are dates, and the start is the later one."""
    first, last = _read(start), _read(end)
    return not isinstance(first, datetime) and not isinstance(last, datetime) and first > last
