"""The conformance suite for engines."""

from __future__ import annotations

import csv
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from seeknal.dag.manifest import Incremental, Node
from seeknal.errors import BuildError, RequestError
from seeknal.state.intervals import Interval, Part
from seeknal.testing.processes import killed
from seeknal.testing.suite import Suite
from seeknal.workflow.engine import Built, Engine, Job, Snapshot, Stored, Workspace

OpenEngine = Callable[[Workspace], Engine]

JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
ORDERS = (
    "SELECT 1 AS id, 10 AS amount, 'a' AS name UNION ALL "
    "SELECT 2 AS id, 20 AS amount, 'b' AS name UNION ALL "
    "SELECT 3 AS id, NULL AS amount, 'é ''x''' AS name"
)
TEN = " UNION ALL ".join(f"SELECT {n} AS n" for n in range(10))
THOUSAND = (
    "SELECT a.n + 10 * b.n + 100 * c.n AS n "
    "FROM ref('transform.ten') AS a, ref('transform.ten') AS b, ref('transform.ten') AS c"
)
SLOW = (
    "SELECT count(*) AS n FROM ref('transform.thousand') AS a, ref('transform.thousand') AS b, "
    "ref('transform.thousand') AS c, ref('transform.thousand') AS d "
    "WHERE (7 * a.n + 13 * b.n + 17 * c.n + 19 * d.n) % 5 = 3"
)
"""Of which no machine sees the end."""


def day(first: int, last: int | None = None) -> Interval:
    """Days of January 2024, from the first until the end of the last."""
    return Interval(JANUARY + timedelta(days=first - 1), JANUARY + timedelta(days=last or first))


def sql_node(name: str, sql: str, *inputs: str, **more: Any) -> Node:
    return Node(f"transform.{name}", inputs=inputs, config={"sql": sql}, **more)


def python_node(name: str, *inputs: str, **params: Any) -> Node:
    config = {"function": name, "code": "", "params": params}
    return Node(f"transform.{name}", inputs=inputs, config=config)


def shown(node: Node | str, snapshot: str = "1", *parts: Part) -> Snapshot:
    return Snapshot(node if isinstance(node, str) else node.id, snapshot, parts)


def no_objection() -> None:
    pass


def build(
    engine: Engine,
    node: Node,
    snapshot: str = "1",
    *,
    inputs: Sequence[Snapshot] | None = None,
    function: Callable[..., Any] | None = None,
    verify: Callable[[], None] = no_objection,
    **more: Any,
) -> Built:
    """inputs: the snapshots "1" of those that the node has, where nothing else is said."""
    given = [shown(i) for i in node.inputs] if inputs is None else inputs
    by_id = {s.node_id: s for s in given}
    return engine.build(Job(node, shown(node, snapshot), by_id, function, verify, **more))


def rows(engine: Engine, sql: str, *snapshots: Snapshot) -> list[tuple[Any, ...]]:
    return list(engine.query(sql, {s.node_id: s for s in snapshots}).rows)


def found(engine: Engine) -> list[tuple[str, str, str]]:
    """What lies on storage, without places where nothing is."""
    return sorted(one[:3] for one in engine.stored() if one.bytes)


class EngineSuite(Suite):
    """Inherit it, and give the fixture `open_engine`: a function that opens an engine in a
    workspace, and can be called several times, in several processes. The class of the engine is
    one, when it needs no options.

    The numbers in the tests are those of the promises in docs/behaviour/engines.md.
    """

    capabilities: ClassVar[dict[str, str]] = {
        "python": "It computes nodes that are written in Python.",
        "sources": "It reads sources from CSV files of the project.",
        "forks": "A process that was forked may open an engine.",
    }
    python: ClassVar[bool] = True
    sources: ClassVar[bool] = True
    forks: ClassVar[bool] = True

    timestamp: ClassVar[str] = "CAST({} AS TIMESTAMP)"
    """How a text, in the place of {}, becomes a time in the engine's SQL."""

    formats: ClassVar[Sequence[str]] = ("csv", "json", "parquet")
    """In which answers are exported."""

    kills: ClassVar[int] = 15
    """How often a child is killed while it builds."""

    patience: ClassVar[float] = 20.0
    """Seconds in which what should end has ended, on a busy machine too."""

    @pytest.fixture
    def open_engine(self) -> OpenEngine:
        raise NotImplementedError("Give the fixture `open_engine`: see EngineSuite.")

    @pytest.fixture
    def workspace(self, tmp_path: Path) -> Workspace:
        return Workspace(tmp_path, str(tmp_path / "target"))

    @pytest.fixture
    def engine(self, open_engine: OpenEngine, workspace: Workspace) -> Iterator[Engine]:
        opened = open_engine(workspace)
        assert not list(opened.stored()), "the fixture open_engine gave a storage that isn't empty"
        yield opened
        opened.close()

    @pytest.fixture
    def orders(self, engine: Engine) -> str:
        """The id of a node with three rows."""
        build(engine, sql_node("orders", ORDERS))
        return "transform.orders"

    def daily(self, sql: str = "", *inputs: str, timezone: str = "UTC") -> Node:
        """An incremental node: of what it reads, the rows of the interval."""
        start, end = (self.timestamp.format(text) for text in ("'{{ start }}'", "'{{ end }}'"))
        within = f"WHERE seen >= {start} AND seen < {end}"
        sql = sql or f"SELECT seen, x FROM ref('transform.events') {within}"
        timing = Incremental("@daily", "seen", timezone=timezone)
        return sql_node("daily", sql, *(inputs or ("transform.events",)), incremental=timing)

    def events(self, engine: Engine, *events: tuple[str, int], snapshot: str = "1") -> Snapshot:
        """Build what `daily` reads: times and numbers."""
        times = [self.timestamp.format(f"'{at}'") for at, _ in events]
        each = (f"SELECT {at} AS seen, {x} AS x" for at, (_, x) in zip(times, events, strict=True))
        node = sql_node("events", " UNION ALL ".join(each))
        build(engine, node, snapshot)
        return shown(node, snapshot)

    def part(self, engine: Engine, interval: Interval, events: Snapshot) -> Part:
        """Build a part of `daily`."""
        built = build(engine, self.daily(), "2-parts", inputs=[events], interval=interval)
        assert built.part
        return Part(*interval, built.part)

    # --- Checking ---------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 1 AS a", "SELECT a FROM ref('transform.t') AS t WHERE a > 1",
            "WITH c AS (SELECT a FROM input_0) SELECT a FROM c", "SELECT a FROM source.t;",
            "SELECT a FROM ref('source.t') WHERE a > '{{ start }}' -- since",
        ],
    )  # fmt: skip
    def test_sql_that_is_right_is_left_alone(self, engine: Engine, sql: str) -> None:
        """E1"""
        assert list(engine.check(sql_node("t", sql))) == []

    @pytest.mark.parametrize(
        "sql",
        [
            "SELEC 1", "SELECT FROM WHERE", "SELECT 1 AS a; SELECT 2 AS a", 
            "CREATE TABLE t (a INT)", "DROP TABLE t", "INSERT INTO t VALUES (1)",
        ],
    )  # fmt: skip
    def test_sql_that_is_no_select_has_a_flaw(self, engine: Engine, sql: str) -> None:
        """E1"""
        flaws = engine.check(sql_node("t", sql))
        assert flaws
        assert all(flaw.message for flaw in flaws)

    def test_a_source_of_a_format_that_there_is_not_has_a_flaw(self, engine: Engine) -> None:
        """E1"""
        config = {"source": "no-such-format", "table": "t", "params": {}}
        (flaw,) = engine.check(Node("source.s", config=config))
        assert "no-such-format" in flaw.message

    # --- Building ---------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "table", ["ref('transform.orders')", "ref('transform.orders') AS o", "input_0",
                  "transform.orders", "transform.orders AS o"],
    )  # fmt: skip
    def test_sql_reads_its_inputs_however_it_names_them(
        self, engine: Engine, orders: str, table: str
    ) -> None:
        """E2"""
        node = sql_node("t", f"SELECT id, amount FROM {table} WHERE id < 3", orders)
        build(engine, node)
        assert sorted(rows(engine, "SELECT id, amount FROM t", shown(node))) == [(1, 10), (2, 20)]

    def test_each_job_reads_the_snapshots_that_it_is_given(self, engine: Engine) -> None:
        """E2"""
        build(engine, sql_node("a", "SELECT 1 AS x"), "old")
        build(engine, sql_node("a", "SELECT 2 AS x"), "new")
        node = sql_node("t", "SELECT x FROM ref('transform.a')", "transform.a")
        for snapshot, expected in (("old", 1), ("new", 2), ("old", 1)):
            build(engine, node, inputs=[shown("transform.a", snapshot)])
            assert rows(engine, "SELECT x FROM t", shown(node)) == [(expected,)]

    def test_values_come_back_as_they_were(self, engine: Engine, orders: str) -> None:
        """E2"""
        assert sorted(rows(engine, "SELECT id, amount, name FROM orders", shown(orders))) == [
            (1, 10, "a"), (2, 20, "b"), (3, None, "é 'x'"),
        ]  # fmt: skip

    def test_it_is_told_how_much_was_built(self, engine: Engine, orders: str) -> None:
        """E3"""
        built = build(engine, sql_node("t", "SELECT id FROM input_0 WHERE id > 1", orders))
        assert (built.rows, built.part) == (2, "")
        assert built.bytes > 0
        none = build(engine, sql_node("none", "SELECT id FROM input_0 WHERE id > 9", orders))
        assert none.rows == 0
        assert rows(engine, "SELECT id FROM none", shown("transform.none")) == []

    @pytest.mark.parametrize(
        "sql", ["SELECT nope FROM ref('transform.orders')", "SELEC 1", "SELECT id FROM nowhere"]
    )
    def test_what_can_not_be_computed_leaves_nothing(
        self, engine: Engine, orders: str, sql: str
    ) -> None:
        """E4"""
        before = found(engine)
        with pytest.raises(BuildError):
            build(engine, sql_node("t", sql, orders))
        assert engine.existing([shown("transform.t")]) == set()
        assert found(engine) == before

    def test_a_snapshot_appears_when_it_was_verified(self, engine: Engine, orders: str) -> None:
        """E5"""
        node = sql_node("t", "SELECT id FROM input_0", orders)
        seen = []

        def refuse() -> None:
            seen.append(engine.existing([shown(node)]))
            raise LookupError("its files changed")

        with pytest.raises(LookupError, match="its files changed"):
            build(engine, node, verify=refuse)
        assert seen == [set()]
        assert found(engine) == [(orders, "1", "")]
        build(engine, node, verify=lambda: seen.append(engine.existing([shown(node)])))
        assert seen == [set(), set()]
        assert engine.existing([shown(node)]) == {shown(node)}

    def test_a_snapshot_that_is_there_is_replaced(self, engine: Engine) -> None:
        """E6"""
        node = shown("transform.t")
        build(engine, sql_node("t", "SELECT 1 AS a"), "0e")
        for sql, expected in (("SELECT 1 AS a", 1), ("SELECT 1 AS a", 1), ("SELECT 2 AS a", 2)):
            build(engine, sql_node("t", sql))
            assert rows(engine, "SELECT a FROM t", node) == [(expected,)]
        for broken in ("SELECT nope", "SELEC"):
            with pytest.raises(BuildError):
                build(engine, sql_node("t", broken))
        assert rows(engine, "SELECT a FROM t", node) == [(2,)]
        assert rows(engine, "SELECT a FROM t", shown("transform.t", "0e")) == [(1,)]
        assert found(engine) == [("transform.t", "0e", ""), ("transform.t", "1", "")]

    def test_only_what_is_complete_exists(self, engine: Engine, orders: str) -> None:
        """E7"""
        asked = [shown(orders), shown(orders, "2"), shown("transform.never")]
        assert engine.existing(iter(asked)) == {shown(orders)}
        assert engine.existing([]) == set()

    def test_what_was_built_is_there_for_who_opens_it_next(
        self, engine: Engine, open_engine: OpenEngine, workspace: Workspace, orders: str
    ) -> None:
        """E7"""
        part = self.part(engine, day(1), self.events(engine, ("2024-01-01 05:00:00", 1)))
        engine.flush()
        other = open_engine(workspace)
        assert other.existing([shown(orders)]) == {shown(orders)}
        assert rows(other, "SELECT x FROM daily", shown("transform.daily", "2-parts", part)) == [
            (1,)
        ]
        assert sorted(other.stored()) == sorted(engine.stored())
        other.close()
        assert len(rows(engine, "SELECT id FROM orders", shown(orders))) == 3

    def test_sources_are_read_from_files(self, engine: Engine, workspace: Workspace) -> None:
        """E8"""
        self.need("sources")
        path = workspace.root / "data" / "orders.csv"
        path.parent.mkdir()
        path.write_text('id,name\n1,a\n2,"b, c"\n')
        node = Node("source.s", config={"source": "csv", "table": "data/orders.csv", "params": {}})
        assert list(engine.check(node)) == []
        assert build(engine, node).rows == 2
        assert sorted(rows(engine, "SELECT id, name FROM s", shown(node))) == [
            (1, "a"), (2, "b, c"),
        ]  # fmt: skip
        path.unlink()
        with pytest.raises(BuildError, match=r"orders\.csv"):
            build(engine, node, "2")

    def test_a_python_node_is_given_its_inputs_and_params(
        self, engine: Engine, orders: str
    ) -> None:
        """E9"""
        self.need("python")
        node, given = python_node("t", orders, least=5), []

        def compute(ctx: Any) -> Any:
            given.append((dict(ctx.params), ctx.interval))
            return ctx.ref(orders)

        assert build(engine, node, function=compute).rows == 3
        assert given == [({"least": 5}, None)]
        assert sorted(rows(engine, "SELECT id FROM t", shown(node))) == [(1,), (2,), (3,)]

    def test_what_a_python_node_does_wrong_is_told(self, engine: Engine, orders: str) -> None:
        """E9"""
        self.need("python")

        def raises(ctx: Any) -> Any:
            raise LookupError("no such key")

        before = found(engine)
        with pytest.raises(LookupError, match="no such key"):
            build(engine, python_node("t", orders), function=raises)
        for wrong in (lambda ctx: None, lambda ctx: 5, lambda ctx: ctx.ref("transform.other")):
            with pytest.raises(BuildError):
                build(engine, python_node("t", orders), function=wrong)
        assert found(engine) == before

    def test_several_threads_build_at_once(self, engine: Engine, orders: str) -> None:
        """E10"""

        def work(number: int) -> list[list[tuple[Any, ...]]]:
            node = sql_node(f"n{number}", f"SELECT id + {number} AS x FROM input_0", orders)
            answers = []
            for _ in range(5):
                build(engine, node)
                answers.append(sorted(rows(engine, f"SELECT x FROM n{number}", shown(node))))
            return answers

        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(work, range(8)))
        assert answers == [[[(n + 1,), (n + 2,), (n + 3,)]] * 5 for n in range(8)]

    # --- Parts ------------------------------------------------------------------------------

    def test_parts_are_read_as_one_table(self, engine: Engine) -> None:
        """E11"""
        events = self.events(
            engine,
            ("2024-01-01 00:00:00", 1),
            ("2024-01-02 23:59:59", 2),
            ("2024-01-03 00:00:00", 3),
        )
        parts = [self.part(engine, day(n), events) for n in (1, 2, 3)]
        assert len({part.name for part in parts}) == 3
        some = shown("transform.daily", "2-parts", parts[0], parts[2])
        assert sorted(rows(engine, "SELECT x FROM daily", some)) == [(1,), (3,)]
        total = sql_node(
            "total", "SELECT sum(x) AS x FROM ref('transform.daily')", "transform.daily"
        )
        build(engine, total, inputs=[shown("transform.daily", "2-parts", *parts)])
        assert [int(x) for (x,) in rows(engine, "SELECT x FROM total", shown(total))] == [6]

    def test_a_batch_of_several_intervals_is_one_part(self, engine: Engine) -> None:
        """E11"""
        events = self.events(engine, ("2024-01-01 01:00:00", 1), ("2024-01-03 01:00:00", 3))
        part = self.part(engine, day(1, 3), events)
        assert sorted(
            rows(engine, "SELECT x FROM daily", shown("transform.daily", "2-parts", part))
        ) == [(1,), (3,)]

    def test_a_part_without_rows_is_one(self, engine: Engine) -> None:
        """E11"""
        events = self.events(engine, ("2024-01-01 01:00:00", 1))
        empty, full = (self.part(engine, day(n), events) for n in (2, 1))
        daily = shown("transform.daily", "2-parts", full, empty)
        assert rows(engine, "SELECT x FROM daily", daily) == [(1,)]
        assert rows(engine, "SELECT x FROM daily", daily._replace(parts=(empty,))) == []

    def test_a_part_is_not_read_before_it_is_named(self, engine: Engine) -> None:
        """E12"""
        before = self.events(engine, ("2024-01-01 01:00:00", 1))
        after = self.events(engine, ("2024-01-01 01:00:00", 2), snapshot="2")
        old = self.part(engine, day(1), before)
        new = self.part(engine, day(1), after)
        assert new.name != old.name
        for part, expected in ((old, 1), (new, 2)):
            daily = shown("transform.daily", "2-parts", part)
            assert rows(engine, "SELECT x FROM daily", daily) == [(expected,)]

    def test_the_same_rows_are_the_same_part(self, engine: Engine) -> None:
        """E13"""
        events = self.events(engine, ("2024-01-01 01:00:00", 1))
        first = self.part(engine, day(1), events)
        stored = found(engine)
        assert self.part(engine, day(1), events) == first
        assert found(engine) == stored

    @pytest.mark.parametrize(
        "at", ["2023-12-31 23:59:59", "2024-01-02 00:00:00", None], ids=["before", "end", "null"]
    )
    def test_rows_outside_of_the_interval_are_refused(self, engine: Engine, at: str | None) -> None:
        """E14"""
        when = self.timestamp.format(f"'{at}'" if at else "NULL")
        inside = self.timestamp.format("'2024-01-01 01:00:00'")
        events = self.events(engine, ("2024-01-01 01:00:00", 1))
        node = self.daily(
            f"SELECT {inside} AS seen, 1 AS x UNION ALL SELECT {when} AS seen, 2 AS x"
        )
        before = found(engine)
        with pytest.raises(BuildError):
            build(engine, node, "2-parts", inputs=[events], interval=day(1))
        assert found(engine) == before

    def test_a_part_needs_its_time_column(self, engine: Engine) -> None:
        """E14"""
        node = self.daily("SELECT 1 AS x")
        self.events(engine, ("2024-01-01 01:00:00", 1))
        with pytest.raises(BuildError, match="seen"):
            build(engine, node, "2-parts", interval=day(1))
        assert found(engine) == [("transform.events", "1", "")]

    def test_of_a_part_only_the_time_that_is_named_is_read(self, engine: Engine) -> None:
        """E15"""
        events = self.events(
            engine,
            ("2024-01-01 01:00:00", 1),
            ("2024-01-02 00:00:00", 2),
            ("2024-01-03 23:00:00", 3),
        )
        whole = self.part(engine, day(1, 3), events)
        again = self.part(engine, day(2), self.events(engine, ("2024-01-02 07:00:00", 20),
                                                      snapshot="2"))  # fmt: skip
        first, last = (whole._replace(start=d.start, end=d.end) for d in (day(1), day(3)))
        daily = shown("transform.daily", "2-parts", first, again, last)
        assert sorted(rows(engine, "SELECT x FROM daily", daily)) == [(1,), (3,), (20,)]
        daily = shown("transform.daily", "2-parts", first)
        assert rows(engine, "SELECT x FROM daily", daily) == [(1,)]

    def test_a_part_without_a_name_has_no_rows(self, engine: Engine) -> None:
        """E16"""
        named = self.part(engine, day(1), self.events(engine, ("2024-01-01 01:00:00", 1)))
        daily = shown("transform.daily", "2-parts", named, Part(*day(2)))
        assert rows(engine, "SELECT x FROM daily", daily) == [(1,)]

    @pytest.mark.parametrize(("date", "hours"), [("2024-03-10", 23), ("2024-11-03", 25)])
    def test_times_are_on_the_wall_clock_of_the_node(
        self, engine: Engine, date: str, hours: int
    ) -> None:
        """E17"""
        start = datetime.fromisoformat(f"{date}T00:00:00").replace(tzinfo=UTC)
        start += timedelta(hours=5 if hours == 23 else 4)
        interval = Interval(start, start + timedelta(hours=hours))
        following = (datetime.fromisoformat(date) + timedelta(days=1)).date()
        times = (f"{date} 00:00:00", f"{date} 23:59:59", f"{following} 00:00:00")
        events = self.events(engine, *((at, x) for x, at in enumerate(times)))
        node = self.daily(timezone="America/New_York")
        built = build(engine, node, "2-parts", inputs=[events], interval=interval)
        assert built.rows == 2
        daily = shown(node, "2-parts", Part(*interval, built.part))
        assert sorted(rows(engine, "SELECT x FROM daily", daily)) == [(0,), (1,)]

    # --- Reading ----------------------------------------------------------------------------

    def test_an_answer_has_names_types_and_rows(self, engine: Engine, orders: str) -> None:
        """E18"""
        answer = engine.query("SELECT id, name AS n FROM orders", {orders: shown(orders)})
        assert list(answer.columns) == ["id", "n"]
        assert len(answer.types) == 2
        assert all(isinstance(kind, str) and kind for kind in answer.types)
        assert len(list(answer.rows)) == 3
        no_table = engine.query("SELECT 1 AS a", {})
        assert list(no_table.rows) == [(1,)]

    def test_nodes_have_their_ids_and_the_names_that_only_one_has(self, engine: Engine) -> None:
        """E18"""
        build(engine, sql_node("t", "SELECT 1 AS a"))
        build(engine, Node("source.t", config={"sql": "SELECT 2 AS a"}))
        build(engine, sql_node("u", "SELECT 3 AS a"))
        all_three = [shown(i) for i in ("transform.t", "source.t", "transform.u")]
        for table, expected in (("transform.t", 1), ("source.t", 2), ("transform.u", 3), ("u", 3)):
            assert rows(engine, f"SELECT a FROM {table}", *all_three) == [(expected,)]
        with pytest.raises(RequestError):
            rows(engine, "SELECT a FROM t", *all_three)
        with pytest.raises(RequestError):
            rows(engine, "SELECT a FROM u", shown("transform.t"))

    @pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nope FROM orders", "SELECT 1 FROM nowhere"])
    def test_a_query_that_is_wrong_is_refused(
        self, engine: Engine, orders: str, sql: str, tmp_path: Path
    ) -> None:
        """E19"""
        with pytest.raises(RequestError):
            list(engine.query(sql, {orders: shown(orders)}).rows)
        with pytest.raises(RequestError):
            engine.export(sql, {orders: shown(orders)}, tmp_path / "answer.csv", "csv")
        assert len(rows(engine, "SELECT id FROM orders", shown(orders))) == 3

    def test_answers_are_exported(self, engine: Engine, orders: str, tmp_path: Path) -> None:
        """E20"""
        sql, tables = "SELECT id, name FROM orders ORDER BY id;", {orders: shown(orders)}
        expected = [("1", "a"), ("2", "b"), ("3", "é 'x'")]
        for form in self.formats:
            path = tmp_path / f"answer.{form}"
            path.write_text("what was there before, and is longer than all of the answer")
            engine.export(sql, tables, path, form)
            if form == "csv":
                with path.open(newline="", encoding="utf-8") as file:
                    assert list(csv.reader(file)) == [["id", "name"], *map(list, expected)]
            elif form == "json":
                records = json.loads(path.read_text(encoding="utf-8"))
                assert [(str(r["id"]), r["name"]) for r in records] == expected
            else:
                assert path.read_bytes()[:4] == path.read_bytes()[-4:] == b"PAR1"

    @pytest.mark.parametrize(("keys", "expected"), [((), (2, 2, 0)), (("id",), (1, 1, 1))])
    def test_versions_are_compared(
        self, engine: Engine, orders: str, keys: Sequence[str], expected: tuple[int, int, int]
    ) -> None:
        """E21"""
        new = ORDERS.replace("2 AS id, 20", "2 AS id, 21").replace("1 AS id, 10", "4 AS id, 10")
        build(engine, sql_node("orders", new), "2")
        before, after = shown(orders), shown(orders, "2")
        compared = engine.compare(before, after, keys)
        assert (compared.added, compared.removed, compared.changed) == expected
        assert (compared.rows_before, compared.rows_after) == (3, 3)
        assert dict(compared.changed_by_column) == ({"amount": 1} if keys else {})
        assert sorted(compared.columns) == sorted({"id", "amount", "name"} - set(keys))
        kinds = [row.kind for row in compared.sample]
        assert [kinds.count(kind) for kind in ("added", "removed", "changed")] == list(expected)
        for row in compared.sample:
            assert (row.before is None, row.after is None) == (
                row.kind == "added", row.kind == "removed",
            )  # fmt: skip
        few = [row.kind for row in engine.compare(before, after, keys, 1).sample]
        assert max(few.count(kind) for kind in few) == 1

    def test_a_version_is_no_other_than_itself(self, engine: Engine, orders: str) -> None:
        """E21"""
        build(engine, sql_node("orders", ORDERS), "2")
        for keys in ((), ("id",), ("id", "name")):
            compared = engine.compare(shown(orders), shown(orders, "2"), keys)
            assert (compared.added, compared.removed, compared.changed) == (0, 0, 0)
            assert not compared.sample

    def test_columns_that_only_one_version_has_are_told(self, engine: Engine, orders: str) -> None:
        """E22"""
        node = sql_node(
            "orders", "SELECT id, name, 'x' AS more FROM ref('transform.o')", "transform.o"
        )
        build(engine, sql_node("o", ORDERS))
        build(engine, node, "2")
        compared = engine.compare(shown(orders), shown(orders, "2"), ("id",))
        assert list(compared.added_columns) == ["more"]
        assert list(compared.removed_columns) == ["amount"]
        assert list(compared.columns) == ["name"]
        assert (compared.added, compared.removed, compared.changed) == (0, 0, 0)

    def test_rows_of_a_key_that_is_repeated_are_compared_as_wholes(self, engine: Engine) -> None:
        """E22"""
        row = "SELECT {} AS k, {} AS x"
        for snapshot, values in (("1", ((1, 1), (1, 2), (2, 5))), ("2", ((1, 2), (1, 3), (2, 6)))):
            sql = " UNION ALL ".join(row.format(*pair) for pair in values)
            build(engine, sql_node("t", sql), snapshot)
        compared = engine.compare(shown("transform.t"), shown("transform.t", "2"), ("k",))
        assert (compared.added, compared.removed, compared.changed) == (1, 1, 1)
        assert compared.repeated_keys == 1

    def test_a_key_that_is_no_column_of_both_is_refused(self, engine: Engine, orders: str) -> None:
        """E22"""
        build(engine, sql_node("orders", "SELECT 1 AS id"), "2")
        for key in ("amount", "nope"):
            with pytest.raises(RequestError, match=key):
                engine.compare(shown(orders), shown(orders, "2"), (key,))

    def test_a_database_of_views_is_written_at_once(
        self, engine: Engine, orders: str, tmp_path: Path
    ) -> None:
        """E23"""
        part = self.part(engine, day(1), self.events(engine, ("2024-01-01 01:00:00", 1)))
        tables = {
            orders: shown(orders),
            "transform.daily": shown("transform.daily", "2-parts", part),
            "transform.marked": shown("transform.marked", "3-parts", Part(*day(1))),
        }
        folder = tmp_path / "exported"
        folder.mkdir()
        for _ in range(2):
            written = engine.export_views(tables, folder / "views")
            assert sorted(written) == ["transform.daily", orders]
            assert [path.name for path in folder.iterdir()] == ["views"]

    # --- Storage ----------------------------------------------------------------------------

    def test_what_is_stored_is_found_with_its_bytes(self, engine: Engine) -> None:
        """E24"""
        assert list(engine.stored()) == []
        build_one, build_two = (build(engine, sql_node("t", ORDERS), s) for s in ("1", "2"))
        events = self.events(engine, ("2024-01-01 01:00:00", 1))
        built = build(engine, self.daily(), "2-parts", inputs=[events], interval=day(1))
        stored = set(engine.stored())
        assert {
            Stored("transform.t", "1", "", build_one.bytes),
            Stored("transform.t", "2", "", build_two.bytes),
            Stored("transform.daily", "2-parts", built.part, built.bytes),
        } == {one for one in stored if one.node_id != "transform.events"}
        assert len(stored) == 4

    def test_what_is_removed_is_gone_and_nothing_else(self, engine: Engine, orders: str) -> None:
        """E25"""
        build(engine, sql_node("orders", ORDERS), "2")
        before = self.events(engine, ("2024-01-01 01:00:00", 1))
        after = self.events(engine, ("2024-01-01 01:00:00", 2), snapshot="2")
        old, new = (self.part(engine, day(1), events) for events in (before, after))
        gone = [
            Stored(orders, "1"),
            Stored("transform.daily", "2-parts", old.name),
            Stored("transform.never", "1"),
            Stored("transform.daily", "9-parts", "9-parts/nothing"),
        ]
        left = [one for one in found(engine) if one not in [one[:3] for one in gone]]
        for _ in range(2):
            engine.remove(iter(gone))
            assert found(engine) == left
        assert engine.existing([shown(orders), shown(orders, "2")]) == {shown(orders, "2")}
        daily = shown("transform.daily", "2-parts", new)
        assert rows(engine, "SELECT x FROM daily", daily) == [(2,)]
        build(engine, sql_node("orders", ORDERS))
        assert len(rows(engine, "SELECT id FROM orders", shown(orders))) == 3

    def test_what_is_not_there_is_not_read(self, engine: Engine, orders: str) -> None:
        """E26"""
        part = self.part(engine, day(1), self.events(engine, ("2024-01-01 01:00:00", 1)))
        engine.remove([Stored("transform.daily", "2-parts", part.name)])
        gone, daily = shown(orders, "2"), shown("transform.daily", "2-parts", part)
        for snapshot in (gone, daily):
            with pytest.raises(RequestError):
                rows(engine, f"SELECT * FROM {snapshot.node_id}", snapshot)
            node = sql_node("t", "SELECT 1 AS a FROM input_0", snapshot.node_id)
            with pytest.raises(BuildError):
                build(engine, node, inputs=[snapshot])
        with pytest.raises(RequestError):
            engine.compare(shown(orders), gone)
        assert engine.existing([shown("transform.t")]) == set()

    # --- Stopping ---------------------------------------------------------------------------

    def thousand(self, engine: Engine) -> str:
        build(engine, sql_node("ten", TEN))
        build(engine, sql_node("thousand", THOUSAND, "transform.ten"))
        return "transform.thousand"

    def test_interrupting_stops_what_runs(self, engine: Engine) -> None:
        """E27"""
        node = sql_node("slow", SLOW, self.thousand(engine))
        before = found(engine)
        interrupted = threading.Timer(0.3, engine.interrupt)
        interrupted.start()
        started = time.monotonic()
        with pytest.raises(Exception):  # noqa: B017, PT011  an engine of its own choice
            build(engine, node)
        assert time.monotonic() - started < self.patience
        interrupted.join()
        assert found(engine) == before

    def test_a_job_that_takes_longer_than_its_timeout_is_stopped(self, engine: Engine) -> None:
        """E28"""
        node = sql_node("slow", SLOW, self.thousand(engine))
        before, started = found(engine), time.monotonic()
        with pytest.raises(BuildError, match="timeout"):
            build(engine, node, timeout=0.3)
        assert time.monotonic() - started < self.patience
        assert found(engine) == before
        assert build(engine, sql_node("quick", "SELECT 1 AS a"), timeout=60).rows == 1

    def test_closing_twice_does_no_harm(
        self, open_engine: OpenEngine, workspace: Workspace
    ) -> None:
        """E29"""
        unused, used = open_engine(workspace), open_engine(workspace)
        build(used, sql_node("t", "SELECT 1 AS a"))
        for opened in (unused, unused, used, used):
            opened.close()

    # --- Killed -----------------------------------------------------------------------------

    def test_a_build_that_is_killed_leaves_a_whole_snapshot_or_none(
        self, open_engine: OpenEngine, workspace: Workspace
    ) -> None:
        """E30"""
        self.need("forks")
        chance = random.Random(7)
        for round_ in range(self.kills):

            def work(tell: Callable[[int], None], round_: int = round_) -> None:
                opened = open_engine(workspace)
                base = self.thousand(opened)
                node = sql_node("t", "SELECT a.n FROM input_0 AS a, transform.ten AS b", base,
                                "transform.ten")  # fmt: skip
                for number in range(1000):
                    tell(number)
                    build(opened, node, f"{round_}a{number}")
                    opened.flush()

            last = killed(work, chance.random() / 10)
            assert last is not None
            self._holds_whole_snapshots(open_engine(workspace), round_, last)

    def _holds_whole_snapshots(self, engine: Engine, round_: int, last: int) -> None:
        """All before the last one that was begun are there; that one is whole, or not there. What
        it has left can be removed."""
        built = [shown("transform.t", f"{round_}a{number}") for number in range(last + 1)]
        existing = engine.existing(built)
        assert set(built[:-1]) <= existing
        for snapshot in built[-2:]:
            if snapshot in existing:
                assert rows(engine, "SELECT count(*) FROM t", snapshot) == [(10_000,)]
        engine.remove(list(engine.stored()))
        assert list(engine.stored()) == []
        engine.close()
