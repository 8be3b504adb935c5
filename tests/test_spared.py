"""What an edit does not reach keeps its snapshot, and holds what computing it would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.projects import ProjectFolder

from seeknal.dag.fingerprint import snapshot_of
from seeknal.errors import RequestError
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.runner import RunRequest, plan_run

RAW = "kind: source\nname: raw\nsource: csv\ntable: raw.csv\n"
BASE = "SELECT k, a, b FROM ref('source.raw') WHERE a IS NOT NULL"
TOTALS = "SELECT k, sum(a) AS total FROM ref('transform.base') GROUP BY k"
WIDE = "SELECT * FROM ref('transform.base')"
OF_B = "SELECT b FROM ref('transform.wide')"
CODE = """
from seeknal.pipeline import transform

@transform(name="code", inputs=["transform.totals"])
def code(ctx):
    return ctx.duckdb.sql("SELECT count(*) AS n FROM transform.totals")
"""


class Project(ProjectFolder):
    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.write("seeknal_project.yml", "name: spared\n")
        self.write("seeknal/raw.yml", RAW)
        self.data("1,1,10", "1,2,20", "2,3,30", "3,,40")
        for name, sql in (("base", BASE), ("totals", TOTALS), ("wide", WIDE), ("of_b", OF_B)):
            self.sql(name, sql)
        self.write("seeknal/code.py", CODE)

    def data(self, *lines: str) -> None:
        self.write("raw.csv", "\n".join(["k,a,b", *lines]) + "\n")

    def sql(self, name: str, sql: str) -> None:
        self.write(f"seeknal/{name}.sql", sql)

    def computed(self, **request: Any) -> set[str]:
        """The nodes that a run computes."""
        summary = self.run(**request)
        assert summary.status == "success", summary
        return {r.node_id.partition(".")[2] for r in summary.results.values()}

    def planned(self, **request: Any) -> set[str]:
        with OpenProject(self.root) as opened:
            plan = plan_run(opened, RunRequest(**request))
        return {task.node_id.partition(".")[2] for task in plan.tasks}

    def pointers(self) -> dict[str, str]:
        with OpenProject(self.root) as opened:
            found = opened.state.get_environment("prod")
            assert found is not None
            return dict(found.pointers)

    def is_as_if_computed_anew(self) -> None:
        assert self.run(environment="fresh", full_refresh=True).status == "success"
        for name in ("base", "totals", "wide", "of_b", "code"):
            sql = f"SELECT * FROM transform.{name}"
            assert sorted(self.query(sql)) == sorted(self.query(sql, "fresh")), name


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    assert project.computed() == {"raw", "base", "totals", "wide", "of_b", "code"}
    return project


@pytest.mark.parametrize(
    "sql",
    [
        "-- all of it\nselect K, a , b from ref('source.raw')\nwhere (a is not null)",
        "WITH r AS (SELECT * FROM ref('source.raw')) SELECT k, a, b FROM r WHERE a IS NOT NULL",
        "SELECT k, a, b FROM source.raw AS x WHERE NOT x.a IS NULL",
    ],
)
def test_what_means_the_same_recomputes_nothing(project: Project, sql: str) -> None:
    before = project.pointers()
    project.sql("base", sql)
    assert project.planned() == set()
    assert project.computed() == set()
    assert project.pointers() == before
    project.sql("base", BASE)
    assert project.computed() == set()


def test_an_added_column_recomputes_what_shows_it(project: Project) -> None:
    before = project.pointers()
    project.sql("base", BASE.replace("k, a, b", "k, a, b, a + b AS c"))
    assert project.computed() == {"base", "wide"}
    after = project.pointers()
    assert {i for i in before if before[i] != after[i]} == {"transform.base", "transform.wide"}
    assert project.computed() == set()
    project.is_as_if_computed_anew()


def test_a_changed_column_recomputes_what_reads_it(project: Project) -> None:
    project.sql("base", BASE.replace("k, a, b", "k, a, b + 1 AS b"))
    assert project.computed() == {"base", "wide", "of_b"}
    project.is_as_if_computed_anew()
    project.sql("base", BASE.replace("k, a, b", "k, a * 2 AS a, b + 1 AS b"))
    assert project.computed() == {"base", "wide", "totals", "code"}
    project.is_as_if_computed_anew()


def test_changed_rows_recompute_everything_below(project: Project) -> None:
    project.sql("base", BASE.replace("a IS NOT NULL", "a > 1"))
    assert project.computed() == {"base", "totals", "wide", "of_b", "code"}


def test_what_was_spared_is_computed_when_data_comes(project: Project) -> None:
    project.sql("base", BASE.replace("k, a, b", "k, a, b, a + b AS c"))
    project.computed()
    project.data("1,1,10", "2,7,70")
    assert project.computed() == {"raw", "base", "totals", "wide", "of_b", "code"}
    project.is_as_if_computed_anew()


def test_an_edit_and_new_data_at_once_spare_nothing(project: Project) -> None:
    project.data("1,1,10", "2,7,70")
    project.sql("base", BASE.replace("k, a, b", "k, a, b, a + b AS c"))
    assert project.computed() == {"raw", "base", "totals", "wide", "of_b", "code"}
    project.is_as_if_computed_anew()


def test_several_edits_one_after_the_other(project: Project) -> None:
    project.sql("base", BASE.replace("k, a, b", "k, a, b, a + b AS c"))
    assert project.computed(select="base") == {"base"}
    project.sql("base", BASE.replace("k, a, b", "k, a, b, a + b AS c, 1 AS d"))
    project.sql("totals", TOTALS.replace("SELECT k,", "SELECT k AS k,"))
    assert project.planned() == {"base", "wide", "of_b"}
    project.computed()
    project.is_as_if_computed_anew()


def test_a_harmless_edit_hides_no_harmful_one(project: Project) -> None:
    project.sql("base", BASE.replace("k, a, b", "k, a * 10 AS a, b"))
    project.sql("wide", "SELECT *, 1 AS one FROM ref('transform.base')")
    assert project.computed() == {"base", "totals", "wide", "code"}
    project.is_as_if_computed_anew()


def test_what_was_harmful_once_is_so_in_a_later_run(project: Project) -> None:
    project.sql("base", BASE.replace("k, a, b", "k, a * 10 AS a, b"))
    assert project.computed(select="base") == {"base"}
    assert project.planned() == {"wide", "totals", "code", "of_b"}
    project.computed()
    project.is_as_if_computed_anew()


def test_a_node_is_spared_only_when_what_it_reads_was_computed(project: Project) -> None:
    broken = BASE.replace("k, a, b", "k, a, b, CAST('x' || a AS INTEGER) AS c")
    project.sql("base", broken)
    assert project.run().status == "failed"
    before = project.pointers()
    project.sql("base", BASE.replace("k, a, b", "k, a * 2 AS a, b"))
    assert project.computed() == {"base", "totals", "wide", "code"}
    assert project.pointers()["transform.of_b"] == before["transform.of_b"]
    project.is_as_if_computed_anew()


def test_a_full_refresh_spares_nothing(project: Project) -> None:
    project.sql("base", f"{BASE} -- the same")
    everything = {"raw", "base", "totals", "wide", "of_b", "code"}
    assert project.computed(full_refresh=True) == everything


def test_what_is_gone_is_computed_again(project: Project) -> None:
    project.sql("base", f"{BASE} -- the same")
    project.computed()
    for file in (project.root / "target" / "snapshots" / "transform.base").glob("*/*"):
        file.unlink()
    for folder in (project.root / "target" / "snapshots" / "transform.base").iterdir():
        folder.rmdir()
    assert "base" in project.computed()
    project.is_as_if_computed_anew()


def test_without_a_classifier_every_edit_recomputes(project: Project) -> None:
    project.write("seeknal_project.yml", "name: spared\nclassifiers: [text]\n")
    assert project.computed() == set()
    project.sql("base", f"{BASE} -- the same")
    assert project.computed() == {"base", "totals", "wide", "of_b", "code"}


def test_by_node_a_changed_column_recomputes_everything_below(project: Project) -> None:
    project.write("seeknal_project.yml", "name: spared\nimpact: node\n")
    project.sql("base", BASE.replace("k, a, b", "k, a, b + 1 AS b"))
    assert project.computed() == {"base", "totals", "wide", "of_b", "code"}


def test_a_classifier_that_is_not_there_is_named(project: Project) -> None:
    project.write("seeknal_project.yml", "name: spared\nclassifiers: [sqlgot]\n")
    project.sql("base", f"{BASE} -- the same")
    with pytest.raises(RequestError, match=r"No classifier is called .sqlgot.\..*sqlglot"):
        project.run()


# --- Incremental nodes ----------------------------------------------------------------------

EVENTS = """\
kind: source
name: events
source: csv
table: events.csv
columns:
  seen: {dtype: TIMESTAMP}
"""
DAILY = """\
/*
---
schedule: "@daily"
start: 2024-01-01
end: 2024-01-03
incremental:
  time_column: seen
---
*/
SELECT seen, n FROM ref('source.events') WHERE seen >= {{ start }} AND seen < {{ end }}
"""
BELOW = DAILY.replace("SELECT seen, n", "SELECT seen, n + 1 AS n").replace(
    "source.events", "transform.daily"
)
SUM = "SELECT sum(n) AS n FROM ref('transform.daily')"


@pytest.fixture
def timed(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.write("seeknal/events.yml", EVENTS)
    project.write("events.csv", "seen,n\n2024-01-01 01:00:00,1\n2024-01-02 01:00:00,2\n")
    project.sql("daily", DAILY)
    project.sql("below", BELOW)
    project.sql("sum", SUM)
    assert project.computed() >= {"events", "daily", "below", "sum"}
    return project


def test_an_incremental_node_that_means_the_same_keeps_its_intervals(timed: Project) -> None:
    before = timed.pointers()
    timed.sql("daily", DAILY.replace("AND seen < {{ end }}", "-- up to\n AND {{ end }} > seen"))
    assert timed.computed() == set()
    assert timed.pointers() == before
    timed.sql("daily", DAILY.replace("2024-01-03", "2024-01-04"))
    summary = timed.run(select="+daily")
    assert [r.task for r in summary.results.values()] == [
        "transform.daily [2024-01-04, 2024-01-05)"
    ]
    assert snapshot_of(timed.pointers()["transform.daily"]) == snapshot_of(
        before["transform.daily"]
    )


def test_an_added_column_computes_its_intervals_anew_and_no_others(timed: Project) -> None:
    timed.sql("daily", DAILY.replace("seen, n", "seen, n, n * 2 AS twice"))
    assert timed.computed() == {"daily", "sum"}
    assert timed.query("SELECT n FROM transform.sum") == [(3,)]
    assert timed.computed() == set()


def test_a_changed_column_computes_the_intervals_below_anew(timed: Project) -> None:
    timed.sql("daily", DAILY.replace("seen, n", "seen, n * 10 AS n"))
    assert timed.computed() == {"daily", "below", "sum"}
    assert sorted(timed.query("SELECT n FROM transform.below")) == [(11,), (21,)]


def test_an_edit_of_the_time_column_computes_everything_anew(timed: Project) -> None:
    later = DAILY.replace("SELECT seen, n", "SELECT seen + INTERVAL 1 HOUR AS seen, n")
    timed.sql("daily", later)
    assert timed.computed() == {"daily", "below", "sum"}


def test_restated_time_is_found_after_a_harmless_edit(timed: Project) -> None:
    from seeknal.workflow.timelines import restate

    timed.sql("daily", DAILY.replace("SELECT seen, n", "select  seen, n"))
    timed.computed()
    with OpenProject(timed.root) as opened:
        assert restate(opened, "prod", "daily", "2024-01-02", "2024-01-02")
    timed.write("events.csv", "seen,n\n2024-01-01 01:00:00,1\n2024-01-02 01:00:00,5\n")
    assert timed.computed() >= {"events", "daily", "sum"}
    assert timed.query("SELECT n FROM transform.sum") == [(6,)]


def test_a_run_of_something_else_between_two_edits_changes_nothing(timed: Project) -> None:
    above = "SELECT seen, n FROM ref('source.events')"
    timed.sql("above", above)
    timed.sql("daily", DAILY.replace("source.events", "transform.above"))
    timed.computed()
    before = timed.pointers()
    timed.sql("above", above.replace("n FROM", "n, 1 AS c FROM"))
    assert timed.computed(select="base") == set()
    timed.sql("above", above.replace("n FROM", "n, 1 AS c, 2 AS d FROM"))
    assert timed.computed() == {"above"}
    assert timed.pointers()["transform.daily"] == before["transform.daily"]
    assert timed.computed() == set()


def test_a_restatement_between_two_edits_changes_nothing(timed: Project) -> None:
    from seeknal.workflow.timelines import restate

    above = "SELECT seen, n FROM ref('source.events')"
    timed.sql("above", above)
    timed.sql("daily", DAILY.replace("source.events", "transform.above"))
    timed.computed()
    timed.run(environment="dev")
    timed.sql("above", above.replace("n FROM", "n, 1 AS c FROM"))
    with OpenProject(timed.root) as opened:
        assert restate(opened, "prod", "transform.daily", "2024-01-02", "2024-01-02")
    timed.sql("above", above.replace("n FROM", "n, 1 AS c, 2 AS d FROM"))
    with OpenProject(timed.root) as opened:
        tasks = plan_run(opened, RunRequest()).tasks
    batches = [task.name for task in tasks if task.node_id == "transform.daily"]
    assert batches == ["transform.daily [2024-01-02, 2024-01-03)"]


def test_another_timezone_recomputes(project: Project) -> None:
    project.write("seeknal_project.yml", "name: spared\ntimezone: Asia/Tokyo\n")
    assert project.computed() == {"raw", "base", "totals", "wide", "of_b", "code"}
