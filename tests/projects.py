"""Projects in a folder, and what tests do with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import tables_of
from seeknal.workflow.runner import RunRequest, run_project
from seeknal.workflow.task import RunSummary

SEEKNAL = str(Path(sys.executable).with_name("seeknal"))


def seeknal(
    *arguments: str, cwd: Path | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Call the command. It must end with this code, and without a traceback."""
    done = subprocess.run(
        [SEEKNAL, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def run(root: Path, **request: Any) -> RunSummary:
    with OpenProject(root) as opened:
        return run_project(opened, RunRequest(**request))


def query(root: Path, sql: str, environment: str = "prod") -> list[tuple[Any, ...]]:
    with OpenProject(root) as opened:
        return list(opened.engine.query(sql, tables_of(opened, environment)).rows)


class ProjectFolder:
    """A project to be written, run and asked."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        write(self.root, path, text)

    def run(self, **request: Any) -> RunSummary:
        return run(self.root, **request)

    def query(self, sql: str, environment: str = "prod") -> list[tuple[Any, ...]]:
        return query(self.root, sql, environment)
