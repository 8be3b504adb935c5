"""Jinja2, in its sandbox, for SQL and paths; and `seeknal/common/`, which names what it can use.

A template sees `params`, and from the YAML files in `seeknal/common/` the parameters of each
source under its id, `rules.<id>` and `transformations.<id>`. A name that isn't there is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seeknal.errors import Flaw, Problem, did_you_mean
from seeknal.yaml_text import YamlError, line_of, load_mapping

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

_TEMPLATE = re.compile(r"\{[{%#]")
_SECTIONS = {"sources": "params", "rules": "value", "transformations": "sql"}


class TemplateError(Exception):
    """What is wrong in a template, and on which of its lines, counted from 1.

    undefined: the name that isn't there, where that is what is wrong.
    """

    def __init__(self, message: str, line: int | None = None, undefined: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.undefined = undefined


def is_template(text: str) -> bool:
    return bool(_TEMPLATE.search(text))


class Templates:
    """Renders the texts of one project. scheduler, timezone: of nodes that name none."""

    def __init__(
        self,
        params: Mapping[str, Any],
        common: Mapping[str, Any],
        scheduler: str = "cron",
        timezone: str = "UTC",
    ) -> None:
        self.params = dict(params)
        self._common = dict(common)
        self.scheduler = scheduler
        self.timezone = timezone

    def render(
        self,
        text: str,
        params: Mapping[str, Any] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> str:
        """The text with its templates filled in. params: a node's own, over the project's. more:
        other names.

        Raises TemplateError.
        """
        if not is_template(text):
            return text
        names = {**self._common, **(more or {}), "params": {**self.params, **(params or {})}}
        for section in ("rules", "transformations"):
            names[section] = _Snippets(section, self._common.get(section, {}), names)
        return _render(text, names)


class _Snippets(Mapping[str, str]):
    """Rules or transformations by id, rendered when they are used: they may use each other."""

    def __init__(
        self,
        section: str,
        texts: Mapping[str, str],
        names: Mapping[str, Any],
    ) -> None:
        self._section, self._texts, self._names = section, texts, names
        self._open: list[str] = []

    def __getitem__(self, key: str) -> str:
        if key in self._open:
            raise TemplateError(f"{self._section}.{key} uses itself")
        self._open.append(key)
        try:
            return _render(self._texts[key], self._names)
        finally:
            self._open.pop()

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def _render(text: str, names: Mapping[str, Any]) -> str:
    from jinja2 import TemplateSyntaxError, UndefinedError
    from jinja2.exceptions import SecurityError

    try:
        return _jinja().from_string(text).render(names)
    except TemplateSyntaxError as error:
        raise TemplateError(f"template: {error.message}", error.lineno) from None
    except UndefinedError as error:
        named = re.search(r"(?:attribute )?'([^']+)'(?: is undefined)?$", str(error.message))
        what = f"'{named[1]}' is not defined" if named else str(error.message)
        near = did_you_mean(named[1], _words(names)) if named else ""
        name = named[1] if named else None
        raise TemplateError(f"template: {what}.{near}", _line_of_error(error), name) from None
    except (SecurityError, OverflowError) as error:
        raise TemplateError(f"template: {error}", _line_of_error(error)) from None
    except TemplateError:
        raise
    except Exception as error:
        line = _line_of_error(error)
        raise TemplateError(f"template: {type(error).__name__}: {error}", line) from None


@cache
def _jinja() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


def _words(names: Mapping[str, Any]) -> list[str]:
    inner = [key for value in names.values() if isinstance(value, Mapping) for key in value]
    return [*names, *inner]


def _line_of_error(error: BaseException) -> int | None:
    """The line of the template in which rendering stopped: Jinja puts it into the traceback."""
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


def load_common(folder: Path, root: Path) -> tuple[dict[str, Any], list[Problem]]:
    """What `seeknal/common/*.yml` names, and what is wrong there.

    `sources` are lists of items with `id` and `params`, `rules` with `id` and `value`,
    `transformations` with `id` and `sql`.
    """
    names: dict[str, Any] = {"params": {}, "rules": {}, "transformations": {}}
    problems: list[Problem] = []
    for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]):
        where = path.relative_to(root).as_posix()
        try:
            text = path.read_text(encoding="utf-8-sig")
            data = load_mapping(text)
        except UnicodeDecodeError:
            problems.append(Problem("is not UTF-8 text", where))
            continue
        except YamlError as error:
            problems.append(Problem(str(error), where, error.line))
            continue
        for section, items in data.items():
            problems += [
                Problem(flaw.message, where, line_of(text, flaw.key))
                for flaw in _add_section(names, section, items)
            ]
    return names, problems


def _add_section(names: dict[str, Any], section: str, items: object) -> list[Flaw]:
    if section not in _SECTIONS:
        message = f"unknown key '{section}'.{did_you_mean(section, _SECTIONS)}"
        return [Flaw(message, key=(section,))]
    if not isinstance(items, list):
        return [Flaw(f"'{section}' should be a list of items with `id`", key=(section,))]
    flaws: list[Flaw] = []
    for index, item in enumerate(items):
        taken = names if section == "sources" else names[section]
        wrong = _wrong_with(item, section, taken)
        if wrong:
            flaws.append(Flaw(wrong, key=(section, index)))
        else:
            taken[item["id"]] = item.get(_SECTIONS[section], {})
    return flaws


def _wrong_with(item: object, section: str, taken: Mapping[str, object]) -> str | None:
    content = _SECTIONS[section]
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return f"an item of '{section}' needs an `id`"
    item_id, known = item["id"], ("id", "ref", "description", content)
    for key in item:
        if key not in known:
            return f"unknown key '{key}' of '{item_id}'.{did_you_mean(key, known)}"
    if item_id in taken:
        return f"the id '{item_id}' is taken"
    if section == "sources":
        fits = isinstance(item.get(content, {}), dict)
        return None if fits else f"'{content}' of '{item_id}' should be a mapping"
    return None if isinstance(item.get(content), str) else f"'{item_id}' needs '{content}', a text"
