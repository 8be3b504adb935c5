"""Queries that classifiers are asked about, and data on which they are executed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

DATA = """
CREATE TABLE t (id INTEGER, a INTEGER, b INTEGER, s TEXT);
INSERT INTO t VALUES (1, 1, 10, 'x'), (2, 1, NULL, 'X'), (3, NULL, 10, 'x'), (4, 2, 20, NULL),
                     (5, 2, 20, 'y '), (5, 2, 20, 'y '), (6, 0, -1, 'y'), (7, NULL, NULL, NULL);
CREATE TABLE u (id INTEGER, a INTEGER, c INTEGER);
INSERT INTO u VALUES (1, 1, 5), (1, 1, 6), (2, NULL, 5), (5, 3, NULL), (8, 2, 7), (NULL, 1, 1);
"""
"""Made to tell queries apart: NULLs, duplicates, ties, other case, what has no partner."""

FAMILIES = (
    (
        "SELECT a, b FROM t",
        "select  A ,\n b from T -- the same",
        "SELECT b, a FROM t",
        "SELECT a FROM t",
        "SELECT a, b, s FROM t",
        "SELECT a, s, b FROM t",
        "SELECT a, b AS c FROM t",
        "SELECT a, b + 1 AS b FROM t",
        "SELECT a, CAST(b AS TEXT) AS b FROM t",
        "SELECT DISTINCT a, b FROM t",
        "SELECT DISTINCT a, b, s FROM t",
        "SELECT a, b FROM t WHERE b IS NOT NULL",
        "SELECT a, b FROM t WHERE b > 0",
        "SELECT a, b FROM t WHERE NOT b <= 0",
        "SELECT a, b FROM t WHERE a = 1 OR a IS NULL",
        "SELECT a, b FROM t WHERE a IS NULL OR a = 1",
        "SELECT a, b FROM t WHERE a <> 1",
        "SELECT a, b FROM t WHERE a != 1",
        "SELECT a, b FROM t WHERE a BETWEEN 1 AND 2",
        "SELECT a, b FROM t WHERE a >= 1 AND a <= 2",
        "SELECT a, b FROM t WHERE a IN (1, 2)",
        "SELECT a, b FROM t WHERE a IN (2, 1)",
        "SELECT a, b FROM t WHERE a NOT IN (1, 2)",
        "SELECT a, b FROM t WHERE a NOT IN (1, NULL)",
        "SELECT a, b FROM t WHERE s = 'x'",
        "SELECT a, b FROM t WHERE s = 'X'",
        "SELECT a, b FROM t WHERE s LIKE 'x'",
        "SELECT a, b FROM t WHERE id IN (SELECT id FROM u)",
        "SELECT a, b FROM t WHERE id NOT IN (SELECT id FROM u)",
        "SELECT a, b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id)",
        "SELECT a, b FROM t UNION ALL SELECT a, b FROM t",
        "SELECT a, b FROM t UNION SELECT a, b FROM t",
        "SELECT a, b FROM t UNION ALL SELECT a, c FROM u",
        "SELECT a, b FROM t LIMIT 0",
        "SELECT * FROM t",
        "SELECT *, a + b AS total FROM t",
        "SELECT id, a, b, s FROM t",
        "WITH r AS (SELECT a, b FROM t) SELECT a, b FROM r",
        "WITH other AS (SELECT a, b FROM t) SELECT * FROM other",
        "WITH r AS (SELECT DISTINCT a, b FROM t) SELECT a, b FROM r",
        "WITH r AS (SELECT DISTINCT a, b, s FROM t) SELECT a, b FROM r",
        "SELECT a, b FROM (SELECT a, b, s FROM t) AS q",
        "SELECT t.a, t.b FROM t JOIN u ON t.id = u.id",
        "SELECT t.a, t.b FROM t LEFT JOIN u ON t.id = u.id",
        "SELECT t.a, t.b FROM t LEFT JOIN u ON t.id = u.id AND u.c = 5",
        "SELECT t.a, t.b FROM t LEFT JOIN u ON t.id = u.id WHERE u.c = 5",
        "SELECT t.a, t.b FROM t JOIN u USING (id)",
        "SELECT t.a, t.b FROM t NATURAL JOIN u",
        "SELECT t.a, t.b FROM t CROSS JOIN u",
        "SELECT t.a, t.b, u.c FROM t LEFT JOIN u ON t.id = u.id",
    ),
    (
        "SELECT a, count(*) AS n FROM t GROUP BY a",
        "SELECT a, count(1) AS n FROM t GROUP BY 1",
        "SELECT a, count(b) AS n FROM t GROUP BY a",
        "SELECT a, count(DISTINCT b) AS n FROM t GROUP BY a",
        "SELECT a, sum(b) AS n FROM t GROUP BY a",
        "SELECT a, count(*) AS n, max(b) AS most FROM t GROUP BY a",
        "SELECT a, count(*) AS n FROM t GROUP BY a, b",
        "SELECT a, count(*) AS n FROM t GROUP BY a, s",
        "SELECT a, b, count(*) AS n FROM t GROUP BY a, b",
        "SELECT a, count(*) AS n FROM t GROUP BY a HAVING count(*) > 1",
        "SELECT a, count(*) AS n FROM t WHERE b > 0 GROUP BY a",
        "SELECT a, count(*) AS n FROM t WHERE b > 0 AND a IS NOT NULL GROUP BY a",
        "SELECT a, count(CASE WHEN b > 0 THEN 1 END) AS n FROM t GROUP BY a",
        "SELECT a, coalesce(sum(b), 0) AS n FROM t GROUP BY a",
        "SELECT a, ifnull(sum(b), 0) AS n FROM t GROUP BY a",
        "SELECT coalesce(a, 0) AS a, count(*) AS n FROM t GROUP BY coalesce(a, 0)",
        "SELECT DISTINCT a, count(*) OVER (PARTITION BY a) AS n FROM t",
        "SELECT a, count(*) OVER (PARTITION BY a) AS n FROM t",
        "SELECT a, (SELECT count(*) FROM u WHERE u.a = t.a) AS n FROM t",
        "SELECT 1 AS a, count(*) AS n FROM t",
        "SELECT a, n FROM (SELECT a, count(*) AS n FROM t GROUP BY a) AS q ORDER BY n",
    ),
)
"""Queries that are compared, each with each other of its family."""

VOLATILE = (
    ("SELECT a FROM t", "SELECT a, random() AS r FROM t"),
    ("SELECT a FROM t", "SELECT a, current_timestamp AS r FROM t"),
    ("SELECT a FROM t", "SELECT a FROM t WHERE random() > 0"),
    ("SELECT a FROM t", "WITH r AS (SELECT a, random() AS x FROM t) SELECT a FROM r WHERE x > 0"),
    ("SELECT a FROM t", "SELECT a FROM t ORDER BY random() LIMIT 3"),
)

NO_QUERIES = (
    "", " ", ";", ";;", "SELEC a FRM t", "SELECT", "SELECT a FROM", "SELECT 'a FROM t",
    "DROP TABLE t",     "SELECT a FROM t; SELECT b FROM t", "SELECT {{ a }} FROM t", 
    "{% if x %} SELECT 1 {% endif %}",
    "\0", "\ud800", "🦆", "/* ", "SELECT " + "(" * 20_000,
    "WITH r AS (SELECT * FROM r) SELECT * FROM r",
)  # fmt: skip
LONG = (
    "SELECT a FROM t\n" + "-- and on\n" * 5_000,
    "SELECT " + ",\n".join(f"a AS a{n}" for n in range(5000)) + " FROM t",
    "SELECT " + "(" * 500 + "1" + ")" * 500,
    "SELECT a FROM t WHERE " + " AND ".join(["a = 1"] * 20_000),
)


class Reading(NamedTuple):
    """A query, and what it surely reads: by column of its result, and for its rows."""

    sql: str
    columns: Mapping[str, str]
    rows: str = ""


READINGS = (
    Reading("SELECT a, b FROM source.t", {"a": "a", "b": "b"}),
    Reading("SELECT a + b AS x FROM source.t WHERE s = 'x'", {"x": "a b"}, "s"),
    Reading("SELECT a, sum(b) AS x FROM source.t GROUP BY a", {"a": "a", "x": "b"}, "a"),
    Reading("SELECT DISTINCT a FROM source.t", {"a": "a"}, "a"),
    Reading("WITH r AS (SELECT a, b AS c FROM source.t) SELECT c FROM r WHERE a > 1",
            {"c": "b"}, "a"),
    Reading("SELECT x FROM (SELECT s AS x, a FROM source.t) AS q ORDER BY a LIMIT 1",
            {"x": "s"}, "a"),
    Reading("SELECT a FROM source.t UNION SELECT b FROM source.t", {"a": "a b"}, "a b"),
    Reading("SELECT a FROM source.t AS o WHERE b = "
            "(SELECT max(s) FROM source.t AS i WHERE i.id = o.id)",
            {"a": "a"}, "b s id"),
    Reading("SELECT sum(a) OVER (PARTITION BY b ORDER BY s) AS x FROM source.t", {"x": "a b s"}),
    Reading("SELECT CASE WHEN a > 1 THEN b ELSE s END AS x FROM source.t", {"x": "a b s"}),
    Reading("SELECT a FROM source.t HAVING count(b) > 1", {"a": "a"}, "b"),
)  # fmt: skip
