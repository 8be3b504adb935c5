"""What the entry point names."""

from __future__ import annotations

from seeknal.hookspecs import Offer, hookimpl
from seeknal.state.backend import StateBackend
from seeknal_state_file.backend import FileBackend


@hookimpl
def seeknal_state_backend() -> Offer[StateBackend]:
    return Offer(create=FileBackend, summary="JSON files under the target folder")
