"""Nodes that are computed interval by interval."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.projects import ProjectFolder

from seeknal.errors import MissingPluginError, ProjectError, RequestError
from seeknal.hookspecs import SCHEDULER, Offer, hookimpl
from seeknal.plugins import Plugins
from seeknal.state.intervals import Interval
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.runner import RunRequest, plan_run, run_project
from seeknal.workflow.task import RunSummary
from seeknal.workflow.timelines import complete, restate, timelines

EVENTS = """\
kind: source
name: events
source: csv
table: data/*.csv
columns:
  seen: {dtype: TIMESTAMP}
"""
DAILY = """\
/*
---
schedule: "@daily"
start: 2024-01-01
end: 2024-01-10
incremental:
  time_column: seen
---
*/
SELECT * FROM ref('source.events') WHERE seen >= {{ start }} AND seen < {{ end }}
"""
TOTALS = "SELECT count(*) AS n, sum(amount) AS total FROM ref('transform.daily')"


class Project(ProjectFolder):
    """Events, one every six hours in the first days of January 2024, and a daily node."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.write("seeknal_project.yml", "name: timed\n")
        self.write("seeknal/events.yml", EVENTS)
        self.write("seeknal/daily.sql", DAILY)
        self.write("seeknal/totals.sql", TOTALS)
        for day in range(1, 11):
            self.put_day(day)

    def put_day(self, day: int, amount: int = 1) -> None:
        rows = [f"2024-01-{day:02} {hour:02}:00:00,{amount}" for hour in (0, 6, 12, 18)]
        self.write(f"data/{day:02}.csv", "seen,amount\n" + "\n".join(rows) + "\n")

    def change(self, old: str, new: str, path: str = "seeknal/daily.sql") -> None:
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def well(self, **request: Any) -> RunSummary:
        summary = self.run(**request)
        assert summary.status == "success", summary
        return summary

    def planned(self, node: str = "daily", **request: Any) -> list[str]:
        """The batches of a node that a run would compute."""
        with OpenProject(self.root) as opened:
            tasks = plan_run(opened, RunRequest(**request)).tasks
        return [task.name for task in tasks if task.node_id == f"transform.{node}"]

    def pending(self, node: str = "daily", environment: str = "prod") -> list[Interval]:
        with OpenProject(self.root) as opened:
            (line,) = timelines(opened, environment, node)
            return list(line.pending)

    def restate(self, start: str, end: str, node: str = "daily", **how: Any) -> list[str]:
        environment = how.pop("environment", "prod")
        with OpenProject(self.root) as opened:
            return list(restate(opened, environment, node, start, end, **how))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def days(*numbers: int) -> list[str]:
    return [f"transform.daily [2024-01-{n:02}, 2024-01-{n + 1:02})" for n in numbers]


# --- What is computed, and what is not ------------------------------------------------------


def test_every_interval_is_computed_once(project: Project) -> None:
    summary = project.well()
    assert (summary.batches, summary.nodes["transform.daily"]) == (10, "success")
    assert project.query("SELECT * FROM totals") == [(40, 40)]
    again = project.well()
    assert (again.results, again.unchanged) == ({}, 3)


def test_only_what_is_pending_is_computed(project: Project) -> None:
    project.well(end="2024-01-04")
    assert project.query("SELECT * FROM totals") == [(16, 16)]
    assert project.planned() == days(5, 6, 7, 8, 9, 10)
    summary = project.well()
    assert summary.batches == 6
    assert project.query("SELECT * FROM totals") == [(40, 40)]


def test_new_files_of_a_source_do_not_compute_its_past_again(project: Project) -> None:
    project.well(end="2024-01-09")
    project.put_day(1, amount=100)
    assert project.planned() == days(10)
    project.well()
    assert project.query("SELECT * FROM totals") == [(40, 40)]


def test_a_start_that_moves_back_adds_what_is_missing(project: Project) -> None:
    project.change("start: 2024-01-01", "start: 2024-01-05")
    project.well()
    project.change("start: 2024-01-05", "start: 2024-01-01")
    assert project.planned() == days(1, 2, 3, 4)


def test_a_change_of_the_sql_computes_all_anew(project: Project) -> None:
    project.well()
    project.change("SELECT *", "SELECT seen, amount * 2 AS amount")
    assert len(project.planned()) == 10
    project.well()
    assert project.query("SELECT * FROM totals") == [(40, 80)]


def test_a_change_above_computes_all_anew(project: Project) -> None:
    project.well()
    project.change("TIMESTAMP", "TIMESTAMP_MS", "seeknal/events.yml")
    assert len(project.planned()) == 10


def test_a_bounded_run_of_a_changed_node_leaves_readers_what_they_had(project: Project) -> None:
    project.well()
    project.change("SELECT *", "SELECT seen, amount * 2 AS amount")
    summary = project.well(end="2024-01-02", select="daily")
    assert summary.behind == ("transform.daily",)
    assert project.query("SELECT count(*), sum(amount) FROM daily") == [(40, 40)]
    assert project.well().behind == ()
    assert project.query("SELECT count(*), sum(amount) FROM daily") == [(40, 80)]


@pytest.mark.parametrize(
    ("old", "new"),
    [("end: 2024-01-10", "end: 2024-01-08"), ("start: 2024-01-01", "start: 2024-01-05")],
)
def test_time_that_a_node_need_not_hold_any_more_keeps_no_pointer_back(
    project: Project, old: str, new: str
) -> None:
    project.well()
    project.change(old, new)
    project.change("SELECT *", "SELECT seen, amount * 2 AS amount")
    assert project.well().behind == ()
    ((rows, total),) = project.query("SELECT count(*), sum(amount) FROM daily")
    assert total == 2 * rows < 80


def test_batches_hold_several_intervals(project: Project) -> None:
    project.change("time_column: seen", "time_column: seen\n  batch_size: 4")
    assert project.planned() == [
        "transform.daily [2024-01-01, 2024-01-05)",
        "transform.daily [2024-01-05, 2024-01-09)",
        "transform.daily [2024-01-09, 2024-01-11)",
    ]
    project.well()
    assert project.query("SELECT * FROM totals") == [(40, 40)]
    parts = list((project.root / "target/snapshots/transform.daily").rglob("*.parquet"))
    assert len(parts) == 3


def test_only_intervals_that_are_over_are_computed(project: Project) -> None:
    now = datetime.now(UTC)
    project.change("start: 2024-01-01", f"start: {now - timedelta(days=2):%Y-%m-%d}")
    project.change("end: 2024-01-10\n", "")
    assert len(project.planned()) == 2
    project.change("time_column: seen", "time_column: seen\n  allow_partials: true")
    *whole, partial = project.planned()
    assert len(whole) == 2
    assert f"[{now:%Y-%m-%d}T00:00, " in partial


def test_a_partial_interval_is_computed_again_until_it_is_whole(project: Project) -> None:
    project.change("time_column: seen", "time_column: seen\n  allow_partials: true")
    project.change("end: 2024-01-10", "end: 2024-01-10T12:00")
    project.well()
    assert project.query("SELECT * FROM totals") == [(38, 38)]
    assert project.planned() == []
    project.change("end: 2024-01-10T12:00", "end: 2024-01-10T18:00")
    project.well()
    assert project.query("SELECT * FROM totals") == [(39, 39)]
    project.change("end: 2024-01-10T18:00", "end: 2024-01-10")
    assert project.planned() == days(10)
    project.well()
    assert project.query("SELECT * FROM totals") == [(40, 40)]


@pytest.mark.parametrize(
    "written",
    [
        "{% if start > '2024' %} {{ start }} {% endif %}",
        "'{{ start_date | replace('-', '') }}'",
        "'{{ start[:4] }}'",
        "'{{ (start | string)[:4] }}'",
        "{{ start | upper }}",
        "{{ start.year }}",
    ],
)
def test_a_time_of_the_interval_can_not_be_changed_by_a_template(
    project: Project, written: str
) -> None:
    project.change("{{ start }}", written)
    with pytest.raises(ProjectError, match=r"seeknal/daily\.sql:10: template: "):
        project.run()


def test_python_nodes_run_beside_each_other(project: Project) -> None:
    """Each has tables of its own, by the names of its inputs."""
    for number in range(3):
        project.write(
            f"seeknal/p{number}.py",
            "from seeknal.pipeline import transform\n"
            "@transform(schedule='@daily', start='2024-01-01', end='2024-01-10',\n"
            "           inputs=['source.events'], incremental={'time_column': 'seen'})\n"
            f"def p{number}(ctx):\n"
            "    start, end = (str(time) for time in ctx.interval)\n"
            "    sql = 'SELECT * FROM source.events WHERE seen >= ? AND seen < ?'\n"
            "    return ctx.duckdb.sql(sql, params=[start, end])\n",
        )
    summary = project.well(workers=4)
    assert summary.batches == 40
    assert project.query("SELECT count(*) FROM p2") == [(40,)]


def test_lookback_takes_in_late_data(project: Project) -> None:
    project.change("time_column: seen", "time_column: seen\n  lookback: 2")
    project.well(end="2024-01-08")
    for day in (5, 6, 7, 8):
        project.put_day(day, amount=10)
    assert project.planned(end="2024-01-08") == []
    assert project.planned() == days(7, 8, 9, 10)
    project.well()
    assert project.query("SELECT * FROM totals") == [(40, 8 * 4 + 2 * 40)]


def test_intervals_over_which_the_clocks_change_are_whole_days(project: Project) -> None:
    project.change('"@daily"', '"@daily"\ntimezone: America/New_York')
    project.change("start: 2024-01-01\nend: 2024-01-10", "start: 2024-03-09\nend: 2024-03-11")
    rows = [
        f"{datetime(2024, 3, 9) + timedelta(hours=n)},1"
        for n in range(72)
        if n != 26  # two o'clock, which was not
    ]
    project.write("data/01.csv", "seen,amount\n" + "\n".join(rows) + "\n")
    assert project.planned() == [
        f"transform.daily [2024-03-{day:02}, 2024-03-{day + 1:02})" for day in (9, 10, 11)
    ]
    project.well()
    by_day = "SELECT seen::DATE::VARCHAR, count(*) FROM daily GROUP BY 1 ORDER BY 1"
    assert [n for _, n in project.query(by_day)] == [24, 23, 24]


# --- Rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT * FROM ref('source.events')", "36 of 40 rows"),
        ("SELECT * FROM ref('source.events') WHERE seen <= {{ end }} AND seen >= {{ start }}",
         "1 of 5 rows"),
        ("SELECT NULL::TIMESTAMP AS seen", "their seen is NULL"),
        ("SELECT 1 AS x", "has no column 'seen'"),
        ("SELECT 'x' AS seen", "Conversion Error"),
    ],
)  # fmt: skip
def test_rows_outside_of_the_interval_are_refused(project: Project, sql: str, told: str) -> None:
    front = DAILY.partition("*/\n")[0]
    project.write("seeknal/daily.sql", f"{front}*/\n{sql}\n")
    project.change("end: 2024-01-10", "end: 2024-01-01")
    summary = project.run()
    result = summary.results["transform.daily [2024-01-01, 2024-01-02)"]
    assert result.status == "failed"
    assert told in (result.error or "")
    if "rows" in told:
        assert "transform.daily" in (result.error or "")
    assert summary.nodes["transform.totals"] == "skipped"
    assert len(project.pending()) == 1


@pytest.mark.parametrize(
    "where",
    [
        "seen >= {{ start }} AND seen < {{ end }}",
        "seen >= '{{ start }}' AND seen < '{{ end }}'",
        "seen >= TIMESTAMP '{{ start }}' AND seen < TIMESTAMP '{{ end }}'",
        "seen >= {{ start_ts }} AND seen < {{ end_ts }}",
        "seen >= '{{ start_ts }}' AND seen < '{{ end_ts }}'",
        "seen >= {{ start_date }} AND seen < {{ end_date }}",
        "seen >= '{{ start_date }}' AND seen < '{{ end_date }}' -- not {{ end_ts }}",
        "seen::DATE = '{{ start_date }}'::DATE",
    ],
)
@pytest.mark.parametrize("timezone", ["UTC", "Asia/Kathmandu"])
def test_an_interval_can_be_written_in_many_ways(
    project: Project, where: str, timezone: str
) -> None:
    project.change("seen >= {{ start }} AND seen < {{ end }}", where)
    project.write("seeknal_project.yml", f"name: timed\ntimezone: {timezone}\n")
    project.well()
    assert project.query("SELECT * FROM totals") == [(40, 40)]


@pytest.mark.parametrize("few", [2, 32])
@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ", "DATE", "VARCHAR", "TIMESTAMP_NS"])
def test_the_time_column_may_be_of_any_type_that_is_a_time(
    project: Project, kind: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many parts are read as one table."""
    monkeypatch.setattr("seeknal_engine_duckdb.parts.FEW", few)
    project.change("SELECT *", f"SELECT seen::{kind} AS seen, amount")
    project.well()
    assert project.query("SELECT * FROM totals") == [(40, 40)]
    project.restate("2024-01-03", "2024-01-04")
    project.well(start="2024-01-03", end="2024-01-03")
    assert project.query("SELECT count(*) FROM daily") == [(40,)]
    one_day = "SELECT count(*), sum(amount) FROM daily WHERE seen::DATE = DATE '2024-01-09'"
    assert project.query(one_day) == [(4, 4)]


@pytest.mark.parametrize("few", [2, 32])
def test_parts_may_have_other_columns_than_those_before(
    project: Project, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seeknal_engine_duckdb.parts.FEW", few)
    project.write(
        "seeknal/shapes.py",
        "from seeknal.pipeline import source\n"
        "@source(schedule='@daily', start='2024-01-01', end='2024-01-09',\n"
        "        incremental={'time_column': 'day'})\n"
        "def shapes(ctx):\n"
        "    day = ctx.interval.start.date()\n"
        "    more = ['NULL AS a', '7 AS a', \"'x' AS a, 1 AS b\"][day.day % 3]\n"
        "    return ctx.duckdb.sql(f\"SELECT DATE '{day}' AS day, {more}\")\n",
    )
    project.well(select="shapes")
    found = project.query("SELECT day(day), a::VARCHAR, b FROM shapes ORDER BY 1")
    assert found == [
        (day, [None, "7", "x"][day % 3], 1 if day % 3 == 2 else None) for day in range(1, 10)
    ]


def test_an_interval_without_rows_is_complete(project: Project) -> None:
    (project.root / "data/03.csv").unlink()
    project.well()
    assert project.pending() == []
    assert project.query("SELECT * FROM totals") == [(36, 36)]


def test_a_failed_batch_takes_only_what_needs_it(project: Project) -> None:
    project.change("SELECT *", "SELECT seen, amount / (amount - 7) * 1 AS amount")
    project.change(
        "SELECT seen, amount / (amount - 7) * 1 AS amount",
        "SELECT seen, CASE WHEN day(seen) = 4 THEN error('broken')::INT ELSE amount END AS amount",
    )
    summary = project.run()
    failed = [name for name, r in summary.results.items() if r.status == "failed"]
    assert failed == days(4)
    assert summary.nodes == {
        "source.events": "success", "transform.daily": "failed", "transform.totals": "skipped"
    }  # fmt: skip
    assert [str(i.start.date()) for i in project.pending()] == ["2024-01-04"]
    with OpenProject(project.root) as opened:
        (run,) = opened.state.list_runs()
        states = {s.node_id: s for s in opened.state.list_node_states(run.run_id)}
    assert states["transform.daily"].status == "failed"
    assert states["transform.daily"].rows == 36
    assert "[2024-01-04, 2024-01-05)" in (states["transform.daily"].error or "")


def test_a_node_that_depends_on_its_past_stops_at_its_first_failure(project: Project) -> None:
    project.change("time_column: seen", "time_column: seen\n  depends_on_past: true")
    project.change(
        "SELECT *",
        "SELECT seen, CASE WHEN day(seen) = 4 THEN error('broken')::INT ELSE amount END AS amount",
    )
    summary = project.run(workers=4)
    done = [n for n, r in summary.results.items() if r.status == "success" and r.interval]
    assert done == days(1, 2, 3)
    assert len(project.pending()) == 7


# --- Nodes behind it ------------------------------------------------------------------------

WEEKLY = """\
/*
---
schedule: "@daily"
start: 2024-01-01
end: 2024-01-10
incremental: {time_column: day, batch_size: 3}
---
*/
SELECT seen::DATE AS day, sum(amount) AS total FROM ref('transform.daily')
WHERE seen >= {{ start }} AND seen < {{ end }} GROUP BY 1
"""


def test_an_incremental_node_behind_one_computes_what_its_input_has(project: Project) -> None:
    project.write("seeknal/by_day.sql", WEEKLY)
    project.well(end="2024-01-05", select="+daily")
    assert project.planned("by_day", select="by_day") == [
        "transform.by_day [2024-01-01, 2024-01-04)",
        "transform.by_day [2024-01-04, 2024-01-06)",
    ]
    project.well()
    assert project.query("SELECT count(*), sum(total) FROM by_day") == [(10, 40)]


def test_an_incremental_node_may_read_what_is_computed_whole_behind_one(project: Project) -> None:
    project.write(
        "seeknal/shares.sql",
        DAILY.partition("SELECT")[0]
        + "SELECT seen, amount / t.total AS share FROM ref('transform.daily'), "
        "ref('transform.totals') t\nWHERE seen >= {{ start }} AND seen < {{ end }}",
    )
    project.well(end="2024-01-05")
    project.well()
    rounded = "SELECT round(share, 3)::VARCHAR, count(*) FROM shares GROUP BY 1 ORDER BY 1"
    assert project.query(rounded) == [("0.025", 20), ("0.05", 20)]
    assert project.well().results == {}


def test_an_old_version_of_an_input_is_not_read_as_the_new_one(project: Project) -> None:
    project.write("seeknal/second.sql", DAILY.replace("source.events", "transform.daily"))
    project.well()
    project.change("SELECT *", "SELECT seen, amount * 2 AS amount")
    with pytest.raises(
        RequestError, match=r"transform\.daily, which, or what it reads, has changed"
    ):
        project.run(select="second")
    project.well()
    assert project.query("SELECT sum(amount) FROM second") == [(80,)]


def test_an_old_version_of_what_is_computed_whole_is_not_read_either(project: Project) -> None:
    project.write("seeknal/clean.sql", "SELECT * FROM ref('source.events')")
    project.change("source.events", "transform.clean")
    project.well()
    project.write(
        "seeknal/clean.sql", "SELECT seen, amount * 2 AS amount FROM ref('source.events')"
    )
    with pytest.raises(RequestError, match=r"transform\.clean, which, or what it reads"):
        project.run(select="daily")
    project.well(select="+daily")
    assert project.query("SELECT sum(amount) FROM daily") == [(80,)]


def test_what_was_only_marked_above_waits_for_what_has_rows(project: Project) -> None:
    project.write("seeknal/second.sql", DAILY.replace("source.events", "transform.daily"))
    with OpenProject(project.root) as opened:
        complete(opened, "prod", "daily", "2024-01-01/2024-01-03")
    project.well()
    assert project.query("SELECT count(*) FROM second") == [(28,)]


def test_one_behind_an_input_without_intervals_waits(project: Project) -> None:
    project.change("start: 2024-01-01\nend: 2024-01-10", "start: 2099-01-01")
    summary = project.well()
    assert summary.waiting == {
        "transform.daily": "its first interval is not over yet",
        "transform.totals": "transform.daily waits too",
    }


def test_what_is_computed_whole_sees_each_new_interval(project: Project) -> None:
    for end in ("2024-01-01", "2024-01-02", "2024-01-07"):
        project.well(end=end)
        assert project.query("SELECT n FROM totals") == [(int(end[-2:]) * 4,)]


def test_python_nodes_are_given_the_interval(project: Project) -> None:
    project.write(
        "seeknal/ticks.py",
        "from seeknal.pipeline import source, transform\n"
        "@source(schedule='@hourly', timezone='Asia/Kathmandu', start='2024-01-01T00:00',\n"
        "        end='2024-01-01T05:00', incremental={'time_column': 'seen'})\n"
        "def ticks(ctx):\n"
        "    start, end = ctx.interval\n"
        "    assert str(start.tzinfo) == 'Asia/Kathmandu'\n"
        "    sql = f\"SELECT TIMESTAMPTZ '{start}' AS seen, {start.hour} AS hour\"\n"
        "    return ctx.duckdb.sql(sql)\n",
    )
    project.well(select="ticks")
    assert project.query("SELECT list(hour ORDER BY hour) FROM ticks") == [([0, 1, 2, 3, 4],)]


def test_nodes_in_yaml_are_computed_by_interval_too(project: Project) -> None:
    (project.root / "seeknal/daily.sql").unlink()
    project.write(
        "seeknal/daily.yml",
        "kind: transform\n"
        "name: daily\n"
        "schedule: {cron: '@daily'}\n"
        "start: 2024-01-01\n"
        "end: 2024-01-10\n"
        "depends_on_past: true\n"
        "incremental: {time_column: seen, batch_size: 5, batch_concurrency: 1}\n"
        "inputs: [source.events]\n"
        "transform: |\n"
        "  SELECT * FROM input_0\n"
        "  WHERE seen >= '{{ start }}' AND seen < '{{ end }}'\n",
    )
    assert project.well().batches == 2
    assert project.query("SELECT * FROM totals") == [(40, 40)]


# --- Corrections by hand --------------------------------------------------------------------


def test_a_restated_week_is_computed_again_and_nothing_else(project: Project) -> None:
    project.well()
    for day in (4, 5, 6):
        project.put_day(day, amount=10)
    assert project.restate("2024-01-04", "2024-01-05") == ["transform.daily"]
    assert project.query("SELECT count(*), sum(amount) FROM daily") == [(40, 40)]
    assert project.planned() == days(4, 5)
    project.well()
    assert project.query("SELECT * FROM totals") == [(40, 8 * 4 + 2 * 40)]


def test_a_part_of_a_batch_may_be_restated(project: Project) -> None:
    project.change("time_column: seen", "time_column: seen\n  batch_size: 10")
    project.well()
    project.put_day(4, amount=10)
    project.restate("2024-01-04", "2024-01-04")
    assert project.planned() == days(4)
    project.well()
    assert project.query("SELECT * FROM totals") == [(40, 36 + 40)]
    assert project.query("SELECT count(*) FROM (SELECT DISTINCT seen FROM daily)") == [(40,)]


def test_a_restatement_reaches_what_is_made_from_it_when_asked(project: Project) -> None:
    project.write("seeknal/by_day.sql", WEEKLY)
    project.well()
    project.put_day(4, amount=10)
    assert project.restate("2024-01-04", "2024-01-04", downstream=True) == [
        "transform.daily", "transform.by_day"
    ]  # fmt: skip
    project.well()
    assert project.query("SELECT sum(total) FROM by_day") == [(36 + 40,)]


def test_a_restatement_never_touches_another_environment(project: Project) -> None:
    project.well()
    project.well(environment="dev")
    project.put_day(4, amount=10)
    project.restate("2024-01-04", "2024-01-04", environment="dev")
    assert project.query("SELECT * FROM totals") == [(40, 40)]
    assert project.query("SELECT count(*), sum(amount) FROM daily") == [(40, 40)]
    assert project.query("SELECT count(*), sum(amount) FROM daily", "dev") == [(40, 40)]
    assert project.well(environment="dev", select="+daily+").batches == 1
    assert project.query("SELECT * FROM totals", "dev") == [(40, 76)]
    assert project.query("SELECT * FROM totals") == [(40, 40)]
    assert project.planned() == []


def test_time_may_be_marked_as_complete(project: Project) -> None:
    with OpenProject(project.root) as opened:
        marked = complete(opened, "prod", None, "2024-01-03")
        assert list(marked) == ["transform.daily"]
        complete(opened, "prod", "daily", "2024-01-05/2024-01-07")
    assert project.planned() == days(1, 2, 4, 8, 9, 10)
    project.well()
    assert project.query("SELECT * FROM totals") == [(24, 24)]


def test_a_day_that_is_marked_stands_for_the_intervals_that_begin_on_it(project: Project) -> None:
    project.change('schedule: "@daily"', 'schedule: "0 2 * * *"')
    with OpenProject(project.root) as opened:
        marked = complete(opened, "prod", None, "2024-01-03")
    begin = datetime(2024, 1, 3, 2, tzinfo=UTC)
    assert list(marked["transform.daily"]) == [Interval(begin, begin + timedelta(days=1))]


def test_what_was_computed_is_not_replaced_by_a_mark(project: Project) -> None:
    project.well()
    with OpenProject(project.root) as opened:
        complete(opened, "prod", None, "2024-01-03")
    assert project.query("SELECT * FROM totals") == [(40, 40)]
    assert project.well().results == {}


def test_a_full_refresh_computes_every_interval_anew(project: Project) -> None:
    project.well()
    project.put_day(4, amount=10)
    summary = project.well(full_refresh=True, select="+daily+")
    assert summary.batches == 10
    assert project.query("SELECT * FROM totals") == [(40, 76)]


class OddDays:
    """A scheduler as a plugin brings it: ticks on odd days of the month."""

    def ticks(
        self, schedule: str, timezone: str, start: datetime, end: datetime
    ) -> Iterator[datetime]:
        if schedule != "odd":
            raise RequestError(f"{schedule!r} is not 'odd'.")
        tick = start.replace(hour=0, minute=0, second=0, microsecond=0)
        while tick < end:
            if tick >= start and tick.day % 2:
                yield tick
            tick += timedelta(days=1)


class OddDaysPlugin:
    @hookimpl
    def seeknal_scheduler(self) -> Offer[OddDays]:
        return Offer(create=OddDays, summary="Odd days")


def test_time_may_be_cut_by_a_scheduler_of_ones_own(project: Project) -> None:
    project.change('"@daily"', "{odd: odd}")
    plugins = Plugins()
    plugins.register(SCHEDULER, "odd", OddDaysPlugin())
    with OpenProject(project.root, plugins) as opened:
        names = [task.name for task in plan_run(opened, RunRequest()).tasks]
        summary = run_project(opened, RunRequest())
    assert names[1:-1] == [
        f"transform.daily [2024-01-{n:02}, 2024-01-{n + 2:02})" for n in (1, 3, 5, 7)
    ] + ["transform.daily [2024-01-09, 2024-01-11)"]
    assert (summary.status, summary.batches) == ("success", 5)
    assert project.query("SELECT * FROM totals") == [(40, 40)]


# --- What is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"@daily"', '"@dayly"', "Did you mean '@daily'"),
        ('"@daily"', '"@daily"\ntimezone: Mars/Phobos', "there is no timezone 'Mars/Phobos'"),
        ("start: 2024-01-01", "start: yesterday", "'yesterday' is no time"),
        ("end: 2024-01-10", "end: 2023-01-10", "2023-01-10"),
        ('schedule: "@daily"\n', "", "'incremental' needs a `schedule:`"),
        ("incremental:\n  time_column: seen\n", "", "'schedule' needs `incremental:`"),
        ("time_column: seen", "time_colum: seen", "'incremental.time_column' is missing"),
        (
            "time_column: seen",
            "time_column: seen\n  lookback: -1",
            "'incremental.lookback' should be",
        ),
        ('"@daily"', "{nocal: x}", "No scheduler is called 'nocal'"),
    ],
)
def test_what_is_wrong_with_time_is_said_before_anything_is_run(
    project: Project, old: str, new: str, told: str
) -> None:
    project.change(old, new)
    with pytest.raises(ProjectError) as error:
        project.run()
    assert told in str(error.value)
    for problem in error.value.problems:
        assert problem.path == "seeknal/daily.sql"
        assert 0 < (problem.line or 0) < 10


def test_a_scheduler_of_the_project_that_there_is_not_is_no_fault_of_the_nodes(
    project: Project,
) -> None:
    settings = project.root / "seeknal_project.yml"
    settings.write_text(f"{settings.read_text()}scheduler: nocal\n")
    with pytest.raises(MissingPluginError, match="No scheduler is called 'nocal'"):
        project.run()


def test_without_a_start_one_must_be_given(project: Project) -> None:
    project.change("start: 2024-01-01\n", "")
    assert project.pending() == []
    with pytest.raises(RequestError, match="does not say when its time begins"):
        project.run()
    project.well(start="2024-01-08")
    assert project.query("SELECT n FROM totals") == [(12,)]
    assert project.planned() == []


def test_files_are_not_read_by_intervals(project: Project) -> None:
    project.change(
        "table: data/*.csv\n",
        "table: data/*.csv\nschedule: '@daily'\nincremental: {time_column: seen}\n",
        "seeknal/events.yml",
    )
    with pytest.raises(ProjectError, match="files are read whole"):
        project.run()


def test_an_interval_means_nothing_to_a_node_that_is_computed_whole(project: Project) -> None:
    project.write("seeknal/totals.sql", "SELECT '{{ start }}' AS x FROM ref('transform.daily')")
    with pytest.raises(ProjectError, match=r"'start' is not defined.*`incremental:`"):
        project.run()
