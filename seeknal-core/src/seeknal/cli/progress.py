"""How a run is shown: live on a terminal, as lines without one, as JSON lines for programs."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

import typer

from seeknal.hookspecs import hookimpl

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from seeknal.workflow.plan import Plan
    from seeknal.workflow.task import NodeResult, RunInfo, RunSummary


class _Shown:
    """What the three have in common: they can be entered and left."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


class JsonLines(_Shown):
    """One JSON object a line: `event`, `run`, and what belongs to it."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    @hookimpl
    def seeknal_run_started(self, run: RunInfo, plan: Plan) -> None:
        self._print(
            run,
            "run_started",
            environment=run.environment,
            project=run.project,
            to_compute=[t.node_id for t in plan.tasks],
            unchanged=len(plan.unchanged),
            reused=len(plan.reused),
        )

    @hookimpl
    def seeknal_node_started(self, run: RunInfo, node_id: str) -> None:
        self._print(run, "node_started", node_id=node_id)

    @hookimpl
    def seeknal_node_finished(self, run: RunInfo, result: NodeResult) -> None:
        facts = {k: v for k, v in asdict(result).items() if k != "detail"}
        self._print(run, "node_finished", **facts)

    @hookimpl
    def seeknal_run_finished(self, run: RunInfo, summary: RunSummary) -> None:
        self._print(
            run,
            "run_finished",
            status=summary.status,
            seconds=round(summary.seconds, 3),
            **{s: summary.count(s) for s in ("success", "failed", "skipped", "interrupted")},
            unchanged=summary.unchanged,
            reused=summary.reused,
        )

    def _print(self, run: RunInfo, event: str, **facts: Any) -> None:
        print(json.dumps({"event": event, "run": run.run_id, **facts}), file=self._out, flush=True)


class Plain(_Shown):
    """A line when a node is done, and what came of it all."""

    def __init__(self) -> None:
        self._total = self._done = 0

    @hookimpl
    def seeknal_run_started(self, run: RunInfo, plan: Plan) -> None:
        self._total = len(plan.tasks)
        if self._total:
            self._say(
                f"{run.project} in {run.environment}: {_count(self._total, 'node')} to compute"
            )

    @hookimpl
    def seeknal_node_finished(self, run: RunInfo, result: NodeResult) -> None:
        self._done += 1
        width = len(str(self._total))
        self._say(f"{self._done:>{width}}/{self._total} {node_line(result)}")

    @hookimpl
    def seeknal_run_finished(self, run: RunInfo, summary: RunSummary) -> None:
        for line in summary_lines(run, summary):
            self._say(line)

    def _say(self, text: str) -> None:
        typer.echo(text)


class Live(_Shown):
    """A bar, and under it a line for every node that is running."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed

        self._console = Console()
        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            Elapsed(),
            console=self._console,
            transient=True,
        )
        self._bar: TaskID | None = None
        self._running: dict[str, tuple[TaskID, float]] = {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    @hookimpl
    def seeknal_run_started(self, run: RunInfo, plan: Plan) -> None:
        if plan.tasks:
            self._bar = self._progress.add_task(
                f"{run.project} in {run.environment}", total=len(plan.tasks)
            )
            self._progress.start()

    @hookimpl
    def seeknal_node_started(self, run: RunInfo, node_id: str) -> None:
        line = self._progress.add_task(f"  {node_id}", total=None)
        self._running[node_id] = (line, time.monotonic())

    @hookimpl
    def seeknal_node_finished(self, run: RunInfo, result: NodeResult) -> None:
        started = self._running.pop(result.node_id, None)
        if started:
            self._progress.remove_task(started[0])
        if self._bar is not None:
            self._progress.advance(self._bar)
        style = _STYLES[result.status]
        self._progress.console.print(node_line(result), style=style, markup=False, highlight=False)

    @hookimpl
    def seeknal_run_finished(self, run: RunInfo, summary: RunSummary) -> None:
        self._progress.stop()
        first, *rest = summary_lines(run, summary)
        style = _STYLES[summary.status]
        self._console.print(first, style=f"bold {style or ''}", markup=False, highlight=False)
        for line in rest:
            self._console.print(line, markup=False, highlight=False)


_STYLES = {"success": None, "failed": "red", "skipped": "yellow", "interrupted": "yellow"}
_MARKS = {"success": "done", "failed": "FAILED", "skipped": "skipped", "interrupted": "stopped"}


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
    return f"{mark:<8} {result.node_id:<32} {facts}".rstrip()


def summary_lines(run: RunInfo, summary: RunSummary) -> list[str]:
    """How a run ended: what failed, why, in which file, and how to go on."""
    lines = [_headline(run, summary)]
    failed = [r for r in summary.results.values() if r.status == "failed"]
    for result in failed:
        lines += ["", f"{result.node_id} failed in {result.place}:", *_indented(result.error or "")]
    skipped = summary.count("skipped")
    if failed:
        kept = _count(summary.count("success") + summary.unchanged + summary.reused, "node")
        needing = (
            f" {_count(skipped, 'node')} that need what failed were skipped." if skipped else ""
        )
        lines += [
            "",
            f"{kept} kept.{needing} Mend it and run the same command again: it does only what is "
            "missing.",
            f"Full log: {run.root}/target/logs/{run.run_id}.log",
        ]
    elif summary.status == "interrupted":
        lines.append("What has finished is kept. Run the same command again to go on.")
    return lines


def _headline(run: RunInfo, summary: RunSummary) -> str:
    same = summary.unchanged
    if summary.status == "success" and not summary.results:
        again = f", {_count(summary.reused, 'node')} reused" if summary.reused else ""
        return f"Nothing to compute: {_count(same, 'node')} up to date{again}."
    words = {"success": "Done", "failed": "Failed", "interrupted": "Stopped"}
    parts = [f"{summary.count('success')} computed"]
    parts += [f"{n} {s}" for s in ("failed", "skipped") if (n := summary.count(s))]
    parts += [f"{same} up to date"] if same else []
    parts += [f"{summary.reused} reused"] if summary.reused else []
    return f"{words[summary.status]} in {_seconds(summary.seconds)}: {', '.join(parts)}."


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _rows(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,} row{'' if rows == 1 else 's'}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
