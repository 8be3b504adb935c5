"""What an edit is, and how edits are found and applied."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import sqlglot
from sqlglot import exp

T = TypeVar("T")


class Claim(Enum):
    """What whoever wrote an edit believes of it; execution has the last word."""

    KEEPS = "keeps"
    """The result is the same."""

    ADDS = "adds"
    """The result has a column more, and is the same else."""

    CHANGES = "changes"
    """Anything, most often another result."""


@dataclass(frozen=True, slots=True)
class Edit:
    """apply: the edited text, or None where there is nothing to edit so."""

    name: str
    claim: Claim
    apply: Callable[[str, random.Random], str | None]


EDITS: dict[str, Edit] = {}

TextEdit = Callable[[str, random.Random], str | None]
TreeEdit = Callable[[exp.Expr, random.Random], exp.Expr | None]


def text_edit(claim: Claim) -> Callable[[TextEdit], TextEdit]:
    """Register a function that edits the text itself."""

    def register(function: TextEdit) -> TextEdit:
        EDITS[function.__name__] = Edit(function.__name__, claim, function)
        return function

    return register


def tree_edit(claim: Claim) -> Callable[[TreeEdit], TreeEdit]:
    """Register a function that edits a parsed query in place and gives it back."""

    def register(function: TreeEdit) -> TreeEdit:
        def apply(sql: str, rng: random.Random) -> str | None:
            edited = function(parsed(sql), rng)
            return None if edited is None else written(edited)

        EDITS[function.__name__] = Edit(function.__name__, claim, apply)
        return function

    return register


def parsed(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, read="duckdb")


def written(tree: exp.Expr) -> str:
    return tree.sql("duckdb", pretty=True)


def pick(rng: random.Random, choices: Iterable[T]) -> T | None:
    """One of the choices, if there is any."""
    found = choices if isinstance(choices, Sequence) else list(choices)
    return rng.choice(found) if found else None


def one_of(tree: exp.Expr, rng: random.Random, *kinds: type[exp.Expr]) -> exp.Expr | None:
    return pick(rng, list(tree.find_all(*kinds)))


def swap(node: exp.Expr, new: exp.Expr) -> exp.Expr:
    """Put `new` in the place of `node`, and give back the tree."""
    root = node.root()
    if node is root:
        return new
    node.replace(new)
    return root


def outermost(tree: exp.Expr) -> exp.Select | None:
    """The select whose list names the result's columns, where there is just one."""
    while isinstance(tree, exp.Subquery):
        tree = tree.this
    return tree if isinstance(tree, exp.Select) and tree.expressions else None


def selects(tree: exp.Expr) -> list[exp.Select]:
    return [select for select in tree.find_all(exp.Select) if select.expressions]


def plain(select: exp.Select) -> bool:
    """Whether each row of the result is one row of what the select reads."""
    if any(select.args.get(part) for part in ("group", "distinct", "having", "qualify")):
        return False
    return not any(item.find(exp.AggFunc) for item in select.expressions)


def has_star(select: exp.Select) -> bool:
    return any(item.is_star or item.find(exp.Star, exp.Columns) for item in select.expressions)


def fresh(tree: exp.Expr, rng: random.Random, stem: str) -> str:
    """A name that the query doesn't use."""
    used = {identifier.name.lower() for identifier in tree.find_all(exp.Identifier)}
    return next(
        name for name in (f"{stem}_{rng.randrange(100)}" for _ in range(1000)) if name not in used
    )
