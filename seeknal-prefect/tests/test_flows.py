"""The flows as they are called, deployed, and run by a worker."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import Flow, flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.states import Cancelling, Scheduled

from seeknal.errors import RequestError
from seeknal.workflow.prefect_integration import (
    PrefectRunResult,
    create_prefect_deployment,
    seeknal_backfill_flow,
    seeknal_run_flow,
)

from .machines import Machine
from .shops import Shop, until

pytestmark = pytest.mark.usefixtures("server")

DAYS = [f"[2024-01-0{n}, 2024-01-0{n + 1})" for n in range(1, 6)]
SEEKNAL = str(Path(sys.executable).with_name("seeknal"))


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")


def newest(client: SyncPrefectClient, name: str) -> FlowRun:
    """The last flow run of this name."""
    wanted = FlowRunFilter.model_validate({"name": {"any_": [name]}})
    return max(client.read_flow_runs(flow_run_filter=wanted), key=lambda run: run.created)


def newest_artifact(client: SyncPrefectClient, flow_run: FlowRun, key: str) -> Any:
    wanted = ArtifactFilter.model_validate(
        {"flow_run_id": {"any_": [flow_run.id]}, "key": {"any_": [key]}}
    )
    return max(client.read_artifacts(artifact_filter=wanted), key=lambda a: a.created).data


def artifacts_of(client: SyncPrefectClient, flow_run: FlowRun) -> dict[str, Any]:
    wanted = ArtifactFilter.model_validate({"flow_run_id": {"any_": [flow_run.id]}})
    return {str(a.key): a.data for a in client.read_artifacts(artifact_filter=wanted)}


def test_a_run_returns_what_became_of_every_node(shop: Shop, client: SyncPrefectClient) -> None:
    assert isinstance(seeknal_run_flow, Flow)
    results = seeknal_run_flow(project_path=str(shop.root), parallel=True)
    assert list(results) == [
        "source.orders", "transform.daily", "transform.largest", "transform.total",
    ]  # fmt: skip
    for result in results.values():
        assert isinstance(result, PrefectRunResult)
        assert (result.success, result.exit_code, result.stderr) == (True, 0, "")
        assert result.duration_seconds > 0
    assert "source.orders: 20 rows" in results["source.orders"].stdout
    assert shop.query("FROM total") == [(1900,)]

    flow_run = newest(client, f"run of {shop.root}")
    assert flow_run.state_name == "Completed"
    artifacts = artifacts_of(client, flow_run)
    assert "8 to compute" in artifacts["seeknal-plan"]
    assert '"node": "transform.total", "status": "success", "rows": 1' in artifacts["seeknal-run"]

    again = seeknal_run_flow(str(shop.root))
    assert {result.stdout for result in again.values()} == {"up to date"}


def test_only_the_named_nodes_are_run_one_by_one(shop: Shop) -> None:
    nodes = ["source.orders", "transform.largest"]
    assert list(seeknal_run_flow(str(shop.root), parallel=False, node_ids=nodes)) == nodes
    assert sorted(shop.pointers) == nodes
    assert seeknal_run_flow(str(shop.root), node_ids=[]) == {}
    with pytest.raises(RequestError, match=r"no node 'transform.larges'. Did you mean"):
        seeknal_run_flow(str(shop.root), node_ids=["transform.larges"])


def test_what_went_wrong_is_returned_and_the_flow_run_has_failed(
    shop: Shop, client: SyncPrefectClient
) -> None:
    shop.sql("largest", "SELECT CAST('x' AS INTEGER) AS x FROM ref('source.orders')")
    shop.sql("after", "FROM ref('transform.largest')")
    results = seeknal_run_flow(str(shop.root))
    assert results["transform.total"].success
    assert (results["transform.largest"].success, results["transform.largest"].exit_code) == (
        False,
        1,
    )
    assert "seeknal/largest.sql:1" in results["transform.largest"].stderr
    assert "transform.largest failed" in results["transform.after"].stderr
    flow_run = newest(client, f"run of {shop.root}")
    assert flow_run.state_name == "Failed"
    assert flow_run.state is not None
    assert flow_run.state.message == "Not done: transform.after, transform.largest"


def test_a_path_is_relative_to_where_one_is(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop.root.parent)
    assert seeknal_run_flow("shop", node_ids=["source.orders"])["source.orders"].success


def test_a_flow_may_be_part_of_another(shop: Shop) -> None:
    @flow
    def around() -> int:
        return len(seeknal_run_flow(str(shop.root)))

    assert around() == 4


def test_a_backfill_returns_its_intervals(shop: Shop, client: SyncPrefectClient) -> None:
    def backfill(end: str, **more: Any) -> dict[str, PrefectRunResult]:
        return seeknal_backfill_flow(str(shop.root), "transform.daily", "2024-01-01", end, **more)

    results = backfill("2024-01-03")
    assert list(results) == DAYS[:3]
    assert all(result.success and result.duration_seconds > 0 for result in results.values())
    flow_run = newest(client, "transform.daily [2024-01-01, 2024-01-03]")
    assert artifacts_of(client, flow_run)["seeknal-backfill"] == 100
    assert len(shop.intervals) == 3

    results = backfill("2024-01-05", parallel=False)
    assert [result.stdout == "complete already" for result in results.values()] == (
        [True] * 3 + [False] * 2
    )
    assert len(shop.query("FROM daily")) == 5
    assert list(backfill("2024-01-07")) == DAYS  # the node's own time ends before
    assert list(backfill("2024-01-05", schedule="0 0 4 * *")) == [
        "[2024-01-01, 2024-01-04)", "[2024-01-04, 2024-01-06)",
    ]  # fmt: skip


def test_a_backfill_that_fails_says_in_which_interval(shop: Shop) -> None:
    shop.sql(
        "daily",
        "SELECT CAST(day AS DATE) AS day, "
        "CASE WHEN amount = 30 THEN CAST(error('no thirty') AS INTEGER) ELSE amount END AS amount "
        "FROM ref('source.orders') WHERE day >= {{ start }} AND day < {{ end }}",
        "schedule: '@daily'\nstart: 2024-01-01\nend: 2024-01-05\nincremental: {time_column: day}\n",
    )
    results = seeknal_backfill_flow(str(shop.root), "daily", "2024-01-01", "2024-01-05")
    assert list(results) == DAYS
    assert [result.success for result in results.values()] == [True, True, True, False, True]
    assert "no thirty" in results[DAYS[3]].stderr
    assert len(shop.intervals) == 4


# --- Deployments ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worker(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine that runs what is deployed to it."""
    machine = Machine(tmp_path_factory.mktemp("machine"), "flock")
    yield machine
    machine.kill()


def deploy(shop: Shop, name: str, schedule: str | None = None) -> str:
    deployed = create_prefect_deployment(
        "seeknal-run-pipeline", name, shop.root, schedule, work_pool="flock"
    )
    return str(deployed.name)


def test_deploying_again_updates(shop: Shop, client: SyncPrefectClient) -> None:
    first = create_prefect_deployment(
        flow_name="daily-pipeline",
        deployment_name="production",
        project_path=shop.root,
        schedule="0 2 * * *",
        tags=["etl", "production"],
    )
    deployment = client.read_deployment(UUID(first.id))
    assert first.name == "daily-pipeline/production"
    assert first.url is not None
    assert first.id in first.url
    assert deployment.entrypoint == "seeknal_prefect.flows.seeknal_run_flow"
    assert deployment.parameters == {"project_path": str(shop.root)}
    assert deployment.work_pool_name == "seeknal"
    assert client.read_work_pool("seeknal").type == "process"
    assert deployment.tags == ["etl", "production"]
    assert [_cron(s) for s in deployment.schedules] == [("0 2 * * *", "UTC")]

    second = create_prefect_deployment(
        "daily-pipeline", "production", shop.root, "@hourly", timezone="Europe/Berlin"
    )
    assert second.id == first.id
    deployment = client.read_deployment(UUID(first.id))
    assert [_cron(s) for s in deployment.schedules] == [("0 * * * *", "Europe/Berlin")]
    assert deployment.tags == []
    create_prefect_deployment("daily-pipeline", "production", shop.root, None)
    assert client.read_deployment(UUID(first.id)).schedules == []


def _cron(schedule: Any) -> tuple[str, str]:
    return schedule.schedule.cron, schedule.schedule.timezone


@pytest.mark.usefixtures("worker")
def test_a_worker_runs_what_is_asked_for_by_api(shop: Shop) -> None:
    name = deploy(shop, "by-api")
    flow_run: Any = run_deployment(name, timeout=60, poll_interval=0.5)
    assert flow_run.state_name == "Completed"
    local = Shop(shop.root.with_name("local"))
    local.run()
    assert shop.stored == local.stored
    assert shop.pointers == local.pointers
    assert shop.query("FROM total") == [(1900,)]


@pytest.mark.usefixtures("worker")
def test_a_worker_runs_what_is_due(shop: Shop, client: SyncPrefectClient) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=8)
    name = deploy(shop, "by-schedule", f"* * * * * {soon.second}")
    deployment = client.read_deployment_by_name(name).id
    wanted = FlowRunFilter.model_validate(
        {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": ["COMPLETED"]}}}
    )
    try:
        until(lambda: client.read_flow_runs(flow_run_filter=wanted), 120)
    finally:
        client.delete_deployment(deployment)
    assert shop.query("FROM total") == [(1900,)]


def test_a_cancelled_run_goes_on_where_it_stopped(
    shop: Shop, client: SyncPrefectClient, worker: Machine
) -> None:
    slow = "SELECT count(*) AS n FROM ref('transform.total'), range(100000) a, range(100000000) b "
    shop.sql("slow", slow + "WHERE sin(a.range + b.range) > 5")
    flow_run: Any = run_deployment(deploy(shop, "cancelled"), timeout=0)
    total = shop.root / "target" / "snapshots" / "transform.total"
    until(total.exists)
    time.sleep(1)
    client.set_flow_run_state(flow_run.id, Cancelling())
    until(lambda: client.read_flow_run(flow_run.id).state_name == "Cancelled")
    until(lambda: [r.status for r in _runs(shop)] == ["interrupted"], 10)
    until(lambda: not worker.at_work)
    time.sleep(5)  # the worker may say once more that it was cancelled

    shop.sql("slow", "SELECT amount AS n FROM ref('transform.total')")
    client.set_flow_run_state(flow_run.id, Scheduled(name="AwaitingRetry"))  # as the UI's Retry
    until(lambda: client.read_flow_run(flow_run.id).state_name == "Completed")
    assert client.read_flow_run(flow_run.id).run_count == 2
    table = newest_artifact(client, flow_run, "seeknal-run")
    assert '"transform.slow"' in table
    assert '"transform.total"' not in table
    assert shop.query("FROM slow") == [(1900,)]


def _runs(shop: Shop) -> list[Any]:
    from seeknal.workflow.open_project import OpenProject

    with OpenProject(shop.root) as project:
        return list(project.state.list_runs())


# --- Commands -------------------------------------------------------------------------------


def seeknal(*arguments: str, code: int = 0, **options: Any) -> str:
    done = subprocess.run(
        [SEEKNAL, *arguments], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_the_commands(shop: Shop, client: SyncPrefectClient) -> None:
    options = ["--cron", "@daily", "--timezone", "Asia/Tokyo", "--tags", "a, b"]
    told = seeknal("prefect", "deploy", *options, "--work-pool", "pool", cwd=shop.root)
    run = client.read_deployment_by_name("seeknal-run-pipeline/shop")
    backfill = client.read_deployment_by_name("seeknal-backfill/shop")
    assert str(run.id) in told
    assert str(backfill.id) in told
    assert "prefect worker start --pool pool" in told
    assert _cron(run.schedules[0]) == ("0 0 * * *", "Asia/Tokyo")
    assert (run.tags, backfill.tags) == (["a", "b"], ["a", "b"])
    assert backfill.schedules == []
    assert backfill.entrypoint == "seeknal_prefect.flows.seeknal_backfill_flow"

    assert "transform.total: 1 rows" in seeknal("prefect", "run", cwd=shop.root)
    assert seeknal("run", "--executor", "prefect", cwd=shop.root).startswith("Nothing to compute")
    told = seeknal("prefect", "run", "--name", "nothing", cwd=shop.root, code=2)
    assert "no deployment 'seeknal-run-pipeline/nothing'" in told


def test_environments_are_applied_on_prefect(shop: Shop, client: SyncPrefectClient) -> None:
    seeknal("run", cwd=shop.root)
    shop.sql("largest", "SELECT max(amount) + 1 AS amount FROM ref('source.orders')")
    seeknal("plan", "dev", cwd=shop.root)
    seeknal("env", "apply", "dev", "--executor", "prefect", cwd=shop.root)
    wanted = FlowRunFilter.model_validate({"name": {"like_": "dev "}})
    (flow_run,) = client.read_flow_runs(flow_run_filter=wanted)
    assert flow_run.state_name == "Completed"
    assert '"transform.largest"' in artifacts_of(client, flow_run)["seeknal-run"]
    assert shop.query("FROM largest") == [(190,)]
