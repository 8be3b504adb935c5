"""What DuckDB makes of a query on every world: data sets, each laid down in some order of rows."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from .data import MANNERS, Row, draw
from .texts import Table, Text, tables

SUMS = re.compile(r"\b(sum|avg|mean|stddev|var|covar|corr|regr|skew|kurt)\w*\s*\(", re.IGNORECASE)
SECONDS = 3.0
MOST_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Result:
    """names: lower case, and as a table of it would have them. spelled: as DuckDB shows them.

    rows: the repr of each value.
    rough: sums of doubles may be in it, whose last bits depend on the order of what is summed.
    """

    names: tuple[str, ...]
    spelled: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rough: bool

    def bag(self, names: tuple[str, ...], rough: bool) -> Counter[tuple[str, ...]]:
        """rough: leave out the last bits of doubles."""
        places = [self.names.index(name) for name in names]
        coarse = {p for p in places if rough and self.types[p] in ("DOUBLE", "FLOAT")}
        return Counter(
            tuple(rounded(row[place]) if place in coarse else row[place] for place in places)
            for row in self.rows
        )

    def type_of(self, name: str) -> str:
        return self.types[self.names.index(name)]

    def spelling_of(self, name: str) -> str:
        return self.spelled[self.names.index(name)]


@dataclass(frozen=True, slots=True)
class Failure:
    """DuckDB refused. binding: before it had read any row."""

    error: str
    binding: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """Took too long, or made too many rows."""


Outcome = Result | Failure | Unknown


@dataclass(frozen=True, slots=True)
class World:
    """One data set in one order of rows. seed: of what a query draws itself."""

    name: str
    data: str
    database: str
    rows: Mapping[str, list[Row]]
    seed: float


@dataclass
class Worlds:
    """The worlds of one query, in one connection.

    Each is a database of its own with the schemas `source` and `transform`, and the names of
    `source` are found without it too.
    """

    text: Text
    connection: duckdb.DuckDBPyConnection
    worlds: list[World] = field(default_factory=list)

    def run(self, sql: str) -> dict[str, Outcome]:
        return {world.name: self.run_in(world, sql) for world in self.worlds}

    def run_in(self, world: World, sql: str) -> Outcome:
        enter(self.connection, world)
        return execute(self.connection, sql)

    def turned(self, sql: str, times: int = 3) -> dict[str, Outcome]:
        """What becomes of a query where the rows of each world stand in some other orders."""
        made = {}
        for world in self.worlds:
            rng = random.Random(world.name)
            for turn in range(times):
                with self.shuffled(world, rng):
                    made[f"{world.name} turned {turn}"] = execute(self.connection, sql)
        return made

    @contextmanager
    def shuffled(self, world: World, rng: random.Random) -> Iterator[None]:
        enter(self.connection, world)
        self.connection.execute("BEGIN")
        try:
            for name, rows in world.rows.items():
                self.connection.execute(f"DROP TABLE source.{name}")
                order = rng.sample(rows, k=len(rows))
                lay(self.connection, tables(self.text.family)[name], order)
            yield
        finally:
            self.connection.execute("ROLLBACK")

    @contextmanager
    def instead(self, world: World, table: Table, rows: list[Row]) -> Iterator[None]:
        """Another table in the place of one that the world has."""
        enter(self.connection, world)
        self.connection.execute("BEGIN")
        try:
            self.connection.execute(f"DROP TABLE IF EXISTS source.{table.name}")
            lay(self.connection, table, rows)
            yield
        finally:
            self.connection.execute("ROLLBACK")


def connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    for manner in MANNERS:
        for order in (0, 1):
            connection.execute(f"ATTACH ':memory:' AS {manner.name}{order}")
    return connection


def build(text: Text, connection: duckdb.DuckDBPyConnection, rng: random.Random) -> Worlds:
    """Draw data sets for a query; of all but the sparse one a second world in another order."""
    made = Worlds(text, connection)
    for manner in MANNERS:
        rows = draw(text, manner, rng)
        for order in (0, 1) if manner.name != "sparse" else (0,):
            name = f"{manner.name}{order}"
            if order:
                rows = {table: rng.sample(each, k=len(each)) for table, each in rows.items()}
            world = World(name, manner.name, name, rows, 0.25 + order / 2)
            furnish(connection, text.family, world)
            made.worlds.append(world)
    return made


def furnish(connection: duckdb.DuckDBPyConnection, family: str, world: World) -> None:
    connection.execute(f"USE {world.database}")
    for schema in ("source", "transform"):
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        connection.execute(f"CREATE SCHEMA {schema}")
    for name, rows in world.rows.items():
        lay(connection, tables(family)[name], rows)


def lay(connection: duckdb.DuckDBPyConnection, table: Table, rows: list[Row]) -> None:
    connection.execute(table.statement)
    if rows:
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        given = pa.table(columns, names=[f"c{place}" for place in range(len(columns))])
        connection.register("given_rows", given)
        connection.execute(f"INSERT INTO source.{table.name} SELECT * FROM given_rows")
        connection.unregister("given_rows")


def enter(connection: duckdb.DuckDBPyConnection, world: World) -> None:
    connection.execute(f"USE {world.database}.source")
    connection.execute(f"SELECT setseed({world.seed})")


def execute(connection: duckdb.DuckDBPyConnection, sql: str) -> Outcome:
    watch = threading.Timer(SECONDS, connection.interrupt)
    watch.start()
    try:
        cursor = connection.execute(sql)
        rows = cursor.fetchmany(MOST_ROWS + 1)
        described = cursor.description or []
    except duckdb.InterruptException:
        return Unknown()
    except duckdb.Error as error:
        binding = isinstance(error, duckdb.BinderException | duckdb.ParserException)
        return Failure(str(error).split("\n", 1)[0], binding)
    finally:
        watch.cancel()
    if len(rows) > MOST_ROWS:
        return Unknown()
    return Result(
        numbered([column[0].lower() for column in described]),
        tuple(column[0] for column in described),
        tuple(str(column[1]) for column in described),
        tuple(tuple(map(repr, row)) for row in rows),
        bool(SUMS.search(sql)),
    )


def rounded(value: str) -> str:
    return value if value == "None" else f"{float(value):.9g}"


def numbered(names: list[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name] - 1}")
    return tuple(result)
