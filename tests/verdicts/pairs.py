"""Pairs of versions of a query: drawn, judged, and executed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import duckdb
import sqlglot.errors

from seeknal.dag.classifier import (
    EVERYTHING,
    Change,
    ChangeCategory,
    Classifier,
    Query,
    Verdict,
)

from . import adding, changing, changing_shapes, keeping_expressions, keeping_shapes, keeping_texts
from .editing import EDITS, Claim, Edit
from .execution import Failure, Outcome, Result, World, Worlds, build
from .reports import Finding
from .texts import Text, tables
from .truth import lies, proves_addition, proves_equal

LIBRARY = (keeping_texts, keeping_shapes, keeping_expressions, adding, changing, changing_shapes)
"""The modules whose import fills EDITS."""

SHORT = 800
"""The length of texts that are quick to parse again and again."""
CLAIMS = ((Claim.KEEPS, 45), (Claim.ADDS, 20), (Claim.CHANGES, 35))


@dataclass(frozen=True, slots=True)
class Pair:
    """steps: each edit's name, and the text after it. columns: whether the tables' are given."""

    text: Text
    old: str
    steps: tuple[tuple[str, str], ...]
    columns: bool

    @property
    def new(self) -> str:
        return self.steps[-1][1]

    @property
    def edits(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.steps)

    @property
    def claim(self) -> Claim:
        claims = {EDITS[name].claim for name in self.edits}
        return next(c for c in (Claim.CHANGES, Claim.ADDS, Claim.KEEPS) if c in claims)


@dataclass
class Tally:
    """What came of many pairs. with_rows: texts that give rows in some world. refused: texts that
    DuckDB doesn't run. kept, added: of each edit's pairs that execution proves to be as
    claimed, how many, and how many are judged so."""

    texts: int = 0
    with_rows: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    pairs: int = 0
    executed: int = 0
    drawn: Counter[str] = field(default_factory=Counter)
    categories: Counter[ChangeCategory] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    kept_seen: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    added_seen: Counter[str] = field(default_factory=Counter)
    disproved: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    judging: float = 0.0
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        for name in vars(self):
            value, more = getattr(self, name), getattr(other, name)
            if isinstance(value, Counter):
                value.update(more)
            else:
                setattr(self, name, value + more)


def query(sql: str, text: Text, columns: bool) -> Query:
    known = tables(text.family) if columns else {}
    names = {f"source.{name}": known[name].names for name in text.tables if name in known}
    return Query(sql, inputs=tuple(f"source.{name}" for name in text.tables), columns=names)


def judged(classifier: Classifier, old: Query, new: Query, inputs: Mapping[str, Change]) -> Verdict:
    """The verdict; of a classifier that has none, that anything may have changed."""
    try:
        return classifier.classify(old, new, inputs) or Verdict(EVERYTHING)
    except Exception as error:
        raise AssertionError(f"raised, given {inputs}:\n{old.sql}\n--- and\n{new.sql}") from error


def draw_pair(text: Text, rng: random.Random, drawn: Counter[str], only: str = "") -> Pair | None:
    """drawn: how often each edit was drawn before; those that seldom find a place go first.

    only: the name of the one edit to make.
    """
    if only:
        new = edited(text.sql, EDITS[only], rng)
        return None if new is None else Pair(text, text.sql, ((only, new),), rng.random() < 0.75)
    old = text.sql
    if rng.random() < 0.15:
        old = edited(old, rng.choice(of_claim(Claim.CHANGES)), rng) or old
    claim = rng.choices([c for c, _ in CLAIMS], weights=[w for _, w in CLAIMS])[0]
    wanted = [claim]
    while len(wanted) < 4 and rng.random() < 0.3:
        wanted.append(Claim.KEEPS if rng.random() < 0.8 else rng.choice(list(Claim)))
    rng.shuffle(wanted)
    steps: list[tuple[str, str]] = []
    for each in wanted:
        step = draw_step(steps[-1][1] if steps else old, each, rng, drawn)
        if step is not None:
            steps.append(step)
            drawn[step[0]] += 1
    return Pair(text, old, tuple(steps), rng.random() < 0.75) if steps else None


def draw_step(
    sql: str, claim: Claim, rng: random.Random, drawn: Counter[str]
) -> tuple[str, str] | None:
    """An edit that finds something to edit."""
    edits = of_claim(claim)
    chosen = rng.sample(edits, k=min(24 if len(sql) < SHORT else 8, len(edits)))
    for edit in sorted(chosen, key=lambda edit: drawn[edit.name]):
        new = edited(sql, edit, rng)
        if new is not None and new != sql:
            return edit.name, new
    return None


def of_claim(claim: Claim) -> list[Edit]:
    return [edit for edit in EDITS.values() if edit.claim is claim]


def edited(sql: str, edit: Edit, rng: random.Random) -> str | None:
    """The edited text, or None where the edit has no place, or sqlglot can't write it down."""
    try:
        return edit.apply(sql, rng)
    except (sqlglot.errors.SqlglotError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def try_text(
    text: Text,
    classifier: Classifier,
    connection: duckdb.DuckDBPyConnection,
    seed: str,
    pairs: int,
    worlds_each: int,
    only: str = "",
) -> Tally:
    """Draw data sets and pairs for one text, and hold each verdict against them."""
    rng = random.Random(f"{seed}/{text.name}")
    trial = Trial(classifier, build(text, connection, rng), worlds_each, rng, seed)
    started = time.perf_counter()
    trial.try_unedited()
    for _ in range(pairs):
        pair = draw_pair(text, rng, trial.tally.drawn, only)
        if pair is not None:
            trial.attempt(pair)
    trial.tally.seconds = time.perf_counter() - started
    return trial.tally


@dataclass
class Trial:
    """One text's pairs over one drawing of its data."""

    classifier: Classifier
    worlds: Worlds
    worlds_each: int
    rng: random.Random
    seed: str
    tally: Tally = field(default_factory=Tally)
    known: dict[str, dict[str, Outcome]] = field(default_factory=dict)

    def try_unedited(self) -> None:
        """Whether the text runs at all, and whether it gives rows anywhere."""
        text = self.worlds.text
        runs = self.run_all(text.sql).values()
        self.tally.texts += 1
        self.tally.with_rows += any(isinstance(run, Result) and run.rows for run in runs)
        if any(isinstance(run, Failure) and run.binding for run in runs):
            self.tally.refused[text.name] += 1

    def attempt(self, pair: Pair) -> None:
        verdict = self.judge(pair, pair.old, pair.new)
        self.tally.pairs += 1
        self.tally.categories[verdict.category] += 1
        if verdict.change.rows and pair.claim is Claim.CHANGES:
            return
        chosen = self.chosen()
        old = self.run_all(pair.old)
        if all(isinstance(run, Failure) and run.binding for run in old.values()):
            return
        new = {world.name: self.worlds.run_in(world, pair.new) for world in chosen}
        self.tally.executed += 1
        self.count(pair, verdict, old, new, chosen)
        told = lies(verdict.change, old, new, chosen)
        if told:
            told = lies(verdict.change, old, new, chosen, self.worlds.turned(pair.old))
        self.note(pair, verdict, told)

    def chosen(self) -> list[World]:
        return self.rng.sample(self.worlds.worlds, k=min(self.worlds_each, 5))

    def judge(self, pair: Pair, old: str, new: str) -> Verdict:
        started = time.perf_counter()
        queries = (query(sql, pair.text, pair.columns) for sql in (old, new))
        verdict = judged(self.classifier, *queries, {})
        self.tally.judging += time.perf_counter() - started
        return verdict

    def run_all(self, sql: str) -> dict[str, Outcome]:
        if sql not in self.known:
            self.known[sql] = self.worlds.run(sql)
        return self.known[sql]

    def count(
        self,
        pair: Pair,
        verdict: Verdict,
        old: Mapping[str, Outcome],
        new: Mapping[str, Outcome],
        chosen: list[World],
    ) -> None:
        seen = verdict.category
        if pair.claim is Claim.KEEPS:
            if not proves_equal(old, new, chosen):
                self.tally.disproved.update(pair.edits)
                return
            self.tally.kept.update(pair.edits)
            if seen is ChangeCategory.METADATA:
                self.tally.kept_seen.update(pair.edits)
        elif pair.claim is Claim.ADDS:
            if not proves_addition(old, new, chosen):
                self.tally.disproved.update(pair.edits)
                return
            names = [name for name in pair.edits if EDITS[name].claim is Claim.ADDS]
            self.tally.added.update(names)
            if seen is ChangeCategory.NON_BREAKING:
                self.tally.added_seen.update(names)

    def note(self, pair: Pair, verdict: Verdict, told: list) -> None:
        if not told:
            return
        finding = Finding(
            self.seed, pair.text.name, pair.edits, pair.old, pair.new, verdict, tuple(told)
        )
        self.tally.findings.append(self.smaller(pair) or finding)

    def smaller(self, pair: Pair) -> Finding | None:
        """The same with one edit only, if one of them is enough."""
        texts = [pair.old, *(text for _, text in pair.steps)]
        for (name, _), (old, new) in zip(pair.steps, pairwise(texts), strict=True):
            verdict = self.judge(pair, old, new)
            runs = self.run_all(old), self.run_all(new)
            told = lies(verdict.change, *runs, self.worlds.worlds, self.worlds.turned(old))
            if told:
                return Finding(self.seed, pair.text.name, (name,), old, new, verdict, tuple(told))
        return None
