"""`seeknal plugins`."""

from __future__ import annotations

from pathlib import Path

import typer

from seeknal.cli.options import AsJson
from seeknal.cli.words import columns
from seeknal.plugins import Listed, Plugins


def list_plugins(as_json: AsJson = False) -> None:
    """Show which plugins are installed, and whether they work.

    In a project's folder, those that its seeknal_project.yml disables are shown as such.
    """
    listing = Plugins.of_project(Path()).listing()
    if as_json:
        import json

        typer.echo(json.dumps([line._asdict() for line in listing], indent=2))
        return
    header = [field.upper() for field in Listed._fields]
    typer.echo(columns(header, listing))
