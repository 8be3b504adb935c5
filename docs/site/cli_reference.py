"""Writes docs/cli.md from the command line itself.

python docs/site/cli_reference.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

import typer

from seeknal.cli.app import app

PAGE = Path(__file__).parents[1] / "cli.md"

_HEAD = """\
# Commands

Every command has `--help`. `-p PATH` names the project from elsewhere, and `--json` prints what a
program can read, where it stands below. `--debug`, in any place, shows the traceback of an error.

A command ends with 0 when all is done, 1 when the work failed, 2 when the request was wrong, 130
after Ctrl-C; `seeknal plan --check` with 3 when there is something to do. Errors go to standard
error.
"""


def page() -> str:
    """The whole page."""
    commands = list(_commands())
    rows = [f"| [`{name}`](#{_anchor(name)}) | {_summary(c)} |" for name, c, _ in commands]
    table = ["| command | what it does |", "| --- | --- |", *rows]
    return "\n".join([_HEAD, *table, *(_section(*command) for command in commands)]) + "\n"


def _commands() -> Iterator[tuple[str, Any, Any]]:
    """All that do something: full name, command, and the context in which its help is written."""
    root = typer.main.get_command(app)
    yield from _below(root, root.context_class(root, info_name="seeknal"), "seeknal")


def _below(group: Any, context: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        inner = command.context_class(command, info_name=word, parent=context)
        is_group = hasattr(command, "list_commands")
        if not is_group or command.invoke_without_command:
            yield f"{name} {word}", command, inner
        if is_group:
            yield from _below(command, inner, f"{name} {word}")


def _section(name: str, command: Any, context: Any) -> str:
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    parts = [f"\n## {name}", *map(_wrapped, command.help.split("\n\n"))]
    parts.append(f"```text\n{usage}\n```")
    rows = [_row(*record) for p in command.params if (record := p.get_help_record(context))]
    if rows:
        parts.append("\n".join(["| option | |", "| --- | --- |", *rows]))
    return "\n\n".join(parts)


def _row(form: str, told: str) -> str:
    text, _, default = told.partition("  [default: ")
    text = re.sub(r"  \[(required|x>=\d+)\]$", "", text)
    default = re.sub(r"(; x>=\d+)?\]$", "", default)
    if default.startswith("("):
        text += f" Default: {default[1:-1]}."
    elif default:
        text += f" Default: `{default}`."
    form = form.replace("<int range>", "N").replace(" <str>", "")
    return f"| `{form}` | {_escaped(text)} |"


def _summary(command: Any) -> str:
    return _escaped(command.help.partition("\n\n")[0].replace("\n", " "))


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")


def _wrapped(text: str) -> str:
    """One paragraph, in which options look like code."""
    marked = re.sub(r"(?<![`\w-])--[a-z][a-z-]*", r"`\g<0>`", " ".join(text.split()))
    return fill(marked, 100, break_long_words=False, break_on_hyphens=False)


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
