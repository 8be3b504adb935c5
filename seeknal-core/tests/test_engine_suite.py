"""The conformance suite passes an engine that keeps its promises, and no other."""

from __future__ import annotations

import pytest

from seeknal.testing import EngineSuite, SqliteEngine
from seeknal.testing.engine import OpenEngine


class TestSqlite(EngineSuite):
    timestamp = "{}"
    formats = ("csv", "json")

    @pytest.fixture
    def open_engine(self) -> OpenEngine:
        return SqliteEngine
