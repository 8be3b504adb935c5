"""What version 1 wrote, to be read once and removed.

runs/<run>/run.json
runs/<run>/nodes/<node>.json
environments/<name>.json
journal/<n>.*               transactions: {path: text}, to be carried out in this order
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from seeknal.errors import StateError
from seeknal.state.records import Environment, NodeState, Record, Run

_JOURNAL = "journal"


def is_at(root: Path) -> bool:
    return (root / _JOURNAL).is_dir()


def records(root: Path) -> Iterator[Record]:
    """Runs before their node states."""
    texts: dict[str, str | bytes] = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for pattern in ("runs/*/run.json", "runs/*/nodes/*.json", "environments/*.json")
        for path in root.glob(pattern)
    }
    for journal in sorted((root / _JOURNAL).glob("[0-9]*")):
        texts |= json.loads(journal.read_text(encoding="utf-8"))
    for path, text in sorted(texts.items(), key=lambda item: "/nodes/" in item[0]):
        kind: type[Record] = Environment
        if path.startswith("runs/"):
            kind = NodeState if "/nodes/" in path else Run
        try:
            yield kind.from_dict(json.loads(text))
        except ValueError as error:
            raise StateError(
                f"{root / path} can't be read: {error}. Move it away and run again: what was "
                "computed is found again."
            ) from error


def folders(root: Path) -> list[str]:
    """What is to be removed when its records are stored anew. Environments stay where they are,
    and only some of them under their names."""
    runs = [f"runs/{folder.name}/" for folder in (root / "runs").glob("*/")]
    return [*runs, "environments/", f"{_JOURNAL}/"]
