"""What every backend says when it must refuse: one wording, whichever backend it is."""

from __future__ import annotations

from seeknal.errors import ConflictError, StateError
from seeknal.state.records import Environment, LockInfo, Revision


def run_exists(run_id: str) -> ConflictError:
    return ConflictError(f"There is already a run '{run_id}'.")


def no_run(run_id: str) -> StateError:
    return StateError(f"There is no run '{run_id}'.")


def environment_moved(ours: Environment, stored: Environment | None) -> ConflictError:
    there = f"it is at version {stored.version}, and not at" if stored else "it is gone, and was"
    again = " of an earlier one by that name" if stored and stored.version == ours.version else ""
    return ConflictError(
        f"The environment '{ours.name}' was changed by someone else: {there} {ours.version}{again}."
    )


def no_environment(name: str) -> StateError:
    return StateError(f"There is no environment '{name}'.")


def revision_exists(revision: Revision) -> ConflictError:
    return ConflictError(
        f"The environment '{revision.environment}' has a revision {revision.number} already."
    )


def lock_lost(name: str, holder: LockInfo | None) -> ConflictError:
    now = f" Now {holder.holder} holds it." if holder else ""
    return ConflictError(
        f"The lock on '{name}' was lost: it was not renewed in time, and another process took it."
        f"{now} Nothing was written."
    )


def lock_in_transaction() -> StateError:
    return StateError("A lock can't be taken inside a transaction: take it before.")


def transaction_failed() -> StateError:
    return StateError("A part of this transaction failed, so nothing of it was stored.")
