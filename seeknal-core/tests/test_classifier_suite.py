"""The conformance suite passes a classifier that says nothing untrue, and no other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from seeknal.dag.classifier import Classifier
from seeknal.dag.text_classifier import TextClassifier
from seeknal.testing import ClassifierSuite

TESTS = {n: t for n, t in vars(ClassifierSuite).items() if n.startswith("test_")}
PROMISES = Path(__file__).parents[2] / "docs/behaviour/classifiers.md"


class TestText(ClassifierSuite):
    @pytest.fixture
    def classifier(self) -> Classifier:
        return TextClassifier()


class TestNobody(ClassifierSuite):
    """What leaves everything to others says nothing untrue."""

    @pytest.fixture
    def classifier(self) -> Classifier:
        class Nobody:
            def classify(self, *question: object) -> None:
                return None

            def lineage(self, query: object) -> None:
                return None

        return Nobody()


BROKEN = """
import pytest
from seeknal.dag.classifier import *
from seeknal.testing import ClassifierSuite


def words(query):
    return query.sql.lower().replace(",", " ").split()


class Broken:
    def classify(self, old, new, inputs):
        {classify}

    def lineage(self, query):
        {lineage}


class TestBroken(ClassifierSuite):
    examples = 20

    @pytest.fixture
    def classifier(self):
        return Broken()
"""
FAULTS = {
    "C1": ("raise ValueError(old.sql)", "return None"),
    "C2": ("return Verdict(EVERYTHING)", "return None"),
    "C3": ("self.n = getattr(self, 'n', 0) + 1\n"
           "        return Verdict(Change(added=frozenset([str(self.n)]), rows=True))",
           "return None"),
    "C4": ("if words(old) == words(new) and not inputs: return Verdict(UNCHANGED)\n"
           "        if 'distinct' in words(new): return Verdict(Change(added=frozenset('s')))",
           "return None"),
    "C5": ("if 'random()' in words(new) and not inputs:\n"
           "            return Verdict(Change(added=frozenset('r')))", "return None"),
    "C6": ("if old.sql == new.sql: return Verdict(UNCHANGED)", "return None"),
    "C7": ("if any(c.rows for c in inputs.values()): return Verdict(EVERYTHING)\n"
           "        if old.sql == new.sql: return Verdict(UNCHANGED)", "return None"),
    "C8": ("return None", "return Lineage({w: frozenset([ColumnOf('source.t', w)])"
           " for w in [*words(query), 'x', '*']})"),
}  # fmt: skip


@pytest.mark.parametrize("promise", FAULTS)
def test_a_classifier_that_breaks_a_promise_fails_its_test(tmp_path: Path, promise: str) -> None:
    classify, lineage = FAULTS[promise]
    (tmp_path / "test_broken.py").write_text(BROKEN.format(classify=classify, lineage=lineage))
    chosen = " or ".join(name for name, test in TESTS.items() if promise in (test.__doc__ or ""))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", chosen, "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout


def test_each_promise_is_held_by_a_test_and_each_test_cites_one() -> None:
    promised = set(re.findall(r"\*\*(C\d+)\*\*", PROMISES.read_text(encoding="utf-8")))
    cited = {n: set(re.findall(r"C\d+", test.__doc__ or "")) for n, test in TESTS.items()}
    assert all(cited.values())
    assert set().union(*cited.values()) == promised == set(FAULTS)
