"""Which column of which source a name means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from sqlglot import exp
from sqlglot.dialects.dialect import NormalizationStrategy

from seeknal_diff_sqlglot.assumptions import Assumptions
from seeknal_diff_sqlglot.relations import NotUnderstood, Relation, Source, spelling
from seeknal_diff_sqlglot.terms import Read, Terms
from seeknal_diff_sqlglot.texts import Text

ANY = "?"
WHOLE_ROW = "*"
_UNSEEN = ("semi", "anti")
_BARE = (exp.Alias, exp.Select, exp.Ordered, exp.Group)


class Aliases(Enum):
    """Whether a name may mean a column of the result."""

    NO = "no"
    AFTER_COLUMNS = "after columns"
    EITHER = "either"
    FIRST = "first"


@dataclass(slots=True)
class Definition:
    """A CTE: made into a relation when it is first read. before: the CTEs that it can see."""

    name: str
    node: exp.CTE
    before: Definition | None
    recursive: bool
    outside: Scope | None
    relation: Relation | None = None


@dataclass(slots=True)
class Context:
    """What all scopes of one query share."""

    terms: Terms
    text: Text
    relation_of: Callable[[exp.Expr, Scope], tuple[Relation, int]]
    assumptions: Assumptions
    drop_order: bool = True
    unsteady: bool = False
    dropped_order: bool = False

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Names that are looked up meanwhile may be none."""
        before = self.assumptions.tentative
        self.assumptions.tentative = True
        try:
            yield
        finally:
            self.assumptions.tentative = before

    def fold(self, identifier: exp.Expr) -> str:
        """A name as the dialect understands it."""
        name = identifier.name
        strategy = self.text.dialect.normalization_strategy
        if strategy in (
            NormalizationStrategy.CASE_INSENSITIVE,
            NormalizationStrategy.CASE_INSENSITIVE_UPPERCASE,
        ):
            return name.lower()
        if identifier.args.get("quoted") or strategy is NormalizationStrategy.CASE_SENSITIVE:
            return name
        return name.upper() if strategy is NormalizationStrategy.UPPERCASE else name.lower()

    def shown(self, identifier: exp.Expr) -> str:
        """A name as a result shows it: as it is written, or as the dialect folds it."""
        as_written = identifier.args.get("quoted") or self.text.names_as_written
        return identifier.name if as_written else self.fold(identifier)


@dataclass(slots=True, eq=False)
class Scope:
    """What can be named inside of one SELECT. merged: columns that USING makes one of two.

    stars_merge: a star shows what an outer join with USING makes of two columns.
    joining: whether the FROM is still read, where all sources can be named. one_sided: whether
    there is a SEMI or ANTI JOIN. guards: names that
    would mean something else if a source had such a column.
    """

    context: Context
    parent: Scope | None = None
    definitions: Definition | None = None
    sources: list[Source] = field(default_factory=list)
    aliases: dict[str, int] = field(default_factory=dict)
    mode: Aliases = Aliases.NO
    surely_columns: set[str] = field(default_factory=set)
    merged: dict[str, int] = field(default_factory=dict)
    parameters: list[str] = field(default_factory=list)
    windows: dict[str, exp.Expr] = field(default_factory=dict)
    unique: list[frozenset[int]] = field(default_factory=list)
    hidden: dict[str, set[str]] = field(default_factory=dict)
    stars_merge: bool = False
    joining: bool = False
    one_sided: bool = False
    guards: set[str] = field(default_factory=set)

    def visible(self) -> list[Source]:
        """The sources that can be named: the right side of a SEMI JOIN only inside of its ON."""
        if self.joining or not self.one_sided:
            return self.sources
        return [source for source in self.sources if source.kind not in _UNSEEN]

    def merged_right(self, source: Source) -> set[str]:
        """Columns of a source that a star doesn't show, for USING shows the left ones."""
        return self.hidden.get(source.label, set())

    def source(self, alias: str, schema: str = "") -> tuple[int, Source] | None:
        """The source of an alias, and how many scopes outwards it stands."""
        scope: Scope | None = self
        depth = 0
        while scope is not None:
            found = [source for source in scope.sources if source.alias == alias]
            if len(found) == 1 and found[0] not in scope.visible():
                raise NotUnderstood(f"{alias} can't be named outside of its ON", found[0].node)
            if len(found) > 1:
                named = [source for source in found if source.node.text("db").lower() == schema]
                if len(named) != 1:
                    raise NotUnderstood(f"two tables are called {alias}", found[1].node)
                found = named
            if found:
                return depth, found[0]
            scope, depth = scope.parent, depth + 1
        return None

    def column(self, node: exp.Column) -> int:
        """What a written column means."""
        identifier = node.this
        qualifier = node.args.get("table")
        computed = not isinstance(node.parent, _BARE)
        if qualifier is None:
            return self.name(self.context.fold(identifier), computed)
        fold = self.context.fold
        if fold(qualifier).lower() in self.parameters:
            whole = self.context.terms.put("parameter", fold(qualifier).lower())
            return self.context.terms.put("field", whole, fold(identifier))
        schema = node.text("db").lower()
        if found := self.source(fold(qualifier).lower(), schema):
            return self.of(found[0], found[1], fold(identifier), computed)
        if outer := node.args.get("db"):
            whole = self._field_of(fold(outer), fold(qualifier))
            return self.context.terms.put("field", whole, fold(identifier))
        return self._field_of(fold(qualifier), fold(identifier))

    def _field_of(self, column: str, name: str) -> int:
        found = self.source(column.lower())
        if found:
            return self.of(found[0], found[1], name)
        return self.context.terms.put("field", self.name(column), name)

    def of(self, depth: int, source: Source, name: str, computed: bool = True) -> int:
        """A column of a source."""
        if not depth:
            self.surely_columns.add(name.lower())
        columns = source.columns
        lacks = columns is not None and name.lower() not in columns
        self.context.assumptions.need([] if lacks else [source.relation], name.lower(), computed)
        return self.column_of(depth, source, name)

    def column_of(self, depth: int, source: Source, name: str) -> int:
        """A column that is declared, whether the query names it or not."""
        read = frozenset({Read(depth, source.label, name.lower())})
        return self.context.terms.put("column", str(depth), source.label, name, reads=read)

    def shown(self, column: exp.Column) -> str:
        """What a result calls a column: in DuckDB as its source does, whatever case is written."""
        name = self.context.fold(column.this)
        if self.context.text.name != "duckdb" or name in self.merged:
            return self.context.shown(column.this)
        alias = column.table.lower()
        for source in self.visible():
            if alias in ("", source.alias) and (found := spelling(source.relation, name)):
                return found
        return name

    def whole_rows(self) -> int:
        """All columns of all sources at once."""
        labels = [source.label for source in self.visible()]
        reads = frozenset(Read(0, label, WHOLE_ROW) for label in labels)
        return self.context.terms.put("rows", *labels, reads=reads)

    def name(self, name: str, computed: bool = True) -> int:
        """A name that nothing qualifies: a column, or a name that the SELECT itself gives."""
        lower = name.lower()
        if lower in self.parameters:
            return self.context.terms.put("parameter", lower)
        given = self.aliases.get(lower) if self.mode is not Aliases.NO else None
        if given is not None and self.mode is Aliases.FIRST:
            return given
        if given is None:
            return self._name_of_column(name, 0, computed)
        with self.context.trying():
            column = self._name_of_column(name, 0, computed)
        if column == given:
            return column
        if self.mode is Aliases.AFTER_COLUMNS and lower in self.surely_columns:
            return column
        if self._none_has(lower):
            self.guards.add(lower)
            return given
        return self.context.terms.put("either", column, given)

    def _none_has(self, name: str) -> bool:
        scope: Scope | None = self
        while scope is not None:
            if any(s.columns is None or name in s.columns for s in scope.visible()):
                return False
            scope = scope.parent
        return True

    def _name_of_column(self, name: str, depth: int, computed: bool) -> int:
        lower = name.lower()
        terms = self.context.terms
        if not depth and lower in self.merged:
            return self.merged[lower]
        reads: set[Read] = set()
        having: list[Source] = []
        perhaps: list[Source] = []
        for source in self.visible():
            columns = source.columns
            if columns is None:
                perhaps.append(source)
            elif lower in columns:
                having.append(source)
        found = self.source(lower)
        if found and not having:
            reads.add(Read(depth + found[0], found[1].label, WHOLE_ROW))
        assumptions = self.context.assumptions
        if not assumptions.tentative and not found and (having or perhaps or self.parent is None):
            relations = [source.relation for source in (*having, *perhaps)]
            assumptions.need(relations, lower, computed)
        one = having[0] if len(having) == 1 else None
        if one is None and not having and len(perhaps) == 1:
            one = perhaps[0]
        if one is not None:
            if not depth and self.parent is None and not found and lower not in self.aliases:
                self.surely_columns.add(lower)
            reads.add(Read(depth, one.label, lower))
            parts = ["column", str(depth), one.label, name]
            if perhaps and (self.parent is not None or len(self.sources) > 1):
                reads.add(Read(depth, ANY, lower))
                parts.append("perhaps")
            if found and not having:
                return terms.put("row or column", str(depth), name, reads=frozenset(reads))
            return terms.put(*parts, reads=frozenset(reads))
        if not having and not perhaps and self.parent is not None:
            return self.parent._name_of_column(name, depth + 1, computed)
        reads.add(Read(depth, ANY, lower))
        return terms.put("name", str(depth), name, reads=frozenset(reads))


def outward(reads: frozenset[Read], can_see_out: bool) -> frozenset[Read]:
    """What of these reads concerns the scope around, as that scope counts.

    A name that nothing qualifies may be of the outer scope if no source inside has it.
    """
    found = set()
    for depth, source, name in reads:
        if depth:
            found.add(Read(depth - 1, source, name))
        elif source == ANY and can_see_out:
            found.add(Read(0, ANY, name))
    return frozenset(found)
