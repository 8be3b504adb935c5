"""What follows for a query from what changed in the tables that it reads."""

from __future__ import annotations

import pytest

from seeknal.dag.classifier import EVERYTHING, UNCHANGED, Change, Query
from seeknal_diff_sqlglot.classifier import SqlglotClassifier

from .judging import judge

X = Change(changed=frozenset("x"))
ADDED = Change(added=frozenset("x"))
REMOVED = Change(removed=frozenset("x"))
MOVED = Change(moved=True)


def after(sql: str, change: Change, table: str = "source.t", **known: object) -> Change:
    ids = ("source.t", "source.u")
    return judge(sql, sql, {table: change}, ids=ids, **known).change  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [X, ADDED, REMOVED, MOVED])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM source.t",
        "SELECT a FROM input_0",
        "SELECT count(*) AS n FROM source.t",
        "SELECT a, sum(b) AS s FROM source.t GROUP BY a HAVING sum(b) > 1 ORDER BY 2",
        "WITH q AS (SELECT * FROM source.t) SELECT a FROM q",
        "SELECT q.a FROM (SELECT * FROM source.t WHERE b > 1) AS q",
        "SELECT t.a FROM source.t JOIN source.u ON t.k = u.k",
        "SELECT * EXCLUDE (x) FROM (SELECT a, b FROM source.t) AS q".replace("x", "b"),
        "SELECT a FROM source.u WHERE EXISTS (SELECT * FROM source.t WHERE t.k = u.k)",
        "SELECT DISTINCT a FROM source.t",
        "SELECT a FROM source.t UNION SELECT k FROM source.u",
        "SELECT a FROM source.t LIMIT 5",
        "SELECT a, random() AS r FROM source.t",
        "SELECT a, row_number() OVER (ORDER BY b) AS r FROM source.t",
    ],
)
def test_what_is_not_read_changes_nothing(sql: str, change: Change) -> None:
    assert after(sql, change) == UNCHANGED


@pytest.mark.parametrize("change", [X, REMOVED, ADDED])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM source.t WHERE x > 1",
        "SELECT a FROM source.t GROUP BY a, x",
        "SELECT a FROM source.t GROUP BY a HAVING max(x) > 1",
        "SELECT a FROM source.t ORDER BY x LIMIT 3",
        "SELECT a FROM source.t QUALIFY rank() OVER (ORDER BY x) = 1",
        "SELECT t.a FROM source.t JOIN source.u ON t.x = u.k",
        "SELECT t.a FROM source.t JOIN source.u USING (x)",
        "SELECT u.v FROM source.t NATURAL JOIN source.u",
        "SELECT DISTINCT x FROM source.t",
        "SELECT DISTINCT * FROM source.t",
        "SELECT * FROM source.t UNION SELECT * FROM source.u",
        "SELECT k FROM source.u WHERE k IN (SELECT x FROM source.t)",
        "SELECT k FROM source.u WHERE EXISTS (SELECT 1 FROM source.t WHERE t.x = u.k)",
        "SELECT k FROM source.u WHERE k > (SELECT max(x) FROM source.t)",
        "SELECT * FROM source.t PIVOT (sum(a) FOR b IN (1, 2))",
        "SELECT a FROM (SELECT DISTINCT * FROM source.t) AS q",
        "SELECT a FROM (SELECT a, x AS y FROM source.t) AS q WHERE y > 1",
        "SELECT a FROM source.t, unnest(t.x) AS v(e)",
    ],
)
def test_what_decides_rows_changes_rows(sql: str, change: Change) -> None:
    assert after(sql, change) == EVERYTHING


def test_columns_are_followed() -> None:
    assert after("SELECT a, x FROM source.t", X) == X
    assert after("SELECT a, x + 1 AS y FROM source.t", X) == Change(changed=frozenset("y"))
    sql = "WITH q AS (SELECT a, x AS y FROM source.t) SELECT a, y || 'z' AS z, a AS w FROM q"
    assert after(sql, X) == Change(changed=frozenset("z"))
    assert after("SELECT a, sum(x) AS s FROM source.t GROUP BY a", X) == Change(
        changed=frozenset("s")
    )
    sql = "SELECT a, (SELECT max(x) FROM source.t AS i WHERE i.k = u.k) AS m FROM source.u"
    assert after(sql, X) == Change(changed=frozenset("m"))
    sql = "SELECT a FROM source.t UNION ALL SELECT k FROM source.u"
    assert after(sql, Change(changed=frozenset("a"))) == Change(changed=frozenset("a"))
    assert after(sql, Change(changed=frozenset("k")), "source.u") == Change(changed=frozenset("a"))


def test_a_star_carries_all_on() -> None:
    for change in (X, ADDED, REMOVED, MOVED):
        assert after("SELECT * FROM source.t", change) == change
        assert after("WITH q AS (SELECT * FROM source.t WHERE a > 1) SELECT * FROM q", change) == (
            change
        )
    assert after("SELECT * EXCLUDE (x) FROM source.t", X) == UNCHANGED
    assert after("SELECT * REPLACE (1 AS x) FROM source.t", X) == UNCHANGED
    assert after("SELECT t.* FROM source.t JOIN source.u ON t.k = u.k", ADDED) == ADDED
    assert after("SELECT t.* FROM source.t JOIN source.u ON t.k = u.k", ADDED, "source.u") == (
        UNCHANGED
    )


def test_an_added_column_may_take_a_name() -> None:
    assert after("SELECT a AS x, x + 1 AS y FROM source.t", ADDED).category.value == "breaking"
    assert after("SELECT *, a + 1 AS x FROM source.t", ADDED).category.value == "breaking"
    assert after("SELECT * FROM source.t JOIN source.u ON t.k = u.k", ADDED).category.value == (
        "breaking"
    )
    sql = "SELECT k FROM source.u WHERE EXISTS (SELECT 1 FROM source.t WHERE x = u.k)"
    assert after(sql, ADDED) == EVERYTHING


def test_a_name_inside_may_be_one_of_the_query_around() -> None:
    sql = "SELECT k FROM source.u WHERE EXISTS (SELECT 1 FROM source.t WHERE x = t.k)"
    assert after(sql, X, "source.u") == EVERYTHING
    columns = {"source.t": ("k", "x")}
    assert after(sql, X, "source.u", columns=columns) == UNCHANGED


def test_an_order_by_position_reads_what_stands_there() -> None:
    sql = "WITH q AS (SELECT * FROM source.t ORDER BY 1 LIMIT 3) SELECT a FROM q"
    assert after(sql, X) == EVERYTHING
    assert after(sql, MOVED) == EVERYTHING


def test_known_columns_tell_whose_a_name_is() -> None:
    sql = "SELECT a, v FROM source.t JOIN source.u ON t.k = u.k"
    columns = {"source.t": ("k", "a"), "source.u": ("k", "v")}
    change = Change(changed=frozenset("v"))
    assert after(sql, change) == change
    assert after(sql, change, "source.u", columns=columns) == change
    assert after(sql, change, "source.t", columns=columns) == UNCHANGED


def test_columns_are_looked_up_only_where_they_matter() -> None:
    class Unread(dict[str, tuple[str, ...]]):
        def get(self, *_: object) -> tuple[str, ...]:  # type: ignore[override]
            raise AssertionError("looked up")

    sql = "SELECT a FROM source.t JOIN source.u ON t.k = u.k"
    known = Unread({"source.t": ("a",)})
    assert judge(sql, sql.replace("=", " = "), columns=known).change == UNCHANGED
    assert judge(sql, sql, {"source.t": X}, columns=known).change == UNCHANGED


def test_rows_change_rows_wherever_they_are_read() -> None:
    for sql in (
        "SELECT 1 AS one FROM source.t",
        "SELECT u.k FROM source.u LEFT JOIN source.t ON TRUE",
    ):
        assert after(sql, EVERYTHING) == EVERYTHING
    assert after("SELECT k FROM source.u", EVERYTHING) == UNCHANGED
    assert after("WITH q AS (SELECT * FROM source.t) SELECT k FROM source.u", EVERYTHING) == (
        UNCHANGED
    )


def test_what_is_computed_again_is_not_spared_where_it_depends_on_luck() -> None:
    assert after("SELECT * FROM source.t LIMIT 5", ADDED) == EVERYTHING
    found = after("SELECT *, random() AS r FROM source.t", ADDED)
    assert found == Change(added=frozenset("x"), changed=frozenset("r"))


def test_inputs_by_number_are_those_of_each_version() -> None:
    sql = "SELECT a FROM input_1"
    change = judge(sql, sql, {"source.u": X}, ids=("source.t", "source.u")).change
    assert change == UNCHANGED
    sql = "SELECT x FROM input_1"
    assert judge(sql, sql, {"source.u": X}, ids=("source.t", "source.u")).change == X
    assert judge(sql, "SELECT x FROM source.u", ids=("source.t", "source.u")).change == UNCHANGED
    assert judge("SELECT x FROM input_0", "SELECT x FROM source.u", ids=("source.t",)).change.rows


def test_a_column_comes_before_the_row_of_a_table_of_its_name() -> None:
    sql = "SELECT a, t FROM source.t"
    known = {"source.t": ("a", "t")}
    later = {"source.t": ("a", "t", "x")}
    query = Query(sql, inputs=("source.t",), columns=known)
    now = Query(sql, inputs=("source.t",), columns=later)
    verdict = SqlglotClassifier().classify(query, now, {"source.t": ADDED})
    assert verdict.change == UNCHANGED
    assert after(sql, ADDED)
