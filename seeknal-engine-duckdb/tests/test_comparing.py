"""How two versions of a table differ."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seeknal.dag.manifest import Incremental, Node
from seeknal.errors import BuildError, RequestError
from seeknal.state.intervals import Interval, Part
from seeknal.workflow.engine import Comparison, Job, Snapshot, Workspace
from seeknal_engine_duckdb.engine import DuckDBEngine

Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    folder = tmp_path_factory.mktemp("project")
    engine = DuckDBEngine(Workspace(folder, str(folder / "target"), "Europe/Berlin"))
    yield engine
    engine.close()


IDS = count()


def built(engine: DuckDBEngine, sql: str) -> Snapshot:
    snapshot = Snapshot("transform.t", f"{next(IDS):x}")
    engine.build(Job(Node("transform.t", config={"sql": sql}), snapshot, {}, None, lambda: None))
    return snapshot


def compared(engine: DuckDBEngine, old: str, new: str, *keys: str, rows: int = 20) -> Comparison:
    return engine.compare(built(engine, old), built(engine, new), keys, rows)


def numbers(found: Comparison) -> tuple[int, int, int]:
    return found.added, found.removed, found.changed


# --- Against a model ------------------------------------------------------------------------

TYPES = {"k": "INTEGER", "j": "VARCHAR", "f": "DOUBLE", "n": "INTEGER[]"}
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "k": st.sampled_from([None, 1, 2, 3, 4, 5, 6]),
    "j": st.sampled_from([None, "", "a", "B", "é"]),
    "f": st.sampled_from([None, 0.0, -0.0, 0.1, 0.1 + 1e-17, 1e300, math.inf, math.nan]),
    "n": st.sampled_from([None, [], [None], [1], [1, None], [1, 2]]),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[Row]]:
    """Names in any order and case, and rows."""
    names = draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, unique=True))
    rows = draw(st.lists(st.tuples(*(VALUES[name] for name in names)), max_size=9))
    upper = draw(st.booleans())
    return [name.upper() if upper else name for name in names], rows


@st.composite
def versions(draw: st.DrawFn) -> tuple[list[str], list[Row], list[Row]]:
    """Two versions of one table: most rows stay."""
    names, rows = draw(tables())
    after = list(rows)
    for place in draw(st.lists(st.integers(0, max(len(rows) - 1, 0)), max_size=3)):
        if place < len(rows):
            after[place] = draw(st.tuples(*(VALUES[name.lower()] for name in names)))
    after = draw(st.permutations(after))
    return names, rows, after[: draw(st.integers(len(after) - 2, len(after)))]


def select(names: Sequence[str], rows: Sequence[Row]) -> str:
    columns = ", ".join(f"c{i}::{TYPES[n.lower()]} AS {n}" for i, n in enumerate(names))
    listed = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    values = listed or f"({', '.join('NULL' for _ in names)})"
    aliases = ", ".join(f"c{i}" for i in range(len(names)))
    limit = "" if rows else " WHERE false"
    return f"SELECT {columns} FROM (VALUES {values}) t({aliases}){limit}"


def literal(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]::INTEGER[]"
    if isinstance(value, float):
        return f"'{value!r}'::DOUBLE"
    return "NULL" if value is None else repr(value)


def comparable(value: Any) -> tuple[Any, ...]:
    """As DuckDB sorts it: NULL last, NaN behind all other numbers."""
    if isinstance(value, list | tuple):
        return (0, 0, tuple(map(comparable, value)))
    if value is None:
        return (1, 0, 0)
    if isinstance(value, float):
        return (0, int(math.isnan(value)), 0.0 if math.isnan(value) else value + 0.0)
    return (0, 0, value)


Differences = dict[str, list[tuple[Row | None, Row | None]]]


def by_hand(old: Sequence[Row], new: Sequence[Row], keys: int) -> tuple[Differences, int]:
    """Of rows whose first columns are keys, with values as `comparable` gives them."""
    found: Differences = {"added": [], "removed": [], "changed": []}
    sides: list[dict[Row, list[Row]]] = [defaultdict(list), defaultdict(list)]
    for side, rows in zip(sides, (old, new), strict=True):
        for row in rows:
            side[row[:keys]].append(row)
    before, after = sides
    repeated = 0
    for key in before.keys() | after:
        gone, come = before.get(key, []), after.get(key, [])
        once = keys and len(gone) < 2 and len(come) < 2
        repeated += bool(keys) and not once
        if once and gone and come:
            if gone != come:
                found["changed"].append((gone[0], come[0]))
            continue
        found["removed"] += [(row, None) for row in (Counter(gone) - Counter(come)).elements()]
        found["added"] += [(None, row) for row in (Counter(come) - Counter(gone)).elements()]
    for rows_ in found.values():
        rows_.sort(key=lambda pair: pair[1] or pair[0] or ())
    return found, repeated


def check(
    engine: DuckDBEngine,
    old: tuple[list[str], list[Row]],
    new: tuple[list[str], list[Row]],
    keys: Sequence[str],
    most: int,
) -> None:
    found = compared(engine, select(*old), select(*new), *keys, rows=most)
    lower = [[name.lower() for name in names] for names, _ in (old, new)]
    common = [name for name in lower[1] if name in lower[0]]
    ordered = [*keys, *(name for name in common if name not in keys)]
    assert [name.lower() for name in (*found.keys, *found.columns)] == ordered
    assert (found.rows_before, found.rows_after) == (len(old[1]), len(new[1]))
    assert set(found.added_columns) == {n for n in new[0] if n.lower() not in common}
    assert set(found.removed_columns) == {n for n in old[0] if n.lower() not in common}
    if not common:
        assert numbers(found) == (len(new[1]), len(old[1]), 0)
        return
    sides = [
        [tuple(comparable(row[names.index(name)]) for name in ordered) for row in rows]
        for names, (_, rows) in zip(lower, (old, new), strict=True)
    ]
    expected, repeated = by_hand(*sides, len(keys))
    assert found.repeated_keys == repeated
    assert numbers(found) == tuple(len(expected[k]) for k in ("added", "removed", "changed"))
    changed = Counter(
        place
        for before, after in expected["changed"]
        for place, (a, b) in enumerate(zip(before or (), after or (), strict=True))
        if a != b
    )
    by_column = {n.lower(): number for n, number in found.changed_by_column.items()}
    assert by_column == {ordered[place]: number for place, number in changed.items()}
    shown: Differences = {kind: [] for kind in expected}
    for kind, before, after in found.sample:
        shown[kind].append((shown_row(before), shown_row(after)))
    assert shown == {kind: rows[:most] for kind, rows in expected.items()}


def shown_row(values: Mapping[str, Any] | None) -> Row | None:
    return None if values is None else tuple(comparable(v) for v in values.values())


often = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@often
@given(old=tables(), new=tables(), most=st.integers(0, 3), data=st.data())
def test_any_two_tables_differ_as_the_model_says(
    engine: DuckDBEngine,
    old: tuple[list[str], list[Row]],
    new: tuple[list[str], list[Row]],
    most: int,
    data: st.DataObject,
) -> None:
    common = sorted({n.lower() for n in old[0]} & {n.lower() for n in new[0]})
    keys = data.draw(st.lists(st.sampled_from(common), unique=True)) if common else []
    check(engine, old, new, keys, most)


@often
@given(version=versions(), most=st.integers(0, 3), data=st.data())
def test_two_versions_of_a_table_differ_as_the_model_says(
    engine: DuckDBEngine,
    version: tuple[list[str], list[Row], list[Row]],
    most: int,
    data: st.DataObject,
) -> None:
    names, old, new = version
    keys = data.draw(st.lists(st.sampled_from([n.lower() for n in names]), unique=True))
    check(engine, (names, old), (names, new), keys, most)


@often
@given(table=tables(), data=st.data())
def test_a_snapshot_is_as_its_copy_is(
    engine: DuckDBEngine, table: tuple[list[str], list[Row]], data: st.DataObject
) -> None:
    keys = data.draw(st.lists(st.sampled_from(table[0]), unique=True))
    snapshot, copy = (built(engine, select(*table)) for _ in range(2))
    assert engine.compare(snapshot, snapshot, keys) == engine.compare(snapshot, copy, keys)


# --- Rows -----------------------------------------------------------------------------------


def test_rows_belong_together_by_key(engine: DuckDBEngine) -> None:
    found = compared(
        engine,
        "select * from (values (1, 'a', 10), (2, 'b', 20), (3, 'c', 30)) t(id, name, amount)",
        "select * from (values (4, 'd', 40), (2, 'b', 21), (3, 'c', 30)) t(ID, name, amount)",
        "Id",
    )
    assert numbers(found) == (1, 1, 1)
    assert (found.keys, found.columns) == (["ID"], ["name", "amount"])
    assert found.changed_by_column == {"amount": 1}
    assert found.sample == [
        ("added", None, {"ID": 4, "name": "d", "amount": 40}),
        (
            "changed",
            {"ID": 2, "name": "b", "amount": 20},
            {"ID": 2, "name": "b", "amount": 21},
        ),
        ("removed", {"ID": 1, "name": "a", "amount": 10}, None),
    ]


def test_a_sample_is_the_first_rows_by_key_with_every_copy(engine: DuckDBEngine) -> None:
    old = "select range as id, 0 as x from range(1000)"
    new = "select 999 - range as id, 1 as x from range(1000)"
    found = compared(engine, old, new, "id", rows=3)
    assert [row.after and row.after["id"] for row in found.sample] == [0, 1, 2]
    found = compared(engine, old, "select 5 as id, 0 as x from range(3)", rows=2)
    assert numbers(found) == (2, 999, 0)
    assert [row for row in found.sample if row.kind == "added"] == [
        ("added", None, {"id": 5, "x": 0})
    ] * 2
    assert compared(engine, old, new, "id", rows=0).sample == []


def test_a_key_is_one_however_often_it_is_named(engine: DuckDBEngine) -> None:
    sql = "select range as id from range(3)"
    assert compared(engine, sql, sql, "id", "ID").keys == ["id"]


def test_a_key_that_repeats_does_not_multiply_rows(engine: DuckDBEngine) -> None:
    old = "select range % 2 as k, range as x from range(100000)"
    new = f"{old} union all select 7, 7"
    found = compared(engine, old, new, "k")
    assert (*numbers(found), found.repeated_keys) == (1, 0, 0, 2)


def test_a_key_must_be_a_column_of_both(engine: DuckDBEngine) -> None:
    sides = ("select 1 as id, 2 as amount, 3 as old", "select 1 as id, 2 as amount, 3 as new")
    for key in ("old", "new"):
        with pytest.raises(RequestError, match=rf"'{key}' can't be a key.* id, amount are\."):
            compared(engine, *sides, key)
    with pytest.raises(RequestError, match="Did you mean 'amount'"):
        compared(engine, *sides, "amuont")


def test_tables_may_have_no_column_in_common(engine: DuckDBEngine) -> None:
    found = compared(engine, "select 1 as a from range(3)", "select 1 as b from range(2)")
    assert numbers(found) == (2, 3, 0)
    assert (found.added_columns, found.removed_columns) == ({"b": "INTEGER"}, {"a": "INTEGER"})


def test_letters_beyond_ascii_tell_names_apart_as_in_duckdb(engine: DuckDBEngine) -> None:
    sql = 'select 1 as "É", 2 as "é"'
    assert compared(engine, sql, sql).columns == ["É", "é"]
    assert compared(engine, 'select 1 as "É"', 'select 1 as "é"').columns == []


def test_names_may_be_what_sql_is_made_of(engine: DuckDBEngine) -> None:
    columns = '1 as "select", 2 as "a""b", 3 as here, 4 as c0, 5 as times, 6 as "%s", 7 as d1'
    found = compared(
        engine,
        f"select {columns}, 8 as kind",
        f"select {columns}, 9 as kind",
        'a"b',
        "select",
    )
    assert found.changed_by_column == {"kind": 1}


# --- Types ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ("1::INTEGER", "1::BIGINT", False),
        ("1::INTEGER", "1.5::DOUBLE", True),
        ("1::INTEGER", "'1'", False),
        ("1::INTEGER", "'01'", True),
        ("1::INTEGER", "'one'", True),
        ("true", "1::INTEGER", False),
        ("0.1::FLOAT", "0.1::DOUBLE", True),
        ("1.50::DECIMAL(4, 2)", "1.5::DECIMAL(3, 1)", False),
        ("1.23::DECIMAL(38, 2)", "1.2345::DECIMAL(38, 4)", True),
        ("1.23::DECIMAL(38, 2)", "1.23::DECIMAL(38, 4)", False),
        ("9007199254740993::BIGINT", "9007199254740992::DOUBLE", True),
        ("9007199254740992::BIGINT", "9007199254740992::DOUBLE", False),
        ("16777217::INTEGER", "16777216::FLOAT", True),
        ("date '2024-01-01'", "timestamp '2024-01-01'", False),
        ("date '2024-01-01'", "'2024-01-01'", False),
        ("timestamp '2024-01-01'", "timestamptz '2023-12-31 23:00:00+00'", False),
        ("date '2024-01-01'", "5", True),
        ("[1, 2]", "[1, 2]::BIGINT[]", False),
        ("[1, 2]", "['1', '2']", False),
        ("[1, 2]", "['1', 'x']", True),
        ("[1, 2]", "'[1, 2]'", False),
        ("{'a': 1}", "{'a': 1, 'b': NULL::INTEGER}", False),
        ("{'a': 1}", "{'a': 1, 'b': 2}", True),
        ("{'a': 1}", "7", True),
        ("map {'a': 1}", "map {'a': 1::BIGINT}", False),
        ("NULL::INTEGER", "NULL::VARCHAR", False),
    ],
)
def test_columns_of_two_types_are_compared_by_value_or_else_as_text(
    engine: DuckDBEngine, old: str, new: str, differs: bool
) -> None:
    sides = (f"select 1 as k, {old} as x", f"select 1 as k, {new} as x")
    found = compared(engine, *sides, "k")
    assert numbers(found) == (0, 0, int(differs))
    assert list(found.retyped) == ["x"]
    assert numbers(compared(engine, *sides)) == (int(differs), int(differs), 0)


def test_keys_may_be_of_two_types(engine: DuckDBEngine) -> None:
    found = compared(
        engine, "select range::int as k from range(3)", "select range::text as k from range(4)", "k"
    )
    assert numbers(found) == (1, 0, 0)
    assert found.retyped == {"k": ("INTEGER", "VARCHAR")}


def test_nested_values_are_compared_and_shown(engine: DuckDBEngine) -> None:
    old = (
        "select 1 as k, {'a': [1, NULL], 'at': timestamp '2024-01-01 12:00:00', 'd': 1.50} as x, "
        "map {'a': 1} as m, date '2024-01-01' as day"
    )
    new = old.replace("NULL", "2").replace("date '2024-01-01'", "NULL::DATE")
    found = compared(engine, old, new, "k")
    assert found.changed_by_column == {"x": 1, "day": 1}
    (row,) = found.sample
    value = {"a": [1, None], "at": datetime(2024, 1, 1, 12), "d": Decimal("1.50")}
    assert row.before == {"k": 1, "x": value, "m": {"a": 1}, "day": date(2024, 1, 1)}
    assert row.after == {"k": 1, "x": {**value, "a": [1, 2]}, "m": {"a": 1}, "day": None}


# --- Parts ----------------------------------------------------------------------------------

DAY = timedelta(days=1)
FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def of_parts(engine: DuckDBEngine, *days: str) -> Snapshot:
    """One day after the other, each of what its SELECT adds to the day."""
    snapshot = Snapshot("transform.t", f"{next(IDS):x}-parts")
    parts = []
    for number, more in enumerate(days):
        interval = Interval(FIRST + number * DAY, FIRST + (number + 1) * DAY)
        sql = f"select {{{{ start }}}}::timestamp as day, {more}"
        timing = Incremental("@daily", "day")
        node = Node(snapshot.node_id, config={"sql": sql}, incremental=timing)
        job = Job(node, snapshot, {}, None, lambda: None, interval)
        parts.append(Part(*interval, engine.build(job).part))
    return snapshot._replace(parts=tuple(parts))


def test_snapshots_of_parts_are_compared_as_tables(engine: DuckDBEngine) -> None:
    old = of_parts(engine, "1 as x", "2 as x", "3 as x")
    new = of_parts(engine, "1 as x", "5 as x, 6 as y")
    found = engine.compare(old, new, ["day"])
    assert numbers(found) == (0, 1, 1)
    assert (found.rows_before, found.rows_after) == (3, 2)
    assert found.added_columns == {"y": "INTEGER"}
    assert numbers(engine.compare(old, old._replace(parts=old.parts[1:]))) == (0, 1, 0)


def test_a_snapshot_without_data_is_said_to_hold_none(engine: DuckDBEngine) -> None:
    some, none = of_parts(engine, "1 as x"), of_parts(engine)
    for sides in ((some, none), (none, some)):
        with pytest.raises(BuildError, match="holds no data"):
            engine.compare(*sides)


def test_a_snapshot_that_is_gone_is_an_error(engine: DuckDBEngine, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"Two versions of transform\.t can't be compared"):
        engine.compare(built(engine, "select 1 as a"), Snapshot("transform.t", "abcdef"))
