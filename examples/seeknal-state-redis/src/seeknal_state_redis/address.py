"""Which server: its URL, and how it may be named without its secrets."""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from seeknal.errors import RequestError

URL_VARIABLE = "SEEKNAL_REDIS_URL"
SCHEMES = ("redis", "rediss", "unix")
WRITTEN = "redis://:PASSWORD@HOST:6379/0, with rediss for TLS, or unix:///PATH?db=0"


class Address(NamedTuple):
    """url: with its secrets. name: for messages, without them."""

    url: str
    name: str
    secrets: tuple[str, ...] = ()

    def masked(self, text: str) -> str:
        """A text without the secrets, whoever wrote them into it."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def find(url: str | None) -> Address:
    """The address that the settings give, or else the environment. Raises RequestError."""
    written = url or os.environ.get(URL_VARIABLE, "")
    source = f"The `url` of the state backend 'redis' (or {URL_VARIABLE})"
    if not written:
        raise RequestError(f"{source} is not set. Write it as in {WRITTEN}.")
    try:
        parts = urlsplit(written)
        database = dict(parse_qsl(parts.query)).get("db", parts.path.strip("/"))
        good = parts.scheme in SCHEMES and parts.port != 0
    except ValueError:
        good = False
    if not good or (parts.scheme != "unix" and database and not database.isdigit()):
        raise RequestError(f"{source} is no URL of a Redis server. Write it as in {WRITTEN}.")
    secrets = _secrets(parts.password or "", parts.query)
    shown = written
    for secret in secrets:
        shown = shown.replace(secret, "***")
    return Address(written, shown, secrets)


def _secrets(password: str, query: str) -> tuple[str, ...]:
    """As they are written, and as they are meant; the longest first."""
    values = (pair.partition("=") for pair in query.split("&"))
    found = {password, *(value for name, _, value in values if name == "password")}
    return tuple(sorted({*found, *map(unquote, found)} - {""}, key=len, reverse=True))
