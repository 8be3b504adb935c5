"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProjectPath = Annotated[
    Path, typer.Option("--project", "-p", metavar="PATH", help="The folder of the project.")
]
Select = Annotated[
    str | None,
    typer.Option(
        "--select",
        "-s",
        metavar="SELECTOR",
        help="Nodes: name, +name (and what it needs), name+ (and what needs it), tag:x, path:dir; "
        "several with spaces or commas.",
    ),
]
EnvironmentName = Annotated[str, typer.Option("--env", metavar="NAME", help="The environment.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
