"""Plugins of third parties, built from the examples, hold and are of use where nothing else is.

SEEKNAL_NIGHTLY=1 tries as many random histories and kills of state as the suite does by itself.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from tests.wheels import ROOT, build, install, run

EXAMPLES = ROOT / "examples"
NEEDED = ("seeknal-core", "seeknal-state-file", "seeknal-engine-duckdb")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    build([ROOT / member for member in NEEDED], folder)
    return folder


def installed(wheels: Path, example: Path, folder: Path) -> Path:
    """Where the commands are of a new environment with an example, and what its tests need."""
    build([example], wheels)
    return install(wheels, folder / "venv", f"{example.name}[test]", *NEEDED)


def its_own_tests_pass(commands: Path, example: Path, folder: Path) -> None:
    """Without its sources: only its tests are copied."""
    shutil.copytree(example / "tests", folder / "tests")
    shutil.copy(example / "pyproject.toml", folder)
    said = run([commands / "pytest", "-q", "-p", "no:cacheprovider", "tests"], folder).stdout
    assert " passed" in said
    assert "skipped" not in said


def test_a_scheduler_of_trading_days(wheels: Path, tmp_path: Path) -> None:
    example = EXAMPLES / "seeknal-scheduler-calendar"
    commands = installed(wheels, example, tmp_path)
    its_own_tests_pass(commands, example, tmp_path)

    seeknal, project = commands / "seeknal", tmp_path / "project"
    shutil.copytree(example / "project", project)
    pending = run([seeknal, "intervals", "pending"], project).stdout.splitlines()
    days = [line.removeprefix("transform.moves ") for line in pending]
    assert days == [
        "[2024-03-25, 2024-03-26)", "[2024-03-26, 2024-03-27)", "[2024-03-27, 2024-03-28)",
        "[2024-03-28, 2024-04-01)",  # Good Friday, and a weekend
        "[2024-04-01, 2024-04-02)", "[2024-04-02, 2024-04-03)", "[2024-04-03, 2024-04-04)",
        "[2024-04-04, 2024-04-05)", "[2024-04-05, 2024-04-08)",
    ]  # fmt: skip
    assert "3 computed in 9 batches" in run([seeknal, "run"], project).stdout
    (timeline,) = json.loads(run([seeknal, "intervals", "show", "--json"], project).stdout)
    assert (timeline["schedule"], timeline["due"], timeline["pending"]) == ("XNYS", 9, 0)
    assert timeline["completed"] == [["2024-03-25T04:00:00+00:00", "2024-04-08T04:00:00+00:00"]]
    sql = "SELECT count(*) AS days, count(DISTINCT traded_on) AS traded FROM best_days"
    answer = run([seeknal, "query", "--format", "csv", sql], project).stdout
    assert answer == "days,traded\n9,9\n"
    assert "Nothing to compute" in run([seeknal, "run"], project).stdout

    node = project / "seeknal/moves.sql"
    node.write_text(node.read_text().replace("XNYS", "XNYZ"))
    refused = run([seeknal, "run"], project, code=2).stderr
    assert "seeknal/moves.sql:4: 'XNYZ' names no exchange that is known." in refused


def test_state_in_redis(wheels: Path, tmp_path: Path) -> None:
    """Its own tests run projects too, two of them at once."""
    example = EXAMPLES / "seeknal-state-redis"
    commands = installed(wheels, example, tmp_path)
    its_own_tests_pass(commands, example, tmp_path)

    ours = Path(sys.executable).parent
    run([ours / "ruff", "check", "."], example)
    run([ours / "ruff", "format", "--check", "."], example)
    run([ours / "mypy", "--python-executable", commands / "python"], example)
