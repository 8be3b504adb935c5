"""Databases to test with: none has to be installed or running on the machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.databases import postgresql  # noqa: F401  a fixture

TURSO_CLI = "turso@0.6"


@pytest.fixture(scope="session")
def turso_cli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Turso's own program, from its npm package."""
    if not shutil.which("npm") and "CI" not in os.environ:
        pytest.skip("Turso's sync server comes from npm, which isn't installed here")
    folder = tmp_path_factory.mktemp("npm")
    subprocess.run(["npm", "install", "--silent", "--prefix", folder, TURSO_CLI], check=True)
    (program,) = folder.glob("node_modules/@tursodatabase/*/tursodb")
    return program


@pytest.fixture
def turso_server(turso_cli: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a new, empty database in a real sync server on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [turso_cli, tmp_path / "server.db", "--sync-server", address]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    _wait_for(address)
    yield f"http://{address}"
    server.kill()
    server.wait()


def _wait_for(address: str) -> None:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((host, int(port))).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
