"""All nodes and edges of a project at one moment."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from seeknal.errors import RequestError, did_you_mean
from seeknal.files import write_beside

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Column:
    """What is said of a column. dtype: a type as the engine names it, or a common synonym."""

    description: str | None = None
    dtype: str | None = None


@dataclass(frozen=True, slots=True)
class Incremental:
    """How a node is computed, one stretch of time after the other.

    scheduler: whose schedule it is. time_column: the column that says which interval a row belongs
    to. start, end: the first and last time of all, ISO 8601 dates or times. lookback: intervals
    before a new one that are computed again with it. batch_size: intervals computed at once.
    batch_concurrency: batches at once, None for as many as there is room for. allow_partials: an
    interval may be computed before it is over. depends_on_past: batches are computed in their
    order, each after the one before it.
    """

    schedule: str
    time_column: str
    scheduler: str = "cron"
    timezone: str = "UTC"
    start: str | None = None
    end: str | None = None
    lookback: int = 0
    batch_size: int = 1
    batch_concurrency: int | None = None
    allow_partials: bool = False
    depends_on_past: bool = False

    @property
    def meaning(self) -> list[str]:
        """What of it determines the rows of an interval."""
        return [self.scheduler, self.schedule, self.timezone, self.time_column]

    @property
    def content(self) -> list[object]:
        """What of it determines which rows there are in the end."""
        return [*self.meaning, self.start, self.end, self.allow_partials]


@dataclass(frozen=True, slots=True)
class Attempts:
    """How a node is tried; nothing of it changes its result.

    retries: how many times more, when it has failed. delay: seconds before the first of them;
    before each further one, twice as long. timeout: seconds that one attempt may take, None for
    any.
    """

    retries: int = 0
    delay: float = 1.0
    timeout: float | None = None

    @property
    def delays(self) -> list[float]:
        """Seconds before each retry."""
        return [self.delay * 2**n for n in range(self.retries)]


ONCE = Attempts()


@dataclass(frozen=True, slots=True)
class Node:
    """A source or a transform.

    inputs: ids of the nodes it reads, in the order that `input_0`, `input_1`, ... count them.
    config: what else determines its result. Of a source `source`, `table`, `params`; of a
    transform `sql`, or `function` and `code`, which stand for a Python function and its source.
    incremental: None for what is computed whole. unique_key: columns that are declared to be
    unique together, and not NULL. attempts: how it is tried. file_path: relative to the project.
    line: where its SQL or its function begins there. extra: what a manifest says of it besides,
    kept as it is.
    """

    id: str
    inputs: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Column] = field(default_factory=dict)
    description: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    incremental: Incremental | None = None
    unique_key: tuple[str, ...] = ()
    attempts: Attempts = ONCE
    file_path: str = ""
    line: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        return self.id.partition(".")[2]

    @property
    def definition(self) -> dict[str, Any]:
        """What determines its result, besides the data that it reads."""
        definition: dict[str, Any] = {"config": self.config, "inputs": self.inputs}
        if self.kind == "source":
            definition["dtypes"] = {n: c.dtype for n, c in self.columns.items() if c.dtype}
        if self.incremental:
            definition["incremental"] = self.incremental.meaning
        return definition

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "type": self.kind,
            "description": self.description,
            "owner": self.owner,
            "tags": list(self.tags),
            "columns": {
                name: {"description": c.description, "dtype": c.dtype}
                for name, c in self.columns.items()
            },
            "config": dict(self.config),
            "inputs": list(self.inputs),
            "incremental": asdict(self.incremental) if self.incremental else None,
            "unique_key": list(self.unique_key),
            "attempts": asdict(self.attempts),
            "file_path": self.file_path,
            "line": self.line,
            **self.extra,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Node:
        return cls(
            id=data["id"],
            inputs=tuple(data.get("inputs", ())),
            config=data.get("config", {}),
            columns={name: _column(c) for name, c in (data.get("columns") or {}).items()},
            description=data.get("description"),
            owner=data.get("owner"),
            tags=tuple(data.get("tags") or ()),
            incremental=Incremental(**data["incremental"]) if data.get("incremental") else None,
            unique_key=tuple(data.get("unique_key") or ()),
            attempts=Attempts(**(data.get("attempts") or {})),
            file_path=data.get("file_path") or "",
            line=data.get("line", 1),
            extra={key: value for key, value in data.items() if key not in _FIELDS},
        )


_FIELDS = frozenset(Node("").to_dict())

_TYPE = re.compile(
    r"""(?: (?:tiny|small|medium|big|huge|u(?:tiny|small|big|huge)?)?int(?:eger)?\d* | signed
    | long | short | byte | float\d* | double(?:[ ]precision)? | real | numeric | number | decimal
    | bool(?:ean)? | string | str | text | varchar | char(?:acter)?(?:[ ]varying)? | object
    | date(?:time)?(?:64)? | time(?:stamp)?(?:_(?:s|ms|us|ns|tz|ntz|ltz)|tz)?
    (?:[ ]with(?:out)?[ ]time[ ]zone)? | interval | blob | binary | bytea | bytes | uuid | json
    | variant | array | struct | map | list )
    (?:[ ]*[(<][^;]*[)>])? (?:\[\d*\])*""",
    re.VERBOSE | re.IGNORECASE,
)


def _column(value: object) -> Column:
    """In older manifests a column is a text: its type, or what is said of it."""
    if isinstance(value, Mapping):
        return Column(value.get("description"), value.get("dtype"))
    text = None if value is None else str(value)
    return Column(dtype=text) if text and _TYPE.fullmatch(text.strip()) else Column(text)


class Manifest:
    """Nodes by id, sorted by id; the edges are the nodes' inputs.

    metadata: what a manifest's file says besides. edge_fields: the same of its edges, each as
    (from, to).
    """

    def __init__(
        self,
        project: str,
        nodes: Iterable[Node],
        *,
        metadata: Mapping[str, Any] | None = None,
        edge_fields: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    ) -> None:
        self.project = project
        self.nodes: dict[str, Node] = {n.id: n for n in sorted(nodes, key=lambda n: n.id)}
        self.metadata, self.edge_fields = dict(metadata or {}), dict(edge_fields or {})

    @cached_property
    def dependents(self) -> Mapping[str, list[str]]:
        """For each node, the ids of those that read it directly."""
        dependents: dict[str, list[str]] = defaultdict(list)
        for node in self.nodes.values():
            for input_id in dict.fromkeys(node.inputs):
                dependents[input_id].append(node.id)
        return dependents

    @cached_property
    def order(self) -> list[str]:
        """Ids such that every node stands behind its inputs. Raises RequestError on a cycle."""
        try:
            return list(TopologicalSorter(self._graph()).static_order())
        except CycleError as error:
            raise RequestError(f"Nodes need each other: {' -> '.join(error.args[1])}") from None

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """For each id, its place in `order`."""
        return {node_id: place for place, node_id in enumerate(self.order)}

    @cached_property
    def levels(self) -> Mapping[str, int]:
        """For each id, how many nodes at most stand one behind the other before it: those of one
        level need nothing of each other."""
        levels: dict[str, int] = {}
        for node_id in self.order:
            above = (levels[i] for i in self.nodes[node_id].inputs if i in self.nodes)
            levels[node_id] = 1 + max(above, default=-1)
        return levels

    def cycles(self) -> list[list[str]]:
        """Cycles that have no node in common, each as ids from a node back to itself."""
        try:
            _ = self.order
        except RequestError:
            return self._cycles()
        return []

    def _cycles(self) -> list[list[str]]:
        graph, found = self._graph(), []
        while True:
            try:
                TopologicalSorter(graph).prepare()
            except CycleError as error:
                cycle: list[str] = error.args[1]
                found.append(cycle)
                graph = {n: i for n, i in graph.items() if n not in cycle}
            else:
                return found

    def _graph(self) -> dict[str, list[str]]:
        return {n.id: [i for i in n.inputs if i in self.nodes] for n in self.nodes.values()}

    def upstream(self, ids: Iterable[str]) -> set[str]:
        """These nodes and everything that they need."""
        return reach(ids, lambda i: self.nodes[i].inputs if i in self.nodes else ())

    def downstream(self, ids: Iterable[str]) -> set[str]:
        """These nodes and everything that needs them."""
        return reach(ids, lambda i: self.dependents.get(i, ()))

    def node(self, node_id: str) -> Node:
        """The node of this id. Raises RequestError, with the nearest id, when there is none."""
        try:
            return self.nodes[node_id]
        except KeyError:
            raise RequestError(
                f"There is no node '{node_id}'.{did_you_mean(node_id, self.nodes)}"
            ) from None

    @property
    def names(self) -> list[str]:
        """All ids, and all names."""
        return [*self.nodes, *(node.name for node in self.nodes.values())]

    def find(self, name: str) -> Node | None:
        """The node of this id, or the one of this name, if it is the only one."""
        found = [node for node in self.nodes.values() if name in (node.id, node.name)]
        return found[0] if len(found) == 1 else None

    def incremental(self, name: str) -> Node:
        """The incremental node of this id or name. Raises RequestError when there is none."""
        node = self.find(name) or self.node(name)
        if node.incremental is None:
            raise RequestError(
                f"{node.id} is not incremental, so it has no intervals: compute it anew with "
                f"`seeknal run --select {node.name} --full-refresh`."
            )
        return node

    def save(self, path: str | Path) -> None:
        """Write as JSON, a node a line, so that two manifests can be compared line by line."""
        nodes = ",\n".join(
            f"{json.dumps(i)}: {json.dumps(n.to_dict(), ensure_ascii=False)}"
            for i, n in self.nodes.items()
        )
        edges = ",\n".join(
            json.dumps({"from": i, "to": n.id, **self.edge_fields.get((i, n.id), {})})
            for n in self.nodes.values()
            for i in dict.fromkeys(n.inputs)
        )
        metadata = json.dumps({**self.metadata, "project": self.project, "format": FORMAT})
        text = f'{{"metadata": {metadata},\n"nodes": {{\n{nodes}\n}},\n"edges": [\n{edges}\n]}}\n'
        write_beside(Path(path), text)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Manifest:
        """What the JSON of a manifest says. Raises KeyError, TypeError, ValueError or
        AttributeError when it is none."""
        inputs: dict[str, list[str]] = defaultdict(list)
        fields = {}
        for edge in data.get("edges") or ():
            ends = edge["from"], edge["to"]
            inputs[ends[1]].append(ends[0])
            more = {key: value for key, value in edge.items() if key not in ("from", "to")}
            if more:
                fields[ends] = more
        nodes = (
            Node.from_dict({"id": i, **node, "inputs": _inputs(node, inputs[i])})
            for i, node in data["nodes"].items()
        )
        metadata = {k: v for k, v in data["metadata"].items() if k not in ("project", "format")}
        return cls(data["metadata"]["project"], nodes, metadata=metadata, edge_fields=fields)

    @classmethod
    def load(cls, path: str | Path) -> Manifest:
        """Read what `save`, or an older Seeknal, wrote. Raises RequestError when the file isn't a
        manifest."""
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (FileNotFoundError, IsADirectoryError):
            raise RequestError(f"There is no manifest at {path}.") from None
        except KeyError as error:
            raise RequestError(f"{path} is not a manifest: it has no {error}.") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise RequestError(f"{path} is not a manifest: {error}") from error


def _inputs(data: Mapping[str, Any], edges: Sequence[str]) -> list[str]:
    """What a node reads: in the order that it gives, then what only edges tell."""
    given = data.get("inputs")
    if given is None:
        given = (data.get("config") or {}).get("inputs") or ()
    refs = [item.get("ref") if isinstance(item, Mapping) else item for item in given]
    return list(dict.fromkeys([*(r for r in refs if isinstance(r, str)), *edges]))


def reach(ids: Iterable[str], neighbours: Callable[[str], Iterable[str]]) -> set[str]:
    """These ids, and whatever is reached from them."""
    seen, todo = set[str](), list(ids)
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo.extend(neighbours(current))
    return seen
