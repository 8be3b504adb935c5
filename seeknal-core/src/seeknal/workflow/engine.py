"""The contract of engines: plugins that compute nodes into snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from seeknal.dag.manifest import Node
from seeknal.errors import Flaw
from seeknal.state.intervals import Interval, Part


class Snapshot(NamedTuple):
    """One physical version of one node's output.

    id: the hash of what determines it. parts: of an incremental node, what is to be read: each
    part, and the time that is read of it, sorted; a part without a name has no rows.
    """

    node_id: str
    id: str
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a project works.

    root: the project's folder. storage: an absolute folder or an fsspec URL; snapshots lie under
    `<storage>/snapshots/<node id>/<snapshot id>/`. timezone: in which engines show times.
    """

    root: Path
    storage: str
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Job:
    """A node to compute.

    interval: of a batch of an incremental node, the time to compute; None for the whole.
    function: the node's, where Python computes it. verify: to be called when all has been read
    and before the snapshot appears; it raises when what was read is not what was meant. timeout:
    seconds after which the engine stops and raises BuildError, None for never.
    """

    node: Node
    snapshot: Snapshot
    inputs: Mapping[str, Snapshot]
    function: Callable[..., Any] | None
    verify: Callable[[], None]
    interval: Interval | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """rows: in what was written. bytes: on storage. part: of a batch, the name of what was
    written: relative to the node's snapshots, and another one for other rows."""

    rows: int
    bytes: int
    part: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query. types: as the engine names them."""

    columns: Sequence[str]
    types: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


class Stored(NamedTuple):
    """Something that lies on storage. part: empty for a snapshot that was computed whole; for a
    part of one, its name as `Part` has it; for what a build that died has left, another name.
    bytes: of it; 0 for a place where nothing is yet, or any more."""

    node_id: str
    snapshot: str
    part: str = ""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two versions of a table differ.

    columns: names of those that both have, keys aside. added_columns, removed_columns: names and
    types. retyped: name -> the types before and after. rows_before, rows_after: how many there
    are. added, removed: rows that only one of them has, by key, or by all columns that both have
    where no keys are given. changed: rows of one key that differ in some of `columns`.
    changed_by_column: in how many of these each of them differs, where any does. sample: some of
    the rows of each kind. repeated_keys: how many keys stand in more than one row of a side: the
    rows of these are compared as without keys.
    """

    keys: Sequence[str]
    columns: Sequence[str]
    added_columns: Mapping[str, str]
    removed_columns: Mapping[str, str]
    retyped: Mapping[str, tuple[str, str]]
    rows_before: int
    rows_after: int
    added: int
    removed: int
    changed: int
    changed_by_column: Mapping[str, int]
    sample: Sequence[ComparedRow]
    repeated_keys: int = 0


class ComparedRow(NamedTuple):
    """kind: "added", "removed" or "changed". before, after: values by column."""

    kind: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


class Engine(Protocol):
    """Computes nodes. Called from several threads at once. docs/behaviour/engines.md numbers what
    it promises."""

    def check(self, node: Node) -> Sequence[Flaw]:
        """What is wrong with a node, found without any data: SQL that does not parse, a source
        format or parameter that isn't known."""

    def existing(self, snapshots: Iterable[Snapshot]) -> set[Snapshot]:
        """Which of these are complete on storage."""

    def build(self, job: Job) -> Built:
        """Compute a node and write its snapshot.

        The snapshot appears at once and whole, or not at all, whatever dies when; one that is
        already there is replaced. Of a batch, the part appears so; it is not read before somebody
        names it in a snapshot's `parts`, and no other build changes it. Raises BuildError, for rows
        outside of the interval too, or whatever `job` raises.
        """

    def flush(self) -> None:
        """Make durable what this engine has built: called before anything is said to be done."""

    def query(self, sql: str, tables: Mapping[str, Snapshot]) -> Rows:
        """Run a query in which node ids, and unambiguous names, are tables.

        Raises RequestError when the query is wrong.
        """

    def export(self, sql: str, tables: Mapping[str, Snapshot], path: Path, format: str) -> None:
        """Write the answer to a query to a local file. format: csv, json or parquet. Raises
        RequestError when the query is wrong, or for a format that the engine doesn't write."""

    def compare(
        self, before: Snapshot, after: Snapshot, keys: Sequence[str] = (), rows: int = 20
    ) -> Comparison:
        """How two versions of a table differ. keys: columns that tell which rows belong together.
        rows: how many to show of each kind. Raises RequestError when a key is no column of both.
        """

    def export_views(self, tables: Mapping[str, Snapshot], path: Path) -> list[str]:
        """Write a database that other programs can open, with a view for every node that holds
        data, which reads its snapshot. One that is there is replaced, at once. Returns the nodes'
        ids."""

    def stored(self) -> Iterator[Stored]:
        """Everything that builds have written, whole or not."""

    def remove(self, stored: Iterable[Stored]) -> None:
        """Remove from storage; harmless for what isn't there."""

    def interrupt(self) -> None:
        """Stop what is running, from another thread; the calls raise."""

    def close(self) -> None:
        """Let go of everything; harmless when done twice."""
