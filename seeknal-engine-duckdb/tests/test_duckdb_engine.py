"""What DuckDB makes of nodes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeknal.dag.manifest import Column, Node
from seeknal.errors import BuildError, RequestError
from seeknal.workflow.engine import Built, Job, Snapshot, Workspace
from seeknal_engine_duckdb.bind import bind
from seeknal_engine_duckdb.engine import DuckDBEngine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(Workspace(tmp_path, str(tmp_path / "target")))
    yield engine
    engine.close()


def no_objection() -> None:
    pass


def build(
    engine: DuckDBEngine,
    node: Node,
    function: Callable[..., Any] | None = None,
    verify: Callable[[], None] = no_objection,
) -> Built:
    inputs = {i: Snapshot(i, "1") for i in node.inputs}
    return engine.build(Job(node, Snapshot(node.id, "1"), inputs, function, verify))


def transform(sql: str, *inputs: str, name: str = "t") -> Node:
    return Node(f"transform.{name}", inputs=inputs, config={"sql": sql})


def source(table: str, form: str = "csv", **more: Any) -> Node:
    columns = {name: Column(dtype=dtype) for name, dtype in more.pop("dtypes", {}).items()}
    config = {"source": form, "table": table, "params": more}
    return Node("source.s", config=config, columns=columns)


def rows(engine: DuckDBEngine, sql: str, *ids: str) -> list[tuple[Any, ...]]:
    return list(engine.query(sql, {i: Snapshot(i, "1") for i in ids}).rows)


def types(engine: DuckDBEngine, node_id: str) -> list[str]:
    return list(engine.query(f"from {node_id}", {node_id: Snapshot(node_id, "1")}).types)


@pytest.fixture
def orders(engine: DuckDBEngine) -> str:
    build(engine, transform("select range as id, range * 10 as amount from range(3)", name="o"))
    return "transform.o"


# --- SQL ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "select sum(o.amount)::int from ref('transform.o')",
        "select sum(x.amount)::int from ref('transform.o') x",
        "select sum(x.amount)::int from ref('transform.o') AS x",
        "select sum(x.amount)::int from ref('transform.o') /* a */ -- b\n x",
        'select sum("x".amount)::int from ref("transform.o") "x"',
        "select sum(o.amount)::int from ref('transform.o') where o.id >= 0",
        "select sum(a.amount)::int from ref('transform.o') a, ref('transform.o') b where b.id = 0",
        "select sum(o.amount)::int from ref('transform.o') semi join input_0 b using (id)",
        "select sum(o.amount)::int from ref('transform.o') positional join ref('transform.o') b",
        "select sum(o.amount)::int from ref('transform.o') tablesample 100%",
        "select sum(amount)::int from (from ref('transform.o'))",
        "with o as (select * from ref('transform.o')) select sum(amount)::int from o",
        "select sum(input_0.amount)::int from input_0",
        "select sum(x.amount)::int from transform.o x",
        'select sum(o.amount)::int from "transform"."o"',
        "select sum(amount)::int from Transform.O",
        "select sum(amount)::int from ref('transform.o');",
        "select sum(amount)::int from ref('transform.o'); -- the end; really",
        "select sum(amount)::int /* ref('x.y') ; */ from ref('transform.o') -- ref('x.y')",
        "select right('ref(''x.y''); --' || sum(amount)::int, 2)::int from ref('transform.o')",
    ],
)
def test_inputs_can_be_named_in_every_way(engine: DuckDBEngine, orders: str, sql: str) -> None:
    build(engine, transform(sql, orders))
    assert rows(engine, "from t", "transform.t") == [(30,)]


def test_no_keyword_behind_a_ref_is_taken_for_an_alias(engine: DuckDBEngine) -> None:
    keywords = duckdb.execute(
        "select keyword_name from duckdb_keywords() "
        "where keyword_category in ('reserved', 'type_function')"
    ).fetchall()
    for (word,) in keywords:
        sql, _ = bind(
            f"from ref('a.b') {word}",
            ["a.b"],
            {"a.b": "T"},
            engine._database._keywords.__contains__,
        )
        expected = "T" if word == "as" else 'T AS "b"'
        assert sql == f"from {expected} {word}"


QUOTED = st.one_of(
    st.text(st.characters(exclude_characters="'", exclude_categories=["Cs"])).map(
        lambda t: f"'{t}'"
    ),
    st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"])).map(
        lambda t: f'"{t}"'
    ),
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])).map(
        lambda t: f"--{t}\n"
    ),
    st.text(st.characters(exclude_characters="*/", exclude_categories=["Cs"])).map(
        lambda t: f"/*{t}*/"
    ),
    st.text(st.characters(exclude_characters="$", exclude_categories=["Cs"])).map(
        lambda t: f"$x${t}$x$"
    ),
)


@given(quoted=st.lists(QUOTED, max_size=4), inside=st.sampled_from(["ref('a.b')", "input_0", ""]))
def test_what_stands_in_quotes_and_comments_is_left_alone(quoted: list[str], inside: str) -> None:
    pieces = [q[:2] + inside.replace("'", "") + q[2:] if q[0] != "$" else q for q in quoted]
    sql = " , ".join([*pieces, "ref('a.b') x"])
    expected = " , ".join([*pieces, "T x"])
    assert bind(sql, ["a.b"], {"a.b": "T"}, lambda word: False)[0] == expected


def test_a_column_may_be_called_as_a_position_is(engine: DuckDBEngine, orders: str) -> None:
    build(engine, transform("select o.id as input_7 from ref('transform.o') o", orders))
    assert rows(engine, "select input_7 from t limit 1", "transform.t") == [(0,)]


def test_an_error_names_the_line_of_the_sql(engine: DuckDBEngine, orders: str) -> None:
    sql = "select\n  id,\n  nope\nfrom ref('transform.o')"
    with pytest.raises(BuildError, match='"nope" not found') as error:
        build(engine, transform(sql, orders))
    assert error.value.line == 3
    with pytest.raises(BuildError) as error:
        build(engine, transform(sql.replace("id", "sum(id)"), orders))
    assert error.value.line == 3


@pytest.mark.parametrize(
    ("sql", "message", "line"),
    [
        ("select a,\n b frm x", "syntax error", 2),
        ("create table x as select 1", "a node is one SELECT statement", None),
        ("select 1; select 2", "a node is one SELECT statement", None),
        ("insert into x values (1)", "a node is one SELECT statement", None),
    ],
)
def test_sql_is_checked_without_data(
    engine: DuckDBEngine, sql: str, message: str, line: int | None
) -> None:
    (flaw,) = engine.check(transform(sql))
    assert message in flaw.message
    assert flaw.line == line


@pytest.mark.parametrize(
    "sql",
    ["select 1", "from ref('a.b')", "with a as (select 1) from a", "values (1)", "select 1;",
     "pivot ref('a.b') on x using sum(y)", "(select 1) union all (select 2)"],
)  # fmt: skip
def test_sql_that_is_right_is_left_alone(engine: DuckDBEngine, sql: str) -> None:
    assert list(engine.check(transform(sql))) == []


def test_integers_of_128_bits_stay_exact(engine: DuckDBEngine) -> None:
    sql = (
        'select sum(x) as s, 12345678901234567890123 as big, sum(x) as "a""b" '
        "from (select 9007199254740993 as x) order by 1"
    )
    build(engine, transform(sql))
    assert [int(v) for v in rows(engine, "from t", "transform.t")[0]] == [
        9007199254740993, 12345678901234567890123, 9007199254740993,
    ]  # fmt: skip


def test_a_pivot_whose_columns_depend_on_the_data(engine: DuckDBEngine, orders: str) -> None:
    node = transform("pivot ref('transform.o') on id using sum(amount)::int", orders)
    assert list(engine.check(node)) == []
    assert build(engine, node).rows == 1
    assert rows(engine, 'select "0", "1", "2" from t', "transform.t") == [(0, 10, 20)]


def test_the_order_of_rows_is_kept(engine: DuckDBEngine) -> None:
    build(
        engine,
        transform("select range as x, sum(range) as s from range(5000) group by 1 order by 1 desc"),
    )
    found = [x for x, _ in rows(engine, "from t", "transform.t")]
    assert found == sorted(found, reverse=True)


# --- Sources --------------------------------------------------------------------------------


def test_csv_with_params_and_types(engine: DuckDBEngine, tmp_path: Path) -> None:
    (tmp_path / "o'rders é.csv").write_text("zip;n;day\n01234;1;2024-01-01\nNA;NA;NA\n")
    node = source(
        "o'rders é.csv", delimiter=";", null_values="NA", dtypes={"zip": "string", "n": "integer"}
    )
    assert build(engine, node).rows == 2
    assert types(engine, "source.s") == ["VARCHAR", "BIGINT", "DATE"]
    assert rows(engine, "select zip, n from s", "source.s") == [("01234", 1), (None, None)]


def test_csv_without_a_header(engine: DuckDBEngine, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    assert build(engine, source("a.csv", header=False)).rows == 2


def test_a_glob_reads_all_files_and_unites_their_columns(
    engine: DuckDBEngine, tmp_path: Path
) -> None:
    (tmp_path / "a-1.csv").write_text("x,y\n1,2\n")
    (tmp_path / "a-2.csv").write_text("y,x\n20,10\n")
    build(engine, source("a-*.csv"))
    assert sorted(rows(engine, "select x, y from s", "source.s")) == [(1, 2), (10, 20)]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("jsonl", '{"a": 1}\n{"a": 2}\n'),
        ("json", '[{"a": 1}, {"a": 2}]'),
        ("json", '{"a": 1}\n{"a": 2}\n'),
    ],
)
def test_json(engine: DuckDBEngine, tmp_path: Path, form: str, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    build(engine, source("a.json", form, dtypes={"a": "string"}))
    assert rows(engine, "from s", "source.s") == [("1",), ("2",)]


def test_parquet(engine: DuckDBEngine, tmp_path: Path) -> None:
    duckdb.execute(f"copy (select 1 as a) to '{tmp_path}/a.parquet'")
    build(engine, source("a.parquet", "parquet", dtypes={"a": "float"}))
    assert types(engine, "source.s") == ["DOUBLE"]


def test_formats_and_params_that_there_are_not_are_named(engine: DuckDBEngine) -> None:
    (flaw,) = engine.check(source("a", "exel"))
    assert "there is no source format 'exel': csv, json, jsonl, parquet" in flaw.message
    assert flaw.key == ("source",)
    (flaw,) = engine.check(source("a", delimeter=";"))
    assert flaw.message == "a csv source has no param 'delimeter'. Did you mean 'delimiter'?"
    assert flaw.key == ("params", "delimeter")


def test_a_dtype_that_there_is_not_is_named(engine: DuckDBEngine) -> None:
    (flaw,) = engine.check(source("a.csv", dtypes={"n": "smalint", "m": "DECIMAL(10, 2)"}))
    assert "the dtype of 'n'" in flaw.message
    assert flaw.key == ("columns", "n", "dtype")


def test_a_value_that_does_not_fit_is_said_without_all_the_readers_settings(
    engine: DuckDBEngine, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("n\n1\nNA\n")
    with pytest.raises(BuildError, match='Could not convert string "NA"') as error:
        build(engine, source("a.csv", dtypes={"n": "integer"}))
    assert "null_values" in str(error.value)
    assert len(str(error.value).splitlines()) < 10


def test_a_file_that_is_no_csv_is_one_error(engine: DuckDBEngine, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"not parquet")
    with pytest.raises(BuildError, match=r"magic|too small|Parquet"):
        build(engine, source("a.parquet", "parquet"))


# --- Python ---------------------------------------------------------------------------------


def python_node(*inputs: str, **params: object) -> Node:
    config = {"function": "compute", "code": "x", "params": params}
    return Node("transform.t", inputs=inputs, config=config)


def relation(ctx: Any) -> Any:
    return ctx.ref("transform.o").filter("id > 0")


def from_sql(ctx: Any) -> Any:
    rel = ctx.ref("transform.o")  # noqa: F841  DuckDB finds it by its name
    return ctx.duckdb.sql("select * from rel where id > 0")


def by_table_name(ctx: Any) -> Any:
    return ctx.duckdb.sql("select * from transform.o where id > 0")


def pandas_frame(ctx: Any) -> Any:
    frame = ctx.ref("transform.o").df()
    return frame[frame["id"] > 0]


def polars_frame(ctx: Any) -> Any:
    return ctx.ref("transform.o").pl().filter(id=[1, 2][0]).vstack(ctx.ref("transform.o").pl()[2:])


def arrow_table(ctx: Any) -> Any:
    return ctx.ref("transform.o").filter("id > 0").to_arrow_table()


@pytest.mark.parametrize(
    "function",
    [relation, from_sql, by_table_name, pandas_frame, polars_frame, arrow_table],
)
def test_a_python_node_may_return_any_kind_of_table(
    engine: DuckDBEngine, orders: str, function: Callable[..., Any]
) -> None:
    assert build(engine, python_node(orders), function).rows == 2
    assert sorted(rows(engine, "from t", "transform.t")) == [(1, 10), (2, 20)]


@pytest.mark.parametrize(
    ("value", "message"),
    [(None, "returned None: return the table"), (5, "returned int: return an Arrow table"),
     ([{"a": 1}], "returned list")],
)  # fmt: skip
def test_what_is_no_table_is_refused(engine: DuckDBEngine, value: object, message: str) -> None:
    with pytest.raises(BuildError, match=message):
        build(engine, python_node(), lambda ctx: value)


def test_a_python_node_sees_params_and_only_its_inputs(engine: DuckDBEngine, orders: str) -> None:
    def compute(ctx: Any) -> Any:
        assert ctx.params == {"a": 1}
        return ctx.ref("transform.p")

    with pytest.raises(BuildError, match=r"no input of transform\.t\. Did you mean 'transform\.o'"):
        build(engine, python_node(orders, a=1), compute)


# --- Storage --------------------------------------------------------------------------------


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def fails() -> None:
    raise BuildError("no")


@pytest.mark.parametrize("place", ["local", "url"])
def test_a_snapshot_appears_whole_or_not_at_all(tmp_path: Path, place: str) -> None:
    storage = tmp_path / "lake"
    engine = DuckDBEngine(
        Workspace(tmp_path, str(storage) if place == "local" else f"local://{storage}")
    )
    node, snapshot = transform("select 1 as a"), Snapshot("transform.t", "1")
    for wrong in (transform("select nope"), transform("select error('x') from range(9)")):
        with pytest.raises(BuildError):
            build(engine, wrong)
    with pytest.raises(BuildError, match="no"):
        build(engine, node, verify=fails)
    assert files(storage) == []
    assert engine.existing([snapshot]) == set()
    built = build(engine, node)
    engine.flush()
    assert files(storage) == ["snapshots/transform.t/1/data.parquet"]
    assert built.bytes == (storage / "snapshots/transform.t/1/data.parquet").stat().st_size
    other = Snapshot("transform.t", "2")
    assert engine.existing([snapshot, other]) == {snapshot}
    assert rows(engine, "from t", "transform.t") == [(1,)]
    build(engine, transform("select 2 as a"))
    assert rows(engine, "from t", "transform.t") == [(2,)]
    engine.close()


def test_memory_is_a_storage_too(tmp_path: Path) -> None:
    engine = DuckDBEngine(Workspace(tmp_path, "memory://lake"))
    build(engine, transform("select 1 as a"))
    assert rows(engine, "from t", "transform.t") == [(1,)]
    engine.close()


@pytest.mark.parametrize("keep", [0, 3, -1])
def test_a_file_that_lost_its_end_is_not_taken_for_whole(
    engine: DuckDBEngine, tmp_path: Path, keep: int
) -> None:
    build(engine, transform("select 1 as a"))
    path = tmp_path / "target/snapshots/transform.t/1/data.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    assert engine.existing([Snapshot("transform.t", "1")]) == set()


def test_interrupt_stops_what_runs_and_leaves_nothing(engine: DuckDBEngine, tmp_path: Path) -> None:
    threading.Timer(0.3, engine.interrupt).start()
    started = time.monotonic()
    with pytest.raises(BuildError):
        build(engine, transform("select sum(hash(range)) from range(1000000000000)"))
    assert time.monotonic() - started < 20
    assert files(tmp_path / "target") == []
    with pytest.raises(BuildError, match="interrupted"):
        build(engine, transform("select 1"))


def test_builds_run_at_once_in_several_threads(engine: DuckDBEngine) -> None:
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                build(engine, transform(f"select {turn} as a", name=f"n{number}"))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert rows(engine, "from n3", "transform.n3") == [(19,)]


# --- Queries --------------------------------------------------------------------------------


def test_names_without_a_kind_do_where_only_one_node_has_them(engine: DuckDBEngine) -> None:
    build(engine, transform("select 1 as a"))
    build(engine, Node("source.t", config={"sql": "select 2 as a"}))
    both = ("transform.t", "source.t")
    assert rows(engine, "select a from transform.t union all select a from source.t", *both) == [
        (1,), (2,),
    ]  # fmt: skip
    with pytest.raises(RequestError, match=r"Write transform\.t or source\.t"):
        rows(engine, "from t", *both)
    assert rows(engine, "with t as (select 3 as a) from t", "transform.t") == [(3,)]


def test_quoted_names_and_names_with_dashes(engine: DuckDBEngine) -> None:
    build(engine, transform("select 1 as a", name="daily-revenue"))
    node_id = "transform.daily-revenue"
    for sql in ('from "daily-revenue"', 'from transform."daily-revenue"'):
        assert rows(engine, sql, node_id) == [(1,)]


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_answers_are_exported_whole(engine: DuckDBEngine, tmp_path: Path, form: str) -> None:
    build(engine, transform("select range as a, 'x;\"y' as b from range(3000)"))
    path = tmp_path / f"answer.{form}"
    engine.export("from t; -- all", {"transform.t": Snapshot("transform.t", "1")}, path, form)
    (answer,) = duckdb.execute(f"select sum(a)::int, min(b) from '{path}'").fetchall()
    assert answer == (sum(range(3000)), 'x;"y')


def test_times_with_a_zone_can_be_fetched(engine: DuckDBEngine) -> None:
    (answer,) = engine.query("select '2024-01-01T12:00:00Z'::timestamptz", {}).rows
    assert str(answer[0]) == "2024-01-01 12:00:00+00:00"


def test_times_are_shown_in_the_zone_of_the_project(tmp_path: Path) -> None:
    engine = DuckDBEngine(Workspace(tmp_path, str(tmp_path), "America/New_York"))
    (answer,) = engine.query("select '2024-01-01T12:00:00Z'::timestamptz::text", {}).rows
    assert answer == ("2024-01-01 07:00:00-05",)
    engine.close()
