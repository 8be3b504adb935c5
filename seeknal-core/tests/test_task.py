"""Tasks travel as JSON; intervals are written as people do."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from seeknal.dag.manifest import Attempts
from seeknal.state.intervals import Interval, Part
from seeknal.workflow.task import NodeResult, RunSummary, Task, label

DAY = Interval(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    "task",
    [
        Task("/p", "prod", "r", "transform.x", "s"),
        Task(
            "/p",
            "dev",
            "r",
            "transform.x",
            "",
            {"source.y": "t-parts"},
            "content",
            DAY,
            {
                "source.y": [
                    Part(*DAY, "t-parts/a"),
                    Part(DAY.end, datetime.max.replace(tzinfo=UTC)),
                ]
            },
            "transform.x [2024-01-01, 2024-01-02)",
            ["source.y [2024-01-01, 2024-01-02)"],
            2,
            Attempts(3, 0.5, 60),
            ["daily"],
        ),
    ],
)
def test_a_task_comes_back_from_json_as_it_was(task: Task) -> None:
    text = json.dumps(task.to_dict())
    again = Task.from_dict(json.loads(text))
    assert json.dumps(again.to_dict()) == text
    assert (again.interval, again.parts, again.name) == (task.interval, task.parts, task.name)
    assert (again.attempts, list(again.tags)) == (task.attempts, list(task.tags))


@pytest.mark.parametrize(
    "result",
    [
        NodeResult("transform.x", "success", "s", 0.5, 3, 100, interval=DAY, part="s/a"),
        NodeResult("transform.x", "failed", error="no", place="x.sql:3", detail="at length"),
    ],
)
def test_a_result_comes_back_from_json_as_it_was(result: NodeResult) -> None:
    assert NodeResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


@pytest.mark.parametrize(
    ("start", "end", "timezone", "text"),
    [
        ("2024-01-01T00:00Z", "2024-01-02T00:00Z", "UTC", "[2024-01-01, 2024-01-02)"),
        ("2024-01-01T05:00Z", "2024-01-02T05:00Z", "America/New_York", "[2024-01-01, 2024-01-02)"),
        ("2024-01-01T05:00Z", "2024-01-01T06:00Z", "UTC", "[2024-01-01T05:00, 2024-01-01T06:00)"),
        ("2024-01-01T05:00:07Z", "2024-01-01T06:00Z", "UTC",
         "[2024-01-01T05:00:07, 2024-01-01T06:00)"),
        ("2024-11-03T05:00Z", "2024-11-03T06:00Z", "America/New_York",
         "[2024-11-03T01:00-04:00, 2024-11-03T01:00-05:00)"),
    ],
)  # fmt: skip
def test_an_interval_is_written_on_the_wall_clock(
    start: str, end: str, timezone: str, text: str
) -> None:
    interval = Interval(datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert label(interval, timezone) == text


def test_a_node_is_what_the_worst_of_its_batches_is() -> None:
    results = [
        NodeResult("a", "success"),
        *(NodeResult("b", status, task=f"b {status}", interval=DAY)
          for status in ("success", "skipped", "failed", "interrupted")),
        NodeResult("c", "skipped"),
    ]  # fmt: skip
    summary = RunSummary("failed", 1.0, {r.task + r.status: r for r in results}, 0, 0)
    assert summary.nodes == {"a": "success", "b": "failed", "c": "skipped"}
    assert (summary.count("success"), summary.count("failed"), summary.batches) == (1, 1, 1)
