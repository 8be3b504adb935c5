"""Changes that look harmless and are not: names that are captured, meet, or are not there."""

from __future__ import annotations

import pytest

from seeknal.dag.classifier import EVERYTHING, UNCHANGED, Change

from .judging import judge, letter

ADDED, REMOVED = Change(added=frozenset("x")), Change(removed=frozenset("x"))
TYPE = Change(changed=frozenset("x"))
COLUMNS = {"source.t": ("k", "a", "b"), "source.u": ("k", "v")}


def after(sql: str, change: Change, known: bool) -> Change:
    """What becomes of a result where `source.t` changes, with columns of tables known or not."""
    columns = COLUMNS if known else {}
    if known and change is not ADDED:
        columns = {**columns, "source.t": ("k", "a", "b", "x")}
    return judge(sql, sql, {"source.t": change}, ids=tuple(COLUMNS), columns=columns).change


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT upper(a) AS x, sum(b) AS s FROM source.t GROUP BY x",
        "SELECT upper(a) AS x, sum(b) AS s FROM (SELECT * FROM source.t WHERE b > 1) GROUP BY x",
        "SELECT upper(a) AS x, sum(b) AS s FROM source.t GROUP BY ROLLUP (x)",
    ],
)
def test_an_added_column_captures_the_name_of_a_group(sql: str, known: bool) -> None:
    assert after(sql, ADDED, known) == EVERYTHING


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT upper(a) AS x FROM source.t WHERE x > 'm'",
        "SELECT a, sum(b) AS x FROM source.t GROUP BY a HAVING x > 1",
        "SELECT a, rank() OVER (ORDER BY b) AS x FROM source.t QUALIFY x = 1",
        "SELECT DISTINCT ON (x) upper(a) AS x, b FROM source.t ORDER BY x, b",
        "SELECT k FROM source.u WHERE EXISTS (SELECT 1 FROM source.t WHERE x = k)",
    ],
)
def test_an_added_column_captures_a_name_that_decides_rows(sql: str) -> None:
    assert after(sql, ADDED, known=False) == EVERYTHING


def test_a_group_is_named_after_a_column_that_comes_from_inside() -> None:
    old = "SELECT upper(a) AS x, sum(b) AS s FROM (SELECT a, b FROM t) AS q GROUP BY x"
    assert letter(old, old.replace("a, b FROM", "a, b, 1 AS x FROM")) == "B"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SELECT a FROM (SELECT a FROM t) AS q", "SELECT a, b FROM (SELECT a FROM t) AS q"),
        ("SELECT a FROM (SELECT a FROM t) AS q", "SELECT a, q.b FROM (SELECT a FROM t) AS q"),
        ("SELECT a FROM t", "SELECT a FROM t ORDER BY b"),
        ("SELECT a FROM t", "SELECT a FROM t ORDER BY 2"),
        ("SELECT a FROM t GROUP BY a, b", "SELECT a FROM t GROUP BY a, b ORDER BY lower(c)"),
        ("SELECT max(a) AS m FROM t", "SELECT max(a) AS m FROM t ORDER BY a"),
        ("SELECT 1 AS one FROM t", "SELECT 1 AS one FROM t ORDER BY count(*)"),
        (
            "SELECT a, sum(b) AS s FROM t GROUP BY a",
            "SELECT a, sum(b) AS s FROM t GROUP BY a ORDER BY b",
        ),
        ("SELECT DISTINCT a FROM t WHERE b > 1", "SELECT DISTINCT a FROM t WHERE b > 1 ORDER BY b"),
        ("SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 'x'"),
        ("SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 1.0"),
        ("SELECT a FROM t", "SELECT a FROM (SELECT a, b AS hidden FROM t) AS q"),
        ("SELECT a FROM t", "SELECT a FROM (SELECT a, upper(a) AS hidden FROM t) AS q"),
        (
            "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u)",
            "SELECT a FROM t WHERE EXISTS (SELECT nothing FROM u)",
        ),
        ("SELECT rowid AS r FROM t", "SELECT rowid AS r, a FROM t"),
    ],
)
def test_what_may_not_be_there(old: str, new: str) -> None:
    assert letter(old, new) == "B"


def test_known_columns_tell_what_is_there() -> None:
    old = "SELECT a FROM source.t"
    for new in (f"{old} ORDER BY b", "SELECT a FROM (SELECT a, b AS hidden FROM source.t) AS q"):
        assert judge(old, new).change == EVERYTHING
        assert judge(old, new, columns=COLUMNS).change == UNCHANGED
        assert judge(old, new.replace("b", "c"), columns=COLUMNS).change == EVERYTHING


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("sql", "change"),
    [
        ("SELECT * EXCLUDE (x) FROM source.t", REMOVED),
        ("SELECT a FROM source.t ORDER BY x", REMOVED),
        ("SELECT a FROM (SELECT a, x FROM source.t) AS q", REMOVED),
        ("SELECT a FROM (SELECT a, x + 1 AS y FROM source.t) AS q", TYPE),
    ],
)
def test_what_decides_nothing_must_still_be_there(sql: str, change: Change, known: bool) -> None:
    assert after(sql, change, known) == EVERYTHING


def test_values_of_what_decides_nothing_are_free() -> None:
    for sql in (
        "SELECT a FROM source.t ORDER BY x",
        "SELECT a FROM (SELECT a, x FROM source.t) AS q",
        "SELECT * EXCLUDE (x) FROM source.t",
    ):
        assert after(sql, TYPE, known=False) == UNCHANGED


@pytest.mark.parametrize(
    "condition",
    [
        "t.k = u.k AND NOT (t.a < u.v)",
        "t.k = u.k AND t.a >= u.v AND TRUE",
        "t.k = u.k AND t.a >= u.v AND t.a >= u.v",
        "t.k = u.k AND (t.a >= u.v OR FALSE)",
    ],
)
def test_asof_takes_its_condition_as_it_stands(condition: str) -> None:
    query = "SELECT t.a FROM t ASOF JOIN u ON "
    plain = f"{query}t.k = u.k AND t.a >= u.v"
    assert letter(plain, query + condition) == "B"
    assert letter(plain, f"{query}u.v <= t.a AND u.k = t.k") == "M"


@pytest.mark.parametrize(
    "exceptions",
    [
        "EXCLUDE (a, (b COLLATE NOCASE))",
        "EXCLUDE (a, CAST(b AS TEXT))",
        "EXCLUDE (a, b, a)",
        "EXCLUDE (a) REPLACE (1 AS a)",
    ],
)
def test_exceptions_of_a_star_are_names(exceptions: str) -> None:
    assert letter("SELECT * EXCLUDE (a, b) FROM t", f"SELECT * {exceptions} FROM t") == "B"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SELECT * FROM t", "SELECT *, a FROM t WHERE a > 1"),
        ("SELECT *, a, a FROM t", "SELECT *, a, a, 1 AS one FROM t"),
        ("SELECT t.*, u.v FROM t JOIN u USING (k)", "SELECT * FROM t JOIN u USING (k)"),
        ("SELECT * REPLACE (b + 1 AS b) FROM t", "SELECT * REPLACE (b + 1 AS b), 2 AS b FROM t"),
        ("SELECT * FROM t", "SELECT 1 AS one, * FROM t"),
    ],
)
def test_two_columns_of_one_name(old: str, new: str) -> None:
    assert judge(old, new).change == EVERYTHING


def test_known_columns_tell_whether_a_name_stands_twice() -> None:
    old = "SELECT * FROM source.t"
    for name, change in (("b", EVERYTHING), ("c", Change(added=frozenset("c")))):
        assert judge(old, f"SELECT *, 1 AS {name} FROM source.t", columns=COLUMNS).change == change
    both = "SELECT * FROM source.t JOIN source.u ON t.k < u.k"
    assert after(both, ADDED, known=False) == EVERYTHING


def test_a_star_of_which_nothing_is_left() -> None:
    sql = "SELECT * EXCLUDE (a) FROM (SELECT a FROM t) AS q"
    assert letter(sql, sql.replace("a FROM", "a, 1 AS b FROM")) == "B"
    sql = "SELECT * EXCLUDE (k) FROM source.t"
    columns = {"source.t": ("k",)}
    assert judge(sql, sql, {"source.t": ADDED}, columns=columns).change == EVERYTHING
    assert after(sql, ADDED, known=True) == ADDED


@pytest.mark.parametrize("join", ["NATURAL JOIN", "NATURAL LEFT JOIN", "NATURAL FULL JOIN"])
def test_natural_keys_decide_rows(join: str) -> None:
    sql = f"SELECT a, v FROM source.t {join} source.u"
    for change in (ADDED, REMOVED, TYPE):
        assert after(sql, change, known=False) == EVERYTHING
        if change is not REMOVED:
            assert after(sql, change, known=True) == UNCHANGED
    keys = Change(changed=frozenset("k"))
    assert after(sql, keys, known=True) == EVERYTHING
    old = f"SELECT t.a FROM (SELECT a, b FROM t) AS t {join} u"
    assert letter(old, old.replace("a, b FROM", "a, b, NULL AS v FROM")) == "B"


@pytest.mark.parametrize("join", ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN"])
def test_using_keys_decide_rows(join: str) -> None:
    sql = f"SELECT a FROM source.t {join} source.u USING (k, x)"
    assert after(sql, TYPE, known=False) == EVERYTHING
    assert after(sql, Change(changed=frozenset("b")), known=False) == UNCHANGED


def test_using_of_an_outer_join_makes_a_column_of_its_own() -> None:
    for join in ("RIGHT JOIN", "FULL JOIN"):
        sql = f"SELECT k, t.a FROM t {join} u USING (k)"
        assert letter(sql, sql.replace("SELECT k", "SELECT t.k")) == "B"
        assert letter(sql, sql.replace("k,", "k, v AS w,")) == "N"
        star = f"SELECT * FROM t {join} u USING (k)"
        assert letter(star, f"{star} WHERE TRUE") == "B"


@pytest.mark.parametrize(
    "value",
    [
        "(SELECT unnest([1, 2]) AS x, count(*) FROM u)",
        "1 + (SELECT max(v) AS x, count(*) FROM u)",
        "(SELECT max(v), count(*) FROM u UNION ALL SELECT 1, 2)",
        "a IN (SELECT v, k FROM u)",
    ],
)
def test_a_value_has_one_column(value: str) -> None:
    assert letter("SELECT a FROM t", f"SELECT a, {value} AS c FROM t") == "B"


def test_the_name_inside_of_a_value_shows_nowhere() -> None:
    old, new = (f"SELECT a, (SELECT {v} FROM u) AS m FROM t" for v in ("max(v)", "max(v) AS n"))
    assert letter(old, new) == "M"
    assert letter(old.replace(" AS m", ""), new.replace(" AS m", "")) == "B"


def test_the_name_inside_of_a_lateral_query_shows() -> None:
    old = "SELECT t.a, l.x FROM t, LATERAL (SELECT u.v AS x FROM u WHERE u.k = t.k) AS l"
    assert letter(old, old.replace("AS x", "AS y")) == "B"


def test_an_aggregate_may_be_one_of_the_query_around() -> None:
    old = "SELECT 1 AS one FROM t"
    assert letter(old, "SELECT 1 AS one, (SELECT count(t.a) FROM u) AS n FROM t") == "B"
    assert letter(old, "SELECT 1 AS one, (SELECT count(a) FROM u) AS n FROM t") == "B"
    assert letter(old, "SELECT 1 AS one, (SELECT count(u.v) FROM u) AS n FROM t") == "N"
    columns = {"t": ("k", "a"), "u": ("k", "v")}
    for name, category in (("v", "non_breaking"), ("a", "breaking")):
        new = f"SELECT 1 AS one, (SELECT count({name}) FROM u) AS n FROM t"
        assert judge(old, new, columns=columns).category.value == category


def test_the_right_side_of_a_semi_join_is_not_seen() -> None:
    for join in ("SEMI JOIN", "ANTI JOIN"):
        old = f"SELECT t.a FROM t {join} u ON t.k = u.k"
        assert letter(old, old.replace("t.a", "t.a, u.v")) == "B"
        assert letter(old, old.replace("t.a", "t.a, b")) == "N"
        assert letter(old.replace("t.a", "t.*"), old.replace("t.a", "*")) == "M"


def test_a_name_of_a_table_is_not_a_name_that_may_come_from_around() -> None:
    sql = "SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = {})"
    assert letter(sql.format("a"), sql.format("u.a")) == "B"
    assert letter(sql.format("u.a"), sql.format("a")) == "B"


def test_an_added_column_that_depends_on_luck_is_still_added() -> None:
    old = "SELECT k, row_number() OVER (ORDER BY a) AS place FROM source.t"
    change = judge(old, old.replace("place", "b"), columns=COLUMNS).change
    assert change.rows or change == Change(
        changed=frozenset("b"), added=frozenset("b"), removed=frozenset({"place"})
    )


def test_the_case_of_a_name_shows_in_a_result() -> None:
    named = Change(changed=frozenset("x"))
    for old, new in (
        ("SELECT a AS x FROM t", "SELECT a AS X FROM t"),
        ("SELECT a x FROM t", "SELECT a X FROM t"),
        (
            "WITH q (x) AS (SELECT a FROM t) SELECT x FROM q",
            "WITH q (X) AS (SELECT a FROM t) FROM q",
        ),
    ):
        assert judge(old, new).change == named
    inside = "SELECT x FROM (SELECT a AS x FROM t WHERE b > 1) AS q"
    assert judge(inside, inside.replace("AS x", "AS X")).change == named
    assert letter(inside, "SELECT a AS X FROM t WHERE b > 1") == "B"
    assert letter(inside, inside.replace("SELECT x", "SELECT X")) == "M"
    replaced = "SELECT * REPLACE (a + 1 AS x) FROM t"
    assert judge(replaced, replaced.replace("AS x", "AS X")).change == named
    values = "SELECT x FROM (VALUES (1), (2)) AS v (x)"
    assert letter(values, values.replace("(x)", "(X)")) == "B"
    recursive = (
        "WITH RECURSIVE r (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 3)"
        " SELECT x FROM r"
    )
    assert letter(recursive, recursive.replace("(x)", "(X)")) == "B"
    merged = "SELECT k, t.a FROM t FULL JOIN u USING (k)"
    assert letter(merged, merged.replace("SELECT k", "SELECT K")) == "B"
    assert judge("SELECT a AS next FROM t", "SELECT a AS NEXT FROM t").change.changed == {"next"}
    assert letter("SELECT sum(a + b) FROM t", "SELECT sum(A + b) FROM t") == "B"
    assert letter("SELECT a AS x FROM t", "SELECT A AS x FROM T") == "M"
    assert letter("SELECT a AS x FROM t", "SELECT a AS X FROM t", "postgres") == "M"
