"""Wait for locks, and tell who holds them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime

from seeknal.errors import ConflictError
from seeknal.state.backend import StateBackend
from seeknal.state.locks import Lock, this_process
from seeknal.state.records import LockInfo

Tell = Callable[[str], None]
"""Says to whoever waits what for."""


def nobody(text: str) -> None:
    """Whoever isn't told."""


def take(state: StateBackend, name: str, what: str, lease_ms: int, tell: Tell = nobody) -> Lock:
    """A lock. Waits as long as one who died may seem to hold it.

    what: what can't be done without it, for messages. Raises ConflictError when its holder lives.
    """
    lock = state.acquire_lock(name, 0, lease_ms=lease_ms)
    if lock is None:
        tell(f"Waiting, for at most {round(1.2 * lease_ms / 1000)} s: {who_holds(state, name)}.")
        lock = state.acquire_lock(name, 1.2 * lease_ms, lease_ms=lease_ms)
    if lock is None:
        raise ConflictError(f"{what}: {who_holds(state, name)}. {try_again(state, name)}")
    return lock


def who_holds(state: StateBackend, name: str) -> str:
    """`process 7 on host is at it`, or was."""
    info = state.get_lock(name)
    if info is None:
        return "somebody was at it until just now"
    return f"{info.holder} {'was at it when it died' if _is_dead(info) else 'is at it'}"


def try_again(state: StateBackend, name: str) -> str:
    """When a lock that is held can be had."""
    info = state.get_lock(name)
    if info is None:
        return "Try again."
    if not _is_dead(info):
        return "Try again when it has ended."
    seconds = (info.expires_at - datetime.now(UTC)).total_seconds()
    return f"Try again in {max(1, math.ceil(seconds))} s, when its lock has expired."


def _is_dead(info: LockInfo) -> bool:
    """Whether the holder of a lock is known to be a process of this machine that has ended."""
    holder = re.fullmatch(r"process (\d+) on (.*)", info.holder)
    here = this_process().partition(" on ")[2]
    if holder is None or holder[2] != here or os.name != "posix":
        return False
    try:
        os.kill(int(holder[1]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False
