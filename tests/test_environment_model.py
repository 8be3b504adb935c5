"""Any sequence of plans, applies, promotions, rollbacks, deletions and cleanups shows what a model
shows that copies everything and computes everything anew. SEEKNAL_NIGHTLY=1 tries many more."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.projects import ProjectFolder

from seeknal.errors import RequestError
from seeknal.state.records import Environment
from seeknal.workflow import applying, promoting
from seeknal.workflow.cleaning import clean_up, delete
from seeknal.workflow.moved import PlanMovedError
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.proposing import Wanted
from seeknal.workflow.reading import tables_of
from seeknal.workflow.runner import RunRequest, run_project

EXAMPLES = 400 if os.environ.get("SEEKNAL_NIGHTLY") else 10
KEEP = 2

QUERIES = {
    "a": "SELECT x + {a} AS x FROM ref('source.raw')",
    "b": "SELECT x * 2 + {b} AS x FROM ref('transform.a')",
    "c": "SELECT max(x) + {c} AS x FROM ref('transform.a')",
    "d": "SELECT b.x + c.x + {d} AS x FROM ref('transform.b') b, ref('transform.c') c",
}
DAYS = """\
/*
---
schedule: "@daily"
start: 2024-01-01
end: 2024-01-{last:02}
incremental: {{time_column: day}}
---
*/
SELECT DATE '2024-01-01' + d::INT AS day, d * {days} AS x FROM range(31) AS r(d)
WHERE day >= {{{{ start }}}} AND day < {{{{ end }}}}"""
TOTAL = "SELECT coalesce(sum(x), 0)::BIGINT + {total} AS x FROM ref('transform.days')"

Rows = dict[str, list[int]]
names = st.sampled_from(["dev", "other"])
nodes = st.sampled_from([*QUERIES, "days", "total"])
Edits = list[tuple[str, int]]
edits = st.lists(st.tuples(nodes, st.integers(0, 3)), min_size=1, max_size=2)


@dataclass
class Shown:
    """An environment, in the model. moves: how often what production shows was replaced, when this
    one was planned. past: of production, what it showed after each of its revisions."""

    rows: Rows = field(default_factory=dict)
    is_planned: bool = False
    base: int | None = None
    past: list[Rows] = field(default_factory=list)


class Environments(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="seeknal-model-"))
        self.folder = ProjectFolder(self.root)
        self.numbers = {**dict.fromkeys(QUERIES, 1), "days": 1, "total": 1}
        self.last_day = 3
        self.raw = [1, 2, 3]
        self.model: dict[str, Shown] = {}
        self.moves = 0
        self.as_planned: dict[str, Any] = {}
        self.project: OpenProject | None = None

    def teardown(self) -> None:
        self.close()
        shutil.rmtree(self.root)

    @initialize()
    def begin(self) -> None:
        self.folder.write(
            "seeknal_project.yml", f"name: model\nretention: {{revisions: {KEEP}, runs: 2}}\n"
        )
        self.folder.write(
            "seeknal/raw.yml",
            "kind: source\nname: raw\nsource: csv\ntable: raw.csv\ncolumns: {x: {dtype: BIGINT}}\n",
        )
        self.write()
        self.run("prod")

    # --- What people do

    @rule(node=nodes, number=st.integers(0, 3))
    def edit(self, node: str, number: int) -> None:
        self.numbers[node] = number
        self.write()

    @rule(node=st.sampled_from([*QUERIES]))
    def reformat(self, node: str) -> None:
        text = QUERIES[node].format(**self.numbers)
        self.folder.write(f"seeknal/{node}.sql", f"-- again\n{text.replace(' AS ', ' as ')}")
        self.close()

    @rule(raw=st.lists(st.integers(0, 9), min_size=1, max_size=3))
    def new_data(self, raw: list[int]) -> None:
        self.raw = raw
        self.write()

    @rule(last=st.integers(2, 6))
    def time_passes(self, last: int) -> None:
        self.last_day = max(self.last_day, last)
        self.write()

    @rule(edits=edits, name=names)
    def try_a_change(self, edits: Edits, name: str) -> None:
        for node, number in edits:
            self.edit(node, number)
        self.plan(name)
        self.apply(name, False)

    @rule(edits=edits, name=names, back=st.sampled_from([0, 0, 1]), clean=st.booleans())
    def put_a_change_live(self, edits: Edits, name: str, back: int, clean: bool) -> None:
        self.try_a_change(edits, name)
        self.promote(name)
        if clean:
            self.clean()
        if back:
            self.roll_back(back)

    @rule(edits=edits, name=names, late=edits)
    def promote_too_late(self, edits: Edits, name: str, late: Edits) -> None:
        self.try_a_change(edits, name)
        self.change_and_run(late, "prod")
        self.promote(name)

    @rule(edits=edits, name=st.sampled_from(["prod", "dev"]))
    def change_and_run(self, edits: Edits, name: str) -> None:
        for node, number in edits:
            self.edit(node, number)
        self.run(name)

    @rule(name=st.sampled_from(["prod", "dev"]))
    def run(self, name: str) -> None:
        project = self.opened()
        before = self.pointers(name)
        assert run_project(project, RunRequest(name)).status == "success"
        self.computed(name, before)

    @rule(name=st.sampled_from(["prod", "dev", "other"]))
    def plan(self, name: str) -> None:
        project = self.opened()
        applying.plan_environment(project, Wanted(name))
        shown = self.model.setdefault(name, Shown())
        shown.is_planned, shown.base = True, self.moves
        self.as_planned[name] = self.circumstances(name)

    @rule(name=st.sampled_from(["prod", "dev", "other"]), force=st.booleans())
    def apply(self, name: str, force: bool) -> None:
        shown = self.model.get(name)
        if shown is None or not shown.is_planned:
            return
        project = self.opened()
        stored = project.state.get_environment(name)
        assert stored is not None
        before = self.pointers(name)
        moved = self.as_planned[name] != self.circumstances(name)
        if stored.status != "planned":
            assert applying.apply_plan(project, name, force=force).results == {}
        elif force:
            assert applying.apply_plan(project, name, force=True).status == "success"
            shown.base = self.moves
            self.computed(name, before)
        elif moved:
            with suppress(PlanMovedError):
                applying.apply_plan(project, name)
                self.computed(name, before)
        else:
            assert applying.apply_plan(project, name).status == "success"
            self.computed(name, before)

    @rule(name=names)
    def promote(self, name: str) -> None:
        shown, prod = self.model.get(name), self.model["prod"]
        project = self.opened()
        stored = project.state.get_environment(name)
        if shown is None or stored is None or not stored.pointers:
            return
        before = self.pointers("prod")
        may = stored.status != "planned" and shown.base is not None
        try:
            promoting.promote(project.state, name, "prod", keep=KEEP)
        except PlanMovedError:
            assert shown.base != self.moves
        except RequestError:
            assert not may
        else:
            assert self.pointers("prod") == stored.pointers
            if before != stored.pointers:
                assert may
                assert shown.base == self.moves or before == self.as_planned[name]["prod"]
            assert prod.rows
            self.note("prod", before, dict(shown.rows))

    @rule(back=st.integers(0, KEEP))
    def roll_back(self, back: int) -> None:
        project = self.opened()
        prod = project.environment("prod")
        to = prod.revision - back
        if to < 1:
            return
        before = self.pointers("prod")
        promoting.rollback(project.state, "prod", to, keep=KEEP)
        self.note("prod", before, self.model["prod"].past[to - 1])

    @rule(name=names)
    def delete(self, name: str) -> None:
        if name in self.model:
            project = self.opened()
            if project.state.get_environment(name):
                delete(project.state, name)
            del self.model[name]

    @rule(name=names)
    def expire(self, name: str) -> None:
        project = self.opened()
        stored = project.state.get_environment(name)
        if stored is not None:
            old = stored.used_at - timedelta(hours=200)
            project.state.save_environment(replace(stored, used_at=old))
            if stored.ttl_hours is not None:
                assert name in clean_up(project.state, project.engine).environments
                del self.model[name]

    @rule()
    def clean(self) -> None:
        project = self.opened()
        clean_up(project.state, project.engine)
        assert clean_up(project.state, project.engine).stored == []

    # --- What people see

    @invariant()
    def readers_see_what_the_model_shows(self) -> None:
        for name, shown in self.model.items():
            if not shown.rows:
                continue
            project = self.opened()
            tables = tables_of(project, name)
            for node, rows in shown.rows.items():
                assert self.read(node, tables) == rows, (name, node)

    def read(self, node: str, tables: Any) -> list[int]:
        answer = self.opened().engine.query(f"SELECT x FROM transform.{node} ORDER BY x", tables)
        return [x for (x,) in answer.rows]

    # --- The model

    def expected(self) -> Rows:
        """All of the project, computed anew by hand."""
        n = self.numbers
        a = [x + n["a"] for x in self.raw]
        b = [x * 2 + n["b"] for x in a]
        c = max(a) + n["c"]
        days = _days(n["days"], self.last_day)
        found = {
            "a": a,
            "b": b,
            "c": [c],
            "d": [x + c + n["d"] for x in b],
            "days": days,
            "total": [sum(days) + n["total"]],
        }
        return {node: sorted(rows) for node, rows in found.items()}

    def computed(self, name: str, before: dict[str, str]) -> None:
        """An environment shows what the project comes to now."""
        self.note(name, before, self.expected())

    def note(self, name: str, before: dict[str, str], rows: Rows) -> None:
        """An environment shows these rows now."""
        shown = self.model.setdefault(name, Shown())
        shown.rows = rows
        if self.pointers(name) != before:
            shown.past.append(rows)
            self.moves += name == "prod"
        elif shown.past:
            shown.past[-1] = rows

    def circumstances(self, name: str) -> dict[str, Any]:
        return {
            "files": sorted(p.read_text() for p in self.root.glob("seeknal/*")),
            "raw": list(self.raw),
            "prod": self.pointers("prod"),
            name: self.pointers(name),
            "revision": self.stored(name).revision,
            "moves": self.moves,
        }

    def stored(self, name: str) -> Environment:
        return self.opened().state.get_environment(name) or Environment(name)

    def pointers(self, name: str) -> dict[str, str]:
        return dict(self.stored(name).pointers)

    def write(self) -> None:
        for node, text in [*QUERIES.items(), ("total", TOTAL)]:
            self.folder.write(f"seeknal/{node}.sql", text.format(**self.numbers))
        last = DAYS.format(last=self.last_day, days=self.numbers["days"])
        self.folder.write("seeknal/days.sql", last)
        self.folder.write("raw.csv", "x\n" + "\n".join(map(str, self.raw)) + "\n")
        self.close()

    def close(self) -> None:
        if self.project:
            self.project.close()
            self.project = None

    def opened(self) -> OpenProject:
        if self.project is None:
            self.project = OpenProject(self.root)
        return self.project


def _days(number: int, days: int) -> list[int]:
    return [day * number for day in range(days)]


def test_readers_see_what_a_model_shows_that_computes_everything() -> None:
    run_state_machine_as_test(
        Environments,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
