"""The conformance suite passes an engine that keeps its promises, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from seeknal.testing import EngineSuite, SqliteEngine
from seeknal.testing.engine import OpenEngine

from .broken_plugins import citing, failed, hold_page_and_suite_together


class TestSqlite(EngineSuite):
    timestamp = "{}"
    formats = ("csv", "json")

    @pytest.fixture
    def open_engine(self) -> OpenEngine:
        return SqliteEngine


BROKEN = """
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from seeknal.errors import BuildError, RequestError
from seeknal.state.intervals import Interval
from seeknal.testing import EngineSuite, SqliteEngine, row_tables, sqlite_engine
from seeknal.workflow.engine import Rows, Stored


class Engine(SqliteEngine):
    {body}


class TestBroken(EngineSuite):
    timestamp = "{{}}"
    formats = ("csv", "json")
    kills = 10
    patience = 1.0

    @pytest.fixture
    def open_engine(self):
        return Engine
"""
FAULTS = {
    "E1, finds nothing wrong": """def check(self, node):
        return []""",
    "E1, wants tables to be there": """def check(self, node):
        try:
            list(self.query(node.config.get("sql", "SELECT 1"), {}).rows)
        except RequestError as error:
            return [sqlite_engine.Flaw(str(error))]
        return super().check(node)""",
    "E2, reads the newest snapshot": """def _table(self, snapshot):
        folders = (self._folder / snapshot.node_id).iterdir()
        newest = max(folders, key=lambda folder: folder.stat().st_mtime_ns)
        return super()._table(snapshot._replace(id=newest.name))""",
    "E3, tells nothing": """def build(self, job):
        return replace(super().build(job), rows=0, bytes=0)""",
    "E4, lets the database's errors out": """def build(self, job):
        try:
            return super().build(job)
        except BuildError as error:
            raise error.__cause__ or error""",
    "E5, verifies when all is there": """def build(self, job):
        built = super().build(replace(job, verify=lambda: None))
        job.verify()
        return built""",
    "E6, removes the old one first": """def build(self, job):
        self.remove([Stored(job.node.id, job.snapshot.id)])
        return super().build(job)""",
    "E6, keeps the old one": """def build(self, job):
        built = super().build(replace(job, snapshot=job.snapshot._replace(id="9")))
        if not self.existing([job.snapshot]):
            built = super().build(job)
        self.remove([Stored(job.node.id, "9")])
        return built""",
    "E7, takes a folder for a snapshot": """def existing(self, snapshots):
        return {s for s in snapshots if (self._folder / s.node_id).is_dir()}""",
    "E9, tells everything as its own error": """def _called(self, job, function):
        try:
            return super()._called(job, function)
        except Exception as error:
            raise BuildError(str(error)) from error""",
    "E10, one query for all threads": """def _answer(self, sql, *more):
        self.sql = sql
        time.sleep(0.01)
        return super()._answer(self.sql, *more)""",
    "E11, reads the first part": """def _table(self, snapshot):
        return super()._table(snapshot._replace(parts=snapshot.parts[:1]))""",
    "E12, names parts by their time": """def build(self, job):
        built = super().build(job)
        if not job.interval:
            return built
        name = f"{job.snapshot.id}/{job.interval.start:%Y%m%d}"
        folder = self._folder / job.node.id
        (folder / f"{built.part}.json").replace(folder / f"{name}.json")
        return replace(built, part=name)""",
    "E13, names parts by when they were built": """def build(self, job):
        built = super().build(job)
        if not job.interval:
            return built
        name = f"{job.snapshot.id}/{time.monotonic_ns()}"
        folder = self._folder / job.node.id
        (folder / f"{built.part}.json").replace(folder / f"{name}.json")
        return replace(built, part=name)""",
    "E14, believes the SQL": """def build(self, job):
        return super().build(replace(job, interval=job.interval and Interval(
            job.interval.start.replace(year=1), job.interval.end.replace(year=9999))))""",
    "E15, reads parts whole": """def _table(self, snapshot):
        return super()._table(snapshot._replace(parts=tuple(
            part._replace(start=part.start.replace(year=1), end=part.end.replace(year=9999))
            for part in snapshot.parts)))""",
    "E16, wants a name": """def _table(self, snapshot):
        assert all(part.name for part in snapshot.parts)
        return super()._table(snapshot)""",
    "E17, on the clock of UTC": """def build(self, job):
        timing = job.node.incremental
        utc = timing and replace(timing, timezone="UTC")
        return super().build(replace(job, node=replace(job.node, incremental=utc)))""",
    "E18, takes one of two": """def _answer(self, sql, tables, *over):
        names = {i.partition(".")[2]: i for i in tables}
        plain = sql if "." in sql else sql.replace("FROM t", f"FROM {names.get('t', 't')}")
        return super()._answer(plain, tables, *over)""",
    "E19, lets the database's errors out": """def query(self, sql, tables):
        try:
            return super().query(sql, tables)
        except RequestError as error:
            raise error.__cause__""",
    "E20, adds to what is there": """def export(self, sql, tables, path, format):
        before = path.read_text()
        super().export(sql, tables, path, format)
        path.write_text(before + path.read_text())""",
    "E21, by position": """def compare(self, before, after, keys=(), rows=20):
        return super().compare(before, after, (), rows)""",
    "E22, makes rows of columns": """def compare(self, before, after, keys=(), rows=20):
        compared = super().compare(before, after, keys, rows)
        return replace(compared, changed=compared.changed or len(compared.added_columns))""",
    "E23, leaves the old one": """def export_views(self, tables, path):
        path.with_name("views.old").touch()
        return super().export_views(tables, path)""",
    "E24, without their bytes": """def stored(self):
        return (one._replace(bytes=1) for one in super().stored())""",
    "E25, the whole folder": """def remove(self, stored):
        import shutil
        for one in stored:
            shutil.rmtree(self._folder / one.node_id / one.snapshot, ignore_errors=True)""",
    "E25, wants it to be there": """def remove(self, stored):
        for one in stored:
            assert one[:3] in {other[:3] for other in self.stored()}
            super().remove([one])""",
    "E26, nothing is empty": """def _table(self, snapshot):
        try:
            return super()._table(snapshot)
        except BuildError:
            return row_tables.Table(["id", "name"], [])""",
    "E27, in its own time": """def interrupt(self):
        threading.Timer(2 * TestBroken.patience, super().interrupt).start()""",
    "E27, leaves what it began": """def build(self, job):
        beside = self._folder / job.node.id / job.snapshot.id / ".12.ab"
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text("begun")
        built = super().build(job)
        beside.unlink()
        return built""",
    "E28, never in a hurry": """def build(self, job):
        threading.Timer(0.5, self.interrupt).start()
        return super().build(replace(job, timeout=None))""",
    "E29, can be closed once": """def close(self):
        del self._root""",
    "E30, writes in place": """def build(self, job):
        built = super().build(job)
        path = self._folder / job.node.id / job.snapshot.id / "data.json"
        text = path.read_text()
        with path.open("w") as file:
            for start in range(0, len(text), 1000):
                file.write(text[start:start + 1000])
                file.flush()
                time.sleep(0.001)
        return built""",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_engine_that_breaks_a_promise_fails_its_test(tmp_path: Path, fault: str) -> None:
    promise = fault.partition(",")[0]
    text = BROKEN.replace("{body}", FAULTS[fault]).replace("{{}}", "{}")
    assert failed(tmp_path, text, citing(EngineSuite, promise))


def test_the_page_and_the_suite_hold_together() -> None:
    hold_page_and_suite_together(EngineSuite, "engines.md", "E")
