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

HELD_AT = "2024-01-09"
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


NODE = """
import time
from pathlib import Path
from seeknal.pipeline import transform

@transform(
    inputs=["source.orders"], schedule="@daily", start="2024-01-01", end="2024-02-19",
    incremental={"time_column": "day"},
)
def daily(ctx):
    start, end = ctx.interval
    held = Path(__file__).with_name("held.txt")
    while held.exists() and f"{start:%F}" >= held.read_text():
        time.sleep(0.1)
    return ctx.duckdb.sql(
        "SELECT CAST(day AS DATE) AS day, sum(amount) AS amount FROM source.orders "
        f"WHERE day >= '{start:%F}' AND day < '{end:%F}' GROUP BY ALL"
    )
"""


def make_shop(root: Path, settings: str, state: str) -> Shop:
    """Orders of fifty days. A machine is held up at the day that stands in a file of its own."""
    shop = Shop(root, settings, state)
    rows = [f"{n},2024-{1 + n // 31:02}-{1 + n % 31:02},{n * 10}" for n in range(DAYS)]
    shop.write("orders.csv", "\n".join(["id,day,amount", *rows]) + "\n")
    (root / "seeknal" / "daily.sql").unlink()
    shop.write("seeknal/daily.py", NODE)
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
    first.write("seeknal/held.txt", HELD_AT)
    backfills = [deploy(first, "one"), deploy(second, "two")]
    one, two = (Machine(tmp_path / name, name) for name in ("one", "two"))
    try:
        begin(backfills[0], "2024-01-01", "2024-01-31")
        february = begin(backfills[1], "2024-02-01", "2024-02-19")
        until(lambda: state_of(february) == "Completed", WITHIN)
        until(lambda: days_pending(second) == 31 - 8, WITHIN)
        one.kill()

        resumed = begin(backfills[1], "2024-01-01", "2024-02-19")
        until(lambda: state_of(resumed) == "Completed", WITHIN)
    finally:
        two.kill()

    last, *others = runs(second)
    assert last.status == "success"
    assert [run.status == "success" for run in others].count(True) == 1
    assert days_computed(second, last.run_id) == 31 - 8
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


def parts(storage: Any) -> list[str]:
    """The files of the node's parts; not what a dead machine was writing beside them, which
    `seeknal env cleanup` removes."""
    storage.invalidate_cache()
    files = storage.find(f"{BUCKET}/shop/snapshots/transform.daily")
    names = sorted(file.rpartition("/")[2] for file in files)
    return [name for name in names if not name.startswith(".")]


def runs(shop: Shop) -> list[Run]:
    with OpenProject(shop.root) as project:
        return project.state.list_runs()


def days_pending(shop: Shop) -> int:
    with OpenProject(shop.root) as project:
        (line,) = timelines(project, "prod", "transform.daily")
        return sum((one.end - one.start).days for one in line.pending)


def days_computed(shop: Shop, run_id: str) -> int | None:
    with OpenProject(shop.root) as project:
        states = {one.node_id: one for one in project.state.list_node_states(run_id)}
    return states["transform.daily"].tasks
