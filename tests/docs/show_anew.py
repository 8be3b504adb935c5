"""Writes what commands print now into pages that show something else.

python -m tests.docs.show_anew docs/tutorial.md
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.docs.reader import follow


def show_anew(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    with TemporaryDirectory() as folder:
        retold = list(follow(page, Path(folder).resolve()))
    for block, text in reversed(retold):
        begin = block.line - 1
        if text != block.text:
            lines[begin : begin + len(block.text.splitlines())] = text.splitlines()
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


for name in sys.argv[1:]:
    show_anew(Path(name).resolve())
