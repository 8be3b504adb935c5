"""The contract of classifiers: plugins that judge what a change of SQL can reach."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class ChangeCategory(Enum):
    """What a change means for whatever reads the node."""

    BREAKING = "breaking"
    """Something downstream may read other values or rows."""

    NON_BREAKING = "non_breaking"
    """This node is rebuilt, and what downstream reads of it is unchanged."""

    METADATA = "metadata"
    """This node's result is unchanged."""


@dataclass(frozen=True)
class Verdict:
    """A category and, for people, why it is no milder one."""

    category: ChangeCategory
    reasons: tuple[str, ...] = ()


class Classifier(Protocol):
    """Judges pairs of SQL texts."""

    def classify(self, old_sql: str, new_sql: str, dialect: str) -> Verdict | None:
        """Judge a change, or return None to leave it to the next classifier.

        A milder category than the truth leaves data stale: return one only when it is proven.
        """
