"""The contract of engines: plugins that compute nodes into snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from seeknal.dag.manifest import Node
from seeknal.errors import Flaw


class Snapshot(NamedTuple):
    """One physical version of one node's output. id: the hash of what determines it."""

    node_id: str
    id: str


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

    function: the node's, where Python computes it. verify: to be called when all has been read
    and before the snapshot appears; it raises when what was read is not what was meant.
    """

    node: Node
    snapshot: Snapshot
    inputs: Mapping[str, Snapshot]
    function: Callable[..., Any] | None
    verify: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Built:
    """rows: in the snapshot. bytes: on storage."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query. types: as the engine names them."""

    columns: Sequence[str]
    types: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


class Engine(Protocol):
    """Computes nodes. Called from several threads at once."""

    def check(self, node: Node) -> Sequence[Flaw]:
        """What is wrong with a node, found without any data: SQL that does not parse, a source
        format or parameter that isn't known."""

    def existing(self, snapshots: Iterable[Snapshot]) -> set[Snapshot]:
        """Which of these are complete on storage."""

    def build(self, job: Job) -> Built:
        """Compute a node and write its snapshot.

        The snapshot appears at once and whole, or not at all, whatever dies when; one that is
        already there is replaced. Raises BuildError, or whatever `job` raises.
        """

    def flush(self) -> None:
        """Make durable what this engine has built: called before anything is said to be done."""

    def query(self, sql: str, tables: Mapping[str, Snapshot]) -> Rows:
        """Run a query in which node ids, and unambiguous names, are tables.

        Raises RequestError when the query is wrong.
        """

    def export(self, sql: str, tables: Mapping[str, Snapshot], path: Path, format: str) -> None:
        """Write the answer to a query to a local file. format: csv, json or parquet."""

    def interrupt(self) -> None:
        """Stop what is running, from another thread; the calls raise."""

    def close(self) -> None:
        """Let go of everything; harmless when done twice."""
