"""What a verdict costs, on the texts of TPC-DS: ours against `sqlglot.parse_one` of both texts.

As medians of the queries' ratios: when a text was only laid out anew, and when it was edited: a
CTE and aliases renamed by rendering it again, a column added, a condition added.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import sqlglot
import timing
from sqlglot import exp

from seeknal.dag.classifier import Query
from seeknal_diff_sqlglot.classifier import SqlglotClassifier

REPETITIONS = 5
MOST_FORMATTED, MOST_EDITED = 4, 12
TEXTS = "backends/tests/tpc/queries/duckdb/ds"
"""Where ibis-framework, a development dependency, keeps the texts, below its package."""


def main() -> None:
    classifier = SqlglotClassifier()
    texts = _texts()
    figures = {}
    for name, (edit, most) in EDITS.items():
        pairs = [(sql, edit(sql)) for sql in texts]
        ratios = [_ratio(classifier, *pair) for pair in pairs]
        ratio = round(statistics.median(ratios), 2)
        figures[name] = {"ratio": ratio, "worst": max(ratios), "target": most, "met": ratio <= most}
    met = all(f["met"] for f in figures.values())
    timing.report("verdicts", {"queries": len(texts), **figures, "met": met})


def _texts() -> list[str]:
    found = find_spec("ibis")
    if found is None or found.origin is None:
        raise SystemExit("The texts are in the distribution ibis-framework: install it.")
    paths = sorted((Path(found.origin).parent / TEXTS).glob("*.sql"))
    return [path.read_text(encoding="utf-8").rstrip().removesuffix(";") for path in paths]


def _ratio(classifier: SqlglotClassifier, old: str, new: str) -> float:
    sides = {
        "ours": lambda: timing.seconds(lambda: _judge(classifier, old, new)),
        "bare": lambda: timing.seconds(lambda: _parse(old, new)),
    }
    times = timing.interleaved(sides, REPETITIONS)
    return timing.compared(times["ours"], times["bare"])["ratio"]


def _judge(classifier: SqlglotClassifier, old: str, new: str) -> None:
    classifier.classify(Query(old), Query(new), {})


def _parse(old: str, new: str) -> None:
    for sql in (old, new):
        sqlglot.parse_one(sql, read="duckdb")


def _laid_out(sql: str) -> str:
    return f"-- again\n{sql}".replace(",", " ,\n   ")


def _rendered(sql: str) -> str:
    return sqlglot.parse_one(sql, read="duckdb").sql("duckdb", pretty=True)


def _with_column(sql: str) -> str:
    tree = sqlglot.parse_one(sql, read="duckdb")
    select = tree.find(exp.Select)
    assert select is not None
    select.append("expressions", sqlglot.parse_one("1 AS one"))
    return tree.sql("duckdb")


def _with_condition(sql: str) -> str:
    tree = sqlglot.parse_one(sql, read="duckdb")
    select = tree.find(exp.Select)
    assert select is not None
    select.where("1 < 2", copy=False)
    return tree.sql("duckdb")


EDITS: dict[str, tuple[Callable[[str], str], float]] = {
    "laid_out": (_laid_out, MOST_FORMATTED),
    "rendered": (_rendered, MOST_EDITED),
    "column_added": (_with_column, MOST_EDITED),
    "condition_added": (_with_condition, MOST_EDITED),
}


if __name__ == "__main__":
    main()
