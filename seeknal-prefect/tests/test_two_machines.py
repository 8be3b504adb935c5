"""Two machines on one state and one storage: what they share, and what a death costs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment

from seeknal.state.records import Run
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.prefect_integration import create_prefect_deployment
from seeknal.workflow.timelines import timelines

from .machines import Machine
from .shops import Shop, until

pytestmark = pytest.mark.usefixtures("server")

DAYS = 50
WITHIN = 180.0
"""Seconds in which a backfill has come far enough, on a busy machine too."""

JANUARY = ("2024-01-01", "2024-01-31")
BUCKET = "lake"
SHARED = f"storage: s3://{BUCKET}/shop"


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The file system of an S3, with an empty bucket, of which the environment knows."""
    import s3fs
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "shop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    files.mkdir(BUCKET)
    yield files
    server.stop()


def make_shop(root: Path, settings: str, state: str) -> Shop:
    """Orders of fifty days; what they came to a day takes some time to find out."""
    shop = Shop(root, settings, state)
    rows = [f"{n},2024-{1 + n // 31:02}-{1 + n % 31:02},{n * 10}" for n in range(DAYS)]
    shop.write("orders.csv", "\n".join(["id,day,amount", *rows]) + "\n")
    shop.sql(
        "daily",
        "SELECT CAST(day AS DATE) AS day, sum(amount) AS amount FROM ref('source.orders') "
        "WHERE day >= {{ start }} AND day < {{ end }} "
        "AND (SELECT count(*) FROM range(10000000) WHERE sin(range) > 2) = 0 GROUP BY ALL",
        f"schedule: '@daily'\nstart: 2024-01-01\nend: 2024-02-{DAYS - 31}\n"
        "incremental: {time_column: day}\n",
    )
    return shop


def test_a_machine_that_dies_in_a_shared_backfill_costs_what_it_was_at(
    tmp_path: Path,
    postgresql: Callable[[], str],
    storage: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEEKNAL_STATE_URL", postgresql())
    first = make_shop(tmp_path / "one" / "shop", SHARED, "database")
    second = make_shop(tmp_path / "two" / "shop", SHARED, "database")
    backfills = [deploy(first, "one"), deploy(second, "two")]
    one, two = (Machine(tmp_path / name, name) for name in ("one", "two"))
    try:
        begin(backfills[0], *JANUARY)
        february = begin(backfills[1], "2024-02-01", "2024-02-19")
        until(lambda: days_pending(first, *JANUARY) < 31 - 3 and parts(storage, "202402"), WITHIN)
        one.kill()
        until(lambda: state_of(february) == "Completed", WITHIN)
        pending = days_pending(second)
        assert 0 < pending < 31 - 3

        resumed = begin(backfills[1], "2024-01-01", "2024-02-19")
        until(lambda: state_of(resumed) == "Completed", WITHIN)
    finally:
        two.kill()

    last, *others = runs(second)
    assert last.status == "success"
    assert [run.status == "success" for run in others].count(True) == 1
    assert days_computed(second, last.run_id) == pending
    assert days_pending(second) == 0

    local = make_shop(tmp_path / "local", "", "file")
    local.run(select="+daily")
    assert second.pointers == local.pointers
    assert second.intervals == local.intervals  # by names that hold a hash of what is in them
    assert len(second.intervals) == DAYS
    assert parts(storage) == sorted(
        Path(file).name for file in local.stored if file.startswith("transform.daily/")
    )
    assert second.query("FROM daily ORDER BY day") == local.query("FROM daily ORDER BY day")


def deploy(shop: Shop, machine: str) -> str:
    deployed = create_prefect_deployment(
        "seeknal-backfill", machine, shop.root, None, work_pool=machine
    )
    return str(deployed.name)


def begin(deployment: str, start: str, end: str) -> UUID:
    """A flow run, which a worker is to take."""
    stretch = {"node_id": "transform.daily", "start_date": start, "end_date": end}
    flow_run: Any = run_deployment(deployment, parameters=stretch, timeout=0)
    return UUID(str(flow_run.id))


def state_of(flow_run: UUID) -> str | None:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(flow_run).state_name


def parts(storage: Any, begin: str = "") -> list[str]:
    """The files of the node's parts, or of those whose interval begins like this; not what a dead
    machine was writing beside them, which `seeknal env cleanup` removes."""
    storage.invalidate_cache()
    files = storage.find(f"{BUCKET}/shop/snapshots/transform.daily")
    names = sorted(file.rpartition("/")[2] for file in files)
    return [name for name in names if name.startswith(begin) and not name.startswith(".")]


def runs(shop: Shop) -> list[Run]:
    with OpenProject(shop.root) as project:
        return project.state.list_runs()


def days_pending(shop: Shop, *bounds: str) -> int:
    with OpenProject(shop.root) as project:
        (line,) = timelines(project, "prod", "transform.daily", bounds=bounds or (None, None))
        return sum((one.end - one.start).days for one in line.pending)


def days_computed(shop: Shop, run_id: str) -> int | None:
    with OpenProject(shop.root) as project:
        states = {one.node_id: one for one in project.state.list_node_states(run_id)}
    return states["transform.daily"].tasks
