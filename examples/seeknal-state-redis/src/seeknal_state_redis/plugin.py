"""What the entry point names. The backend, and redis-py, are imported when one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seeknal.hookspecs import Offer, hookimpl

if TYPE_CHECKING:
    from seeknal.state.backend import StateBackend


def create(url: str | None = None, prefix: str = "seeknal") -> StateBackend:
    """url: of the server; without it, SEEKNAL_REDIS_URL. prefix: what the keys of this project
    begin with."""
    from seeknal_state_redis.backend import RedisBackend

    return RedisBackend(url, prefix)


@hookimpl
def seeknal_state_backend() -> Offer[StateBackend]:
    return Offer(create=create, summary="State in Redis, for several machines")
