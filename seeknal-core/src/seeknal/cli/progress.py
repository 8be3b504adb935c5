"""How a run is shown: live on a terminal, as lines without one, as JSON lines for programs."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import asdict, replace
from typing import IO, TYPE_CHECKING, Any, Self

import typer

from seeknal.cli.words import count
from seeknal.errors import some
from seeknal.hookspecs import hookimpl

if TYPE_CHECKING:
    from rich.progress import TaskID

    from seeknal.workflow.plan import Plan
    from seeknal.workflow.task import NodeResult, RunInfo, RunSummary, Task


MEND = "Mend it and run the same command again: it does only what is missing."
"""How to go on when nodes have failed."""


class _Shown:
    """What the three have in common: they can be entered and left, and tell that there is nothing
    to run."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def nothing_to_do(self, summary: RunSummary, why: str) -> None:
        typer.echo(why)


class JsonLines(_Shown):
    """One JSON object a line: `event`, `run`, and what belongs to it. The last is `run_finished`,
    its `run` null where there was nothing to run."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    @hookimpl
    def seeknal_run_started(self, run: RunInfo, plan: Plan) -> None:
        self._print(
            run,
            "run_started",
            environment=run.environment,
            project=run.project,
            to_compute=list(dict.fromkeys(t.node_id for t in plan.tasks)),
            tasks=len(plan.tasks),
            unchanged=len(plan.unchanged),
            reused=len(plan.reused),
        )

    @hookimpl
    def seeknal_node_started(self, run: RunInfo, node_id: str, task: Task) -> None:
        self._print(run, "node_started", node_id=node_id, task=task.name)

    @hookimpl
    def seeknal_node_finished(self, run: RunInfo, result: NodeResult) -> None:
        facts = {k: v for k, v in asdict(result).items() if k != "detail"}
        if result.interval:
            facts["interval"] = [moment.isoformat() for moment in result.interval]
        self._print(run, "node_finished", **facts)

    @hookimpl
    def seeknal_run_finished(self, run: RunInfo, summary: RunSummary) -> None:
        self._finished(run, summary)

    def nothing_to_do(self, summary: RunSummary, why: str) -> None:
        self._finished(None, summary)

    def _finished(self, run: RunInfo | None, summary: RunSummary) -> None:
        self._print(
            run,
            "run_finished",
            status=summary.status,
            seconds=round(summary.seconds, 3),
            **{s: summary.count(s) for s in ("success", "failed", "skipped", "interrupted")},
            unchanged=summary.unchanged,
            reused=summary.reused,
            batches=summary.batches,
            waiting=dict(summary.waiting),
            behind=list(summary.behind),
        )

    def _print(self, run: RunInfo | None, event: str, **facts: Any) -> None:
        said = {"event": event, "run": run.run_id if run else None, **facts}
        print(json.dumps(said), file=self._out, flush=True)


class _Lines:
    """Which results get a line: batches of one node that went well share one, the last."""

    def __init__(self, plan: Plan) -> None:
        self._total = Counter(task.node_id for task in plan.tasks)
        self._left = self._total.copy()
        self._well: dict[str, list[NodeResult]] = defaultdict(list)

    def of(self, result: NodeResult) -> str | None:
        self._left[result.node_id] -= 1
        if result.interval is None:
            return node_line(result) if worth_a_line(result) else None
        well = self._well[result.node_id]
        if result.status == "success":
            well.append(result)
        elif worth_a_line(result) and result.status != "skipped":
            return node_line(result)
        if self._left[result.node_id] or not well:
            return None
        total = self._total[result.node_id]
        done = "" if len(well) == total else f"{len(well)} of "
        return node_line(
            replace(
                result,
                status="success",
                task=f"{result.node_id} ({done}{count(total, 'batch', 'batches')})",
                rows=sum(r.rows or 0 for r in well),
                seconds=sum(r.seconds for r in well),
            )
        )


class Plain(_Shown):
    """A line when a node is done, and what came of it all."""

    def __init__(self, mend: str = MEND) -> None:
        self._mend = mend
        self._total = self._done = 0
        self._lines: _Lines | None = None

    @hookimpl
    def seeknal_run_started(self, run: RunInfo, plan: Plan) -> None:
        self._total = len(plan.tasks)
        self._lines = _Lines(plan)
        if self._total:
            self._say(f"{run.project} in {run.environment}: {to_compute(plan)}")

    @hookimpl
    def seeknal_node_finished(self, run: RunInfo, result: NodeResult) -> None:
        self._done += 1
        width = len(str(self._total))
        line = self._lines and self._lines.of(result)
        if line:
            self._say(f"{self._done:>{width}}/{self._total} {line}")

    @hookimpl
    def seeknal_run_finished(self, run: RunInfo, summary: RunSummary) -> None:
        for line in summary_lines(run, summary, self._mend):
            self._say(line)

    def _say(self, text: str) -> None:
        typer.echo(text)


class Live(_Shown):
    """A bar, under it a line for every node that is running, and above it those that are done."""

    def __init__(self, mend: str = MEND) -> None:
        from rich.console import Console, Group
        from rich.live import Live as Display
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        self._mend = mend
        self._console = Console(highlight=False)
        self._all = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._running = Progress(
            SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
        )
        self._display = Display(
            Group(self._all, self._running), console=self._console, transient=True
        )
        self._shown: dict[str, TaskID] = {}
        self._lines: _Lines | None = None

    def __exit__(self, *error: object) -> None:
        self._display.stop()

    @hookimpl
    def seeknal_run_started(self, run: RunInfo, plan: Plan) -> None:
        self._lines = _Lines(plan)
        if plan.tasks:
            self._all.add_task(f"{run.project} in {run.environment}", total=len(plan.tasks))
            self._display.start()

    @hookimpl
    def seeknal_node_started(self, run: RunInfo, node_id: str, task: Task) -> None:
        self._shown[task.name] = self._running.add_task(task.name, total=None)

    @hookimpl
    def seeknal_node_finished(self, run: RunInfo, result: NodeResult) -> None:
        if result.task in self._shown:
            self._running.remove_task(self._shown.pop(result.task))
        self._all.advance(self._all.task_ids[0])
        line = self._lines and self._lines.of(result)
        if line:
            self._console.print(line, style=_STYLES[result.status], markup=False)

    @hookimpl
    def seeknal_run_finished(self, run: RunInfo, summary: RunSummary) -> None:
        self._display.stop()
        first, *rest = summary_lines(run, summary, self._mend)
        self._console.print(first, style=f"bold {_STYLES[summary.status] or ''}", markup=False)
        for line in rest:
            self._console.print(line, markup=False)


_STYLES = {"success": None, "failed": "red", "skipped": "yellow", "interrupted": "yellow"}
_MARKS = {"success": "done", "failed": "FAILED", "skipped": "skipped", "interrupted": "stopped"}


def worth_a_line(result: NodeResult) -> bool:
    """What was stopped before it began is only counted."""
    return result.status != "interrupted" or result.seconds > 0


def node_line(result: NodeResult) -> str:
    """What became of a node, in one line."""
    mark = _MARKS[result.status]
    if result.status == "success":
        facts = f"{_rows(result.rows):>16}  {_seconds(result.seconds):>7}"
    elif result.status == "skipped":
        facts = f"needs {result.blocked_by}"
    elif result.status == "failed":
        facts = f"{result.place}: {_first_line(result.error)}"
    else:
        facts = ""
    return f"{mark:<8} {result.task:<32} {facts}".rstrip()


def to_compute(plan: Plan) -> str:
    """`3 nodes to compute`, and in how many batches."""
    nodes = count(len({task.node_id for task in plan.tasks}), "node")
    batches = sum(task.interval is not None for task in plan.tasks)
    in_batches = f", {count(batches, 'batch', 'batches')} of intervals" if batches else ""
    return f"{nodes} to compute{in_batches}"


def summary_lines(run: RunInfo, summary: RunSummary, mend: str = MEND) -> list[str]:
    """How a run ended: what failed, why, in which file, and how to go on."""
    lines = [_headline(run, summary)]
    failed = [r for r in summary.results.values() if r.status == "failed"]
    for result in failed:
        lines += ["", f"{result.task} failed in {result.place}:", *_indented(result.error or "")]
    skipped = [r.task for r in summary.results.values() if r.status == "skipped"]
    if skipped:
        need = "it needs" if len(skipped) == 1 else "they need"
        lines += ["", f"Skipped, since {need} what failed: {some(skipped)}."]
    if failed:
        lines += [
            "",
            f"What was computed is kept. {mend}",
            f"Full log: {run.root}/target/logs/{run.run_id}.log",
        ]
    elif summary.status == "interrupted":
        lines.append("What was computed is kept. Run the same command again to go on.")
    lines += [f"{node_id} waits: {why}." for node_id, why in list(summary.waiting.items())[:5]]
    if len(summary.waiting) > 5:
        more = len(summary.waiting) - 5
        lines.append(f"{more} more {'waits' if more == 1 else 'wait'}.")
    lines += [
        f"{node_id} still shows its old version in '{run.environment}': the new one, or what it is "
        "made from, holds less time. Compute the rest with `seeknal run`."
        for node_id in summary.behind
    ]
    return lines


def _headline(run: RunInfo, summary: RunSummary) -> str:
    same = summary.unchanged
    batches = f" in {count(summary.batches, 'batch', 'batches')}" if summary.batches else ""
    if summary.status == "success" and not summary.results:
        again = f", {count(summary.reused, 'node')} reused" if summary.reused else ""
        return f"Nothing to compute: {count(same, 'node')} up to date{again}."
    words = {"success": "Done", "failed": "Failed", "interrupted": "Stopped"}
    parts = [f"{summary.count('success')} computed{batches}"]
    parts += [f"{n} {s}" for s in ("failed", "skipped", "interrupted") if (n := summary.count(s))]
    parts += [f"{same} up to date"] if same else []
    parts += [f"{summary.reused} reused"] if summary.reused else []
    return f"{words[summary.status]} in {_seconds(summary.seconds)}: {', '.join(parts)}."


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _rows(rows: int | None) -> str:
    return "" if rows is None else count(rows, "row")


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
