"""Find in a SQL text what names other nodes, without parsing the SQL.

Comments, strings and quoted identifiers are passed over, whatever stands in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

QUOTED = r"""
      --[^\n]*
    | /\*.*?(?:\*/|\Z)
    | \b[eE]'(?:[^'\\]|\\.|'')*'
    | '(?:[^']|'')*'
    | \$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$
"""
"""A pattern, in verbose form, of all in which words are no names: comments and strings."""

TIME_NAMES = ("start", "end", "start_ts", "end_ts", "start_date", "end_date")
"""What stands for the interval that is computed, as in `{{ start }}`."""

TIME_NAME = re.compile(rf"\{{\{{ (?P<name>{'|'.join(TIME_NAMES)}) \}}\}}")

_FLAGS = re.VERBOSE | re.DOTALL | re.IGNORECASE
_TOKENS = re.compile(
    QUOTED
    + r"""
    | \bref\s*\(\s*(?P<quote>['"])(?P<ref>[^'"]*)(?P=quote)\s*\)
    | \binput_(?P<position>\d+)\b
    | (?<![\w.])"?(?P<kind>source|transform)"?\s*\.\s*"?(?P<name>[\w-]+)"?
    | "(?:[^"]|"")*"
    """,
    _FLAGS,
)
_TIMES = re.compile(rf"{QUOTED} | {TIME_NAME.pattern.replace(' ', '[ ]')}", re.VERBOSE | re.DOTALL)
_SEMICOLON = re.compile(QUOTED + r"""| "(?:[^"]|"")*" | (?P<semicolon>;)""", _FLAGS)


@dataclass(frozen=True, slots=True)
class Mention:
    """A node named in SQL. how: "ref" for `ref('source.x')`, "input" for `input_0`, "table" for
    `source.x`. target: the node id, or the position for "input". start, end: in the text."""

    how: str
    target: str
    start: int
    end: int


def mentions(sql: str) -> Iterator[Mention]:
    """What a text names, in the order in which it stands there."""
    for match in _TOKENS.finditer(sql):
        if match["ref"] is not None:
            yield Mention("ref", match["ref"].strip(), match.start(), match.end())
        elif match["position"] is not None:
            yield Mention("input", match["position"], match.start(), match.end())
        elif match["kind"] is not None:
            target = f"{match['kind'].lower()}.{match['name']}"
            yield Mention("table", target, match.start(), match.end())


def replace_times(
    sql: str, by_name: Callable[[str], str], in_quotes: Callable[[str], str] = str
) -> str:
    """A text with something else for each `{{ start }}`.

    in_quotes: gets each comment and string whole, and gives what should stand there.
    """
    return _TIMES.sub(lambda m: by_name(m["name"]) if m["name"] else in_quotes(m[0]), sql)


def first_statement(sql: str) -> str:
    """A text up to the semicolon that ends its first statement, or all of it."""
    ends = (m.start() for m in _SEMICOLON.finditer(sql) if m["semicolon"])
    return sql[: next(ends, len(sql))]


def line_at(text: str, position: int) -> int:
    """The line, counted from 1, of a position in a text."""
    return text.count("\n", 0, position) + 1
