"""The scheduler "cron": cron expressions and the shorthands @hourly, @daily, ..."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from seeknal.errors import RequestError


class CronScheduler:
    """Ticks on the wall clock, by croniter."""

    def ticks(
        self, schedule: str, timezone: str, start: datetime, end: datetime
    ) -> Iterator[datetime]:
        from croniter import croniter

        try:
            zone = ZoneInfo(timezone)
        except (KeyError, ValueError, OSError):
            raise RequestError(f"There is no timezone {timezone!r}.") from None
        if not croniter.is_valid(schedule):
            raise RequestError(
                f"{schedule!r} is neither a cron expression, as '0 2 * * *', nor a shorthand, as "
                "@hourly, @daily, @weekly, @monthly or @yearly."
            )
        just_before = start.astimezone(zone) - timedelta(microseconds=1)
        ticks = croniter(schedule, just_before, ret_type=datetime)
        while (tick := ticks.get_next(datetime).astimezone(UTC)) < end:
            yield tick
