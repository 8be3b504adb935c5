"""Queries over another query's result."""

from __future__ import annotations

import random

from .texts import Text, tables

TEMPLATES = (
    "SELECT * FROM {up}",
    "FROM {up}",
    "SELECT {a}, {b} FROM {up}",
    "SELECT {a} AS one, {b} AS two FROM {up} WHERE {c} IS NOT NULL",
    "SELECT {a}, count(*) AS n FROM {up} GROUP BY {a}",
    "SELECT {a}, count({b}) AS n FROM {up} GROUP BY ALL",
    "SELECT DISTINCT {a} FROM {up}",
    "SELECT DISTINCT * FROM {up}",
    "SELECT count(*) AS n FROM {up}",
    "SELECT count(*) AS n FROM (SELECT DISTINCT * FROM {up})",
    "SELECT * EXCLUDE ({a}) FROM {up}",
    "SELECT * REPLACE (1 AS {a}) FROM {up}",
    "SELECT t.*, 1 AS one FROM {up} AS t",
    "SELECT * FROM {up} UNION ALL SELECT * FROM {up}",
    "SELECT {a} FROM {up} UNION SELECT {b}::VARCHAR FROM {up}",
    "SELECT * FROM {up} UNION ALL BY NAME SELECT 1 AS {a}",
    "SELECT * FROM {up} UNION BY NAME SELECT 1 AS added",
    "SELECT * FROM {up} EXCEPT SELECT * FROM {up} WHERE {a} IS NULL",
    "SELECT {a} FROM {up} INTERSECT SELECT {a} FROM {up}",
    "SELECT * FROM {up} NATURAL JOIN source.{table}",
    "SELECT u.{a}, t.{col} FROM {up} AS u, source.{table} AS t",
    "SELECT {a}, {col} FROM {up}, source.{table}",
    "SELECT {a}, {col} FROM {up} AS u JOIN source.{table} AS t "
    "ON u.{b}::VARCHAR = t.{col}::VARCHAR",
    "SELECT {a} FROM {up} WHERE {b}::VARCHAR IN (SELECT {col}::VARCHAR FROM source.{table})",
    "SELECT {col} FROM source.{table} WHERE EXISTS (SELECT * FROM {up} WHERE {a} = {col})",
    "SELECT {col} FROM source.{table} WHERE {col}::VARCHAR IN (SELECT {a}::VARCHAR FROM {up})",
    "SELECT {col}, (SELECT count(*) FROM {up}) AS n FROM source.{table}",
    "SELECT upstream AS everything FROM {up}",
    "SELECT u::VARCHAR AS everything FROM {up} AS u",
    "SELECT count(u) AS n FROM {up} AS u",
    "SELECT hash(u) AS h FROM {up} AS u",
    "SELECT COLUMNS('^.*[ae].*$') FROM {up}",
    "SELECT count(COLUMNS(*)) FROM {up}",
    "SELECT max(COLUMNS(* EXCLUDE ({a}))) FROM {up}",
    "SELECT {a} FROM {up} ORDER BY {a}, {b} LIMIT 3",
    "SELECT {a} FROM {up} ORDER BY ALL LIMIT 3",
    "SELECT * FROM {up} ORDER BY ALL LIMIT 3",
    "SELECT {a}, {b} FROM {up} ORDER BY 2, 1 LIMIT 2",
    "SELECT {a}, row_number() OVER (ORDER BY {b}, {a}) AS place FROM {up}",
    "SELECT {a} FROM {up} QUALIFY row_number() OVER (PARTITION BY {b} ORDER BY {a}) = 1",
    "WITH part AS (SELECT * FROM {up}) SELECT {a} FROM part",
    "WITH part AS (SELECT * FROM {up}) SELECT count(*) AS n, min({a}) AS low FROM part",
    "WITH part AS (SELECT {a} AS x, * FROM {up}) SELECT x FROM part",
    "WITH part (x) AS (SELECT * FROM {up}) SELECT x FROM part",
    "SELECT x FROM (SELECT * FROM {up}) AS t (x)",
    "SELECT x FROM {up} AS t (x)",
    "SELECT {a} AS x, x FROM {up}",
    "SELECT {a} AS {b}, {b} AS {a} FROM {up}",
    "SELECT a.{a}, b.{b} FROM {up} AS a JOIN {up} AS b USING ({a})",
    "SELECT a.{a} FROM {up} AS a NATURAL JOIN {up} AS b",
    "SELECT {a}, {b} FROM {up} POSITIONAL JOIN source.{table}",
    "SELECT {a}, {b} FROM {up} GROUP BY ROLLUP ({a}, {b})",
    "SELECT list({a} ORDER BY {a}) AS items, count({b}) FILTER ({c} IS NULL) AS n FROM {up}",
    "SELECT {a} FROM {up} LIMIT 0",
    "SELECT 1 AS one",
    "SELECT {a}, typeof({a}) AS kind FROM {up}",
    "PIVOT (SELECT {a}::VARCHAR AS k FROM {up}) ON k IN ('1', 'a') USING count(*)",
    "SELECT name, value FROM (SELECT {a}::VARCHAR AS {a}, {b}::VARCHAR AS {b} FROM {up}) "
    "UNPIVOT (value FOR name IN (COLUMNS(*)))",
    "UNPIVOT (SELECT COLUMNS(*)::VARCHAR FROM {up}) ON COLUMNS(*) INTO NAME k VALUE v",
    "SELECT struct_pack(x := {a}) AS made, {b} FROM {up}",
    "SELECT t.{a} FROM {up} AS t, LATERAL (SELECT t.{b} AS y) AS l WHERE y IS NOT NULL",
)


def draw_reader(upstream: str, names: tuple[str, ...], text: Text, rng: random.Random) -> str:
    """A query that reads `upstream`, whose columns are `names`, and perhaps a table beside it."""
    given = {letter: f'"{rng.choice(names)}"' for letter in "abc"}
    table = rng.choice(text.tables) if text.tables else "nothing"
    known = tables(text.family)
    column = rng.choice(known[table].names) if table in known else "region"
    return rng.choice(TEMPLATES).format(up=upstream, table=table, col=column, **given)
