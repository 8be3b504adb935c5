"""The conformance suite passes a backend that keeps its promises, and no other."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seeknal.state.backend import StateBackend
from seeknal.testing import MemoryBackend, StateBackendSuite
from seeknal.testing import state_backend as suite_module

TESTS = {n: t for n, t in vars(StateBackendSuite).items() if n.startswith("test_")}
PROMISES = Path(__file__).parents[2] / "docs/behaviour/state-backends.md"


class TestMemory(StateBackendSuite):
    keeps = False
    shared_by_processes = False

    @pytest.fixture
    def open_backend(self) -> Callable[[], StateBackend]:
        return MemoryBackend


BROKEN = """
from contextlib import contextmanager
from dataclasses import replace

import pytest
from seeknal.errors import ConflictError
from seeknal.state.intervals import Interval
from seeknal.testing import MemoryBackend, StateBackendSuite


class Memory(MemoryBackend):
    {body}


class TestBroken(StateBackendSuite):
    keeps = False
    shared_by_processes = False
    examples = 5

    @pytest.fixture
    def open_backend(self):
        {fixture}
"""
FAULTS = {
    "S4": """def create_run(self, run_id, **fields):
        try:
            super().create_run(run_id, **fields)
        except ConflictError:
            pass""",
    "S6": """def list_runs(self, **how):
        return super().list_runs(**how)[::-1]""",
    "S11": """def _write(self, key, document):
        super()._write(tuple(part.lower() for part in key), document)

    def _read(self, key):
        return super()._read(tuple(part.lower() for part in key))""",
    "S12": """def set_node_state(self, run_id, node_id, **fields):
        self._delete("nodes", run_id, node_id)
        super().set_node_state(run_id, node_id, **fields)""",
    "S14": """def get_completed_intervals(self, node_id, snapshot):
        return [Interval(start, end) for start, end, _ in self._parts(node_id, snapshot)]""",
    "S18": """def _unmoved(self, ours, absent_is_fine):
        return ours""",
    "S20": """@contextmanager
    def _exclusive(self):
        yield""",
    "S22": """@contextmanager
    def transaction(self):
        with self._writing():
            yield""",
    "S25": """def _try_lock(self, name, lease_ms):
        self._delete("about", "tokens")
        return super()._try_lock(name, lease_ms)""",
    "S26": """def _renew(self, name, token, lease_ms):
        return True""",
    "S41": """def delete_environment(self, environment):
        self._delete("environments", environment.name)""",
    "S42": """def list_ledgers(self):
        return [("a", ""), ("a", "t"), ("b", "s")]""",
    "S43": """def list_holdings(self):
        return [("a", "p"), ("a", "q"), ("b", "p")]""",
    "S31": """def records(self):
        for record in super().records():
            if not hasattr(record, "parts"):
                yield record""",
}


def outcome(
    folder: Path, tests: list[str], body: str = "pass", fixture: str = "return Memory"
) -> str:
    (folder / "test_broken.py").write_text(BROKEN.format(body=body, fixture=fixture))
    chosen = [f"test_broken.py::TestBroken::{test}" for test in tests]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def cited_by(promise: str) -> list[str]:
    return [name for name, test in TESTS.items() if test.__doc__ == promise]


def test_without_a_fault_they_pass(tmp_path: Path) -> None:
    tests = [test for promise in FAULTS for test in cited_by(promise)]
    said = outcome(tmp_path, tests)
    assert re.fullmatch(r"\d+ passed(, 1 skipped)? in .*", said.splitlines()[-1]), said


@pytest.mark.parametrize("promise", FAULTS)
def test_a_backend_that_breaks_a_promise_fails_its_test(tmp_path: Path, promise: str) -> None:
    said = outcome(tmp_path, cited_by(promise), FAULTS[promise])
    assert "FAILED test_broken.py::TestBroken" in said, said


def test_a_storage_that_leaks_from_test_to_test_is_noticed(tmp_path: Path) -> None:
    tests = [*cited_by("S3"), *cited_by("S4")]
    said = outcome(tmp_path, tests, fixture="return lambda: SHARED\n\n\nSHARED = Memory()")
    assert "the fixture open_backend gave a storage that isn't empty" in said


def test_a_test_of_the_suite_is_not_overridden_silently() -> None:
    with pytest.raises(TypeError, match=r"keeps, shared_by_processes\) to False, or mark"):

        class Overrides(StateBackendSuite):
            def test_a_run_is_what_was_given(self) -> None:  # type: ignore[override]
                pass

    class Marked(StateBackendSuite):
        @pytest.mark.xfail(reason="known")
        def test_a_run_is_what_was_given(self) -> None:  # type: ignore[override]
            pass


def test_every_promise_is_tested_and_every_test_cites_one() -> None:
    promised = re.findall(r"^- \*\*(S\d+)\*\*", PROMISES.read_text(), re.MULTILINE)
    assert sorted(int(promise[1:]) for promise in promised) == [*range(1, len(promised) + 1)]
    assert {test.__doc__ for test in TESTS.values()} == set(promised)


def test_every_capability_is_documented_with_the_promises_that_need_it() -> None:
    text = PROMISES.read_text()
    source = Path(suite_module.__file__).read_text()
    for capability in StateBackendSuite.capabilities:
        (line,) = re.findall(rf"^\| `{capability}` \|.*\| (.*) \|$", text, re.MULTILINE)
        documented = set()
        for first, last in re.findall(r"S(\d+)(?: to S(\d+))?", line):
            documented |= {f"S{n}" for n in range(int(first), int(last or first) + 1)}
        needing = re.findall(rf'"""(S\d+)"""\n        self\.need\("{capability}"\)', source)
        assert documented == set(needing)
