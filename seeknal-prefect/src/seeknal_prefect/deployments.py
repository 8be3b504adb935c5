"""Deployments: flows that Prefect starts, by a schedule, from its UI or through its API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import DeploymentApplyError, RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.types.entrypoint import EntrypointType
from prefect.utilities.urls import url_for
from prefect.workers.process import ProcessWorker
from pydantic import ValidationError

from seeknal.config import find_root, load_settings
from seeknal.errors import RequestError
from seeknal.workflow.cron_scheduler import SHORTHANDS, CronScheduler
from seeknal.workflow.intervals import LAST
from seeknal_prefect.flows import BACKFILL_FLOW, seeknal_backfill_flow, seeknal_run_flow
from seeknal_prefect.server import require_server, telling_of_servers

WORK_POOL = "seeknal"
_BANNED = "/%&<>"


class Deployed(NamedTuple):
    """name: as `prefect deployment run` wants it. url: in Prefect's UI; None where it has none."""

    id: str
    name: str
    url: str | None


def create_prefect_deployment(
    flow_name: str,
    deployment_name: str,
    project_path: str | Path,
    schedule: str | None,
    tags: Sequence[str] | None = None,
    *,
    timezone: str | None = None,
    work_pool: str = WORK_POOL,
) -> Deployed:
    """Deploy flow to Prefect for scheduled execution, or update the deployment of these names.

    flow_name: any name under which the project's run shall be shown; "seeknal-backfill" deploys
    the backfill, which is given its parameters when it is started, and so has no schedule.
    project_path: made absolute; workers must have the project in the same place. schedule: a cron
    expression, as `0 2 * * *`, or a shorthand, as @daily; None for none. timezone: whose wall clock
    the schedule speaks of; the project's by default. work_pool: made, as one of processes, when
    there is none of this name. Raises RequestError for what can't be, NoServerError when no server
    answers.
    """
    deployment = describe(
        flow_name, deployment_name, project_path, schedule, tags, timezone=timezone
    )
    require_server()
    with telling_of_servers():
        _make_work_pool(work_pool)
        deployment.work_pool_name = work_pool
        try:
            deployment_id = deployment.apply()
            assert isinstance(deployment_id, UUID)  # called outside of an event loop
        except DeploymentApplyError as error:
            raise RequestError(f"Prefect takes no such deployment: {error}") from error
        if schedule is None:
            _unschedule(deployment.full_name)
    url = url_for("deployment", obj_id=deployment_id)
    return Deployed(str(deployment_id), deployment.full_name, url)


def describe(
    flow_name: str,
    deployment_name: str,
    project_path: str | Path,
    schedule: str | None,
    tags: Sequence[str] | None = None,
    *,
    timezone: str | None = None,
) -> RunnerDeployment:
    """What would be deployed, without asking any server. See `create_prefect_deployment`."""
    for name in (flow_name, deployment_name):
        if not name or any(character in name for character in _BANNED):
            raise RequestError(f"{name!r} can't name it: use a name without any of {_BANNED}")
    root = find_root(project_path)
    flow: Flow[..., Any] = seeknal_run_flow
    if flow_name == BACKFILL_FLOW:
        flow = seeknal_backfill_flow
        if schedule is not None:
            raise RequestError(
                "A backfill has no schedule: it is started with a node and a stretch of time. What "
                "is due at each moment is computed by the flow that runs the project."
            )
    found = RunnerDeployment.from_flow(
        flow,
        name=deployment_name,
        tags=sorted(tags or ()),
        description=(flow.description or "").partition("\n\nArgs:")[0],
        parameters={"project_path": str(root)},
        schedules=[_schedule(schedule, timezone or load_settings(root).timezone)]
        if schedule is not None
        else [],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    found.flow_name = flow_name
    return found


def _schedule(schedule: str, timezone: str) -> Any:
    """Prefect's form of a schedule that ours understands. Raises RequestError."""
    next(CronScheduler().ticks(schedule, timezone, datetime.now(UTC), LAST), None)
    try:
        return CronSchedule(cron=SHORTHANDS.get(schedule.strip(), schedule), timezone=timezone)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise RequestError(f"Prefect can't keep the schedule {schedule!r}: {message}") from error


def _make_work_pool(name: str) -> None:
    """Unless there is one of this name, of whichever type."""
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(name)
            return
        except ObjectNotFound:
            pass
        try:
            client.create_work_pool(
                WorkPoolCreate(
                    name=name,
                    type="process",
                    base_job_template=ProcessWorker.get_default_base_job_template(),
                )
            )
        except ObjectAlreadyExists:
            pass


def _unschedule(full_name: str) -> None:
    """Prefect keeps the schedules of a deployment that is updated without any."""
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(full_name)
        for schedule in deployment.schedules:
            client.delete_deployment_schedule(deployment.id, schedule.id)
