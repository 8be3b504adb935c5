"""Everything Seeknal raises on purpose.

A message says what happened, where, and what to do. `exit_code` is what the command ends with:
1 when the work failed, 2 when the request was wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class SeeknalError(Exception):
    """Base of all. What went wrong is the work itself."""

    exit_code = 1


class RequestError(SeeknalError):
    """What was asked for can't be done as it was asked."""

    exit_code = 2


class PluginError(RequestError):
    """A plugin that was asked for can't be used."""


class MissingPluginError(PluginError):
    """Nothing that is installed offers it."""


class AmbiguousPluginError(PluginError):
    """More than one distribution offers it."""


class DisabledPluginError(PluginError):
    """The project's settings switch it off."""


class BrokenPluginError(PluginError):
    """It is installed and fails to load, or doesn't keep the contract."""


class IncompatiblePluginError(PluginError):
    """It was written for another version of Seeknal."""


class StateError(SeeknalError):
    """State can't be read or written."""


class ConflictError(StateError):
    """Someone else wrote the record between our reading and our writing it."""


class BuildError(SeeknalError):
    """A node can't be computed.

    line: line within the node's own text, counted from 1, where known.
    """

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class Problem(NamedTuple):
    """One thing that is wrong in a project's files.

    path: relative to the project. line: counted from 1, None where a file as a whole is meant.
    """

    message: str
    path: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.message}"


class Flaw(NamedTuple):
    """One thing that is wrong in a node.

    line: of its SQL, counted from 1. key: or the path to the field that the message speaks of.
    """

    message: str
    line: int | None = None
    key: tuple[str | int, ...] = ()


class ProjectError(RequestError):
    """A project's files are wrong; `problems` holds everything that is."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems, key=lambda p: (p.path, p.line or 0, p.message))
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{count} in the project:", *map(str, self.problems)]))


def some(names: Sequence[str]) -> str:
    """The first five, and how many more."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def count(number: int, what: str, several: str = "") -> str:
    """`1 node`, `2 nodes`."""
    return f"{number:,} {what if number == 1 else several or f'{what}s'}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` when a known word is near, else, or for a known one, an empty string."""
    from difflib import get_close_matches

    words = list(known)
    near = get_close_matches(word, words, n=1, cutoff=0.6) if word not in words else []
    return f" Did you mean '{near[0]}'?" if near else ""
