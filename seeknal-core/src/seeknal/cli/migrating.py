"""`seeknal migrate-state`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seeknal.cli.options import AsJson, ProjectPath
from seeknal.cli.words import columns, count
from seeknal.errors import RequestError
from seeknal.names import PROJECT_FILE

if TYPE_CHECKING:
    from seeknal.state.migration import Comparison
    from seeknal.workflow.open_project import OpenProject


def migrate_state(
    backend: Annotated[str, typer.Option("--backend", metavar="NAME", help="Where to copy it.")],
    project: ProjectPath = Path(),
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--no-dry-run", help="Only tell what would be copied.")
    ] = True,
    summary: Annotated[
        bool, typer.Option("--summary", help="Show what both hold, and where they differ.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what the new one holds already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the project's state to another backend, and compare the two.

    Its options are those under `state:` in the settings, whichever backend is named there. What
    is copied from is left as it is.
    """
    from seeknal.workflow.open_project import OpenProject

    with OpenProject(project) as opened:
        if backend == opened.settings.state.name:
            raise RequestError(
                f"The state of '{opened.settings.name}' is kept in '{backend}' already: name the "
                "backend to copy it to."
            )
        if not dry_run:
            _copy(opened, backend, overwrite, as_json)
        elif not summary:
            _tell_what_would_be_copied(opened, backend, as_json)
        if summary:
            _compare(opened, backend, as_json)


def _tell_what_would_be_copied(project: OpenProject, name: str, as_json: bool) -> None:
    from seeknal.state import migration

    target = project.state_backend(name)
    counts = migration.count(project.state)
    if as_json:
        answer = {"from": repr(project.state), "to": repr(target), "would_copy": counts}
        typer.echo(json.dumps(answer, indent=2))
        return
    typer.echo(f"from  {project.state!r}\nto    {target!r}\n")
    typer.echo("\n".join(f"{number:>9,}  {what}" for what, number in counts.items()))
    typer.echo("\nNothing was written. Copy it with --no-dry-run.")


def _copy(project: OpenProject, name: str, overwrite: bool, as_json: bool) -> None:
    from seeknal.state import migration

    with closing(project.state_backend(name)) as target, _progress() as progress:
        target.initialize()
        compared = migration.migrate(project.state, target, overwrite=overwrite, progress=progress)
    if as_json:
        typer.echo(json.dumps({"copied": {c.what: c.source for c in compared}}, indent=2))
        return
    copied = ", ".join(count(c.source, c.what.removesuffix("s")) for c in compared)
    typer.echo(
        f"Copied {copied}, and compared them: both are the same.\n"
        f"To use the copy, write `state: {name}` in {PROJECT_FILE}, or `name: {name}` under it. "
        f"What is in '{project.settings.state.name}' is left as it is."
    )


def _compare(project: OpenProject, name: str, as_json: bool) -> None:
    from seeknal.state import migration

    with closing(project.state_backend(name)) as target:
        target.initialize()
        compared = migration.compare(project.state, target)
    if as_json:
        typer.echo(json.dumps([asdict(c) for c in compared], indent=2))
        return
    typer.echo(_table(project.settings.state.name, name, compared))
    differing = [c.what for c in compared if not c.is_same]
    typer.echo(f"\nThey differ in {', '.join(differing)}." if differing else "\nThey are the same.")


def _table(source: str, target: str, compared: list[Comparison]) -> str:
    header = ("", source, target, "missing", "other", "too many")
    rows = [
        (c.what, *(f"{n:,}" for n in (c.source, c.target, c.missing, c.differing, c.extra)))
        for c in compared
    ]
    return columns(header, rows)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(
        TextColumn("Copying state"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as shown:
        task = shown.add_task("")
        yield lambda done, total: shown.update(task, completed=done, total=total)
