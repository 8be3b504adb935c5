"""Stretches of time, and sorted lists of them in which none touch."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from operator import attrgetter
from typing import NamedTuple

from seeknal.errors import RequestError

_start = attrgetter("start")
_end = attrgetter("end")


class Interval(NamedTuple):
    """Half-open: `start` belongs to it and `end` does not. Both are aware, in UTC."""

    start: datetime
    end: datetime

    @classmethod
    def between(cls, start: date | str, end: date | str) -> Interval:
        """From anything that `moment` takes. Raises RequestError unless start is before end."""
        made = cls(moment(start), moment(end))
        if made.start >= made.end:
            raise RequestError(f"An interval can't begin at {start} and end at {end}.")
        return made


def moment(value: date | str) -> datetime:
    """A datetime, date or ISO 8601 text as a datetime in UTC; without a zone it is UTC already.

    Raises RequestError for what is none.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise RequestError(
                f"{value!r} is no time: write it as in 2024-01-31 or 2024-01-31T06:00:00+00:00."
            ) from None
    if isinstance(value, datetime):
        utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return utc if type(utc) is datetime else datetime.combine(utc.date(), utc.timetz())
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise RequestError(f"{value!r} is no time: give a datetime, a date, or text in ISO 8601.")


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time, sorted, with what touches or overlaps made one."""
    result: list[Interval] = []
    for interval in sorted(intervals):
        if result and interval.start <= result[-1].end:
            result[-1] = Interval(result[-1].start, max(result[-1].end, interval.end))
        else:
            result.append(interval)
    return result


def added(ranges: Sequence[Interval], new: Interval) -> list[Interval]:
    """Merged ranges, and `new`."""
    first = bisect_left(ranges, new.start, key=_end)
    behind = bisect_right(ranges, new.end, key=_start)
    if first < behind:
        start = min(new.start, ranges[first].start)
        new = Interval(start, max(new.end, ranges[behind - 1].end))
    return [*ranges[:first], new, *ranges[behind:]]


def removed(ranges: Sequence[Interval], gone: Interval) -> list[Interval]:
    """Merged ranges, without the time of `gone`."""
    first = bisect_right(ranges, gone.start, key=_end)
    behind = bisect_left(ranges, gone.end, key=_start)
    rest = []
    for start, end in ranges[first:behind]:
        if start < gone.start:
            rest.append(Interval(start, gone.start))
        if end > gone.end:
            rest.append(Interval(gone.end, end))
    return [*ranges[:first], *rest, *ranges[behind:]]


def by_month(interval: Interval) -> Iterator[tuple[str, Interval]]:
    """The pieces of an interval in each month of UTC, by the month: `2024-01`."""
    start = interval.start
    while start < interval.end:
        try:
            following = datetime(
                start.year + start.month // 12, start.month % 12 + 1, 1, tzinfo=UTC
            )
        except ValueError:  # there is no year 10000
            following = interval.end
        end = min(following, interval.end)
        yield f"{start.year:04}-{start.month:02}", Interval(start, end)
        start = end
