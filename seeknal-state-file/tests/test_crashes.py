"""Processes that die anywhere, machines that lose power, and disks that refuse."""

from __future__ import annotations

import errno
import itertools
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seeknal.errors import StateError
from seeknal.state.records import NodeState, Record
from seeknal.testing.state_backend import contents, day, fill
from seeknal_state_file import store
from seeknal_state_file.backend import FileBackend

DieAtCall = Callable[[int, Callable[[], None]], bool]
Change = Callable[[FileBackend], None]
Contents = dict[tuple[type[Record], tuple[str, ...]], Record]


def one_file(backend: FileBackend) -> None:
    backend.set_node_state("r1", "a", rows=7)


def several_files(backend: FileBackend) -> None:
    """Files that are new, others that are not, and some that go."""
    with backend.transaction():
        backend.update_run("r1", status="failed")
        for node_id in ("a", "b"):
            backend.set_node_state("r1", node_id, rows=7)
        backend.delete_run("r2")
        backend.remove_intervals("b", "s", *day(3))
        backend.add_completed_interval("r1", "c", *day(1), snapshot="s")


def open_only(backend: FileBackend) -> None:
    """No change."""


either = pytest.mark.parametrize("change", [one_file, several_files])
"""What is stored: decided in one way for a file, in another for several."""


@pytest.fixture
def filled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some state, of which `restart` makes copies."""
    monkeypatch.setattr(store, "sync", lambda path: None)
    with opened(folder / "filled") as backend:
        fill(backend)
    return folder / "filled"


def restart(filled: Path, state: Path) -> None:
    shutil.rmtree(state, ignore_errors=True)
    shutil.copytree(filled / "state", state)


@contextmanager
def opened(folder: Path) -> Iterator[FileBackend]:
    backend = FileBackend(folder)
    backend.initialize()
    yield backend
    backend.close()


def apply(change: Change, folder: Path) -> None:
    with opened(folder) as backend:
        change(backend)


def found_in(folder: Path) -> Contents:
    with opened(folder) as backend:
        return contents(backend)


def before_and_after(change: Change, filled: Path) -> tuple[Contents, Contents]:
    copy = filled.parent / "copy"
    shutil.copytree(filled, copy)
    before = found_in(copy)
    apply(change, copy)
    after = found_in(copy)
    assert before != after
    return before, after


def states_of_r1(found: Contents) -> list[NodeState]:
    states = [record for record in found.values() if isinstance(record, NodeState)]
    return [state for state in states if state.run_id == "r1"]


# --- Processes ------------------------------------------------------------------------------


@either
@pytest.mark.parametrize("checkpoint_bytes", [1, store.CHECKPOINT_BYTES])
def test_wherever_a_process_dies_its_change_is_there_whole_or_not_at_all(
    filled: Path,
    state: Path,
    change: Change,
    checkpoint_bytes: int,
    die_at_call: DieAtCall,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, after = before_and_after(change, filled)
    monkeypatch.setattr(store, "CHECKPOINT_BYTES", checkpoint_bytes)
    outcomes = []
    for call in itertools.count():
        restart(filled, state)
        reader = FileBackend(state.parent)
        reader.initialize()
        done = die_at_call(call, lambda: apply(change, state.parent))
        assert reader.list_node_states("r1") in (states_of_r1(before), states_of_r1(after))
        found = contents(reader)
        reader.close()
        assert found == after if done else found in (before, after)
        outcomes.append(found == after)
        if done:
            break
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


@either
def test_a_repair_that_dies_is_done_by_the_next_one(
    filled: Path, state: Path, change: Change, die_at_call: DieAtCall
) -> None:
    _, after = before_and_after(change, filled)
    for call in itertools.count():
        restart(filled, state)
        apply(change, state.parent)
        (state / ".mark").write_bytes(b"")
        (state / "nodes/r1/a.json").unlink()
        done = die_at_call(call, lambda: apply(open_only, state.parent))
        assert found_in(state.parent) == after
        if done:
            break
    assert call > 10


# --- Power ----------------------------------------------------------------------------------


@either
@pytest.mark.parametrize("checkpoint_bytes", [1, store.CHECKPOINT_BYTES])
@pytest.mark.parametrize("seed", range(2))
def test_whenever_power_fails_a_change_is_there_whole_or_not_at_all(
    filled: Path,
    state: Path,
    change: Change,
    checkpoint_bytes: int,
    seed: int,
    disk: Any,
    die_at_call: DieAtCall,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, after = before_and_after(change, filled)
    monkeypatch.setattr(store, "CHECKPOINT_BYTES", checkpoint_bytes)
    for call in itertools.count():
        restart(filled, state)
        disk.sync()
        done = die_at_call(call, lambda: apply(change, state.parent))
        disk.lose_power(random.Random(f"{seed} {call}"))
        found = found_in(state.parent)
        assert found == after if done else found in (before, after)
        disk.lose_power(random.Random(call))
        assert found_in(state.parent) == found
        if done:
            break


LOSSES: dict[str, Callable[[Path], object]] = {
    "lost": lambda file: file.unlink(),
    "emptied": lambda file: os.truncate(file, 0),
    "half": lambda file: os.truncate(file, 50),
    "zeros": lambda file: file.write_bytes(bytes(200)),
    "half written over": lambda file: file.write_bytes(b"{" * 50 + file.read_bytes()[50:]),
    "not yet renamed": lambda file: file.rename(file.with_name(".writing")),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_power_failure_took_is_written_again(
    backend: FileBackend, folder: Path, state: Path, disk: Any, loss: str
) -> None:
    fill(backend)
    several_files(backend)
    backend.create_run("r2")
    backend.set_node_state("r2", "a", rows=8)
    before = contents(backend)
    backend.close()
    for file in [f for f in state.rglob("*.json") if f.is_file()]:
        LOSSES[loss](file)
    disk.start_again()
    assert found_in(folder) == before
    assert not (state / "damaged").exists()


def test_one_that_has_the_folder_open_goes_on_after_another_found_it_crashed(
    backend: FileBackend, folder: Path, state: Path, disk: Any
) -> None:
    backend.create_run("r")
    disk.start_again()
    (state / "runs/r.json").unlink()
    assert found_in(folder)
    assert backend.get_run("r")
    backend.create_run("q")
    assert len(found_in(folder)) == 2


# --- Disks ----------------------------------------------------------------------------------


@contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    left = size
    pwrite = os.pwrite

    def limited(descriptor: int, content: bytes, offset: int) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = pwrite(descriptor, content[:left], offset)
        left -= written
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", limited)
        yield


WILL_BE_THERE = "will be there when this is mended"


@either
def test_a_full_disk_is_told_and_loses_nothing(filled: Path, state: Path, change: Change) -> None:
    before, after = before_and_after(change, filled)
    told = {False: 0, True: 0}
    for room in itertools.count(step=17):
        restart(filled, state)
        backend = FileBackend(state.parent)
        backend.initialize()
        with disk_with_room_for(room):
            try:
                change(backend)
                break
            except StateError as error:
                message = str(error)
        assert f"{state} can't be written: [Errno 28] No space left on device" in message
        decided = WILL_BE_THERE in message
        told[decided] += 1
        assert contents(backend) == (after if decided else before)
        backend.create_run("next")
        backend.close()
        assert len(found_in(state.parent)) == len(after if decided else before) + 1
    assert contents(backend) == after
    assert told[False] > 5
    assert told[True] > 5


def refuse(*_: Any, **__: Any) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.mark.parametrize(
    ("change", "place", "name", "decided"),
    [
        (one_file, os, "rename", True),
        *(
            (change, *refused)
            for change in (one_file, several_files)
            for refused in (
                (store, "_sync_data", False),
                (os, "open", True),
                (os, "lseek", True),
                (store, "_sync_file_system", True),
            )
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", ""),
)
def test_what_an_unwritable_disk_refuses_is_not_stored_or_stored_later(
    backend: FileBackend,
    state: Path,
    change: Change,
    place: Any,
    name: str,
    decided: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(backend)
    before = contents(backend)
    monkeypatch.setattr(store, "CHECKPOINT_BYTES", 1)
    with monkeypatch.context() as patch:
        patch.setattr(place, name, refuse)
        with pytest.raises(StateError, match=re.escape(f"{state} can't be written")) as told:
            change(backend)
    assert (WILL_BE_THERE in str(told.value)) == decided
    assert (contents(backend) != before) == decided
    if not decided:
        change(backend)
        assert contents(backend) != before


def test_a_folder_that_can_not_be_removed_yet_is_removed_later(
    backend: FileBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(backend)
    unlink = os.unlink

    def refuse_in_folders(path: Any, *, dir_fd: int | None = None) -> None:
        unlink(path) if dir_fd is None else refuse()

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse_in_folders)
        with pytest.raises(StateError, match=WILL_BE_THERE):
            backend.delete_run("r2")
    backend.create_run("r2")
    assert backend.list_node_states("r2") == []


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_all(
    backend: FileBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, content, at: pwrite(file, content[:30], at))
    backend.create_run("r", error="long " * 100)
    run = backend.get_run("r")
    assert run is not None
    assert run.error == "long " * 100


def test_what_a_checkpoint_could_not_bring_to_disk_is_written_anew(
    backend: FileBackend, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(backend)
    before = contents(backend)
    monkeypatch.setattr(store, "CHECKPOINT_BYTES", 1)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_sync_file_system", refuse)
        with pytest.raises(StateError, match=WILL_BE_THERE):
            backend.create_run("r")
    for file in state.glob("nodes/*/*.json"):
        file.write_bytes(b"")
    backend.delete_run("r")
    assert contents(backend) == before


@pytest.mark.parametrize("read_first", [True, False])
def test_a_place_where_no_folder_can_be_made_is_named(folder: Path, read_first: bool) -> None:
    (folder / "file").touch()
    backend = FileBackend(folder / "file")
    with pytest.raises(StateError, match=re.escape(f"{folder / 'file/state'} can't be written")):
        backend.list_runs() if read_first else backend.create_run("r")
