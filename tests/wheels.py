"""Distributions as people get them: built as wheels, installed in a clean environment."""

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


def build(distributions: Iterable[Path], folder: Path) -> None:
    """Put the wheels of these source folders into a folder."""
    folder.mkdir(exist_ok=True)

    def build_one(source: Path) -> None:
        run([*UV, "build", "-q", "--wheel", source, "-o", folder], folder)

    with ThreadPoolExecutor() as threads:
        list(threads.map(build_one, distributions))


def install(wheels: Path, venv: Path, *requirements: str) -> Path:
    """Make an environment with these, and return where its commands are."""
    run([*UV, "venv", "-q", "--python", sys.executable, venv], venv.parent)
    python, links = venv / "bin/python", ["--find-links", wheels]
    run([*UV, "pip", "install", "-q", "-p", python, *links, *requirements], venv.parent)
    return venv / "bin"
