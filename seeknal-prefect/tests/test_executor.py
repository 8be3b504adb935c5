"""The executor: what it computes is what a local run computes, and Prefect shows how."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from contextvars import copy_context
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.states import Cancelling

from seeknal.state.housekeeping import close_abandoned_runs
from seeknal.workflow import runner
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.task import RunSummary
from seeknal_prefect import executor

from .shops import Project, Shop

pytestmark = pytest.mark.usefixtures("server")

DAILY = [f"transform.daily [2024-01-0{n}, 2024-01-0{n + 1})" for n in range(1, 6)]
FLIGHTS = Path(__file__).parents[2] / "examples" / "nyc_flights"
SLOW = (
    "SELECT count(*) AS n FROM range(100000) a, range(1000000000) b "
    "WHERE sin(a.range + b.range) > 5"
)


def flow_run_of(run_id: str) -> FlowRun:
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate({"name": {"like_": run_id}})
        )
    assert len(found) == 1
    return found[0]


def task_runs_of(flow_run: FlowRun, count: int) -> dict[str, TaskRun]:
    """By name. What happens to task runs is told to the server in the background: wait for it."""
    wanted = TaskRunFilter.model_validate({"flow_run_id": {"any_": [flow_run.id]}})
    deadline = time.monotonic() + 20
    while True:
        with get_client(sync_client=True) as client:
            found = client.read_task_runs(task_run_filter=wanted)
        over = [run for run in found if run.state and run.state.is_final()]
        if len(over) >= count or time.monotonic() > deadline:
            assert len(over) == len(found) == count, [(r.name, r.state_name) for r in found]
            return {run.name: run for run in found}
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("task_runner", "state"),
    [("threads", "file"), ("threads", "database"), ("processes", "database"), ("dask", "file")],
)
def test_computes_what_a_local_run_computes(tmp_path: Path, task_runner: str, state: str) -> None:
    settings = f"executor: {{name: local, prefect: {{task_runner: {task_runner}, workers: 2}}}}"
    local, prefect = (Shop(tmp_path / name, settings, state) for name in ("local", "prefect"))
    local.run()
    summary = prefect.run("prefect")
    assert [result.error for result in summary.results.values()] == [None] * 8
    assert prefect.pointers == local.pointers
    assert prefect.intervals == local.intervals
    assert prefect.stored == local.stored
    assert prefect.query("FROM total") == [(1900,)]

    flow_run = flow_run_of(summary.run_id)
    assert flow_run.state_name == "Completed"
    runs = task_runs_of(flow_run, 8)
    assert sorted(runs) == sorted(["source.orders", "transform.largest", "transform.total", *DAILY])
    assert {tuple(runs[name].tags) for name in DAILY} == {("money",)}

    again = prefect.run("prefect")
    assert (again.results, again.unchanged) == ({}, 4)


def test_the_flights_are_the_same_wherever_they_are_computed(tmp_path: Path) -> None:
    local, prefect = (Project(tmp_path / name) for name in ("local", "prefect"))
    for project in (local, prefect):
        shutil.copytree(FLIGHTS, project.root, ignore=shutil.ignore_patterns("target"))
    local.run()
    summary = prefect.run("prefect")
    assert (summary.status, summary.count("success")) == ("success", len(local.pointers))
    assert prefect.pointers == local.pointers
    assert prefect.stored == local.stored


def test_a_failed_node_fails_its_task_run_and_the_next_run_does_what_is_missing(
    tmp_path: Path,
) -> None:
    shop = Shop(tmp_path)
    shop.sql("bad", "SELECT amount FROM ref('source.orders') WHERE CAST('x' AS INTEGER) = amount")
    shop.sql("worse", "FROM ref('transform.bad')")
    summary = shop.run("prefect")
    assert summary.nodes["transform.bad"] == "failed"
    assert summary.nodes["transform.worse"] == "skipped"
    assert summary.results["transform.bad"].place == "seeknal/bad.sql:1"
    assert summary.count("success") == 4

    flow_run = flow_run_of(summary.run_id)
    assert flow_run.state_name == "Failed"
    bad = task_runs_of(flow_run, 9)["transform.bad"]
    assert bad.state is not None
    assert bad.state_name == "Failed"
    assert "seeknal/bad.sql:1" in str(bad.state.message)

    shop.sql("bad", "SELECT amount FROM ref('source.orders') WHERE amount > 100")
    summary = shop.run("prefect")
    assert summary.status == "success"
    assert set(summary.results) == {"transform.bad", "transform.worse"}
    assert shop.query("SELECT count(*) FROM worse") == [(9,)]


FLAKY = """
from pathlib import Path
from seeknal.pipeline import transform

@transform(inputs=["source.orders"], retries=2, retry_delay=0.05)
def flaky(ctx):
    tries = Path(__file__).with_name("tries.txt")
    count = len(tries.read_text()) if tries.exists() else 0
    tries.write_text("x" * (count + 1))
    if count < {bad}:
        raise ValueError("not yet")
    return ctx.duckdb.sql("SELECT count(*) AS orders FROM source.orders")
"""


@pytest.mark.parametrize(("bad", "status", "tries"), [(2, "success", 3), (3, "failed", 3)])
def test_a_node_is_tried_as_often_as_it_says(
    tmp_path: Path, bad: int, status: str, tries: int
) -> None:
    shop = Shop(tmp_path)
    shop.write("seeknal/flaky.py", FLAKY.replace("{bad}", str(bad)))
    summary = shop.run("prefect", select="+flaky")
    assert summary.nodes["transform.flaky"] == status
    assert (tmp_path / "seeknal/tries.txt").read_text() == "x" * tries
    run = task_runs_of(flow_run_of(summary.run_id), 2)["transform.flaky"]
    assert run.run_count == tries
    assert run.state_name == ("Completed" if status == "success" else "Failed")


@pytest.mark.parametrize("batch", ["4", "auto"])
def test_nodes_in_a_batch_have_results_of_their_own(tmp_path: Path, batch: str) -> None:
    shop = Shop(tmp_path, f"executor: {{name: local, prefect: {{workers: 2, batch: {batch}}}}}")
    for n in range(24):
        shop.sql(f"n{n}", f"SELECT max(amount) + {n} AS x FROM ref('source.orders')")
    shop.sql("bad", "SELECT CAST('x' AS INTEGER) + max(amount) AS x FROM ref('source.orders')")
    shop.sql("worse", "FROM ref('transform.bad')")
    summary = shop.run("prefect")
    assert summary.count("success") == 28
    assert {i: s for i, s in summary.nodes.items() if s != "success"} == {
        "transform.bad": "failed",
        "transform.worse": "skipped",
    }
    assert shop.query("SELECT x FROM n23") == [(213,)]
    with get_client(sync_client=True) as client:
        flow_run = flow_run_of(summary.run_id)
        time.sleep(2)
        wanted = TaskRunFilter.model_validate({"flow_run_id": {"any_": [flow_run.id]}})
        runs = client.read_task_runs(task_run_filter=wanted)
    assert len(runs) < 20
    assert any(" and 3 more" in run.name for run in runs) or batch == "auto"


def test_nodes_that_need_each_other_share_a_prefect_task(tmp_path: Path) -> None:
    """On threads one that is at work goes on with what it has made possible."""
    shop = Shop(tmp_path, "executor: {name: local, prefect: {workers: 1, batch: 20}}")
    shop.sql("step0", "SELECT max(amount) AS amount FROM ref('source.orders')")
    for n in range(1, 10):
        shop.sql(f"step{n}", f"SELECT amount + {n} AS amount FROM ref('transform.step{n - 1}')")
    summary = shop.run("prefect", select="+step9")
    assert summary.count("success") == 11
    assert shop.query("FROM step9") == [(190 + 45,)]
    assert list(task_runs_of(flow_run_of(summary.run_id), 1)) == ["source.orders and 10 more"]


LIMITED = """
import time
from pathlib import Path
from seeknal.pipeline import transform

def work(ctx):
    began = time.monotonic()
    time.sleep(0.4)
    with Path(__file__).with_name("times.txt").open("a") as times:
        times.write(f"{began} {time.monotonic()}\\n")
    return ctx.duckdb.sql("SELECT 1 AS one")
"""


def test_a_concurrency_limit_on_a_tag_holds_for_the_nodes_that_have_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "executor: {name: local, prefect: {workers: 4}}")
    node = """
@transform(inputs=["source.orders"], tags=["scarce"])
def limited{n}(ctx):
    return work(ctx)
"""
    nodes = "".join(node.replace("{n}", str(n)) for n in range(4))
    shop.write("seeknal/limited.py", LIMITED + nodes)
    with get_client(sync_client=True) as client:
        client.create_concurrency_limit("scarce", 1)
        try:
            summary = shop.run("prefect")
        finally:
            client.delete_concurrency_limit_by_tag("scarce")
    assert summary.status == "success"
    times = [line.split() for line in (tmp_path / "seeknal/times.txt").read_text().splitlines()]
    spans = sorted((float(began), float(ended)) for began, ended in times)
    assert len(spans) == 4
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_a_worker_that_dies_costs_its_task_and_nothing_else(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "executor: {name: local, prefect: {task_runner: processes, workers: 1}}")
    shop.write(
        "seeknal/deadly.py",
        """
import os, signal
from pathlib import Path
from seeknal.pipeline import transform

@transform(inputs=["source.orders"])
def deadly(ctx):
    marker = Path(__file__).with_name("died.txt")
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return ctx.duckdb.sql("SELECT 1 AS alive")

@transform(inputs=["source.orders"])
def always(ctx):
    with Path(__file__).with_name("deaths.txt").open("a") as deaths:
        deaths.write("x")
    os.kill(os.getpid(), signal.SIGKILL)
""",
    )
    summary = shop.run("prefect", select="+deadly +total")
    assert summary.status == "success"
    assert shop.query("FROM deadly") == [(1,)]
    states = {run.state_name for run in _all_task_runs(summary.run_id, "transform.deadly")}
    assert states == {"Crashed", "Completed"}

    summary = shop.run("prefect", select="always")
    assert summary.nodes["transform.always"] == "failed"
    assert "workers have died" in str(summary.results["transform.always"].error)
    assert (tmp_path / "seeknal/deaths.txt").read_text() == "xxx"


def _all_task_runs(run_id: str, name: str) -> list[TaskRun]:
    flow_run = flow_run_of(run_id)
    wanted: dict[str, Any] = {"flow_run_id": {"any_": [flow_run.id]}, "name": {"any_": [name]}}
    deadline = time.monotonic() + 20
    while True:
        with get_client(sync_client=True) as client:
            runs = client.read_task_runs(task_run_filter=TaskRunFilter.model_validate(wanted))
        final = all(run.state and run.state.is_final() for run in runs)
        if (len(runs) == 2 and final) or time.monotonic() > deadline:
            return runs
        time.sleep(0.2)


@pytest.mark.parametrize("task_runner", ["threads", "processes"])
def test_cancelling_the_flow_run_stops_the_query(
    tmp_path: Path, task_runner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if task_runner == "processes":  # let the worker be the first to see it, and the only one
        monkeypatch.setattr(executor, "_stop_when_cancelled", lambda host, run_id: None)
    settings = f"executor: {{name: local, prefect: {{task_runner: {task_runner}, workers: 1}}}}"
    shop = Shop(tmp_path, settings)
    shop.sql(
        "slow", SLOW.replace("FROM range(100000)", "FROM ref('transform.total'), range(100000)")
    )
    running, ended = run_beside(shop)
    flow_run = _wait_until_it_runs("transform.slow")
    time.sleep(0.5)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run.id, Cancelling())
    cancelled = time.monotonic()
    running.join(30)
    assert not running.is_alive()
    assert time.monotonic() - cancelled < 12
    (summary,) = ended
    assert summary.status == "interrupted"
    assert summary.nodes["transform.slow"] == "interrupted"
    assert flow_run_of(summary.run_id).state_name == "Cancelled"
    with OpenProject(shop.root) as project:
        close_abandoned_runs(project.state)
        recorded = project.state.get_run(summary.run_id)
    assert recorded is not None
    assert recorded.status == "interrupted"

    shop.sql("slow", "SELECT amount AS n FROM ref('transform.total')")
    summary = shop.run("prefect")
    assert set(summary.results) == {"transform.slow"}
    assert shop.query("FROM slow") == [(1900,)]


def test_what_waits_for_a_worker_is_given_up_at_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "executor: {name: local, prefect: {workers: 1, batch: 9}}")
    for n in range(4):
        shop.sql(f"slow{n}", SLOW, "tags: [slow]\n")
    running, ended = run_beside(shop, select="tag:slow")
    flow_run = _wait_until_it_runs("transform.slow0")
    stopped = time.monotonic()
    runner.stop(flow_run.parameters["run_id"])
    running.join(30)
    assert time.monotonic() - stopped < executor.PATIENCE
    (summary,) = ended
    assert {summary.nodes[f"transform.slow{n}"] for n in range(4)} == {"interrupted"}


def run_beside(shop: Shop, **request: Any) -> tuple[threading.Thread, list[RunSummary]]:
    """A run on Prefect in a thread, and where its summary will be."""
    ended: list[RunSummary] = []
    in_settings = copy_context()  # which server it is
    running = threading.Thread(
        target=lambda: ended.append(in_settings.run(shop.run, "prefect", **request)), daemon=True
    )
    running.start()
    return running, ended


def _wait_until_it_runs(name: str) -> FlowRun:
    wanted = TaskRunFilter.model_validate(
        {"name": {"any_": [name]}, "state": {"type": {"any_": ["RUNNING"]}}}
    )
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        with get_client(sync_client=True) as client:
            for run in client.read_task_runs(task_run_filter=wanted):
                assert run.flow_run_id is not None
                flow_run = client.read_flow_run(run.flow_run_id)
                if flow_run.state and flow_run.state.is_running():
                    return flow_run
        time.sleep(0.2)
    raise AssertionError(f"{name} never ran")


def test_signals_reach_the_run(tmp_path: Path) -> None:
    """In the main thread, SIGINT stops a run on Prefect as it does a local one."""
    shop = Shop(tmp_path)
    shop.sql("slow", SLOW)
    threading.Timer(6, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    summary = shop.run("prefect")
    assert time.monotonic() - started < 25
    assert summary.status == "interrupted"
    assert summary.nodes["transform.slow"] == "interrupted"
    assert flow_run_of(summary.run_id).state_name == "Cancelled"
