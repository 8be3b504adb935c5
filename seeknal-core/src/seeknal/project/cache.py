"""What was read from a project's files, kept between two commands.

An entry holds as long as the file's size, times and inode, and those of what it used, are what
they were. The cache can be deleted at any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seeknal.dag.manifest import Node
from seeknal.files import Signature, signature, write_beside
from seeknal.project.parsed import Parsed


class ParseCache:
    """Parsed files by path.

    key: whatever else decides what a file comes to; under another key nothing is found.
    """

    def __init__(self, path: Path, root: Path, key: str) -> None:
        self._path, self._root, self._key = path, root, key
        self._changed = False
        self._entries: dict[str, dict[str, Any]] = {}
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["key"] == key:
                self._entries = stored["files"]
        except (OSError, ValueError, KeyError, TypeError):
            pass

    def get(self, path: str, sign: Signature) -> Parsed | None:
        entry = self._entries.get(path)
        if entry is None or tuple(entry["sign"]) != sign:
            return None
        for used, used_sign in entry["uses"].items():
            try:
                if signature(self._root / used) != tuple(used_sign):
                    return None
            except OSError:
                return None
        return Parsed(
            nodes=[Node.from_dict(n) for n in entry["nodes"]],
            mentioned=entry["mentioned"],
            skipped=entry["skipped"],
        )

    def put(
        self, path: str, sign: Signature, uses: Mapping[str, Signature], parsed: Parsed
    ) -> None:
        """Keep what has no problems."""
        self._changed = True
        self._entries[path] = {
            "sign": sign,
            "uses": dict(uses),
            "nodes": [n.to_dict() for n in parsed.nodes],
            "mentioned": parsed.mentioned,
            "skipped": parsed.skipped,
        }

    def save(self, paths: set[str]) -> None:
        """Write what is held of these paths, if that isn't what was read."""
        gone = self._entries.keys() - paths
        if not self._changed and not gone:
            return
        files = {p: e for p, e in self._entries.items() if p in paths}
        text = json.dumps({"key": self._key, "files": files}, separators=(",", ":"))
        try:
            write_beside(self._path, text)
        except OSError:
            pass  # a cache that can't be written costs time, and nothing else
