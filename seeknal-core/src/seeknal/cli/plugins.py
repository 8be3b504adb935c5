"""`seeknal plugins`, and `seeknal plugins new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seeknal.cli.options import AsJson
from seeknal.cli.quick import QuickGroup
from seeknal.cli.words import columns
from seeknal.plugins import Listed, Plugins

app = typer.Typer(
    cls=QuickGroup,
    add_completion=False,
    rich_markup_mode=None,
    invoke_without_command=True,
)


@app.callback()
def list_plugins(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show which plugins are installed, and whether they work.

    In a project's folder, those that its seeknal_project.yml disables are shown as such.
    """
    if ctx.invoked_subcommand:
        return
    listing = Plugins.of_project(Path()).listing()
    if as_json:
        import json

        typer.echo(json.dumps([line._asdict() for line in listing], indent=2))
        return
    header = [field.upper() for field in Listed._fields]
    typer.echo(columns(header, listing))


@app.command()
def new(
    kind: Annotated[
        str,
        typer.Argument(
            help="state-backend, classifier, scheduler, executor, engine, command or hooks."
        ),
    ],
    name: Annotated[str, typer.Argument(help="The name that users will write.")],
) -> None:
    """Make a package with a plugin of your own, that works as it is and passes its tests."""
    from seeknal.authoring.new_package import create_package
    from seeknal.cli.app import OWN
    from seeknal.errors import RequestError

    if kind == "command" and name in OWN:
        raise RequestError(f"'{name}' is a command of Seeknal itself: choose another name.")
    root = create_package(kind, name, Path())
    typer.echo(
        f'Made {root}/. Now:\n\n  cd {root}\n  pip install -e ".[dev]"\n  pytest\n\n'
        "README.md there tells what comes next.\n"
    )
