"""The classifier "text": two texts that differ only in trailing space compute the same."""

from __future__ import annotations

from collections.abc import Mapping

from seeknal.dag.classifier import UNCHANGED, Change, Lineage, Query, Verdict


class TextClassifier:
    """Knows nothing of SQL, and so never says more than that nothing has changed."""

    def classify(self, old: Query, new: Query, inputs: Mapping[str, Change]) -> Verdict | None:
        same = (old.dialect, old.inputs) == (new.dialect, new.inputs)
        if same and old.sql.rstrip() == new.sql.rstrip() and not any(inputs.values()):
            return Verdict(UNCHANGED)
        return None

    def lineage(self, query: Query) -> Lineage | None:
        return None
