"""Parts of incremental nodes: how they are named, checked, and read as one table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from seeknal.dag.manifest import Incremental, Node
from seeknal.errors import BuildError
from seeknal.state.intervals import Interval, Part
from seeknal.workflow.task import label
from seeknal_engine_duckdb.readers import identifier, literal

_TIMES = ("TIMESTAMP", "DATE")
_NAME = re.compile(r"([^/]+)/(\d{8}T[\d.]+)_(\d{8}T[\d.]+)_(\w+)")
_KEY = "seeknal_time"


class Written(NamedTuple):
    """What DuckDB tells of a file that it has written. column: about the time column, None when
    there is none of that name, empty when nothing is told."""

    rows: int
    column: Mapping[str, str] | None


# --- Names ----------------------------------------------------------------------------------


def part_name(snapshot: str, interval: Interval, digest: str) -> str:
    """A part of a snapshot: which time it was computed for, and a digest of what came of it."""
    start, end = (_compact(moment) for moment in interval)
    return f"{snapshot}/{start}_{end}_{digest}"


def computed_for(name: str) -> Interval:
    """The time that a part was computed for."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise BuildError(f"{name!r} is no name of a part")
    return Interval(_read(found[2]), _read(found[3]))


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


def written(row: Sequence[Any], timing: Incremental) -> Written:
    """From the row that COPY gives with these options."""
    if len(row) == 1:  # of a PIVOT that depends on the data
        return Written(int(row[0]), {})
    return Written(int(row[1]), row[4].get(identifier(timing.time_column)))


def refuse_rows_outside(
    connection: duckdb.DuckDBPyConnection,
    path: str,
    facts: Written,
    node: Node,
    interval: Interval,
    type_of: Callable[[], str],
) -> None:
    """Raise BuildError when rows don't belong to the interval, or when their time isn't known.

    type_of: of the time column. Where the file's own statistics tell that all is well, its rows
    aren't looked at.
    """
    timing = node.incremental
    assert timing is not None
    if facts.column is None and facts.rows:
        raise BuildError(
            f"{node.id} has no column '{timing.time_column}', which `time_column:` names"
        )
    if not facts.rows or _surely_inside(facts, type_of(), interval, timing.timezone):
        return
    column = identifier(timing.time_column)
    connection.execute(f"SET TimeZone = {literal(timing.timezone)}")
    instant = f"CAST({column} AS TIMESTAMPTZ)"
    outside = f"(({within(instant, interval)}) IS NOT TRUE)"
    query = (
        f"SELECT count(*), min({column}), max({column}) FROM read_parquet({literal(path)}) "
        f"WHERE {outside}"
    )
    found = connection.execute(query).fetchone()
    if found and found[0]:
        span = f"from {found[1]} to {found[2]}" if found[1] is not None else "NULL"
        raise BuildError(
            f"{found[0]:,} of {facts.rows:,} rows of {node.id} don't belong to "
            f"{label(interval, timing.timezone)}: their {timing.time_column} is {span}. Keep to "
            f"the interval, as in WHERE {timing.time_column} >= {{{{ start }}}} AND "
            f"{timing.time_column} < {{{{ end }}}}"
        )


def _surely_inside(facts: Written, kind: str, interval: Interval, timezone: str) -> bool:
    column = facts.column or {}
    if not kind.startswith(_TIMES) or column.get("null_count") != "0":
        return False
    try:
        ends = [datetime.fromisoformat(column[end]) for end in ("min", "max")]
    except (KeyError, ValueError):
        return False
    zone = ZoneInfo(timezone)
    first, last = (m if m.tzinfo else m.replace(tzinfo=zone) for m in ends)
    return interval.start <= first and last < interval.end


# --- Reading --------------------------------------------------------------------------------


def table(
    parts: Sequence[Part], path_of: Callable[[str], str], connection: duckdb.DuckDBPyConnection
) -> str:
    """What can stand in FROM for some parts, each as far as its time is read.

    path_of: from a part's name to its file. Raises BuildError where none has rows.
    """
    whole: list[str] = []
    cut: dict[str, list[Interval]] = {}
    for start, end, name in parts:
        if not name:
            continue
        if computed_for(name) == (start, end):
            whole.append(path_of(name))
        else:
            cut.setdefault(path_of(name), []).append(Interval(start, end))
    selects = []
    if whole:
        selects.append(f"SELECT * FROM read_parquet({literal(whole)}, union_by_name = true)")
    selects += [_cut(path, intervals, connection) for path, intervals in cut.items()]
    if not selects:
        raise BuildError("holds no data yet: its intervals were marked as complete by hand")
    return f"({' UNION ALL BY NAME '.join(selects)})"


def _cut(path: str, intervals: Sequence[Interval], connection: duckdb.DuckDBPyConnection) -> str:
    """Of a part of which something was computed anew, what is still read."""
    row = connection.execute(
        f"SELECT decode(value) FROM parquet_kv_metadata({literal(path)}) "
        f"WHERE decode(key) = {literal(_KEY)}"
    ).fetchone()
    if row is None:
        raise BuildError(f"{path} does not say where its time is")
    name, timezone = json.loads(row[0])
    column = identifier(name)
    described = connection.execute(f"DESCRIBE SELECT {column} FROM read_parquet({literal(path)})")
    kind = described.fetchall()[0][1]
    instant = column
    if kind != "TIMESTAMP WITH TIME ZONE":
        instant = f"timezone({literal(timezone)}, CAST({column} AS TIMESTAMP))"
    kept = " OR ".join(within(instant, interval) for interval in intervals)
    return f"SELECT * FROM read_parquet({literal(path)}) WHERE {kept}"


def within(instant: str, interval: Interval) -> str:
    start, end = (literal(moment.isoformat()) for moment in interval)
    return f"({instant} >= TIMESTAMPTZ {start} AND {instant} < TIMESTAMPTZ {end})"
