"""What the tests of this folder ask."""

from __future__ import annotations

from collections.abc import Mapping

from seeknal.dag.classifier import Change, Query, Verdict
from seeknal_diff_sqlglot.classifier import SqlglotClassifier

CLASSIFIER = SqlglotClassifier()
LETTERS = {"metadata": "M", "non_breaking": "N", "breaking": "B"}


def judge(
    old: str,
    new: str,
    inputs: Mapping[str, Change] | None = None,
    *,
    dialect: str = "duckdb",
    ids: tuple[str, ...] = (),
    columns: Mapping[str, tuple[str, ...]] | None = None,
    keys: Mapping[str, tuple[frozenset[str], ...]] | None = None,
) -> Verdict:
    queries = [Query(sql, dialect, ids, columns or {}, keys or {}) for sql in (old, new)]
    verdict = CLASSIFIER.classify(queries[0], queries[1], inputs or {})
    assert verdict is not None
    return verdict


def letter(old: str, new: str, dialect: str = "duckdb") -> str:
    """M for METADATA, N for NON_BREAKING, B for BREAKING."""
    return LETTERS[judge(old, new, dialect=dialect).category.value]
