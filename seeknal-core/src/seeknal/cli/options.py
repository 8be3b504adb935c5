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
Start = Annotated[
    str | None, typer.Option("--start", metavar="TIME", help="From this date or time on.")
]
End = Annotated[
    str | None, typer.Option("--end", metavar="TIME", help="To the end of a date, or to a time.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be computed.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Nodes at once.", show_default="processors")
]
ExecutorName = Annotated[
    str | None,
    typer.Option(
        "--executor", metavar="NAME", help="Where tasks run.", show_default="the project's"
    ),
]
EnvironmentName = Annotated[str, typer.Option("--env", metavar="NAME", help="The environment.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
AsJsonLines = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print JSON for programs: a line for each event, `run_finished` at the end.",
    ),
]
