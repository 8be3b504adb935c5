"""The conformance suite for classifiers."""

from __future__ import annotations

import copy
import sqlite3
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import permutations
from typing import ClassVar, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seeknal.dag.classifier import (
    EVERYTHING,
    Change,
    ChangeCategory,
    Classifier,
    ColumnOf,
    Query,
    Verdict,
)
from seeknal.testing.queries import (
    DATA,
    FAMILIES,
    LONG,
    NO_QUERIES,
    READINGS,
    VOLATILE,
    Reading,
)
from seeknal.testing.suite import Suite


class ClassifierSuite(Suite):
    """Inherit it, and give the fixture `classifier`.

    The numbers in the tests are those of the promises in docs/behaviour/classifiers.md.
    """

    dialect: ClassVar[str] = "sqlite"
    """In which the queries of the suite are given."""

    examples: ClassVar[int] = 300
    """How many random texts are tried."""

    @pytest.fixture
    def classifier(self) -> Classifier:
        raise NotImplementedError("give a fixture `classifier`")

    def classify(
        self, classifier: Classifier, old: str, new: str, inputs: Mapping[str, Change] | None = None
    ) -> Verdict | None:
        return classifier.classify(self.query(old), self.query(new), inputs or {})

    def query(self, sql: str) -> Query:
        return Query(sql, self.dialect)

    # --- Answers ----------------------------------------------------------------------------

    @pytest.mark.parametrize("number", range(len(NO_QUERIES)))
    def test_what_is_no_query_is_breaking(self, classifier: Classifier, number: int) -> None:
        """C1"""
        for old, new in permutations((NO_QUERIES[number], "SELECT a FROM t")):
            verdict = self.classify(classifier, old, new)
            assert verdict is None or verdict.category is ChangeCategory.BREAKING
        classifier.lineage(self.query(NO_QUERIES[number]))

    @pytest.mark.parametrize("number", range(len(LONG)))
    def test_long_texts_are_answered(self, classifier: Classifier, number: int) -> None:
        """C1"""
        self.classify(classifier, "SELECT a FROM t", LONG[number])
        self.classify(classifier, LONG[number], f"{LONG[number]} ", {"source.t": EVERYTHING})
        classifier.lineage(self.query(LONG[number]))

    def test_any_text_is_answered(self, classifier: Classifier) -> None:
        """C1"""
        words = ["SELECT", "a", ",", "(", ")", "*", "FROM", "t", "JOIN", "WITH", "AS", "WHERE"]
        words += ["'", '"', "--", ";", "1", ".", "$start"]

        @settings(max_examples=self.examples, deadline=None, database=None)
        @given(st.text() | st.lists(st.sampled_from(words)).map(" ".join))
        def answered(text: str) -> None:
            self.classify(classifier, text, "SELECT a FROM t")
            self.classify(classifier, "SELECT a FROM t", text)
            classifier.lineage(self.query(text))

        answered()

    @pytest.mark.parametrize("sql", [sql for family in FAMILIES for sql in family])
    def test_a_text_is_what_it_is(self, classifier: Classifier, sql: str) -> None:
        """C2"""
        verdict = self.classify(classifier, sql, sql)
        assert verdict is None or not verdict.change

    def test_the_same_question_has_the_same_answer(self, classifier: Classifier) -> None:
        """C3"""
        pairs = list(permutations(FAMILIES[1][:8], 2))
        inputs = {"source.t": Change(changed=frozenset({"b"}))}
        given_inputs = copy.deepcopy(inputs)

        def ask(pair: tuple[str, str]) -> Verdict | None:
            return self.classify(classifier, *pair, inputs)

        first = [ask(pair) for pair in pairs]
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(ask, pairs)) == first
        assert [ask(pair) for pair in reversed(pairs)] == first[::-1]
        assert inputs == given_inputs

    # --- Verdicts ---------------------------------------------------------------------------

    @pytest.mark.parametrize("family", range(len(FAMILIES)))
    def test_no_verdict_says_less_than_the_truth(self, classifier: Classifier, family: int) -> None:
        """C4"""
        queries = FAMILIES[family]
        with closing(sqlite3.connect(":memory:")) as database:
            database.executescript(DATA)
            results = {sql: _Result.of(database, sql) for sql in queries}
        untrue = []
        for old, new in permutations(queries, 2):
            verdict = self.classify(classifier, old, new)
            if verdict is not None and not verdict.change.rows:
                wrong = _wrong(verdict.change, results[old], results[new])
                untrue += [f"{old}\n{new}\n{verdict}\n{wrong}"] if wrong else []
        assert not untrue, "\n\n".join(untrue[:5])

    @pytest.mark.parametrize(("old", "new"), VOLATILE)
    def test_what_is_another_each_time_is_breaking(
        self, classifier: Classifier, old: str, new: str
    ) -> None:
        """C5"""
        verdict = self.classify(classifier, old, new)
        assert verdict is None or verdict.category is ChangeCategory.BREAKING

    # --- What changed above -----------------------------------------------------------------

    @pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.sql)
    def test_changed_rows_are_not_overlooked(
        self, classifier: Classifier, reading: Reading
    ) -> None:
        """C6"""
        verdict = self.classify(classifier, reading.sql, reading.sql, {"source.t": EVERYTHING})
        assert verdict is None or verdict.change.rows

    @pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.sql)
    @pytest.mark.parametrize("kind", ["changed", "added", "removed"])
    def test_a_column_that_is_read_is_not_overlooked(
        self, classifier: Classifier, reading: Reading, kind: str
    ) -> None:
        """C7"""
        for column in {*" ".join(reading.columns.values()).split(), *reading.rows.split()}:
            inputs = {"source.t": Change(**{kind: frozenset({column})})}  # type: ignore[arg-type]
            verdict = self.classify(classifier, reading.sql, reading.sql, inputs)
            if verdict is None or verdict.change.rows:
                continue
            assert column not in reading.rows.split(), (column, verdict)
            made = {name for name, of in reading.columns.items() if column in of.split()}
            assert made <= verdict.change.changed | verdict.change.removed, (column, verdict)

    @pytest.mark.parametrize("kind", ["changed", "added", "removed"])
    def test_all_columns_are_all_columns(self, classifier: Classifier, kind: str) -> None:
        """C7"""
        inputs = {"source.t": Change(**{kind: frozenset({"z"})})}  # type: ignore[arg-type]
        for sql in ("SELECT * FROM source.t", "SELECT t.* FROM source.t AS t WHERE a > 1"):
            verdict = self.classify(classifier, sql, sql, inputs)
            if verdict is not None and not verdict.change.rows:
                assert "z" in verdict.change.changed | getattr(verdict.change, kind)
        for sql in (
            "SELECT DISTINCT * FROM source.t",
            "SELECT * FROM source.t UNION SELECT * FROM u",
        ):
            verdict = self.classify(classifier, sql, sql, inputs)
            assert verdict is None or verdict.change.rows

    # --- Lineage ----------------------------------------------------------------------------

    @pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.sql)
    def test_lineage_names_all_that_is_read(self, classifier: Classifier, reading: Reading) -> None:
        """C8"""
        lineage = classifier.lineage(self.query(reading.sql))
        if lineage is None:
            return
        for name, made_from in reading.columns.items():
            assert {ColumnOf("source.t", c) for c in made_from.split()} <= lineage.columns[name]
        assert {ColumnOf("source.t", c) for c in reading.rows.split()} <= lineage.rows

    def test_all_columns_have_a_lineage(self, classifier: Classifier) -> None:
        """C8"""
        lineage = classifier.lineage(self.query("SELECT *, a AS x FROM source.t"))
        if lineage is not None:
            assert ColumnOf("source.t", "*") in lineage.columns["*"]
            assert ColumnOf("source.t", "a") in lineage.columns["x"]


class _Result(NamedTuple):
    """What a query gives. names: in lower case."""

    names: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    @classmethod
    def of(cls, database: sqlite3.Connection, sql: str) -> _Result:
        cursor = database.execute(sql)
        names = tuple(column[0].lower() for column in cursor.description)
        return cls(names, tuple(cursor.fetchall()))

    def of_columns(self, names: list[str]) -> Counter[tuple[tuple[type, object], ...]]:
        """The rows, in any order, cut to these columns. Values of two types are two values."""
        places = [self.names.index(name) for name in names]
        return Counter(tuple((type(row[p]), row[p]) for p in places) for row in self.rows)


def _wrong(change: Change, old: _Result, new: _Result) -> str | None:
    """What is untrue in a change without `rows`."""
    both = [name for name in old.names if name in new.names]
    if len({*old.names}) < len(old.names) or len({*new.names}) < len(new.names):
        return None if change.changed else "a name stands twice"
    if not {*old.names} - {*new.names} <= change.removed | change.changed:
        return "a column that is gone was not told"
    if not {*new.names} - {*old.names} <= change.added | change.changed:
        return "a new column was not told"
    if not change.moved and both != [name for name in new.names if name in old.names]:
        return "columns stand in another order"
    same = [name for name in both if name not in change.changed]
    if old.of_columns(same) != new.of_columns(same):
        return f"rows differ in {same}"
    return None
