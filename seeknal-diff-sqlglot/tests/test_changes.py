"""What is added, changed, removed and moved, and what makes an added column dangerous."""

from __future__ import annotations

import pytest

from seeknal.dag.classifier import EVERYTHING, Change

from .judging import judge, letter

ADDED = [
    ("SELECT a FROM t", "SELECT a, b FROM t"),
    ("SELECT a FROM t", "SELECT b, a FROM t"),
    ("SELECT a FROM t", "SELECT a, CASE WHEN b > 1 THEN 'x' ELSE 'y' END AS c FROM t"),
    ("SELECT * FROM t", "SELECT *, a + 1 AS b FROM t"),
    (
        "SELECT a, sum(b) AS s FROM t GROUP BY a",
        "SELECT a, sum(b) AS s, max(c) AS m FROM t GROUP BY 1",
    ),
    (
        "SELECT a, sum(b) AS s FROM t GROUP BY ALL",
        "SELECT a, sum(b) AS s, max(c) AS m FROM t GROUP BY ALL",
    ),
    ("SELECT count(*) AS n FROM t", "SELECT count(*) AS n, min(a) AS m FROM t"),
    ("SELECT a FROM t WHERE b > 1", "SELECT a, c FROM t WHERE b > 1"),
    ("SELECT t.a FROM t JOIN u ON t.k = u.k", "SELECT t.a, u.v FROM t JOIN u ON t.k = u.k"),
    ("SELECT a FROM t", "SELECT a, rank() OVER (PARTITION BY b ORDER BY c) AS r FROM t"),
    ("SELECT a FROM t", "SELECT a, sum(b) OVER (PARTITION BY c) AS s FROM t"),
    (
        "WITH x AS (SELECT a, b FROM t) SELECT a FROM x",
        "WITH x AS (SELECT a, b FROM t) SELECT a, b FROM x",
    ),
    (
        "WITH x AS (SELECT DISTINCT a, b FROM t) SELECT a FROM x",
        "WITH x AS (SELECT DISTINCT a, b FROM t) SELECT a, b FROM x",
    ),
    (
        "WITH x AS (SELECT a, count(*) AS n FROM t GROUP BY a) SELECT a FROM x",
        "WITH x AS (SELECT a, count(*) AS n, max(b) AS m FROM t GROUP BY a) SELECT a, m FROM x",
    ),
    ("SELECT a FROM t", "WITH x AS (SELECT *, b + 1 AS c FROM t) SELECT a, c FROM x"),
    (
        "SELECT x.n FROM (SELECT a AS n FROM t ORDER BY a LIMIT 3) AS x",
        "SELECT x.n, x.n + 1 AS m FROM (SELECT a AS n FROM t ORDER BY a LIMIT 3) AS x",
    ),
    ("SELECT a FROM t", "SELECT a, (SELECT max(v) FROM u) AS m FROM t"),
    (
        "SELECT a, sum(b) AS s FROM t GROUP BY a",
        "SELECT a, sum(b) AS s, s * 2 AS d FROM t GROUP BY a",
    ),
    ("SELECT a FROM t GROUP BY a", "SELECT a, list(b ORDER BY b) AS m FROM t GROUP BY a"),
]

DANGEROUS = {
    "DISTINCT": ("SELECT DISTINCT a FROM t", "SELECT DISTINCT a, b FROM t"),
    "DISTINCT inside": (
        "SELECT a FROM (SELECT DISTINCT a FROM t) AS q",
        "SELECT a FROM (SELECT DISTINCT a, b FROM t) AS q",
    ),
    "UNION": (
        "SELECT a FROM t UNION SELECT k FROM u",
        "SELECT a, b FROM t UNION SELECT k, v FROM u",
    ),
    "UNION ALL": (
        "SELECT a FROM t UNION ALL SELECT k FROM u",
        "SELECT a, b FROM t UNION ALL SELECT k, v FROM u",
    ),
    "EXCEPT inside": (
        "SELECT a FROM (SELECT a FROM t EXCEPT SELECT k FROM u) AS q",
        "SELECT a FROM (SELECT a, b FROM t EXCEPT SELECT k, v FROM u) AS q",
    ),
    "GROUP BY ALL": (
        "SELECT a, count(*) AS n FROM t GROUP BY ALL",
        "SELECT a, b, count(*) AS n FROM t GROUP BY ALL",
    ),
    "GROUP BY position": (
        "SELECT a, b, count(*) AS n FROM t GROUP BY 1, 2",
        "SELECT c, a, b, count(*) AS n FROM t GROUP BY 1, 2",
    ),
    "PIVOT": (
        "SELECT * FROM (SELECT a, b FROM t) PIVOT (sum(b) FOR a IN (1, 2))",
        "SELECT * FROM (SELECT a, b, c FROM t) PIVOT (sum(b) FOR a IN (1, 2))",
    ),
    "NATURAL JOIN": (
        "SELECT u.v FROM (SELECT k FROM t) AS q NATURAL JOIN u",
        "SELECT u.v FROM (SELECT k, v FROM t) AS q NATURAL JOIN u",
    ),
    "the whole row": (
        "SELECT to_json(q) AS j FROM (SELECT a FROM t) AS q",
        "SELECT to_json(q) AS j FROM (SELECT a, b FROM t) AS q",
    ),
    "rows counted whole": (
        "SELECT count(DISTINCT q) AS n FROM (SELECT a FROM t) AS q",
        "SELECT count(DISTINCT q) AS n FROM (SELECT a, b FROM t) AS q",
    ),
    "first aggregate": ("SELECT 1 AS x FROM t", "SELECT 1 AS x, count(*) AS n FROM t"),
    "LIMIT": ("SELECT a FROM t LIMIT 3", "SELECT a, b FROM t LIMIT 3"),
    "LIMIT over ties": (
        "SELECT a FROM t ORDER BY a LIMIT 3",
        "SELECT a, b FROM t ORDER BY a LIMIT 3",
    ),
    "LIMIT inside": (
        "SELECT a FROM (SELECT a FROM t LIMIT 3) AS q",
        "SELECT a FROM (SELECT a, b FROM t LIMIT 3) AS q",
    ),
    "several rows": ("SELECT a FROM t", "SELECT a, unnest([1, 2]) AS x FROM t"),
    "several rows inside": (
        "SELECT a FROM (SELECT a FROM t) AS q",
        "SELECT a FROM (SELECT a, unnest([1, 2]) AS x FROM t) AS q",
    ),
    "join": ("SELECT t.a FROM t", "SELECT t.a, u.v FROM t LEFT JOIN u ON t.k = u.k"),
    "inner join": ("SELECT t.a FROM t", "SELECT t.a, u.v FROM t JOIN u ON t.k = u.k"),
    "join inside": (
        "SELECT q.a FROM (SELECT t.a FROM t) AS q",
        "SELECT q.a FROM (SELECT t.a, u.v FROM t, u) AS q",
    ),
    "dedupe over ties": (
        "SELECT a FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) = 1",
        "SELECT a, c FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) = 1",
    ),
    "row number": ("SELECT a FROM t", "SELECT a, row_number() OVER (ORDER BY a) AS r FROM t"),
    "lag": ("SELECT a FROM t", "SELECT a, lag(a) OVER (ORDER BY b) AS r FROM t"),
    "rows frame": (
        "SELECT a FROM t",
        "SELECT a, sum(b) OVER (ORDER BY a ROWS UNBOUNDED PRECEDING) AS s FROM t",
    ),
    "any value": ("SELECT a FROM t GROUP BY a", "SELECT a, any_value(b) AS x FROM t GROUP BY a"),
    "list": ("SELECT a FROM t GROUP BY a", "SELECT a, list(b) AS x FROM t GROUP BY a"),
    "random": ("SELECT a FROM t", "SELECT a, random() AS r FROM t"),
    "now": ("SELECT a FROM t", "SELECT a, now() AS r FROM t"),
    "uuid": ("SELECT a FROM t", "SELECT a, uuid() AS r FROM t"),
    "nextval": ("SELECT a FROM t", "SELECT a, nextval('s') AS r FROM t"),
    "today": ("SELECT a FROM t", "SELECT a, current_date AS r FROM t"),
    "unknown function": ("SELECT a FROM t", "SELECT a, my_macro(a) AS r FROM t"),
    "random inside": (
        "SELECT a FROM (SELECT a FROM t) AS q",
        "SELECT a FROM (SELECT a, random() AS r FROM t) AS q",
    ),
    "sample": ("SELECT a FROM t TABLESAMPLE 10%", "SELECT a, b FROM t TABLESAMPLE 10%"),
    "name that a star has": ("SELECT * FROM t", "SELECT *, upper(s) AS s FROM t"),
    "same name": ("SELECT a FROM t", "SELECT a, b AS a FROM t"),
    "beside what is volatile": (
        "SELECT a, random() AS r FROM t",
        "SELECT a, random() AS r, b FROM t",
    ),
    "visible conversion of text": (
        "SELECT a FROM t",
        "SELECT a, CAST(CAST(a AS VARCHAR) AS DATE) AS d FROM t",
    ),
    "close to the limit": ("SELECT a FROM t", "SELECT a, a * 1000000000000000000 AS x FROM t"),
    "not grouped inside": ("SELECT a FROM t", "SELECT a, (SELECT sum(v) + k FROM u) AS x FROM t"),
    "two columns inside": ("SELECT a FROM t", "SELECT a, (SELECT v, k FROM u) AS x FROM t"),
    "not grouped": ("SELECT count(*) AS n FROM t", "SELECT count(*) AS n, a FROM t"),
}


@pytest.mark.parametrize(("old", "new"), ADDED)
def test_added(old: str, new: str) -> None:
    assert letter(old, new) == "N"


@pytest.mark.parametrize(("old", "new"), DANGEROUS.values(), ids=DANGEROUS)
def test_dangerous(old: str, new: str) -> None:
    assert letter(old, new) == "B"


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("SELECT a, b FROM t", "SELECT a FROM t", Change(removed=frozenset("b"))),
        ("SELECT a, b FROM t", "SELECT b, a FROM t", Change(moved=True)),
        ("SELECT a, b FROM t", "SELECT a, b + 1 AS b FROM t", Change(changed=frozenset("b"))),
        (
            "SELECT a, b FROM t",
            "SELECT a, b AS c FROM t",
            Change(removed=frozenset("b"), added=frozenset("c")),
        ),
        ("SELECT a FROM t", "SELECT a FROM t WHERE b > 1", EVERYTHING),
        ("SELECT * FROM t", "SELECT * EXCLUDE (a) FROM t", Change(removed=frozenset("a"))),
        ("SELECT * FROM t", "SELECT * REPLACE (a + 1 AS a) FROM t", Change(changed=frozenset("a"))),
        (
            "WITH x AS (SELECT DISTINCT a, b FROM t) SELECT a, b AS c FROM x",
            "WITH x AS (SELECT DISTINCT a, b FROM t) SELECT a, b + 1 AS c FROM x",
            Change(changed=frozenset("c")),
        ),
        (
            "SELECT a, x.m FROM t, (SELECT max(v) AS m FROM u) AS x",
            "SELECT a, x.m FROM t, (SELECT min(v) AS m FROM u) AS x",
            EVERYTHING,
        ),
        (
            "SELECT t.a, x.m FROM t, (SELECT max(v) AS m FROM u) AS x",
            "SELECT t.a, x.m FROM t, (SELECT min(v) AS m FROM u) AS x",
            Change(changed=frozenset("m")),
        ),
        ("SELECT t.a FROM t", "SELECT t.a FROM u AS t", EVERYTHING),
    ],
)
def test_columns(old: str, new: str, change: Change) -> None:
    if change == EVERYTHING:
        assert judge(old, new).category.value == "breaking"
    else:
        assert judge(old, new).change == change


KEY = {"u": (frozenset("k"),)}


def test_a_join_over_a_declared_key_adds_columns_only() -> None:
    old, new = "SELECT t.a FROM t", "SELECT t.a, u.v FROM t LEFT JOIN u ON t.k = u.k"
    assert judge(old, new, keys=KEY).change == Change(added=frozenset("v"))
    assert judge(new, old, keys=KEY).change == Change(removed=frozenset("v"))


@pytest.mark.parametrize(
    "join",
    [
        "JOIN u ON t.k = u.k",
        "LEFT JOIN u ON t.k = u.v",
        "LEFT JOIN u ON t.k >= u.k",
        "LEFT JOIN u ON t.k = u.k OR t.a = u.v",
        "LEFT JOIN u ON u.k = u.v",
        "RIGHT JOIN u ON t.k = u.k",
        "FULL JOIN u ON t.k = u.k",
        "CROSS JOIN u",
    ],
)
def test_other_joins_may_change_rows(join: str) -> None:
    assert judge("SELECT t.a FROM t", f"SELECT t.a, u.v FROM t {join}", keys=KEY).change.rows


def test_half_a_key_is_none() -> None:
    keys = {"u": (frozenset({"k", "v"}),)}
    new = "SELECT t.a, u.w FROM t LEFT JOIN u ON t.k = u.k"
    assert judge("SELECT t.a FROM t", new, keys=keys).change.rows
    assert judge("SELECT t.a FROM t", f"{new} AND u.v = t.v", keys=keys).change == Change(
        added=frozenset("w")
    )


def test_a_join_over_what_is_grouped_adds_columns_only() -> None:
    new = (
        "SELECT t.a, x.n FROM t LEFT JOIN"
        " (SELECT k, count(*) AS n FROM u GROUP BY k) AS x ON t.k = x.k"
    )
    assert judge("SELECT t.a FROM t", new).change == Change(added=frozenset("n"))


def test_a_key_makes_an_order_total() -> None:
    keys = {"t": (frozenset("k"),)}
    new = "SELECT a, row_number() OVER (PARTITION BY a ORDER BY b, k) AS r FROM t"
    assert judge("SELECT a FROM t", new, keys=keys).change == Change(added=frozenset("r"))
    limited = "SELECT a FROM t ORDER BY k LIMIT 3", "SELECT a, b FROM t ORDER BY k LIMIT 3"
    assert judge(*limited, keys=keys).change == Change(added=frozenset("b"))
