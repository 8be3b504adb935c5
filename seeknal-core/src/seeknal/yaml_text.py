"""Read YAML as plain values, and find the lines of what is wrong in it.

PyYAML's safe loader on libyaml. Beyond it: a key that stands twice is an error, keys are text,
and dates are the text that was written. Lines are looked up only when they are asked for.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from seeknal.errors import Flaw, did_you_mean

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(Exception):
    """What is wrong, and on which line, counted from 1."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


class _StrictLoader(_Loader):  # type: ignore[misc, valid-type]
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag not in (_MERGE, "tag:yaml.org,2002:str"):
                raise YamlError(f"the key {key.value!r} is not text: put it in quotes", line)
            if key.value in seen:
                raise YamlError(f"'{key.value}' stands here a second time", line)
            seen.add(key.value)
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}


_MERGE = "tag:yaml.org,2002:merge"


def _construct_map(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    return loader.construct_mapping(node, deep=True)


def _construct_date(loader: _StrictLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


def _refuse(loader: _StrictLoader, node: yaml.Node) -> None:
    raise YamlError(f"{node.tag} can't be used here", node.start_mark.line + 1)


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _construct_map)
_StrictLoader.add_constructor("tag:yaml.org,2002:timestamp", _construct_date)
for _tag in ("binary", "set", "omap", "pairs"):
    _StrictLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _refuse)


def load_mapping(text: str) -> dict[str, Any]:
    """The mapping that a YAML text holds; an empty text is an empty one. Raises YamlError."""
    try:
        value = yaml.load(text, _StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        begun = f" {error.context}" if error.context else ""
        if error.context_mark and error.context_mark is not mark:
            begun += f" that begins in line {error.context_mark.line + 1}"
        raise YamlError(
            f"not valid YAML: {error.problem or ''}{begun}", mark.line + 1 if mark else None
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        raise YamlError(f"not valid YAML: {error}", None) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise YamlError("holds no mapping: write lines of `key: value`", 1)
    return value


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line, counted from 1, of the key or item at a path, or of the nearest that exists."""
    node, line = yaml.compose(text, _Loader), None
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pairs = [(k, v) for k, v in node.value if k.value == step]
            if not pairs:
                return line
            line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            if step >= len(node.value):
                return line
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def line_of_text(text: str, key: str) -> int:
    """The line, counted from 1, on which the value of a top-level key begins."""
    node = yaml.compose(text, _Loader)
    for key_node, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key_node.value == key:
            block = getattr(value, "style", None) in ("|", ">")
            return int(value.start_mark.line) + (2 if block else 1)
    return 1


def explain(error: ValidationError, known: Sequence[str]) -> list[Flaw]:
    """What pydantic found, for people. known: the keys that are allowed at the top."""
    return [Flaw(_explain_one(e, known), key=e["loc"]) for e in error.errors()]


def _explain_one(error: Any, known: Sequence[str]) -> str:
    loc = [str(part) for part in error["loc"]]
    where = ".".join(loc)
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        near = did_you_mean(loc[-1], known) if len(loc) == 1 else ""
        return f"unknown key '{where}'.{near}"
    if error["type"] == "missing":
        return f"'{where}' is missing"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message.removeprefix("Input should be ")
    wrong = error["type"] not in ("value_error", "assertion_error")
    return (
        f"'{where}' should be {message}" if wrong else f"{where}: {message}" if where else message
    )
