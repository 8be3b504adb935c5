"""What the entry point names. The backend is imported when one is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seeknal.hookspecs import Offer, hookimpl

if TYPE_CHECKING:
    from seeknal.state.backend import StateBackend


def create(base_path: Path = Path("target")) -> StateBackend:
    """base_path: the folder below which state is kept, in a folder of its own."""
    from seeknal_state_file.backend import FileBackend

    return FileBackend(base_path)


@hookimpl
def seeknal_state_backend() -> Offer[StateBackend]:
    return Offer(create=create, summary="JSON files under the target folder")


def __getattr__(name: str) -> type:
    """`FileBackend`, for `from seeknal.state.backend import FileBackend`."""
    if name != "FileBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from seeknal_state_file.backend import FileBackend

    return FileBackend
