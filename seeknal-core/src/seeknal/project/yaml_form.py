"""A node in a YAML file: `seeknal/**/*.yml`."""

from __future__ import annotations

from seeknal.errors import Problem
from seeknal.project.parsed import Parsed, SourceFile, add_node
from seeknal.project.templates import Templates
from seeknal.yaml_text import YamlError, line_of, line_of_text, load_mapping


def read(file: SourceFile, templates: Templates) -> Parsed:
    parsed = Parsed()
    try:
        fields = load_mapping(file.text)
    except YamlError as error:
        parsed.problems.append(Problem(str(error), file.path, error.line))
        return parsed
    if not fields:
        parsed.problems.append(Problem("is empty: it should hold a node", file.path))
        return parsed
    if fields.get("kind") == "transform" and not str(fields.get("transform") or "").strip():
        parsed.problems.append(Problem("`transform:` is missing: the SQL", file.path))
        return parsed
    add_node(
        parsed,
        file,
        fields,
        locate=lambda loc: line_of(file.text, loc),
        templates=templates,
        body_line=lambda: line_of_text(file.text, "transform"),
    )
    return parsed
