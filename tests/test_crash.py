"""Killed, interrupted, and two at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.projects import SEEKNAL, write

HERE = Path(__file__).parent


@pytest.fixture
def slow_project(tmp_path: Path) -> Path:
    """A quick node, and a query that no machine finishes while the test lasts."""
    write(tmp_path, "seeknal_project.yml", "name: slow\nparams:\n  rows: 100000000000\n")
    write(tmp_path, "seeknal/quick.sql", "select 1 as x")
    write(
        tmp_path,
        "seeknal/endless.sql",
        "select sum(hash(range)) as x from range({{ params.rows }}), ref('transform.quick')",
    )
    write(tmp_path, "seeknal/after.sql", "select * from ref('transform.endless')")
    return tmp_path


def wait_until_running(process: subprocess.Popen[str], node_id: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "node_started" and event["node_id"] == node_id:
            return
    raise AssertionError(f"{node_id} never started")


def start(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [SEEKNAL, "run", "-p", str(root), "--json"], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("seed", range(3))
def test_kill_minus_9_leaves_nothing_that_a_later_run_trusts_wrongly(
    tmp_path: Path, seed: int
) -> None:
    script = [sys.executable, str(HERE / "killed_runs.py"), str(tmp_path / "p"), str(seed), "30"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 15


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_an_interrupted_run_ends_cleanly_and_can_be_resumed(
    slow_project: Path, number: signal.Signals, code: int
) -> None:
    process = start(slow_project)
    wait_until_running(process, "transform.endless")
    time.sleep(0.2)
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == code
    last = json.loads(output.splitlines()[-1])
    assert (last["event"], last["status"]) == ("run_finished", "interrupted")
    (record,) = (slow_project / "target/state/runs").glob("*.json")
    assert json.loads(record.read_text())["status"] == "interrupted"
    assert not list((slow_project / "target/snapshots/transform.endless").rglob("*.parquet*"))

    write(slow_project, "seeknal_project.yml", "name: slow\nparams:\n  rows: 10\n")
    again = subprocess.run(
        [SEEKNAL, "run", "-p", str(slow_project)], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert "2 computed, 1 up to date" in again.stdout


def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    write(tmp_path, "seeknal_project.yml", "name: stuck\n")
    write(
        tmp_path,
        "seeknal/stuck.py",
        "import time\n"
        "from seeknal.pipeline import transform\n"
        "@transform()\n"
        "def stuck(ctx):\n"
        "    time.sleep(600)\n",
    )
    process = start(tmp_path)
    wait_until_running(process, "transform.stuck")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130


def test_two_runs_at_once_both_succeed_and_agree(tmp_path: Path) -> None:
    write(tmp_path, "seeknal_project.yml", "name: twice\n")
    write(tmp_path, "seeknal/n0.sql", "select range as x from range(1000)")
    for i in range(1, 25):
        write(tmp_path, f"seeknal/n{i}.sql", f"select x + 1 as x from ref('transform.n{i - 1}')")
    runs = [start(tmp_path) for _ in range(4)]
    for process in runs:
        process.communicate(timeout=60)
        assert process.returncode == 0
    answer = subprocess.run(
        [SEEKNAL, "query", "-p", str(tmp_path), "select sum(x) s from n24", "--format", "csv"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == ["s", str(sum(range(1000)) + 24 * 1000)]
    prod = json.loads((tmp_path / "target/state/environments/prod.json").read_text())
    assert len(prod["pointers"]) == 25
    assert os.listdir(tmp_path / "target/snapshots/transform.n3") == [
        prod["pointers"]["transform.n3"]
    ]
