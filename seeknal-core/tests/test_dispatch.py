"""When tasks are handed over, and what a failure takes with it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeknal.workflow.dispatch import STOP, Dispatcher
from seeknal.workflow.task import NodeResult, Task

Graph = Mapping[int, set[int]]


class ScriptedExecutor:
    """Succeeds, or fails for some; on threads, or at once when there are none."""

    def __init__(self, slots: int, fail: set[str], *, threads: bool = True) -> None:
        self.slots = slots
        self.fail = fail
        self.began: list[str] = []
        self.running = self.most = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(slots) if threads else None

    def submit(self, task: Task) -> Future[NodeResult]:
        with self._lock:
            self.began.append(task.node_id)
            self.running += 1
            self.most = max(self.most, self.running)
        if self._pool is not None:
            return self._pool.submit(self._work, task)
        future: Future[NodeResult] = Future()
        future.set_result(self._work(task))
        return future

    def _work(self, task: Task) -> NodeResult:
        with self._lock:
            self.running -= 1
        return NodeResult(task.node_id, "failed" if task.node_id in self.fail else "success")

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()


def tasks_of(graph: Graph) -> list[Task]:
    return [
        Task("p", "prod", "r", str(node), "s", needs=[str(i) for i in inputs])
        for node, inputs in graph.items()
    ]


def run(dispatcher: Dispatcher) -> dict[str, NodeResult]:
    dispatcher.start()
    results: dict[str, NodeResult] = {}
    while not dispatcher.finished:
        for event in dispatcher.next_events():
            if isinstance(event, NodeResult):
                assert event.task not in results
                results[event.task] = event
    return results


def dispatch(graph: Graph, executor: ScriptedExecutor) -> dict[str, NodeResult]:
    results = run(Dispatcher(tasks_of(graph), executor))
    executor.close()
    return results


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    size = draw(st.integers(0, 12))
    return {
        n: draw(st.sets(st.integers(0, n - 1), max_size=4)) if n else set() for n in range(size)
    }


@given(graph=graphs(), slots=st.integers(1, 4), threads=st.booleans(), data=st.data())
def test_every_task_ends_once_and_a_failure_skips_just_what_needs_it(
    graph: Graph, slots: int, threads: bool, data: st.DataObject
) -> None:
    fail = data.draw(st.sets(st.sampled_from(sorted(graph)))) if graph else set()
    executor = ScriptedExecutor(slots, set(map(str, fail)), threads=threads)
    results = dispatch(graph, executor)

    blocked: set[int] = set()
    for node, inputs in graph.items():
        if inputs & (blocked | fail):
            blocked.add(node)
    expected = {
        str(n): "skipped" if n in blocked else "failed" if n in fail else "success" for n in graph
    }
    assert {i: r.status for i, r in results.items()} == expected
    assert all(r.blocked_by in executor.fail for r in results.values() if r.status == "skipped")
    order = {node: index for index, node in enumerate(executor.began)}
    assert set(order) == {i for i, s in expected.items() if s != "skipped"}
    assert all(order[str(i)] < order[str(n)] for n in graph if str(n) in order for i in graph[n])
    assert executor.most <= slots


def test_a_long_chain_on_an_executor_that_finishes_at_once_is_no_deep_recursion() -> None:
    graph = {n: {n - 1} if n else set() for n in range(5000)}
    results = dispatch(graph, ScriptedExecutor(1, set(), threads=False))
    assert len(results) == 5000


def test_an_executor_that_breaks_has_failed_the_task() -> None:
    class Broken(ScriptedExecutor):
        def submit(self, task: Task) -> Future[NodeResult]:
            raise OSError("no machine left")

    results = dispatch({0: set(), 1: {0}}, Broken(1, set()))
    assert results["0"].error == "the executor failed: OSError: no machine left"
    assert results["1"].status == "skipped"


def test_stop_lets_what_runs_end_and_submits_nothing_more() -> None:
    release = threading.Event()

    class Waiting(ScriptedExecutor):
        def _work(self, task: Task) -> NodeResult:
            release.wait()
            return NodeResult(task.node_id, "success")

    executor = Waiting(1, set())
    dispatcher = Dispatcher(tasks_of({0: set(), 1: {0}, 2: set()}), executor)
    dispatcher.start()
    (begun,) = dispatcher.next_events()
    assert isinstance(begun, Task)
    assert begun.name == "0"
    dispatcher.ask_to_stop()
    assert dispatcher.next_events() == [STOP]
    dispatcher.stop()
    release.set()
    results: dict[str, str] = {}
    while not dispatcher.finished:
        events = dispatcher.next_events()
        results |= {e.node_id: e.status for e in events if isinstance(e, NodeResult)}
    executor.close()
    assert results == {"0": "success", "1": "interrupted", "2": "interrupted"}
    assert executor.began == ["0"]


@pytest.mark.parametrize("slots", [1, 3])
def test_nothing_to_do_is_done_at_once(slots: int) -> None:
    assert dispatch({}, ScriptedExecutor(slots, set())) == {}


class Counting(ScriptedExecutor):
    """Keeps the most tasks of one node that ran at once."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots, set())
        self.of_node: Counter[str] = Counter()
        self.most_of_node: Counter[str] = Counter()

    def submit(self, task: Task) -> Future[NodeResult]:
        with self._lock:
            self.of_node[task.node_id] += 1
            now = self.of_node[task.node_id]
            self.most_of_node[task.node_id] = max(self.most_of_node[task.node_id], now)
        return super().submit(task)

    def _work(self, task: Task) -> NodeResult:
        time.sleep(0.002)
        with self._lock:
            self.of_node[task.node_id] -= 1
            self.running -= 1
        return NodeResult.of(task, "success")


def test_no_more_batches_of_a_node_run_at_once_than_it_allows() -> None:
    tasks = [
        Task("p", "prod", "r", node, "s", name=f"{node} {number}", at_once=at_once)
        for number in range(12)
        for node, at_once in (("a", 1), ("b", 2), ("c", None))
    ]
    executor = Counting(6)
    results = run(Dispatcher(tasks, executor))
    executor.close()
    assert len(results) == 36
    assert {result.status for result in results.values()} == {"success"}
    assert executor.most_of_node["a"] == 1
    assert executor.most_of_node["b"] <= 2
    assert executor.most == 6


def test_a_task_is_completed_with_what_those_before_it_gave() -> None:
    """And what is found to be done already is not handed over."""
    executor = ScriptedExecutor(2, set(), threads=False)
    noted: list[str] = []

    def complete(task: Task) -> Task | NodeResult:
        assert set(task.needs) <= set(noted)
        if task.name == "1":
            return NodeResult.of(task, "success", reused=True)
        return replace(task, snapshot=f"after {len(noted)}")

    tasks = tasks_of({0: set(), 1: {0}, 2: {1}})
    results = run(Dispatcher(tasks, executor, complete, lambda result: noted.append(result.task)))
    assert executor.began == ["0", "2"]
    assert [results[name].reused for name in "012"] == [False, True, False]
    assert noted == ["0", "1", "2"]


def test_a_task_that_can_not_be_completed_fails_and_takes_what_needs_it() -> None:
    def complete(task: Task) -> Task | NodeResult:
        raise KeyError("unheard of")

    executor = ScriptedExecutor(1, set())
    results = run(Dispatcher(tasks_of({0: set(), 1: {0}}), executor, complete))
    executor.close()
    assert [results[name].status for name in "01"] == ["failed", "skipped"]
    assert "unheard of" in (results["0"].error or "")
