"""Whether Prefect's API can be spoken to, and what to do when it can't."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings

from seeknal.errors import RequestError


class NoServerError(RequestError):
    """Prefect's API does not answer, or lets nobody in."""


def api_url() -> str | None:
    """Where Prefect's API is, without what might be a password; None where nothing says so."""
    url = get_current_settings().api.url
    if not url:
        return None
    parts = urlsplit(url)
    host = parts.hostname or ""
    place = f"{host}:{parts.port}" if parts.port else host
    return urlunsplit(parts._replace(netloc=place))


def require_server(*, may_start: bool = False) -> None:
    """Raise NoServerError unless the API answers.

    may_start: where no address is set, Prefect may start a server of its own for this process;
    where others are to speak to it too, each of them would have its own.
    """
    if api_url() is None:
        if may_start:
            return
        raise NoServerError(
            "No Prefect server is set. Start one with `prefect server start`, and set its address: "
            "`prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api`. For Prefect Cloud: "
            "`prefect cloud login`."
        )
    with telling_of_servers(), get_client(sync_client=True) as client:
        error = client.api_healthcheck()
        if error is not None:
            raise error


@contextmanager
def telling_of_servers() -> Iterator[None]:
    """Turn what goes wrong between here and the API into one message."""
    try:
        yield
    except PrefectHTTPStatusError as error:
        status = error.response.status_code
        if status not in (401, 403):
            raise
        raise NoServerError(
            f"Prefect's API at {api_url()} lets nobody in with this key (HTTP {status}): set "
            "PREFECT_API_KEY, or PREFECT_API_AUTH_STRING for a server of your own."
        ) from error
    except (httpx.TransportError, OSError) as error:
        raise NoServerError(
            f"No Prefect server answers at {api_url()} ({type(error).__name__}). Start one with "
            "`prefect server start`, or set PREFECT_API_URL to where one is."
        ) from error
