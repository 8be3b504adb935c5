"""How things are put into words and columns on the screen."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from seeknal.errors import count

__all__ = ["columns", "count", "on_terminal", "way"]


def on_terminal(text: str) -> None:
    """Tell whoever sits before a terminal what is waited for."""
    if sys.stderr.isatty():
        typer.echo(text, err=True)


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a header, each column as wide as its widest cell; the last one runs free."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header) - 1)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]
        ).rstrip()
        for row in table
    )


def way(steps: Sequence[str]) -> str:
    """`a > b > c`: of a long way, its beginning and its end."""
    return " > ".join(steps if len(steps) < 5 else [*steps[:2], "...", *steps[-2:]])
