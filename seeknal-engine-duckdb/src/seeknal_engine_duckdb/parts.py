"""Parts of incremental nodes: how they are checked, and read as one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from math import isqrt
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from seeknal.dag.fingerprint import is_incremental
from seeknal.dag.manifest import Incremental, Node
from seeknal.errors import BuildError
from seeknal.state.intervals import Interval, Part
from seeknal.workflow.engine import Snapshot
from seeknal.workflow.task import label
from seeknal_engine_duckdb.part_names import Types, named
from seeknal_engine_duckdb.readers import identifier, literal

FEW = 32
"""So many files are read as one; of more, those that a query needn't see are left out."""

_ZONED = "TIMESTAMP WITH TIME ZONE"
_TIMES = ("TIMESTAMP", "DATE")
_KEY = "seeknal_time"
_DAY = timedelta(days=1)


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
    time = Time(name, timing.timezone, types[name])
    told = row[4].get(identifier(name), {}) if len(row) > 1 else {}
    if not rows or time.surely_within(told, interval):
        return
    column = identifier(name)
    found = connection.execute(
        f"SELECT count(*), min({column}), max({column}) FROM read_parquet({literal(path)}) "
        f"WHERE ({time.within(interval)}) IS NOT TRUE"
    ).fetchone()
    if found and found[0]:
        span = f"from {found[1]} to {found[2]}" if found[1] is not None else "NULL"
        raise BuildError(
            f"{found[0]:,} of {rows:,} rows of {node.id} don't belong to "
            f"{label(interval, timing.timezone)}: their {name} is {span}. Keep to the interval, as "
            f"in WHERE {name} >= {{{{ start }}}} AND {name} < {{{{ end }}}}"
        )


# --- Time -----------------------------------------------------------------------------------


class Time(NamedTuple):
    """The column that says when, of parts of one shape. timezone: whose wall clock it shows where
    it has no zone of its own. kind: its type.

    A row lies before or behind a moment as SQL with `{{ start }}` and `{{ end }}` has it: by the
    wall clock, save for a moment whose time clocks show twice.
    """

    column: str
    timezone: str
    kind: str

    def within(self, interval: Interval) -> str:
        """A condition for the rows of an interval."""
        return f"({self._compared('>=', interval.start)} AND {self._compared('<', interval.end)})"

    def around(self, interval: Interval) -> str | None:
        """A condition that all rows of an interval meet, in terms in which DuckDB can tell, before
        it opens a file, that a query wants none of them. A day on either side covers whatever
        clocks do."""
        if not self.kind.startswith(_TIMES):
            return None
        start, end = interval.start - _DAY, interval.end + _DAY
        column = identifier(self.column)
        if self.kind == _ZONED:
            start_text, end_text = (f"TIMESTAMPTZ {literal(m.isoformat())}" for m in (start, end))
        else:
            start_text, end_text = (f"TIMESTAMP {literal(self._wall(m))}" for m in (start, end))
        return f"({column} >= {start_text} AND {column} < {end_text})"

    def surely_within(self, told: Mapping[str, str], interval: Interval) -> bool:
        """Whether a file's statistics say that all rows are in an interval."""
        if not self.kind.startswith(_TIMES) or told.get("null_count") != "0":
            return False
        try:
            first, last = (datetime.fromisoformat(told[end]) for end in ("min", "max"))
        except (KeyError, ValueError):
            return False
        if first.tzinfo:
            return interval.start <= first and last < interval.end
        if any(map(self._is_shown_twice, interval)):
            return False
        start, end = (self._local(moment).replace(tzinfo=None) for moment in interval)
        return start <= first and last < end

    def _compared(self, how: str, moment: datetime) -> str:
        column = identifier(self.column)
        if self.kind != _ZONED:
            column = f"CAST({column} AS TIMESTAMP)" if self.kind != "TIMESTAMP" else column
            if not self._is_shown_twice(moment):
                return f"{column} {how} TIMESTAMP {literal(self._wall(moment))}"
            column = f"timezone({literal(self.timezone)}, {column})"
        return f"{column} {how} TIMESTAMPTZ {literal(moment.isoformat())}"

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self.timezone))

    def _wall(self, moment: datetime) -> str:
        return str(self._local(moment).replace(tzinfo=None))

    def _is_shown_twice(self, moment: datetime) -> bool:
        local = self._local(moment)
        return local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()


# --- Reading --------------------------------------------------------------------------------


def holds_data(snapshot: Snapshot) -> bool:
    """Whether there is anything to read: of an incremental node, a part with a name."""
    return not is_incremental(snapshot.id) or any(part.name for part in snapshot.parts)


class PartTables:
    """Reads the parts of snapshots as tables. For several threads.

    path_of: from a node's id and the name of one of its parts to the file.
    """

    def __init__(
        self, path_of: Callable[[str, str], str], connect: Callable[[], duckdb.DuckDBPyConnection]
    ) -> None:
        self._path_of, self._connect = path_of, connect
        self._times: dict[str, Time] = {}

    def table(self, snapshot: Snapshot) -> str:
        """What can stand in FROM for a snapshot, each part as far as its time is read.

        Raises BuildError where no part has a file.
        """
        files = [part for part in snapshot.parts if part.name]
        if not files:
            raise BuildError(
                f"{snapshot.node_id} holds no data: none of its intervals has been computed, or "
                "all were restated or marked as complete. Restate what was marked, and run again."
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
            time = self._time(named(name).shape, path)
            kept = " OR ".join(time.within(Interval(p.start, p.end)) for p in pieces)
            yield f"SELECT * FROM read_parquet({literal(path)}) WHERE {kept}"

    def _time(self, shape: str, path: str) -> Time:
        if shape not in self._times:
            connection = self._connect()
            row = connection.execute(
                f"SELECT decode(value) FROM parquet_kv_metadata({literal(path)}) "
                f"WHERE decode(key) = {literal(_KEY)}"
            ).fetchone()
            if row is None:
                raise BuildError(f"{path} does not say where its time is")
            column, timezone = json.loads(row[0])
            self._times[shape] = Time(column, timezone, types_in(connection, path)[column])
        return self._times[shape]
