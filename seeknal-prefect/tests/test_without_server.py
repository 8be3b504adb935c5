"""What is known, and refused, before any server is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from seeknal.dag.manifest import Attempts
from seeknal.errors import MissingPluginError, RequestError
from seeknal.state.intervals import Interval
from seeknal.workflow.intervals import range_of
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.task import NodeResult, RunSummary, Task
from seeknal_prefect import tasks
from seeknal_prefect.batching import AT_LEAST, MOST, Batching

from .shops import Shop

NOWHERE = "http://127.0.0.1:9/api"
SEEKNAL = str(Path(sys.executable).with_name("seeknal"))


def in_python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_plugin_is_light() -> None:
    code = (
        "import sys\n"
        "from seeknal.hookspecs import EXECUTOR, KINDS\n"
        "from seeknal.plugins import Plugins\n"
        "plugins = Plugins()\n"
        "assert plugins.get(EXECUTOR, 'prefect').summary\n"
        "assert any(line.name == 'prefect' and line.kind == 'executor' and line.status == 'ok'"
        " for line in plugins.listing())\n"
        "import seeknal_prefect.plugin, seeknal_prefect.cli\n"
        "import seeknal.workflow.prefect_integration\n"
        "assert 'prefect' not in sys.modules\n"
    )
    in_python(code)


def test_without_the_plugin_its_names_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from seeknal.workflow import prefect_integration

    monkeypatch.setitem(sys.modules, "seeknal_prefect", None)
    with pytest.raises(MissingPluginError, match=r'pip install "seeknal-core\[prefect\]"'):
        _ = prefect_integration.seeknal_run_flow
    with pytest.raises(AttributeError, match="nothing"):
        _ = prefect_integration.nothing


def test_a_wrong_project_is_refused_before_any_server(tmp_path: Path) -> None:
    from seeknal.workflow.prefect_integration import (
        create_prefect_deployment,
        seeknal_backfill_flow,
        seeknal_run_flow,
    )

    for call in (
        lambda: seeknal_run_flow(str(tmp_path)),
        lambda: seeknal_backfill_flow(str(tmp_path), "n", "2024-01-01", "2024-01-02"),
        lambda: create_prefect_deployment("f", "d", tmp_path, "@daily"),
    ):
        with pytest.raises(RequestError, match="is no Seeknal project"):
            call()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"schedule": "0 25 * * *"}, "is neither a cron expression"),
        ({"schedule": "@dayly"}, "is neither a cron expression"),
        ({"schedule": "@daily", "timezone": "Europe/Berlim"}, "Did you mean 'Europe/Berlin'"),
        ({"flow_name": "a/b"}, "can't name it"),
        ({"deployment_name": ""}, "can't name it"),
        ({"flow_name": "seeknal-backfill", "schedule": "@daily"}, "A backfill has no schedule"),
    ],
)
def test_a_deployment_that_can_not_be(tmp_path: Path, given: Any, message: str) -> None:
    from seeknal.workflow.prefect_integration import create_prefect_deployment

    shop = Shop(tmp_path)
    what = {"flow_name": "f", "deployment_name": "d", "schedule": None} | given
    with pytest.raises(RequestError, match=message):
        create_prefect_deployment(project_path=shop.root, **what)


@pytest.mark.parametrize(
    "arguments", [("run", "--executor", "prefect"), ("prefect", "deploy"), ("prefect", "run")]
)
def test_no_server_is_one_error_that_says_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    shop = Shop(tmp_path)
    done = subprocess.run(
        [SEEKNAL, *arguments],
        cwd=shop.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PREFECT_API_URL": NOWHERE},
    )
    assert done.returncode == 2
    error = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(error) == 1
    assert f"No Prefect server answers at {NOWHERE}" in error[0]
    assert "prefect server start" in error[0]
    assert "PREFECT_API_URL" in error[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task_runner": "fibers"}, "no task runner 'fibers': choose from threads, processes"),
        ({"workers": 0}, "'workers' should be a whole number"),
        ({"batch": "some"}, "'batch' should be a whole number from 1, or auto"),
        ({"batch": 0}, "'batch' should be a whole number from 1, or auto"),
        ({"address": "tcp://x:1"}, "'address' is of a Dask or Ray cluster"),
        ({"task_runner": "ray"}, r'pip install "seeknal-prefect\[ray\]"'),
        ({"threads": 3}, "has no option 'threads'"),
    ],
)
def test_settings_that_can_not_be(tmp_path: Path, options: Any, message: str) -> None:
    settings = json.dumps({"name": "prefect", "prefect": options})
    shop = Shop(tmp_path, f"executor: {settings}\n")
    with (
        OpenProject(shop.root) as project,
        pytest.raises(RequestError, match=message),
        project.executing(),
    ):
        pass


def make_tasks(count: int, retries: int = 0, tags: tuple[str, ...] = ()) -> list[Task]:
    attempts = Attempts(retries=retries)
    return [Task("p", "e", "r", f"n{i}", "s", attempts=attempts, tags=tags) for i in range(count)]


def waiting(batching: Batching, tasks: list[Task]) -> Batching:
    batching.clear()
    for task in tasks:
        batching.add(task)
    return batching


def test_batches_are_fair_shares_and_what_is_retried_goes_alone() -> None:
    fixed = Batching(8, 2, grows=False)
    assert fixed.slots == 16
    assert fixed.take(2) == []
    assert len(waiting(fixed, make_tasks(20)).take(2)) == 8
    assert len(waiting(fixed, make_tasks(6)).take(2)) == 3
    assert len(waiting(fixed, make_tasks(6, retries=1)).take(2)) == 1
    fixed.add_again(make_tasks(2))
    assert [task.name for task in fixed.take(1)] == ["n0", "n1"]

    auto = Batching("auto", 2, grows=False)
    assert len(waiting(auto, make_tasks(200)).take(1)) == 1  # nothing is known yet
    auto.note([NodeResult("n", "success", seconds=0.01)], 2.01)
    assert len(waiting(auto, make_tasks(200)).take(1)) == MOST  # Prefect has taken two seconds
    auto.note([NodeResult("n", "success", seconds=0.01)], 0.02)
    assert len(waiting(auto, make_tasks(200)).take(1)) == int(AT_LEAST / 0.01)
    auto.note([NodeResult("n", "success", seconds=1000)], 1000.01)
    assert len(waiting(auto, make_tasks(200)).take(1)) == 1


def test_batches_of_this_process_grow_while_they_are_at_work() -> None:
    fixed = waiting(Batching(3, 2, grows=True), make_tasks(5))
    batch = fixed.take(2)
    assert [task.name for task in batch] == ["n0"]
    assert [fixed.grow(batch, 9.0) is not None for _ in range(3)] == [True, True, False]
    assert [task.name for task in batch] == ["n0", "n1", "n2"]
    assert [task.name for task in fixed.take(1)] == ["n3"]

    alone = waiting(Batching(3, 2, grows=True), make_tasks(5, retries=1))
    assert alone.grow(alone.take(2), 0.0) is None
    assert Batching(1, 2, grows=True).grow(make_tasks(1), 0.0) is None

    auto = waiting(Batching("auto", 2, grows=True), make_tasks(2 * MOST))
    batch = auto.take(2)
    assert auto.grow(batch, AT_LEAST) is None
    while auto.grow(batch, 0.0):
        pass
    assert len(batch) == MOST


def test_a_batch_takes_along_what_has_no_other_tags() -> None:
    """A limit on a tag holds for the Prefect task that it was begun with."""
    tagged = waiting(Batching(9, 2, grows=True), make_tasks(2, tags=("money",)))
    assert tagged.grow(make_tasks(1), 0.0) is None
    assert tagged.grow(make_tasks(1, tags=("day", "money")), 0.0) is not None


def test_a_batch_waits_for_more_for_no_longer_than_prefect_takes() -> None:
    auto = Batching("auto", 2, grows=True)
    auto.note([NodeResult("n", "success", seconds=0.01)], 0.21)
    started = time.monotonic()
    assert auto.grow(make_tasks(1), 0.0) is None
    assert 0.19 < time.monotonic() - started < 2
    (task,) = make_tasks(1)
    threading.Timer(0.05, lambda: auto.add(task)).start()
    assert auto.grow(make_tasks(1), 0.0) is task

    auto.close()
    started = time.monotonic()
    assert auto.grow(make_tasks(1), 0.0) is None
    assert time.monotonic() - started < 0.15


def test_what_prefect_sends_to_processes_holds_nothing_of_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(tasks.told_here, "run", threading.Lock().acquire)
    cloudpickle.dumps(tasks.prefect_task_for(make_tasks(1)))


def test_results_of_nodes_are_summed_up_and_can_be_sent() -> None:
    from seeknal.dag.manifest import Incremental, Node
    from seeknal.workflow.interval_set import IntervalSet
    from seeknal.workflow.timelines import Timeline
    from seeknal_prefect.results import PrefectRunResult, of_intervals, of_nodes

    days = [range_of(f"2024-01-0{n}", f"2024-01-0{n}", "UTC") for n in (1, 2, 3)]

    def batch(day: Interval, status: str, **facts: Any) -> NodeResult:
        return NodeResult("t.x", status, task=f"t.x {day.start:%d}", interval=day, **facts)

    done = [batch(days[0], "success", rows=3, seconds=1.5), batch(days[1], "failed", error="no")]
    summary = RunSummary("failed", 2.0, {r.task: r for r in done}, 0, 0)
    (result,) = of_nodes(summary, None).values()
    assert (result.success, result.exit_code, result.duration_seconds) == (False, 1, 1.5)
    assert "3 rows" in result.stdout
    assert result.stderr == "t.x 02 failed: no"
    assert PrefectRunResult.model_validate_json(result.model_dump_json()) == result

    timing = Incremental("@daily", "day")
    node = Node("t.x", incremental=timing)
    held = IntervalSet([days[0]])
    line = Timeline(node, timing, "s", held, held, False, days, days[1:])
    by_day = of_intervals([*days, Interval(days[2].end, days[2].end + timedelta(1))], line, done)
    assert [r.exit_code for r in by_day.values()] == [0, 1, 1]
    assert next(iter(by_day)) == "[2024-01-01, 2024-01-02)"
    assert "does not hold this time" in list(by_day.values())[2].stderr
