"""The values that travel between those who plan, those who work, and those who listen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Task:
    """One node to compute: all that a worker needs, on this machine or another.

    snapshot: the id of what is to be written. inputs: node id -> snapshot id. content: of a
    source, the version of the data that was planned with.
    """

    project_path: str
    environment: str
    run_id: str
    node_id: str
    snapshot: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    content: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What became of a node in a run.

    status: success, failed, skipped, interrupted. seconds: wall time. rows: in the snapshot.
    bytes: on storage. error: for people. place: file and line of the error. detail: the
    traceback, for the log. blocked_by: of a skipped node, the failed one that it needs.
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

    status: success, failed, interrupted. seconds: wall time. results: what became of the nodes
    that were to be computed. unchanged: nodes whose result was in place. reused: nodes that an
    earlier run, or another environment, had computed.
    """

    status: str
    seconds: float
    results: Mapping[str, NodeResult]
    unchanged: int
    reused: int

    def count(self, status: str) -> int:
        """How many nodes ended so."""
        return sum(r.status == status for r in self.results.values())
