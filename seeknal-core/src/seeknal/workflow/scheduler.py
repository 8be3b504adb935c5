"""The contract of schedulers: plugins that cut time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol


class Scheduler(Protocol):
    """Knows when something is due."""

    def ticks(
        self, schedule: str, timezone: str, start: datetime, end: datetime
    ) -> Iterator[datetime]:
        """The ticks of a schedule from `start` to before `end`, ascending, each once.

        start, end: timezone-aware. Ticks are in UTC. timezone: the zone whose wall clock the
        schedule speaks of. Raises RequestError for a schedule or a zone that it doesn't know.
        """
