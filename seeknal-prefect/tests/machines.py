"""Machines that run flows: a worker each, in a process and a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil


class Machine:
    """A worker that runs what is in a work pool, one flow run at a time.

    folder: where it works, and keeps its log. settings: of its environment, besides ours.
    """

    def __init__(self, folder: Path, pool: str, settings: Mapping[str, str] | None = None) -> None:
        self._log = (folder / "worker.log").open("w")
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--limit", "1"],
            cwd=folder,
            env={**os.environ, **(settings or {})},
            stdout=self._log,
            stderr=self._log,
        )

    @property
    def at_work(self) -> bool:
        """Whether a flow run's process is there."""
        children = psutil.Process(self._worker.pid).children(recursive=True)
        return any("prefect.engine" in " ".join(_command(child)) for child in children)

    def kill(self) -> None:
        """It is gone from one moment to the next, with all that it was at."""
        worker = psutil.Process(self._worker.pid)
        for process in [worker, *worker.children(recursive=True)]:
            process.kill()
        self._worker.wait()
        self._log.close()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has just ended
        return []
