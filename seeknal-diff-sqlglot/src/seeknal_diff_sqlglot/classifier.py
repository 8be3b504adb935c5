"""Judge changes of SQL by what the SQL means."""

from __future__ import annotations

from collections.abc import Mapping

from seeknal.dag.classifier import EVERYTHING, Change, Lineage, Query, Reason, Verdict


class SqlglotClassifier:
    """Reads whatever sqlglot reads."""

    def classify(self, old: Query, new: Query, inputs: Mapping[str, Change]) -> Verdict | None:
        return Verdict(EVERYTHING, (Reason("nothing is proven yet"),))

    def lineage(self, query: Query) -> Lineage | None:
        return None
