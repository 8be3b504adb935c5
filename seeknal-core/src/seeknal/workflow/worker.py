"""Where a task is done: in a thread of the process that planned it, or anywhere else.

A task says which project it belongs to. A process opens each project once a run and keeps it open.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seeknal.dag.manifest import Node
from seeknal.errors import BuildError
from seeknal.project.python_form import load_function
from seeknal.project.source_files import files_of, reads_files
from seeknal.workflow.engine import Built, Job, Snapshot
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.task import NodeResult, Task

_open: dict[str, OpenProject] = {}
_opened_for: dict[str, str] = {}
"""By project, the run that it was opened for: its files may be others in the next."""
_served: set[str] = set()
_opening = threading.Lock()


@contextmanager
def serving(project: OpenProject) -> Iterator[None]:
    """Let the tasks that run in this process use a project that is open already.

    Whoever opened it flushes its engine, too, for many tasks at a time.
    """
    key = str(project.root)
    with _opening:
        _open[key] = project
        _opened_for.pop(key, None)
        _served.add(key)
    try:
        yield
    finally:
        with _opening:
            _served.discard(key)
            del _open[key]


def execute(task: Task) -> NodeResult:
    """Do a task. Never raises: what goes wrong is in the result."""
    started = time.perf_counter()
    node: Node | None = None
    try:
        project = _project(task)
        node = project.manifest.node(task.node_id)
        built = _build(project, node, task)
        if task.project_path not in _served:
            project.engine.flush()
    except (Exception, SystemExit) as error:
        return NodeResult.of(
            task,
            "failed",
            seconds=time.perf_counter() - started,
            error=_message(error),
            place=_place(error, node, Path(task.project_path)),
            detail="".join(traceback.format_exception(error)),
        )
    return NodeResult.of(
        task,
        "success",
        seconds=time.perf_counter() - started,
        rows=built.rows,
        bytes=built.bytes,
        part=built.part,
    )


def _project(task: Task) -> OpenProject:
    path = task.project_path
    with _opening:
        if path not in _served and _opened_for.get(path) != task.run_id:
            _open[path] = OpenProject(path)
            _opened_for[path] = task.run_id
        return _open[path]


def interrupt(run_id: str) -> None:
    """Stop what this process computes for a run, where it has opened the project for it."""
    with _opening:
        for path, opened_for in _opened_for.items():
            if opened_for == run_id and path not in _served:
                _open[path].engine.interrupt()


def _build(project: OpenProject, node: Node, task: Task) -> Built:
    def verify() -> None:
        if reads_files(node):
            files = files_of(project.root, node)
            if project.contents.of(project.root, files) != task.content:
                raise BuildError("its files changed while they were read: run again.")

    return project.engine.build(
        Job(
            node=node,
            snapshot=Snapshot(node.id, task.snapshot),
            inputs={i: _input(task, i) for i in task.inputs},
            function=load_function(project.root, node) if "function" in node.config else None,
            verify=verify,
            interval=task.interval,
            timeout=task.attempts.timeout,
        )
    )


def _input(task: Task, node_id: str) -> Snapshot:
    return Snapshot(node_id, task.inputs[node_id], tuple(task.parts.get(node_id, ())))


def _message(error: BaseException) -> str:
    if isinstance(error, BuildError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _place(error: BaseException, node: Node | None, root: Path) -> str | None:
    """File and line of what went wrong: in the node's SQL, or in project code that it ran."""
    if node is None:
        return None
    if isinstance(error, BuildError):
        return f"{node.file_path}:{node.line + (error.line or 1) - 1}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(root) and "site-packages" not in path.parts:
            return f"{path.relative_to(root).as_posix()}:{frame.lineno}"
    return f"{node.file_path}:{node.line}"
