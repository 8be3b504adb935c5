"""The backend "file" keeps all promises of state backends."""

from __future__ import annotations

from pathlib import Path

import pytest

from seeknal.testing.state_backend import OpenBackend, StateBackendSuite
from seeknal_state_file.backend import FileBackend


class TestFile(StateBackendSuite):
    @pytest.fixture
    def open_backend(self, tmp_path: Path) -> OpenBackend:
        return lambda: FileBackend(tmp_path)
