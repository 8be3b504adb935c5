"""How two versions of a table differ.

Columns that both have are numbered here, keys first: c0, c1, ... Rows of one key are joined; where
there are no keys, or a key stands in more than one row, rows are counted as wholes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, repeat
from string import ascii_lowercase, ascii_uppercase
from typing import Any, NamedTuple

import duckdb

from seeknal.errors import RequestError, did_you_mean
from seeknal.workflow.engine import ComparedRow, Comparison
from seeknal_engine_duckdb.readers import identifier

_TEXT = "VARCHAR"
_MOST_ROWS = 999_999
"""More than these `min_by` doesn't give."""
_FOLD = str.maketrans(ascii_uppercase, ascii_lowercase)
"""DuckDB takes `A` for `a` in names, but not `É` for `é`."""


class _Column(NamedTuple):
    """One that both tables have: what it is called in each, and of which type it is there."""

    old: str
    old_type: str
    new: str
    new_type: str


class _Found(NamedTuple):
    """Of one kind. by_column: in how many rows each column differs that is no key. sample: rows
    before and after, and how many there are of them."""

    rows: int
    by_column: Sequence[int]
    sample: Sequence[tuple[Sequence[Any] | None, Sequence[Any] | None, int]]


def compare(
    connection: duckdb.DuckDBPyConnection,
    tables: tuple[str, str],
    keys: Sequence[str],
    rows: int,
) -> Comparison:
    """See `Engine.compare`.

    connection: nobody else's. tables: what can stand in FROM, before and after. Columns are called
    what they are called after. Rows are shown by the columns that both have, with values of the
    type by which they were compared.
    """
    old, new = (_types(connection, table) for table in tables)
    common = _common(old, new)
    chosen = [_chosen(key, common) for key in dict.fromkeys(key.translate(_FOLD) for key in keys)]
    others = [column for column in common.values() if column not in chosen]
    columns = [*chosen, *others]
    _create_views(connection, tables, columns)
    before, after = (_count(connection, table) for table in ("old_rows", "new_rows"))
    repeated = _find_repeated(connection, len(chosen)) if chosen else 0
    found: Mapping[str, _Found] = {}
    if not columns:
        found = {"added": _Found(after, (), ()), "removed": _Found(before, (), ())}
    elif tables[0] != tables[1]:
        found = _differences(connection, len(chosen), len(columns), repeated > 0, rows)
    names = [column.new for column in columns]
    by_column = found["changed"].by_column if "changed" in found else ()
    return Comparison(
        keys=[column.new for column in chosen],
        columns=[column.new for column in others],
        added_columns=_only(new, {column.new for column in columns}),
        removed_columns=_only(old, {column.old for column in columns}),
        retyped={c.new: (c.old_type, c.new_type) for c in columns if c.old_type != c.new_type},
        rows_before=before,
        rows_after=after,
        added=_rows(found, "added"),
        removed=_rows(found, "removed"),
        changed=_rows(found, "changed"),
        changed_by_column={c.new: n for c, n in zip(others, by_column, strict=False) if n},
        sample=list(_sample(found, names, rows)),
        repeated_keys=repeated,
    )


# --- Columns --------------------------------------------------------------------------------


def _types(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    described = connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
    return {name: kind for name, kind, *_ in described}


def _common(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, _Column]:
    """The columns that both have, by their folded names."""
    before = {name.translate(_FOLD): name for name in old}
    after = {name.translate(_FOLD): name for name in new}
    return {
        folded: _Column(before[folded], old[before[folded]], name, new[name])
        for folded, name in after.items()
        if folded in before
    }


def _chosen(key: str, common: Mapping[str, _Column]) -> _Column:
    if key in common:
        return common[key]
    names = [column.new for column in common.values()]
    raise RequestError(
        f"'{key}' can't be a key: it is no column of both versions. "
        f"{', '.join(names) if names else 'None'} {'is' if len(names) < 2 else 'are'}."
        f"{did_you_mean(key, names)}"
    )


def _only(types: Mapping[str, str], common: set[str]) -> dict[str, str]:
    return {name: kind for name, kind in types.items() if name not in common}


def _create_views(
    connection: duckdb.DuckDBPyConnection, tables: tuple[str, str], columns: Sequence[_Column]
) -> None:
    """`old_rows` and `new_rows`: the columns of both, of one type each, and `here`, which is true
    and of use in an outer join."""
    types = [_compared_type(connection, tables, column) for column in columns]
    names = ([c.old for c in columns], [c.new for c in columns])
    for view, table, mine in zip(("old_rows", "new_rows"), tables, names, strict=True):
        values = [
            f"{_cast(name, kind)} AS c{i}"
            for i, (name, kind) in enumerate(zip(mine, types, strict=True))
        ]
        select = ", ".join(["true AS here", *values])
        connection.execute(f"CREATE TEMP VIEW {view} AS SELECT {select} FROM {table}")


def _cast(name: str, kind: str | None) -> str:
    return f"CAST({identifier(name)} AS {kind})" if kind else identifier(name)


def _compared_type(
    connection: duckdb.DuckDBPyConnection, tables: tuple[str, str], column: _Column
) -> str | None:
    """The type by which a column is compared: None for the one that it has on both sides, else one
    that holds every value of both, or text."""
    if column.old_type == column.new_type:
        return None
    old = f"SELECT {identifier(column.old)} AS x FROM {tables[0]}"
    new = f"SELECT {identifier(column.new)} AS x FROM {tables[1]}"
    try:
        common = _types(connection, f"({old} UNION ALL {new})")["x"]
    except duckdb.Error:
        return _TEXT
    for kind in dict.fromkeys((common, column.old_type, column.new_type)):
        if _holds(connection, kind, old, column.old_type) and _holds(
            connection, kind, new, column.new_type
        ):
            return kind
    return _TEXT


def _holds(connection: duckdb.DuckDBPyConnection, kind: str, select: str, own: str) -> bool:
    """Whether values stay what they are when they are cast to a type."""
    changed = f"CAST(CAST(x AS {kind}) AS {own}) IS DISTINCT FROM x"
    try:
        row = connection.execute(f"SELECT bool_or({changed}) FROM ({select})").fetchone()
    except duckdb.Error:
        return False
    return not (row and row[0])


# --- Rows -----------------------------------------------------------------------------------


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def _find_repeated(connection: duckdb.DuckDBPyConnection, keys: int) -> int:
    """Put the keys that stand in more than one row of a side into the table `repeated`, and return
    how many these are."""
    names = ", ".join(f"c{i}" for i in range(keys))
    selects = (
        f"SELECT {names} FROM {table} GROUP BY ALL HAVING count(*) > 1"
        for table in ("old_rows", "new_rows")
    )
    connection.execute(f"CREATE TEMP TABLE repeated AS {' UNION '.join(selects)}")
    return _count(connection, "repeated")


def _differences(
    connection: duckdb.DuckDBPyConnection, keys: int, width: int, repeated: bool, rows: int
) -> dict[str, _Found]:
    """By kind. repeated: whether any keys are."""
    selects = []
    old, new = "old_rows", "new_rows"
    if keys:
        once = f"(FROM %s AS r ANTI JOIN repeated AS s ON {_same_key('r', 's', keys)})"
        sides = (once % old, once % new) if repeated else (old, new)
        selects.append(_by_key(*sides, keys, width))
    if repeated:
        often = f"(FROM %s AS r SEMI JOIN repeated AS s ON {_same_key('r', 's', keys)})"
        selects.append(_as_wholes(often % old, often % new, keys, width))
    elif not keys:
        selects.append(_as_wholes(old, new, keys, width))
    by_column = ", ".join(f"count(*) FILTER (d{i})" for i in range(keys, width))
    sample = f"min_by(row(before, after, times), coalesce(after, before), {min(rows, _MOST_ROWS)})"
    found = connection.execute(
        f"SELECT kind, sum(times)::BIGINT, [{by_column}], {sample if rows else '[]'} "
        f"FROM ({' UNION ALL '.join(selects)}) GROUP BY kind"
    )
    return {kind: _Found(*facts) for kind, *facts in found.fetchall()}


def _by_key(old: str, new: str, keys: int, width: int) -> str:
    """Differences of rows that are alone with their keys. d7: whether c7 differs."""
    differs = [
        f"old.here AND new.here AND old.c{i} IS DISTINCT FROM new.c{i} AS d{i}"
        for i in range(keys, width)
    ]
    any_differs = " OR ".join(f"d{i}" for i in range(keys, width)) or "false"
    shown = ", ".join(
        [
            "CASE WHEN old.here IS NULL THEN 'added' WHEN new.here IS NULL THEN 'removed' "
            "ELSE 'changed' END AS kind",
            "1 AS times",
            f"CASE WHEN old.here THEN {_row('old', width)} END AS before",
            f"CASE WHEN new.here THEN {_row('new', width)} END AS after",
            *differs,
        ]
    )
    return (
        f"SELECT {shown} FROM {old} AS old FULL JOIN {new} AS new "
        f"ON {_same_key('old', 'new', keys)} "
        f"WHERE old.here IS NULL OR new.here IS NULL OR {any_differs}"
    )


def _as_wholes(old: str, new: str, keys: int, width: int) -> str:
    """Differences of rows that are the same if they are in all columns, counted."""
    names = ", ".join(f"c{i}" for i in range(width))
    counted = (
        f"SELECT {names}, sum(side) AS n FROM (SELECT {names}, -1 AS side FROM {old} "
        f"UNION ALL SELECT {names}, 1 FROM {new}) GROUP BY ALL HAVING sum(side) <> 0"
    )
    shown = ", ".join(
        [
            "if(n > 0, 'added', 'removed') AS kind",
            "abs(n) AS times",
            f"CASE WHEN n < 0 THEN {_row('whole', width)} END AS before",
            f"CASE WHEN n > 0 THEN {_row('whole', width)} END AS after",
            *(f"false AS d{i}" for i in range(keys, width)),
        ]
    )
    return f"SELECT {shown} FROM ({counted}) AS whole"


def _same_key(old: str, new: str, keys: int) -> str:
    return " AND ".join(f"{old}.c{i} IS NOT DISTINCT FROM {new}.c{i}" for i in range(keys))


def _row(table: str, width: int) -> str:
    return f"row({', '.join(f'{table}.c{i}' for i in range(width))})"


# --- Answering ------------------------------------------------------------------------------


def _rows(found: Mapping[str, _Found], kind: str) -> int:
    return found[kind].rows if kind in found else 0


def _sample(found: Mapping[str, _Found], names: Sequence[str], rows: int) -> Iterator[ComparedRow]:
    """At most so many of each kind; a row that is there twice stands there twice."""

    def named(values: Sequence[Any] | None) -> dict[str, Any] | None:
        return None if values is None else dict(zip(names, values, strict=True))

    for kind, facts in sorted(found.items()):
        each = (
            ComparedRow(kind, named(before), named(after))
            for before, after, times in facts.sample
            for _ in repeat(None, times)
        )
        yield from islice(each, rows)
