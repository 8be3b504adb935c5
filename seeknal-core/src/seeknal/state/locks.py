"""Locks with a lease: renewed while the holder lives, and free again some time after it died."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from seeknal.errors import SeeknalError

LEASE_MS = 30_000
"""How long a lock outlives a holder that died."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.25

FORK_WAITS = 1.0
"""Seconds that a fork waits at most for a renewal that is under way."""


class Lock:
    """A lock that is held. Always true; release it, or use it in `with`.

    A thread renews its lease. Should the holder sleep past it all the same, so that another one
    takes the lock, then its writes under the lock are refused: each lock has a greater token than
    all that were given before.

    renew: prolongs the lease, and tells whether the lock was still held. release: lets go of it.
    """

    def __init__(
        self,
        name: str,
        token: int,
        lease_ms: int,
        renew: Callable[[], bool],
        release: Callable[[], None],
    ) -> None:
        self.name = name
        self.token = token
        self._renew = renew
        self._release = release
        self._asleep = threading.Event()
        self._renewing = threading.Lock()
        self._released = False
        _kept.add(self)
        threading.Thread(
            target=self._keep, args=(lease_ms / 3000,), name=f"lease of {name}", daemon=True
        ).start()

    def __repr__(self) -> str:
        return f"<Lock {self.token} on {self.name!r}>"

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let others have it; harmless when done twice, or when it was lost."""
        self._asleep.set()
        if not self._released:
            self._released = True
            self._release()

    def _keep(self, every: float) -> None:
        try:
            while not self._asleep.wait(every):
                with suppress(SeeknalError), self._renewing:  # the lease may outlive a failure
                    if not self._renew():
                        return
        finally:
            _kept.discard(self)


_kept: set[Lock] = set()
"""Those whose leases are renewed."""

_forking = threading.local()


def _pause_renewals() -> None:
    """A child has no thread that would let go of what a renewal holds, such as a lock of SQLite's:
    it would wait for it forever."""
    _forking.paused = [
        lock._renewing for lock in list(_kept) if lock._renewing.acquire(timeout=FORK_WAITS)
    ]


def _go_on_renewing() -> None:
    for renewing in _forking.paused:
        renewing.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_pause_renewals, after_in_parent=_go_on_renewing, after_in_child=_go_on_renewing
    )


def acquire(attempt: Callable[[], Lock | None], timeout_ms: float) -> Lock | None:
    """What an attempt gives, asked again and again until `timeout_ms` have passed; else None."""
    deadline = time.monotonic() + timeout_ms / 1000
    pause = _FIRST_PAUSE
    while True:
        lock = attempt()
        rest = deadline - time.monotonic()
        if lock or rest <= 0:
            return lock
        time.sleep(min(pause, rest))
        pause = min(2 * pause, _LONGEST_PAUSE)


def lock_on(environment: str) -> str:
    """The name of the lock that guards an environment."""
    return f"environment:{environment}"


def this_process() -> str:
    """How the holder of a lock is called."""
    return f"process {os.getpid()} on {platform.node() or 'this machine'}"
