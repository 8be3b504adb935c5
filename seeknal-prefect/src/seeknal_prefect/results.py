"""What flows return: for each node, or each interval, what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from seeknal.state.intervals import Interval
from seeknal.workflow.plan import Plan
from seeknal.workflow.task import NodeResult, RunSummary, label
from seeknal.workflow.timelines import Timeline

EXIT_CODES = {"success": 0, "failed": 1, "skipped": 1, "interrupted": 130}


class PrefectRunResult(BaseModel):
    """Result of a node, or of an interval.

    exit_code: 0 when it is done, 1 when it failed or was skipped since something that it needs
    failed, 130 when it was interrupted. stdout: what was written. stderr: what went wrong, and
    where. duration_seconds: of its own, summed up over batches.
    """

    model_config = ConfigDict(frozen=True)

    success: bool
    exit_code: int
    stdout: str = ""
    stderr: str = ""
    duration_seconds: float = 0.0

    @classmethod
    def of(cls, results: Sequence[NodeResult]) -> PrefectRunResult:
        """What became of all these."""
        code = max((EXIT_CODES[result.status] for result in results), default=0)
        good = [result for result in results if result.status == "success"]
        return cls(
            success=code == 0,
            exit_code=code,
            stdout="\n".join(map(_written, good)),
            stderr="\n".join(_wrong(result) for result in results if result.status != "success"),
            duration_seconds=sum(result.seconds for result in results),
        )

    @classmethod
    def untouched(cls, why: str) -> PrefectRunResult:
        """There was nothing to do."""
        return cls(success=True, exit_code=0, stdout=why)


def of_nodes(summary: RunSummary, plan: Plan | None) -> dict[str, PrefectRunResult]:
    """By node id, also of those for which there was nothing to do."""
    found: dict[str, list[NodeResult]] = {}
    for result in summary.results.values():
        found.setdefault(result.node_id, []).append(result)
    answer = {node_id: PrefectRunResult.of(results) for node_id, results in found.items()}
    if plan is not None:
        idle = dict.fromkeys(plan.unchanged, "up to date")
        idle |= dict.fromkeys(plan.reused, "computed before, and found again")
        idle |= {i: f"waits: {why}" for i, why in plan.waiting.items()}
        answer |= {i: PrefectRunResult.untouched(why) for i, why in idle.items() if i not in answer}
    return dict(sorted(answer.items()))


def of_intervals(
    intervals: Iterable[Interval],
    line: Timeline,
    results: Sequence[NodeResult],
    upstream: Sequence[NodeResult] = (),
) -> dict[str, PrefectRunResult]:
    """By interval, as `[2024-01-01, 2024-01-02)`; only those in which the node should hold any.

    line: what the node holds, and should, now. results: of its batches. upstream: what went wrong
    in what it reads.
    """
    answer = {}
    for interval in intervals:
        due = [one for one in line.due if _overlap(one, interval)]
        if not due:
            continue
        batches = [r for r in results if r.interval and _overlap(r.interval, interval)]
        if not batches and not all(line.held.contains(one) for one in due):
            reason = "\n".join(map(_wrong, upstream)) or "what it reads does not hold this time"
            found = PrefectRunResult(success=False, exit_code=1, stderr=reason)
        elif not batches:
            found = PrefectRunResult.untouched("complete already")
        else:
            found = PrefectRunResult.of(batches)
        answer[label(interval, line.timing.timezone)] = found
    return answer


def _overlap(one: Interval, other: Interval) -> bool:
    return one.start < other.end and other.start < one.end


def _written(result: NodeResult) -> str:
    if result.reused:
        return f"{result.task}: computed before, and found again"
    return f"{result.task}: {result.rows or 0:,} rows, {result.bytes or 0:,} bytes"


def _wrong(result: NodeResult) -> str:
    if result.blocked_by:
        return f"{result.task} skipped: {result.blocked_by} failed"
    place = f" ({result.place})" if result.place else ""
    text = f"{result.task} {result.status}{place}: {result.error or ''}".rstrip(": ")
    return f"{text}\n{result.detail}" if result.detail else text


def failures(results: Mapping[str, PrefectRunResult]) -> str:
    """The names of those that did not go well, for the message of a state."""
    bad = [name for name, result in results.items() if not result.success]
    more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
    return ", ".join(bad[:5]) + more
