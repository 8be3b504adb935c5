"""How long it takes to cut years into intervals, and to find what of them is pending.

Prints a line for each of three:

calculated: ten years of hours, against croniter stepped from tick to tick.
iterated: fifty years of quarters of an hour in a zone, one by one. The most memory that Python
    holds meanwhile, against what it is in five years.
pending: of ten years of hours, those of which a random half is complete, against one pass over the
    intervals and the ranges that are complete, both ready.
"""

from __future__ import annotations

import random
import statistics
import tracemalloc
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import timing
from croniter import croniter

from seeknal.workflow.intervals import Interval, IntervalCalculator, IntervalSet

REPETITIONS = 5
FIRST, HOUR = datetime(2014, 1, 1, tzinfo=UTC), timedelta(hours=1)
HOURS = 87_600
END = FIRST + HOURS * HOUR
ZONE = "America/New_York"

MOST_OF_STEPPING = 1 / 50
MOST_MEMORY = 1.5
MOST_SECONDS = 0.1


def main() -> None:
    calculated()
    iterated()
    pending()


def calculated() -> None:
    calculator = IntervalCalculator()

    def ours() -> list[Interval]:
        return calculator.calculate_intervals(FIRST, END, "@hourly")

    def bare() -> list[Interval]:
        ticks = croniter("@hourly", FIRST)
        edges = [FIRST, *(ticks.get_next(datetime) for _ in range(HOURS))]
        return [Interval(*pair) for pair in pairwise(edges)]

    _check(ours() == bare() and len(ours()) == HOURS)
    times = timing.interleaved(
        {"ours": lambda: timing.seconds(ours), "bare": lambda: timing.seconds(bare)}, REPETITIONS
    )
    figures = timing.judged(times["ours"], times["bare"], MOST_OF_STEPPING)
    faster = statistics.median(b / o for o, b in zip(times["ours"], times["bare"], strict=True))
    timing.report(
        "intervals_calculated", {"intervals": HOURS, **figures, "times_faster": round(faster)}
    )


def iterated() -> None:
    _peak_kb(1)
    few, many = _peak_kb(5), _peak_kb(50)
    seconds = timing.seconds(lambda: deque(_quarters(50), maxlen=0))
    figures = {
        "intervals": sum(1 for _ in _quarters(50)),
        "seconds": round(seconds, 2),
        "peak_kb": round(many),
        "peak_kb_of_5_years": round(few),
        "ratio": round(many / few, 3),
        "target": MOST_MEMORY,
        "met": many <= few * MOST_MEMORY,
    }
    timing.report("intervals_iterated", figures)


def _quarters(years: int) -> Iterable[Interval]:
    calculator = IntervalCalculator(ZONE)
    return calculator.iterate("1975-01-01", f"{1974 + years}-12-31", "*/15 * * * *")


def _peak_kb(years: int) -> float:
    """The most that Python holds while it goes through so many years, in 1,000 bytes."""
    tracemalloc.start()
    deque(_quarters(years), maxlen=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1000


def pending() -> None:
    calculator = IntervalCalculator()
    intervals = calculator.calculate_intervals(FIRST, END, "@hourly")
    half = random.Random(HOURS).sample(intervals, HOURS // 2)
    completed = IntervalSet(half)

    def found(completed: Iterable[Interval]) -> list[Interval]:
        return calculator.get_pending_intervals(FIRST, "@hourly", END, completed)

    expected = sorted(set(intervals).difference(half))
    _check(found(completed) == found(half) == _bare_pass(intervals, list(completed)) == expected)
    ranges = list(completed)
    times = timing.interleaved(
        {
            "ours": lambda: timing.seconds(lambda: found(completed)),
            "unsorted": lambda: timing.seconds(lambda: found(half)),
            "bare": lambda: timing.seconds(lambda: _bare_pass(intervals, ranges)),
        },
        REPETITIONS * 3,
    )
    figures = timing.compared(times["ours"], times["bare"])
    timing.report(
        "intervals_pending",
        {
            "intervals": HOURS,
            "ranges": len(ranges),
            **figures,
            "ours_from_unsorted_intervals_s": round(statistics.median(times["unsorted"]), 4),
            "target_s": MOST_SECONDS,
            "met": figures["ours_s"] <= MOST_SECONDS,
        },
    )


def _bare_pass(intervals: Sequence[Interval], ranges: Sequence[Interval]) -> list[Interval]:
    left = []
    at, behind = 0, len(ranges)
    for interval in intervals:
        start, end = interval
        while at < behind and ranges[at][1] < end:
            at += 1
        if at == behind or start < ranges[at][0]:
            left.append(interval)
    return left


def _check(right: bool) -> None:
    if not right:
        raise RuntimeError("The sides don't come to the same.")


if __name__ == "__main__":
    main()
