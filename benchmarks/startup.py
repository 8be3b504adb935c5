"""How long `seeknal --help` and `seeknal plugins` take, against importing Typer alone."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import timing

REPETITIONS = 21
MOST = 1.5
SEEKNAL = Path(sys.executable).with_name("seeknal")
COMMANDS: dict[str, list[str | Path]] = {
    "help": [SEEKNAL, "--help"],
    "plugins": [SEEKNAL, "plugins"],
    "bare": [sys.executable, "-c", "import typer"],
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:

        def side(command: list[str | Path]) -> timing.Side:
            return lambda: timing.process(command, Path(folder)).seconds

        times = timing.interleaved({n: side(c) for n, c in COMMANDS.items()}, REPETITIONS)
    bare = times.pop("bare")
    figures = {name: timing.judged(ours, bare, MOST) for name, ours in times.items()}
    met = all(f["met"] for f in figures.values())
    timing.report("startup", {**figures, "target": MOST, "met": met})


if __name__ == "__main__":
    main()
