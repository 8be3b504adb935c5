"""DuckDB files with views, which other programs open."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from seeknal.dag.manifest import Incremental, Node
from seeknal.errors import RequestError
from seeknal.state.intervals import Interval, Part
from seeknal.workflow.engine import Job, Snapshot, Workspace
from seeknal_engine_duckdb.engine import DuckDBEngine

DAY = Interval(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(Workspace(tmp_path, str(tmp_path / "it's storage")))
    yield engine
    engine.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "it's prod.duckdb"


def built(engine: DuckDBEngine, node_id: str, sql: str) -> Snapshot:
    snapshot = Snapshot(node_id, "1")
    engine.build(Job(Node(node_id, config={"sql": sql}), snapshot, {}, None, lambda: None))
    return snapshot


def exported(engine: DuckDBEngine, file: Path, *snapshots: Snapshot) -> None:
    engine.export_views({snapshot.node_id: snapshot for snapshot in snapshots}, file)


def elsewhere(file: Path, sql: str) -> Any:
    """What another process reads of a file, from another folder."""
    code = (
        "import duckdb, json, sys\n"
        "connection = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print(json.dumps(connection.execute(sys.argv[2]).fetchall()))"
    )
    command = [sys.executable, "-c", code, str(file), sql]
    return json.loads(subprocess.run(command, cwd="/", check=True, capture_output=True).stdout)


def process(code: str, file: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", code, str(file), *more]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


VIEWS = "select schema_name || '.' || view_name from duckdb_views() where not internal order by all"


def test_every_node_is_a_view_for_other_processes(engine: DuckDBEngine, file: Path) -> None:
    exported(
        engine,
        file,
        built(engine, "source.orders", "select range as id from range(3)"),
        built(engine, "transform.daily-revenue", "select 7 as a, 'x' as b"),
        built(engine, "transform.orders", "select 1 as id"),
    )
    assert elsewhere(file, VIEWS) == [
        ["source.orders"], ["transform.daily-revenue"], ["transform.orders"],
    ]  # fmt: skip
    assert elsewhere(file, "from source.orders") == [[0], [1], [2]]
    assert elsewhere(file, 'from "transform"."daily-revenue"') == [[7, "x"]]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_parts_are_one_view_and_none_are_none(engine: DuckDBEngine, file: Path) -> None:
    snapshot = Snapshot("transform.t", "1-parts")
    parts = []
    for days in (0, 1):
        interval = Interval(*(moment + timedelta(days) for moment in DAY))
        sql = f"select {{{{ start }}}}::timestamp as at, {days} as x from range(2)"
        node = Node("transform.t", config={"sql": sql}, incremental=Incremental("@daily", "at"))
        job = Job(node, snapshot, {}, None, lambda: None, interval)
        parts.append(Part(*interval, engine.build(job).part))
    parts[1] = parts[1]._replace(end=parts[1].start + timedelta(hours=1))
    none = Snapshot("transform.none", "2-parts", (Part(*DAY),))
    exported(engine, file, snapshot._replace(parts=tuple(parts)), none)
    assert elsewhere(file, VIEWS) == [["transform.t"]]
    assert elsewhere(file, "select x, count(*) from transform.t group by 1 order by 1") == [
        [0, 2], [1, 2],
    ]  # fmt: skip


def test_a_file_of_views_is_replaced_while_it_is_read(engine: DuckDBEngine, file: Path) -> None:
    first, second = (built(engine, f"transform.{n}", f"select '{n}' as n") for n in ("a", "b"))
    exported(engine, file, first)
    code = (
        "import duckdb, sys\n"
        "connection = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
        "print(connection.execute('from transform.a').fetchall())"
    )
    with process(code, file) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        exported(engine, file, second)
        assert reader.communicate()[0] == b"[('a',)]\n"
    assert elsewhere(file, VIEWS) == [["transform.b"]]
    assert elsewhere(file, "from transform.b") == [["b"]]


def test_readers_see_the_old_file_or_the_new(engine: DuckDBEngine, file: Path) -> None:
    snapshots = [built(engine, f"transform.n{n}", "select 1 as a") for n in range(20)]
    exported(engine, file, *snapshots)
    code = (
        "import duckdb, sys\n"
        "for _ in range(100):\n"
        "    with duckdb.connect(sys.argv[1], read_only=True) as connection:\n"
        "        print(len(connection.execute(sys.argv[2]).fetchall()), flush=True)"
    )
    with process(code, file, VIEWS) as reader:
        while reader.poll() is None:
            exported(engine, file, *snapshots[:10])
            exported(engine, file, *snapshots)
        assert reader.stdout is not None
        assert set(reader.stdout.read().split()) == {b"10", b"20"}
    assert reader.returncode == 0


def test_what_a_killed_writer_has_left_beside_a_file_does_not_come_back(
    engine: DuckDBEngine, file: Path
) -> None:
    snapshot = built(engine, "transform.t", "select 1 as a")
    exported(engine, file, snapshot)
    code = (
        "import duckdb, os, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute('create view transform.more as select 1')\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=True)
    assert len(list(file.parent.iterdir())) == 2
    exported(engine, file, snapshot)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert elsewhere(file, VIEWS) == [["transform.t"]]


@pytest.mark.parametrize(
    "content",
    [
        "create table t as select 1 as a",
        "create schema s; create table s.t (a int)",
        "create view v as select 1; create macro m() as 2",
        "create sequence q",
        "create type mood as enum ('a')",
    ],
)
def test_a_database_that_holds_more_than_views_is_kept(
    engine: DuckDBEngine, file: Path, content: str
) -> None:
    with duckdb.connect(str(file)) as somebody:
        somebody.execute(content)
    before = file.read_bytes()
    with pytest.raises(RequestError, match=r"is not replaced: .* more than views"):
        exported(engine, file, built(engine, "transform.t", "select 1 as a"))
    assert file.read_bytes() == before


def test_a_table_that_is_only_in_the_log_is_kept(engine: DuckDBEngine, file: Path) -> None:
    code = (
        "import duckdb, os, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute('create table t as select 1 as a')\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=True)
    with pytest.raises(RequestError, match="is not replaced"):
        exported(engine, file, built(engine, "transform.t", "select 1 as a"))
    with duckdb.connect(str(file)) as somebody:
        assert somebody.execute("from t").fetchall() == [(1,)]


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + bytes(5000)])
def test_what_is_no_database_of_duckdb_is_kept(
    engine: DuckDBEngine, file: Path, content: bytes
) -> None:
    file.write_bytes(content)
    with pytest.raises(RequestError, match="is not replaced"):
        exported(engine, file, built(engine, "transform.t", "select 1 as a"))
    assert file.read_bytes() == content


def test_a_database_that_somebody_writes_is_kept(engine: DuckDBEngine, file: Path) -> None:
    snapshot = built(engine, "transform.t", "select 1 as a")
    exported(engine, file, snapshot)
    code = (
        "import duckdb, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()"
    )
    with process(code, file) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(RequestError, match="is not replaced"):
            exported(engine, file, snapshot)
    exported(engine, file, snapshot)


def test_nothing_is_left_and_the_old_file_stays_when_it_fails(
    engine: DuckDBEngine, file: Path, tmp_path: Path
) -> None:
    exported(engine, file, built(engine, "transform.t", "select 1 as a"))
    with pytest.raises(RequestError, match="can't be written"):
        exported(engine, file, Snapshot("transform.gone", "1"))
    assert elsewhere(file, "from transform.t") == [[1]]
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    for nowhere in (tmp_path / "no" / "a.duckdb", tmp_path):
        with pytest.raises(RequestError):
            exported(engine, nowhere)


def test_a_path_may_be_relative(
    engine: DuckDBEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exported(engine, Path("a.duckdb"), built(engine, "transform.t", "select 1 as a"))
    assert elsewhere(tmp_path / "a.duckdb", "from transform.t") == [[1]]


def test_views_read_other_storage_by_its_url(tmp_path: Path) -> None:
    engine = DuckDBEngine(Workspace(tmp_path, "memory://lake"))
    file = tmp_path / "a.duckdb"
    exported(engine, file, built(engine, "transform.t", "select 1 as a"))
    ((sql,),) = elsewhere(file, "select sql from duckdb_views() where not internal")
    assert "'memory://lake/snapshots/transform.t/1/data.parquet'" in sql
    engine.close()
