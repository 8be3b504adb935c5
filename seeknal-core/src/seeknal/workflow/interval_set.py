"""Time as a set: ranges that neither touch nor overlap, in order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from operator import attrgetter

from seeknal.errors import RequestError
from seeknal.state.intervals import Interval, Part, merged, moment

_start = attrgetter("start")
SHOWN = 6
"""How many ranges a repr shows."""


class IntervalSet:
    """Immutable. Iterates over its ranges: half-open, in UTC, sorted, and none touches another.

    intervals: in any order. A pair will do for one, of what `moment` takes: a time without a zone
    is in UTC, and a date is its midnight. An empty one adds nothing. Raises RequestError for what
    is no interval, or ends before it starts. Operations take time linear in the number of ranges.
    """

    __slots__ = ("_ranges",)

    def __init__(self, intervals: Iterable[Interval | Part | tuple[date | str, date | str]] = ()):
        self._ranges: tuple[Interval, ...] = tuple(merged(_checked(intervals)))

    @classmethod
    def _of(cls, ranges: Iterable[Interval]) -> IntervalSet:
        """From ranges that are sorted and don't touch."""
        made = cls()
        made._ranges = tuple(ranges)
        return made

    def union(self, other: IntervalSet) -> IntervalSet:
        """The time that either holds."""
        return self._of(merged([*self._ranges, *other._ranges]))

    def difference(self, other: IntervalSet) -> IntervalSet:
        """The time that this one holds and the other does not."""
        return self._of(_difference(self._ranges, other._ranges))

    def intersection(self, other: IntervalSet) -> IntervalSet:
        """The time that both hold."""
        return self._of(_intersection(self._ranges, other._ranges))

    def gaps(self, within: Interval) -> IntervalSet:
        """The time of `within` that this doesn't hold."""
        return IntervalSet([within]).difference(self)

    def contains(self, wanted: Interval | datetime) -> bool:
        """Whether it holds that moment, or all of that interval. Takes logarithmic time."""
        start = wanted if isinstance(wanted, datetime) else wanted.start
        behind = bisect_right(self._ranges, start, key=_start)
        if not behind:
            return False
        end = self._ranges[behind - 1].end
        return start < end if isinstance(wanted, datetime) else wanted.end <= end

    def __contains__(self, wanted: Interval | datetime) -> bool:
        return self.contains(wanted)

    def __iter__(self) -> Iterator[Interval]:
        return iter(self._ranges)

    def __len__(self) -> int:
        return len(self._ranges)

    def __or__(self, other: object) -> IntervalSet:
        return self.union(other) if isinstance(other, IntervalSet) else NotImplemented

    def __sub__(self, other: object) -> IntervalSet:
        return self.difference(other) if isinstance(other, IntervalSet) else NotImplemented

    def __and__(self, other: object) -> IntervalSet:
        return self.intersection(other) if isinstance(other, IntervalSet) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return self._ranges == other._ranges if isinstance(other, IntervalSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __repr__(self) -> str:
        """As in `IntervalSet(2024-01-01 .. 2024-01-05, 2024-01-07T06:00 .. 2024-01-08)`."""
        parts = [f"{_short(start)} .. {_short(end)}" for start, end in self._ranges[:SHOWN]]
        if len(self) > SHOWN:
            parts.append(f"and {len(self) - SHOWN:,} more")
        return f"IntervalSet({', '.join(parts)})"


def _checked(intervals: Iterable[object]) -> Iterator[Interval]:
    for given in intervals:
        interval = given if type(given) is Interval else _interval(given)
        start, end = interval
        if start < end:
            yield interval
        elif start > end:
            raise RequestError(f"An interval can't begin at {start} and end at {end}.")


def _interval(given: object) -> Interval:
    if isinstance(given, Part):
        return Interval(given.start, given.end)
    if isinstance(given, (tuple, list)) and len(given) == 2:
        return Interval(moment(given[0]), moment(given[1]))
    raise RequestError(f"{given!r} is no interval: give a pair of its start and its end.")


def _difference(ranges: Sequence[Interval], gone: Sequence[Interval]) -> Iterator[Interval]:
    following = iter(gone)
    hole = next(following, None)
    for start, end in ranges:
        rest = start
        while hole and hole.start < end:
            if rest < hole.start:
                yield Interval(rest, hole.start)
            rest = max(rest, hole.end)
            if hole.end > end:
                break  # it may reach into the next range too
            hole = next(following, None)
        if rest < end:
            yield Interval(rest, end)


def _intersection(ranges: Sequence[Interval], others: Sequence[Interval]) -> Iterator[Interval]:
    one = other = 0
    while one < len(ranges) and other < len(others):
        start = max(ranges[one].start, others[other].start)
        end = min(ranges[one].end, others[other].end)
        if start < end:
            yield Interval(start, end)
        if ranges[one].end == end:
            one += 1
        else:
            other += 1


def _short(at: datetime) -> str:
    if at.time() == time():
        return f"{at:%Y-%m-%d}"
    timespec = "auto" if at.second or at.microsecond else "minutes"
    return at.replace(tzinfo=None).isoformat(timespec=timespec)
