"""Rows made to tell versions of a query apart.

Every value is the text of its SQL value, or None for NULL. What a query compares columns with is
drawn from often, so that its filters let rows through and their borders are hit; keys come from a
small set, so that joins match and multiply.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import duckdb
import sqlglot
from sqlglot import exp

from .texts import Table, Text, tables

Value = str | None
Row = tuple[Value, ...]
Rows = Mapping[str, list[Row]]

KEY = re.compile(r"(_sk|key|_id|_number|_key|src|dst)$")
KEYS = ("1", "2", "1", "2", "3", "4")
INTEGERS = ("0", "1", "1", "2", "3", "5", "-1", "100")
DOUBLES = ("0.0", "-0.0", "1.5", "1.5", "-1.0", "0.1", "0.2", "0.3", "1e16", "250.25", "2.0")
STRANGE_DOUBLES = ("nan", "inf", "-inf", "-0.0", "0.0")
DECIMALS = ("0.00", "1.00", "1.00", "2.50", "-1.00", "99.99", "100.00", "0.05")
STRINGS = ("a", "A", "b", "B", "a ", "", "B ", "1", "ab", "a", "b")
DATES = ("2000-01-01", "1999-12-31", "2024-02-29", "2000-01-01", "1995-06-17", "0001-01-01")
TIMES = ("2000-01-01 00:00:00", "1999-12-31 23:59:59.999999", "2024-02-29 12:00:00")
LISTS = ("[]", "[a]", "[a, b, A]", "[b, NULL]", "[a, a]")
STRUCTS = ("{'k': a, 'v': 1}", "{'k': NULL, 'v': 2}", "{'k': A, 'v': NULL}")
MAPS = ("{a=1}", "{a=NULL, b=2}", "{}")
BY_TYPE = {
    "INTEGER": INTEGERS,
    "DOUBLE": DOUBLES,
    "VARCHAR": STRINGS,
    "DATE": DATES,
    "TIMESTAMP": TIMES,
    "BOOLEAN": ("true", "false", "true"),
    "VARCHAR[]": LISTS,
    "STRUCT(k VARCHAR, v INTEGER)": STRUCTS,
    "MAP(VARCHAR, INTEGER)": MAPS,
}


@dataclass(frozen=True, slots=True)
class Manner:
    """How rows are drawn. hot: share of rows made to pass a query's filters."""

    name: str
    hot: float
    nulls: float
    strange: bool
    rows: tuple[int, int]


MANNERS = (
    Manner("tame", hot=0.8, nulls=0.05, strange=False, rows=(10, 16)),
    Manner("wild", hot=0.45, nulls=0.25, strange=True, rows=(12, 26)),
    Manner("sparse", hot=0.7, nulls=0.1, strange=False, rows=(0, 4)),
)


def draw(text: Text, manner: Manner, rng: random.Random) -> dict[str, list[Row]]:
    """Rows for each table that a query reads."""
    compared = comparisons(text.sql)
    return {
        name: draw_table(tables(text.family)[name], manner, compared, rng) for name in text.tables
    }


def draw_table(
    table: Table, manner: Manner, compared: Mapping[str, tuple[str, ...]], rng: random.Random
) -> list[Row]:
    rows = []
    for _ in range(rng.randint(*manner.rows)):
        hot = rng.random() < manner.hot
        rows.append(
            tuple(draw_value(*column, manner, hot, compared, rng) for column in table.columns)
        )
    if rows and manner.strange:
        rows += rng.sample(rows, k=min(3, len(rows)))
    return rows


def draw_value(
    name: str,
    kind: str,
    manner: Manner,
    hot: bool,
    compared: Mapping[str, tuple[str, ...]],
    rng: random.Random,
) -> Value:
    kind = kind.removesuffix(" COLLATE NOCASE")
    pool = compared.get(name, ())
    if pool and rng.random() < (0.9 if hot else 0.3):
        return near(rng.choice(pool), kind, rng, 0.0 if hot else 0.5)
    if rng.random() < (0.02 if hot else manner.nulls):
        return None
    if KEY.search(name) and kind == "INTEGER":
        return rng.choice(KEYS[:3] if hot else KEYS)
    if kind == "DOUBLE" and manner.strange and rng.random() < 0.3:
        return rng.choice(STRANGE_DOUBLES)
    if kind.startswith("DECIMAL"):
        return rng.choice(DECIMALS)
    return rng.choice(BY_TYPE[kind])


def near(value: str, kind: str, rng: random.Random, wrong: float) -> Value:
    """A compared value, or with a chance one that is almost it."""
    if kind == "INTEGER":
        value = str(int(Decimal(value))) if re.fullmatch(r"-?[\d.]+", value) else "0"
        return str(int(value) + rng.choice((-1, 1))) if rng.random() < wrong else value
    if kind.startswith("DECIMAL"):
        number = Decimal(value) if re.fullmatch(r"-?[\d.]+", value) else Decimal(0)
        number = max(Decimal(-9999), min(Decimal(9999), number))
        return str(number + rng.choice((Decimal("-0.01"), 1)) if rng.random() < wrong else number)
    if kind == "VARCHAR" and rng.random() < wrong:
        return rng.choice((value.lower(), value.upper(), f"{value} ", value[:-1]))
    if kind in BY_TYPE and kind not in ("VARCHAR", "DOUBLE"):
        return value if valid(value, kind) else rng.choice(BY_TYPE[kind])
    return value


@cache
def valid(value: str, kind: str) -> bool:
    quoted = value.replace("'", "''")
    return evaluated(f"TRY_CAST('{quoted}' AS {kind})") is not None


@cache
def comparisons(sql: str) -> Mapping[str, tuple[str, ...]]:
    """The constants that a query compares each column with, by the column's name."""
    found = defaultdict(list)
    for column, constant in compared_pairs(sqlglot.parse_one(sql, read="duckdb")):
        value = evaluated(constant.sql("duckdb"))
        if value is not None:
            found[column.name.lower()].append(value.replace("%", ""))
    return {name: tuple(values) for name, values in found.items()}


def compared_pairs(tree: exp.Expr) -> Iterator[tuple[exp.Column, exp.Expr]]:
    for node in tree.find_all(exp.Binary, exp.Between, exp.In):
        column, others = node.this, operands(node)
        if isinstance(node, exp.Binary) and isinstance(node.expression, exp.Column):
            column, others = node.expression, [node.this]
        column = column.find(exp.Column) if isinstance(column, exp.Expr) else None
        for other in others:
            if column is not None and not other.find(exp.Column, exp.Query):
                yield column, other


def operands(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Between):
        return [node.args["low"], node.args["high"]]
    if isinstance(node, exp.In):
        return list(node.expressions)
    return [node.args["expression"]] if isinstance(node.args.get("expression"), exp.Expr) else []


@cache
def evaluated(constant: str) -> str | None:
    """The text of a constant expression's value, if it has one."""
    try:
        row = duckdb.execute(f"SELECT CAST({constant} AS VARCHAR)").fetchone()
    except duckdb.Error:
        return None
    return row[0] if row else None
