"""The conformance suite passes an executor that keeps its promises, and no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seeknal.testing import ExecutorSuite
from seeknal.testing.executor import OpenExecutor
from seeknal.workflow.local_executor import LocalExecutor
from seeknal.workflow.task import NodeResult, Task

from .broken_plugins import citing, failed, hold_page_and_suite_together


class TestLocal(ExecutorSuite):
    own_processes = False

    @pytest.fixture
    def open_executor(self) -> OpenExecutor:
        return lambda: LocalExecutor(2)


class ProcessPerTask(LocalExecutor):
    """Each try of a task is a process of its own, as a job on a cluster would be."""

    COMMAND = (
        "import json, sys\n"
        "from seeknal.workflow.task import Task\n"
        "from seeknal.workflow.worker import execute\n"
        "print(json.dumps(execute(Task.from_dict(json.load(sys.stdin))).to_dict()))\n"
    )

    def __init__(self) -> None:
        super().__init__(2)
        self._processes: set[subprocess.Popen[str]] = set()

    def execute(self, task: Task) -> NodeResult:
        if self._interrupted.is_set():
            return NodeResult.of(task, "interrupted")
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, "-c", self.COMMAND], stdin=pipe, stdout=pipe, text=True
        )
        self._processes.add(process)
        said, _ = process.communicate(json.dumps(task.to_dict()))
        if process.returncode:
            return NodeResult.of(task, "failed", error=f"its process ended: {process.returncode}")
        return NodeResult.from_dict(json.loads(said))

    def _try(self, task: Task) -> NodeResult:
        result = self.execute(task)
        for delay in task.attempts.delays:
            if result.status == "success" or self._interrupted.wait(delay):
                break
            result = self.execute(task)
        return result

    def interrupt(self) -> None:
        super().interrupt()
        for process in list(self._processes):
            process.kill()


@pytest.mark.skipif(
    not os.environ.get("SEEKNAL_NIGHTLY"), reason="starts 100 processes: SEEKNAL_NIGHTLY=1 does it"
)
class TestProcessPerTask(ExecutorSuite):
    @pytest.fixture
    def open_executor(self) -> OpenExecutor:
        return ProcessPerTask


BROKEN = """
import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest
from seeknal.dag.manifest import ONCE
from seeknal.testing import ExecutorSuite
from seeknal.workflow.local_executor import LocalExecutor
from seeknal.workflow.task import NodeResult
from seeknal.workflow.worker import execute


class Executor(LocalExecutor):
    def __init__(self):
        super().__init__(2)
        self.known = {{}}

    {body}


class TestBroken(ExecutorSuite):
    own_processes = False
    patience = 1.0

    @pytest.fixture
    def open_executor(self):
        return Executor
"""
FAULTS = {
    "X1, as many as there are tasks": """slots = float("inf")

    def __setattr__(self, name, value):
        if name != "slots":
            super().__setattr__(name, value)""",
    "X2, one task a node": """def submit(self, task):
        if task.node_id not in self.known:
            self.known[task.node_id] = super().submit(task)
        return self.known[task.node_id]""",
    "X2, done again when in doubt": """def _try(self, task):
        execute(task)
        return execute(task)""",
    "X3, results by the name of the node": """def _try(self, task):
        result = execute(task)
        return replace(result, task=task.node_id)""",
    "X3, results without what they tell": """def _try(self, task):
        return NodeResult.of(task, execute(task).status)""",
    "X3, one result for all": """def _try(self, task):
        if task.name.startswith("day"):
            return self.known.setdefault("day", execute(task))
        return execute(task)""",
    "X4, whoever is told holds everybody up": """lock = threading.Lock()

    def submit(self, task):
        assert self.lock.acquire(timeout=2), "this would wait forever"
        future, inner = Future(), super().submit(task)
        self.lock.release()
        inner.add_done_callback(lambda done: self.hand_over(done, future))
        return future

    def hand_over(self, done, future):
        with self.lock:
            future.set_result(done.result())""",
    "X5, done before it is": """def submit(self, task):
        if task.node_id != "transform.doubled":
            return super().submit(task)
        future = Future()
        future.set_result(NodeResult.of(task, "success"))
        threading.Timer(0.5, execute, [task]).start()
        return future""",
    "X6, raises what went wrong": """def _try(self, task):
        result = execute(task)
        if result.status == "failed":
            raise RuntimeError(result.error)
        return result""",
    "X7, stops at the first failure": """def _try(self, task):
        if self.known.get("failed"):
            return NodeResult.of(task, "failed", error="another one failed")
        result = execute(task)
        self.known["failed"] = result.status == "failed"
        return result""",
    "X8, never tries again": """def _try(self, task):
        return execute(task)""",
    "X8, tries three times": """def _try(self, task):
        results = [execute(task) for _ in range(3)]
        return results[-1]""",
    "X9, without the timeout": """def _try(self, task):
        return super()._try(replace(task, attempts=ONCE))""",
    "X11, waits for another try": """def interrupt(self):
        threading.Timer(2 * TestBroken.patience, self._interrupted.set).start()""",
    "X12, leaves what runs": """def close(self):
        self._pool.shutdown(wait=False)""",
    "X12, can be closed once": """def close(self):
        super().close()
        del self._pool""",
    "X13, nothing that comes in batches": """def _try(self, task):
        return super()._try(replace(task, interval=None))""",
    "X14, gives what an earlier run gave": """results = {}

    def _try(self, task):
        return self.results.setdefault(task.name, execute(task))""",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_executor_that_breaks_a_promise_fails_its_test(tmp_path: Path, fault: str) -> None:
    promise = fault.partition(",")[0]
    tests = citing(ExecutorSuite, promise)
    assert failed(tmp_path, BROKEN.format(body=FAULTS[fault]), tests)


def test_the_page_and_the_suite_hold_together() -> None:
    hold_page_and_suite_together(ExecutorSuite, "executors.md", "X")
