"""What state backends keep. Records are values: to change one, store another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from seeknal.errors import RequestError, did_you_mean


@dataclass(frozen=True)
class Record:
    """Base of all. `times` are timezone-aware, in UTC, and written in ISO 8601."""

    what: ClassVar[str]
    times: ClassVar[tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in self.times:
            if values[name] is not None:
                values[name] = values[name].isoformat()
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        values = dict(data)
        for name in cls.times:
            if values.get(name) is not None:
                values[name] = datetime.fromisoformat(values[name])
        return cls(**values)

    def with_fields(self, changes: Mapping[str, Any]) -> Self:
        """A copy with other values. Raises RequestError for a field that there isn't."""
        names = [f.name for f in fields(self)]
        for name in changes:
            if name not in names:
                raise RequestError(
                    f"{self.what} has no field '{name}'.{did_you_mean(name, names)} "
                    f"It has {', '.join(names)}."
                )
        return replace(self, **changes)


@dataclass(frozen=True)
class Run(Record):
    """One execution of tasks.

    status: running, success, failed, interrupted. counts: nodes by what became of them.
    """

    what: ClassVar[str] = "A run"
    times: ClassVar[tuple[str, ...]] = ("started_at", "finished_at")

    run_id: str
    environment: str = "prod"
    status: str = "running"
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class NodeState(Record):
    """What became of one node in one run.

    status: running, success, failed, skipped, interrupted. snapshot: the id of what it computes.
    rows: in the snapshot. bytes: on storage. seconds: wall time.
    """

    what: ClassVar[str] = "A node state"
    times: ClassVar[tuple[str, ...]] = ("started_at", "finished_at")

    run_id: str
    node_id: str
    status: str = "running"
    snapshot: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    seconds: float | None = None
    rows: int | None = None
    bytes: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class Environment(Record):
    """A name, and for every node the snapshot that is read under that name.

    pointers: node id -> snapshot id. refreshed: node id -> the run in which it was last asked to
    be computed anew although nothing had changed. version: counts its writes.
    """

    what: ClassVar[str] = "An environment"
    times: ClassVar[tuple[str, ...]] = ("created_at", "updated_at")

    name: str
    pointers: Mapping[str, str] = field(default_factory=dict)
    refreshed: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    version: int = 0
