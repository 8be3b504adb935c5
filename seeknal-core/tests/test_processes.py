"""Processes: the same results as one process, whatever becomes of the others."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seeknal.processes import Processes, cores

FUNCTIONS = """
import os, sys

def square(number):
    return number * number

def where(number):
    return os.getpid()

def printed(number):
    print("what a plugin prints", flush=True)
    return number

class Mortal:
    def __init__(self, here):
        self.here = here

    def __call__(self, number):
        if os.getpid() != self.here and number == 5:
            os._exit(9)
        return number

def odd_fails(number):
    if number % 2:
        raise ValueError(number)
    return number

def unpicklable(number):
    return number if number == 0 else (lambda: number)
"""


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "functions_of_a_test.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(tmp_path)
    import functions_of_a_test

    yield functions_of_a_test
    del sys.modules["functions_of_a_test"]


@pytest.mark.parametrize("more", [-1, 0, 1, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_each_item_has_its_result_in_its_place(functions, more, count):
    with Processes(functions.square, more) as processes:
        assert processes.map(range(count)) == [n * n for n in range(count)]
        assert processes.map(range(count, 0, -1)) == [n * n for n in range(count, 0, -1)]


def test_the_work_is_shared_and_no_process_stays(functions):
    with Processes(functions.where, 2) as processes:
        found = set(processes.map(range(9)))
    assert len(found) == 3
    assert os.getpid() in found
    for other in found - {os.getpid()}:
        with pytest.raises(ProcessLookupError):
            os.kill(other, 0)


def test_a_process_that_dies_leaves_its_items_to_this_one(functions):
    with Processes(functions.Mortal(os.getpid()), 1) as processes:
        for _ in range(2):
            assert processes.map(range(10)) == list(range(10))


def test_a_process_that_is_killed_between_two_calls_is_missed_by_nobody(functions):
    with Processes(functions.where, 1) as processes:
        (other,) = set(processes.map(range(2))) - {os.getpid()}
        os.kill(other, 9)
        time.sleep(0.05)
        assert processes.map(range(4)) == [os.getpid()] * 4


def test_what_the_function_raises_is_raised(functions):
    with Processes(functions.odd_fails, 1) as processes, pytest.raises(ValueError, match="1"):
        processes.map(range(4))


def test_what_is_printed_there_is_no_answer(functions):
    with Processes(functions.printed, 1) as processes:
        assert processes.map(range(4)) == [0, 1, 2, 3]


def test_what_cannot_be_pickled_is_done_here(functions):
    with Processes(lambda n: os.getpid(), 1) as processes:
        assert processes.map(range(4)) == [os.getpid()] * 4
    with Processes(functions.square, 1) as processes:
        shy = type("Shy", (int,), {"__reduce__": lambda self: 1 / 0})
        assert processes.map([shy(2), shy(3)]) == [4, 9]
    with Processes(functions.unpicklable, 1) as processes:
        assert [r if r == 0 else r() for r in processes.map(range(4))] == [0, 1, 2, 3]


def test_where_no_process_can_be_started_all_is_done_here(functions, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with Processes(functions.where, 2) as processes:
        assert processes.map(range(4)) == [os.getpid()] * 4


def test_the_script_that_calls_is_not_run_again(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(
        "import math, pathlib\n"
        "from seeknal.processes import Processes\n"
        "with open('runs', 'a') as file: file.write('x')\n"
        "with Processes(math.factorial, 2) as processes:\n"
        "    print(processes.map(range(6)))\n"
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[1, 1, 2, 6, 24, 120]\n"
    assert (tmp_path / "runs").read_text() == "x"


def test_there_is_a_core():
    assert cores() >= 1
