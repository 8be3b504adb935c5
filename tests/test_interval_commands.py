"""The commands that show and correct time, as people call them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SEEKNAL = str(Path(sys.executable).with_name("seeknal"))
NODE = """\
/*
---
schedule: "@daily"
timezone: {timezone}
start: 2024-01-01
end: 2024-01-31
incremental: {{time_column: day}}
---
*/
SELECT CAST('{{{{ start_date }}}}' AS DATE) AS day, {value} AS value
"""


class Seeknal:
    """Calls the command in one project."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [SEEKNAL, *arguments], cwd=self.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def seeknal(tmp_path: Path) -> Seeknal:
    (tmp_path / "seeknal").mkdir()
    (tmp_path / "seeknal_project.yml").write_text("name: timed\n")
    for name, timezone in (("days", "UTC"), ("more_days", "Asia/Jakarta")):
        text = NODE.format(timezone=timezone, value=1)
        (tmp_path / f"seeknal/{name}.sql").write_text(text)
    return Seeknal(tmp_path)


def test_show_draws_a_bar_a_node_and_names_the_gaps(seeknal: Seeknal) -> None:
    seeknal("run", "--end", "2024-01-10", "--select", "days")
    seeknal("run", "--start", "2024-01-21", "--select", "days")
    assert seeknal("intervals", "show") == (
        "transform.days  @daily\n"
        f"  {10 * '█'}{10 * '·'}{11 * '█'}  21 of 31 intervals, 67%\n"
        "  [2024-01-01, 2024-02-01)\n"
        "  pending: [2024-01-11, 2024-01-21)\n"
        "\n"
        "transform.more_days  @daily in Asia/Jakarta\n"
        f"  {31 * '·'}  0 of 31 intervals, 0%\n"
        "  [2024-01-01, 2024-02-01)\n"
        "  pending: [2024-01-01, 2024-02-01)\n"
    )
    days, _ = json.loads(seeknal("intervals", "show", "--json"))
    assert (days["node"], days["due"], days["pending"]) == ("transform.days", 31, 10)
    assert days["missing"] == [["2024-01-11T00:00:00+00:00", "2024-01-21T00:00:00+00:00"]]
    assert len(days["completed"]) == 2
    assert "more_days" not in seeknal("intervals", "show", "--node", "days")


def test_show_tells_what_is_shown_where_that_is_something_else(seeknal: Seeknal) -> None:
    seeknal("run", "--end", "2024-01-10", "--select", "days")
    edited = NODE.format(timezone="UTC", value=2)
    (seeknal.root / "seeknal/days.sql").write_text(edited)
    assert seeknal("intervals", "show", "--node", "days").splitlines()[2:] == [
        "  [2024-01-01, 2024-02-01)",
        "  pending: [2024-01-01, 2024-02-01)",
        "  shown until the next run: [2024-01-01, 2024-01-11), of another version of the node",
    ]
    (days,) = json.loads(seeknal("intervals", "show", "--node", "days", "--json"))
    assert days["completed"] == []
    assert len(days["shown"]) == 1


def test_pending_lists_what_a_run_would_compute(seeknal: Seeknal) -> None:
    seeknal("run", "--select", "days")
    said = seeknal("intervals", "pending", "--schedule", "@daily", "--end", "2024-01-03")
    assert said == (
        "transform.days: nothing is pending\n"
        "transform.more_days [2024-01-01, 2024-01-02)\n"
        "transform.more_days [2024-01-02, 2024-01-03)\n"
        "transform.more_days [2024-01-03, 2024-01-04)\n"
    )
    weekly = seeknal("intervals", "pending", "--schedule", "@weekly", "--node", "more_days")
    assert weekly.splitlines()[0] == "transform.more_days [2024-01-07, 2024-01-14)"
    answer = json.loads(seeknal("intervals", "pending", "--json"))
    assert {node: len(intervals) for node, intervals in answer.items()} == {
        "transform.days": 0, "transform.more_days": 31
    }  # fmt: skip


def test_complete_marks_an_interval_of_all_nodes_or_of_one(seeknal: Seeknal) -> None:
    assert seeknal("intervals", "complete", "--interval", "2024-01-01") == (
        "transform.days: [2024-01-01, 2024-01-02) is complete\n"
        "transform.more_days: [2024-01-01, 2024-01-02) is complete\n"
    )
    seeknal("intervals", "complete", "--interval", "2024-01-02/2024-01-30", "--node", "days")
    said = seeknal("run", "--dry-run").splitlines()
    assert said[0] == "transform.days [2024-01-31, 2024-02-01)"
    assert said[-1].startswith("2 nodes to compute, 31 batches of intervals; 0 up to date")
    assert "2024-01-32" in seeknal("intervals", "complete", "--interval", "2024-01-32", code=2)


def test_a_bad_week_is_repaired_with_one_command(seeknal: Seeknal) -> None:
    seeknal("run")
    part = ("--start", "2024-01-08T03:00", "--end", "2024-01-08T05:00", "--restate")
    assert "1 computed in 1 batch." in seeknal("backfill", "days", *part)
    assert seeknal("query", "select count(*) n from days", "--format", "csv") == "n\n31\n"
    path = seeknal.root / "seeknal/days.sql"
    said = seeknal("backfill", "days", "--start", "2024-01-08", "--end", "2024-01-14")
    assert "Nothing to compute" in said
    said = seeknal("backfill", "days", "--start", "2024-01-08", "--end", "2024-01-14", "--restate")
    assert "1 computed in 7 batches" in said
    assert seeknal("query", "select count(*) n from days", "--format", "csv") == "n\n31\n"
    path.write_text(path.read_text().replace("1 AS value", "2 AS value"))
    options = ("--start", "2024-01-08", "--end", "2024-01-14", "--batch-size", "4")
    assert seeknal("backfill", "transform.days", *options, "--dry-run").splitlines()[:2] == [
        "transform.days [2024-01-08, 2024-01-12)",
        "transform.days [2024-01-12, 2024-01-15)",
    ]
    said = seeknal("backfill", "days", *options)
    assert "1 computed in 2 batches" in said
    assert "transform.days still shows its old version in 'prod'" in said


def test_restated_time_is_pending(seeknal: Seeknal) -> None:
    seeknal("run")
    stretch = ("--start", "2024-01-08", "--end", "2024-01-09T12:00")
    said = seeknal("intervals", "restate", "transform.days", *stretch)
    assert said == (
        "transform.days: [2024-01-08, 2024-01-10) is pending\n"
        "What is shown stays until it is computed again: `seeknal run`.\n"
    )
    said = seeknal("intervals", "restate", "transform.days", *stretch)
    assert said == "Nothing of this time is complete, so nothing was changed.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("intervals", "show", "--node", "dayz"), "Did you mean 'days'?"),
        (("intervals", "pending", "--schedule", "@dayly"), "Did you mean '@daily'?"),
        (("intervals", "restate", "days", "--start", "2024-02-01", "--end", "2024-01-01"),
         "The start 2024-02-01 is after the end 2024-01-01"),
        (("backfill", "whole", "--start", "2024-01-01", "--end", "2024-01-02"),
         "transform.whole is not incremental"),
        (("run", "--start", "2024-02-01", "--end", "2024-01-01"), "put the earlier one first"),
        (("intervals", "complete", "--interval", "2204-01-01"),
         "transform.days should hold no interval of 2204-01-01 now: it has those of [2024-01-01"),
        (("backfill", "days", "--start", "2024-02-01", "--end", "2024-02-09"),
         "No interval of transform.days that is over lies wholly between 2024-02-01 and"),
        (("run", "--start", "soon"), "'soon' is neither a date nor a time"),
        (("intervals", "show", "--env", "a b"), "can't be the name of an environment"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_said(
    seeknal: Seeknal, arguments: tuple[str, ...], told: str
) -> None:
    (seeknal.root / "seeknal/whole.sql").write_text("SELECT 1 AS x")
    assert told in seeknal(*arguments, code=2)
