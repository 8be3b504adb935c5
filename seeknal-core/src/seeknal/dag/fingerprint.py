"""Addresses of snapshots: a hash of everything that determines what is in one.

A snapshot's id is made of its node's definition and of the versions of its inputs: of an input
that is computed whole its snapshot id, of an incremental one its snapshot id and the parts that it
holds. The same work has the same address, in whichever environment it is done.

An incremental node is not computed anew whenever its inputs grow. So the id of its snapshot is made
of definitions only: its own, and those of all that it is made from. Which data has gone in is told
by its parts; a pointer to it names both, the snapshot and, behind a dot, the parts that it shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from seeknal.dag.manifest import Manifest, Node

FORMAT = 1
"""Part of every id: raise it when what engines write for a definition changes its meaning."""


def snapshot_id(node: Node, inputs: Mapping[str, str], content: str = "", refresh: str = "") -> str:
    """32 hexadecimal digits: the first half of a SHA-256.

    inputs: node id -> snapshot id. content: of a source, the version of its data. refresh: names
    the run that was asked to compute anew what nothing visible has changed.
    """
    return _hash([FORMAT, node.definition, [[i, inputs[i]] for i in node.inputs], content, refresh])


PARTS = "-parts"
"""How the id of an incremental node's snapshot ends."""


def incremental_snapshot_id(node: Node, definitions: Mapping[str, str], refresh: str = "") -> str:
    """definitions: what `definition_hashes` gives."""
    return snapshot_id(node, definitions, refresh=refresh) + PARTS


def definition_hashes(manifest: Manifest) -> dict[str, str]:
    """For each node, a hash of its definition and of those of all that it is made from, where all
    of that is there."""
    hashes: dict[str, str] = {}
    for node_id in manifest.order:
        node = manifest.nodes[node_id]
        if all(i in hashes for i in node.inputs):
            hashes[node_id] = snapshot_id(node, hashes)
    return hashes


def is_incremental(snapshot: str) -> bool:
    """Of a snapshot, or of a pointer to one."""
    return snapshot_of(snapshot).endswith(PARTS)


def pointer_to(snapshot: str, parts: Iterable[tuple[datetime, datetime, str]]) -> str:
    """What points at parts of an incremental node's snapshot."""
    return f"{snapshot}.{version_of_parts(snapshot, parts)}"


def snapshot_of(pointer: str) -> str:
    """The id of the snapshot that a pointer points at."""
    return pointer.partition(".")[0]


def version_of(pointer: str) -> str:
    """What a pointer gives to the ids of what is made from it."""
    return pointer.rpartition(".")[2]


def version_of_parts(snapshot: str, parts: Iterable[tuple[datetime, datetime, str]]) -> str:
    """What a snapshot that is made of parts holds."""
    return _hash([snapshot, [[s.isoformat(), e.isoformat(), name] for s, e, name in parts]])


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _hash(parts: list[Any]) -> str:
    return hashlib.sha256(_encode(parts).encode()).hexdigest()[:32]
