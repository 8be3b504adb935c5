"""What state backends keep. Records are values: to change one, store another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from seeknal.errors import RequestError, StateError, did_you_mean
from seeknal.state.fields import Kind, kind_of, text
from seeknal.state.intervals import Part

SCHEMA = 4
"""The version of what records look like. 2 brought intervals, locks, and this version itself; 3
what environments were before, their status and plan, and what runs pin; 4 what pointers of
incremental nodes show."""


@dataclass(frozen=True)
class Record:
    """Base of all. Times are aware, in UTC. Text is what UTF-8 can hold, without NUL: what is
    not is replaced. keys: the fields that name a record.
    """

    what: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    _kinds: ClassVar[dict[str, Kind]]
    _keepers: ClassVar[dict[str, Callable[[Any], Any]]]
    _optional: ClassVar[frozenset[str]]
    _encoders: ClassVar[dict[str, Callable[[Any], Any] | None]]
    _decoders: ClassVar[dict[str, Callable[[Any], Any]]]

    def __init_subclass__(cls) -> None:
        annotations = cls.__annotations__.items()
        kinds = {n: kind_of(a) for n, a in annotations if not a.startswith("ClassVar")}
        cls._kinds = kinds
        cls._keepers = {n: kind.keep for n, kind in kinds.items() if n not in cls.keys}
        cls._optional = frozenset(name for name, kind in kinds.items() if kind.optional)
        cls._encoders = {name: kind.encode for name, kind in kinds.items()}
        cls._decoders = {name: kind.decode for name, kind in kinds.items() if kind.decode}

    @property
    def key(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.keys)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it, with the version of the schema as `schema`."""
        values: dict[str, Any] = {"schema": SCHEMA}
        for name, encode in self._encoders.items():
            value = getattr(self, name)
            values[name] = encode(value) if encode and value is not None else value
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What `to_dict` has made, of this version or an older one; what else is in it is ignored.

        Raises StateError when a newer version has made it, or when it is no such record.
        """
        check_schema(data.get("schema", 1))
        try:
            values = {name: data[name] for name in cls._kinds if name in data}
            for name, decode in cls._decoders.items():
                if values.get(name) is not None:
                    values[name] = decode(values[name])
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise StateError(f"{cls.what} can't be read from {dict(data)}: {error}") from error

    @classmethod
    def of_row(cls, values: Sequence[Any]) -> Self:
        """From all fields, in their order and as they are kept: quicker than the constructor."""
        made = object.__new__(cls)
        made.__dict__.update(zip(cls._kinds, values, strict=False))
        return made

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Values for fields that are not keys, as they are kept: those that were given, where they
        are so already.

        Raises RequestError for a field that there isn't, and for a value of another type.
        """
        keepers, optional = cls._keepers, cls._optional
        kept = values
        name, value = "", None
        try:
            for name, value in values.items():
                if value is not None or name not in optional:
                    good = keepers[name](value)
                    if good is not value:
                        kept = {**kept, name: good}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise cls._refusal(name, value) from None
        return kept

    @classmethod
    def _refusal(cls, name: str, value: Any) -> RequestError:
        if name in cls._keepers:
            label = cls._kinds[name].label
            return RequestError(f"{cls.what}'s {name} can't be {value!r}: give {label}.")
        return RequestError(
            f"{cls.what} has no field '{name}' to set.{did_you_mean(name, cls._keepers)} "
            f"It has {', '.join(cls._keepers)}."
        )

    def with_fields(self, values: Mapping[str, Any]) -> Self:
        """A copy with other values. Raises as `checked` does."""
        return replace(self, **self.checked(values))

    def normalized(self) -> Self:
        """As it is kept. Raises as `checked` does."""
        return self.with_fields({name: getattr(self, name) for name in self._keepers})


@dataclass(frozen=True)
class Run(Record):
    """One execution of tasks.

    status: running, success, failed, interrupted. counts: nodes by what became of them. pins: node
    id -> a snapshot that must stay. While it is running, all that it needs, empty where that isn't
    known yet, so that all of the node must stay; None before it has been planned. When it is over,
    what it has written and its environment doesn't show.
    """

    what: ClassVar[str] = "A run"
    keys: ClassVar[tuple[str, ...]] = ("run_id",)

    run_id: str
    environment: str = "prod"
    status: str = "running"
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    pins: Mapping[str, str] | None = None


@dataclass(frozen=True)
class NodeState(Record):
    """What became of one node in one run.

    status: running, success, failed, skipped, interrupted. snapshot: the id of what it computes.
    rows: in the snapshot. bytes: on storage. seconds: wall time. tasks: in how many it was
    computed.
    """

    what: ClassVar[str] = "A node state"
    keys: ClassVar[tuple[str, ...]] = ("run_id", "node_id")

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
    tasks: int | None = None


@dataclass(frozen=True)
class CompletedIntervals(Record):
    """The time that a snapshot of a node holds: sorted, without overlaps.

    snapshot: empty where intervals were recorded without one. parts: of one name, none touch.
    """

    what: ClassVar[str] = "A ledger of intervals"
    keys: ClassVar[tuple[str, ...]] = ("node_id", "snapshot")

    node_id: str
    snapshot: str
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Holding(Record):
    """What an environment's pointer to an incremental node shows: it never changes.

    pointer: names it, by what it holds. parts: the parts of a snapshot that it shows, as text.
    """

    what: ClassVar[str] = "What a pointer shows"
    keys: ClassVar[tuple[str, ...]] = ("node_id", "pointer")

    node_id: str
    pointer: str
    parts: str


PLANNED, APPLIED, PROMOTED = "planned", "applied", "promoted"


@dataclass(frozen=True)
class Environment(Record):
    """A name, and for every node the snapshot that is read under that name.

    pointers: node id -> snapshot id. refreshed: node id -> the run in which it was last asked to
    be computed anew although nothing had changed. definitions: node id -> as JSON, what the node
    was when its pointer was last found to be right. addresses: node id -> the id that its snapshot
    would have if that had been computed then, where its pointer is another: nothing that it reads
    of what changed since makes a difference. status: planned, when its plan is still to be applied;
    applied; promoted, when another one has been pointed at the same since. ttl_hours: how
    long after its last use it expires, None for never. plan: the last that was made for it, as
    JSON. used_at: when it was last written or read by somebody. revision: the number of the last
    move of its pointers, 0 before the first. version: counts its writes.
    """

    what: ClassVar[str] = "An environment"
    keys: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    pointers: Mapping[str, str] = field(default_factory=dict)
    refreshed: Mapping[str, str] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    status: str = APPLIED
    ttl_hours: float | None = None
    plan: str | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    used_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    revision: int = 0
    version: int = 0

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """As any record. Before version 3 only writes counted as use."""
        if "used_at" not in data and "updated_at" in data:
            data = {**data, "used_at": data["updated_at"]}
        return super().from_dict(data)


@dataclass(frozen=True)
class Revision(Record):
    """One move of an environment's pointers.

    number: counts the moves of this environment from 1. made_by: for people, what moved them.
    before: as JSON, what was there before of each node that was moved.
    """

    what: ClassVar[str] = "A revision"
    keys: ClassVar[tuple[str, ...]] = ("environment", "number")

    environment: str
    number: int
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    made_by: str = ""
    before: str = "{}"


@dataclass(frozen=True)
class LockInfo(Record):
    """Who holds a lock, and until when it is held if it is not renewed.

    token: of all locks ever given by this backend, the number of this one.
    """

    what: ClassVar[str] = "A lock"
    keys: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    holder: str
    token: int
    expires_at: datetime


def check_schema(version: int) -> None:
    """Raise StateError when state was written by a newer version."""
    if not isinstance(version, int) or version > SCHEMA:
        raise StateError(
            f"This state was written by a newer Seeknal: its schema is {version}, and this one "
            f"knows up to {SCHEMA}. Install the newer version here too: it was left as it is."
        )


def check_id(value: str, what: str) -> str:
    """Return what names a record, or raise RequestError: it must be text, not empty, in UTF-8."""
    if not isinstance(value, str) or not value or text(value) != value:
        raise RequestError(f"{value!r} can't be the id of {what}: give text, not empty, in UTF-8.")
    return value
