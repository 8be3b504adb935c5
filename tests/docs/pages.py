"""Pages of Markdown, read as a reader does them: commands, code, and files to write, in order.

A console block holds commands behind `$ ` and what they print; a sh block only commands; a block
with a `title="path"` is a file to write. What a reader does not see says the rest, in a comment
above a block: `<!-- not run: why -->`, `<!-- ends with 1 -->`, `<!-- printed by: commands -->`.
`<!-- run: commands -->` is done where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[\w-]*)(?P<rest>.*)$")
_TITLE = re.compile(r'title="([^"]+)"')
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_MARK = re.compile(r"(?P<kind>not run|ends with|printed by|run)\b:?\s*(?P<text>.*)", re.DOTALL)

RUN = frozenset({"console", "sh", "python"})
SHOWN = frozenset({"text", "yaml", "json", "sql", "toml", "ini", "csv", "mermaid", "markdown"})
"""Languages of what is only looked at, unless it has a title."""


class Block(NamedTuple):
    """language: "run" for commands in a comment. line: of its first line in the page. ends_with:
    the exit code of its last command. not_run: why it isn't. printed_by: the commands of which a
    block of text is the output."""

    language: str
    text: str
    line: int
    title: str | None = None
    ends_with: int = 0
    not_run: str | None = None
    printed_by: str | None = None


def pages() -> list[Path]:
    """All that the repository holds for readers."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("seeknal-*/README.md"), *ROOT.glob("benchmarks/*.md")]
    found += [*ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")]
    return sorted(found)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    return list(_blocks(page.read_text(encoding="utf-8").splitlines()))


def _blocks(lines: list[str]) -> Iterator[Block]:
    marks: dict[str, str] = {}
    at = 0
    while at < len(lines):
        opened = _FENCE.match(lines[at])
        if opened:
            end = _end_of(lines, at + 1, opened["ticks"])
            yield _fenced(opened, lines[at + 1 : end], at + 2, marks)
            marks = {}
            at = end + 1
        elif lines[at].lstrip().startswith("<!--"):
            end = next(n for n in range(at, len(lines)) if "-->" in lines[n])
            mark = _mark("\n".join(lines[at : end + 1]))
            if mark and mark[0] == "run":
                yield Block("run", mark[1], at + 1)
            elif mark:
                marks[mark[0]] = mark[1]
            at = end + 1
        else:
            marks = marks if not lines[at].strip() else {}
            at += 1


def _end_of(lines: list[str], begin: int, ticks: str) -> int:
    return next(n for n in range(begin, len(lines)) if lines[n].strip() == ticks)


def _fenced(opened: re.Match[str], lines: list[str], line: int, marks: dict[str, str]) -> Block:
    indent = len(opened["indent"])
    title = _TITLE.search(opened["rest"])
    return Block(
        opened["language"],
        "".join(f"{text[indent:]}\n" for text in lines),
        line,
        title[1] if title else None,
        int(marks.get("ends with", "0")),
        marks.get("not run"),
        marks.get("printed by"),
    )


def _mark(comment: str) -> tuple[str, str] | None:
    inside = _COMMENT.search(comment)
    found = _MARK.match(inside[1].strip()) if inside else None
    return (found["kind"], found["text"].strip()) if found else None


def indented_blocks(page: Path) -> list[int]:
    """Lines on which a block of code begins that has no fence."""
    found, fenced, before = [], False, ""
    in_list = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            if line and not line.startswith(" "):
                in_list = bool(re.match(r"([-*]|\d+\.) ", line))
            if line.startswith("    ") and not before.strip() and not in_list:
                found.append(number)
        before = line
    return found
