"""What one file of a project comes to, whichever form it is written in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from seeknal.dag.manifest import Attempts, Node
from seeknal.dag.sql_text import line_at, mentions
from seeknal.errors import Flaw, Problem
from seeknal.project.schema import (
    InvalidDefinitionError,
    Source,
    Transform,
    validate,
)
from seeknal.project.templates import TemplateError, Templates
from seeknal.project.timed import MARKS, Mark, incremental_of, named_again

FILE_FORMATS = ("csv", "json", "jsonl", "parquet")
_FROM = re.compile(r"\b(?:from|join)\s+$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file below `seeknal/`. path: relative to the project, with forward slashes."""

    root: Path
    path: str
    text: str

    @property
    def stem(self) -> str:
        return PurePosixPath(self.path).stem


@dataclass(slots=True)
class Parsed:
    """Nodes, what is wrong, and what else was read to find out.

    mentioned: node id -> other node id -> the line on which it is named. skipped: ids of nodes of
    kinds that nothing here supports. broken: names of nodes that have problems. uses: paths of
    other files, relative to the project, whose change makes this outdated.
    """

    nodes: list[Node] = field(default_factory=list)
    mentioned: dict[str, dict[str, int]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)


Locate = Callable[[Sequence[str | int]], int | None]
"""From the path to a value in a definition to its line in the file."""


@dataclass(frozen=True, slots=True)
class Code:
    """A Python function as a node's body. hash: of all code in the project that it can reach."""

    function: str
    hash: str
    refs: Mapping[str, int]
    reads_params: bool


def add_node(
    parsed: Parsed,
    file: SourceFile,
    fields: Mapping[str, Any],
    *,
    locate: Locate,
    templates: Templates,
    body_line: Callable[[], int] = lambda: 1,
    code: Code | None = None,
) -> None:
    """Turn a node's fields into a node of `parsed`, or into problems.

    body_line: the line of the file on which the SQL or the function begins.
    """
    try:
        definition = validate(fields)
        if definition is None:
            parsed.skipped.append(f"{fields['kind']}.{fields.get('name', file.stem)}")
            return
        incremental = incremental_of(definition, templates.scheduler, templates.timezone)
        body = (
            _source(definition, templates, code, body_line())
            if isinstance(definition, Source)
            else None
        )
        if isinstance(definition, Transform):
            names = MARKS if incremental else {}
            body = _transform(definition, templates, code, locate, body_line, names)
        assert body is not None
    except InvalidDefinitionError as error:
        parsed.problems += [
            Problem(f.message, file.path, body_line() + f.line - 1 if f.line else locate(f.key))
            for f in error.flaws
        ]
        parsed.broken.append(str(fields.get("name", file.stem)))
        return
    except TemplateError as error:
        line = body_line() + (error.line or 1) - 1
        hint = (
            " It stands for an interval in nodes with `incremental:`."
            if (error.undefined in MARKS)
            else ""
        )
        parsed.problems.append(Problem(f"{error}{hint}", file.path, line))
        parsed.broken.append(str(fields.get("name", file.stem)))
        return
    if templates.timezone != "UTC":
        body.config["timezone"] = templates.timezone
    node_id = f"{definition.kind}.{definition.name}"
    parsed.mentioned[node_id] = body.lines
    parsed.nodes.append(
        Node(
            id=node_id,
            inputs=tuple(body.lines),
            config=body.config,
            columns=definition.columns,
            description=definition.description,
            owner=definition.owner,
            tags=tuple(definition.tags),
            incremental=incremental,
            unique_key=tuple(definition.unique_key),
            attempts=Attempts(definition.retries, definition.retry_delay, definition.timeout),
            file_path=file.path,
            line=body.line,
        )
    )


@dataclass(slots=True)
class _Body:
    config: dict[str, Any]
    lines: dict[str, int]
    line: int


def _source(definition: Source, templates: Templates, code: Code | None, line: int) -> _Body:
    params = {
        key: templates.render(value, definition.params) if isinstance(value, str) else value
        for key, value in definition.params.items()
    }
    if code is not None and definition.source is None and definition.table is None:
        return _Body(_code_config(code, definition, templates), dict(code.refs), line)
    flaws: list[Flaw] = []
    if definition.incremental:
        message = "files are read whole: make a transform that reads them incremental instead"
        flaws.append(Flaw(message, key=("incremental",)))
    if definition.source is None:
        flaws.append(Flaw(f"`source:` is missing: {', '.join(FILE_FORMATS)}"))
    if definition.table is None:
        flaws.append(Flaw("`table:` is missing: a path or glob relative to the project"))
    if flaws or definition.source is None or definition.table is None:
        raise InvalidDefinitionError(flaws)
    table = templates.render(definition.table, definition.params)
    if definition.source in FILE_FORMATS and _leaves_the_project(table):
        raise InvalidDefinitionError(
            [Flaw(f"{table!r} is outside the project: `table:` is relative to it", key=("table",))]
        )
    return _Body({"source": definition.source, "table": table, "params": params}, {}, line)


def _leaves_the_project(table: str) -> bool:
    path = PurePosixPath(table)
    return path.is_absolute() or ".." in path.parts or table.startswith("~") or "://" in table


def _transform(
    definition: Transform,
    templates: Templates,
    code: Code | None,
    locate: Locate,
    body_line: Callable[[], int],
    names: Mapping[str, Mark],
) -> _Body:
    lines = {ref: locate(("inputs", index)) or 1 for index, ref in enumerate(definition.inputs)}
    if code is not None:
        config = _code_config(code, definition, templates)
        return _Body(config, {**lines, **code.refs}, body_line())
    sql = named_again(templates.render(definition.transform or "", definition.params, names))
    sql = sql.strip()
    if not sql:
        raise InvalidDefinitionError([Flaw("there is no SQL", key=("transform",))])
    begin = body_line()
    named = list(mentions(sql))
    for mention in named:
        if mention.how == "ref":
            lines.setdefault(mention.target, begin + line_at(sql, mention.start) - 1)
    for mention in named if lines else []:
        is_table = mention.how == "input" and _FROM.search(sql, 0, mention.start)
        if is_table and int(mention.target) >= len(lines):
            last = len(lines) - 1
            there = f"the last is input_{last}" if last else "input_0 is the only one"
            message = f"input_{mention.target} is not there: {there}"
            raise InvalidDefinitionError([Flaw(message, line_at(sql, mention.start))])
    return _Body({"sql": sql}, lines, begin)


def _code_config(
    code: Code, definition: Source | Transform, templates: Templates
) -> dict[str, Any]:
    config: dict[str, Any] = {"function": code.function, "code": code.hash}
    if code.reads_params:
        config["params"] = {**templates.params, **definition.params}
    return config
