"""The scheduler "cron": cron expressions and the shorthands @hourly, @daily, ...

What an expression means is croniter's to say, which also expands its fields. Its ticks are computed
here: the days that match, a month at a time, and the same times on each of them.
"""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain, dropwhile, pairwise, product, takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from seeknal.errors import RequestError, did_you_mean
from seeknal.state.intervals import moment

SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
EARLIEST, LATEST = datetime(3, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
"""There are ticks from the one to before the other: beyond, an offset may leave the calendar."""

DAY, MINUTE, SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
YEARS_TO_SEARCH = 200
"""How far croniter looks for a day. The fifth Monday that is 29 February takes 40 years, and a year
field reaches from 1970 to 2099."""


class CronScheduler:
    """Ticks on the wall clock, as CronSchedule has them."""

    def ticks(
        self, schedule: str, timezone: str, start: datetime, end: datetime
    ) -> Iterator[datetime]:
        return parse_cron_schedule(schedule, timezone).ticks(start, end)


def parse_cron_schedule(schedule: str, timezone: str = "UTC") -> CronSchedule:
    """A cron expression or a shorthand as a schedule; the same ones are made once.

    schedule: minute, hour, day of the month, month and day of the week, and where wanted second and
    year, as in `0 2 * * *`, daily at 2; or @hourly, @daily, @midnight, @weekly, @monthly, @yearly
    or @annually. timezone: the zone whose wall clock it speaks of. Raises RequestError for what is
    neither, for what draws lots (`R`, `H`), for what never comes, and for an unknown zone.
    """
    if not isinstance(schedule, str):
        raise RequestError(f"{schedule!r} is no schedule: write it as in '@daily' or '0 2 * * *'.")
    return _parsed(schedule.strip(), timezone)


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """A cron expression on the wall clock of a zone. Raises as `parse_cron_schedule` does."""

    expression: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        zone_named(self.timezone)
        _expanded(self.expression)

    def __str__(self) -> str:
        return self.expression

    def ticks(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The ticks from `start` to before `end`: ascending, each once, in UTC, lazily.

        A time that clocks show twice, when they are put back, is a tick twice. Of the times that
        they skip, when they are put forward, none is a tick if every hour is meant (`*`); else the
        first of them is one as soon as there is a time again, so that 02:30 comes at 03:00.

        These are croniter's ticks, save that croniter passes over some second times, depending on
        the tick from which it steps: where clocks have gone forward again before the next tick
        (`30 1 1 11 *` in New York in 2020), and where what they show twice isn't one hour of the
        clock (`20,35 * * * *` on Lord Howe). Here ticks don't depend on where one begins.
        """
        fields, zone = _expanded(self.expression), zone_named(self.timezone)
        start, end = max(moment(start), fields.begin), min(moment(end), fields.end)
        return chain.from_iterable(_pieces(fields, zone, start, end))


def zone_named(timezone: str) -> ZoneInfo:
    """Raises RequestError when there is no such zone."""
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError, TypeError, AttributeError):
        zones = available_timezones()
        wanted = str(timezone)
        same = [name for name in zones if name.lower() == wanted.lower()]
        hint = f" Did you mean '{same[0]}'?" if same else did_you_mean(wanted, zones)
        raise RequestError(
            f"There is no timezone {timezone!r}.{hint} Name one as in 'UTC' or 'Europe/Berlin'."
        ) from None


@lru_cache(maxsize=1024)
def _parsed(expression: str, timezone: str) -> CronSchedule:
    return CronSchedule(expression, timezone)


@dataclass(frozen=True, eq=False, slots=True)
class _Fields:
    """An expression, expanded.

    times: of a day that matches, since its midnight. months, days, weekdays (Sunday is 0): None for
    `*`. day_expression: where only croniter can tell the days, what has it tick at their midnights.
    begin, end: all ticks are from the one to before the other.
    """

    times: Sequence[timedelta]
    every_hour: bool
    months: frozenset[int] | None
    days: frozenset[int] | None
    weekdays: frozenset[int] | None
    day_expression: str | None
    begin: datetime
    end: datetime

    def midnights(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Of the days that match, from `first` to before `last`: wall clock, labelled UTC."""
        if self.day_expression:
            return _stepped(self.day_expression, first, last)
        days = chain.from_iterable(
            map(month.__add__, _days_of(self, month.month, *monthrange(month.year, month.month)))
            for month in _months(first, last)
        )
        return takewhile(last.__gt__, dropwhile(first.__gt__, days))

    def matches(self, month: int, day: int, weekday: int) -> bool:
        """Croniter's rule, and cron's: where neither day field is `*`, one that matches will do."""
        if self.months is not None and month not in self.months:
            return False
        if self.days is None:
            return self.weekdays is None or weekday in self.weekdays
        return day in self.days or (self.weekdays is not None and weekday in self.weekdays)


@lru_cache(maxsize=64)
def _expanded(expression: str) -> _Fields:
    from croniter import croniter

    texts = _texts(expression)
    try:
        values, nth_weekdays = croniter.expand(" ".join(texts))
    except ValueError as error:
        raise _refused(expression, str(error).strip().splitlines()[-1]) from None
    minutes, hours, days, months, weekdays = values[:5]
    seconds: Sequence[int | str] = values[5] if texts[5:] else [0]
    years: Sequence[int | str] = values[6] if texts[6:] else ["*"]
    begin, end = _span(years)
    day_expression = " ".join(["0", "0", *texts[2:5], *(["0", texts[6]] if texts[6:] else [])])
    if next(_stepped(day_expression, begin, end), None) is None:
        raise RequestError(f"{expression!r} never comes, for there is no such day: name another.")
    only_croniter = texts[6:] or nth_weekdays or "l" in days or "w" in texts[2].lower()
    of_day = product(_all(hours, 24), _all(minutes, 60), _all(seconds, 60))
    return _Fields(
        times=[timedelta(hours=h, minutes=m, seconds=s) for h, m, s in of_day],
        every_hour="*" in hours,
        months=_chosen(months),
        days=_chosen(days),
        weekdays=_chosen(weekdays),
        day_expression=day_expression if only_croniter else None,
        begin=begin,
        end=end,
    )


def _texts(expression: str) -> list[str]:
    """Of the fields. Raises RequestError for a shorthand that there isn't, and for chance."""
    if expression.startswith("@"):
        if expression.lower() not in SHORTHANDS:
            hint = did_you_mean(expression.lower(), SHORTHANDS)
            raise _refused(expression, f"those are {', '.join(SHORTHANDS)}.{hint}")
        expression = SHORTHANDS[expression.lower()]
    texts = expression.split()
    for text in texts:
        if text[0] in "HhRr":
            raise RequestError(
                f"{expression!r} has {text!r}, which is drawn by lot, and ticks must stay the "
                "same: write a number."
            )
    return texts


def _refused(expression: str, why: str) -> RequestError:
    return RequestError(
        f"{expression!r} is neither a cron expression, as '0 2 * * *', nor a shorthand, as "
        f"@daily: {why}"
    )


def _all(values: Sequence[int | str], count: int) -> Iterable[int]:
    return range(count) if "*" in values else [int(value) for value in values]


def _chosen(values: Sequence[int | str]) -> frozenset[int] | None:
    return None if "*" in values else frozenset(v for v in values if isinstance(v, int))


def _span(years: Sequence[int | str]) -> tuple[datetime, datetime]:
    """From before the first to after the last, in whatever zone."""
    chosen = _chosen(years)
    if chosen is None:
        return EARLIEST, LATEST
    first, last = min(chosen), max(chosen)
    return datetime(first - 1, 12, 30, tzinfo=UTC), datetime(last + 1, 1, 3, tzinfo=UTC)


@lru_cache(maxsize=4096)
def _days_of(fields: _Fields, month: int, first_weekday: int, length: int) -> list[timedelta]:
    """The days of such a month that match, since its first. first_weekday: Monday is 0."""
    return [
        timedelta(days=n)
        for n in range(length)
        if fields.matches(month, n + 1, (first_weekday + 1 + n) % 7)
    ]


def _months(first: datetime, last: datetime) -> Iterator[datetime]:
    """The beginnings of all months that have a day from `first` to before `last`."""
    month = first.replace(day=1)
    while month < last:
        yield month
        month = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _stepped(expression: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """Croniter's ticks, one call each."""
    from croniter import croniter

    ticks = croniter(expression, start - SECOND, max_years_between_matches=YEARS_TO_SEARCH)
    try:
        while (tick := ticks.get_next(datetime)) < end:
            yield tick
    except (ValueError, OverflowError):  # there is no later one before the calendar ends
        return


class _Change(NamedTuple):
    """From the moment `at`, the offset from UTC is `after`, and it was `before`."""

    at: datetime
    before: timedelta
    after: timedelta


def _pieces(
    fields: _Fields, zone: ZoneInfo, start: datetime, end: datetime
) -> Iterator[Iterable[datetime]]:
    """The ticks from `start` to before `end`, cut where the zone's offset or the year changes."""
    position = start
    for year in range((start - MINUTE).year, end.year + 1):
        for change in _changes_of(zone, year):
            if not start - MINUTE < change.at < end:
                continue
            yield _ticks_at(change.before, fields, position, change.at)
            position = max(position, change.at)
            late = _first_skipped(fields, change)
            if late is not None:
                yield (late,) if position <= late < end else ()
                position = max(position, late + SECOND)
        until = min(end, datetime(year + 1, 1, 1, tzinfo=UTC))
        yield _ticks_at(_offset(zone, position), fields, position, until)
        position = max(position, until)


def _ticks_at(
    offset: timedelta, fields: _Fields, start: datetime, end: datetime
) -> Iterable[datetime]:
    """The ticks from `start` to before `end` while the offset from UTC is this one."""
    if start >= end:
        return ()
    last = _midnight(end + offset)

    def of_day(midnight: datetime) -> Iterable[datetime]:
        ticks = map((midnight - offset).__add__, fields.times)
        return ticks if midnight < last else takewhile(end.__gt__, ticks)

    days = fields.midnights(_midnight(start + offset), last + DAY)
    return dropwhile(start.__gt__, chain.from_iterable(map(of_day, days)))


def _first_skipped(fields: _Fields, change: _Change) -> datetime | None:
    """When the first tick comes that clocks skip at this change: as many whole minutes later as it
    takes, less than one after the change. None if there is no such tick, or every hour is meant."""
    if fields.every_hour:
        return None
    skipped = _ticks_at(change.before, fields, change.at, change.at + change.after - change.before)
    tick = next(iter(skipped), None)
    if tick is None:
        return None
    minutes = -((tick - change.at - change.after + change.before) // MINUTE)
    return tick + minutes * MINUTE + change.before - change.after


def _midnight(wall: datetime) -> datetime:
    return datetime(wall.year, wall.month, wall.day, tzinfo=UTC)


@lru_cache(maxsize=4096)
def _changes_of(zone: ZoneInfo, year: int) -> tuple[_Change, ...]:
    """The changes of the zone's offset in a year, up to the next and with its first moment.

    Looks at each day's beginning: no zone has ever changed twice in a day (not in four).
    """
    first = datetime(year, 1, 1, tzinfo=UTC)
    days = [first + n * DAY for n in range((first.replace(year=year + 1) - first).days + 1)]
    offsets = [_offset(zone, day) for day in days]
    return tuple(
        _Change(_first_moment(zone, day, before), before, after)
        for day, (before, after) in zip(days, pairwise(offsets), strict=False)
        if before != after
    )


def _first_moment(zone: ZoneInfo, day: datetime, before: timedelta) -> datetime:
    """When, within a day of `day`, the offset is no longer this one."""

    def is_other(second: int) -> bool:
        return _offset(zone, day + second * SECOND) != before

    return day + bisect_left(range(DAY // SECOND), True, key=is_other) * SECOND


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()
