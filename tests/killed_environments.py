"""Kill commands on environments at random moments; a script for test_environment_crash.py.

    python killed_environments.py PROJECT STATE SEED ROUNDS

STATE: "file", "sqlite", or a database's URL. Each round edits some nodes, plans, applies, promotes,
rolls back and cleans up; each of these is killed, again and again, and then done to its end. After
each kill every environment shows just what it showed before, or just what the command leads to, and
all of it can be read. Prints how many were killed at work.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import seeknal_engine_duckdb.engine  # noqa: F401  so that children begin with the work
import seeknal_state_db.backend
import seeknal_state_file.backend  # noqa: F401
from seeknal.dag.fingerprint import is_incremental
from seeknal.state.documents import DocumentBackend
from seeknal.workflow import applying, cleaning, promoting
from seeknal.workflow.cleaning import clean_up
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.proposing import Wanted
from seeknal.workflow.reading import tables_of

NODES = ("n1", "n2", "n3", "n4", "n5")
ROWS = 200
LEASE_MS = 300
KILLS = 4
"""Of one command, before it is left to end."""

DAYS = 4
INCREMENTAL = """\
/*
---
schedule: "@daily"
start: 2024-01-01
end: 2024-01-{last:02}
incremental: {{{{time_column: day}}}}
---
*/
{query} where day >= {{{{{{{{ start }}}}}}}} and day < {{{{{{{{ end }}}}}}}}"""

Values = dict[str, tuple[int, int]]
"""What each node shows: the sum of its rows, and how many there are."""


def main(root: Path, state: str, seed: int, rounds: int) -> None:
    applying.LEASE_MS = cleaning.LEASE_MS = LEASE_MS
    for backend in (DocumentBackend, seeknal_state_db.backend.DatabaseBackend):
        backend.acquire_lock.__kwdefaults__["lease_ms"] = LEASE_MS
    print(Killer(root, state, random.Random(seed)).work(rounds))


class Killer:
    def __init__(self, root: Path, state: str, pick: random.Random) -> None:
        self.root, self.state, self.pick = root, state, pick
        self.steps = dict.fromkeys(NODES, 0)
        self.days = DAYS
        """How many of them n3, and what is made from it, shows."""
        self.shown: dict[str, Values] = {}
        self.moves: list[Values] = []
        """What prod showed after each of its revisions."""
        self.killed = 0
        (root / "seeknal").mkdir(parents=True)
        lines = [f"{x},2024-01-{1 + x % DAYS:02}" for x in range(ROWS)]
        (root / "data.csv").write_text("\n".join(["x,day", *lines]) + "\n")
        for name in NODES:
            (root / f"seeknal/{name}.sql").write_text(query_of(name))
        (root / "seeknal/n0.yml").write_text(
            "kind: source\nname: n0\nsource: csv\ntable: data.csv\n"
        )

    def work(self, rounds: int) -> int:
        self.write_settings()
        for name in ("prod", "dev"):
            self.finish(lambda name=name: self.plan(name), {})
            self.finish(lambda name=name: self.apply(name), {name: self.values()})
        self.moves.append(self.shown["prod"])
        for _ in range(rounds):
            self.one_round()
        return self.killed

    def one_round(self) -> None:
        for name in self.pick.sample(NODES, self.pick.randint(1, 3)):
            self.steps[name] += 1
        self.days = self.pick.randint(1, DAYS)
        self.write_settings()
        self.survive(lambda: self.plan("dev"), {})
        self.survive(lambda: self.apply("dev"), {"dev": self.values()})
        if self.pick.random() < 0.8:
            before = self.shown["prod"]
            self.survive(self.promote, {"prod": self.shown["dev"]})
            if self.shown["prod"] != before:
                self.moves.append(self.shown["prod"])
        if self.pick.random() < 0.5:
            to = self.pick.randint(max(0, len(self.moves) - 5), len(self.moves) - 1)
            before = self.shown["prod"]
            self.survive(lambda: self.roll_back(to + 1), {"prod": self.moves[to]})
            if to + 1 != len(self.moves):
                self.moves.append(self.moves[to])
        if self.pick.random() < 0.5:
            self.survive(self.clean_up, {})

    # --- Commands, each in a process of its own

    def plan(self, name: str) -> None:
        with OpenProject(self.root) as project:
            applying.plan_environment(project, Wanted(name))

    def apply(self, name: str) -> None:
        with OpenProject(self.root) as project:
            assert applying.apply_plan(project, name).status == "success"

    def promote(self) -> None:
        with OpenProject(self.root) as project:
            promoting.promote(project.state, "dev", "prod", keep=10)

    def roll_back(self, to: int) -> None:
        with OpenProject(self.root) as project:
            current = project.environment("prod")
            if current.pointers and current.revision == len(self.moves):
                promoting.rollback(project.state, "prod", to, keep=10)

    def clean_up(self) -> None:
        """With another environment that has expired."""
        with OpenProject(self.root) as project:
            dev = project.environment("dev")
            old = datetime.now(UTC) - timedelta(days=9)
            fields = {"ttl_hours": 1, "used_at": old, "name": "other"}
            with project.state.transaction():  # what a killed one had begun to write lands before
                other = project.state.get_environment("other")
                version = other.version if other else 0
                created = other.created_at if other else old
                project.state.save_environment(
                    replace(dev, **fields, version=version, created_at=created)
                )
            done = clean_up(project.state, project.engine)
            assert "other" in done.environments

    # --- Killing and looking

    def survive(self, command: Callable[[], None], leads_to: dict[str, Values]) -> None:
        """Kill a command again and again, then let it end."""
        for _ in range(self.pick.randint(1, KILLS)):
            child = _fork(command)
            time.sleep(self.pick.uniform(0.0, 0.1))
            finished, status = os.waitpid(child, os.WNOHANG)
            if finished:
                assert status == 0, status
                break
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            self.killed += 1
            _must_end_well(lambda: self.check(leads_to))
        self.finish(command, leads_to)

    def finish(self, command: Callable[[], None], leads_to: dict[str, Values]) -> None:
        _must_end_well(command)
        self.shown |= leads_to
        _must_end_well(lambda: self.check({}))

    def check(self, leads_to: dict[str, Values]) -> None:
        """Every environment shows what it showed, or all of what a command leads to."""
        with OpenProject(self.root) as project:
            for name, before in self.shown.items():
                tables = tables_of(project, name)
                whole = {table for table in tables.values() if not is_incremental(table.id)}
                assert project.engine.existing(whole) == whole, name
                found = {}
                for node in NODES:
                    sql = f"select sum(x)::bigint, count(*) from transform.{node}"
                    (found[node],) = project.engine.query(sql, tables).rows
                assert found in (before, leads_to.get(name, before)), (name, found, before)

    def values(self) -> Values:
        """What the project comes to, worked out by hand."""
        rows, found = list(range(ROWS)), {}
        for name in NODES:
            if name == "n3":
                rows = [x for n, x in enumerate(rows) if n % DAYS < self.days]
            rows = [x + self.steps[name] for x in rows]
            found[name] = sum(rows), len(rows)
        return found

    def write_settings(self) -> None:
        state = {"file": "file", "sqlite": "database"}.get(
            self.state, f"{{name: database, database: {{url: '{self.state}'}}}}"
        )
        params = "".join(f"  {name}: {step}\n" for name, step in self.steps.items())
        timed = INCREMENTAL.format(last=self.days, query="{query}").format(query=query_of("n3"))
        (self.root / "seeknal/n3.sql").write_text(timed)
        (self.root / "seeknal_project.yml").write_text(
            f"name: killed\nstate: {state}\nretention: {{runs: 30}}\nparams:\n{params}"
        )


def query_of(name: str) -> str:
    above = "source.n0" if name == "n1" else f"transform.n{int(name[1]) - 1}"
    return f"select x + {{{{ params.{name} }}}} as x, day from ref('{above}')"


def _fork(command: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            command()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def _must_end_well(command: Callable[[], None]) -> None:
    _, status = os.waitpid(_fork(command), 0)
    assert status == 0, status


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
