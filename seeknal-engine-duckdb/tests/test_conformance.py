"""The engine "duckdb" keeps all promises of engines."""

from __future__ import annotations

import pytest

from seeknal.testing import EngineSuite
from seeknal.testing.engine import OpenEngine
from seeknal_engine_duckdb.engine import DuckDBEngine


class TestDuckDB(EngineSuite):
    @pytest.fixture
    def open_engine(self) -> OpenEngine:
        return DuckDBEngine
