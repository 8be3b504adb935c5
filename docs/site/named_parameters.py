"""Shows the name in `name: what it means` of a docstring as code."""

from __future__ import annotations

import re
from typing import Any

import griffe


class NamedParameters(griffe.Extension):
    """Of functions their parameters, of classes their attributes and those of their `__init__`."""

    def on_function(self, *, func: griffe.Function, **kwargs: Any) -> None:
        _mark(func, [parameter.name for parameter in func.parameters])

    def on_class_members(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        init = cls.members.get("__init__")
        given = [p.name for p in init.parameters] if isinstance(init, griffe.Function) else []
        attributes = [name for name, member in cls.members.items() if member.is_attribute]
        _mark(cls, [*given, *attributes])


def _mark(documented: griffe.Function | griffe.Class, names: list[str]) -> None:
    if documented.docstring and names:
        words = "|".join(map(re.escape, names))
        listed = rf"(?<![\w`.])((?:(?:{words}), )*(?:{words})): "
        documented.docstring.value = re.sub(
            listed, lambda m: _as_code(m[1]) + ": ", documented.docstring.value
        )


def _as_code(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split(", "))
