"""Call one function in several processes at once.

The processes run this module, never the caller's script: a library that is called from a script
must not run that script again.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

_Process = subprocess.Popen[bytes]
T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Processes(Generic[T, R]):
    """A function, to be called for many items at once: in this process and `more` others.

    function: pickled once, with all that it holds. It must give the same wherever it is called:
    where it can't be pickled, or another process fails, its items are done in this process.
    """

    def __init__(self, function: Callable[[T], R], more: int) -> None:
        self._function = function
        self._others: list[_Process] = []
        pickled = _pickled(function) if more > 0 and _is_python() else None
        if pickled:
            self._others = [other for _ in range(more) if (other := _started())]
            for other in self._others:
                _write(other, pickled)

    def __enter__(self) -> Processes[T, R]:
        return self

    def __exit__(self, *error: object) -> None:
        for other in self._others:
            _end(other)

    def map(self, items: Sequence[T]) -> list[R]:
        """What the function gives for each item. Raises what it raises."""
        step = 1 + len(self._others)
        asked = [
            (other, share, _send(other, items[share::step]))
            for share, other in enumerate(self._others, start=1)
            if items[share::step]
        ]
        results: list[Any] = [None] * len(items)
        results[::step] = [self._function(item) for item in items[::step]]
        for other, share, sent in asked:
            done = _receive(other) if sent else None
            if done is None:
                self._others.remove(other)
                _end(other)
                done = [self._function(item) for item in items[share::step]]
            results[share::step] = done
        return results


def _is_python() -> bool:
    """Whether what runs this is an interpreter that could run a module."""
    return bool(sys.executable) and not getattr(sys, "frozen", False)


def _started() -> _Process | None:
    """None where there is no room for another process."""
    path = os.pathsep.join(os.path.abspath(place) for place in sys.path)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
    except OSError:
        return None


def _end(other: _Process) -> None:
    other.kill()
    other.communicate()


def _pickled(what: object) -> bytes | None:
    """None when it can't be: what is pickled may raise anything."""
    try:
        return pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return None


def _send(other: _Process, items: Sequence[object]) -> bool:
    pickled = _pickled(items)
    return pickled is not None and _write(other, pickled)


def _write(other: _Process, pickled: bytes) -> bool:
    assert other.stdin
    try:
        other.stdin.write(pickled)
        other.stdin.flush()
    except OSError:
        return False
    return True


def _receive(other: _Process) -> list[Any] | None:
    assert other.stdout
    try:
        done: list[Any] = pickle.load(other.stdout)
    except Exception:
        return None
    return done


def _serve() -> None:
    """Take the function from the standard input, then lists of items, and write what it gives."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    function = pickle.load(sys.stdin.buffer)
    while True:
        try:
            items = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump([function(item) for item in items], answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    _serve()
