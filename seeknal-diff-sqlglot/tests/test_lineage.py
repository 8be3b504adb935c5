"""What the columns of a result, and its rows, are made from."""

from __future__ import annotations

import pytest

from seeknal.dag.classifier import ColumnOf, Lineage, Query

from .judging import CLASSIFIER


def lineage(sql: str, **known: tuple[str, ...]) -> Lineage:
    columns = {f"source.{name}": names for name, names in known.items()}
    found = CLASSIFIER.lineage(Query(sql, inputs=("source.t", "source.u"), columns=columns))
    assert found is not None
    return found


def of(*columns: str) -> frozenset[ColumnOf]:
    return frozenset(ColumnOf(*column.rsplit(".", 1)) for column in columns)


def test_through_ctes_and_subqueries() -> None:
    found = lineage(
        """
        WITH q AS (SELECT a, b + c AS s FROM source.t WHERE d > 1)
        SELECT a, x.s AS total, 1 AS one FROM (SELECT * FROM q) AS x ORDER BY a LIMIT 3
        """
    )
    assert list(found.columns) == ["a", "total", "one"]
    assert found.columns["a"] == of("source.t.a")
    assert found.columns["total"] == of("source.t.b", "source.t.c")
    assert found.columns["one"] == frozenset()
    assert found.rows >= of("source.t.d", "source.t.a")
    assert not found.rows & of("source.t.b")


def test_joins_and_groups() -> None:
    found = lineage(
        "SELECT t.a, sum(u.v) AS s FROM source.t JOIN input_1 AS u ON t.k = u.k"
        " GROUP BY 1 HAVING max(u.w) > 1"
    )
    assert found.columns == {"a": of("source.t.a"), "s": of("source.u.v")}
    assert found.rows == of("source.t.k", "source.u.k", "source.t.a", "source.u.w")


def test_candidates_where_it_can_not_be_told() -> None:
    sql = "SELECT a FROM source.t JOIN source.u ON t.k = u.k"
    assert lineage(sql).columns["a"] == of("source.t.a", "source.u.a")
    assert lineage(sql, t=("a", "k")).columns["a"] >= of("source.t.a")
    assert lineage(sql, t=("a", "k"), u=("k",)).columns["a"] == of("source.t.a")


def test_stars() -> None:
    assert lineage("SELECT * FROM source.t").columns == {"*": of("source.t.*")}
    found = lineage("SELECT *, a + 1 AS n FROM source.t", t=("a", "b"))
    assert list(found.columns) == ["a", "b", "n"]
    assert found.columns["b"] == of("source.t.b")
    assert found.columns["n"] == of("source.t.a")


def test_a_star_of_what_is_not_understood() -> None:
    sql = "SELECT * FROM source.t PIVOT (sum(a) FOR b IN (1, 2))"
    assert lineage(sql, t=("a", "b")).columns["*"] == of("source.t.a", "source.t.b")
    assert lineage(sql).columns["*"] >= of("source.t.*")


def test_set_operations_and_subqueries() -> None:
    found = lineage("SELECT a FROM source.t UNION SELECT k FROM source.u")
    assert found.columns == {"a": of("source.t.a", "source.u.k")}
    assert found.rows == of("source.t.a", "source.u.k")
    found = lineage("SELECT a, (SELECT max(v) FROM source.u WHERE u.k = t.k) AS m FROM source.t")
    assert found.columns["m"] >= of("source.u.v", "source.u.k", "source.t.k")
    found = lineage("SELECT a FROM source.t WHERE k IN (SELECT k FROM source.u)")
    assert found.rows >= of("source.t.k", "source.u.k")


def test_tables_that_are_no_nodes_keep_their_name() -> None:
    assert lineage("SELECT a FROM Elsewhere.Things").columns["a"] == of("Elsewhere.Things.a")


@pytest.mark.parametrize("sql", ["", "SELECT (", "DROP TABLE t", "SELECT 1; SELECT 2", "{{ x }}"])
def test_none_where_nothing_is_understood(sql: str) -> None:
    assert CLASSIFIER.lineage(Query(sql)) is None
