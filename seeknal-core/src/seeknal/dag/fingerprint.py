"""Addresses of snapshots: a hash of everything that determines what is in one.

A snapshot's id is made of its node's definition and of the versions of its inputs, which are
their snapshot ids. The same work has the same address, in whichever environment it is done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from seeknal.dag.manifest import Node

FORMAT = 1
"""Part of every id: raise it when what engines write for a definition changes its meaning."""


def snapshot_id(node: Node, inputs: Mapping[str, str], content: str = "", refresh: str = "") -> str:
    """32 hexadecimal digits: the first half of a SHA-256.

    inputs: node id -> snapshot id. content: of a source, the version of its data. refresh: names
    the run that was asked to compute anew what nothing visible has changed.
    """
    parts = [FORMAT, node.definition, [[i, inputs[i]] for i in node.inputs], content, refresh]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
