"""A Prefect server on loopback, with a home of its own, for as long as the tests of a process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

STARTS_WITHIN = 60.0
"""Seconds: on a busy machine the first start writes a database for a while."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of its API."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                *["-m", "prefect", "server", "start", "--no-ui", "--host", "127.0.0.1", "--port"],
                str(port),
            ],
            env=_environment(home, url),
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(url, process, home / "server.log")
            settings = {PREFECT_API_URL: url, PREFECT_HOME: home}
            with temporary_settings(settings), pytest.MonkeyPatch.context() as patch:
                for name, value in _environment(home, url).items():
                    patch.setenv(name, value)
                yield url
        finally:
            process.terminate()
            process.wait(30)


def _environment(home: Path, url: str) -> dict[str, str]:
    return {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "DO_NOT_TRACK": "1",
    }


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=1).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"The Prefect server did not start:\n{log.read_text()}")
