"""Parts of incremental nodes: how they are named, checked, and read as one table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from math import isqrt
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from seeknal.dag.manifest import Incremental, Node
from seeknal.errors import BuildError
from seeknal.state.intervals import Interval, Part
from seeknal.workflow.engine import Snapshot
from seeknal.workflow.task import label
from seeknal_engine_duckdb.readers import identifier, literal

FEW = 32
"""So many files are read as one; of more, those that a query needn't see are left out."""

_ZONED = "TIMESTAMP WITH TIME ZONE"
_TIMES = ("TIMESTAMP", "DATE")
_NAME = re.compile(r"(.+/)(\d{8}T[\d.]+)_(\d{8}T[\d.]+)_([0-9a-f]{8})_[0-9a-f]+")
_KEY = "seeknal_time"
_DAY = timedelta(days=1)

Types = Mapping[str, str]
"""Of the columns of a file, as DuckDB names them."""


# --- Names ----------------------------------------------------------------------------------


class Named(NamedTuple):
    """What the name of a part tells. interval: that it was computed for. shape: the same for parts
    of one snapshot that have the same columns."""

    interval: Interval
    shape: str


def part_name(snapshot: str, interval: Interval, types: Types, digest: str) -> str:
    """Of a part of a snapshot. digest: of the file."""
    start, end = (_compact(moment) for moment in interval)
    shape = sha256(json.dumps(list(types.items())).encode()).hexdigest()[:8]
    return f"{snapshot}/{start}_{end}_{shape}_{digest}"


@lru_cache(maxsize=200_000)
def named(name: str) -> Named:
    found = _NAME.fullmatch(name)
    if found is None:
        raise BuildError(f"{name!r} is no name of a part")
    return Named(Interval(_read(found[2]), _read(found[3])), found[1] + found[4])


def _compact(moment: datetime) -> str:
    text = f"{moment.astimezone(UTC):%Y%m%dT%H%M%S}"
    return f"{text}.{moment.microsecond:06}" if moment.microsecond else text


def _read(text: str) -> datetime:
    form = "%Y%m%dT%H%M%S.%f" if "." in text else "%Y%m%dT%H%M%S"
    return datetime.strptime(text, form).replace(tzinfo=UTC)


# --- Writing --------------------------------------------------------------------------------


def copy_options(timing: Incremental) -> str:
    """What COPY is asked for besides: to say what it wrote, and to write down where time is."""
    where = json.dumps([timing.time_column, timing.timezone])
    return f"RETURN_STATS, KV_METADATA {{{_KEY}: {literal(where)}}}"


def rows_in(row: Sequence[Any]) -> int:
    """From what COPY says with these options; or with none, as a PIVOT does."""
    return int(row[1] if len(row) > 1 else row[0])


def types_in(connection: duckdb.DuckDBPyConnection, path: str) -> Types:
    described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(path)})")
    return {name: kind for name, kind, *_ in described.fetchall()}


def refuse_rows_outside(
    connection: duckdb.DuckDBPyConnection,
    path: str,
    row: Sequence[Any],
    types: Types,
    node: Node,
    interval: Interval,
) -> None:
    """Raise BuildError when rows don't belong to the interval, or when their time isn't known.

    row: what COPY said. Where that tells that all is well, the file isn't looked at.
    """
    timing = node.incremental
    assert timing is not None
    name, rows = timing.time_column, rows_in(row)
    if name not in types:
        raise BuildError(f"{node.id} has no column '{name}', which `time_column:` names")
    told = row[4].get(identifier(name), {}) if len(row) > 1 else {}
    if not rows or _surely_inside(told, types[name], interval, timing.timezone):
        return
    connection.execute(f"SET TimeZone = {literal(timing.timezone)}")
    column = identifier(name)
    inside = within(f"CAST({column} AS TIMESTAMPTZ)", interval)
    found = connection.execute(
        f"SELECT count(*), min({column}), max({column}) FROM read_parquet({literal(path)}) "
        f"WHERE ({inside}) IS NOT TRUE"
    ).fetchone()
    if found and found[0]:
        span = f"from {found[1]} to {found[2]}" if found[1] is not None else "NULL"
        raise BuildError(
            f"{found[0]:,} of {rows:,} rows of {node.id} don't belong to "
            f"{label(interval, timing.timezone)}: their {name} is {span}. Keep to the interval, as "
            f"in WHERE {name} >= {{{{ start }}}} AND {name} < {{{{ end }}}}"
        )


def _surely_inside(told: Mapping[str, str], kind: str, interval: Interval, timezone: str) -> bool:
    if not kind.startswith(_TIMES) or told.get("null_count") != "0":
        return False
    try:
        ends = [datetime.fromisoformat(told[end]) for end in ("min", "max")]
    except (KeyError, ValueError):
        return False
    zone = ZoneInfo(timezone)
    first, last = (m if m.tzinfo else m.replace(tzinfo=zone) for m in ends)
    return interval.start <= first and last < interval.end


# --- Reading --------------------------------------------------------------------------------


class _Time(NamedTuple):
    """Where the time is in parts of one shape. kind: the column's type."""

    column: str
    timezone: str
    kind: str

    @property
    def instant(self) -> str:
        """An expression that gives the moment of a row."""
        column = identifier(self.column)
        if self.kind == _ZONED:
            return column
        return f"timezone({literal(self.timezone)}, CAST({column} AS TIMESTAMP))"

    def around(self, interval: Interval) -> str | None:
        """A condition that all rows of an interval meet, in terms in which DuckDB can tell, before
        it opens a file, that a query wants none of them. A day on either side covers whatever
        clocks do."""
        if not self.kind.startswith(_TIMES):
            return None
        start, end = interval.start - _DAY, interval.end + _DAY
        if self.kind == _ZONED:
            return within(identifier(self.column), Interval(start, end))
        zone = ZoneInfo(self.timezone)
        first, last = (literal(str(m.astimezone(zone).replace(tzinfo=None))) for m in (start, end))
        column = identifier(self.column)
        return f"({column} >= TIMESTAMP {first} AND {column} < TIMESTAMP {last})"


class PartTables:
    """Reads the parts of snapshots as tables. For several threads.

    path_of: from a node's id and the name of one of its parts to the file.
    """

    def __init__(
        self, path_of: Callable[[str, str], str], connect: Callable[[], duckdb.DuckDBPyConnection]
    ) -> None:
        self._path_of, self._connect = path_of, connect
        self._times: dict[str, _Time] = {}

    def table(self, snapshot: Snapshot) -> str:
        """What can stand in FROM for a snapshot, each part as far as its time is read.

        Raises BuildError where no part has a file.
        """
        files = [part for part in snapshot.parts if part.name]
        if not files:
            raise BuildError(
                f"{snapshot.node_id} holds no data: its intervals were marked as complete by hand"
            )
        whole = [part for part in files if named(part.name).interval == part[:2]]
        cut = [part for part in files if named(part.name).interval != part[:2]]
        selects = [*self._whole(snapshot.node_id, whole), *self._cut(snapshot.node_id, cut)]
        return f"({' UNION ALL BY NAME '.join(selects)})"

    def _whole(self, node_id: str, parts: Sequence[Part]) -> Iterator[str]:
        """Parts of which all is read, by shape, and of many those together that follow each
        other."""
        size = max(FEW, isqrt(len(parts)))
        for shape, alike in groupby(parts, key=lambda part: named(part.name).shape):
            run = list(alike)
            for first in range(0, len(run), size):
                group = run[first : first + size]
                paths = [self._path_of(node_id, part.name) for part in group]
                select = f"SELECT * FROM read_parquet({literal(paths)})"
                where = None
                if len(parts) > FEW:
                    interval = Interval(group[0].start, group[-1].end)
                    where = self._time(shape, paths[0]).around(interval)
                yield f"{select} WHERE {where}" if where else select

    def _cut(self, node_id: str, parts: Sequence[Part]) -> Iterator[str]:
        """Parts of which something was computed anew, and only the rest is read."""
        for name, pieces in groupby(sorted(parts, key=lambda p: p.name), key=lambda p: p.name):
            path = self._path_of(node_id, name)
            instant = self._time(named(name).shape, path).instant
            kept = " OR ".join(within(instant, Interval(p.start, p.end)) for p in pieces)
            yield f"SELECT * FROM read_parquet({literal(path)}) WHERE {kept}"

    def _time(self, shape: str, path: str) -> _Time:
        if shape not in self._times:
            connection = self._connect()
            row = connection.execute(
                f"SELECT decode(value) FROM parquet_kv_metadata({literal(path)}) "
                f"WHERE decode(key) = {literal(_KEY)}"
            ).fetchone()
            if row is None:
                raise BuildError(f"{path} does not say where its time is")
            column, timezone = json.loads(row[0])
            self._times[shape] = _Time(column, timezone, types_in(connection, path)[column])
        return self._times[shape]


def within(instant: str, interval: Interval) -> str:
    start, end = (literal(moment.isoformat()) for moment in interval)
    return f"({instant} >= TIMESTAMPTZ {start} AND {instant} < TIMESTAMPTZ {end})"
