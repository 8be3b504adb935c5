"""Random pipelines, edited at random and run: each node holds what computing all anew gives.

A node that was spared is compared like any other. SEEKNAL_NIGHTLY=1 runs many more of them.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.projects import ProjectFolder

from seeknal.errors import ProjectError
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import tables_of

PIPELINES = 400 if os.environ.get("SEEKNAL_NIGHTLY") else 16
STEPS = 7
NODES = ("n0", "n1", "n2", "n3", "n4", "n5")

VALUES = ("a", "b", "a + b", "b - a", "coalesce(a, 0)", "a * 2", "NULLIF(b, 1)", "k", "abs(b)", "1")
CONDITIONS = ("a > 1", "b IS NOT NULL", "a = b", "k <> 2", "a IN (1, 2, 3)", "a < b OR k = 1")


class Author:
    """Writes queries that show the columns k, a and b, and sometimes others."""

    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)

    def query(self, above: list[str]) -> str:
        forms = (self.plain, self.star, self.grouped, self.distinct, self.joined, self.united,
                 self.nested, self.ranked, self.plain, self.star)  # fmt: skip
        return self.pick.choice(forms)(above)

    def edited(self, sql: str, above: list[str]) -> str:
        """The same in other words, with another column, with something changed in it, or new."""
        edits = (self.relaid, self.more, self.other_value, self.other_condition, self.relaid,
                 self.more, lambda _: self.query(above))  # fmt: skip
        return self.pick.choice(edits)(sql)

    def relaid(self, sql: str) -> str:
        ways = (
            lambda: sql.replace("SELECT", "select").replace(",", " ,\n"),
            lambda: f"-- again\n{sql}",
            lambda: f"WITH w AS ({sql}) SELECT * FROM w",
            lambda: sql.replace("<>", "!="),
        )
        return self.pick.choice(ways)()

    def more(self, sql: str) -> str:
        added = f"{self.pick.choice(VALUES)} AS {self.pick.choice('cde')}"
        if f"AS {added[-1]}" in sql or " FROM" not in sql:
            return sql
        return sql.replace(" FROM", f", {added} FROM", 1)

    def other_value(self, sql: str) -> str:
        for name in self.pick.sample("ab", 2):
            if f" {name}," in sql:
                return sql.replace(f" {name},", f" {self.pick.choice(VALUES)} AS {name},", 1)
        return sql

    def other_condition(self, sql: str) -> str:
        for condition in CONDITIONS:
            if condition in sql:
                return sql.replace(condition, self.pick.choice(CONDITIONS))
        return sql

    def table(self, above: list[str]) -> str:
        return f"ref('{self.pick.choice(above)}')"

    def where(self) -> str:
        return f" WHERE {self.pick.choice(CONDITIONS)}" if self.pick.random() < 0.5 else ""

    def plain(self, above: list[str]) -> str:
        return f"SELECT k, a, b FROM {self.table(above)}{self.where()}"

    def star(self, above: list[str]) -> str:
        return f"SELECT * FROM {self.table(above)}{self.where()}"

    def grouped(self, above: list[str]) -> str:
        table, where = self.table(above), self.where()
        return f"SELECT k, sum(a) AS a, count(b) AS b FROM {table}{where} GROUP BY k"

    def distinct(self, above: list[str]) -> str:
        what = self.pick.choice(("k, a, b", "*"))
        return f"SELECT DISTINCT {what} FROM {self.table(above)}{self.where()}"

    def joined(self, above: list[str]) -> str:
        how = self.pick.choice(("JOIN", "LEFT JOIN"))
        on = self.pick.choice(("USING (k)", "ON x.k = y.k", "ON x.k = y.k AND y.b > 0"))
        x, y = self.table(above), self.table(above)
        most = f"(SELECT k, max(b) AS b FROM {y} GROUP BY k)"
        return f"SELECT x.k, x.a, y.b FROM {x} AS x {how} {most} AS y {on}"

    def united(self, above: list[str]) -> str:
        how = self.pick.choice(("UNION ALL", "UNION", "EXCEPT"))
        x, y = self.table(above), self.table(above)
        return f"SELECT k, a, b FROM {x} {how} SELECT k, b, a FROM {y}{self.where()}"

    def nested(self, above: list[str]) -> str:
        x, y = self.table(above), self.table(above)
        return (
            f"WITH w AS (SELECT * FROM {x}{self.where()}) SELECT k, a, b FROM w "
            f"WHERE k IN (SELECT k FROM {y}{self.where()})"
        )

    def ranked(self, above: list[str]) -> str:
        return (
            "SELECT k, sum(a) OVER (PARTITION BY k) AS a, b FROM "
            f"{self.table(above)} QUALIFY rank() OVER (ORDER BY k, a, b) < 9"
        )

    def data(self) -> str:
        rows = (
            ",".join(
                [str(self.pick.randint(1, 4)), *(self.pick.choice("0123 ").strip() for _ in "ab")]
            )
            for _ in range(12)
        )
        return "k,a,b\n" + "\n".join(rows) + "\n"


class Pipeline(ProjectFolder):
    def __init__(self, root: Path, seed: int) -> None:
        super().__init__(root)
        self.author, self.pick = Author(seed), random.Random(-seed)
        self.queries: dict[str, str] = {}
        self.write("seeknal_project.yml", "name: random\n")
        self.write(
            "seeknal/raw.yml",
            "kind: source\nname: raw\nsource: csv\ntable: raw.csv\n"
            "columns: {k: {dtype: BIGINT}, a: {dtype: BIGINT}, b: {dtype: BIGINT}}\n",
        )
        self.write("raw.csv", self.author.data())
        for name in NODES:
            self.define(name, self.author.query(self.above(name)))

    def above(self, name: str) -> list[str]:
        return ["source.raw", *(f"transform.{n}" for n in NODES[: NODES.index(name)])]

    def define(self, name: str, sql: str) -> None:
        self.queries[name] = sql
        self.write(f"seeknal/{name}.sql", sql)

    def edit(self) -> None:
        for name in self.pick.sample(NODES, self.pick.choice((0, 1, 1, 2))):
            before = self.queries[name]
            self.define(name, self.author.edited(before, self.above(name)))
            if not self.is_valid():
                self.define(name, before)
        if self.pick.random() < 0.15:
            self.write("raw.csv", self.author.data())

    def is_valid(self) -> bool:
        try:
            with OpenProject(self.root) as opened:
                return bool(opened.manifest)
        except ProjectError:
            return False

    def failing(self, environment: str, **request: Any) -> set[str]:
        """The nodes that fail or are skipped in a run."""
        summary = self.run(environment=environment, **request)
        return {i for i, status in summary.nodes.items() if status != "success"}

    def contents(self, environment: str) -> dict[str, object]:
        """Of each node, its columns and its rows in any order."""
        with OpenProject(self.root) as opened:
            tables = tables_of(opened, environment)
            found = {}
            for node_id in tables:
                answer = opened.engine.query(f"SELECT * FROM {node_id}", tables)
                found[node_id] = (answer.columns, Counter(map(repr, answer.rows)))
            return found


@pytest.mark.parametrize("seed", range(PIPELINES))
def test_whatever_is_edited_each_node_holds_what_computing_it_anew_gives(
    tmp_path: Path, seed: int
) -> None:
    pipeline = Pipeline(tmp_path, seed)
    pipeline.failing("prod")
    for step in range(STEPS):
        pipeline.edit()
        if pipeline.pick.random() < 0.2:
            pipeline.failing("prod", select="+" + pipeline.pick.choice(NODES))
        bad = pipeline.failing("prod")
        worse = pipeline.failing(f"fresh{step}", full_refresh=True)
        assert bad <= worse, (seed, step, pipeline.queries)
        shown, fresh = pipeline.contents("prod"), pipeline.contents(f"fresh{step}")
        for node_id in fresh.keys() - worse:
            told = (seed, step, node_id, pipeline.queries)
            assert shown[node_id] == fresh[node_id], told
