"""Pairs of queries for each rule: what it makes equal, and what looks like it and is not."""

from __future__ import annotations

EQUAL: dict[str, list[tuple[str, str]]] = {
    "whitespace, comments, case": [
        ("SELECT a, b FROM t", "select  A ,b -- c\n from T"),
        ("SELECT a FROM t", "SELECT /* a */ a FROM t;"),
        ("SELECT sum(a) AS s FROM t", "SELECT SUM(a) AS s FROM t"),
        ("SELECT 'A' AS x FROM t", "select 'A' as x from t"),
    ],
    "quotes around names": [('SELECT "a" FROM t', "SELECT a FROM t")],
    "aliases of tables": [
        ("SELECT x.a FROM t x WHERE x.b > 1", "SELECT a FROM t WHERE t.b > 1"),
        (
            "SELECT x.a FROM t AS x JOIN u AS y ON x.k = y.k",
            "SELECT t.a FROM t JOIN u ON t.k = u.k",
        ),
        (
            "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k)",
            "SELECT a FROM t o WHERE EXISTS (SELECT 1 FROM u i WHERE i.k = o.k)",
        ),
    ],
    "names of CTEs": [
        (
            "WITH x AS (SELECT a, count(*) AS n FROM t GROUP BY a) SELECT n FROM x",
            "WITH y AS (SELECT a, count(*) AS n FROM t GROUP BY a) SELECT n FROM y",
        ),
    ],
    "order of CTEs": [
        (
            "WITH x AS (SELECT DISTINCT a FROM t), y AS (SELECT DISTINCT k FROM u)"
            " SELECT x.a, y.k FROM x, y",
            "WITH y AS (SELECT DISTINCT k FROM u), x AS (SELECT DISTINCT a FROM t)"
            " SELECT x.a, y.k FROM x, y",
        ),
    ],
    "unused CTEs": [("WITH x AS (SELECT 1 AS one) SELECT a FROM t", "SELECT a FROM t")],
    "CTE or subquery": [
        (
            "WITH x AS (SELECT DISTINCT a FROM t) SELECT a FROM x",
            "SELECT a FROM (SELECT DISTINCT a FROM t) AS q",
        ),
        (
            "WITH x AS MATERIALIZED (SELECT DISTINCT a FROM t) SELECT a FROM x",
            "SELECT a FROM (SELECT DISTINCT a FROM t) AS q",
        ),
        (
            "WITH x (p, q) AS (SELECT DISTINCT a, b FROM t) SELECT p, q FROM x",
            "SELECT p, q FROM (SELECT DISTINCT a AS p, b AS q FROM t) AS s",
        ),
    ],
    "a query of all of a query": [
        (
            "WITH final AS (SELECT a FROM t WHERE b > 1) SELECT * FROM final",
            "SELECT a FROM t WHERE b > 1",
        ),
        ("SELECT a FROM (SELECT * FROM t) AS q", "SELECT a FROM t"),
    ],
    "simple queries inside": [
        (
            "SELECT a FROM (SELECT a, b FROM t WHERE b > 1) AS q WHERE a > 0",
            "SELECT a FROM t WHERE b > 1 AND a > 0",
        ),
        (
            "WITH x AS (SELECT k, v FROM u WHERE v > 1) SELECT t.a, x.v FROM t JOIN x ON t.k = x.k",
            "SELECT t.a, u.v FROM t JOIN u ON t.k = u.k WHERE u.v > 1",
        ),
    ],
    "parentheses": [
        ("SELECT a FROM t WHERE (a > 1)", "SELECT a FROM t WHERE a > 1"),
        ("(SELECT a FROM t)", "SELECT a FROM t"),
        ("SELECT (a * b) + 1 AS x FROM t", "SELECT a * b + 1 AS x FROM t"),
    ],
    "order of AND and OR": [
        (
            "SELECT a FROM t WHERE a > 1 AND b > 2 AND s = 'x'",
            "SELECT a FROM t WHERE s = 'x' AND (b > 2 AND a > 1)",
        ),
        ("SELECT a FROM t WHERE a > 1 OR b > 2", "SELECT a FROM t WHERE b > 2 OR a > 1"),
        ("SELECT a > 1 AND b > 1 AS x FROM t", "SELECT b > 1 AND a > 1 AS x FROM t"),
        ("SELECT a FROM t WHERE a > 1 AND a > 1", "SELECT a FROM t WHERE a > 1"),
    ],
    "NOT": [
        (
            "SELECT a FROM t WHERE NOT (a > 1 OR b > 1)",
            "SELECT a FROM t WHERE NOT a > 1 AND NOT b > 1",
        ),
        ("SELECT a FROM t WHERE NOT (a <> 1)", "SELECT a FROM t WHERE a = 1"),
        ("SELECT a FROM t WHERE NOT (d < 1)", "SELECT a FROM t WHERE d >= 1"),
    ],
    "IN lists": [
        ("SELECT a FROM t WHERE a IN (1, 2, 3)", "SELECT a FROM t WHERE a IN (3, 1, 2, 1)"),
        ("SELECT a FROM t WHERE s NOT IN ('x', 'y')", "SELECT a FROM t WHERE s NOT IN ('y', 'x')"),
    ],
    "IN of one": [
        ("SELECT a FROM t WHERE a IN (1)", "SELECT a FROM t WHERE a = 1"),
        ("SELECT a FROM t WHERE a NOT IN (1)", "SELECT a FROM t WHERE a <> 1"),
    ],
    "commutative operands": [
        ("SELECT a + b AS x FROM t", "SELECT b + a AS x FROM t"),
        ("SELECT d * e AS x FROM t", "SELECT e * d AS x FROM t"),
        ("SELECT a FROM t WHERE 1 = b", "SELECT a FROM t WHERE b = 1"),
        ("SELECT a FROM t WHERE a > b", "SELECT a FROM t WHERE b < a"),
        (
            "SELECT a FROM t WHERE a IS DISTINCT FROM b",
            "SELECT a FROM t WHERE b IS DISTINCT FROM a",
        ),
    ],
    "spelling of unequal": [
        ("SELECT a FROM t WHERE a <> 1", "SELECT a FROM t WHERE a != 1"),
        ("SELECT a <> b FROM t", "SELECT a != b FROM t"),
    ],
    "BETWEEN": [
        ("SELECT a FROM t WHERE a BETWEEN 1 AND 5", "SELECT a FROM t WHERE a >= 1 AND a <= 5"),
        ("SELECT a FROM t WHERE NOT a BETWEEN 1 AND 5", "SELECT a FROM t WHERE a < 1 OR a > 5"),
        (
            "SELECT a FROM t WHERE s BETWEEN 'a' AND 'b'",
            "SELECT a FROM t WHERE 'b' >= s AND s >= 'a'",
        ),
    ],
    "CAST": [
        ("SELECT CAST(a AS VARCHAR) FROM t", "SELECT a::VARCHAR FROM t"),
        ("SELECT CAST(a AS INTEGER) AS x FROM t", "SELECT a::INT AS x FROM t"),
    ],
    "synonyms": [
        ("SELECT IFNULL(a, 0) FROM t", "SELECT COALESCE(a, 0) FROM t"),
        ("SELECT COUNT(*) AS n FROM t", "SELECT COUNT(1) AS n FROM t"),
        ("SELECT substr(s, 1) AS x FROM t", "SELECT substring(s, 1) AS x FROM t"),
        (
            "SELECT CASE WHEN a > 1 THEN 2 END AS x FROM t",
            "SELECT CASE WHEN a > 1 THEN 2 ELSE NULL END AS x FROM t",
        ),
    ],
    "USING or ON": [
        ("SELECT t.a, u.v FROM t JOIN u USING (k)", "SELECT t.a, u.v FROM t JOIN u ON t.k = u.k"),
        (
            "SELECT k, t.a FROM t LEFT JOIN u USING (k)",
            "SELECT t.k, t.a FROM t LEFT JOIN u ON u.k = t.k",
        ),
    ],
    "inner joins": [
        ("SELECT t.a FROM t JOIN u ON t.k = u.k", "SELECT t.a FROM t INNER JOIN u ON t.k = u.k"),
        ("SELECT t.a FROM t JOIN u ON t.k = u.k", "SELECT t.a FROM t, u WHERE t.k = u.k"),
        ("SELECT t.a FROM t JOIN u ON t.k = u.k", "SELECT t.a FROM u JOIN t ON t.k = u.k"),
        (
            "SELECT t.a FROM t LEFT JOIN u ON t.k = u.k",
            "SELECT t.a FROM t LEFT OUTER JOIN u ON t.k = u.k",
        ),
    ],
    "GROUP BY position or name": [
        (
            "SELECT a, b, count(*) AS n FROM t GROUP BY a, b",
            "SELECT a, b, count(*) AS n FROM t GROUP BY 1, 2",
        ),
        (
            "SELECT a, b, count(*) AS n FROM t GROUP BY a, b",
            "SELECT a, b, count(*) AS n FROM t GROUP BY b, a",
        ),
        (
            "SELECT a, count(*) AS n FROM t GROUP BY a",
            "SELECT a, count(*) AS n FROM t GROUP BY ALL",
        ),
        (
            "SELECT a + b AS x, count(*) AS n FROM t GROUP BY a + b",
            "SELECT a + b AS x, count(*) AS n FROM t GROUP BY x",
        ),
    ],
    "constants": [
        ("SELECT a FROM t WHERE a > 1 + 1", "SELECT a FROM t WHERE a > 2"),
        ("SELECT a FROM t WHERE 1 = 1 AND a > 2", "SELECT a FROM t WHERE a > 2"),
        ("SELECT a FROM t WHERE TRUE", "SELECT a FROM t"),
        ("SELECT 2 * 3 AS x FROM t", "SELECT 6 AS x FROM t"),
        ("SELECT a FROM t ORDER BY a LIMIT 1 + 1", "SELECT a FROM t ORDER BY a LIMIT 2"),
    ],
    "ORDER BY": [
        ("SELECT a, b FROM t ORDER BY a", "SELECT a, b FROM t"),
        ("SELECT a, b FROM t ORDER BY a", "SELECT a, b FROM t ORDER BY b DESC"),
        (
            "SELECT sum(a) AS n FROM (SELECT a FROM t ORDER BY a) AS q",
            "SELECT sum(a) AS n FROM (SELECT a FROM t) AS q",
        ),
        ("SELECT a FROM t ORDER BY a LIMIT 2", "SELECT a FROM t ORDER BY a ASC LIMIT 2"),
        ("SELECT a, b FROM t ORDER BY a, b LIMIT 2", "SELECT a, b FROM t ORDER BY 1, 2 LIMIT 2"),
    ],
    "sides of UNION ALL": [
        (
            "SELECT a AS x FROM t UNION ALL SELECT k AS x FROM u",
            "SELECT k AS x FROM u UNION ALL SELECT a AS x FROM t",
        ),
    ],
    "what EXISTS selects": [
        (
            "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k)",
            "SELECT a FROM t WHERE EXISTS (SELECT * FROM u WHERE u.k = t.k)",
        ),
    ],
    "windows by name": [
        (
            "SELECT a, rank() OVER w AS r FROM t WINDOW w AS (ORDER BY b)",
            "SELECT a, rank() OVER (ORDER BY b) AS r FROM t",
        ),
    ],
    "recursion": [
        (
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3)"
            " SELECT x.n FROM r AS x",
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3)"
            " SELECT y.n FROM r AS y",
        ),
    ],
}

UNEQUAL: dict[str, list[tuple[str, str]]] = {
    "case of strings": [("SELECT a FROM t WHERE s = 'A'", "SELECT a FROM t WHERE s = 'a'")],
    "case of quoted results": [('SELECT a AS "X" FROM t', 'SELECT a AS "x" FROM t')],
    "case that becomes a value": [
        ("SELECT {A: a} AS x FROM t", "SELECT {a: a} AS x FROM t"),
        (
            "SELECT to_json(q) AS x FROM (SELECT a AS P FROM t) AS q",
            "SELECT to_json(q) AS x FROM (SELECT a AS p FROM t) AS q",
        ),
        ("UNPIVOT t ON A, B", "UNPIVOT t ON a, b"),
    ],
    "association of floats": [
        ("SELECT (d + e) + f AS x FROM t", "SELECT d + (e + f) AS x FROM t"),
        ("SELECT d + e + f AS x FROM t", "SELECT f + e + d AS x FROM t"),
    ],
    "plus of lists": [("SELECT [1] + [a] AS x FROM t", "SELECT [a] + [1] AS x FROM t")],
    "minus": [("SELECT a - b AS x FROM t", "SELECT b - a AS x FROM t")],
    "concatenation": [("SELECT s || 'x' AS x FROM t", "SELECT 'x' || s AS x FROM t")],
    "types": [
        ("SELECT 1 AS x FROM t", "SELECT 1.0 AS x FROM t"),
        ("SELECT CAST(a AS BIGINT) AS x FROM t", "SELECT a AS x FROM t"),
        ("SELECT a + (1 + 1) AS x FROM t", "SELECT a + 2 AS x FROM t"),
        ("SELECT a AND TRUE AS x FROM t", "SELECT a AS x FROM t"),
        ("SELECT TRY_CAST(s AS INT) AS x FROM t", "SELECT CAST(s AS INT) AS x FROM t"),
        ("SELECT a + two AS x FROM (SELECT a, 2 AS two FROM t) AS q", "SELECT a + 2 AS x FROM t"),
    ],
    "names that engines make": [
        ("SELECT count(*) FROM t", "SELECT count(1) FROM t"),
        ("SELECT a + b FROM t", "SELECT b + a FROM t"),
        ("SELECT a + b FROM t", "SELECT a + b AS x FROM t"),
        ("SELECT NOT a IS NULL FROM t", "SELECT a IS NOT NULL FROM t"),
    ],
    "COUNT of what may be NULL": [
        ("SELECT count(*) AS n FROM t", "SELECT count(a) AS n FROM t"),
        ("SELECT count(*) AS n FROM t", "SELECT count(DISTINCT 1) AS n FROM t"),
        ("SELECT count(*) AS n FROM t", "SELECT count(NULL) AS n FROM t"),
    ],
    "identities": [
        ("SELECT d * 0 AS x FROM t", "SELECT 0 AS x FROM t"),
        ("SELECT d + 0 AS x FROM t", "SELECT d AS x FROM t"),
        ("SELECT a FROM t WHERE a = a", "SELECT a FROM t"),
        ("SELECT a FROM t WHERE s LIKE '%'", "SELECT a FROM t"),
    ],
    "NOT IN and NULL": [
        (
            "SELECT a FROM t WHERE a NOT IN (SELECT k FROM u)",
            "SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.a)",
        )
    ],
    "quantified": [
        (
            "SELECT a FROM t WHERE NOT (a = ANY (SELECT k FROM u))",
            "SELECT a FROM t WHERE a <> ANY (SELECT k FROM u)",
        )
    ],
    "outer joins": [
        (
            "SELECT t.a FROM t LEFT JOIN u ON t.k = u.k AND u.v > 1",
            "SELECT t.a FROM t LEFT JOIN u ON t.k = u.k WHERE u.v > 1",
        ),
        ("SELECT t.a FROM t LEFT JOIN u ON t.k = u.k", "SELECT t.a FROM t JOIN u ON t.k = u.k"),
        (
            "SELECT t.a FROM t LEFT JOIN u ON t.k = u.k",
            "SELECT t.a FROM u LEFT JOIN t ON t.k = u.k",
        ),
        ("SELECT k FROM t FULL JOIN u USING (k)", "SELECT t.k FROM t FULL JOIN u ON t.k = u.k"),
        (
            "SELECT t.a, x.v FROM t LEFT JOIN (SELECT k, v FROM u WHERE v > 1) AS x ON t.k = x.k",
            "SELECT t.a, u.v FROM t LEFT JOIN u ON t.k = u.k WHERE u.v > 1",
        ),
    ],
    "USING and a star": [
        ("SELECT * FROM t JOIN u USING (k)", "SELECT * FROM t JOIN u ON t.k = u.k")
    ],
    "GROUP BY by another name": [
        (
            "SELECT a, count(*) AS n FROM t GROUP BY a",
            "SELECT a, count(*) AS n FROM t GROUP BY a, b",
        ),
        (
            "SELECT upper(s) AS s, count(*) AS n FROM t GROUP BY upper(s)",
            "SELECT upper(s) AS s, count(*) AS n FROM t GROUP BY s",
        ),
    ],
    "ORDER BY that matters": [
        ("SELECT a, b FROM t ORDER BY a LIMIT 2", "SELECT a, b FROM t ORDER BY b LIMIT 2"),
        (
            "SELECT a FROM (SELECT a FROM t ORDER BY a) AS q LIMIT 2",
            "SELECT a FROM (SELECT a FROM t) AS q LIMIT 2",
        ),
        (
            "SELECT first(a) AS x FROM (SELECT a FROM t ORDER BY a) AS q",
            "SELECT first(a) AS x FROM (SELECT a FROM t) AS q",
        ),
        ("SELECT list(a ORDER BY a) AS x FROM t", "SELECT list(a ORDER BY a DESC) AS x FROM t"),
        ("SELECT a FROM t ORDER BY a NULLS FIRST LIMIT 1", "SELECT a FROM t ORDER BY a LIMIT 1"),
        ("SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b", "SELECT DISTINCT ON (a) a, b FROM t"),
    ],
    "queries inside that are not simple": [
        ("SELECT a FROM (SELECT DISTINCT a, b FROM t) AS q", "SELECT a FROM t"),
        (
            "SELECT a FROM (SELECT a, row_number() OVER (ORDER BY b) AS r FROM t) AS q WHERE a > 1",
            "SELECT a FROM (SELECT a, row_number() OVER (ORDER BY b) AS r FROM t WHERE a > 1) AS q"
            " WHERE r > 0",
        ),
        (
            "SELECT a FROM (SELECT a FROM t LIMIT 1) AS q WHERE a > 1",
            "SELECT a FROM t WHERE a > 1 LIMIT 1",
        ),
    ],
    "shadowed names": [
        ("WITH t AS (SELECT a FROM u) SELECT a FROM t", "SELECT a FROM t"),
        ("SELECT a AS b FROM t WHERE b > 1", "SELECT a AS b FROM t WHERE a > 1"),
    ],
    "set operations": [
        (
            "SELECT a FROM t UNION ALL SELECT k FROM u",
            "SELECT k FROM u UNION ALL SELECT a FROM t",
        ),
        (
            "SELECT a AS x FROM t UNION ALL SELECT k AS x FROM u LIMIT 1",
            "SELECT k AS x FROM u UNION ALL SELECT a AS x FROM t LIMIT 1",
        ),
        ("SELECT a FROM t UNION SELECT k FROM u", "SELECT a FROM t UNION ALL SELECT k FROM u"),
        ("SELECT a FROM t EXCEPT SELECT k FROM u", "SELECT k AS a FROM u EXCEPT SELECT a FROM t"),
    ],
    "order of an array": [
        (
            "SELECT ARRAY(SELECT v FROM u ORDER BY k) AS x FROM t",
            "SELECT ARRAY(SELECT v FROM u ORDER BY v) AS x FROM t",
        )
    ],
    "windows over windows": [
        (
            "SELECT rank() OVER x AS r FROM t WINDOW w AS (PARTITION BY a), x AS (w ORDER BY b)",
            "SELECT rank() OVER x AS r FROM t WINDOW w AS (PARTITION BY s), x AS (w ORDER BY b)",
        )
    ],
    "two tables of one name": [
        (
            "SELECT 1 AS x FROM p.t JOIN q.t ON p.t.k = q.t.k WHERE p.t.a > 1",
            "SELECT 1 AS x FROM p.t JOIN q.t ON p.t.k = q.t.k WHERE q.t.a > 1",
        )
    ],
    "volatile": [
        (
            "SELECT a FROM t WHERE random() < 1 AND a > 1",
            "SELECT a FROM t WHERE a > 1 AND random() < 1",
        ),
        ("SELECT my_macro(a) AS x FROM t AS q", "SELECT my_macro(a) AS x FROM t"),
    ],
    "BETWEEN of two types": [
        ("SELECT a FROM t WHERE a BETWEEN 1 AND 2.5", "SELECT a FROM t WHERE a >= 1 AND a <= 2.5")
    ],
}
