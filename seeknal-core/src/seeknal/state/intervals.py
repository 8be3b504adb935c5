"""Stretches of time, what holds them, and sorted lists of both."""

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


class Part(NamedTuple):
    """A stretch of time, as an Interval is one, and the name of what holds it; the name is empty
    where nothing is said of that."""

    start: datetime
    end: datetime
    name: str = ""


def merged(intervals: Iterable[Interval | Part]) -> list[Interval]:
    """The same time, sorted, with what touches or overlaps made one."""
    result: list[Interval] = []
    for start, end, *_ in sorted(intervals):
        if result and start <= result[-1].end:
            result[-1] = Interval(result[-1].start, max(result[-1].end, end))
        else:
            result.append(Interval(start, end))
    return result


def joined(parts: Iterable[Part]) -> list[Part]:
    """Parts that don't overlap, sorted, with those of one name that touch made one."""
    result: list[Part] = []
    for part in sorted(parts):
        if result and (result[-1].end, result[-1].name) == (part.start, part.name):
            result[-1] = result[-1]._replace(end=part.end)
        else:
            result.append(part)
    return result


def added(parts: Sequence[Part], new: Part) -> list[Part]:
    """Parts that don't overlap, sorted, and `new`: in the place of what held any of its time, and
    one with what it touches by the same name."""
    first = bisect_left(parts, new.start, key=_end)
    behind = bisect_right(parts, new.end, key=_start)
    around = [part for part in parts[first:behind] if part.name == new.name]
    start, end = (min([new, *around]).start, max(part.end for part in [new, *around]))
    others = [part for part in parts[first:behind] if part.name != new.name]
    kept = removed(others, Interval(new.start, new.end))
    before = [part for part in kept if part.start < new.start]
    after = [part for part in kept if part.start >= new.start]
    return [*parts[:first], *before, Part(start, end, new.name), *after, *parts[behind:]]


def removed(parts: Sequence[Part], gone: Interval) -> list[Part]:
    """Parts that don't overlap, sorted, without the time of `gone`."""
    first = bisect_right(parts, gone.start, key=_end)
    behind = bisect_left(parts, gone.end, key=_start)
    rest = []
    for part in parts[first:behind]:
        if part.start < gone.start:
            rest.append(part._replace(end=gone.start))
        if part.end > gone.end:
            rest.append(part._replace(start=gone.end))
    return [*parts[:first], *rest, *parts[behind:]]


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
