"""The files: where people find them, what they are called, and how many are touched."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seeknal.state.backend import StateBackend, create_state_backend
from seeknal.state.records import NodeState, Record, Run
from seeknal.testing.state_backend import fill
from seeknal_state_file import store
from seeknal_state_file.backend import FileBackend, file_name


def files(state: Path) -> dict[str, Path]:
    """All that people are to see, by the path within the folder."""
    found = {f.relative_to(state).as_posix(): f for f in state.rglob("*") if f.is_file()}
    return {path: file for path, file in found.items() if not file.name.startswith(".")}


def test_the_public_factory_makes_one(folder: Path) -> None:
    made: StateBackend = create_state_backend("file", base_path=str(folder / "target"))
    made.initialize()
    made.create_run("r")
    made.close()
    assert (folder / "target/state/runs/r.json").is_file()


def test_the_class_can_be_imported_from_the_core() -> None:
    from seeknal.state.backend import FileBackend as FromCore

    assert FromCore is FileBackend


def test_records_are_where_people_look_for_them(backend: FileBackend, state: Path) -> None:
    fill(backend)
    assert set(files(state)) == {
        "about/schema.json",
        "environments/dev.json",
        "holdings/a/s-1.json",
        "intervals/a/s/2024-01.json",
        "intervals/a/s/2024-02.json",
        "intervals/b/s/2024-01.json",
        "nodes/r1/a.json",
        "nodes/r2/a.json",
        "nodes/r2/b.json",
        "revisions/dev/1.json",
        "runs/r1.json",
        "runs/r2.json",
    }


def test_what_is_forgotten_leaves_no_files(backend: FileBackend, state: Path) -> None:
    before = set(files(state))
    backend.create_run("r")
    backend.set_node_state("r", "n")
    backend.add_completed_interval("r", "n", "2024-01-01", "2024-03-01")
    backend.remove_intervals("n", None, "2024-01-01", "2024-03-01")
    backend.delete_run("r")
    assert set(files(state)) == before


def test_a_file_is_json_with_a_field_a_line(backend: FileBackend, state: Path) -> None:
    backend.create_run("r")
    backend.set_node_state("r", "transform.a", status="success", rows=1, error="café\n")
    text = files(state)["nodes/r/transform.a.json"].read_text(encoding="utf-8")
    fields = json.loads(text)
    assert fields["run_id"] == "r"
    assert text.splitlines()[0] == "{"
    assert len(text.splitlines()) == len(fields) + 2
    for line in ('  "status": "success",', '  "rows": 1,', '  "error": "café\\n",'):
        assert line in text.splitlines()


def test_what_becomes_shorter_leaves_nothing_of_what_was_longer(
    backend: FileBackend, state: Path
) -> None:
    backend.create_run("r")
    for error in ("long " * 100, None):
        with backend.transaction():
            backend.set_node_state("r", "a", error=error)
            backend.set_node_state("r", "b", error=error)
    for name in "ab":
        assert json.loads((state / f"nodes/r/{name}.json").read_text())["error"] is None
    assert backend.list_node_states("r") == [NodeState("r", "a"), NodeState("r", "b")]


def test_files_of_others_are_left_alone(backend: FileBackend, state: Path) -> None:
    backend.create_run("r")
    theirs = [state / "runs" / name for name in ("notes.txt", "r.json~", ".r.json.swp")]
    for file in theirs:
        file.write_bytes((state / "runs/r.json").read_bytes())
    assert [run.run_id for run in backend.list_runs()] == ["r"]
    assert all(file.exists() for file in theirs)


# --- Names ----------------------------------------------------------------------------------

PARTS = [
    "a",
    "A",
    "é",
    "E\u0301",
    "\u0130",
    "/",
    ".",
    "..",
    ".json",
    "%",
    "%61",
    "~",
    "\n",
    "\0",
    "\\",
]
names = st.lists(st.sampled_from([*PARTS, "x" * 70, "X" * 70]) | st.characters(codec="utf-8")).map(
    "".join
)


@settings(deadline=None, max_examples=300)
@given(name=names)
@example("")
@example(".json")
@example("a.json\n")
@example("x" * 120)
@example("x" * 121)
@example("中" * 300)
def test_any_name_makes_a_file_name_that_any_file_system_takes(name: str) -> None:
    made = file_name(name)
    assert made
    assert made.isascii()
    assert made.isprintable()
    assert made == made.casefold()
    assert not set(made) & set('/\\:*?"<>|')
    assert not made.startswith(".")
    assert not made.endswith(".json")
    assert len(f"{made}.json") <= 255


@settings(deadline=None, max_examples=300)
@given(made=st.sets(names, min_size=2, max_size=30))
def test_names_that_differ_make_file_names_that_differ(made: set[str]) -> None:
    assert len({file_name(name).casefold() for name in made}) == len(made)


@settings(deadline=None, max_examples=200)
@given(name=names.filter(lambda name: len(name) < 30))
def test_a_file_name_tells_the_name(name: str) -> None:
    assert unquote(file_name(name)) == (name or "%") or "~" in file_name(name)


def test_long_names_that_differ_at_their_end_make_file_names_that_differ() -> None:
    made = {file_name("x" * length) for length in range(100, 400)}
    assert len(made) == 300
    assert file_name("x" * 120) == "x" * 120


def test_a_run_called_like_a_file_is_not_in_the_way_of_another(backend: FileBackend) -> None:
    for run_id in ("a", "a.json"):
        backend.create_run(run_id)
        backend.set_node_state(run_id, "n")
    backend.delete_run("a")
    assert [run.run_id for run in backend.list_runs()] == ["a.json"]
    assert len(backend.list_node_states("a.json")) == 1


# --- What a write costs ---------------------------------------------------------------------


def test_the_journal_does_not_grow_without_bounds(
    backend: FileBackend, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CHECKPOINT_BYTES", 5000)
    emptied = 0
    for number in range(100):
        backend.create_run(f"r{number}")
        size = (state / ".journal").stat().st_size
        assert size < 5000
        emptied += size == 0
    assert emptied > 2
    assert len(backend.list_runs()) == 100


def test_a_write_costs_the_same_among_few_records_and_among_many(
    backend: FileBackend, state: Path
) -> None:
    backend.restore(records(10))
    few = system_calls(lambda: backend.set_node_state("r", "n5", status="success"))
    backend.restore(records(20_000))
    before = {path: signature(state / path) for path in (*files(state), ".journal", ".mark")}
    many = system_calls(lambda: backend.set_node_state("r", "n6", status="success"))
    after = {path: signature(state / path) for path in (*files(state), ".journal", ".mark")}
    assert few == many
    assert 5 < many.total() < 30
    assert not {"listdir", "scandir"} & set(many)
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {"nodes/r/n6.json", ".journal", ".mark"}
    assert after[".journal"][0] - before[".journal"][0] < 1000


def records(nodes: int) -> list[Record]:
    return [Run("r"), *(NodeState("r", f"n{number}") for number in range(nodes))]


def signature(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def system_calls(work: Callable[[], None]) -> Counter[str]:
    made: Counter[str] = Counter()

    def count(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and function.__module__ in ("posix", "fcntl", "io", "_io"):
            made[function.__name__] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return made
