"""Commands on environments, killed. SEEKNAL_NIGHTLY=1 kills more of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROUNDS, SEEDS = (10, 10) if os.environ.get("SEEKNAL_NIGHTLY") else (5, 1)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("state", ["file", "sqlite", "postgresql"])
def test_kill_minus_9_leaves_what_was_or_what_is_to_be(
    tmp_path: Path, state: str, seed: int, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql")() if state == "postgresql" else state
    script = [sys.executable, HERE / "killed_environments.py", tmp_path / "p", url, seed, ROUNDS]
    done = subprocess.run(list(map(str, script)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > ROUNDS
