"""A Prefect server on loopback, with a home of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import psutil

STARTS_WITHIN = 60.0
IDLE = 15.0
"""Percent of a processor that the server takes when there is nothing to do."""


@contextmanager
def serving() -> Iterator[Callable[[], None]]:
    """Gives a function that waits until the server has taken in what has been done: it does so
    behind, and is slow to begin a flow run until then.

    Prefect reads its settings when it is imported: import it within, and not before.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "PREFECT_HOME": home,
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "DO_NOT_TRACK": "1",
        }
        command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui", "--port"]
        server = subprocess.Popen(
            [*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/health")
            yield lambda: _rest(psutil.Process(server.pid))
        finally:
            server.terminate()
            server.wait()


def _rest(server: psutil.Process) -> None:
    from prefect.events.worker import EventsWorker

    EventsWorker.drain_all(timeout=60)
    time.sleep(0.5)
    while server.cpu_percent(interval=0.5) > IDLE:
        pass


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError("the Prefect server did not start")
