"""Many texts at once, in processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from seeknal.dag.classifier import Classifier

from .execution import connect
from .pairs import Tally, try_text
from .propagation import InputTally, try_chains, try_inputs
from .texts import Text, all_texts, texts

ROOT = Path(__file__).parent.parent.parent
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Size:
    """How much is tried: pairs and cases for each text, of ours and of the TPC's.

    worlds: in how many of a text's five worlds each pair is run. rounds: of new data.
    """

    own: int
    tpc: int
    own_inputs: int
    tpc_inputs: int
    worlds: int
    rounds: int


CI = Size(own=16, tpc=4, own_inputs=4, tpc_inputs=1, worlds=3, rounds=1)
NIGHTLY = Size(own=60, tpc=30, own_inputs=20, tpc_inputs=10, worlds=5, rounds=10)


def size_and_seed() -> tuple[Size, str]:
    """As the environment asks; the seed is printed with every finding."""
    nightly = os.environ.get("SEEKNAL_NIGHTLY", "") not in ("", "0")
    drawn = str(random.SystemRandom().randrange(10**9)) if nightly else "ci"
    return (NIGHTLY if nightly else CI), os.environ.get("SEEKNAL_VERDICTS_SEED", drawn)


@dataclass(frozen=True, slots=True)
class Job:
    """What one process does with one text in one round."""

    text: Text
    classifier: Classifier
    seed: str
    size: Size

    def pairs(self) -> Tally:
        count = self.size.own if self.text.family == "own" else self.size.tpc
        return try_text(
            self.text, self.classifier, connection(), self.seed, count, self.size.worlds
        )

    def inputs(self) -> tuple[InputTally, InputTally]:
        own = self.text.family == "own"
        count = self.size.own_inputs if own else self.size.tpc_inputs
        given = (self.text, self.classifier, connection(), self.seed, count)
        return try_inputs(*given), try_chains(*given)


@cache
def connection() -> duckdb.DuckDBPyConnection:
    return connect()


def jobs(classifier: Classifier, size: Size, seed: str) -> list[Job]:
    """The long ones first."""
    rounds = range(size.rounds)
    return [
        Job(text, classifier, f"{seed}.{turn}", size)
        for turn in rounds
        for text in reversed(all_texts())
    ]


@contextmanager
def processes() -> Iterator[ProcessPoolExecutor]:
    """New interpreters, in which this package can be imported."""
    sys.path.append(str(ROOT))
    try:
        spawning = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(PROCESSES, mp_context=spawning) as pool:
            yield pool
    finally:
        sys.path.remove(str(ROOT))


def run_pairs(classifier: Classifier, size: Size, seed: str) -> Tally:
    total = Tally()
    with processes() as pool:
        for tally in pool.map(Job.pairs, jobs(classifier, size, seed), chunksize=2):
            total.add(tally)
    return total


def run_inputs(classifier: Classifier, size: Size, seed: str) -> tuple[InputTally, InputTally]:
    """Edits of tables, and two-step chains."""
    edits, chains = InputTally(), InputTally()
    with processes() as pool:
        for one, two in pool.map(Job.inputs, jobs(classifier, size, seed), chunksize=2):
            edits.add(one)
            chains.add(two)
    return edits, chains


def caught(liar: Classifier, law: str, edit: str) -> bool:
    """Whether some text of ours finds the liar out, under one of the laws.

    edit: the only one that is made of queries; any, if it is empty.
    """
    rounds = (f"liars.{turn}" for turn in range(3))
    return any(found(liar, law, text, seed, edit) for seed in rounds for text in texts("own"))


def found(liar: Classifier, law: str, text: Text, seed: str, edit: str) -> bool:
    if law == "pairs":
        return bool(try_text(text, liar, connection(), seed, 4, 3, edit).findings)
    attempt = try_inputs if law == "inputs" else try_chains
    return bool(attempt(text, liar, connection(), seed, 8).findings)
