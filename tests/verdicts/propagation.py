"""The second law: what is said of a query's inputs, and then of its result, must both be true."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import duckdb

from seeknal.dag.classifier import Change, Classifier, Query, Verdict

from .chains import draw_reader
from .execution import SUMS, Outcome, Result, World, Worlds, build, enter, execute
from .pairs import draw_pair, judged, query
from .reports import Finding
from .table_edits import TableEdit, draw_table_edit
from .texts import Text, tables
from .truth import Lie, actual_change, lies

UPSTREAM = "transform.upstream"
WORLDS = 3
"""In how many worlds each case is tried."""


@dataclass
class InputTally:
    """cases: edits of a table, or two-step chains. mild: of them, those judged not BREAKING."""

    cases: int = 0
    mild: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: InputTally) -> None:
        self.cases += other.cases
        self.mild += other.mild
        self.findings += other.findings


def try_inputs(
    text: Text,
    classifier: Classifier,
    connection: duckdb.DuckDBPyConnection,
    seed: str,
    cases: int,
) -> InputTally:
    """Edit tables under one query, and ask what becomes of its result."""
    rng = random.Random(f"inputs/{seed}/{text.name}")
    worlds, tally = build(text, connection, rng), InputTally()
    old: dict[str, Outcome] = {}
    for _ in range(cases if text.tables else 0):
        name = rng.choice(text.tables)
        edit = draw_table_edit(tables(text.family)[name], text.sql, rng)
        verdict = judge_input(classifier, text, name, edit, known=rng.random() < 0.7)
        tally.cases += 1
        if not verdict.change.rows:
            tally.mild += 1
            old = old or worlds.run(text.sql)
            chosen = rng.sample(worlds.worlds, k=WORLDS)
            new = {world.name: run_edited(worlds, world, name, edit) for world in chosen}
            told = lies(verdict.change, old, new, chosen)
            if told:
                told = lies(verdict.change, old, new, chosen, old_again(worlds, name))
            tally.findings += found(seed, text, f"{edit.kind} {name}.{edit.column}", verdict, told)
    return tally


def old_again(worlds: Worlds, name: str) -> dict[str, Outcome]:
    """The result of before where tables are laid down in other orders, or one is as it was."""
    untouched = TableEdit("none", "")
    laid = {
        f"{world.name} laid anew": run_edited(worlds, world, name, untouched)
        for world in worlds.worlds
    }
    return {**worlds.turned(worlds.text.sql), **laid}


def judge_input(
    classifier: Classifier, text: Text, name: str, edit: TableEdit, known: bool
) -> Verdict:
    old = query(text.sql, text, known)
    table = edit.table(tables(text.family)[name])
    columns = {**old.columns, f"source.{name}": table.names} if known else {}
    new = Query(old.sql, inputs=old.inputs, columns=columns)
    return judged(classifier, old, new, {f"source.{name}": edit.change})


def run_edited(worlds: Worlds, world: World, name: str, edit: TableEdit) -> Outcome:
    old = tables(worlds.text.family)[name]
    new = edit.table(old)
    with worlds.instead(world, new, edit.rows(old, new, world.rows[name])):
        return execute(worlds.connection, worlds.text.sql)


def try_chains(
    text: Text,
    classifier: Classifier,
    connection: duckdb.DuckDBPyConnection,
    seed: str,
    cases: int,
) -> InputTally:
    """Edit a query, and ask what becomes of queries that read its result."""
    rng = random.Random(f"chains/{seed}/{text.name}")
    chain = Chain(classifier, build(text, connection, rng), rng, seed)
    for _ in range(cases):
        chain.attempt()
    return chain.tally


@dataclass
class Chain:
    """Queries over the results of one text's versions."""

    classifier: Classifier
    worlds: Worlds
    rng: random.Random
    seed: str
    tally: InputTally = field(default_factory=InputTally)
    drawn: Counter[str] = field(default_factory=Counter)
    known: dict[tuple[str, str], Outcome] = field(default_factory=dict)

    def attempt(self) -> None:
        text = self.worlds.text
        pair = draw_pair(text, self.rng, self.drawn)
        if pair is None:
            return
        chosen = self.rng.sample(self.worlds.worlds, k=WORLDS)
        upstream = [self.results(sql, chosen) for sql in (pair.old, pair.new)]
        first = judged(
            self.classifier,
            query(pair.old, text, pair.columns),
            query(pair.new, text, pair.columns),
            {},
        )
        change = first.change
        if change.rows:
            change = actual_change(*upstream)
        names = [column_names(results) for results in upstream]
        if change.rows or not all(names):
            return
        sql = draw_reader(UPSTREAM, names[0], text, self.rng)
        known = self.rng.random() < 0.6
        verdict = self.judge(sql, change, names if known else None)
        self.tally.cases += 1
        if verdict.change.rows:
            return
        self.tally.mild += 1
        old, new = (
            {world.name: self.run_on(world, version, sql) for world in chosen}
            for version in (pair.old, pair.new)
        )
        told = lies(verdict.change, old, new, chosen)
        if told:
            told = lies(verdict.change, old, new, chosen, self.in_other_orders(pair.old, sql))
        note = f"upstream, edits {', '.join(pair.edits)}, given {change}:\n"
        note += f"{pair.old}\n--- became\n{pair.new}\n---\n"
        reader = Text(text.name, text.family, sql, text.tables)
        self.tally.findings += found(self.seed, reader, "chain", verdict, told, note)

    def judge(self, sql: str, change: Change, names: list[tuple[str, ...]] | None) -> Verdict:
        text = self.worlds.text
        versions = []
        for place in (0, 1):
            columns = dict(query(sql, text, names is not None).columns)
            if names is not None:
                columns[UPSTREAM] = names[place]
            versions.append(Query(sql, inputs=(UPSTREAM,), columns=columns))
        return judged(self.classifier, *versions, {UPSTREAM: change})

    def results(self, sql: str, chosen: list[World]) -> list[Outcome]:
        """What a version of the upstream query would be stored as."""
        return [self.result(sql, world) for world in chosen]

    def result(self, sql: str, world: World) -> Outcome:
        if (sql, world.name) not in self.known:
            made = self.run_on(world, sql, f"SELECT * FROM {UPSTREAM}")
            self.known[sql, world.name] = made
        return self.known[sql, world.name]

    def in_other_orders(self, upstream: str, sql: str) -> dict[str, Outcome]:
        """A reader's results where the rows of what it reads stand in other orders."""
        given = {}
        for world in self.worlds.worlds:
            for way in ("ASC", "DESC"):
                turned = f"SELECT * FROM ({bare(upstream)}\n) ORDER BY ALL {way}"
                given[f"{world.name} {way}"] = self.run_on(world, turned, sql)
        body = f"WITH upstream AS MATERIALIZED (\n{bare(upstream)}\n) "
        return {**given, **self.worlds.turned(body + sql.replace(UPSTREAM, "upstream"))}

    def run_on(self, world: World, upstream: str, sql: str) -> Outcome:
        with self.stored(world, upstream) as outcome:
            made = outcome or execute(self.worlds.connection, sql)
        sums = SUMS.search(upstream) is not None
        return replace(made, rough=True) if sums and isinstance(made, Result) else made

    @contextmanager
    def stored(self, world: World, sql: str) -> Iterator[Outcome | None]:
        """The result of a query as a table; yields why not, if it can't be."""
        connection = self.worlds.connection
        enter(connection, world)
        connection.execute("BEGIN")
        try:
            made = execute(connection, f"CREATE TABLE {UPSTREAM} AS (\n{bare(sql)}\n)")
            yield None if isinstance(made, Result) else made
        finally:
            connection.execute("ROLLBACK")


def bare(sql: str) -> str:
    return sql.rstrip().removesuffix(";").rstrip()


def column_names(results: list[Outcome]) -> tuple[str, ...]:
    """Those of the results, if all have the same."""
    names = {result.names if isinstance(result, Result) else () for result in results}
    return names.pop() if len(names) == 1 else ()


def found(
    seed: str, text: Text, edit: str, verdict: Verdict, told: list[Lie], note: str = ""
) -> list[Finding]:
    if not told:
        return []
    return [Finding(seed, text.name, (edit,), text.sql, text.sql, verdict, tuple(told), f"{note}")]
