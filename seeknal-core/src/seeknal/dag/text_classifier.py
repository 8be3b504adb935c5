"""The classifier "text": two texts that differ only in trailing space compute the same."""

from __future__ import annotations

from seeknal.dag.classifier import ChangeCategory, Verdict


class TextClassifier:
    """Knows nothing of SQL, and so never says more than that nothing has changed."""

    def classify(self, old_sql: str, new_sql: str, dialect: str) -> Verdict | None:
        if old_sql.rstrip() == new_sql.rstrip():
            return Verdict(ChangeCategory.METADATA)
        return None
