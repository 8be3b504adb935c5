"""The texts that are edited: TPC-H, TPC-DS, and our own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import sqlglot
from sqlglot import exp

QUERIES = Path(__file__).parent.parent / "queries"
TPC = "backends/tests/tpc/queries/duckdb"
"""Where ibis-framework keeps the texts, below its package."""
FAMILIES = ("own", "h", "ds")


@dataclass(frozen=True, slots=True)
class Table:
    """A table in the schema `source`. columns: each one's name, and its type with its collation."""

    name: str
    columns: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.columns)

    @property
    def statement(self) -> str:
        body = ", ".join(f'"{name}" {kind}' for name, kind in self.columns)
        return f"CREATE TABLE source.{self.name} ({body})"


@dataclass(frozen=True, slots=True)
class Text:
    """A query. tables: the names in the schema `source` that it reads."""

    name: str
    family: str
    sql: str
    tables: tuple[str, ...]


@cache
def tables(family: str) -> dict[str, Table]:
    """The tables that a family of queries reads, by name."""
    found = {}
    statements = (QUERIES / f"schema_{family}.sql").read_text().split("CREATE TABLE ")[1:]
    for statement in statements:
        name, body = statement.strip().removesuffix(");").split(" (", 1)
        columns = re.split(r",\s+(?![^()]*\))", body)
        found[name] = Table(name, tuple(tuple(column.split(" ", 1)) for column in columns))
    return found


@cache
def texts(family: str) -> tuple[Text, ...]:
    """The queries of a family; none, if they come from a package that isn't installed."""
    named = own_texts() if family == "own" else tpc_texts(family)
    return tuple(
        Text(f"{family}/{name}", family, sql, tuple(sorted(reads(sql, family))))
        for name, sql in named.items()
    )


def all_texts() -> tuple[Text, ...]:
    return tuple(text for family in FAMILIES for text in texts(family))


def own_texts() -> dict[str, str]:
    found = {}
    for path in sorted(QUERIES.glob("own_*.sql")):
        for part in path.read_text().split("-- name: ")[1:]:
            name, sql = part.split("\n", 1)
            found[name.strip()] = sql.strip().removesuffix(";")
    return found


def tpc_texts(family: str) -> dict[str, str]:
    package = find_spec("ibis")
    if package is None or not package.submodule_search_locations:
        return {}
    folder = Path(package.submodule_search_locations[0]) / TPC / family
    return {
        path.stem: in_schema(path.read_text().strip().removesuffix(";"), family)
        for path in sorted(folder.glob("*.sql"))
    }


def in_schema(sql: str, family: str) -> str:
    """The text with its tables named as nodes, `source.<table>`, and nothing else touched."""
    places = sorted(
        {
            table.this.meta["start"]
            for table in sqlglot.parse_one(sql, read="duckdb").find_all(exp.Table)
            if not table.db and table.name in tables(family) and table.name not in ctes(sql)
        },
        reverse=True,
    )
    for place in places:
        sql = f"{sql[:place]}source.{sql[place:]}"
    return sql


def ctes(sql: str) -> set[str]:
    return {cte.alias for cte in sqlglot.parse_one(sql, read="duckdb").find_all(exp.CTE)}


def reads(sql: str, family: str) -> set[str]:
    """The tables of the family that are named in a text."""
    return set(re.findall(r"\bsource\.(\w+)", sql)) & set(tables(family))
