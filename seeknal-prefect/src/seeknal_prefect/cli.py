"""`seeknal prefect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seeknal.cli.options import ProjectPath

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seeknal_prefect.results import PrefectRunResult

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Run projects on Prefect, by a schedule or by hand.",
)

Name = Annotated[
    str | None,
    typer.Option("--name", help="Of the deployments.", show_default="the project's"),
]
Cron = Annotated[
    str | None, typer.Option("--cron", metavar="SCHEDULE", help="As '0 2 * * *', or @daily.")
]
Timezone = Annotated[
    str | None,
    typer.Option("--timezone", metavar="ZONE", help="Of --cron.", show_default="the project's"),
]
Tags = Annotated[str | None, typer.Option("--tags", help="Of the deployments, with commas.")]


@app.callback()
def group() -> None:
    pass


@app.command()
def deploy(
    project: ProjectPath = Path(),
    name: Name = None,
    cron: Cron = None,
    timezone: Timezone = None,
    work_pool: Annotated[
        str, typer.Option("--work-pool", metavar="POOL", help="Made if there is none.")
    ] = "seeknal",
    tags: Tags = None,
) -> None:
    """Deploy the project's run, and its backfill, to a Prefect server.

    The same command again updates them. A worker, with this project in the same place, carries
    them out: `prefect worker start --pool POOL`.
    """
    from seeknal_prefect.deployments import create_prefect_deployment
    from seeknal_prefect.flows import BACKFILL_FLOW, RUN_FLOW

    chosen = name or _name_of(project)
    for flow_name, schedule in ((RUN_FLOW, cron), (BACKFILL_FLOW, None)):
        deployed = create_prefect_deployment(
            flow_name,
            chosen,
            project,
            schedule,
            _split(tags),
            timezone=timezone,
            work_pool=work_pool,
        )
        typer.echo(f"{deployed.name}  {deployed.id}")
        if deployed.url:
            typer.echo(f"  {deployed.url}")
    typer.echo(f"Start a worker with `prefect worker start --pool {work_pool}`.")


@app.command()
def serve(
    project: ProjectPath = Path(),
    name: Name = None,
    cron: Cron = None,
    timezone: Timezone = None,
    tags: Tags = None,
) -> None:
    """Deploy them, and carry them out in this process until it is stopped: no worker is needed."""
    from prefect import serve as serve_deployments

    from seeknal_prefect.deployments import describe
    from seeknal_prefect.flows import BACKFILL_FLOW, RUN_FLOW
    from seeknal_prefect.server import require_server

    chosen = name or _name_of(project)
    described = [
        describe(flow_name, chosen, project, schedule, _split(tags), timezone=timezone)
        for flow_name, schedule in ((RUN_FLOW, cron), (BACKFILL_FLOW, None))
    ]
    require_server()
    serve_deployments(*described)


@app.command()
def run(
    project: ProjectPath = Path(),
    name: Annotated[
        str | None,
        typer.Option("--name", help="Of a deployment, which a worker then runs."),
    ] = None,
) -> None:
    """Run the project as a flow run of this process, or have a worker run a deployment of it.

    Ends with 0 when all is done, 1 when a node failed.
    """
    if name is not None:
        _run_deployment(name)
        return
    from seeknal.config import find_root
    from seeknal_prefect.flows import seeknal_run_flow
    from seeknal_prefect.server import require_server

    root = find_root(project)
    require_server(may_start=True)
    _tell(seeknal_run_flow(str(root)))


def _run_deployment(name: str) -> None:
    from prefect.client.schemas.objects import FlowRun
    from prefect.deployments import run_deployment
    from prefect.exceptions import ObjectNotFound

    from seeknal.errors import RequestError
    from seeknal_prefect.flows import RUN_FLOW
    from seeknal_prefect.server import require_server, telling_of_servers

    full_name = name if "/" in name else f"{RUN_FLOW}/{name}"
    require_server()
    with telling_of_servers():
        try:
            flow_run = run_deployment(full_name)
            assert isinstance(flow_run, FlowRun)  # called outside of an event loop
        except ObjectNotFound:
            raise RequestError(
                f"There is no deployment '{full_name}': make it with `seeknal prefect deploy`."
            ) from None
    state = flow_run.state
    typer.echo(f"{flow_run.name}: {state.name if state else 'unknown'}")
    if state is None or not state.is_completed():
        raise typer.Exit(1)


def _tell(results: Mapping[str, PrefectRunResult]) -> None:
    for node_id, result in results.items():
        typer.echo(result.stdout or result.stderr.partition("\n")[0] or node_id)
    if not all(result.success for result in results.values()):
        raise typer.Exit(1)


def _name_of(project: Path) -> str:
    from seeknal.config import find_root, load_settings

    return load_settings(find_root(project)).name


def _split(tags: str | None) -> list[str]:
    return [tag.strip() for tag in (tags or "").split(",") if tag.strip()]
