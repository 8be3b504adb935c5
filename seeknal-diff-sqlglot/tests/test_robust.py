"""Whatever a text says, there is a verdict."""

from __future__ import annotations

import time
from typing import Any

import pytest

from seeknal.dag.classifier import EVERYTHING, UNCHANGED, Query

from .judging import CLASSIFIER, judge, letter

DEEP = {
    "parentheses": lambda n: "SELECT " + "(" * n + "1" + ")" * n,
    "subqueries": lambda n: "SELECT * FROM " + "(SELECT * FROM " * n + "t" + ")" * n,
    "AND": lambda n: "SELECT 1 AS x FROM t WHERE " + " AND ".join(["x = 1"] * n),
    "NOT": lambda n: "SELECT " + "NOT " * n + "x FROM t",
    "minus": lambda n: "SELECT " + "- " * n + "x FROM t",
    "CASE": lambda n: "SELECT " + "CASE WHEN a THEN " * n + "1" + " END" * n,
    "concatenation": lambda n: "SELECT " + " || ".join(["x"] * n) + " AS x FROM t",
    "casts": lambda n: "SELECT x" + "::INT" * n + " FROM t",
    "brackets": lambda n: "SELECT x" + "[1]" * n + " FROM t",
    "joins": lambda n: "SELECT 1 AS x FROM a " + "JOIN b ON x " * n,
    "joins before ON": lambda n: "SELECT 1 AS x FROM a " + "JOIN b " * n + "ON x " * n,
    "unions": lambda n: " UNION ALL ".join(["SELECT 1 AS x"] * n),
    "functions": lambda n: "SELECT " + "f(" * n + "1" + ")" * n,
    "types": lambda n: "SELECT x::" + "STRUCT(a " * n + "INT" + ")" * n,
    "CTEs": lambda n: "WITH a AS (" * n + "SELECT 1" + ") SELECT 1" * n,
    "FROM": lambda n: "FROM " * n + "x",
}


@pytest.mark.parametrize("n", [500, 5_000])
@pytest.mark.parametrize("kind", DEEP)
def test_depth(kind: str, n: int) -> None:
    text = DEEP[kind](n)
    started = time.perf_counter()
    assert judge(text, text + " ").change == UNCHANGED
    assert judge("SELECT 1 AS x", text).change
    CLASSIFIER.lineage(Query(text))
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize("kind", ["parentheses", "AND", "types", "FROM"])
def test_depth_without_end(kind: str) -> None:
    assert judge("SELECT 1 AS x", DEEP[kind](100_000)).change


@pytest.mark.parametrize(
    "bad",
    [
        "",
        " ",
        "-- nothing",
        ";",
        "SELECT",
        "SELECT (",
        "SELECT 'open",
        "SELECT 1; SELECT 2",
        "DROP TABLE t",
        "CREATE TABLE x AS SELECT 1",
        "INSERT INTO t SELECT 1",
        "DESCRIBE t",
        "PRAGMA x",
        "SELECT {{ column }} FROM t",
        "SELECT a FROM {% if x %} t {% endif %}",
        "\x00",
        "\ud800",
        "😀",
        "SELECT * FROM",
        "WITH x AS (SELECT 1)",
        "SELECT a FROM t GROUP BY 7",
        "SELECT nope.* FROM t",
        "SELECT a FROM t ORDER BY 9 LIMIT 1",
        "SELECT COLUMNS('a.*') FROM t",
        "SELECT ? FROM t",
        "FROM t TABLESAMPLE 1%",
        "SELECT a FROM t, t",
        "SELECT a, a FROM t",
        "WITH RECURSIVE r AS (SELECT * FROM r) SELECT * FROM r",
    ],
)
def test_bad_texts(bad: str) -> None:
    assert letter(bad, "SELECT a FROM t") == "B"
    assert letter("SELECT a FROM t", bad) == "B"


@pytest.mark.parametrize("nothing", [None, 7, b"SELECT 1"])
def test_no_text(nothing: Any) -> None:
    for old, new in ((Query(nothing), Query("SELECT 1")), (Query("SELECT 1"), Query(nothing))):
        verdict = CLASSIFIER.classify(old, new, {})
        assert verdict is not None
        assert verdict.change == EVERYTHING
        assert verdict.reasons


def test_unknown_dialects() -> None:
    verdict = judge("SELECT a FROM t", "SELECT b FROM t", dialect="klingon")
    assert verdict.change == EVERYTHING
    assert verdict.reasons


def test_5000_lines() -> None:
    lines = ",\n".join(f"a{i} + {i} AS c{i}" for i in range(5_000))
    old = f"SELECT\n{lines}\nFROM t"
    assert judge(old, old.replace("\n", "\n  ")).change == UNCHANGED
    found = judge(old, old.replace("a4999 + 4999", "a4999 + 1"))
    assert found.change.changed == {"c4999"}
    assert found.reasons[0].line == 5_001


def test_a_chain_of_ctes_that_doubles_is_judged_at_once() -> None:
    parts = ["c0 AS (SELECT DISTINCT a FROM t)"]
    parts += [f"c{i} AS (SELECT DISTINCT x.a FROM c{i - 1} x, c{i - 1} y)" for i in range(1, 60)]
    old = f"WITH {', '.join(parts)} SELECT a FROM c59"
    started = time.perf_counter()
    assert judge(old, old.replace("c59", "last")).change == UNCHANGED
    assert judge(old, old.replace("FROM t)", "FROM t WHERE b > 1)")).change.rows
    assert time.perf_counter() - started < 5
