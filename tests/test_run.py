"""What `seeknal run` computes, and what it leaves alone."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import duckdb
import pytest
from tests.projects import query as rows
from tests.projects import run, write

from seeknal.errors import ProjectError, RequestError
from seeknal.hookspecs import hookimpl
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import tables_of
from seeknal.workflow.runner import RunRequest, run_project, stop
from seeknal.workflow.task import RunInfo, RunSummary


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """orders -> clean -> daily -> report, and orders -> other."""
    write(tmp_path, "seeknal_project.yml", "name: shop\n")
    write(tmp_path, "data/orders.csv", "id,day,amount\n1,2024-01-01,10\n2,2024-01-02,20\n")
    write(
        tmp_path,
        "seeknal/orders.yml",
        "kind: source\nname: orders\nsource: csv\ntable: data/orders.csv\n",
    )
    write(tmp_path, "seeknal/clean.sql", "select * from ref('source.orders') where amount > 0")
    write(
        tmp_path,
        "seeknal/daily.sql",
        "select day, sum(amount) as amount from ref('transform.clean') group by day",
    )
    write(tmp_path, "seeknal/report.sql", "select max(amount) as best from ref('transform.daily')")
    write(tmp_path, "seeknal/other.sql", "select count(*) as n from ref('source.orders')")
    return tmp_path


def computed(summary: RunSummary) -> set[str]:
    return {i.partition(".")[2] for i, r in summary.results.items() if r.status == "success"}


ALL = {"orders", "clean", "daily", "report", "other"}


def test_the_first_run_computes_everything(project: Path) -> None:
    assert computed(run(project)) == ALL
    assert rows(project, "select best from report") == [(20,)]


def test_a_second_run_computes_nothing(project: Path) -> None:
    run(project)
    again = run(project)
    assert (computed(again), again.unchanged, again.status) == (set(), 5, "success")


def test_a_changed_node_recomputes_itself_and_what_needs_it(project: Path) -> None:
    run(project)
    write(project, "seeknal/daily.sql", "select day, 1 as amount from ref('transform.clean')")
    assert computed(run(project)) == {"daily", "report"}
    assert rows(project, "select best from report") == [(1,)]


def test_changed_source_data_recomputes_what_needs_it(project: Path) -> None:
    run(project)
    write(project, "data/orders.csv", "id,day,amount\n1,2024-01-01,10\n2,2024-01-02,90\n")
    assert computed(run(project)) == ALL
    assert rows(project, "select best from report") == [(90,)]


def test_source_files_that_were_only_touched_recompute_nothing(project: Path) -> None:
    run(project)
    (project / "data/orders.csv").touch()
    assert computed(run(project)) == set()


def test_words_about_a_node_recompute_nothing(project: Path) -> None:
    run(project)
    sql = (project / "seeknal/clean.sql").read_text()
    write(
        project, "seeknal/clean.sql", f"/*\n---\ndescription: good\ntags: [a]\n---\n*/\n{sql}\n\n"
    )
    assert computed(run(project)) == set()


def test_going_back_to_what_was_computed_before_computes_nothing(project: Path) -> None:
    run(project)
    before = (project / "seeknal/daily.sql").read_text()
    write(project, "seeknal/daily.sql", "select day, 1 as amount from ref('transform.clean')")
    run(project)
    write(project, "seeknal/daily.sql", before)
    back = run(project)
    assert (computed(back), back.reused) == (set(), 2)
    assert rows(project, "select best from report") == [(20,)]


def test_another_environment_reuses_what_one_has_computed(project: Path) -> None:
    run(project)
    write(project, "seeknal/report.sql", "select min(amount) as best from ref('transform.daily')")
    dev = run(project, environment="dev")
    assert (computed(dev), dev.reused) == ({"report"}, 4)
    assert rows(project, "select best from report", "dev") == [(10,)]
    assert rows(project, "select best from report", "prod") == [(20,)]


def test_a_snapshot_that_someone_deleted_is_computed_again(project: Path) -> None:
    run(project)
    for data in (project / "target/snapshots/transform.daily").rglob("data.parquet"):
        data.unlink()
    assert computed(run(project)) == {"daily"}


def test_reading_what_someone_deleted_says_how_to_get_it_back(project: Path) -> None:
    run(project)
    shutil.rmtree(project / "target/snapshots/transform.daily")
    with pytest.raises(RequestError, match=r"run --full-refresh --select transform\.daily`"):
        rows(project, "select * from daily")
    run(project, select="transform.daily", full_refresh=True)
    assert rows(project, "select count(*) from daily") == [(2,)]


def test_state_that_someone_deleted_costs_no_recomputation(project: Path) -> None:
    run(project)
    for file in (project / "target/state").rglob("*.json"):
        file.unlink()
    again = run(project)
    assert (computed(again), again.reused) == (set(), 5)


def test_a_node_that_left_the_project_is_no_longer_a_table(project: Path) -> None:
    run(project)
    (project / "seeknal/other.sql").unlink()
    run(project)
    with pytest.raises(RequestError, match="there is no table 'other'"):
        rows(project, "select * from other")


def test_selected_nodes_only(project: Path) -> None:
    assert computed(run(project, select="+daily")) == {"orders", "clean", "daily"}
    assert computed(run(project, select="daily+")) == {"report"}


def test_a_selected_node_reads_its_unselected_inputs_as_they_are(project: Path) -> None:
    run(project)
    write(project, "seeknal/clean.sql", "select * from ref('source.orders') where amount > 15")
    write(project, "seeknal/daily.sql", "select sum(amount) as amount from ref('transform.clean')")
    assert computed(run(project, select="daily")) == {"daily"}
    assert rows(project, "select amount from daily") == [(30,)]
    assert computed(run(project)) == {"clean", "daily", "report"}
    assert rows(project, "select amount from daily") == [(20,)]


def test_a_selected_node_whose_inputs_were_never_computed_is_refused(project: Path) -> None:
    with pytest.raises(RequestError, match=r"needs transform\.clean.*--select \+daily"):
        run(project, select="daily")


def test_full_refresh_computes_what_is_selected_and_what_needs_it(project: Path) -> None:
    run(project)
    assert computed(run(project, full_refresh=True)) == ALL
    assert computed(run(project)) == set()
    refreshed = run(project, full_refresh=True, select="daily")
    assert computed(refreshed) == {"daily"}
    assert computed(run(project)) == {"report"}


def test_full_refresh_leaves_other_environments_alone(project: Path) -> None:
    write(project, "seeknal/other.sql", "select random() as n from ref('source.orders') limit 1")
    run(project)
    run(project, environment="dev")
    before = rows(project, "select n from other")
    run(project, environment="dev", full_refresh=True)
    assert rows(project, "select n from other") == before
    assert rows(project, "select n from other", "dev") != before
    assert computed(run(project)) == set()


def test_a_failed_node_skips_what_needs_it_and_nothing_else(project: Path) -> None:
    write(project, "seeknal/daily.sql", "select\n  nope\nfrom ref('transform.clean')")
    failed = run(project)
    assert failed.status == "failed"
    assert computed(failed) == {"orders", "clean", "other"}
    assert failed.results["transform.daily"].place == "seeknal/daily.sql:2"
    assert "nope" in str(failed.results["transform.daily"].error)
    assert failed.results["transform.report"].blocked_by == "transform.daily"
    assert rows(project, "select n from other") == [(2,)]


def test_after_a_failure_the_next_run_does_only_what_is_missing(project: Path) -> None:
    good = (project / "seeknal/daily.sql").read_text()
    write(project, "seeknal/daily.sql", "select nope from ref('transform.clean')")
    run(project)
    write(project, "seeknal/daily.sql", good)
    assert computed(run(project)) == {"daily", "report"}


def test_a_failed_node_keeps_what_it_had(project: Path) -> None:
    run(project)
    write(project, "seeknal/daily.sql", "select nope from ref('transform.clean')")
    run(project)
    assert rows(project, "select best from report") == [(20,)]


def test_source_data_that_changes_while_it_is_read_is_not_trusted(project: Path) -> None:
    class Meddler:
        @hookimpl
        def seeknal_plan_created(self, plan: object) -> None:
            write(project, "data/orders.csv", "id,day,amount\n7,2024-01-01,70\n")

    with OpenProject(project) as opened:
        opened.plugins.listen("meddler", Meddler())
        summary = run_project(opened, RunRequest())
    assert "changed while they were read" in str(summary.results["source.orders"].error)
    run(project)
    assert rows(project, "select best from report") == [(70,)]


def test_what_a_run_did_is_in_the_state(project: Path) -> None:
    write(project, "seeknal/daily.sql", "select nope from ref('transform.clean')")
    run(project)
    with OpenProject(project) as opened:
        (record,) = opened.state.list_runs()
        states = {s.node_id: s for s in opened.state.list_node_states(record.run_id)}
    assert (record.status, record.environment) == ("failed", "prod")
    assert record.counts["success"] == 3
    assert record.finished_at is not None
    assert record.finished_at > record.started_at
    clean = states["transform.clean"]
    assert (clean.status, clean.rows) == ("success", 2)
    assert clean.bytes is not None
    assert clean.bytes > 100
    assert clean.seconds is not None
    assert clean.finished_at is not None
    assert "nope" in str(states["transform.daily"].error)
    assert (states["transform.report"].status, states["transform.report"].error) == (
        "skipped",
        "needs transform.daily",
    )


def test_snapshots_lie_where_the_design_says(project: Path) -> None:
    run(project)
    with OpenProject(project) as opened:
        snapshot = tables_of(opened, "prod")["transform.daily"]
    path = project / "target/snapshots/transform.daily" / snapshot.id
    assert [p.name for p in path.iterdir()] == ["data.parquet"]
    with duckdb.connect() as connection:
        (count,) = connection.execute(f"select count(*) from '{path}/*.parquet'").fetchall()
    assert count == (2,)


def test_the_same_work_has_the_same_address_in_another_copy_of_the_project(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run(project)
    copy = tmp_path_factory.mktemp("copy")
    for path in [*project.glob("seeknal/*"), *project.glob("data/*"), *project.glob("*.yml")]:
        write(copy, path.relative_to(project).as_posix(), path.read_text())
    run(copy)
    pointers = [
        json.loads((root / "target/state/environments/prod.json").read_text())["pointers"]
        for root in (project, copy)
    ]
    assert pointers[0] == pointers[1]


def test_storage_may_be_elsewhere(project: Path, tmp_path: Path) -> None:
    write(project, "seeknal_project.yml", f"name: shop\nstorage: local://{tmp_path}/lake\n")
    run(project)
    assert (tmp_path / "lake/snapshots/transform.daily").is_dir()
    assert not (project / "target/snapshots").exists()
    assert rows(project, "select best from report") == [(20,)]
    assert computed(run(project)) == set()


def test_a_node_starts_the_moment_its_last_input_is_done(project: Path) -> None:
    """A slow node of one branch doesn't hold up another: there are no layers."""
    write(
        project,
        "seeknal/slow.py",
        "import time\n"
        "from seeknal.pipeline import transform\n"
        "@transform(inputs=['source.orders'])\n"
        "def slow(ctx):\n"
        "    time.sleep(1)\n"
        "    return ctx.ref('source.orders')\n",
    )
    finished: list[str] = []

    class Listener:
        @hookimpl
        def seeknal_node_finished(self, result: object) -> None:
            finished.append(result.node_id)  # type: ignore[attr-defined]

    with OpenProject(project) as opened:
        opened.plugins.listen("order", Listener())
        run_project(opened, RunRequest(workers=2))
    assert finished[-1] == "transform.slow"
    assert finished.index("transform.report") < finished.index("transform.slow")


def test_workers_bound_how_many_nodes_run_at_once(project: Path) -> None:
    running: set[str] = set()
    most = 0

    class Listener:
        @hookimpl
        def seeknal_node_started(self, node_id: str) -> None:
            nonlocal most
            running.add(node_id)
            most = max(most, len(running))

        @hookimpl
        def seeknal_node_finished(self, result: object) -> None:
            running.discard(result.node_id)  # type: ignore[attr-defined]

    for number in range(8):
        write(project, f"seeknal/x{number}.sql", f"select {number} from range(100000)")
    with OpenProject(project) as opened:
        opened.plugins.listen("count", Listener())
        run_project(opened, RunRequest(workers=1))
    assert most == 1


def test_a_listener_that_raises_stops_nothing(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Bad:
        @hookimpl
        def seeknal_node_finished(self) -> None:
            raise ValueError("oh no")

    with OpenProject(project) as opened:
        opened.plugins.listen("bad", Bad())
        summary = run_project(opened, RunRequest())
    assert computed(summary) == ALL
    assert "'bad' failed in seeknal_node_finished: ValueError: oh no" in caplog.text


def test_listeners_hear_of_the_end_of_a_run_that_could_not_begin(project: Path) -> None:
    ended: list[str] = []

    class Listener:
        @hookimpl
        def seeknal_run_finished(self, run: RunInfo, summary: RunSummary) -> None:
            ended.append(f"{run.environment} {summary.status}")

    write(
        project, "seeknal_project.yml", "name: shop\nexecutor: {name: local, local: {workers: 0}}"
    )
    with OpenProject(project) as opened:
        opened.plugins.listen("listener", Listener())
        with pytest.raises(RequestError, match="workers"):
            run_project(opened, RunRequest())
    assert ended == ["prod failed"]


def test_a_project_that_is_wrong_runs_nothing(project: Path) -> None:
    write(project, "seeknal/daily.sql", "select from from")
    with pytest.raises(ProjectError, match=r"seeknal/daily\.sql:1"):
        run(project)
    assert not (project / "target/snapshots").exists()


@pytest.mark.parametrize("name", ["a/b", "", "../x", "-x", "x y", "é", "a" * 129])
def test_names_of_environments_are_checked_before_they_touch_a_path(
    project: Path, name: str
) -> None:
    with pytest.raises(RequestError, match="can't be the name of an environment"):
        run(project, environment=name)


def test_the_full_log_has_the_traceback(project: Path) -> None:
    write(
        project,
        "seeknal/boom.py",
        "from seeknal.pipeline import transform\n"
        "@transform()\n"
        "def boom(ctx):\n"
        "    raise KeyError('kaboom')\n",
    )
    summary = run(project)
    assert summary.results["transform.boom"].place == "seeknal/boom.py:4"
    (log,) = (project / "target/logs").glob("*.log")
    assert "Traceback" in log.read_text()
    assert "KeyError: 'kaboom'" in log.read_text()


FLAKY = """
from pathlib import Path
from seeknal.pipeline import transform

@transform(retries={retries}, retry_delay=0.01)
def flaky(ctx):
    tries = Path(__file__).with_name("tries.txt")
    count = len(tries.read_text()) if tries.exists() else 0
    tries.write_text("x" * (count + 1))
    if count < 2:
        raise ValueError("not yet")
    return ctx.duckdb.sql("SELECT 1 AS a")
"""


@pytest.mark.parametrize(("retries", "status"), [(0, "failed"), (1, "failed"), (2, "success")])
def test_a_node_is_tried_as_often_as_it_says(project: Path, retries: int, status: str) -> None:
    write(project, "seeknal/flaky.py", FLAKY.replace("{retries}", str(retries)))
    assert run(project, select="flaky").nodes == {"transform.flaky": status}
    assert (project / "seeknal/tries.txt").read_text() == "x" * (retries + 1)


def test_a_timeout_stops_its_node_and_no_other(project: Path) -> None:
    slow = "select count(*) from range(10000000000) t(x) where sin(x) > 5"
    write(project, "seeknal/slow.sql", f"/*\n---\ntimeout: 0.3\n---\n*/\n{slow}")
    summary = run(project)
    assert summary.results["transform.slow"].error == (
        "it took longer than its timeout, 0.3 seconds"
    )
    assert summary.results["transform.slow"].seconds < 5
    assert summary.count("success") == 5


def test_how_a_node_is_tried_is_nothing_of_what_it_is(project: Path) -> None:
    run(project)
    front = "/*\n---\nretries: 3\nretry_delay: 5\ntimeout: 60\n---\n*/\n"
    write(project, "seeknal/daily.sql", front + (project / "seeknal/daily.sql").read_text())
    summary = run(project)
    assert (summary.results, summary.unchanged) == ({}, 5)
    with OpenProject(project) as opened:
        attempts = opened.manifest.nodes["transform.daily"].attempts
    assert (attempts.delays, attempts.timeout) == ([5, 10, 20], 60)


@pytest.mark.parametrize("field", ["retries: -1", "retries: 21", "retry_delay: -1", "timeout: 0"])
def test_how_a_node_is_tried_is_checked(project: Path, field: str) -> None:
    write(project, "seeknal/daily.sql", f"/*\n---\n{field}\n---\n*/\nselect 1 as a")
    with pytest.raises(ProjectError, match=r"seeknal/daily\.sql:3"):
        run(project)


def test_a_run_can_be_stopped_by_who_began_it(project: Path) -> None:
    write(
        project,
        "seeknal/slow.sql",
        "select count(*) as n from ref('source.orders'), range(10000000000) t(x) where sin(x) > 5",
    )

    class Stopper:
        @hookimpl
        def seeknal_node_started(self, run: RunInfo, node_id: str) -> None:
            if node_id == "transform.slow":
                threading.Timer(0.3, stop, [run.run_id]).start()

    with OpenProject(project) as opened:
        opened.plugins.listen("stopper", Stopper())
        summary = run_project(opened, RunRequest())
    assert summary.status == "interrupted"
    assert summary.nodes["transform.slow"] == "interrupted"
    stop(summary.run_id)  # it is over: nothing happens
