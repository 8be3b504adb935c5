"""Projects that keep their state in Redis, from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from conftest import PASSWORD, URL_PASSWORD, RedisServer

from seeknal_state_redis.backend import RedisBackend

SEEKNAL = Path(sys.executable).with_name("seeknal")


class Shop:
    """A new project, and the command in its folder."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        self.prefix = uuid4().hex
        self._environ = {**os.environ, "SEEKNAL_REDIS_URL": redis.url}
        subprocess.run([SEEKNAL, "init", "shop"], cwd=folder, check=True, capture_output=True)
        self.root = folder / "shop"
        with (self.root / "seeknal_project.yml").open("a") as settings:
            settings.write(f"state:\n  name: redis\n  redis: {{prefix: {self.prefix}}}\n")

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [SEEKNAL, *arguments],
            cwd=self.root,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, code: int = 0) -> str:
        return ended(self.begin(*arguments), code)


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    out, error = process.communicate(timeout=120)
    assert process.returncode == code, (out, error)
    assert "Traceback" not in error
    return out if code == 0 else error


@pytest.fixture
def shop(tmp_path: Path, redis: RedisServer) -> Shop:
    return Shop(tmp_path, redis)


def test_a_project_runs_and_the_next_run_knows_what_was_done(
    shop: Shop, redis: RedisServer
) -> None:
    assert "3 computed" in shop("run")
    assert "Nothing to compute: 3 nodes up to date." in shop("run")
    sql = "select sum(revenue) as total from daily_revenue"
    assert shop("query", "--format", "csv", sql) == "total\n153.50\n"
    backend = RedisBackend(redis.url, shop.prefix)
    prod = backend.get_environment("prod")
    assert prod is not None
    assert len(prod.pointers) == 3
    backend.close()


def test_a_change_is_tried_beside_production_and_promoted(shop: Shop) -> None:
    shop("run")
    sql = shop.root / "seeknal/transforms/daily_revenue.sql"
    sql.write_text(sql.read_text().replace("sum(amount)", "2 * sum(amount)"))
    shop("plan", "dev")
    shop("env", "apply", "dev")
    shop("env", "promote", "dev", "prod")
    total = ("query", "--format", "csv", "select sum(revenue) as total from daily_revenue")
    assert shop(*total) == "total\n307.00\n"
    shop("env", "rollback", "prod")
    assert shop(*total) == "total\n153.50\n"


def test_two_that_write_at_once_lose_nothing(shop: Shop, redis: RedisServer) -> None:
    shop("run")
    runs = [shop.begin("run", "--env", name, "--full-refresh") for name in ("one", "two")]
    for run in runs:
        assert "3 computed" in ended(run)
    backend = RedisBackend(redis.url, shop.prefix)
    names = [environment.name for environment in backend.list_environments()]
    assert names == ["one", "prod", "two"]
    finished = [run for run in backend.list_runs() if run.status == "success"]
    assert len(finished) == 3
    assert [len(backend.list_node_states(run.run_id)) for run in finished] == [3, 3, 3]
    backend.close()


def test_a_server_that_is_away_is_one_line_without_the_password(shop: Shop) -> None:
    shop._environ["SEEKNAL_REDIS_URL"] = f"redis://:{URL_PASSWORD}@127.0.0.1:1/0"
    said = shop("run", code=1)
    assert said.startswith("Error: redis://:***@127.0.0.1:1/0 can't be used as state: ")
    assert len(said.splitlines()) == 1
    assert PASSWORD not in said
    assert URL_PASSWORD not in said
