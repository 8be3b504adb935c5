"""Expressions and relations as numbers: two that mean the same by the rules get the same one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from sqlglot import exp

    from seeknal_diff_sqlglot.assumptions import Assumptions
    from seeknal_diff_sqlglot.relations import Relation

Part = int | str
"""A term by its number, or a word."""

VOLATILE: Final = 1
"""Another evaluation may give another value."""
UNSTEADY: Final = 2
"""The value depends on the order in which rows come."""
AGGREGATE: Final = 4
"""Holds an aggregate that is not a window."""
WINDOW: Final = 8
NEW_ROWS: Final = 16
"""One row may become several."""
MAY_FAIL: Final = 64
"""Converts what is visibly text, or multiplies by a number near to the limit."""
COLLATED: Final = 32
"""Two values that count as equal may look different."""
PERHAPS_OUTER: Final = 128
"""Holds an aggregate that may be one of the query around it."""

OF_THIS_SCOPE: Final = AGGREGATE | WINDOW | NEW_ROWS


class Read(NamedTuple):
    """A column that a term reads. depth: how many scopes outwards. source: "?" for any."""

    depth: int
    source: str
    name: str


NOTHING: Final[frozenset[Read]] = frozenset()


@dataclass(slots=True)
class Term:
    """bare: what is read outside of aggregates."""

    parts: tuple[Part, ...]
    reads: frozenset[Read] = NOTHING
    bare: frozenset[Read] = NOTHING
    flags: int = 0
    relations: tuple[Relation, ...] = ()


class Terms:
    """All terms of two queries, each once. volatile: nodes that were found to be, in order.

    assumptions: of each query.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[Part, ...], int] = {}
        self._terms: list[Term] = []
        self.volatile: list[exp.Expr] = []
        self.assumptions: list[Assumptions] = []

    def __len__(self) -> int:
        return len(self._terms)

    def __getitem__(self, number: int) -> Term:
        return self._terms[number]

    def put(
        self,
        *parts: Part,
        flags: int = 0,
        reads: frozenset[Read] = NOTHING,
        aggregate: bool = False,
    ) -> int:
        """The number of the term of these parts. What they read, it reads."""
        number = self._numbers.get(parts)
        if number is not None:
            return number
        bare = reads
        relations: tuple[Relation, ...] = ()
        for part in parts:
            if part.__class__ is int:
                child = self._terms[part]
                flags |= child.flags
                if child.reads:
                    reads = reads | child.reads if reads else child.reads
                if child.bare:
                    bare = bare | child.bare if bare else child.bare
                if child.relations:
                    relations += child.relations
        if aggregate:
            flags |= AGGREGATE
            bare = NOTHING
        return self._add(Term(parts, reads, bare, flags, relations))

    def put_relation(
        self, parts: tuple[Part, ...], relation: Relation, reads: frozenset[Read], flags: int
    ) -> int:
        """A relation seen from the scope around it. reads: what it reads of that scope."""
        number = self._numbers.get(parts)
        if number is not None:
            return number
        return self._add(Term(parts, reads, reads, flags & ~OF_THIS_SCOPE, (relation,)))

    def _add(self, term: Term) -> int:
        number = len(self._terms)
        self._numbers[term.parts] = number
        self._terms.append(term)
        return number
