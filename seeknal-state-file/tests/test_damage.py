"""What is damaged is noticed by its checksum, set aside, reported, and costs nothing else."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seeknal.state.records import Environment, NodeState, Record, Revision
from seeknal.testing.processes import in_children
from seeknal.testing.state_backend import contents, day, fill
from seeknal_state_file import store
from seeknal_state_file.backend import FileBackend

GARBAGE = random.Random(0).randbytes(5000)

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda sound: b"",
    "cut off": lambda sound: sound[:-1],
    "halved": lambda sound: sound[: len(sound) // 2],
    "zeros": lambda sound: bytes(len(sound)),
    "garbage": lambda sound: GARBAGE,
    "text": lambda sound: "café".encode("latin-1"),
    "no checksum": lambda sound: b"{}\n",
    "edited": lambda sound: sound.replace(b"running", b"success"),
    "longer": lambda sound: sound + b"\n",
    "twice": lambda sound: sound * 2,
}


def flips(sound: bytes) -> Iterator[bytes]:
    """All that come of a content when one bit of it changes."""
    for bit in range(8 * len(sound)):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


def reports(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert {name for name, _, _ in caplog.record_tuples} <= {"seeknal.state"}
    assert {level for _, level, _ in caplog.record_tuples} <= {logging.WARNING}
    return caplog.messages


def asides(state: Path) -> list[Path]:
    return sorted((state / "damaged").glob("*"))


# --- Files ----------------------------------------------------------------------------------


def test_one_bit_anywhere_in_a_file_is_noticed(backend: FileBackend, state: Path) -> None:
    backend.create_run("r")
    file = state / "runs/r.json"
    sound = file.read_bytes()
    for flipped in flips(sound):
        file.write_bytes(flipped)
        assert backend.get_run("r") is None, flipped
        assert not file.exists()
    file.write_bytes(sound)
    assert backend.get_run("r")


def test_a_file_that_ends_anywhere_too_early_is_noticed(backend: FileBackend, state: Path) -> None:
    backend.create_run("r")
    file = state / "runs/r.json"
    sound = file.read_bytes()
    for length in range(len(sound)):
        file.write_bytes(sound[:length])
        assert backend.get_run("r") is None, length


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside_and_reported_by_name(
    backend: FileBackend,
    folder: Path,
    state: Path,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend.create_run("r")
    file = state / "runs/r.json"
    damaged = DAMAGES[damage](file.read_bytes())
    file.write_bytes(damaged)
    assert backend.get_run("r") is None
    assert backend.get_run("r") is None
    (aside,) = asides(state)
    assert aside.read_bytes() == damaged
    (report,) = reports(caplog)
    assert str(file) in report
    assert str(aside) in report
    backend.create_run("r", status="failed")
    backend.close()
    again = FileBackend(folder)
    again.initialize()
    run = again.get_run("r")
    assert run is not None
    assert run.status == "failed"
    again.close()


@pytest.mark.parametrize(
    "path",
    [
        "runs/r2.json",
        "nodes/r2/a.json",
        "environments/dev.json",
        "revisions/dev/1.json",
        "intervals/b/s/2024-01.json",
    ],
)
def test_a_damaged_file_costs_what_it_held_and_nothing_else(
    backend: FileBackend, folder: Path, state: Path, path: str
) -> None:
    fill(backend)
    before = everything(backend)
    (state / path).write_bytes(b"")
    after = everything(backend)
    assert after < before
    assert len(before - after) == 1
    again = FileBackend(folder)
    again.initialize()
    assert everything(again) == after
    again.close()


def everything(backend: FileBackend) -> set[str]:
    """Also what belongs to something that is lost."""
    records: list[Record] = list(contents(backend).values())
    states = [*backend.list_node_states("r1"), *backend.list_node_states("r2")]
    return {repr(record) for record in [*records, *states, *backend.list_revisions("dev")]}


def test_what_is_left_of_a_damaged_environment_is_not_in_the_way_of_its_successor(
    backend: FileBackend, state: Path
) -> None:
    fill(backend)
    (state / "environments/dev.json").write_bytes(b"")
    backend.save_environment(Environment("dev"))
    assert backend.list_revisions("dev") == []
    backend.add_revision(Revision("dev", 1))


def test_a_damaged_month_costs_that_month(backend: FileBackend, state: Path) -> None:
    backend.create_run("r")
    backend.add_completed_interval("r", "n", *day(1, 40))
    (state / "intervals/n/%/2024-01.json").write_bytes(b"")
    assert backend.get_completed_intervals("n", None) == [day(32, 40)]
    backend.add_completed_interval("r", "n", *day(5))
    assert backend.get_completed_intervals("n", None) == [day(5), day(32, 40)]


def test_a_damaged_lock_is_free_and_one_on_the_schema_costs_nothing(
    backend: FileBackend, folder: Path, state: Path
) -> None:
    backend.create_run("r")
    abandoned = backend.acquire_lock("r", 0) or pytest.fail("the lock wasn't free")
    (state / "locks/r.json").write_bytes(b"")
    (state / "about/schema.json").write_bytes(b"")
    again = FileBackend(folder)
    again.initialize()
    assert again.get_run("r")
    with again.acquire_lock("r", 0) or pytest.fail("the lock wasn't free") as lock:
        assert lock.token == 2
    assert len(asides(state)) == 2
    abandoned.release()
    again.close()


def test_damage_is_found_inside_a_transaction_which_goes_on(
    backend: FileBackend, folder: Path, state: Path
) -> None:
    fill(backend)
    (state / "runs/r1.json").write_bytes(b"\xff")
    with backend.transaction():
        backend.update_run("r2", status="failed")
        assert backend.get_run("r1") is None
        backend.create_run("r1", status="success")
    again = FileBackend(folder)
    again.initialize()
    assert {run.run_id: run.status for run in again.list_runs()} == {
        "r1": "success",
        "r2": "failed",
    }
    assert len(asides(state)) == 1
    again.close()


def test_a_listing_goes_on_without_what_is_damaged(
    backend: FileBackend, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backend.create_run("r")
    backend.restore(NodeState("r", f"n{number}") for number in range(5))
    for number in (0, 2, 4):
        (state / f"nodes/r/n{number}.json").write_bytes(b"{}")
    assert [found.node_id for found in backend.list_node_states("r")] == ["n1", "n3"]
    assert [report.split(" is damaged")[0][-7:] for report in reports(caplog)] == [
        "n0.json", "n2.json", "n4.json",
    ]  # fmt: skip
    backend.set_node_state("r", "n2")
    assert len(backend.list_node_states("r")) == 3


def test_damage_under_the_longest_names_is_set_aside(backend: FileBackend, state: Path) -> None:
    long = "é" * 300
    backend.create_run(long)
    backend.set_node_state(long, long)
    (file,) = (state / "nodes").rglob("*.json")
    file.write_bytes(b"")
    assert backend.list_node_states(long) == []
    (aside,) = asides(state)
    assert file.name in aside.name


def test_several_processes_that_find_one_damaged_file_go_on(
    backend: FileBackend, state: Path
) -> None:
    backend.create_run("r")
    backend.create_run("damaged")
    for _ in range(5):
        (state / "runs/damaged.json").write_bytes(b"")

        def look() -> None:
            assert [run.run_id for run in backend.list_runs()] == ["r"]

        in_children([look] * 4)
    assert len(asides(state)) == 5


# --- The journal ----------------------------------------------------------------------------


def power_failed(state: Path, *lost: str) -> None:
    """The machine was started anew, and files never reached the disk."""
    (state / ".mark").write_bytes(b"not this boot")
    for path in lost:
        (state / path).unlink(missing_ok=True)


def runs_after_power_failed(state: Path) -> list[str]:
    power_failed(state, "runs/a.json", "runs/b.json", "runs/c.json")
    again = FileBackend(state.parent)
    again.initialize()
    found = sorted(run.run_id for run in again.list_runs())
    again.close()
    return found


@pytest.fixture
def lines(backend: FileBackend, state: Path) -> list[bytes]:
    """Four transactions, as the journal has them: a first one, then those of the runs a, b, c."""
    journal = state / ".journal"
    made = [journal.read_bytes()]
    for run_id in "abc":
        backend.create_run(run_id)
        made.append(journal.read_bytes().removeprefix(b"".join(made)))
    return made


def test_one_bit_anywhere_in_a_transaction_costs_none_but_that(
    lines: list[bytes], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_sync_file_system", lambda descriptor: None)
    first, a, b, c = lines
    for flipped in flips(b):
        (state / ".journal").write_bytes(first + a + flipped + c)
        assert runs_after_power_failed(state) == ["a", "c"], flipped


def test_a_damaged_transaction_is_set_aside_and_reported_once(
    lines: list[bytes], state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, a, b, c = lines
    damaged = b.replace(b"running", b"success")
    (state / ".journal").write_bytes(first + a + damaged + c)
    assert runs_after_power_failed(state) == ["a", "c"]
    (aside,) = asides(state)
    assert aside.read_bytes() == damaged.strip() + b"\n"
    (report,) = reports(caplog)
    assert str(state / ".journal") in report
    assert str(aside) in report
    power_failed(state)
    again = FileBackend(state.parent)
    again.initialize()
    again.create_run("b", status="success")
    assert [run.run_id for run in again.list_runs()] == ["b", "c", "a"]
    assert len(reports(caplog)) == 1
    again.close()


@pytest.mark.parametrize("damage", [bytes(5000), GARBAGE, b"\r\n\n\r", b"\xff"])
def test_any_damage_in_the_middle_of_the_journal_leaves_what_follows(
    lines: list[bytes], state: Path, damage: bytes
) -> None:
    first, a, _, c = lines
    (state / ".journal").write_bytes(first + a + damage + c)
    assert runs_after_power_failed(state) == ["a", "c"]


def test_a_transaction_that_was_never_written_to_its_end_is_dropped_in_silence(
    lines: list[bytes],
    state: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "_sync_file_system", lambda descriptor: None)
    first, a, b, c = lines
    for length in range(len(c)):
        (state / ".journal").write_bytes(first + a + b + c[:length])
        assert runs_after_power_failed(state) == ["a", "b"], length
        again = FileBackend(state.parent)
        again.create_run("later")
        again.close()
        assert runs_after_power_failed(state)[-1] == "later", length
        (state / "runs/later.json").unlink()
    assert not caplog.messages
    assert not asides(state)


def test_a_last_transaction_whose_very_last_byte_is_damaged_is_there(
    lines: list[bytes], state: Path
) -> None:
    (state / ".journal").write_bytes(b"".join(lines)[:-1] + b"J")
    assert runs_after_power_failed(state) == ["a", "b", "c"]
