"""A node in a SQL file: `seeknal/**/*.sql`, with optional front matter.

/*
---
description: Revenue a day
---
*/
SELECT ...
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from seeknal.dag.sql_text import line_at
from seeknal.errors import Problem
from seeknal.project.parsed import Parsed, SourceFile, add_node
from seeknal.project.templates import Templates
from seeknal.yaml_text import YamlError, line_of, load_mapping

_FRONT_MATTER = re.compile(r"\s*/\*\s*?\n?[ \t]*---[ \t]*\n(.*?)^[ \t]*---\s*\*/", re.DOTALL | re.M)

_OPENED = re.compile(r"\s*/\*\s*?\n?[ \t]*---[ \t]*\n")


def line_of_setting(text: str, path: Sequence[str | int]) -> int | None:
    """The line of the file on which something stands in its front matter."""
    front = _FRONT_MATTER.match(text)
    line = line_of(front[1], path) if front else None
    return line_at(text, front.start(1)) - 1 + line if front and line else None


def read(file: SourceFile, templates: Templates) -> Parsed:
    parsed = Parsed()
    front = _FRONT_MATTER.match(file.text)
    yaml, body = (front[1], file.text[front.end() :]) if front else ("", file.text)
    offset = line_at(file.text, front.start(1)) - 1 if front else 0
    if front is None and _OPENED.match(file.text):
        message = "the front matter is not closed: end it with a line `---`, and the comment"
        parsed.problems.append(Problem(message, file.path, 1))
        return parsed
    try:
        fields = load_mapping(yaml) if yaml else {}
    except YamlError as error:
        line = offset + error.line if error.line else None
        parsed.problems.append(Problem(str(error), file.path, line))
        return parsed

    def locate(loc: Sequence[str | int]) -> int | None:
        line = line_of(yaml, loc) if yaml else None
        return line + offset if line else 1

    for key, fixed in (("name", file.stem), ("kind", "transform")):
        if fields.get(key, fixed) != fixed:
            message = f"'{key}' of a SQL file is '{fixed}', and not {fields[key]!r}"
            parsed.problems.append(Problem(message, file.path, locate((key,))))
    if "transform" in fields:
        message = "'transform' goes below the front matter, as SQL"
        parsed.problems.append(Problem(message, file.path, locate(("transform",))))
    if parsed.problems:
        return parsed
    lead = len(body) - len(body.lstrip())
    start = line_at(file.text, len(file.text) - len(body) + lead)
    add_node(
        parsed,
        file,
        {**fields, "kind": "transform", "name": file.stem, "transform": body.strip()},
        locate=locate,
        templates=templates,
        body_line=lambda: start,
    )
    return parsed
