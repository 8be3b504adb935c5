"""`seeknal plan` and `seeknal env`, as people and programs see them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.projects import SEEKNAL, ProjectFolder, seeknal

from seeknal.workflow.open_project import OpenProject

DAYS = """\
/*
---
unique_key: [day]
---
*/
SELECT day, sum(amount) AS total FROM ref('source.raw') GROUP BY day
"""


@pytest.fixture
def shop(tmp_path: Path) -> ProjectFolder:
    """A project, computed, and then edited."""
    shop = ProjectFolder(tmp_path)
    shop.write("seeknal_project.yml", "name: shop\n")
    shop.write("raw.csv", "day,amount\n2024-01-01,5\n2024-01-02,7\n2024-01-03,1\n")
    shop.write("seeknal/raw.yml", "kind: source\nname: raw\nsource: csv\ntable: raw.csv\n")
    shop.write("seeknal/days.sql", DAYS)
    shop.write("seeknal/best.sql", "SELECT max(total) AS best FROM ref('transform.days')")
    shop.write("seeknal/count.sql", "SELECT count(*) AS n FROM ref('source.raw')")
    shop.run()
    edited = DAYS.replace("sum(amount)", "sum(amount * 2)").replace(
        "GROUP", "WHERE amount < 7 GROUP"
    )
    shop.write("seeknal/days.sql", edited)
    return shop


def call(shop: ProjectFolder, *arguments: str, code: int = 0) -> str:
    return seeknal(*arguments, cwd=shop.root, code=code).stdout


def answer(shop: ProjectFolder, *arguments: str) -> Any:
    return json.loads(call(shop, *arguments, "--json"))


# --- Planning -------------------------------------------------------------------------------


def test_the_reference_commands_work_as_written(shop: ProjectFolder) -> None:
    for line in (
        "plan dev",
        "plan dev --summary",
        "plan dev --output plan.json",
        "env apply dev",
        "env apply dev --parallel",
        "env promote dev prod",
        "env list",
        "env delete dev",
        "env cleanup",
    ):
        assert call(shop, *line.split())
    assert shop.query("SELECT best FROM best") == [(10,)]


def test_a_plan_tells_what_and_why(shop: ProjectFolder) -> None:
    lines = call(shop, "plan", "dev").splitlines()
    assert lines[:1] == ["Plan for 'dev', compared with 'prod': 1 edited"]
    assert lines[1].startswith("  compute    2 nodes; by earlier runs about 4 rows in 0.")
    assert lines[2:4] == ["  keep       2 nodes, as in 'prod'", ""]
    assert lines[4] == "~ transform.days  compute  BREAKING      the rows may change"
    assert any("WHERE" in line and "days.sql" in line for line in lines)
    assert "> transform.best  compute  BREAKING      of transform.days the rows may change" in lines
    assert "    by way of transform.days" in lines
    assert lines[-1] == "Carry it out with `seeknal env apply dev`."
    summary = call(shop, "plan", "dev", "--summary").splitlines()
    assert summary == lines[:3]


def test_a_plan_shows_how_sql_differs(shop: ProjectFolder) -> None:
    lines = call(shop, "plan", "dev", "--sql").splitlines()
    assert "    -SELECT day, sum(amount) AS total FROM ref('source.raw') GROUP BY day" in lines, (
        lines
    )
    assert any(line.startswith("    +SELECT day, sum(amount * 2) AS total") for line in lines)


def test_a_plan_without_a_name_is_of_prod(shop: ProjectFolder) -> None:
    assert call(shop, "plan", "--summary").startswith("Plan for 'prod': 1 edited\n")
    call(shop, "env", "apply", "prod")
    assert shop.query("SELECT best FROM best") == [(10,)]
    assert "There is nothing to do." in call(shop, "plan")


def test_check_ends_with_3_when_there_is_something_to_do(shop: ProjectFolder) -> None:
    assert "1 edited" in call(shop, "plan", "--check", code=3)
    assert [e["status"] for e in answer(shop, "env", "list")] == ["applied"]
    shop.run()
    assert "nothing to do" in call(shop, "plan", "--check")
    call(shop, "plan", "dev", "--check", code=3)
    assert [e["name"] for e in answer(shop, "env", "list")] == ["prod"]


def test_a_plan_is_json_on_the_screen_and_in_a_file(shop: ProjectFolder) -> None:
    shown = answer(shop, "plan", "dev", "--output", "plan.json", "--ttl-hours", "2")
    assert json.loads((shop.root / "plan.json").read_text()) == shown
    assert (shown["environment"], shown["base"], shown["ttl_hours"]) == ("dev", "prod", 2)
    assert [(n["node"], n["action"]) for n in shown["nodes"]] == [
        ("transform.days", "compute"),
        ("transform.best", "compute"),
    ]
    call(shop, "env", "delete", "dev")
    call(shop, "env", "apply", "dev", "--plan", "plan.json")
    assert shop.query("SELECT best FROM best", "dev") == [(10,)]


# --- Applying and what follows --------------------------------------------------------------


def test_what_moved_is_listed_and_force_goes_on(shop: ProjectFolder) -> None:
    call(shop, "plan", "dev")
    shop.write("seeknal/count.sql", "SELECT count(amount) AS n FROM ref('source.raw')")
    refused = seeknal("env", "apply", "dev", cwd=shop.root, code=2)
    assert refused.stderr.splitlines() == [
        "Error: The plan of 'dev' no longer holds:",
        "  the project's files: transform.count",
        "  transform.count must be computed now, and the plan doesn't say so: n may change",
        "  Plan again with `seeknal plan dev`, or go on all the same with --force.",
    ]
    assert "3 computed" in call(shop, "env", "apply", "dev", "--force")


def test_an_apply_that_fails_ends_with_1(shop: ProjectFolder) -> None:
    shop.write("seeknal/count.sql", "SELECT error('on purpose') AS n FROM ref('source.raw')")
    call(shop, "plan", "dev")
    said = call(shop, "env", "apply", "dev", "--no-parallel", code=1)
    assert "on purpose" in said
    assert (
        "What was computed is kept. If nothing in the project's files must be mended, run the same "
        "command again. Otherwise mend it, then do `seeknal plan dev` and `seeknal env apply dev`: "
        "what was computed is reused."
    ) in said.splitlines()
    assert [e["status"] for e in answer(shop, "env", "list")] == ["planned", "applied"]
    seeknal("env", "apply", "dev", "--no-parallel", "--workers", "2", cwd=shop.root, code=2)


def test_an_apply_is_told_as_json_lines(shop: ProjectFolder) -> None:
    call(shop, "plan", "dev")
    events = [json.loads(line) for line in call(shop, "env", "apply", "dev", "--json").splitlines()]
    assert next(e["event"] for e in events) == "run_started"
    assert (events[-1]["event"], events[-1]["success"]) == ("run_finished", 2)
    again = answer(shop, "env", "apply", "dev")
    assert (again["event"], again["run"], again["success"]) == ("run_finished", None, 0)
    assert call(shop, "env", "apply", "dev") == (
        "The plan of 'dev' has been applied already. For what has changed since, make another one "
        "with `seeknal plan dev`.\n"
    )


def test_promoting_and_taking_back_is_told(shop: ProjectFolder) -> None:
    call(shop, "plan", "dev")
    call(shop, "env", "apply", "dev")
    dry = call(shop, "env", "promote", "dev", "prod", "--dry-run").splitlines()
    assert dry == [
        "'prod' changes 2 nodes: transform.best, transform.days",
        "Nothing was moved: this is a dry run.",
    ]
    assert call(shop, "env", "promote", "dev", "prod").splitlines() == [
        dry[0],
        "'prod' shows what 'dev' shows now: revision 2. Take it back with `seeknal env rollback "
        "prod`.",
    ]
    again = answer(shop, "env", "promote", "dev", "prod")
    assert (again["changes"], again["revision"]) == ([], 2)
    history = answer(shop, "env", "history", "prod")
    assert [(h["revision"], h["nodes"]) for h in history] == [(2, 2), (1, 4)]
    assert history[0]["made_by"] == "promote dev"
    assert call(shop, "env", "rollback", "prod").splitlines()[1:] == [
        "'prod' shows what it showed after revision 1 again: revision 3. The next `seeknal run` "
        "brings it to what the project's files say."
    ]
    assert shop.query("SELECT best FROM best") == [(7,)]
    assert call(shop, "env", "history", "prod").splitlines()[1].endswith("rollback to 1")
    assert answer(shop, "env", "rollback", "prod", "--to", "2")["revision"] == 4
    assert call(shop, "env", "rollback", "prod", "--to", "4") == (
        "'prod' shows what it showed after revision 4 already: nothing to move.\n"
    )
    assert call(shop, "env", "promote", "dev", "stage").splitlines()[1:] == [
        "'stage' shows what 'dev' shows now: revision 1. It expires 168 hours after its last use."
    ]
    assert shop.query("SELECT best FROM best") == [(10,)]


def test_a_promotion_names_what_does_not_match_what_it_is_made_from(shop: ProjectFolder) -> None:
    call(shop, "plan", "dev", "--select", "days")
    call(shop, "env", "apply", "dev")
    for more in (["--dry-run"], []):
        assert call(shop, "env", "promote", "dev", "prod", *more).splitlines()[:2] == [
            "'prod' changes 1 node: transform.days",
            "1 node doesn't match what it is made from, since the plan of 'dev' left it out: "
            "transform.best. Without --select, `seeknal plan dev` plans it too.",
        ]
    call(shop, "plan", "dev")
    call(shop, "env", "apply", "dev")
    moved = answer(shop, "env", "promote", "dev", "prod")
    assert (moved["changes"], moved["unmatched"]) == (["transform.best"], [])
    shop.write("raw.csv", "day,amount\n2024-01-01,5\n")
    planned = answer(shop, "plan", "dev", "--select", "raw")
    assert {n["node"]: n["action"] for n in planned["nodes"]} == {
        "source.raw": "compute",
        "transform.best": "leave",
        "transform.count": "leave",
        "transform.days": "leave",
    }
    call(shop, "env", "apply", "dev")
    moved = answer(shop, "env", "promote", "dev", "prod")
    assert sorted(moved["unmatched"]) == ["transform.best", "transform.count", "transform.days"]


def test_data_of_two_environments_is_compared(shop: ProjectFolder) -> None:
    call(shop, "plan", "dev")
    call(shop, "env", "apply", "dev")
    assert call(shop, "env", "diff", "dev", "prod").splitlines() == [
        "NODE            ROWS   ADDED  REMOVED  CHANGED  COLUMNS",
        "transform.days  3 > 2  -      1        2        total in 2 rows",
        "transform.best  1      1      1        no keys  the same",
    ]
    assert call(shop, "env", "diff", "dev", "--node", "days", "--rows", "1").splitlines() == [
        "transform.days, in 'prod' and in 'dev'",
        "  rows      3 and 2",
        "  by day: 0 added, 1 removed, 2 changed",
        "  changed   total in 2 rows",
        "",
        "2 rows changed, 1 of them:",
        "day         total",
        "2024-01-01  5 > 10",
        "",
        "1 row removed:",
        "day         total",
        "2024-01-02  7",
    ]
    (days, _) = answer(shop, "env", "diff", "dev", "prod")
    assert (days["node"], days["changed"], days["changed_by_column"]) == (
        "transform.days",
        2,
        {"total": 2},
    )
    call(shop, "env", "promote", "dev", "prod")
    assert call(shop, "env", "diff", "dev", "prod") == "'dev' and 'prod' show the same.\n"
    seeknal("env", "diff", "dev", "--keys", "day", cwd=shop.root, code=2)
    wrong = seeknal("env", "diff", "dev", "-n", "days", "--keys", "dya", cwd=shop.root, code=2)
    assert "day" in wrong.stderr


def test_environments_are_listed_and_shown(shop: ProjectFolder) -> None:
    call(shop, "plan", "dev")
    listed = call(shop, "env", "list").splitlines()
    assert listed[0].split() == ["NAME", "STATUS", "NODES", "CREATED", "USED", "EXPIRES"]
    assert [line.split()[:3] for line in listed[1:]] == [
        ["dev", "planned", "0"],
        ["prod", "applied", "4"],
    ]
    planned = call(shop, "env", "show", "dev")
    assert call(shop, "plan", "dev", "--summary") in planned
    assert planned.endswith("Carry it out with `seeknal env apply dev`.\n")
    call(shop, "env", "apply", "dev")
    shown = call(shop, "env", "show", "dev").splitlines()
    assert shown[0] == "dev: applied, shows 4 nodes"
    assert shown[3] == "  differs from 'prod' in 2 nodes: transform.best, transform.days"
    assert len(shown) == 5
    assert shown[4].startswith("  last plan of 20")
    assert shown[4].endswith(", against 'prod': 1 edited")
    facts = answer(shop, "env", "show", "dev")
    assert facts["differs_from_base"] == ["transform.best", "transform.days"]
    shop.write("seeknal/count.sql", "SELECT 1 AS n")
    call(shop, "plan", "dev")
    shop.run(environment="dev")
    assert call(shop, "env", "show", "dev").splitlines()[5] == (
        "  it no longer holds: 'dev' has moved since. Plan again with `seeknal plan dev`."
    )
    unknown = seeknal("env", "show", "dvv", cwd=shop.root, code=2)
    assert unknown.stderr == "Error: There is no environment 'dvv'. Did you mean 'dev'?\n"


def test_an_environment_is_exported_for_other_programs(shop: ProjectFolder) -> None:
    said = call(shop, "env", "export", "prod", "warehouse.duckdb")
    assert said == "warehouse.duckdb: 4 views of 'prod'.\n"
    with duckdb.connect(shop.root / "warehouse.duckdb", read_only=True) as warehouse:
        assert warehouse.execute("SELECT best FROM transform.best").fetchall() == [(7,)]


@pytest.mark.parametrize("command", ["plan prod --output", "env export prod"])
def test_a_file_is_written_into_a_folder_that_is_made(shop: ProjectFolder, command: str) -> None:
    call(shop, *command.split(), "a/b/file")
    assert (shop.root / "a/b/file").is_file()
    refused = seeknal(*command.split(), "raw.csv/file", cwd=shop.root, code=2)
    assert refused.stderr == ("Error: raw.csv/file can't be written: File exists, at raw.csv.\n")
    refused = seeknal(*command.split(), "a", cwd=shop.root, code=2)
    assert "a can't be written: it is a folder" in refused.stderr


def test_cleaning_up_is_told_before_it_is_done(shop: ProjectFolder) -> None:
    call(shop, "plan", "dev")
    call(shop, "env", "apply", "dev")
    assert call(shop, "env", "cleanup") == "There is nothing to remove.\n"
    assert call(shop, "env", "delete", "dev") == "'dev' is deleted.\n"
    dry = call(shop, "env", "cleanup", "--dry-run")
    assert "Would remove 2 snapshots with " in dry
    assert len(answer(shop, "env", "cleanup", "--dry-run")["snapshots"]) == 2
    assert call(shop, "env", "cleanup").startswith("Removed 2 snapshots with ")
    call(shop, "plan", "idle", "--ttl-hours", "0")
    assert call(shop, "env", "cleanup") == "Removed 1 environment (idle).\n"
    refused = seeknal("env", "delete", "prod", "--yes", cwd=shop.root, code=2)
    assert (
        refused.stderr == "Error: 'prod' can't be deleted: all other environments begin as it is.\n"
    )


def test_who_is_based_on_what_is_deleted_is_told(shop: ProjectFolder) -> None:
    call(shop, "run", "--env", "dev")
    call(shop, "plan", "feature", "--base", "dev")
    assert call(shop, "env", "delete", "dev").splitlines() == [
        "'dev' is deleted.",
        "On it feature is based: choose another base, as with `seeknal plan feature --base prod`.",
    ]
    refused = seeknal("env", "apply", "feature", cwd=shop.root, code=2)
    assert "its base 'dev' is gone" in refused.stderr
    asked = seeknal("query", "SELECT 1", "--env", "feature", cwd=shop.root, code=2)
    assert "Did you mean" not in asked.stderr


@pytest.mark.parametrize(("typed", "left"), [(b"n\n", 2), (b"y\n", 1)])
def test_deleting_asks_on_a_terminal(shop: ProjectFolder, typed: bytes, left: int) -> None:
    call(shop, "plan", "dev")
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        [SEEKNAL, "env", "delete", "dev"],
        cwd=shop.root,
        stdin=inside,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    os.write(terminal, typed)
    output, _ = process.communicate(timeout=30)
    os.close(terminal)
    os.close(inside)
    assert b"Delete 'dev', which shows 0 nodes?" in output
    assert len(answer(shop, "env", "list")) == left


def test_who_waits_before_a_terminal_is_told_what_for(shop: ProjectFolder) -> None:
    terminal, inside = pty.openpty()
    with OpenProject(shop.root) as opened:
        lock = opened.state.acquire_lock("environment:dev", 0)
        assert lock
        process = subprocess.Popen(
            [SEEKNAL, "plan", "dev"], cwd=shop.root, stdout=subprocess.DEVNULL, stderr=inside
        )
        said = os.read(terminal, 1000).decode()
        lock.release()
        assert process.wait(timeout=30) == 0
    os.close(terminal)
    os.close(inside)
    assert said.startswith(f"Waiting, for at most 12 s: process {os.getpid()} on ")
    assert [e["status"] for e in answer(shop, "env", "list")] == ["planned", "applied"]


def test_pytest_tests_an_environment(shop: ProjectFolder) -> None:
    call(shop, "plan", "dev")
    call(shop, "env", "apply", "dev")
    shop.write(
        "tests/integration/test_best.py",
        "def test_best(seeknal_query):\n"
        "    assert seeknal_query('SELECT best FROM best') == [(10,)]\n",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/integration/"]
    for name, code in (("dev", 0), ("prod", 1)):
        done = subprocess.run(
            [*command, "--env", name], cwd=shop.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout
    shop.write("tests/conftest.py", "def pytest_addoption(parser): parser.addoption('--env')\n")
    done = subprocess.run(command, cwd=shop.root, capture_output=True, text=True, check=False)
    assert "already" not in done.stdout + done.stderr
