"""Runs a conformance suite on a plugin, within this process, and reads what a suite promises."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest

from seeknal.testing.suite import Suite

BEHAVIOUR = Path(__file__).parents[2] / "docs/behaviour"


class _Outcomes:
    """Of the tests of a session, by their names without parameters."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rpartition("::")[2].partition("[")[0]
        if report.failed:
            self.failed.add(name)
        elif report.when == "call" and report.passed:
            self.passed.add(name)


def failed(folder: Path, text: str, tests: list[str]) -> set[str]:
    """Of these tests of the class `TestBroken` in a text, those that fail; all are run."""
    path = folder / f"test_broken_{abs(hash(folder))}.py"
    path.write_text(text)
    outcomes, before = _Outcomes(), set(sys.modules)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={folder}"]
    chosen = [f"{path}::TestBroken::{test}" for test in tests]
    pytest.main([*options, "--import-mode=importlib", *chosen], plugins=[outcomes])
    for name in set(sys.modules) - before:
        if name.startswith("test_broken"):
            del sys.modules[name]
    assert outcomes.passed | outcomes.failed == set(tests)
    return outcomes.failed


def tests_of(suite: type[Suite]) -> dict[str, str]:
    """Of each test of a suite, the promise that it cites."""
    tests = {name: test for name, test in vars(suite).items() if name.startswith("test_")}
    return {name: test.__doc__ or "" for name, test in tests.items()}


def citing(suite: type[Suite], promise: str) -> list[str]:
    return [name for name, cited in tests_of(suite).items() if cited == promise]


def hold_page_and_suite_together(suite: type[Suite], page: str, letter: str) -> None:
    """Every promise of a page is tested, every test cites one, and so do capabilities."""
    text = (BEHAVIOUR / page).read_text(encoding="utf-8")
    promised = re.findall(rf"^- \*\*({letter}\d+)\*\*", text, re.MULTILINE)
    assert promised == [f"{letter}{n}" for n in range(1, len(promised) + 1)]
    assert set(tests_of(suite).values()) == set(promised)
    source = inspect.getsource(suite)
    for capability in suite.capabilities:
        (needing,) = re.findall(rf"^\| `{capability}` \|.*\| (.*) \|$", text, re.MULTILINE)
        needs = re.findall(rf'"""({letter}\d+)"""\n +self\.need\("{capability}"\)', source)
        assert set(needing.split(", ")) == set(needs)
