"""Tables as lists of rows: what the SQLite engine keeps in files, and how two of them differ."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from seeknal.errors import BuildError, RequestError, did_you_mean
from seeknal.files import sync
from seeknal.state.intervals import Interval
from seeknal.workflow.engine import ComparedRow, Comparison
from seeknal.workflow.intervals import start_of

Row = Sequence[Any]
_TYPES = {int: "INTEGER", float: "REAL", str: "TEXT", type(None): "NULL"}


class Table(NamedTuple):
    """times: of a part, the time of each row in UTC, as ISO 8601 text."""

    columns: Sequence[str]
    rows: Sequence[Row]
    times: Sequence[str] = ()

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Any]], columns: Iterable[str] = ()) -> Table:
        """columns: those that it has at least."""
        names = list(dict.fromkeys([*columns, *(name for record in records for name in record)]))
        return cls(names, [[record.get(name) for name in names] for record in records])

    @property
    def types(self) -> list[str]:
        """Of each column, the type of its first value that isn't NULL."""
        values = (
            next((row[n] for row in self.rows if row[n] is not None), None)
            for n in range(len(self.columns))
        )
        return [_TYPES.get(type(value), "BLOB") for value in values]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def timed(self, column: str, timezone: str) -> Table:
        """With the times of a column, on the wall clock of a zone. Raises BuildError where one is
        missing or is no time."""
        if column not in self.columns:
            raise BuildError(f"there is no column '{column}', which `time_column:` names")
        place = list(self.columns).index(column)
        try:
            return self._replace(
                times=[start_of(row[place], timezone).isoformat() for row in self.rows]
            )
        except RequestError as error:
            raise BuildError(f"the time column '{column}': {error}") from error

    def within(self, interval: Interval) -> Table:
        """The rows whose times lie in an interval."""
        start, end = interval
        kept = [n for n, at in enumerate(self.times) if start <= datetime.fromisoformat(at) < end]
        return Table(self.columns, [self.rows[n] for n in kept], [self.times[n] for n in kept])


# --- Files ----------------------------------------------------------------------------------


def write(path: Path, table: Table) -> int:
    """Make a file appear at once, for good. Returns its size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{os.urandom(4).hex()}")
    beside.write_text(json.dumps(table), encoding="utf-8")
    sync(beside)
    size = beside.stat().st_size
    beside.replace(path)
    sync(path.parent)
    return size


def read(path: Path) -> Table:
    """Raises BuildError when it isn't there."""
    try:
        return Table(*json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BuildError(f"there is no file {path}") from None


def read_csv(paths: Iterable[Path]) -> Table:
    """Rows of files that have the same header. What are whole numbers becomes some."""
    columns: list[str] = []
    rows: list[Row] = []
    for path in paths:
        with path.open(newline="", encoding="utf-8") as file:
            columns, *read = csv.reader(file)
            rows += [[int(v) if v.removeprefix("-").isdigit() else v for v in row] for row in read]
    return Table(columns, rows)


# --- Differences ----------------------------------------------------------------------------


def compare(before: Table, after: Table, keys: Sequence[str], rows: int) -> Comparison:
    """See `Engine.compare`."""
    common = [name for name in after.columns if name in before.columns]
    for key in keys:
        if key not in common:
            raise RequestError(f"{key!r} is no column of both.{did_you_mean(key, common)}")
    types = [dict(zip(table.columns, table.types, strict=True)) for table in (before, after)]
    found = list(_differences(_records(before, common), _records(after, common), keys))
    changed = [(old, new) for old, new in found if old is not None and new is not None]
    others = [name for name in common if name not in keys]
    by_column = {name: sum(old[name] != new[name] for old, new in changed) for name in others}
    return Comparison(
        keys=list(keys),
        columns=others,
        added_columns={n: t for n, t in types[1].items() if n not in common},
        removed_columns={n: t for n, t in types[0].items() if n not in common},
        retyped={n: (types[0][n], types[1][n]) for n in common if types[0][n] != types[1][n]},
        rows_before=len(before.rows),
        rows_after=len(after.rows),
        added=sum(old is None for old, _ in found),
        removed=sum(new is None for _, new in found),
        changed=len(changed),
        changed_by_column={name: count for name, count in by_column.items() if count},
        sample=list(_sample(found, rows)),
        repeated_keys=len(_repeated(before, after, keys)) if keys else 0,
    )


Record = Mapping[str, Any]
Difference = tuple[Record | None, Record | None]


def _records(table: Table, columns: Sequence[str]) -> list[Record]:
    return [{name: record[name] for name in columns} for record in table.records]


def _key(record: Record, keys: Iterable[str]) -> tuple[Any, ...]:
    return tuple(record[key] for key in keys)


def _repeated(before: Table, after: Table, keys: Sequence[str]) -> set[tuple[Any, ...]]:
    """Keys that stand in more than one row of a side."""
    counts = (Counter(_key(record, keys) for record in table.records) for table in (before, after))
    return {key for counted in counts for key, count in counted.items() if count > 1}


def _differences(
    before: Sequence[Record], after: Sequence[Record], keys: Sequence[str]
) -> Iterator[Difference]:
    by_key: dict[tuple[Any, ...], tuple[list[Record], list[Record]]] = defaultdict(lambda: ([], []))
    for side, records in enumerate((before, after)):
        for record in records:
            by_key[_key(record, keys) if keys else ()][side].append(record)
    for old, new in by_key.values():
        if keys and len(old) == len(new) == 1:
            if old != new:
                yield old[0], new[0]
        else:
            yield from ((record, None) for record in _without(old, new))
            yield from ((None, record) for record in _without(new, old))


def _without(records: Sequence[Record], others: Sequence[Record]) -> Iterator[Record]:
    """The records that are left when each of the others has taken one like it."""
    left = Counter(tuple(record.items()) for record in records)
    left -= Counter(tuple(record.items()) for record in others)
    return map(dict, left.elements())


def _sample(found: Sequence[Difference], rows: int) -> Iterator[ComparedRow]:
    kinds = {(True, True): "changed", (False, True): "added", (True, False): "removed"}
    for kind in kinds.values():
        alike = (
            ComparedRow(kind, old, new)
            for old, new in found
            if kinds[old is not None, new is not None] == kind
        )
        yield from islice(alike, rows)
