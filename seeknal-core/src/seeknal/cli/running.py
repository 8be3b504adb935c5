"""`seeknal run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seeknal.cli.inspecting import warn
from seeknal.cli.options import AsJson, EnvironmentName, ProjectPath, Select


def run(
    project: ProjectPath = Path(),
    env: EnvironmentName = "prod",
    select: Select = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Compute anew even what has not changed.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Nodes at once.", show_default="processors")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute what is missing or has changed.

    Ends with 0 when all is done, 1 when a node failed, 130 after Ctrl-C. What has finished is
    kept: the next run does only what is missing.
    """
    from seeknal.cli.progress import JsonLines, Live, Plain
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.runner import RunRequest, run_project

    with OpenProject(project) as opened:
        request = RunRequest(env, select, full_refresh, workers)
        if as_json:
            progress: JsonLines | Live | Plain = JsonLines(sys.stdout)
            sys.stdout = sys.stderr
        else:
            progress = Live() if sys.stdout.isatty() else Plain()
        opened.plugins.listen("progress", progress)
        _ = opened.manifest
        warn(opened)
        with progress:
            summary = run_project(opened, request)
    if summary.status == "interrupted":
        raise typer.Exit(130)
    if summary.status == "failed":
        raise typer.Exit(1)
