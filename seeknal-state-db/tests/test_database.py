"""What is particular to databases: tables that people can query, versions, lost connections."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from seeknal.errors import ConflictError, StateError
from seeknal.state.backend import StateBackend, create_state_backend
from seeknal.state.records import Environment, Holding, NodeState, Revision, Run
from seeknal_state_db import schema, statements
from seeknal_state_db.backend import DatabaseBackend
from seeknal_state_db.schema import STEPS, version_of


@pytest.fixture(params=["sqlite", "turso", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        new_url: Callable[[], str] = request.getfixturevalue("postgresql")
        return new_url()
    return f"{request.param}:///{tmp_path}/state.db"


@pytest.fixture
def backend(url: str) -> Iterator[DatabaseBackend]:
    made = DatabaseBackend(url=url)
    made.initialize()
    yield made
    made.close()


def test_the_public_factory_makes_one(tmp_path: Path) -> None:
    made: StateBackend = create_state_backend("database", db_path=str(tmp_path / "target/state.db"))
    made.initialize()
    made.create_run("r")
    made.close()
    assert (tmp_path / "target/state.db").is_file()


def test_the_class_can_be_imported_from_the_core() -> None:
    from seeknal.state.backend import DatabaseBackend as FromCore  # type: ignore[attr-defined]

    assert FromCore is DatabaseBackend


def test_making_one_touches_nothing(tmp_path: Path) -> None:
    DatabaseBackend(tmp_path / "folder/state.db")
    assert not (tmp_path / "folder").exists()


def test_people_can_query_the_tables(tmp_path: Path) -> None:
    with closing(DatabaseBackend(tmp_path / "state.db")) as made:
        made.initialize()
        made.create_run("r", environment="dev")
        made.set_node_state("r", "transform.a", snapshot="s", rows=3)
        made.add_completed_interval("r", "transform.a", "2024-01-01", "2024-02-01")
        made.save_environment(Environment("dev", {"transform.a": "s"}))
    with closing(sqlite3.connect(tmp_path / "state.db")) as tables:
        (joined,) = tables.execute(
            """
            SELECT r.environment, s.node_id, s.rows, i.start_at, i.end_at, p.snapshot
            FROM runs r JOIN node_states s USING (run_id)
            JOIN intervals i USING (node_id, snapshot)
            JOIN pointers p USING (environment, node_id)
            """
        )
        (mode,) = tables.execute("PRAGMA journal_mode").fetchone()
        indexes = {name for (name,) in tables.execute("SELECT name FROM pragma_index_list('runs')")}
    first, last = "2024-01-01T00:00:00+00:00", "2024-02-01T00:00:00+00:00"
    assert joined == ("dev", "transform.a", 3, first, last, "s")
    assert mode == "wal"
    assert {"runs_by_time", "runs_by_environment", "runs_by_status"} <= indexes


@pytest.mark.parametrize("count", [1, 49, 50, 51, 1234])
def test_the_last_of_many_states_of_a_node_in_a_transaction_stays(
    backend: DatabaseBackend, count: int
) -> None:
    backend.create_run("r")
    with backend.transaction():
        for number in range(count):
            started = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(microseconds=number)
            backend.set_node_state("r", f"n{number % 7}", rows=number, started_at=started)
        backend.set_node_state("r", "n0", error="late", rows=-1)
        backend.set_node_state("r", "n0")
    found = backend.list_node_states("r")
    assert len(found) == min(count, 7)
    for state in found[1:]:
        assert state.started_at is not None
        assert state.started_at.microsecond == state.rows
        assert state.rows in range(max(count - 7, 0), count)
    assert (found[0].rows, found[0].error) == (-1, "late")
    assert found[0].started_at is not None


def test_states_that_could_not_be_written_are_not_left_out_of_what_is_committed(
    backend: DatabaseBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.create_run("r")

    def change() -> None:
        with backend.transaction():
            backend.set_node_state("r", "a", started_at=datetime.now(UTC))
            with pytest.raises(StateError):
                backend.list_node_states("r")
            backend.set_node_state("r", "b", started_at=datetime.now(UTC))

    with monkeypatch.context() as patch:
        patch.setattr(statements, "upsert_states", lambda *_: "INSERT INTO nothing VALUES (1)")
        with pytest.raises(StateError):
            change()
    assert backend.list_node_states("r") == []


def test_a_database_that_is_damaged_is_told_of_while_states_are_read(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(DatabaseBackend(path)) as made:
        made.initialize()
        made.create_run("r")
        with made.transaction():
            for number in range(2000):
                made.set_node_state("r", f"n{number:04}", error="long " * 20)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 40_000)
    with closing(DatabaseBackend(path)) as damaged, pytest.raises(StateError, match="malformed"):
        damaged.list_node_states("r")


def test_sqlite_waits_for_other_writers_and_holds_to_foreign_keys(tmp_path: Path) -> None:
    with closing(DatabaseBackend(tmp_path / "state.db")) as made:
        made.initialize()
        with made._db.reading() as connection:
            settings = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
    full = 2
    assert settings == {
        "journal_mode": "wal", "synchronous": full, "foreign_keys": 1, "busy_timeout": 60_000
    }  # fmt: skip


def test_tables_of_an_older_version_are_upgraded(
    backend: DatabaseBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_a_column(connection: sa.Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN owner TEXT")

    backend.create_run("r")
    backend.close()
    monkeypatch.setattr(schema, "STEPS", (*STEPS, add_a_column))
    for _ in range(2):
        backend.initialize()
        with backend._db.reading() as connection:
            assert version_of(connection) == len(STEPS) + 1
            columns = sa.inspect(connection).get_columns(
                "runs", schema=schema.schema_of(connection.dialect)
            )
            assert "owner" in {column["name"] for column in columns}


BROUGHT_BY = {
    2: {"pointers": ("definition", "address")},
    3: {
        "environments": ("status", "ttl_hours", "plan", "used_at", "revision"),
        "runs": ("pins",),
        "node_states": ("tasks",),
    },
    4: {},
}
"""Columns of tables, by the version in which they came."""


def make_older(backend: DatabaseBackend, version: int) -> None:
    """Leave the tables as that version made them, and close."""
    with backend._db.writing() as connection:
        own = schema.schema_of(connection.dialect)
        place = f"{own}." if own else ""
        for table, came in (("revisions", 3), ("holdings", 4)):
            if came > version:
                connection.exec_driver_sql(f"DROP TABLE {place}{table}")
        for later in range(version + 1, len(STEPS) + 1):
            for table, columns in BROUGHT_BY[later].items():
                for column in columns:
                    connection.exec_driver_sql(f"ALTER TABLE {place}{table} DROP COLUMN {column}")
        connection.execute(schema.version.update().values(version=version))
    backend.close()


def test_tables_without_what_pointers_stand_for_are_upgraded(backend: DatabaseBackend) -> None:
    now = datetime.now(UTC)
    dev = backend.save_environment(
        Environment("dev", {"a": "1"}, {"a": "r"}, updated_at=now, used_at=now)
    )
    make_older(backend, 1)
    backend.initialize()
    assert backend.get_environment("dev") == dev
    told = backend.save_environment(replace(dev, definitions={"a": "{}"}, addresses={"a": "2"}))
    assert backend.get_environment("dev") == told


def test_tables_without_what_environments_were_are_upgraded(backend: DatabaseBackend) -> None:
    january, march = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
    dev = backend.save_environment(Environment("dev", {"a": "1"}, updated_at=january))
    backend.create_run("r", started_at=january)
    backend.set_node_state("r", "n", rows=1)
    make_older(backend, 2)
    backend.initialize()
    assert backend.get_environment("dev") == replace(dev, used_at=january)
    assert backend.list_runs() == [Run("r", started_at=january)]
    assert backend.list_node_states("r") == [NodeState("r", "n", rows=1)]
    planned = replace(dev, status="planned", plan="{}", ttl_hours=1, used_at=march, revision=1)
    planned = backend.save_environment(planned)
    backend.add_revision(Revision("dev", 1, march))
    backend.update_run("r", pins={"a": ""})
    backend.set_node_state("r", "n", tasks=3)
    assert backend.get_environment("dev") == planned
    assert backend.list_revisions("dev") == [Revision("dev", 1, march)]
    assert backend.get_run("r") == Run("r", started_at=january, pins={"a": ""})
    assert backend.list_node_states("r") == [NodeState("r", "n", rows=1, tasks=3)]


def test_tables_without_what_pointers_show_are_upgraded(backend: DatabaseBackend) -> None:
    dev = backend.save_environment(Environment("dev", {"a": "1"}))
    backend.add_revision(Revision("dev", 1))
    make_older(backend, 3)
    backend.initialize()
    assert backend.get_environment("dev") == dev
    assert len(backend.list_revisions("dev")) == 1
    backend.add_holding(Holding("a", "1", "parts"))
    assert backend.list_holdings() == [("a", "1")]


def test_an_upgrade_that_fails_changes_nothing(
    backend: DatabaseBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: sa.Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN owner TEXT")
        raise KeyError("on purpose")

    backend.create_run("r")
    monkeypatch.setattr(schema, "STEPS", (*STEPS, fail))
    with pytest.raises(KeyError, match="on purpose"):
        backend.initialize()
    with backend._db.reading() as connection:
        assert version_of(connection) == len(STEPS)
    assert backend.get_run("r") is not None


def test_tables_of_a_newer_version_are_refused_and_left_alone(
    backend: DatabaseBackend, url: str
) -> None:
    backend.create_run("r")
    with backend._db.writing() as connection:
        connection.execute(schema.version.update().values(version=99))
    with pytest.raises(
        StateError, match=f"tables have version 99, and this one knows up to {len(STEPS)}"
    ):
        DatabaseBackend(url=url).initialize()
    with backend._db.reading() as connection:
        assert version_of(connection) == 99


def test_a_lost_connection_is_opened_again(postgresql: Callable[[], str]) -> None:
    url = postgresql()
    with closing(DatabaseBackend(url=url)) as first, closing(DatabaseBackend(url=url)) as second:
        first.initialize()
        second.initialize()
        first.create_run("r")

        def cut() -> None:
            with second._db.reading() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

        def write_while_it_is_cut() -> None:
            with first.transaction():
                first.set_node_state("r", "half", rows=1)
                cut()
                first.set_node_state("r", "other", rows=1, status="success")
                first.list_node_states("r")

        with pytest.raises(StateError):
            write_while_it_is_cut()
        first.set_node_state("r", "n", rows=1)
        assert [state.node_id for state in first.list_node_states("r")] == ["n"]
        cut()
        with pytest.raises(StateError):
            first.list_runs()
        assert len(first.list_runs()) == 1


# --- A remote Turso -------------------------------------------------------------------------


@pytest.fixture
def replicas(tmp_path: Path, turso_server: str) -> Iterator[list[DatabaseBackend]]:
    """Two clients of one remote database."""
    made = [
        DatabaseBackend(url=f"turso+sync:///{tmp_path}/{name}.db?remote_url={turso_server}")
        for name in ("a", "b")
    ]
    for replica in made:
        replica.initialize()
    yield made
    for replica in made:
        replica.close()


def test_what_one_client_of_a_remote_turso_writes_another_reads(
    replicas: list[DatabaseBackend],
) -> None:
    first, second = replicas
    first.create_run("r", environment="dev")
    first.set_node_state("r", "n", rows=3)
    first.add_completed_interval("r", "n", "2024-01-01", "2024-01-03")
    saved = first.save_environment(Environment("dev", {"n": "s"}))
    state = second.get_node_state("r", "n")
    assert state is not None
    assert state.rows == 3
    assert second.get_completed_intervals("n", None) == first.get_completed_intervals("n", None)
    assert second.get_environment("dev") == saved
    second.save_environment(saved)
    with pytest.raises(ConflictError, match="changed by someone else"):
        first.save_environment(saved)
    with second.acquire_lock("r", 0) or pytest.fail("the lock was free"):
        assert first.acquire_lock("r", 0) is None


def test_the_boundary_of_a_remote_turso_is_two_writes_that_meet(
    replicas: list[DatabaseBackend],
) -> None:
    """The last one to push wins: the server has no way to refuse it. The day it does, this test
    fails, and the README may promise more."""
    first, second = replicas
    saved = first.save_environment(Environment("dev", {"n": "0"}))
    with first.transaction():
        second.save_environment(
            Environment("dev", {"n": "2"}, created_at=saved.created_at, version=1)
        )
        first.save_environment(
            Environment("dev", {"n": "1"}, created_at=saved.created_at, version=1)
        )
    for replica in replicas:
        environment = replica.get_environment("dev")
        assert environment is not None
        assert environment.pointers == {"n": "1"}


def test_a_replica_belongs_to_one_process(replicas: list[DatabaseBackend]) -> None:
    first, _ = replicas
    with pytest.raises(StateError, match="another process has this replica open"):
        DatabaseBackend(url=_url_of(first)).initialize()
    first.close()
    with closing(DatabaseBackend(url=_url_of(first))) as again:
        again.initialize()


def test_what_could_not_be_sent_is_sent_with_the_next_write(
    tmp_path: Path, turso_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seeknal_state_db import database

    def offline(connection: sa.Connection) -> object:
        raise OSError("the network is away")

    url = f"turso+sync:///{tmp_path}/a.db?remote_url={turso_server}"
    with closing(DatabaseBackend(url=url)) as first:
        first.initialize()
        first.create_run("r")
        with monkeypatch.context() as away:
            away.setattr(database.Database, "_pull", lambda self: None)
            away.setattr(database, "_synced", offline)
            with pytest.raises(StateError, match="sent with what is written next"):
                first.set_node_state("r", "n", rows=1)
        first.set_node_state("r", "m", rows=2)
    other = f"turso+sync:///{tmp_path}/b.db?remote_url={turso_server}"
    with closing(DatabaseBackend(url=other)) as second:
        second.initialize()
        assert [state.node_id for state in second.list_node_states("r")] == ["m", "n"]


def _url_of(backend: DatabaseBackend) -> str:
    return backend._db.address.url.render_as_string(hide_password=False)
