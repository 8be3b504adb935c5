"""METADATA: what the rules make equal is, and what only looks like it is not."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest

from .judging import letter
from .rules import EQUAL, UNEQUAL


def pairs(rules: dict[str, list[tuple[str, str]]]) -> list[object]:
    found = []
    for rule, listed in rules.items():
        found += [pytest.param(old, new, id=f"{rule} {i}") for i, (old, new) in enumerate(listed)]
    return found


@pytest.mark.parametrize(("old", "new"), pairs(EQUAL))
def test_equal(old: str, new: str) -> None:
    assert letter(old, new) == "M"
    assert letter(new, old) == "M"


@pytest.mark.parametrize(("old", "new"), pairs(UNEQUAL))
def test_unequal(old: str, new: str) -> None:
    assert letter(old, new) == "B"
    assert letter(new, old) == "B"


@pytest.fixture(scope="module")
def tables() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE t (a INT, b INT, k INT, s VARCHAR, d DOUBLE, e DOUBLE, f DOUBLE)"
    )
    connection.execute("CREATE TABLE u (k INT, v INT)")
    connection.execute(
        """
        INSERT INTO t VALUES (1, 2, 1, 'x', 0.1, 0.2, 0.3), (1, 2, 1, 'x', 'nan', -0.0, 1e308),
            (NULL, 3, 2, NULL, NULL, 1, 2), (3, NULL, NULL, 'A', 'inf', 0.0, 1),
            (2, 3, 3, 'a', 1, 1, 1)
        """
    )
    connection.execute("INSERT INTO u VALUES (1, 1), (1, 2), (2, NULL), (NULL, 5), (4, 0)")
    return connection


@pytest.mark.parametrize(("old", "new"), pairs(EQUAL))
def test_what_is_equal_gives_the_same(
    tables: duckdb.DuckDBPyConnection, old: str, new: str
) -> None:
    results = []
    for sql in (old, new):
        cursor = tables.execute(sql)
        columns = [(name.lower(), str(kind)) for name, kind, *_ in cursor.description]
        results.append((columns, Counter(map(repr, cursor.fetchall()))))
    assert results[0] == results[1]
