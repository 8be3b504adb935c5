"""Wheels of the members, and new environments that have nothing but what is installed from them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = [sys.executable, "-m", "uv"]


OURS = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")


def run(command: list[str | Path], cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in OURS}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def build(projects: Iterable[Path], folder: Path) -> None:
    """Put a wheel of each into a folder."""
    folder.mkdir(exist_ok=True)

    def build_one(project: Path) -> None:
        run([*UV, "build", "-q", "--wheel", project, "-o", folder], folder)

    with ThreadPoolExecutor() as threads:
        list(threads.map(build_one, projects))


def new_venv(place: Path, wheels: Path, *requirements: str) -> Path:
    """The `bin` of a new environment with these requirements. wheels: looked into before the
    index."""
    run([*UV, "venv", "-q", "--python", sys.executable, place], wheels)
    python = place / "bin/python"
    run([*UV, "pip", "install", "-q", "-p", python, "--find-links", wheels, *requirements], wheels)
    return place / "bin"
