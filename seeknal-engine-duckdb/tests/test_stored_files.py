"""What lies on storage is found, and removed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seeknal.dag.manifest import Incremental, Node
from seeknal.state.intervals import Interval
from seeknal.workflow.engine import Built, Job, Snapshot, Stored, Workspace
from seeknal_engine_duckdb.engine import DuckDBEngine

DAY = Interval(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC))
LEFT = ".data.parquet.123.0123abcd"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake" / "snapshots"


@pytest.fixture(params=["local", "url"])
def engine(tmp_path: Path, lake: Path, request: pytest.FixtureRequest) -> Iterator[DuckDBEngine]:
    storage = str(lake.parent) if request.param == "local" else f"local://{lake.parent}"
    engine = DuckDBEngine(Workspace(tmp_path, storage))
    yield engine
    engine.close()


def build(engine: DuckDBEngine, snapshot: str) -> Stored:
    return Stored("transform.t", snapshot, bytes=built(engine, snapshot, "select 1 as a").bytes)


def build_part(engine: DuckDBEngine, snapshot: str, value: int = 1) -> Stored:
    sql = f"select {{{{ start }}}}::timestamp as day, {value} as x"
    part = built(engine, snapshot, sql, Incremental("@daily", "day"))
    return Stored("transform.t", snapshot, part.part, part.bytes)


def built(
    engine: DuckDBEngine, snapshot: str, sql: str, timing: Incremental | None = None
) -> Built:
    node = Node("transform.t", config={"sql": sql}, incremental=timing)
    interval = DAY if timing else None
    return engine.build(
        Job(node, Snapshot("transform.t", snapshot), {}, None, lambda: None, interval)
    )


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def put(path: Path, content: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


# --- Finding --------------------------------------------------------------------------------


def test_where_nothing_was_built_nothing_is_stored(engine: DuckDBEngine) -> None:
    assert list(engine.stored()) == []
    engine.remove([Stored("transform.t", "1")])


def test_snapshots_and_parts_are_found_with_their_bytes(engine: DuckDBEngine) -> None:
    built = [
        build(engine, "1"),
        build(engine, "2"),
        build_part(engine, "3-parts"),
        build_part(engine, "3-parts", 2),
    ]
    assert sorted(engine.stored()) == sorted(built)


def test_what_builds_left_is_found(engine: DuckDBEngine, lake: Path) -> None:
    whole, part = build(engine, "1"), build_part(engine, "2-parts")
    for snapshot in ("1", "2-parts", "3"):
        put(lake / "transform.t" / snapshot / LEFT, "12345")
    (lake / "transform.t" / "4").mkdir()
    assert sorted(engine.stored()) == [
        whole,
        Stored("transform.t", "1", f"1/{LEFT}", 5),
        Stored("transform.t", "2-parts", f"2-parts/{LEFT}", 5),
        part,
        Stored("transform.t", "3", f"3/{LEFT}", 5),
        Stored("transform.t", "4", "", 0),
    ]


FOREIGN = (
    "readme.txt",
    "transform.t/notes.txt",
    "transform.t/1/copy.parquet",
    "transform.t/1/data.parquet.bak",
    "transform.t/1/.data.parquet.swp",
    "transform.t/2/sub/data.parquet",
    "transform.t/2/data.parquet/inside",
    "transform.t/backup of 1/data.parquet",
    "my files/1/data.parquet",
    ".hidden/1/data.parquet",
)


def test_what_the_engine_did_not_write_is_never_found_nor_removed(
    engine: DuckDBEngine, lake: Path, tmp_path: Path
) -> None:
    for path in FOREIGN:
        put(lake / path, "foreign")
    (lake / ".hidden" / "2").mkdir()
    before = below(lake)
    assert list(engine.stored()) == []
    put(tmp_path / "lake" / "data.parquet")
    part = build_part(engine, "5-parts")
    name = part.part.rpartition("/")[2]
    engine.remove(
        [
            Stored("transform.t", "1"),
            Stored("transform.t", "2"),
            Stored("transform.t", "backup of 1"),
            Stored("my files", "1"),
            Stored(".", ".."),
            Stored("transform.t", "1", "1/copy"),
            Stored("transform.t", "1", f"1/../5-parts/{name}"),
            Stored("transform.t", "1", part.part),
        ]
    )
    assert list(engine.stored()) == [part]
    assert (tmp_path / "lake" / "data.parquet").exists()
    engine.remove([part])
    assert below(lake) == before


def test_a_build_that_is_killed_leaves_what_is_found(tmp_path: Path, lake: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from seeknal.dag.manifest import Node\n"
        "from seeknal.workflow.engine import Job, Snapshot, Workspace\n"
        "from seeknal_engine_duckdb.engine import DuckDBEngine\n"
        "sql = 'select range, hash(range) as h from range(1000000000)'\n"
        "engine = DuckDBEngine(Workspace(Path(sys.argv[1]), sys.argv[2]))\n"
        "node = Node('transform.t', config={'sql': sql})\n"
        "engine.build(Job(node, Snapshot('transform.t', '1'), {}, None, lambda: None))\n"
    )
    engine = DuckDBEngine(Workspace(tmp_path, str(lake.parent)))
    command = [sys.executable, "-c", code, str(tmp_path), str(lake.parent)]
    with subprocess.Popen(command) as builder:
        until = time.monotonic() + 30
        while not sum(one.bytes for one in engine.stored()) and time.monotonic() < until:
            time.sleep(0.01)
        builder.send_signal(signal.SIGKILL)
    (left,) = engine.stored()
    assert left[:2] == ("transform.t", "1")
    assert left.part.startswith("1/.data.parquet.")
    engine.remove([left])
    assert below(lake) == []
    engine.close()


# --- Removing -------------------------------------------------------------------------------


def test_what_is_removed_goes_with_its_empty_folders(engine: DuckDBEngine, lake: Path) -> None:
    first, second = build_part(engine, "1-parts"), build_part(engine, "1-parts", 2)
    left = Stored("transform.t", "1-parts", f"1-parts/{LEFT}")
    put(lake / "transform.t" / "1-parts" / LEFT)
    engine.remove([first])
    assert sorted(engine.stored()) == [left, second]
    engine.remove([left])
    assert list(engine.stored()) == [second]
    whole = build(engine, "2")
    put(lake / "transform.t" / "2" / LEFT)
    (lake / "transform.t" / "3").mkdir()
    engine.remove([second, Stored("transform.t", "3")])
    left = Stored("transform.t", "2", f"2/{LEFT}")
    assert sorted(engine.stored()) == [whole, left]
    engine.remove([whole])
    assert list(engine.stored()) == [left]
    engine.remove([left])
    assert below(lake) == []


def test_removing_twice_does_no_harm(engine: DuckDBEngine, lake: Path) -> None:
    kept = build_part(engine, "2-parts")
    gone = [build(engine, "1"), build_part(engine, "2-parts", 2)]
    for _ in range(2):
        engine.remove([*gone, *gone])
    assert list(engine.stored()) == [kept]


def at_once(*works: Callable[[], object]) -> list[Exception]:
    errors: list[Exception] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_two_may_remove_at_once(engine: DuckDBEngine, lake: Path) -> None:
    for number in range(200):
        put(lake / "transform.t" / f"{number:x}" / "data.parquet")
    found = list(engine.stored())

    def remove() -> None:
        for one in found:
            engine.remove([one])

    assert at_once(remove, remove) == []
    assert below(lake) == []


def test_memory_is_cleaned_too(tmp_path: Path) -> None:
    engine = DuckDBEngine(Workspace(tmp_path, f"memory://{tmp_path.name}"))
    whole, part = build(engine, "1"), build_part(engine, "2-parts")
    assert sorted(engine.stored()) == [whole, part]
    engine.remove([whole])
    assert list(engine.stored()) == [part]
    engine.remove([part])
    assert list(engine.stored()) == []
    engine.close()
