"""The backend `redis` keeps all promises of state backends."""

from __future__ import annotations

import os
from collections.abc import Callable
from uuid import uuid4

import pytest
from conftest import RedisServer
from seeknal.state.backend import StateBackend
from seeknal.testing import StateBackendSuite

from seeknal_state_redis.backend import RedisBackend

NIGHTLY = os.environ.get("SEEKNAL_NIGHTLY", "") not in ("", "0")


class TestRedis(StateBackendSuite):
    if not NIGHTLY:
        examples, kills = 10, 20

    @pytest.fixture
    def open_backend(self, redis: RedisServer) -> Callable[[], StateBackend]:
        prefix = uuid4().hex
        return lambda: RedisBackend(redis.url, prefix)
