"""What pointers to incremental nodes show: parts of a snapshot, fixed when the pointer is made.

A snapshot of an incremental node grows, in whichever environment something is computed of it, and
its ledger tells what it holds. What an environment shows of it changes only when its own pointer
moves, so it is kept beside the pointer: its holding.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from zlib import compress, decompress

from seeknal.dag.fingerprint import snapshot_of
from seeknal.errors import StateError
from seeknal.state.backend import StateBackend
from seeknal.state.fields import part_texts, parts_of_texts
from seeknal.state.intervals import Part, joined
from seeknal.state.records import Holding
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.intervals import ALWAYS


class LostError(StateError):
    """What a pointer shows is no longer known."""


def shown(state: StateBackend, node_id: str, pointer: str) -> tuple[Part, ...]:
    """The parts that a pointer to an incremental node shows, sorted.

    Raises LostError when that was forgotten, or damaged.
    """
    if pointer == snapshot_of(pointer):  # older pointers show whatever the snapshot holds
        return tuple(state.get_parts(node_id, pointer))
    holding = state.get_holding(node_id, pointer)
    if holding is None:
        raise LostError(
            f"What {node_id} showed as {pointer} is no longer known. `seeknal run` in the same "
            "environment brings it back."
        )
    return parts_of_texts(json.loads(decompress(b64decode(holding.parts))))


def known(state: StateBackend, node_id: str, pointer: str) -> tuple[Part, ...]:
    """As `shown`, and nothing where that is lost: a run finds what was computed in the ledger."""
    try:
        return shown(state, node_id, pointer)
    except LostError:
        return ()


def holding_of(node_id: str, pointer: str, parts: Sequence[Part]) -> Holding:
    """What a pointer to these parts shows, as it is kept."""
    text = json.dumps(part_texts(parts))
    packed = b64encode(compress(text.encode(), 1)).decode()
    return Holding(node_id, pointer, packed)


def within(parts: Iterable[Part], time: IntervalSet) -> list[Part]:
    """As much of sorted parts as lies in some time."""
    ranges = list(time)
    at, found = 0, []
    for part in parts:
        while at < len(ranges) and ranges[at].start < part.end:
            start, end = max(ranges[at].start, part.start), min(ranges[at].end, part.end)
            if start < end:
                found.append(Part(start, end, part.name))
            if ranges[at].end > part.end:
                break
            at += 1
    return found


def overlaid(parts: Iterable[Part], fresh: Sequence[Part]) -> list[Part]:
    """Sorted parts, with fresh ones in the place of what held any of their time."""
    if not fresh:
        return list(parts)
    rest = IntervalSet([ALWAYS]) - IntervalSet(fresh)
    return joined([*within(parts, rest), *fresh])


def absent(parts: Iterable[Part], there: Iterable[Part]) -> Iterator[Part]:
    """As much of parts as others don't hold by the same name."""
    same = set(there)
    by_name: dict[str, list[Part]] = defaultdict(list)
    for part in same:
        by_name[part.name].append(part)
    for part in parts:
        if part not in same:
            for start, end in IntervalSet([part]) - IntervalSet(by_name[part.name]):
                yield Part(start, end, part.name)
