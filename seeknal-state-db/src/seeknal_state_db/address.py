"""Which database: its URL, and how it may be named without its secrets."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from seeknal.errors import RequestError

URL_VARIABLE = "SEEKNAL_STATE_URL"
TOKEN_VARIABLE = "TURSO_AUTH_TOKEN"

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "turso": "sqlite+turso",
    "sqlite+turso": "sqlite+turso",
    "turso+sync": "sqlite+turso_sync",
    "sqlite+turso_sync": "sqlite+turso_sync",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_NEEDS = {
    "sqlite+turso": ("turso", "seeknal-state-db[turso]"),
    "sqlite+turso_sync": ("turso.sync", "seeknal-state-db[turso]"),
    "postgresql+psycopg": ("psycopg", "seeknal-state-db[postgresql]"),
}
_SECRET = re.compile(r"pass|token|key|secret", re.IGNORECASE)


class Address(NamedTuple):
    """url: with its secrets, but for a token. secrets: what must not be shown. name: for
    messages, without them."""

    url: sa.URL
    name: str
    secrets: tuple[str, ...] = ()
    token: str | None = None

    @property
    def driver(self) -> str:
        return self.url.drivername

    @property
    def is_turso(self) -> bool:
        return self.driver in ("sqlite+turso", "sqlite+turso_sync")

    @property
    def is_replica(self) -> bool:
        """Whether it is a copy of a remote database, to be kept in step with it."""
        return self.driver == "sqlite+turso_sync"

    def masked(self, text: str) -> str:
        """A text without the secrets, whoever wrote them into it."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def find(db_path: Path, url: str | None, token: str | None) -> Address:
    """The address that the settings and the environment give. Raises RequestError.

    url: wins over SEEKNAL_STATE_URL, which wins over db_path.
    """
    written = url or os.environ.get(URL_VARIABLE)
    if not written:
        path = str(Path(db_path).absolute())
        return Address(sa.URL.create("sqlite+pysqlite", database=path), path)
    try:
        parsed = sa.make_url(written)
        parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
    except KeyError:
        raise RequestError(
            f"The state backend 'database' can't use '{parsed.drivername}'. It knows "
            "sqlite:///PATH, turso:///PATH, turso+sync:///PATH and "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."
        ) from None
    except (sa.exc.ArgumentError, ValueError):
        raise RequestError(
            f"The `url` of the state backend 'database' (or {URL_VARIABLE}) is no URL. "
            "Write it as in postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."
        ) from None
    if "@" in (parsed.host or ""):
        raise RequestError(
            f"The `url` of the state backend 'database' (or {URL_VARIABLE}) has several @: "
            "write one in a password as %40."
        )
    if parsed.drivername.startswith("sqlite") and not parsed.database:
        raise RequestError(
            f"The `url` of the state backend 'database' (or {URL_VARIABLE}) names no file: write "
            "it as in sqlite:///target/state.db."
        )
    token = (token or os.environ.get(TOKEN_VARIABLE, "")).strip() or None
    if parsed.drivername == "sqlite+turso_sync":
        if "remote_url" not in parsed.query:
            raise RequestError(
                "A remote Turso needs its address too: write the `url` as in "
                "turso+sync:///target/replica.db?remote_url=https://DATABASE.turso.io"
            )
        written_token = parsed.query.get("auth_token")
        token = written_token if isinstance(written_token, str) else token
        parsed = parsed.difference_update_query(["auth_token"])
    else:
        token = None
    secrets = _secrets(parsed) + ((token,) if token else ())
    longest_first = tuple(sorted(secrets, key=len, reverse=True))
    return Address(parsed, _name(parsed), longest_first, token)


def check_driver(address: Address) -> None:
    """Raise RequestError when the driver isn't installed."""
    needed = _NEEDS.get(address.driver)
    if needed:
        try:
            __import__(needed[0])
        except ImportError as error:
            raise RequestError(
                f'{address.name} needs {needed[0]} ({error}): pip install "{needed[1]}"'
            ) from None


def _secrets(url: sa.URL) -> tuple[str, ...]:
    found = [str(url.password)] if url.password else []
    for name, value in url.query.items():
        if _SECRET.search(name):
            found += [value] if isinstance(value, str) else value
    encoded = [sa.URL.create("x", username="u", password=s).render_as_string(False) for s in found]
    found += [e.removeprefix("x://u:").removesuffix("@") for e in encoded]
    return tuple({s for s in found if s})


def _name(url: sa.URL) -> str:
    shown = {n: "***" if _SECRET.search(n) else v for n, v in url.query.items()}
    return url.set(query=shown).render_as_string(hide_password=True)
