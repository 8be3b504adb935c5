"""State moves from one backend to another whole, or not at all."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from seeknal.errors import ConflictError, StateError
from seeknal.state.backend import StateBackend, create_state_backend
from seeknal.state.migration import compare, migrate, take_inventory
from seeknal.state.records import Environment, Holding, Record, Revision
from seeknal.testing import MemoryBackend

SEEKNAL = str(Path(sys.executable).with_name("seeknal"))
JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
KINDS = ["file", "sqlite", "turso", "third-party"]


def opened(kind: str, folder: Path) -> StateBackend:
    backend: StateBackend
    if kind == "file":
        backend = create_state_backend("file", base_path=folder)
    elif kind == "third-party":
        backend = MemoryBackend()
    else:
        backend = create_state_backend("database", url=f"{kind}:///{folder}/{kind}.db")
    backend.initialize()
    return backend


def fill(backend: StateBackend, runs: int = 3) -> None:
    with backend.transaction():
        for number in range(runs):
            run_id = f"r{number}"
            started = JANUARY + timedelta(hours=number)
            backend.create_run(run_id, status="success", started_at=started, counts={"success": 2})
            for node_id in ("a", "A", "b/c"):
                backend.set_node_state(run_id, node_id, snapshot="s", rows=number, error="é\n")
            start = started + timedelta(days=2 * number)
            backend.add_completed_interval(run_id, "a", start, start + timedelta(days=40))
            backend.add_completed_interval(run_id, "b", start, start + timedelta(hours=1))
        dev = backend.save_environment(Environment("dev", {"a": "s"}, {"a": "r1"}))
        backend.save_environment(replace(dev, status="planned", plan="{}", revision=2))
        backend.save_environment(Environment("prod"))
        for environment, number in (("dev", 1), ("dev", 2), ("prod", 1)):
            backend.add_revision(Revision(environment, number, started, "é", '{"a": "s"}'))
        for pointer in ("s-1", "s-2"):
            backend.add_holding(Holding("b/c", pointer, "é"))


def contents(backend: StateBackend) -> dict[tuple[type[Record], tuple[str, ...]], bytes]:
    with backend.transaction():
        return dict(take_inventory(backend))


@pytest.mark.parametrize(("source", "target"), list(permutations(KINDS, 2)))
def test_everything_arrives(source: str, target: str, tmp_path: Path) -> None:
    with closing(opened(source, tmp_path)) as old, closing(opened(target, tmp_path)) as new:
        fill(old)
        before = contents(old)
        told: list[tuple[int, int]] = []
        compared = migrate(old, new, progress=lambda done, total: told.append((done, total)))
        assert contents(old) == contents(new) == before
        assert [(c.what, c.source, c.target, c.is_same) for c in compared] == [
            ("runs", 3, 3, True),
            ("node states", 9, 9, True),
            ("interval ledgers", 2, 2, True),
            ("environments", 2, 2, True),
            ("environment revisions", 3, 3, True),
            ("shown intervals", 2, 2, True),
        ]
        assert told == [(n, 21) for n in range(22)]
        migrate(old, new)
        assert contents(new) == before
        new.create_run("goes-on")


def test_state_that_is_behind_the_source_is_not_taken_for_its_own(tmp_path: Path) -> None:
    old, new = opened("file", tmp_path), opened("sqlite", tmp_path)
    fill(old)
    migrate(old, new)
    new.create_run("theirs")
    new.set_node_state("r1", "theirs")
    new.update_run("r2", status="failed")
    new.add_revision(Revision("dev", 3))
    new.add_holding(Holding("b", "s-1", "theirs"))
    theirs = contents(new)
    with pytest.raises(ConflictError) as error:
        migrate(old, new)
    for kind in ("runs", "node states", "environment revisions", "shown intervals"):
        assert f"{kind} too many: 1" in str(error.value)
    for told in ("runs other: 1", "--overwrite"):
        assert told in str(error.value)
    assert contents(new) == theirs
    by_kind = {c.what: c for c in compare(old, new)}
    assert (by_kind["runs"].differing, by_kind["runs"].extra) == (1, 1)
    migrate(old, new, overwrite=True)
    assert contents(new) == contents(old)


def test_a_run_at_work_is_waited_for(tmp_path: Path) -> None:
    old, new = opened("file", tmp_path), opened("sqlite", tmp_path)
    old.create_run("r")
    with old.acquire_lock("r", 0) or pytest.fail("the lock was free"):
        with pytest.raises(ConflictError, match=r"The run 'r' in 'prod' is at work \(process"):
            migrate(old, new)
        assert contents(new) == {}
    migrate(old, new)


def test_a_copy_that_is_not_the_same_is_noticed() -> None:
    class Forgetful(MemoryBackend):
        def records(self) -> Iterator[Record]:
            return (r for r in super().records() if r.key != ("r1", "A"))

    old, new = MemoryBackend(), Forgetful()
    old.initialize()
    new.initialize()
    fill(old)
    with pytest.raises(StateError, match="not what was copied: node states missing: 1"):
        migrate(old, new)


@pytest.mark.parametrize(("source", "target"), [("file", "sqlite"), ("sqlite", "file")])
def test_a_killed_migration_leaves_the_target_as_it_was_and_can_be_repeated(
    source: str, target: str, tmp_path: Path
) -> None:
    with closing(opened(source, tmp_path)) as old:
        fill(old, runs=60)
        before = contents(old)
    longest = min(_seconds(source, target, tmp_path / f"whole{n}", tmp_path) for n in range(3))
    chance = random.Random(3)
    outcomes = set()
    for number in range(60):
        to = tmp_path / str(number)
        child = _fork_migration(source, target, to, tmp_path)
        time.sleep(chance.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with closing(opened(target, to)) as new, closing(opened(source, tmp_path)) as old:
            arrived = contents(new)
            assert arrived in ({}, before)
            assert contents(old) == before
            outcomes.add(bool(arrived))
            migrate(old, new)
            assert contents(new) == before
    assert outcomes == {False, True}


def _fork_migration(source: str, target: str, to: Path, folder: Path) -> int:
    child = os.fork()
    if child == 0:
        with closing(opened(source, folder)) as old, closing(opened(target, to)) as new:
            migrate(old, new)
        os._exit(0)
    return child


def _seconds(source: str, target: str, to: Path, folder: Path) -> float:
    """How long a migration takes in a child."""
    started = time.monotonic()
    _, status = os.waitpid(_fork_migration(source, target, to, folder), 0)
    assert status == 0
    return time.monotonic() - started


# --- The command ----------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    settings = "name: moving\nstate:\n  name: file\n  database: {db_path: target/state.db}\n"
    (tmp_path / "seeknal_project.yml").write_text(settings)
    (tmp_path / "seeknal").mkdir()
    (tmp_path / "seeknal/one.sql").write_text("select 1 as x")
    seeknal(tmp_path, "run")
    return tmp_path


def seeknal(project: Path, *arguments: str, code: int = 0) -> str:
    command = [SEEKNAL, arguments[0], "-p", str(project), *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def use(project: Path, backend: str) -> None:
    settings = project / "seeknal_project.yml"
    text = settings.read_text()
    settings.write_text(text.replace("name: file", f"name: {backend}"))


def test_a_dry_run_tells_what_would_be_copied_and_writes_nothing(project: Path) -> None:
    said = seeknal(project, "migrate-state", "--backend", "database")
    assert "        1  runs\n        1  node states\n" in said
    assert "Nothing was written. Copy it with --no-dry-run." in said
    assert not (project / "target/state.db").exists()


def test_a_project_moves_and_moves_back(project: Path) -> None:
    said = seeknal(project, "migrate-state", "--backend", "database", "--no-dry-run")
    assert "Copied 1 run, 1 node state, 0 interval ledgers, 1 environment" in said
    use(project, "database")
    assert "Nothing to compute: 1 node up to date." in seeknal(project, "run")
    said = seeknal(project, "migrate-state", "--backend", "file", "--summary")
    assert "They differ in runs, environments." in said or "They differ in runs." in said
    refused = seeknal(project, "migrate-state", "--backend", "database", code=2)
    assert "is kept in 'database' already" in refused
    seeknal(project, "migrate-state", "--backend", "file", "--no-dry-run")
    said = seeknal(project, "migrate-state", "--backend", "file", "--summary", "--json")
    compared = json.loads(said)
    assert [c["source"] for c in compared] == [c["target"] for c in compared] == [2, 1, 0, 1, 1, 0]


def test_a_backend_that_is_not_installed_is_said_to_be(project: Path) -> None:
    said = seeknal(project, "migrate-state", "--backend", "databse", code=2)
    assert "Did you mean 'database'? Installed: database, file." in said
