"""Records go in and come out, several at once, and whatever dies when."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from seeknal.errors import ConflictError, RequestError, StateError
from seeknal.state.backend import StateBackend, create_state_backend
from seeknal.state.records import Environment
from seeknal_state_file.backend import FileBackend


@pytest.fixture
def backend(tmp_path: Path) -> FileBackend:
    backend = FileBackend(tmp_path)
    backend.initialize()
    return backend


def test_the_public_factory_makes_one(tmp_path: Path) -> None:
    made: StateBackend = create_state_backend("file", base_path=str(tmp_path / "target"))
    made.initialize()
    made.create_run("r")
    assert (tmp_path / "target/state/runs/r/run.json").is_file()


def test_the_class_can_be_imported_from_the_core() -> None:
    from seeknal.state.backend import FileBackend as FromCore  # type: ignore[attr-defined]

    assert FromCore is FileBackend


def test_runs_come_back_newest_first(backend: FileBackend) -> None:
    for run_id in ("a", "b", "c"):
        backend.create_run(run_id, environment="dev")
    backend.update_run("b", status="failed", counts={"failed": 1})
    assert [r.run_id for r in backend.list_runs()] == ["c", "b", "a"]
    assert [r.run_id for r in backend.list_runs(limit=1)] == ["c"]
    run = backend.get_run("b")
    assert run is not None
    assert (run.status, run.environment, run.counts) == ("failed", "dev", {"failed": 1})
    assert backend.get_run("d") is None


def test_a_run_is_created_once_and_updated_only_when_there(backend: FileBackend) -> None:
    backend.create_run("a")
    with pytest.raises(ConflictError, match="already a run 'a'"):
        backend.create_run("a")
    with pytest.raises(StateError, match="no run 'b'"):
        backend.update_run("b", status="failed")


def test_an_unknown_field_is_refused_with_those_that_there_are(backend: FileBackend) -> None:
    with pytest.raises(RequestError, match=r"A run has no field 'statsu'\. Did you mean 'status'"):
        backend.create_run("a", statsu="running")


def test_node_states_keep_what_is_not_given(backend: FileBackend) -> None:
    backend.create_run("r")
    backend.set_node_state("r", "transform.b", status="running", snapshot="s")
    backend.set_node_state("r", "transform.b", status="success", rows=3)
    backend.set_node_state("r", "transform.a", status="failed", error="oh: \u00e9\u4e2d\n")
    state = backend.get_node_state("r", "transform.b")
    assert state is not None
    assert (state.status, state.snapshot, state.rows) == ("success", "s", 3)
    listed = backend.list_node_states("r")
    assert [s.node_id for s in listed] == ["transform.a", "transform.b"]
    assert listed[0].error == "oh: \u00e9\u4e2d\n"


def test_an_environment_is_written_only_over_what_was_read(backend: FileBackend) -> None:
    first = backend.save_environment(Environment("prod", pointers={"a": "1"}))
    second = backend.save_environment(replace(first, pointers={"a": "2"}))
    assert (first.version, second.version) == (1, 2)
    with pytest.raises(ConflictError, match="at version 2, and not at 1"):
        backend.save_environment(first)
    assert backend.get_environment("prod") == second
    assert backend.list_environments() == [second]


def test_a_transaction_lands_whole_or_not_at_all(backend: FileBackend) -> None:
    def both() -> None:
        with backend.transaction():
            backend.create_run("r")
            backend.set_node_state("r", "n", status="success")
            assert [s.node_id for s in backend.list_node_states("r")] == ["n"]
            raise ValueError

    with pytest.raises(ValueError):
        both()
    assert backend.get_run("r") is None
    assert backend.list_runs() == []
    with backend.transaction(), backend.transaction():
        backend.create_run("r")
    assert backend.get_run("r") is not None


def test_records_are_files_that_people_can_read(backend: FileBackend, tmp_path: Path) -> None:
    backend.create_run("r")
    backend.set_node_state("r", "transform.a", status="success", rows=1)
    text = (tmp_path / "state/runs/r/nodes/transform.a.json").read_text()
    assert '\n  "status": "success",\n' in text


def test_a_journal_that_was_decided_is_carried_out_by_the_next_one(
    backend: FileBackend, tmp_path: Path
) -> None:
    backend.create_run("r")
    decided = {"runs/r/nodes/n.json": json.dumps({"run_id": "r", "node_id": "n", "rows": 7})}
    (tmp_path / "state/journal/00000009.json").write_text(json.dumps(decided))
    again = FileBackend(tmp_path)
    again.initialize()
    state = again.get_node_state("r", "n")
    assert state is not None
    assert state.rows == 7


def test_files_that_the_machine_lost_when_it_went_down_are_written_again(
    backend: FileBackend, tmp_path: Path
) -> None:
    backend.create_run("r")
    backend.update_run("r", status="success")
    (tmp_path / "state/runs/r/run.json").write_text("")
    for journal in (tmp_path / "state/journal").iterdir():
        journal.rename(journal.with_suffix(".0ddb007d"))
    again = FileBackend(tmp_path)
    again.initialize()
    run = again.get_run("r")
    assert run is not None
    assert run.status == "success"


def test_journals_do_not_pile_up(backend: FileBackend, tmp_path: Path) -> None:
    for number in range(200):
        backend.create_run(f"r{number}")
    assert len(list((tmp_path / "state/journal").iterdir())) < 100
    assert len(backend.list_runs()) == 200


def _write_states(root: Path, worker: int, count: int) -> None:
    backend = FileBackend(root)
    backend.initialize()
    for number in range(count):
        backend.set_node_state("r", f"n{worker}-{number}", status="success", rows=number)


def test_processes_that_write_at_once_lose_nothing(backend: FileBackend, tmp_path: Path) -> None:
    backend.create_run("r")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_write_states, args=(tmp_path, w, 100)) for w in range(4)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
        assert process.exitcode == 0
    assert len(backend.list_node_states("r")) == 400


def test_a_killed_writer_loses_nothing_it_was_told_is_kept(tmp_path: Path) -> None:
    """The child tells, through a pipe, each number whose two records have been committed."""
    chance = random.Random(7)
    kept = 0
    for attempt in range(40):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            backend = FileBackend(tmp_path)
            backend.initialize()
            for number in range(10_000):
                with backend.transaction():
                    backend.set_node_state(f"r{attempt}", "a", rows=number)
                    backend.set_node_state(f"r{attempt}", "b", rows=number)
                os.write(writer, b"%d\n" % number)
            os._exit(0)
        os.close(writer)
        time.sleep(chance.uniform(0.01, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        told = os.read(reader, 1_000_000).split()
        os.close(reader)
        after = FileBackend(tmp_path)
        after.initialize()
        a, b = (after.get_node_state(f"r{attempt}", n) for n in "ab")
        assert (a is None) == (b is None)
        if told:
            assert a is not None
            assert b is not None
            assert a.rows == b.rows
            assert a.rows is not None
            assert a.rows >= int(told[-1])
            kept += len(told)
    assert kept > 20
