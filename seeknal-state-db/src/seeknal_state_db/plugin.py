"""What the entry point names. The backend, and SQLAlchemy, are imported when one is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seeknal.hookspecs import Offer, hookimpl

if TYPE_CHECKING:
    from seeknal.state.backend import StateBackend


def create(
    db_path: Path = Path("target/state.db"), url: str | None = None, token: str | None = None
) -> StateBackend:
    """db_path: a SQLite file. url: of any database instead, as SQLAlchemy writes them; without
    it, SEEKNAL_STATE_URL. token: for a remote Turso; without it, TURSO_AUTH_TOKEN."""
    from seeknal_state_db.backend import DatabaseBackend

    return DatabaseBackend(db_path, url, token)


@hookimpl
def seeknal_state_backend() -> Offer[StateBackend]:
    return Offer(create=create, summary="Tables in SQLite, Turso or PostgreSQL")


def __getattr__(name: str) -> type:
    """`DatabaseBackend`, for `from seeknal.state.backend import DatabaseBackend`."""
    if name != "DatabaseBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from seeknal_state_db.backend import DatabaseBackend

    return DatabaseBackend
