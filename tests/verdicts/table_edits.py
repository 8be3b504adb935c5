"""Edits of one table's columns and rows, with the change that says what they did."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from sqlglot import exp

from seeknal.dag.classifier import Change

from .data import MANNERS, Row, Value, draw_table, draw_value
from .editing import parsed
from .texts import Table

WILD = MANNERS[1]


@dataclass(frozen=True, slots=True)
class TableEdit:
    """How a table's next version is made. place: where a column is added.

    kind: values, type, added, removed, moved, rows, none.
    """

    kind: str
    column: str
    place: int = 0
    seed: int = 0

    @property
    def change(self) -> Change:
        named = frozenset({self.column})
        return {
            "values": Change(changed=named),
            "type": Change(changed=named),
            "added": Change(added=named),
            "removed": Change(removed=named),
            "moved": Change(moved=True),
            "rows": Change(rows=True),
            "none": Change(),
        }[self.kind]

    def table(self, old: Table) -> Table:
        columns = list(old.columns)
        rng = random.Random(self.seed)
        if self.kind == "type":
            columns = [(n, "VARCHAR" if n == self.column else kind) for n, kind in columns]
        elif self.kind == "added":
            columns.insert(self.place, (self.column, rng.choice(("INTEGER", "VARCHAR"))))
        elif self.kind == "removed":
            columns = [column for column in columns if column[0] != self.column]
        elif self.kind == "moved":
            rng.shuffle(columns)
        return replace(old, columns=tuple(columns))

    def rows(self, old: Table, new: Table, rows: list[Row]) -> list[Row]:
        """The rows of the next version, in the order of the old ones."""
        rng = random.Random(self.seed)
        if self.kind == "rows":
            return draw_table(old, WILD, {}, rng)
        return [tuple(self.values(old, new, row, rng)) for row in rows]

    def values(self, old: Table, new: Table, row: Row, rng: random.Random) -> list[Value]:
        before = dict(zip(old.names, row, strict=True))
        made = []
        for name, kind in new.columns:
            drawn = self.kind in ("added", "values") and name == self.column
            if drawn and (name not in before or rng.random() < 0.6):
                made.append(draw_value(name, kind, WILD, False, {}, rng))
            else:
                made.append(before[name])
        return made


def draw_table_edit(table: Table, sql: str, rng: random.Random) -> TableEdit:
    kinds = ("values", "values", "type", "added", "added", "added", "removed", "moved", "rows")
    kind = rng.choice((*kinds, "none"))
    column = rng.choice(table.names)
    if kind == "added":
        column = new_name(table, sql, rng)
    return TableEdit(kind, column, rng.randrange(len(table.columns) + 1), rng.randrange(10**6))


def new_name(table: Table, sql: str, rng: random.Random) -> str:
    """Most often one that stands in the query already, in some part."""
    names = {identifier.name.lower() for identifier in parsed(sql).find_all(exp.Identifier)}
    free = sorted(names - {name.lower() for name in table.names})
    return rng.choice(free) if free and rng.random() < 0.8 else "brand_new"
