"""What the entry point names. The classifier is imported when one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seeknal.hookspecs import Offer, hookimpl

if TYPE_CHECKING:
    from seeknal.dag.classifier import Classifier


def create() -> Classifier:
    from seeknal_diff_sqlglot.classifier import SqlglotClassifier

    return SqlglotClassifier()


@hookimpl
def seeknal_classifier() -> Offer[Classifier]:
    return Offer(create=create, summary="SQL judged by what it means")
