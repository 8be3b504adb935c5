"""The contract of schedulers: plugins that cut time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol


class Scheduler(Protocol):
    """Knows when something is due. docs/behaviour/schedulers.md numbers what it promises."""

    def ticks(
        self, schedule: str, timezone: str, start: datetime, end: datetime
    ) -> Iterator[datetime]:
        """The ticks of a schedule from `start` to before `end`, ascending, each once.

        start, end: timezone-aware, from the year 3 to 9998; a window may be much wider than what is
        read of it. Ticks are in UTC, and those of one window are those of any other that holds
        them. timezone: the zone whose wall clock the schedule speaks of. Raises RequestError for a
        schedule or a zone that it doesn't know, and for times of which it can't tell the ticks.
        """
