"""The classifier says nothing untrue, in the suite's dialect and in its own."""

from __future__ import annotations

import pytest

from seeknal.testing import ClassifierSuite
from seeknal_diff_sqlglot.classifier import SqlglotClassifier


class TestSqlite(ClassifierSuite):
    @pytest.fixture
    def classifier(self) -> SqlglotClassifier:
        return SqlglotClassifier()


class TestDuckDb(TestSqlite):
    dialect = "duckdb"
