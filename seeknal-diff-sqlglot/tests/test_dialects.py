"""What holds in one dialect and not in another."""

from __future__ import annotations

import pytest

from seeknal.dag.classifier import Change

from .judging import judge, letter


@pytest.mark.parametrize(
    ("dialect", "old", "new", "expected"),
    [
        ("postgres", "SELECT A FROM t", "SELECT a FROM t", "M"),
        ("postgres", 'SELECT "A" FROM t', "SELECT a FROM t", "B"),
        ("snowflake", 'SELECT "A" FROM t', "SELECT a FROM t", "M"),
        ("snowflake", 'SELECT "a" FROM t', "SELECT a FROM t", "B"),
        ("mysql", "SELECT a FROM T", "SELECT a FROM t", "B"),
        ("bigquery", "SELECT a FROM `t`", "SELECT a FROM t", "M"),
        ("sqlite", "SELECT a + b FROM t", "SELECT a+b FROM t", "B"),
        ("sqlite", "SELECT a + b AS x FROM t", "SELECT a+b AS x FROM t", "M"),
        ("sqlite", "SELECT a FROM t WHERE a = b", "SELECT a FROM t WHERE b = a", "B"),
        ("tsql", "SELECT a + b AS x FROM t", "SELECT b + a AS x FROM t", "B"),
        ("mysql", "SELECT a * b AS x FROM t", "SELECT b * a AS x FROM t", "M"),
        ("postgres", "SELECT a FROM t WHERE NOT a < 1", "SELECT a FROM t WHERE a >= 1", "M"),
        ("bigquery", "SELECT a FROM t WHERE NOT a < 1", "SELECT a FROM t WHERE a >= 1", "B"),
        ("spark", "SELECT IFNULL(a, 0) AS x FROM t", "SELECT COALESCE(a, 0) AS x FROM t", "M"),
        ("oracle", "SELECT NVL(a, 0) AS x FROM t", "SELECT COALESCE(a, 0) AS x FROM t", "B"),
        ("postgres", "SELECT a FROM t", "SELECT a, b FROM t", "N"),
        ("snowflake", "SELECT a FROM t", "SELECT a, b FROM t", "N"),
        (
            "sqlite",
            "SELECT a, count(*) AS n FROM t GROUP BY a",
            "SELECT a, count(*) AS n, b FROM t GROUP BY a",
            "B",
        ),
        ("sqlite", "SELECT a FROM t", "SELECT a, date('now') AS d FROM t", "B"),
        ("postgres", "SELECT a FROM t", "SELECT a, CAST('now' AS timestamp) AS d FROM t", "B"),
    ],
)
def test_dialects(dialect: str, old: str, new: str, expected: str) -> None:
    assert letter(old, new, dialect) == expected


def test_another_dialect_is_another_query() -> None:
    from seeknal.dag.classifier import Query

    from .judging import CLASSIFIER

    verdict = CLASSIFIER.classify(
        Query("SELECT a / b AS x FROM t"), Query("SELECT a / b AS x FROM t", "postgres"), {}
    )
    assert verdict is not None
    assert verdict.change.rows


def test_names_are_written_as_the_dialect_does() -> None:
    assert judge("SELECT a FROM t", "SELECT a, b FROM t", dialect="snowflake").change == Change(
        added=frozenset("B")
    )
    assert judge("SELECT a FROM t", 'SELECT a, b AS "Total" FROM t', dialect="postgres").change == (
        Change(added=frozenset({"Total"}))
    )
    assert judge("SELECT a FROM t", 'SELECT a, b AS "Total" FROM t').change == Change(
        added=frozenset({"total"})
    )
