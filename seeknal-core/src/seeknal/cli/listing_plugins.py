"""`seeknal plugins`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import typer

from seeknal.cli.options import AsJson, ProjectPath
from seeknal.cli.words import columns
from seeknal.plugins import Plugins


def list_plugins(project: ProjectPath = Path(), as_json: AsJson = False) -> None:
    """Show which plugins are installed, and whether they work.

    Plugins that the project's seeknal_project.yml disables are shown as such.
    """
    listing = Plugins.of_project(project).listing()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(line) for line in listing], indent=2))
        return
    header = [field.name.upper() for field in dataclasses.fields(listing[0])]
    typer.echo(columns(header, [dataclasses.astuple(line) for line in listing]))
