"""What is printed of a verdict that execution disproves."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff

from seeknal.dag.classifier import Verdict

from .truth import Lie


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, and the lies that it tells."""

    seed: str
    name: str
    edits: tuple[str, ...]
    old: str
    new: str
    verdict: Verdict
    lies: tuple[Lie, ...]
    note: str = ""

    def __str__(self) -> str:
        lie = self.lies[0]
        reasons = "".join(f"\n  because {reason.message}" for reason in self.verdict.reasons)
        return (
            f"\n=== {self.name}, seed {self.seed!r}, edits {', '.join(self.edits)}\n"
            f"judged {self.verdict.category.name}: {self.verdict.change}{reasons}\n"
            f"{self.note}in world {lie.world}: {lie.kind.value}\n{lie.detail}\n{self.diff()}\n"
        )

    def diff(self) -> str:
        if self.old == self.new:
            return self.old
        lines = unified_diff(
            self.old.splitlines(), self.new.splitlines(), "old", "new", lineterm="", n=200
        )
        return "\n".join(lines)


def shortest(findings: list[Finding], most: int) -> str:
    """The findings that are quickest to read."""
    chosen = sorted(findings, key=lambda finding: len(finding.old) + len(finding.new))
    return "".join(map(str, chosen[:most]))
