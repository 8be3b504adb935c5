"""A Prefect server on loopback, with a home of its own, for as long as the tests of a process.

Prefect reads its settings once, when it is imported: they are set here, before any test does that.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.databases import postgresql  # noqa: F401  a fixture

STARTS_WITHIN = 60.0
"""Seconds: on a busy machine the first start writes a database for a while."""


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


PORT = _free_port()
HOME = Path(tempfile.gettempdir(), f"seeknal-prefect-{os.getpid()}")
os.environ |= {
    "PREFECT_HOME": str(HOME),
    "PREFECT_API_URL": f"http://127.0.0.1:{PORT}/api",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "DO_NOT_TRACK": "1",
}


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of its API."""
    url = os.environ["PREFECT_API_URL"]
    HOME.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui", "--port", str(PORT)]
    try:
        with (HOME / "server.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_for(url, process)
            yield url
            _say_all()
        finally:
            process.terminate()
            process.wait(30)
    finally:
        shutil.rmtree(HOME, ignore_errors=True)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    import httpx

    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=1).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"The Prefect server did not start:\n{(HOME / 'server.log').read_text()}")


def _say_all() -> None:
    """While there is someone to tell: at its end a process waits long for a server that is gone."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    EventsWorker.drain_all(timeout=10)
    APILogWorker.drain_all(timeout=10)
