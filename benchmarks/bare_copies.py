"""What a run comes to without Seeknal: the same COPY statements and renames, in a loop.

As a script: python bare_copies.py STATEMENTS.json
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import duckdb

Statement = tuple[str, str]
"""A SELECT, and the path of the Parquet file for what it gives."""


def copy_all(statements: list[Statement]) -> None:
    connection = duckdb.connect()
    for select, path in statements:
        beside = f"{path}.tmp"
        os.makedirs(os.path.dirname(path))
        connection.execute(f"COPY (\n{select}\n) TO '{beside}' (FORMAT parquet)").fetchone()
        os.rename(beside, path)
    connection.close()


if __name__ == "__main__":
    copy_all(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
