"""What the entry point names. The calendars are imported when a scheduler is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seeknal.hookspecs import Offer, hookimpl

if TYPE_CHECKING:
    from seeknal.workflow.scheduler import Scheduler


def create() -> Scheduler:
    from seeknal_scheduler_calendar.trading_days import TradingDays

    return TradingDays()


@hookimpl
def seeknal_scheduler() -> Offer[Scheduler]:
    return Offer(create=create, summary="The trading days of an exchange: XNYS, XLON 08:00")
