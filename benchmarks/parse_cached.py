"""A second `seeknal parse` with nothing changed, of projects of 1,000 to 10,000 nodes.

Bare is a script that looks at each file and loads JSON of the size of the manifest.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import projects
import timing

SIZES = (1000, 3000, 10_000)
REPETITIONS = 5
MOST_SECONDS = 2.0
MOST_MB = 300.0
MOST_GROWTH = 12.0
SETTLED_S = 0.2
"""Younger files are not trusted by the cache."""
SEEKNAL = Path(sys.executable).with_name("seeknal")
BARE = Path(__file__).with_name("bare_parse.py")


def main() -> None:
    sizes = {str(size): _measure(size) for size in SIZES}
    small, large = sizes[str(SIZES[0])], sizes[str(SIZES[-1])]
    growth = large["ours_s"] / small["ours_s"]
    met = large["ours_s"] <= MOST_SECONDS and large["peak_mb"] <= MOST_MB and growth <= MOST_GROWTH
    timing.report(
        "parse_cached",
        {
            **{key: large[key] for key in ("ours_s", "bare_s", "ratio", "peak_mb")},
            "growth": round(growth, 2),
            "exponent": round(math.log(growth) / math.log(SIZES[-1] / SIZES[0]), 2),
            "target": {"ours_s": MOST_SECONDS, "peak_mb": MOST_MB, "growth": MOST_GROWTH},
            "met": met,
            "nodes": sizes,
        },
    )


def _measure(size: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        projects.write_mixed_project(root, size)
        time.sleep(SETTLED_S)
        parse: list[str | Path] = [SEEKNAL, "parse", "-p", root]
        cold = timing.process(parse, root)
        peaks: list[float] = []

        def ours() -> float:
            ended = timing.process(parse, root)
            peaks.append(ended.peak_mb)
            return ended.seconds

        def bare() -> float:
            return timing.process([sys.executable, BARE, root], root).seconds

        times = timing.interleaved({"ours": ours, "bare": bare}, REPETITIONS)
    return {
        **timing.compared(times["ours"], times["bare"]),
        "peak_mb": round(statistics.median(peaks), 1),
        "cold_s": round(cold.seconds, 2),
        "cold_peak_mb": round(cold.peak_mb, 1),
    }


if __name__ == "__main__":
    main()
