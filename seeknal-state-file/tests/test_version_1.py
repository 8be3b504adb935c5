"""What older versions wrote is taken over once, whatever happens meanwhile; a newer one is left."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from seeknal.errors import StateError
from seeknal.state.records import SCHEMA, Environment, NodeState, Record, Run
from seeknal.testing.processes import in_children
from seeknal.testing.state_backend import JANUARY, contents
from seeknal_state_file.backend import FileBackend, file_name
from seeknal_state_file.store import Store

DieAtCall = Callable[[int, Callable[[], None]], bool]
Contents = dict[tuple[type[Record], tuple[str, ...]], Record]

RUNS = [
    Run("20240101T000000-ab", "prod", "success", JANUARY, JANUARY, {"success": 2}),
    Run("20240102T000000-cd", "Dev", "failed", JANUARY, error="café\n"),
    Run("20240103T000000-ef", "Dev", "running", JANUARY),
]
STATES = [
    NodeState(RUNS[0].run_id, "source.A", "success", "5b1f", JANUARY, JANUARY, 0.5, 3, 2**40),
    NodeState(RUNS[0].run_id, "transform.b/c", "success", "77aa"),
    NodeState(RUNS[1].run_id, "source.A", "failed", error="oh"),
]
ENVIRONMENTS = [
    Environment(
        name,
        {"source.A": name},
        {"source.A": "q"},
        created_at=JANUARY,
        updated_at=JANUARY,
        used_at=JANUARY,
        version=3,
    )
    for name in ("prod", "Dev", "dev", "café", "a~b", ".hidden", "l" * 128)
]
RECORDS: Contents = {
    (type(record), record.key): record for record in [*RUNS, *STATES, *ENVIRONMENTS]
}

BROUGHT_BY_3: dict[type[Record], set[str]] = {
    Run: {"pins"},
    NodeState: {"tasks"},
    Environment: {"status", "ttl_hours", "plan", "used_at", "revision"},
}


def place(record: Record) -> str:
    """The file of a record in version 1."""
    names = [quote(name, safe="") for name in record.key]
    if isinstance(record, Environment):
        return f"environments/{names[0]}.json"
    if isinstance(record, NodeState):
        return f"runs/{names[0]}/nodes/{names[1]}.json"
    return f"runs/{names[0]}/run.json"


def of_schema_2(record: Record) -> dict[str, Any]:
    fields = {**record.to_dict(), "schema": 2}
    return {name: value for name, value in fields.items() if name not in BROUGHT_BY_3[type(record)]}


def text(record: Record) -> str:
    """As version 1 wrote it."""
    fields = of_schema_2(record)
    for later in ("schema", "definitions", "addresses"):
        fields.pop(later, None)
    return json.dumps(fields, indent=2, ensure_ascii=False)


@pytest.fixture
def version_1(state: Path) -> Path:
    """All records, in files or, where those are older or were never written, in journals."""
    late = [RUNS[2], STATES[2], ENVIRONMENTS[0], ENVIRONMENTS[1]]
    older = [replace(environment, version=2, pointers={}) for environment in ENVIRONMENTS[:2]]
    for record in [*RUNS[:2], *STATES[:2], *older, *ENVIRONMENTS[2:]]:
        write(state / place(record), text(record))
    for number, suffix, records in (
        (7, "5b1f09e2", older),
        (8, "5b1f09e2", [replace(RUNS[2], status="new"), ENVIRONMENTS[1]]),
        (10, "json", late),
    ):
        journal = {place(record): text(record) for record in records}
        write(state / f"journal/{number:08}.{suffix}", json.dumps(journal))
    write(state / "environments/.prod.json.1234", "{ half")
    write(state / "journal/.00000011.json.1234", "{ half")
    write(state / ".lock", "")
    return state


def write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


def open_and_close(folder: Path) -> Contents:
    backend = FileBackend(folder)
    backend.initialize()
    found = contents(backend)
    backend.close()
    return found


def snapshot(state: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in state.rglob("*") if file.is_file()}


def test_all_that_version_1_wrote_is_taken_over(
    version_1: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert open_and_close(folder) == RECORDS
    assert open_and_close(folder) == RECORDS
    assert not caplog.messages


def test_no_file_of_version_1_is_left(version_1: Path, folder: Path) -> None:
    open_and_close(folder)
    written = FileBackend(folder / "anew")
    written.initialize()
    written.restore(RECORDS.values())
    written.close()
    left, right = (
        {file.relative_to(root) for file in root.rglob("*") if file.name != ".writing"}
        for root in (version_1, folder / "anew/state")
    )
    assert left == right


def test_an_upgrade_is_not_repeated_over_what_was_written_since(
    version_1: Path, folder: Path, disk: Any
) -> None:
    backend = FileBackend(folder)
    backend.initialize()
    prod = backend.save_environment(replace(ENVIRONMENTS[0], pointers={"source.A": "new"}))
    backend.delete_run(RUNS[0].run_id)
    backend.close()
    disk.lose_power(random.Random(0))
    backend.initialize()
    assert backend.get_environment("prod") == prod
    assert backend.get_run(RUNS[0].run_id) is None
    backend.close()


@pytest.mark.parametrize("power_fails", [False, True])
def test_wherever_an_upgrade_dies_the_next_one_has_all(
    version_1: Path,
    folder: Path,
    disk: Any,
    die_at_call: DieAtCall,
    power_fails: bool,
) -> None:
    before = snapshot(version_1)
    for call in itertools.count():
        disk.replace_by(before)
        done = die_at_call(call, lambda: FileBackend(folder).initialize())
        if power_fails:
            disk.lose_power(random.Random(call))
        assert open_and_close(folder) == RECORDS, call
        if done:
            break
    assert call > 50


def test_processes_that_upgrade_at_once_agree(version_1: Path, folder: Path, disk: Any) -> None:
    before = snapshot(version_1)
    for _ in range(5):
        disk.replace_by(before)
        in_children([lambda: FileBackend(folder).initialize()] * 4)
        assert open_and_close(folder) == RECORDS


def test_what_version_1_did_after_the_upgrade_is_taken_over_too(
    version_1: Path, folder: Path
) -> None:
    open_and_close(folder)
    late = Run("late", started_at=JANUARY)
    write(version_1 / place(late), text(late))
    write(version_1 / "journal/00000001.5b1f09e2", json.dumps({place(late): text(late)}))
    assert open_and_close(folder) == RECORDS | {(Run, ("late",)): late}


@pytest.mark.parametrize("content", [b"", b"\xff", b'{"run_id": "q"'])
def test_a_file_of_version_1_that_can_not_be_read_is_named_and_nothing_changed(
    version_1: Path, folder: Path, content: bytes
) -> None:
    damaged = version_1 / place(STATES[0])
    damaged.write_bytes(content)
    before = snapshot(version_1)
    with pytest.raises(StateError, match=r"source\.A\.json can't be read: .* Move it away"):
        FileBackend(folder).initialize()
    assert before.items() <= snapshot(version_1).items()
    damaged.unlink()
    assert set(RECORDS) - set(open_and_close(folder)) == {(NodeState, STATES[0].key)}


def test_what_was_written_with_schema_2_is_taken_over(folder: Path, state: Path) -> None:
    rooms: dict[type[Record], str] = {Run: "runs", NodeState: "nodes", Environment: "environments"}
    older = Store(state)
    with older.writing():
        older.write("about/schema.json", '{\n  "schema": 2\n}\n')
        for record in RECORDS.values():
            path = "/".join([rooms[type(record)], *map(file_name, record.key)])
            older.write(f"{path}.json", json.dumps(of_schema_2(record), indent=2) + "\n")
    older.close()
    assert b"used_at" not in (state / "environments/prod.json").read_bytes()
    assert open_and_close(folder) == RECORDS
    assert b"used_at" in (state / "environments/prod.json").read_bytes()
    after = snapshot(state)
    assert open_and_close(folder) == RECORDS
    assert snapshot(state) == after


@pytest.mark.parametrize("machine_was_restarted", [False, True])
def test_state_of_a_newer_schema_is_refused_and_left_as_it_is(
    backend: FileBackend, folder: Path, state: Path, machine_was_restarted: bool
) -> None:
    backend.restore(RECORDS.values())
    newer = Store(state)
    with newer.writing():
        newer.write("about/schema.json", f'{{\n  "schema": {SCHEMA + 1}\n}}\n')
        newer.write("runs/r.json", '{\n  "what is this": "for"\n}\n')
    newer.close()
    backend.close()
    if machine_was_restarted:
        (state / ".mark").write_bytes(b"not this boot")
    before = snapshot(state)
    with pytest.raises(
        StateError, match=f"newer Seeknal: its schema is {SCHEMA + 1}, .* up to {SCHEMA}"
    ):
        FileBackend(folder).initialize()
    after = snapshot(state)
    if machine_was_restarted:
        del before[state / ".mark"], after[state / ".mark"]
    assert after == before
