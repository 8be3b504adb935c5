"""What an environment has shown before: told by what each move of its pointers replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from seeknal.errors import RequestError
from seeknal.state.backend import StateBackend
from seeknal.state.records import Environment, Revision

TTL_HOURS = 168.0
"""How long after its last use an environment expires, where nobody says it."""

KEPT = ("pointers", "refreshed", "definitions", "addresses")
"""Fields of an environment that say, by node, what it shows and why that is right."""


def save(
    state: StateBackend, before: Environment, after: Environment, made_by: str, keep: int
) -> Environment:
    """Store an environment, and if its pointers moved, a revision beside it. To be called in a
    transaction. keep: how many revisions stay. Raises as `save_environment` does.
    """
    now = datetime.now(UTC)
    after = replace(after, version=before.version, updated_at=now, used_at=now)
    if after.pointers == before.pointers:
        return state.save_environment(after)
    number = before.revision + 1
    saved = state.save_environment(replace(after, revision=number))
    state.add_revision(Revision(after.name, number, now, made_by, _replaced(before, after)))
    state.delete_revisions(after.name, number - keep)
    return saved


def as_of(environment: Environment, revisions: Sequence[Revision], number: int) -> Environment:
    """What an environment showed after its revision of this number. revisions: its own, newest
    first. Raises RequestError when that isn't known any more, or was nothing."""
    needed = [revision for revision in revisions if revision.number > number]
    if not 0 <= number < environment.revision or len(needed) != environment.revision - number:
        raise RequestError(_why_not(environment, revisions, number))
    kept = {field: dict(getattr(environment, field)) for field in KEPT}
    for revision in needed:
        for node_id, values in json.loads(revision.before).items():
            for field, value in zip(KEPT, values, strict=True):
                if value is None:
                    kept[field].pop(node_id, None)
                else:
                    kept[field][node_id] = value
    if not kept["pointers"]:
        raise RequestError(_why_not(environment, revisions, number))
    return replace(environment, **kept)  # type: ignore[arg-type]


def nodes_moved(
    before: Environment, after: Environment
) -> dict[str, tuple[str | None, str | None]]:
    """Nodes whose pointers differ, with both of them; sorted."""
    old, new = before.pointers, after.pointers
    return {
        i: (old.get(i), new.get(i)) for i in sorted(old.keys() | new) if old.get(i) != new.get(i)
    }


def snapshots_before(revision: Revision) -> dict[str, str]:
    """The snapshots that a move took out of sight, by node."""
    before: Mapping[str, list[Any]] = json.loads(revision.before)
    return {node_id: values[0] for node_id, values in before.items() if values[0]}


def counts_moved(environment: Environment, revisions: Sequence[Revision]) -> list[int]:
    """How many pointers each of its revisions moved. revisions: its newest ones, newest first."""
    shown: dict[str, str | None] = dict(environment.pointers)
    counts = []
    for revision in revisions:
        before = {node_id: values[0] for node_id, values in json.loads(revision.before).items()}
        counts.append(sum(shown.get(node_id) != old for node_id, old in before.items()))
        shown |= before
    return counts


def _replaced(before: Environment, after: Environment) -> str:
    """Of each node of which anything changed, what was there; None for nothing."""
    maps = [(getattr(before, field), getattr(after, field)) for field in KEPT]
    ids = {i for old, new in maps for i in old.keys() | new if old.get(i) != new.get(i)}
    return json.dumps({i: [old.get(i) for old, _ in maps] for i in sorted(ids)})


def _why_not(environment: Environment, revisions: Sequence[Revision], number: int) -> str:
    """Why an environment can't show again what it showed after a revision, and what it can."""
    name, last = environment.name, environment.revision
    if last == 0:
        return f"'{name}' can't go back: it shows nothing yet."
    if number <= 0:
        why = f"'{name}' can't go back further: before revision 1 it showed nothing."
    elif number >= last:
        why = f"'{name}' has no revision {number} to go back to: it is at revision {last}."
    else:
        why = f"'{name}' can't go back to revision {number}: what it showed then is not kept."
    known = sorted(r.number - 1 for r in revisions if r.number > 1 or snapshots_before(r))
    if not known:
        return why
    if len(known) == 1:
        return f"{why} What it showed after revision {known[0]} is known: name that one."
    span = f"{known[0]} {'or' if len(known) == 2 else 'to'} {known[-1]}"
    return f"{why} What it showed after revision {span} is known: name one of them."
