"""Does what a page says, in a folder of its own, and compares what it says that comes of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Timer
from typing import Any

from tests.docs.pages import ROOT, RUN, Block, blocks, name_of

SECONDS = 120
"""After which a page's shell is killed."""

_END = "---the end of the command---"
_TAKEN = re.compile(r" +\d[\d,]*\.\d+ s\b")
_NOW = re.compile(
    r"20(?:2[6-9]|[3-9]\d)-\d\d-\d\d(?: \d\d:\d\d UTC|T\d\d:\d\d:\d\d\+00:00)"
    r"|\b20\d{6}-\d{6}-[0-9a-f]{6}\b"
)
"""Moments from 2026 on, and ids of runs."""


class Shell:
    """One bash for all commands of a page, so that `cd` and `export` stay. Its folder is `~`."""

    def __init__(self, folder: Path) -> None:
        self._home = str(folder)
        bin_folder = Path(sys.executable).parent
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SEEKNAL_", "PYTEST_"))}
        env |= {"PATH": f"{bin_folder}:{env['PATH']}", "HOME": self._home, "NO_COLOR": "1"}
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._timer = Timer(SECONDS, self._bash.kill)
        self._timer.start()

    def do(self, command: str) -> tuple[str, int, Path]:
        """What a command printed, its exit code, and the folder that it leaves the shell in."""
        assert self._bash.stdin
        assert self._bash.stdout
        self._bash.stdin.write(f'{{ {command}\n}} < /dev/null\necho "{_END} $? $PWD"\n')
        self._bash.stdin.flush()
        printed = ""
        for line in self._bash.stdout:
            before, end, rest = line.partition(f"{_END} ")
            printed += before
            if end:
                code, _, folder = rest.strip().partition(" ")
                return printed.replace(self._home, "~"), int(code), Path(folder)
        raise AssertionError(f"the shell ended, or took {SECONDS} s, in: {command}\n{printed}")

    def close(self) -> None:
        self._timer.cancel()
        self._bash.kill()
        self._bash.communicate()


class Reader:
    """Follows one page, block by block, in a folder in which the examples lie."""

    def __init__(self, page: Path, folder: Path) -> None:
        self._page = name_of(page)
        self._here = Path.cwd()
        self._shell = Shell(folder)
        self._names: dict[str, Any] = {"__name__": "__main__"}
        ignored = shutil.ignore_patterns("target", "__pycache__", "tests")
        shutil.copytree(ROOT / "examples", folder / "examples", ignore=ignored)
        os.chdir(folder)

    def follow(self, block: Block) -> str:
        """Do what a block says. Returns its text with what was printed in the place of what is
        shown, where that is something else."""
        if block.title:
            file = Path(block.title)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            code = "\n" * (block.line - 1) + block.text
            exec(compile(code, str(ROOT / self._page), "exec"), self._names)
        elif block.language == "console":
            *before, (last, shown) = told(block.text)
            retold = [f"$ {command}\n{self._do(block, command, out)}" for command, out in before]
            retold.append(f"$ {last}\n{self._do(block, last, shown, block.ends_with)}")
            return "".join(retold)
        elif block.language in {"sh", "run"}:
            self._do(block, block.text, "", block.ends_with)
        elif block.printed_by:
            return self._do(block, block.printed_by, block.text)
        return block.text

    def _do(self, block: Block, command: str, shown: str, ends_with: int = 0) -> str:
        """What is to be shown of a command."""
        printed, code, folder = self._shell.do(command.replace("\n> ", "\n"))
        os.chdir(folder)
        place = f"{self._page}:{block.line}"
        assert code == ends_with, f"{place}: $ {command}\n{printed}ended with {code}"
        return shown if is_as_told(printed, shown) else printed.strip("\n") + "\n"

    def close(self) -> None:
        self._shell.close()
        os.chdir(self._here)


def follow(page: Path, folder: Path) -> Iterator[tuple[Block, str]]:
    """Do what a page says in an empty folder. Each block, and what its text should be."""
    found = [block for block in blocks(page) if block.not_run is None]
    if any(block.language in RUN or block.printed_by for block in found):
        with closing(Reader(page, folder)) as reader:
            for block in found:
                yield block, reader.follow(block)


def told(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, and what is shown of it. A command goes on behind `> `."""
    assert text.startswith("$ "), f"a console block begins with a command: {text}"
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command = re.match(r"(?:.*\\\n> )*.*", part)
        assert command
        yield command[0], part[command.end() + 1 :]


def is_as_told(printed: str, expected: str) -> bool:
    """Whether a page tells what was printed: times taken and moments of today may differ, `...`
    alone on a line stands for any lines, and within a line for any characters."""
    lines = [_pattern(line) for line in _plain(expected)]
    text = "".join(f"{line}\n" for line in _plain(printed))
    return re.fullmatch("".join(lines), text) is not None


def _pattern(line: str) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*?"
    return ".*?".join(map(re.escape, line.split("..."))) + r"\n"


def _plain(text: str) -> list[str]:
    text = _NOW.sub("(now)", _TAKEN.sub(" 0.0 s", text))
    return [line.rstrip() for line in text.strip("\n").splitlines()]
