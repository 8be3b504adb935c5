"""`seeknal init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    name: Annotated[str, typer.Argument(help="The project's name, and the folder to make.")],
) -> None:
    """Make a new project that runs as it is."""
    from seeknal.project.scaffold import create_project

    root = create_project(Path(name))
    typer.echo(f"Made {root}/. Now:\n\n  cd {root}\n  seeknal run\n")
