"""Hours of many years recorded as completed, one at a time, in random order.

Ours is a ledger of all years, filled a tenth of its hours at a time. Bare is each time a new
ledger of a tenth of the years, filled whole: as many calls, with a tenth as much in the ledger.
One hour of each year is left out, so there must be one range more than there are years. Each call
is a transaction of its own, or a thousand of them are one.

    python state_intervals.py [--years 10] [--backend sqlite|file] [--together 1000]
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import states
import timing

from seeknal.state.backend import StateBackend
from seeknal.state.intervals import Interval

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURS_A_YEAR = 8766
LEFT_OUT = 4000
"""Of each year, the hour that is missing."""
PARTS = 10
NODE, SNAPSHOT = "transform.hourly", "6b86b273ff34fce19d6b804eff5a3f57"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--years", type=int, default=10, help=f"a multiple of {PARTS}")
    parser.add_argument("--backend", choices=("sqlite", "file"), help="both when not given")
    parser.add_argument("--together", type=int, default=1000, help="calls in one transaction")
    asked = parser.parse_args()
    if asked.years % PARTS:
        parser.error(f"--years must be a multiple of {PARTS}")
    backends = [asked.backend] if asked.backend else ["sqlite", "file"]
    with tempfile.TemporaryDirectory() as folder:

        def new_folder() -> str:
            return tempfile.mkdtemp(dir=folder)

        figures = {
            name: _measure(name, asked.years, asked.together, new_folder) for name in backends
        }
    met = all(f["met"] for f in figures.values())
    timing.report(
        "state_intervals",
        {"years": asked.years, "together": asked.together, **figures, "met": met},
    )


def _measure(name: str, years: int, together: int, new_folder: Callable[[], str]) -> dict[str, Any]:
    hours = _shuffled(years)
    few_hours = _shuffled(years // PARTS)
    ours: list[float] = []
    bare: list[float] = []
    ranges: list[int] = []
    with states.opened(name, new_folder()) as ledger:
        for part in range(PARTS):
            begin, end = (len(hours) * n // PARTS for n in (part, part + 1))
            ours.append(_add_all(ledger, hours[begin:end], together))
            ranges.append(_check(ledger, hours[:end]))
            with states.opened(name, new_folder()) as small:
                bare.append(_add_all(small, few_hours, together))
                _check(small, few_hours)
    us_a_call = [round(seconds / len(few_hours) * 1e6) for seconds in ours]
    return {
        **timing.judged(ours, bare, _logarithmic_growth(years)),
        "ranges": ranges,
        "us_a_call": us_a_call,
        "bare_us_a_call": round(statistics.median(bare) / len(few_hours) * 1e6),
    }


def _shuffled(years: int) -> list[int]:
    hours = [hour for hour in range(years * HOURS_A_YEAR) if hour % HOURS_A_YEAR != LEFT_OUT]
    random.Random(years).shuffle(hours)
    return hours


def _logarithmic_growth(years: int) -> float:
    """How much more a call may cost when there are ten times as many hours."""
    hours = years * HOURS_A_YEAR
    return round(math.log(hours) / math.log(hours / PARTS), 3)


def _add_all(ledger: StateBackend, hours: Sequence[int], together: int) -> float:
    """Seconds that it took."""
    intervals = [(FIRST + hour * HOUR, FIRST + (hour + 1) * HOUR) for hour in hours]

    def add() -> None:
        for first in range(0, len(intervals), together):
            with ledger.transaction():
                for start, end in intervals[first : first + together]:
                    ledger.add_completed_interval(states.RUN, NODE, start, end, snapshot=SNAPSHOT)

    return timing.seconds(add)


def _check(ledger: StateBackend, hours: Sequence[int]) -> int:
    """How many ranges there are. Raises unless they are those of all hours, merged."""
    stored = ledger.get_completed_intervals(NODE, SNAPSHOT)
    known = set(hours)
    starts = sorted(hour for hour in known if hour - 1 not in known)
    ends = sorted(hour + 1 for hour in known if hour + 1 not in known)
    expected = [
        Interval(FIRST + start * HOUR, FIRST + end * HOUR)
        for start, end in zip(starts, ends, strict=True)
    ]
    if stored != expected:
        raise RuntimeError(
            f"{len(stored)} ranges, and not the {len(expected)} that there should be"
        )
    return len(stored)


if __name__ == "__main__":
    main()
