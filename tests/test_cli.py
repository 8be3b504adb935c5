"""What people see: every command, and every way to get one wrong."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.projects import SEEKNAL, seeknal

SETTINGS = "name: demo\nparams: {currency: EUR}\n"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    seeknal("init", "demo", cwd=tmp_path)
    return tmp_path / "demo"


@pytest.fixture
def computed(demo: Path) -> Path:
    seeknal("run", cwd=demo)
    return demo


def test_init_makes_a_project_that_runs_as_it_is(demo: Path) -> None:
    out = seeknal("run", cwd=demo).stdout
    assert "Done in" in out
    assert "3 computed." in out
    assert "Nothing to compute: 3 nodes up to date." in seeknal("run", cwd=demo).stdout


def test_init_shows_each_form_a_node_can_have(demo: Path) -> None:
    nodes = json.loads(seeknal("list", "--json", cwd=demo).stdout)
    assert {Path(n["file_path"]).suffix for n in nodes} == {".yml", ".sql", ".py"}


def test_init_overwrites_nothing(demo: Path) -> None:
    error = seeknal("init", "demo", cwd=demo.parent, code=2).stderr
    assert "demo already exists: choose another name." in error


@pytest.mark.parametrize("name", ["a b", "-x", "é"])
def test_init_refuses_names_that_no_project_can_have(tmp_path: Path, name: str) -> None:
    error = seeknal("init", "--", name, cwd=tmp_path, code=2).stderr
    assert "can't be the name of a project" in error


def test_a_folder_without_a_project_is_named_with_what_to_do(tmp_path: Path) -> None:
    for command in (["run"], ["parse"], ["list"], ["query", "select 1"]):
        error = seeknal(*command, "-p", str(tmp_path), code=2).stderr
        assert f"Error: {tmp_path} is no Seeknal project" in error
        assert "seeknal init NAME" in error


def test_run_says_what_failed_why_in_which_file_and_how_to_go_on(demo: Path) -> None:
    (demo / "seeknal/transforms/daily_revenue.sql").write_text(
        "select *,\n  nope\nfrom ref('source.orders')\n"
    )
    (demo / "seeknal/transforms/top.sql").write_text("from ref('transform.daily_revenue')")
    out = seeknal("run", cwd=demo, code=1).stdout
    assert "transform.daily_revenue failed in seeknal/transforms/daily_revenue.sql:2:" in out
    assert 'Referenced column "nope" not found' in out
    assert "Skipped, since it needs what failed: transform.top." in out
    assert "run the same command again: it does only what is missing" in out
    assert "target/logs/" in out


def test_run_prints_json_lines_and_nothing_else(demo: Path) -> None:
    (demo / "seeknal/transforms/noisy.py").write_text(
        "from seeknal.pipeline import transform\n"
        "print('loaded')\n"
        "@transform()\n"
        "def noisy(ctx):\n"
        "    print('computing')\n"
        "    return ctx.ref('source.orders')\n"
    )
    events = [json.loads(x) for x in seeknal("run", "--json", cwd=demo).stdout.splitlines()]
    assert [e["event"] for e in events[:2]] == ["run_started", "node_started"]
    assert len(events[0]["to_compute"]) == 4
    finished = {e["node_id"]: e for e in events if e["event"] == "node_finished"}
    assert finished["source.orders"]["rows"] == 5
    assert finished["source.orders"]["status"] == "success"
    assert (events[-1]["event"], events[-1]["status"]) == ("run_finished", "success")
    assert len({e["run"] for e in events}) == 1


def test_parse_writes_the_manifest(demo: Path) -> None:
    out = seeknal("parse", cwd=demo).stdout
    assert "demo: 1 source and 2 transforms. Wrote" in out
    manifest = json.loads((demo / "target/manifest.json").read_text())
    assert manifest["metadata"]["project"] == "demo"
    assert manifest["nodes"]["transform.daily_revenue"]["type"] == "transform"
    assert {"from": "source.orders", "to": "transform.daily_revenue"} in manifest["edges"]


def test_parse_shows_every_problem_at_once(demo: Path) -> None:
    (demo / "seeknal/transforms/daily_revenue.sql").write_text("select 1 from ref('source.order')")
    (demo / "seeknal/sources/orders.yml").write_text("kind: source\nnmae: orders\n")
    error = seeknal("parse", cwd=demo, code=2).stderr
    assert "seeknal/sources/orders.yml:2: unknown key 'nmae'. Did you mean 'name'?" in error
    assert "seeknal/transforms/daily_revenue.sql:1: there is no node 'source.order'." in error


def test_list_shows_what_a_selector_selects(demo: Path) -> None:
    out = seeknal("list", "--select", "tag:finance", cwd=demo).stdout
    assert "transform.daily_revenue" in out
    assert len(out.splitlines()) == 3
    error = seeknal("list", "-s", "dayly_revenue", cwd=demo, code=2).stderr
    assert "Did you mean 'daily_revenue'?" in error


def test_query_knows_nodes_by_their_names(computed: Path) -> None:
    for table in ("daily_revenue", "transform.daily_revenue", "TRANSFORM.Daily_Revenue"):
        sql = f"select revenue from {table} order by 1 desc limit 1"
        assert seeknal("query", sql, "--format", "csv", cwd=computed).stdout == "revenue\n92.25\n"


def test_query_formats(computed: Path) -> None:
    sql = "select ordered_on, orders from daily_revenue where orders = 1"
    table = seeknal("query", sql, cwd=computed).stdout
    assert table.splitlines()[0].split() == ["ordered_on", "orders"]
    assert table.splitlines()[2].split() == ["2024-01-03", "1"]
    rows = json.loads(seeknal("query", sql, "--format", "json", cwd=computed).stdout)
    assert rows == [{"ordered_on": "2024-01-03", "orders": 1}]
    done = subprocess.run(
        [SEEKNAL, "query", sql, "--format", "parquet"],
        cwd=computed,
        capture_output=True,
        check=True,
    )
    assert pq.read_table(io.BytesIO(done.stdout)).num_rows == 1


def test_query_errors_say_what_to_do(computed: Path) -> None:
    def error(*arguments: str) -> str:
        return seeknal("query", *arguments, cwd=computed, code=2).stderr

    assert "Did you mean 'daily_revenue'?" in error("select * from daily_revenu")
    assert "syntax error" in error("selec 1")
    assert "Nothing has been computed in 'dev'. Do it with `seeknal run --env dev`." in error(
        "select 1", "--env", "dev"
    )


def test_a_long_answer_is_cut_on_screen_and_says_so(computed: Path) -> None:
    done = seeknal("query", "select * from range(150)", cwd=computed)
    assert len(done.stdout.splitlines()) == 102
    assert "The first 100 rows; --format csv prints all." in done.stderr


def test_debug_shows_the_traceback_wherever_it_stands(tmp_path: Path) -> None:
    for arguments in (["--debug", "run"], ["run", "--debug"]):
        done = subprocess.run(
            [SEEKNAL, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert "Traceback" in done.stderr


def test_a_wrong_option_is_a_wrong_request(demo: Path) -> None:
    error = seeknal("run", "--wrokers", "2", cwd=demo, code=2).stderr
    assert "No such option" in error
    assert "--workers" in error


def test_settings_that_are_wrong_name_file_and_line(demo: Path) -> None:
    (demo / "seeknal_project.yml").write_text("name: demo\nengin: duckdb\ntimezone: Europe/Berln\n")
    error = seeknal("run", cwd=demo, code=2).stderr
    assert "seeknal_project.yml:2: unknown key 'engin'. Did you mean 'engine'?" in error
    assert "seeknal_project.yml:3: timezone: there is no timezone 'Europe/Berln'." in error
    assert "Did you mean 'Europe/Berlin'?" in error


def test_options_of_providers_stand_under_their_names(demo: Path) -> None:
    settings = demo / "seeknal_project.yml"
    settings.write_text(SETTINGS + "engine: {name: duckdb, duckdb: {treads: 2}}\n")
    error = seeknal("run", cwd=demo, code=2).stderr
    assert "The engine 'duckdb' has no option 'treads'. Did you mean 'threads'?" in error
    assert "duckdb accepts: threads, memory_limit, storage_options." in error
    settings.write_text(
        SETTINGS + "engine: {name: duckdb, duckdb: {threads: 1, memory_limit: 1GB}}\n"
        "executor: {name: local, local: {workers: 1}}\n"
        "state: {name: file, file: {base_path: kept}}\n"
    )
    seeknal("run", cwd=demo)
    assert (demo / "kept/state/environments/prod.json").is_file()


def test_state_backend_at_the_top_level_is_understood(demo: Path) -> None:
    settings = demo / "seeknal_project.yml"
    settings.write_text(SETTINGS + "state_backend: file\n")
    seeknal("run", cwd=demo)
    settings.write_text(SETTINGS + "state_backend: databse\n")
    error = seeknal("run", cwd=demo, code=2).stderr
    assert "No state backend is called 'databse'." in error


def test_a_closed_pipe_is_no_fault(computed: Path) -> None:
    command = f"{SEEKNAL} query 'select * from range(200000)' --format csv | head -n 1"
    done = subprocess.run(
        command, shell=True, cwd=computed, capture_output=True, text=True, check=False
    )
    assert done.stdout == "range\n"
    assert done.stderr == ""


def test_a_target_that_cannot_be_written_is_one_message(demo: Path) -> None:
    if os.geteuid() == 0:
        (demo / "target").write_text("a file where the folder should be")
    else:
        (demo / "target").mkdir(mode=0o500)
    done = subprocess.run([SEEKNAL, "run"], cwd=demo, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "target" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_every_kind_that_is_skipped_is_named_once(demo: Path) -> None:
    for name in ("a", "b"):
        (demo / f"seeknal/{name}.yml").write_text(f"kind: exposure\nname: {name}\n")
    done = seeknal("run", cwd=demo)
    assert (
        "Skipped 2 nodes of the kind 'exposure', which nothing installed supports: "
        "exposure.a, exposure.b" in done.stderr
    )


def test_a_terminal_shows_a_bar_and_a_line_for_every_running_node(demo: Path) -> None:
    (demo / "seeknal/transforms/slow.py").write_text(
        "import time\n"
        "from seeknal.pipeline import transform\n"
        "@transform()\n"
        "def slow(ctx):\n"
        "    time.sleep(1)\n"
        "    return ctx.ref('source.orders')\n"
    )
    master, slave = os.openpty()
    process = subprocess.Popen(
        [SEEKNAL, "run"],
        cwd=demo,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "CI": "", "NO_COLOR": ""},
    )
    os.close(slave)
    shown = b""
    while chunk := _read(master):
        shown += chunk
    assert process.wait() == 0
    screen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "demo in prod" in screen
    assert "━" in screen
    assert re.search(r"0:00:0\d transform\.slow", screen)
    assert "done     source.orders" in screen
    assert "Done in" in screen


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""
