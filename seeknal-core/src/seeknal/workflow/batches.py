"""Which time of an incremental node is to be computed, and in which batches."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from seeknal.dag.manifest import Incremental, Node
from seeknal.errors import RequestError
from seeknal.state.intervals import Interval
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.intervals import (
    FIRST,
    LAST,
    end_of,
    intervals_between,
    not_contained,
    start_of,
    tick_before,
)
from seeknal.workflow.scheduler import Scheduler
from seeknal.workflow.task import Task


@dataclass(slots=True)
class Batches:
    """What is to be computed of an incremental node, sorted. holds: what it will hold then."""

    intervals: list[Interval]
    tasks: list[Task]
    holds: IntervalSet

    def overlapping(self, interval: Interval) -> list[str]:
        """Names of the tasks that compute any of this time."""
        first = bisect_left(self.intervals, interval.start, key=lambda batch: batch.end)
        names = []
        for batch, task in zip(self.intervals[first:], self.tasks[first:], strict=True):
            if batch.start >= interval.end:
                break
            if batch.end > interval.start:
                names.append(task.name)
        return names


def due(
    node: Node,
    scheduler: Scheduler,
    now: datetime,
    bounds: tuple[str | None, str | None],
    held: IntervalSet,
) -> list[Interval]:
    """The intervals that a node should hold by now, whether it does or not.

    bounds: first and last time that are asked for, ISO 8601 dates or times, over those of the
    node. held: what it holds; its time begins there when nothing else says where. Raises
    RequestError when nothing does.
    """
    timing = _timing(node)
    within = _within(node, timing, now, bounds, held)
    if within is None:
        return []
    intervals = list(intervals_between(scheduler, timing.schedule, timing.timezone, within))
    if timing.allow_partials:
        last = tick_before(scheduler, timing.schedule, timing.timezone, within.end)
        if last is not None and within.start <= last < within.end:
            intervals.append(Interval(last, within.end))
    return intervals


def _within(
    node: Node,
    timing: Incremental,
    now: datetime,
    bounds: tuple[str | None, str | None],
    held: IntervalSet,
) -> Interval | None:
    """The time that a node's own limits, those that are asked for, and the clock leave of it."""
    zone = timing.timezone
    starts = [start_of(text, zone) for text in (timing.start, bounds[0]) if text]
    if not starts:
        if not held:
            raise RequestError(
                f"{node.id} ({node.file_path}) does not say when its time begins: write "
                "`start: 2024-01-01` beside its schedule, or give --start."
            )
        starts = [next(iter(held)).start]
    ends = [end_of(text, zone) for text in (timing.end, bounds[1]) if text]
    start, end = max(starts), min([*ends, now])
    return Interval(start, end) if start < end else None


def limits(node: Node) -> Interval:
    """The time that an incremental node may hold, as its own `start` and `end` say."""
    timing = _timing(node)
    return Interval(
        start_of(timing.start, timing.timezone) if timing.start else FIRST,
        end_of(timing.end, timing.timezone) if timing.end else LAST,
    )


def to_compute(
    intervals: Sequence[Interval], possible: Sequence[Interval], held: IntervalSet, lookback: int
) -> list[Interval]:
    """Of the intervals that are due, and for which all is there that they are made from, those that
    are missing; and behind the last one that is held, with the new ones, the `lookback` before them
    again."""
    missing = list(not_contained(possible, held))
    known = held & IntervalSet(intervals)
    if not (lookback and missing and known):
        return missing
    latest = max(interval.end for interval in known)
    first_new = next((n for n, one in enumerate(possible) if one.start >= latest), len(possible))
    if first_new == len(possible):
        return missing
    return sorted({*missing, *possible[max(0, first_new - lookback) : first_new]})


def in_batches(intervals: Iterable[Interval], size: int) -> Iterator[Interval]:
    """Intervals that touch, up to `size` of them as one."""
    batch: Interval | None = None
    count = 0
    for interval in intervals:
        if batch is not None and batch.end == interval.start and count < size:
            batch, count = Interval(batch.start, interval.end), count + 1
            continue
        if batch is not None:
            yield batch
        batch, count = interval, 1
    if batch is not None:
        yield batch


def _timing(node: Node) -> Incremental:
    if node.incremental is None:
        raise RequestError(f"{node.id} is not incremental: it is computed whole.")
    return node.incremental
