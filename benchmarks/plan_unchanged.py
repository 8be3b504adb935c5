"""What `seeknal plan` costs when nothing has changed: bare is `seeknal parse` of the same project,
with 1,000 and with 10,000 nodes that are computed."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import projects
import timing

NODES = (1000, 10_000)
REPETITIONS = 7
MOST, MOST_SECONDS = 1.2, 2.0
SEEKNAL = Path(sys.executable).with_name("seeknal")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = {}
        for nodes in NODES:
            root = Path(folder) / str(nodes)
            projects.write_mixed_project(root, nodes)
            timing.process([SEEKNAL, "run"], root)
            sides = {
                name: lambda name=name, root=root: timing.process([SEEKNAL, name], root).seconds
                for name in ("plan", "parse")
            }
            times = timing.interleaved(sides, REPETITIONS)
            figures[f"nodes_{nodes}"] = timing.judged(times["plan"], times["parse"], MOST)
        quick = figures[f"nodes_{NODES[0]}"]["ours_s"] <= MOST_SECONDS
        met = quick and all(figure["met"] for figure in figures.values())
        timing.report("plan_unchanged", {**figures, "met": met})


if __name__ == "__main__":
    main()
