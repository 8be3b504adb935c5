"""Locks and the threads that renew them."""

from __future__ import annotations

import os
import threading
import time

from seeknal.state.locks import Lock


def test_a_fork_waits_for_a_renewal() -> None:
    """A child would inherit what the renewal holds, and nobody to let go of it."""
    begun = threading.Event()
    ended: list[bool] = []

    def renew() -> bool:
        begun.set()
        time.sleep(0.2)
        ended.append(True)
        return False

    Lock("r", 1, 30, renew, lambda: None)
    assert begun.wait(10)
    assert not ended
    child = os.fork()
    if not child:
        os._exit(0 if ended else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_does_not_wait_for_storage_that_does_not_answer() -> None:
    begun, answered = threading.Event(), threading.Event()

    def renew() -> bool:
        begun.set()
        return not answered.wait(30)

    lock = Lock("r", 1, 30, renew, lambda: None)
    assert begun.wait(10)
    started = time.monotonic()
    child = os.fork()
    if not child:
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert time.monotonic() - started < 10
    answered.set()
    lock.release()
