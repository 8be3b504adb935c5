"""The example runs, and says what the raw data say."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import tables_of
from seeknal.workflow.runner import RunRequest, run_project

EXAMPLE = Path(__file__).parents[1] / "examples/nyc_flights"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> OpenProject:
    copy = tmp_path_factory.mktemp("example") / "nyc_flights"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("target"))
    project = OpenProject(copy)
    assert run_project(project, RunRequest()).status == "success"
    return project


def rows(project: OpenProject, sql: str) -> list[tuple[object, ...]]:
    return list(project.engine.query(sql, tables_of(project, "prod")).rows)


def test_it_shows_all_three_forms_and_stays_small() -> None:
    files = [p for p in EXAMPLE.rglob("*") if p.is_file() and "target" not in p.parts]
    assert {p.suffix for p in files} >= {".yml", ".sql", ".py"}
    assert sum(p.stat().st_size for p in files) < 1_500_000


def test_every_day_has_its_flights(project: OpenProject) -> None:
    raw = f"'{EXAMPLE}/data/flights.parquet'"
    expected = duckdb.execute(
        "select make_date(year, month, day), count(*), count(*) filter (dep_time is null) "
        f"from {raw} group by all order by all"
    ).fetchall()
    assert rows(project, "select day, flights, cancelled from daily_summary") == expected
    assert len(expected) == 59
    assert sum(flights for _, flights, _ in expected) == 27_004 + 24_951


def test_each_flight_has_the_weather_of_its_hour_once(project: OpenProject) -> None:
    assert rows(project, "select count(*) from weather_at_departure") == [(51_955,)]
    (answer,) = rows(project, "select count(*) from weather_at_departure where gust is null")
    assert answer < (300,)


def test_a_changed_threshold_recomputes_what_it_reaches(project: OpenProject) -> None:
    settings = project.root / "seeknal_project.yml"
    settings.write_text(settings.read_text().replace("delayed_minutes: 15", "delayed_minutes: 30"))
    with OpenProject(project.root) as changed:
        computed = {i.partition(".")[2] for i in run_project(changed, RunRequest()).results}
    assert "daily_summary" in computed
    assert not {"flights", "weather", "airlines", "hourly_weather", "carriers"} & computed
