from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seeknal.dag.classifier import ChangeCategory, Query
from seeknal.dag.text_classifier import TextClassifier


@given(st.text(), st.text(alphabet=" \n\t"))
def test_trailing_space_changes_nothing(sql: str, space: str) -> None:
    verdict = TextClassifier().classify(Query(sql), Query(sql + space), {})
    assert verdict is not None
    assert verdict.category is ChangeCategory.METADATA


@given(st.text(), st.text())
def test_anything_else_is_left_to_others(old: str, new: str) -> None:
    if old.rstrip() != new.rstrip():
        assert TextClassifier().classify(Query(old), Query(new), {}) is None
