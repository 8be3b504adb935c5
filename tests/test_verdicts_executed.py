"""Verdicts on changes of SQL, held against what DuckDB makes of both versions.

Real queries are edited at random, both versions run over data made to tell them apart, and no
verdict may be milder than the data proves. `tests/verdicts/` has the parts: `texts` (queries),
`data` and `execution` (what they run over), `keeping_*`, `adding` and `changing` (edits), `truth`
(what execution proves), `pairs` and `propagation` (the two laws), `liars` (wrong classifiers, each
of which must be found out).

    pytest tests/test_verdicts_executed.py                        as CI does, always the same pairs
    SEEKNAL_NIGHTLY=1 pytest -s tests/test_verdicts_executed.py   100,000 pairs, an hour or two
    SEEKNAL_VERDICTS_SEED=x pytest tests/test_verdicts_executed.py

A finding prints its seed, but for its number of the round: set SEEKNAL_VERDICTS_SEED to what
stands before the last dot, and SEEKNAL_NIGHTLY as it was, to see it again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from tests.verdicts.editing import EDITS, Claim, Edit
from tests.verdicts.liars import LIARS
from tests.verdicts.pairs import Tally, edited
from tests.verdicts.propagation import InputTally
from tests.verdicts.reports import shortest
from tests.verdicts.runs import caught, run_inputs, run_pairs, size_and_seed
from tests.verdicts.texts import all_texts, texts

from seeknal.dag.classifier import ChangeCategory
from seeknal_diff_sqlglot.classifier import SqlglotClassifier

EQUAL_SEEN_AS_METADATA = 0.88
"""Of the pairs that are edited to be equal, and proven to be: no less are seen as METADATA."""
ADDED_SEEN_AS_NON_BREAKING = 0.59
"""Of the pairs with a column more, and proven to differ in nothing else."""
INPUTS_SEEN = 0.70
"""Of the edits of a table, those of which something milder than EVERYTHING is said."""
WITH_ROWS = 0.85
"""Of the queries, those that give rows over one of their data sets."""
TRUE_TO_CLAIM = 0.9
"""Of the edits that claim to keep a result or to add to it, those that execution agrees with."""

SHOWN = 3


@pytest.fixture(scope="module")
def pairs() -> Tally:
    return run_pairs(SqlglotClassifier(), *size_and_seed())


@pytest.fixture(scope="module")
def propagated() -> tuple[InputTally, InputTally]:
    return run_inputs(SqlglotClassifier(), *size_and_seed())


def test_no_verdict_is_milder_than_the_data_proves(pairs: Tally) -> None:
    found = pairs.findings
    assert not found, f"{len(found)} of {pairs.pairs} pairs:{shortest(found, SHOWN)}"


def test_no_change_of_an_input_is_milder_than_the_data_proves(
    propagated: tuple[InputTally, InputTally],
) -> None:
    edits, _ = propagated
    assert not edits.findings, f"{len(edits.findings)}:{shortest(edits.findings, SHOWN)}"


def test_no_change_of_a_query_reaches_its_readers_unseen(
    propagated: tuple[InputTally, InputTally],
) -> None:
    _, chains = propagated
    assert not chains.findings, f"{len(chains.findings)}:{shortest(chains.findings, SHOWN)}"


def test_what_is_equal_or_only_added_is_seen(
    pairs: Tally,
    propagated: tuple[InputTally, InputTally],
    record_property: Callable[[str, object], None],
) -> None:
    edits, chains = propagated
    told = [summary(pairs), said("edits of tables", edits), said("chains", chains)]
    record_property("shown", "\n".join(told))
    assert share(pairs.kept_seen, pairs.kept) >= EQUAL_SEEN_AS_METADATA
    assert share(pairs.added_seen, pairs.added) >= ADDED_SEEN_AS_NON_BREAKING
    assert edits.mild >= INPUTS_SEEN * edits.cases


def test_edits_do_what_they_claim(pairs: Tally) -> None:
    """Else the shares would say nothing."""
    claiming = [name for name, edit in EDITS.items() if edit.claim is not Claim.CHANGES]
    wrong = {name: pairs.disproved[name] for name in claiming if pairs.disproved[name]}
    assert sum(wrong.values()) <= (1 - TRUE_TO_CLAIM) * (pairs.kept + pairs.added).total(), wrong


def test_each_edit_finds_a_place() -> None:
    def finds(edit: Edit) -> bool:
        rng = random.Random(edit.name)
        return any(edited(text.sql, edit, rng) for text in all_texts() * 5)

    placed = {name: finds(edit) for name, edit in EDITS.items()}
    assert all(placed.values()), [name for name, found in placed.items() if not found]


@pytest.mark.parametrize(
    ("name", "law"), [(name, law) for name, case in LIARS.items() for law in case.laws]
)
def test_a_liar_is_found_out(name: str, law: str) -> None:
    assert caught(LIARS[name].liar, law, LIARS[name].edit)


def test_queries_run_and_most_give_rows(pairs: Tally) -> None:
    assert (len(texts("h")), len(texts("ds"))) == (22, 99), (
        "The texts of TPC-H and TPC-DS come from ibis-framework 12: install it, "
        "with the other development dependencies."
    )
    assert len(texts("own")) >= 100
    assert not pairs.refused
    assert pairs.with_rows >= WITH_ROWS * pairs.texts


def share(part: Counter[str], whole: Counter[str]) -> float:
    return part.total() / whole.total() if whole else 1.0


def summary(pairs: Tally) -> str:
    """For people: how much was tried, and how much of what is equal was seen to be."""
    kinds = ", ".join(f"{pairs.categories[kind]} {kind.name}" for kind in ChangeCategory)
    lines = [
        f"{pairs.pairs} pairs, {pairs.executed} of them executed: {kinds};",
        f"judged in {1000 * pairs.judging / max(1, pairs.pairs):.1f} ms each",
        f"equal, seen as METADATA: {share(pairs.kept_seen, pairs.kept):.1%}",
        f"added, seen as NON_BREAKING: {share(pairs.added_seen, pairs.added):.1%}",
    ]
    for seen, proven in ((pairs.kept_seen, pairs.kept), (pairs.added_seen, pairs.added)):
        lines += [f"    {name:24}{seen[name]:5} of {proven[name]}" for name in sorted(proven)]
    return "\n".join(lines)


def said(what: str, tally: InputTally) -> str:
    return f"{what}: {tally.cases}, of {tally.mild} something is said"
