"""Two versions of a table of 5 million rows and 8 columns compared, of which one row in a hundred
differs.

By key, bare is a full outer join that counts the same, without looking for keys that repeat and
without showing rows. Without keys, bare is EXCEPT ALL both ways. Both read the same files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import timing

from seeknal.dag.manifest import Node
from seeknal.workflow.engine import Job, Snapshot, Workspace
from seeknal_engine_duckdb.engine import DuckDBEngine

ROWS = 5_000_000
REPETITIONS = 7
MOST = {"by_key": 2.0, "without_keys": 1.0}
COLUMNS = ("customer", "amount", "price", "day", "at", "state", "quantity")
OLD = f"""
SELECT
    range AS id,
    'customer ' || range * 7919 % 400000 AS customer,
    hash(range) % 100000 / 100.0 AS amount,
    (hash(range, 1) % 1000000 / 100)::DECIMAL(12, 2) AS price,
    date '2024-01-01' + (range % 700)::INTEGER AS day,
    timestamp '2024-01-01' + to_seconds(range) AS "at",
    ['new', 'paid', 'sent', 'back'][1 + range % 4] AS state,
    (hash(range, 2) % 50)::INTEGER AS quantity
FROM range({ROWS})
"""
NEW = f"""
SELECT * REPLACE (
    CASE WHEN id % 500 = 0 THEN id + {ROWS} ELSE id END AS id,
    CASE WHEN id % 200 = 1 THEN amount + 1 ELSE amount END AS amount,
    CASE WHEN id % 400 = 2 THEN 'gone' ELSE state END AS state
)
FROM ({OLD})
"""
ADDED, AMOUNTS, STATES = ROWS // 500, ROWS // 200, ROWS // 400


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = DuckDBEngine(Workspace(Path(folder), folder))
        old, new = _built(engine, OLD, "1"), _built(engine, NEW, "2")
        paths = [f"{folder}/snapshots/{s.node_id}/{s.id}/data.parquet" for s in (old, new)]
        times = timing.interleaved(
            {
                "by_key": lambda: timing.seconds(lambda: _by_key(engine, old, new)),
                "joined": lambda: timing.seconds(lambda: _joined(paths)),
                "without_keys": lambda: timing.seconds(lambda: _without_keys(engine, old, new)),
                "excepted": lambda: timing.seconds(lambda: _excepted(paths)),
            },
            REPETITIONS,
        )
        engine.close()
    figures = {
        "by_key": timing.judged(times["by_key"], times["joined"], MOST["by_key"]),
        "without_keys": timing.judged(
            times["without_keys"], times["excepted"], MOST["without_keys"]
        ),
    }
    met = all(f["met"] for f in figures.values())
    timing.report("env_diff", {"rows": ROWS, **figures, "met": met})


def _built(engine: DuckDBEngine, sql: str, snapshot: str) -> Snapshot:
    node = Node("transform.orders", config={"sql": sql})
    wanted = Snapshot(node.id, snapshot)
    engine.build(Job(node, wanted, {}, None, lambda: None))
    return wanted


def _by_key(engine: DuckDBEngine, old: Snapshot, new: Snapshot) -> None:
    found = engine.compare(old, new, ["id"])
    _expect(
        (found.added, found.removed, found.changed, dict(found.changed_by_column)),
        (ADDED, ADDED, AMOUNTS + STATES, {"amount": AMOUNTS, "state": STATES}),
    )


def _joined(paths: Sequence[str]) -> None:
    differs = [f'a."{name}" IS DISTINCT FROM b."{name}"' for name in COLUMNS]
    counts = [
        "a.id IS NULL",
        "b.id IS NULL",
        *(f"a.id = b.id AND ({one})" for one in (" OR ".join(differs), *differs)),
    ]
    shown = ", ".join(f"count(*) FILTER ({count})" for count in counts)
    with duckdb.connect() as connection:
        (row,) = connection.execute(
            f"SELECT {shown} FROM '{paths[0]}' a FULL JOIN '{paths[1]}' b ON a.id = b.id"
        ).fetchall()
    _expect(row, (ADDED, ADDED, AMOUNTS + STATES, 0, AMOUNTS, 0, 0, 0, STATES, 0))


def _without_keys(engine: DuckDBEngine, old: Snapshot, new: Snapshot) -> None:
    found = engine.compare(old, new)
    _expect((found.added, found.removed), (ADDED + AMOUNTS + STATES,) * 2)


def _excepted(paths: Sequence[str]) -> None:
    with duckdb.connect() as connection:
        for one, other in (paths, reversed(paths)):
            (row,) = connection.execute(
                f"SELECT count(*) FROM (FROM '{one}' EXCEPT ALL FROM '{other}')"
            ).fetchall()
            _expect(row, (ADDED + AMOUNTS + STATES,))


def _expect(found: object, expected: object) -> None:
    if found != expected:
        raise RuntimeError(f"{found} differ, not {expected}")


if __name__ == "__main__":
    main()
