"""Why a verdict is no milder one, most important first."""

from __future__ import annotations

from sqlglot import exp

from seeknal.dag.classifier import Reason
from seeknal_diff_sqlglot.texts import Text

ROWS, REMOVED, CHANGED, MOVED, ADDED = range(5)
_MOST = 10


class Reasons:
    """Collects reasons by weight. Lines are those of the new text."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._found: list[tuple[int, Reason]] = []

    def add(self, weight: int, message: str, node: exp.Expr | None = None) -> None:
        self._found.append((weight, Reason(message, self._text.line(node))))

    def mark(self) -> int:
        return len(self._found)

    def cut(self, mark: int) -> list[tuple[int, Reason]]:
        """Take back what was added since the mark."""
        gone = self._found[mark:]
        del self._found[mark:]
        return gone

    def extend(self, reasons: list[tuple[int, Reason]]) -> None:
        self._found += reasons

    def sorted(self) -> tuple[Reason, ...]:
        ordered = sorted(self._found, key=lambda pair: pair[0])
        return tuple(dict.fromkeys(reason for _, reason in ordered))[:_MOST]
