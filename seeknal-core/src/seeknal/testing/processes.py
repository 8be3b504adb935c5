"""Children that work, are waited for, and are killed."""

from __future__ import annotations

import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Sequence

PATIENCE = 300.0
"""Seconds after which a child that does nothing more is killed, and has failed."""


def in_children(works: Sequence[Callable[[], None]]) -> None:
    """Do each work in a process of its own, all at once. Raises AssertionError when one fails."""
    children = [_fork(work) for work in works]
    deadline = time.monotonic() + PATIENCE
    codes = [_code_of(child, deadline) for child in children]
    assert not any(codes), f"children ended with {codes}: see what they printed"


def killed(work: Callable[[Callable[[int], None]], None], after_seconds: float) -> int | None:
    """Do a work in a child, and kill it some time after it first told a number.

    work: is given a function that tells the parent a number. Returns the last that was told.
    """
    reader, writer = os.pipe()
    child = _fork(lambda: work(lambda number: _tell(writer, number)))
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        heard, _, _ = select.select([told], [], [], PATIENCE)
        first = told.readline() if heard else b""
        time.sleep(after_seconds)
        os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert heard, f"the child told nothing for {PATIENCE:.0f} s: it hangs"
        assert code in (0, -signal.SIGKILL), "the child failed: see what it printed"
        numbers = [first, *told.read().splitlines(keepends=True)]
    whole = [int(number) for number in numbers if number.endswith(b"\n")]
    return whole[-1] if whole else None


def _tell(descriptor: int, number: int) -> None:
    os.write(descriptor, b"%d\n" % number)


def _code_of(child: int, deadline: float) -> int:
    """How a child ended; one that hasn't by then is killed."""
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
