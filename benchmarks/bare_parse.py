"""What a parse of an unchanged project can't do without: a look at each file, and one at what is
known of them.

python bare_parse.py PROJECT
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path


def stat_all(folder: str) -> Iterator[os.stat_result]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from stat_all(entry.path)
        else:
            yield os.stat(entry.path)


if __name__ == "__main__":
    root = Path(sys.argv[1])
    looks = [*stat_all(f"{root}/seeknal"), *stat_all(f"{root}/data")]
    manifest = json.loads((root / "target" / "manifest.json").read_text(encoding="utf-8"))
    assert len(looks) >= len(manifest["nodes"])
