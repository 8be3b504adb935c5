"""Time ways to do the same thing side by side, so that a noisy machine disturbs all of them."""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Side = Callable[[], float]
"""Does the work once, and returns how many seconds the part that counts took."""


def seconds(work: Callable[[], object]) -> float:
    """How long it takes, without collecting the garbage of what was done before."""
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interleaved(sides: Mapping[str, Side], repetitions: int) -> dict[str, list[float]]:
    """Seconds of each side, one after the other, again and again, after one unmeasured round."""
    for side in sides.values():
        side()
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repetitions):
        for name, side in sides.items():
            times[name].append(side())
    return times


def compared(ours: Sequence[float], bare: Sequence[float]) -> dict[str, float]:
    """The median of each side, and the median of the ratios of what was measured in one round."""
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    return {
        "ours_s": round(statistics.median(ours), 4),
        "bare_s": round(statistics.median(bare), 4),
        "ratio": round(statistics.median(ratios), 3),
    }


def judged(ours: Sequence[float], bare: Sequence[float], most: float) -> dict[str, Any]:
    """A comparison, and whether its ratio is at most what is wanted."""
    figures = compared(ours, bare)
    return {**figures, "target": most, "met": figures["ratio"] <= most}


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended well. peak_mb: the most memory that it held, in 10^6 bytes."""

    seconds: float
    peak_mb: float


def process(command: Sequence[str | Path], folder: Path) -> Ended:
    """Run a command in a folder and wait for it. Raises when it fails.

    The peak counts what this process holds when it starts the command, so it must be little.
    """
    started = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, [str(part) for part in command])
    return Ended(seconds, usage.ru_maxrss * 1024 / 1e6)


def report(benchmark: str, figures: Mapping[str, Any]) -> None:
    """Print the one line of a benchmark."""
    print(json.dumps({"benchmark": benchmark, **figures}))
