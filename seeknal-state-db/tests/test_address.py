"""How a database is named, and that its secrets stay secret."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from seeknal.errors import RequestError, SeeknalError, StateError
from seeknal_state_db.backend import DatabaseBackend

SECRET = "p@ss/w:ord%é"


def driver_of(backend: DatabaseBackend) -> str:
    return backend._db.address.driver


def test_a_path_is_sqlite(tmp_path: Path) -> None:
    made = DatabaseBackend(tmp_path / "state.db")
    assert driver_of(made) == "sqlite+pysqlite"
    assert repr(made) == f"DatabaseBackend('{tmp_path}/state.db')"


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///a.db", "sqlite+pysqlite"),
        ("turso:///a.db", "sqlite+turso"),
        ("sqlite+turso:///a.db", "sqlite+turso"),
        ("turso+sync:///a.db?remote_url=http://127.0.0.1:1", "sqlite+turso_sync"),
        ("sqlite+turso_sync:///a.db?remote_url=http://127.0.0.1:1", "sqlite+turso_sync"),
        ("postgresql://u@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg"),
    ],
)
def test_a_url_names_its_driver(url: str, driver: str) -> None:
    assert driver_of(DatabaseBackend(url=url)) == driver


def test_the_url_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEKNAL_STATE_URL", f"turso:///{tmp_path}/state.db")
    assert driver_of(DatabaseBackend(tmp_path / "other.db")) == "sqlite+turso"
    assert driver_of(DatabaseBackend(url="sqlite:///a.db")) == "sqlite+pysqlite"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:secret@h/d", "can't use 'mysql'. It knows"),
        ("no url", "is no URL"),
        ("sqlite://", "names no file"),
        ("postgresql://u:sec@secret@h/d", "write one in a password as %40"),
        ("turso+sync:///a.db", "needs its address too"),
    ],
)
def test_a_url_that_can_not_be_used_is_refused(url: str, message: str) -> None:
    with pytest.raises(RequestError, match=message) as error:
        DatabaseBackend(url=url)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("postgresql://u@h/d", "psycopg", "postgresql"),
        ("turso:///a.db", "turso", "turso"),
    ],
)
def test_a_driver_that_is_not_installed_is_named_with_its_extra(
    url: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RequestError, match=rf'pip install "seeknal-state-db\[{extra}\]"'):
        DatabaseBackend(url=url).initialize()


def everything_told(error: SeeknalError) -> str:
    """Its message, its traceback, and those of what it came from."""
    return str(error) + repr(error) + "".join(traceback.format_exception(error))


def test_a_password_is_never_told(
    postgresql: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = sa.make_url(postgresql()).set(username="nobody", password=SECRET)
    made = DatabaseBackend(url=url.render_as_string(hide_password=False))
    with pytest.raises(StateError) as error:
        made.initialize()
    told = everything_told(error.value) + repr(made) + caplog.text
    assert "nobody" in told
    for form in (SECRET, *made._db.address.secrets):
        assert form not in told


def test_a_password_in_what_the_server_says_is_masked(postgresql: Callable[[], str]) -> None:
    url = sa.make_url(postgresql()).update_query_dict({"password": "hunter2"})
    made = DatabaseBackend(url=url.render_as_string(hide_password=False))
    assert "hunter2" not in repr(made)
    with closing(made), pytest.raises(StateError) as error, made._db.reading() as connection:
        connection.exec_driver_sql("SELECT 'hunter2'::int")
    assert "***" in str(error.value)
    assert "hunter2" not in everything_told(error.value)


@pytest.mark.parametrize("how", ["in the url", "as an option", "in the environment"])
def test_a_token_is_never_told(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"turso+sync:///{tmp_path}/a.db?remote_url=http://127.0.0.1:1"
    token = "eyJhbGciOi.secret"
    if how == "in the url":
        made = DatabaseBackend(url=f"{url}&auth_token={token}")
    elif how == "as an option":
        made = DatabaseBackend(url=url, token=token)
    else:
        monkeypatch.setenv("TURSO_AUTH_TOKEN", f"{token}\n")
        made = DatabaseBackend(url=url)
    assert made._db.address.token == token
    with pytest.raises(StateError) as error:
        made.initialize()
    assert token not in everything_told(error.value) + repr(made)


def test_no_secret_is_in_the_state(postgresql: Callable[[], str]) -> None:
    url = sa.make_url(postgresql()).set(password=SECRET)
    with closing(DatabaseBackend(url=url.render_as_string(hide_password=False))) as made:
        made.initialize()
        made.create_run("r")
        lock = made.acquire_lock("r", 0)
        assert lock
        with made.transaction():
            assert SECRET not in str([record.to_dict() for record in made.records()])
        assert SECRET not in str(made.get_lock("r"))
        lock.release()
