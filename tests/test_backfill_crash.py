"""Backfills that are killed at random, and resumed. SEEKNAL_NIGHTLY=1 kills more of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killed_backfills.py")
STATES = ("file", "database")
KILLS = 100 if os.environ.get("SEEKNAL_NIGHTLY") else 60

Backfills = dict[str, subprocess.Popen[str]]


@pytest.fixture(scope="module")
def backfills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backfills]:
    """By state backend: all at once, for they wait a lot."""
    started = {state: start(tmp_path_factory.mktemp(state), state) for state in STATES}
    yield started
    for script in started.values():
        script.kill()
        script.communicate()


def start(folder: Path, state: str, seed: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(folder), state, str(seed), str(KILLS)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("state", STATES)
def test_killed_backfills_record_only_what_is_whole_and_end_as_one_that_was_never_killed(
    backfills: Backfills, state: str
) -> None:
    output, errors = backfills[state].communicate(timeout=300)
    assert backfills[state].returncode == 0, errors
    assert int(output) >= KILLS
