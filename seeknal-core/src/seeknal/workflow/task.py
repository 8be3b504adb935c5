"""The values that travel between those who plan, those who work, and those who listen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, time
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from seeknal.dag.manifest import ONCE, Attempts
from seeknal.state.fields import part_texts, parts_of_texts
from seeknal.state.intervals import Interval, Part


@dataclass(frozen=True, slots=True)
class Task:
    """One node to compute, whole or over one batch of intervals: all that a worker needs, on this
    machine or another.

    name: of all tasks of a run, only this one has it. snapshot: the id of what is to be written;
    empty while it depends on what other tasks of the run give. inputs: node id -> snapshot id.
    parts: for inputs that are incremental, what they hold. content: of a source, the version of
    the data that was planned with. interval: None for the whole. needs: names of the tasks that
    must be done before. at_once: how many tasks of its node may run at once, None for any number.
    attempts, tags: the node's.
    """

    project_path: str
    environment: str
    run_id: str
    node_id: str
    snapshot: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    content: str = ""
    interval: Interval | None = None
    parts: Mapping[str, Sequence[Part]] = field(default_factory=dict)
    name: str = ""
    needs: Sequence[str] = ()
    at_once: int | None = None
    attempts: Attempts = ONCE
    tags: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.node_id)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            **asdict(self),
            "interval": self.interval and [time.isoformat() for time in self.interval],
            "parts": {node_id: part_texts(parts) for node_id, parts in self.parts.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From what `to_dict` has made."""
        read = datetime.fromisoformat
        interval = data.get("interval")
        parts = {i: list(parts_of_texts(found)) for i, found in data.get("parts", {}).items()}
        attempts = Attempts(**data.get("attempts", {}))
        made = cls(**{**data, "interval": None, "parts": parts, "attempts": attempts})
        return replace(made, interval=Interval(*map(read, interval))) if interval else made


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What became of a node in a run, or of one batch of its intervals.

    status: success, failed, skipped, interrupted. seconds: wall time. rows: in what was written.
    bytes: on storage. error: for people. place: file and line of the error. detail: the
    traceback, for the log. blocked_by: of a skipped task, the name of the failed one that it
    needs. task: the task's name. interval: of a batch. part: the name of what it wrote. reused:
    an earlier run had done the same.
    """

    node_id: str
    status: str
    snapshot: str = ""
    seconds: float = 0.0
    rows: int | None = None
    bytes: int | None = None
    error: str | None = None
    place: str | None = None
    detail: str | None = None
    blocked_by: str | None = None
    task: str = ""
    interval: Interval | None = None
    part: str = ""
    reused: bool = False

    def __post_init__(self) -> None:
        if not self.task:
            object.__setattr__(self, "task", self.node_id)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            **asdict(self),
            "interval": self.interval and [time.isoformat() for time in self.interval],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From what `to_dict` has made."""
        interval = data.get("interval")
        read = Interval(*map(datetime.fromisoformat, interval)) if interval else None
        return cls(**{**data, "interval": read})

    @classmethod
    def of(cls, task: Task, status: str, **facts: Any) -> Self:
        """What became of a task."""
        return cls(
            task.node_id,
            status,
            snapshot=task.snapshot,
            task=task.name,
            interval=task.interval,
            **facts,
        )


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Which run an event belongs to. root: the project's folder."""

    run_id: str
    environment: str
    project: str
    root: Path


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How a run ended.

    status: success, failed, interrupted. seconds: wall time. results: what became of the tasks, by
    name. unchanged: nodes whose result was in place. reused: nodes that an earlier run, or another
    environment, had computed. waiting: nodes for which what they read isn't there yet, and why.
    behind: nodes that the environment still shows in their old version, since the new one, or what
    it is made from, holds less time. run_id: empty where there was nothing to run for.
    """

    status: str
    seconds: float
    results: Mapping[str, NodeResult]
    unchanged: int
    reused: int
    waiting: Mapping[str, str] = field(default_factory=dict)
    behind: Sequence[str] = ()
    run_id: str = ""

    @property
    def nodes(self) -> dict[str, str]:
        """What became of each node: the worst that became of its batches."""
        worst: dict[str, str] = {}
        for result in self.results.values():
            known = worst.setdefault(result.node_id, result.status)
            worst[result.node_id] = max(known, result.status, key=_SEVERITY.index)
        return worst

    @property
    def batches(self) -> int:
        """How many batches of intervals were computed."""
        results = self.results.values()
        return sum(r.interval is not None and r.status == "success" for r in results)

    def count(self, status: str) -> int:
        """How many nodes ended so."""
        return sum(found == status for found in self.nodes.values())


_SEVERITY = ("success", "skipped", "interrupted", "failed")


def label(interval: Interval, timezone: str) -> str:
    """An interval as people write it: `[2024-01-01, 2024-01-02)`, in the wall clock of a zone."""
    zone = ZoneInfo(timezone)
    local = [moment.astimezone(zone) for moment in interval]
    if all(moment.time() == time() for moment in local):
        return f"[{local[0].date()}, {local[1].date()})"
    return f"[{_short(local[0])}, {_short(local[1])})"


def _short(local: datetime) -> str:
    """Without seconds that are nought; with the offset where clocks show the time twice."""
    timespec = "minutes" if not (local.second or local.microsecond) else "auto"
    twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
    shown = local if twice else local.replace(tzinfo=None)
    return shown.isoformat(timespec=timespec)
