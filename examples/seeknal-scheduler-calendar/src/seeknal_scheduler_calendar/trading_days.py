"""Ticks on the days on which an exchange is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays

from seeknal.errors import RequestError, did_you_mean

DAY = timedelta(days=1)


class TradingDays:
    """A schedule is an exchange, and the time of the day where it isn't midnight: `XNYS`,
    `XLON 08:00`."""

    def ticks(
        self, schedule: str, timezone: str, start: datetime, end: datetime
    ) -> Iterator[datetime]:
        """One tick each trading day, at that time on the wall clock of the zone. A time that clocks
        skip is as much later; of one that they show twice it is the first."""
        parsed, zone = _parsed(schedule), _zone(timezone)
        first, last = (at.astimezone(zone).date() for at in (start, end))
        return (
            tick
            for year in range(first.year, last.year + 1)
            for day in parsed.days_in(year)
            if first <= day <= last
            for tick in _ticks_on(day, parsed.at, zone)
            if start <= tick < end
        )


class Schedule(NamedTuple):
    exchange: str
    at: time

    def days_in(self, year: int) -> Sequence[date]:
        """Raises RequestError for a year that nobody knows of."""
        known = holidays.financial_holidays(self.exchange)
        if not known.start_year <= year <= known.end_year:
            raise RequestError(
                f"The trading days of '{self.exchange}' are known from {known.start_year} to "
                f"{known.end_year}, and not in {year}: give the node a `start:` and an `end:` in "
                "between."
            )
        return _trading_days(self.exchange, year)


def _parsed(schedule: str) -> Schedule:
    exchange, _, at = schedule.partition(" ")
    known = holidays.list_supported_financial()
    if exchange not in known:
        raise RequestError(
            f"'{schedule}' names no exchange that is known.{did_you_mean(exchange, known)} Write "
            "its market identifier code, and a time of the day if you like, as in 'XNYS' or "
            "'XLON 08:00'."
        )
    try:
        return Schedule(exchange, time.fromisoformat(at) if at else time())
    except ValueError:
        raise RequestError(
            f"'{schedule}' has no time of the day behind the exchange: write it as in "
            f"'{exchange} 08:00'."
        ) from None


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise RequestError(
            f"There is no timezone '{timezone}'. Name one as in 'UTC' or 'America/New_York'."
        ) from None


def _ticks_on(day: date, at: time, zone: ZoneInfo) -> Iterator[datetime]:
    """The tick of a day; none of one that the zone has left out."""
    tick = datetime.combine(day, at, zone).astimezone(UTC)
    if tick.astimezone(zone).date() == day:
        yield tick


@lru_cache(maxsize=1000)
def _trading_days(exchange: str, year: int) -> Sequence[date]:
    """Of one year, from a calendar of its own: one that is shared fills itself as it is read."""
    calendar = holidays.financial_holidays(exchange, years=year, expand=False)
    first = date(year, 1, 1)
    days = (first + n * DAY for n in range((date(year + 1, 1, 1) - first).days))
    return [day for day in days if calendar.is_working_day(day)]
