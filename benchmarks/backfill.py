"""What a backfill costs over the bare statements, and what batches spare.

    python benchmarks/backfill.py FLIGHTS.parquet

FLIGHTS.parquet: all flights of 2013 that left New York, with `time_hour`. A year in daily
intervals, one at a time and thirty at once; beside it a loop of the same COPY statements.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bare_copies
import timing

from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import tables_of
from seeknal.workflow.runner import RunRequest, run_project

ROUNDS = 5
DAYS = 365
MOST = 1.5
LEAST_GAIN = 5.0
SELECT = "SELECT time_hour, carrier, origin, dest, dep_delay, arr_delay"
NODE = f"""\
/*
---
schedule: "@daily"
start: 2013-01-01
end: 2013-12-31
incremental: {{time_column: time_hour}}
---
*/
{SELECT} FROM ref('source.flights') WHERE time_hour >= {{{{ start }}}} AND time_hour < {{{{ end }}}}
"""


def main(flights: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        _write_project(root, flights)
        with OpenProject(root) as project:
            run_project(project, RunRequest(select="flights"))
            source = project.workspace.storage
            snapshot = tables_of(project, "prod")["source.flights"]
        table = f"{source}/snapshots/{snapshot.node_id}/{snapshot.id}/data.parquet"
        clean = Path(folder) / "clean"
        shutil.copytree(root, clean)

        def ours(batch_size: int) -> float:
            shutil.rmtree(root)
            shutil.copytree(clean, root)
            return timing.seconds(lambda: _backfill(root, batch_size))

        out = Path(folder) / "out"
        statements = [_statement(table, day, out) for day in range(DAYS)]

        def bare() -> float:
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            return timing.seconds(lambda: bare_copies.copy_all(statements))

        sides = {"one": lambda: ours(1), "thirty": lambda: ours(30), "bare": bare}
        times = timing.interleaved(sides, ROUNDS)
    gain = timing.compared(times["one"], times["thirty"])["ratio"]
    figures = {
        "benchmark": "backfill",
        "one_at_a_time": timing.judged(times["one"], times["bare"], MOST),
        "thirty_at_once": {"gain": gain, "target": LEAST_GAIN, "met": gain >= LEAST_GAIN},
    }
    print(json.dumps(figures))


def _write_project(root: Path, flights: Path) -> None:
    (root / "seeknal").mkdir(parents=True)
    (root / "seeknal_project.yml").write_text("name: flights\n")
    (root / "seeknal/flights.yml").write_text(
        "kind: source\nname: flights\nsource: parquet\ntable: data/flights.parquet\n"
    )
    (root / "seeknal/by_day.sql").write_text(NODE)
    (root / "data").mkdir()
    shutil.copy(flights, root / "data/flights.parquet")


def _backfill(root: Path, batch_size: int) -> None:
    with OpenProject(root) as project:
        request = RunRequest(select="by_day", batch_size=batch_size)
        assert run_project(project, request).status == "success"


def _statement(table: str, day: int, out: Path) -> bare_copies.Statement:
    start = datetime(2013, 1, 1, tzinfo=UTC) + timedelta(days=day)
    end = start + timedelta(days=1)
    where = f"time_hour >= TIMESTAMPTZ '{start}' AND time_hour < TIMESTAMPTZ '{end}'"
    select = f"{SELECT} FROM read_parquet('{table}') WHERE {where}"
    return select, str(out / f"{day:03}" / "data.parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
