"""The conformance suite for executors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import ClassVar

import pytest

from seeknal.dag.manifest import Attempts
from seeknal.state.backend import StateBackend
from seeknal.testing.memory import MemoryBackend
from seeknal.testing.suite import Suite
from seeknal.testing.tiny_project import DAYS, RUN, TinyProject, announce_engine
from seeknal.workflow import worker
from seeknal.workflow.dispatch import Dispatcher
from seeknal.workflow.engine import Snapshot
from seeknal.workflow.executor import Executor
from seeknal.workflow.local_executor import LocalExecutor
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import tables_of
from seeknal.workflow.runner import RunRequest, run_project
from seeknal.workflow.task import NodeResult, RunSummary, Task

OpenExecutor = Callable[[], Executor]


class ExecutorSuite(Suite):
    """Inherit it, and give the fixture `open_executor`: a function that opens an executor, and can
    be called several times. The class of the executor is one, when it needs no options.

    Its tasks are of a project in a temporary folder that workers reach by its path. What they need
    besides the core they find by PYTHONPATH, as it is when the executor is opened. The numbers in
    the tests are those of the promises in docs/behaviour/executors.md.
    """

    capabilities: ClassVar[dict[str, str]] = {
        "own_processes": "Tasks run in processes other than the one that submits them, and the "
        "death of one is no other's end.",
    }
    own_processes: ClassVar[bool] = True

    patience: ClassVar[float] = 60.0
    """Seconds in which what should end has ended, on a busy machine too."""

    @pytest.fixture
    def open_executor(self) -> OpenExecutor:
        raise NotImplementedError("Give the fixture `open_executor`: see ExecutorSuite.")

    @pytest.fixture
    def tiny(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyProject:
        """A project, seen from another folder."""
        announce_engine(tmp_path / "site", monkeypatch)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        return TinyProject(tmp_path / "tiny")

    @pytest.fixture
    def executor(self, tiny: TinyProject, open_executor: OpenExecutor) -> Iterator[Executor]:
        """Open, with the source of the tiny project computed by it."""
        opened = open_executor()
        (numbers,) = self.carry_out(opened, [tiny.task("numbers")])
        assert numbers.status == "success", numbers
        yield opened
        overdue = threading.Timer(self.patience, self._give_up, [opened])
        overdue.start()
        opened.close()
        overdue.cancel()

    def _give_up(self, executor: Executor) -> None:
        """End what would run for ever, here at least."""
        executor.interrupt()
        worker.interrupt(RUN)

    def carry_out(self, executor: Executor, tasks: Iterable[Task]) -> list[NodeResult]:
        """Do tasks as a run does them. Returns their results, as they come."""
        dispatcher = Dispatcher(tasks, executor)
        dispatcher.start()
        results: list[NodeResult] = []
        deadline = time.monotonic() + self.patience
        while not dispatcher.finished:
            assert time.monotonic() < deadline, f"after {self.patience} s there is only {results}"
            events = dispatcher.next_events(1.0)
            results += [event for event in events if isinstance(event, NodeResult)]
        return results

    def ended(self, futures: Iterable[Future[NodeResult]]) -> None:
        """Wait for them, and no longer than this suite has patience."""
        assert not wait(list(futures), self.patience).not_done, "a task has not ended"

    def run(
        self, tiny: TinyProject, executor: Executor, state: StateBackend, select: str
    ) -> RunSummary:
        """Run nodes of the project, and close the executor."""
        try:
            with OpenProject(tiny.root) as project:
                project.use(state=state, executor=executor)
                return run_project(project, RunRequest(select=select))
        finally:
            executor.close()

    # --- Tasks and results ------------------------------------------------------------------

    def test_there_is_room_for_a_task(self, executor: Executor) -> None:
        """X1"""
        assert type(executor.slots) is int
        assert executor.slots >= 1

    def test_every_task_is_done_once(self, executor: Executor, tiny: TinyProject) -> None:
        """X2"""
        tasks = [*tiny.days(), tiny.task("doubled"), tiny.task("takes_a_while")]
        results = self.carry_out(executor, tasks)
        assert {result.status for result in results} == {"success"}
        assert sorted(result.task for result in results) == sorted(task.name for task in tasks)
        days = {f"daily {n}": 1 for n in range(1, DAYS + 1)}
        assert tiny.done == {"numbers": 1, "takes_a_while": 1, **days}

    def test_a_result_is_that_of_its_task(self, executor: Executor, tiny: TinyProject) -> None:
        """X3"""
        tasks = {task.name: task for task in [*tiny.days(), tiny.task("doubled")]}
        for result in self.carry_out(executor, tasks.values()):
            task = tasks[result.task]
            assert (result.node_id, result.snapshot) == (task.node_id, task.snapshot)
            assert result.interval == task.interval
            assert result.rows == (2 if task.node_id == "transform.doubled" else 1)
            assert result.bytes
            assert bool(result.part) == bool(task.interval)
            assert result.error is None
            if task.interval:
                assert f"{task.interval.start:%Y%m%d}" in result.part

    def test_a_future_gives_the_result_to_whoever_waits(
        self, executor: Executor, tiny: TinyProject
    ) -> None:
        """X4"""
        future = executor.submit(tiny.task("takes_a_while"))
        told: SimpleQueue[NodeResult] = SimpleQueue()
        future.add_done_callback(lambda done: told.put(done.result()))
        result = future.result(self.patience)
        assert result.task == "transform.takes_a_while"
        future.add_done_callback(lambda done: told.put(done.result()))
        assert [told.get(timeout=self.patience) for _ in range(2)] == [result, result]

    def test_what_is_done_may_submit_what_comes_next(
        self, executor: Executor, tiny: TinyProject
    ) -> None:
        """X4"""
        days = tiny.days()
        chain = [days[0], *(replace(day, needs=[last.name]) for last, day in pairwise(days))]
        results = self.carry_out(executor, chain)
        assert [result.task for result in results] == [task.name for task in chain]
        assert {result.status for result in results} == {"success"}

    def test_what_a_task_has_written_is_there_for_the_next(
        self, executor: Executor, tiny: TinyProject
    ) -> None:
        """X5"""
        (doubled,) = self.carry_out(executor, [tiny.task("doubled")])
        with OpenProject(tiny.root) as project:
            snapshot = Snapshot(doubled.node_id, doubled.snapshot)
            answer = project.engine.query("SELECT n FROM doubled", {doubled.node_id: snapshot})
            assert sorted(answer.rows) == [(2,), (4,)]

    # --- Failures ---------------------------------------------------------------------------

    def test_a_task_that_fails_has_a_result_that_tells_why(
        self, executor: Executor, tiny: TinyProject
    ) -> None:
        """X6"""
        (bad,) = self.carry_out(executor, [tiny.task("bad")])
        assert bad.status == "failed"
        assert bad.error == "LookupError: no such thing"
        assert bad.place == tiny.place('raise LookupError("no such thing")')
        assert "Traceback" in str(bad.detail)

    def test_a_task_that_fails_ends_no_other(self, executor: Executor, tiny: TinyProject) -> None:
        """X7"""
        doubled = tiny.task("doubled", run_id="another-run", name="of a project that is gone")
        gone = replace(doubled, project_path=str(tiny.root.with_name("gone")))
        tasks = [tiny.task("bad"), *tiny.days(), gone, tiny.task("leaves"), tiny.task("doubled")]
        results = {result.task: result for result in self.carry_out(executor, tasks)}
        failed = {name for name, result in results.items() if result.status == "failed"}
        assert failed == {"transform.bad", "of a project that is gone", "transform.leaves"}
        assert {results[name].status for name in set(results) - failed} == {"success"}
        assert len(results) == len(tasks)
        assert results["transform.leaves"].error == "SystemExit: I leave"
        assert results["transform.leaves"].place == tiny.place('sys.exit("I leave")')
        (again,) = self.carry_out(executor, [tiny.task("takes_a_while")])
        assert again.status == "success"

    @pytest.mark.parametrize(
        ("retries", "status", "tries"), [(0, "failed", 1), (1, "failed", 2), (4, "success", 3)]
    )
    def test_a_task_is_tried_as_often_as_it_says(
        self, executor: Executor, tiny: TinyProject, retries: int, status: str, tries: int
    ) -> None:
        """X8"""
        (flaky,) = self.carry_out(executor, [tiny.task("flaky", Attempts(retries, delay=0.01))])
        assert flaky.status == status
        assert tiny.done["flaky"] == tries

    def test_a_task_that_takes_longer_than_its_timeout_fails(
        self, executor: Executor, tiny: TinyProject
    ) -> None:
        """X9"""
        tasks = [tiny.task("endless", Attempts(timeout=0.2)), tiny.task("doubled")]
        results = {r.task: r for r in self.carry_out(executor, tasks)}
        assert results["transform.endless"].status == "failed"
        assert "timeout" in str(results["transform.endless"].error)
        assert results["transform.doubled"].status == "success"

    def test_a_worker_that_dies_costs_its_task(self, executor: Executor, tiny: TinyProject) -> None:
        """X10"""
        self.need("own_processes")
        (deadly,) = self.carry_out(executor, [tiny.task("deadly")])
        assert deadly.status == "failed"
        results = self.carry_out(executor, [*tiny.days(), tiny.task("doubled")])
        assert {result.status for result in results} == {"success"}

    # --- The end ----------------------------------------------------------------------------

    def test_interrupting_ends_what_runs(self, executor: Executor, tiny: TinyProject) -> None:
        """X11"""
        tasks = [tiny.task("endless", name=f"endless {n}") for n in range(min(executor.slots, 4))]
        with self.served(tiny) as project:
            futures = [executor.submit(task) for task in tasks]
            time.sleep(0.5)
            project.engine.interrupt()
            executor.interrupt()
            self.ended(futures)
        assert "success" not in {f.result().status for f in futures if not f.exception()}

    def test_interrupting_ends_the_waiting_for_another_try(
        self, executor: Executor, tiny: TinyProject
    ) -> None:
        """X11"""
        future = executor.submit(tiny.task("bad", Attempts(retries=3, delay=600.0)))
        deadline = time.monotonic() + self.patience
        while not tiny.done["bad"] and time.monotonic() < deadline:
            time.sleep(0.05)
        executor.interrupt()
        self.ended([future])
        assert tiny.done["bad"] == 1

    def test_closing_waits_for_what_runs(self, executor: Executor, tiny: TinyProject) -> None:
        """X12"""
        tasks = [tiny.task("takes_a_while"), *tiny.days()][: executor.slots]
        futures = [executor.submit(task) for task in tasks]
        executor.close()
        assert {future.result(0).status for future in futures} == {"success"}
        assert tiny.done["takes_a_while"] == 1

    def test_closing_twice_does_no_harm(self, open_executor: OpenExecutor) -> None:
        """X12"""
        unused = open_executor()
        unused.close()
        unused.close()

    # --- Runs -------------------------------------------------------------------------------

    def test_a_run_is_what_it_is_on_threads_of_this_process(
        self, tiny: TinyProject, open_executor: OpenExecutor, tmp_path: Path
    ) -> None:
        """X13"""
        own, local = MemoryBackend(), MemoryBackend()
        everything = "+total +doubled +behind_bad"
        ran = self.run(tiny, open_executor(), own, everything)
        other = TinyProject(tmp_path / "other")
        expected = self.run(other, LocalExecutor(2), local, everything)
        assert ran.nodes == expected.nodes
        assert ran.nodes["transform.behind_bad"] == "skipped"
        assert ran.batches == DAYS
        assert tiny.done == other.done
        shown = [[environment.pointers for environment in state.list_environments()]
                 for state in (own, local)]  # fmt: skip
        assert shown[0] == shown[1]
        again = self.run(tiny, open_executor(), own, "+total +doubled")
        assert not again.results

    def test_each_run_reads_the_project_as_it_is(
        self, tiny: TinyProject, open_executor: OpenExecutor
    ) -> None:
        """X14"""
        state = MemoryBackend()
        for factor in (2, 3):
            tiny.write(
                "seeknal/doubled.sql", f"SELECT {factor} * n AS n FROM ref('source.numbers')"
            )
            summary = self.run(tiny, open_executor(), state, "+doubled")
            assert summary.status == "success"
            with OpenProject(tiny.root) as project:
                project.use(state=state)
                answer = project.engine.query(
                    "SELECT max(n) FROM doubled", tables_of(project, "prod")
                )
                assert list(answer.rows) == [(2 * factor,)]

    @contextmanager
    def served(self, tiny: TinyProject) -> Iterator[OpenProject]:
        """The project, opened for what runs in this process, as a run opens it."""
        with OpenProject(tiny.root) as project, worker.serving(project):
            yield project
