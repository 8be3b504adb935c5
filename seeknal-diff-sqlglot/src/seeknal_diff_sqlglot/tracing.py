"""What the columns of a relation are made from, down to the tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from seeknal.dag.classifier import ColumnOf
from seeknal_diff_sqlglot.relations import (
    GENERATED,
    Item,
    Opaque,
    Relation,
    Select,
    SetOperation,
    Source,
    Table,
)
from seeknal_diff_sqlglot.terms import Read, Terms

Columns = frozenset[ColumnOf]
NONE: Columns = frozenset()


@dataclass(slots=True)
class Tracing:
    """Names too much where a name may mean several columns, and never too little."""

    terms: Terms
    _columns: dict[tuple[int, str], Columns] = field(default_factory=dict)
    _rows: dict[int, Columns] = field(default_factory=dict)

    def column(self, relation: Relation, name: str) -> Columns:
        """What a column of a relation is made from; "*" for all of them together."""
        key = (id(relation), name)
        if key not in self._columns:
            self._columns[key] = NONE
            self._columns[key] = self._column(relation, name)
        return self._columns[key]

    def _column(self, relation: Relation, name: str) -> Columns:
        if isinstance(relation, Table):
            columns = relation.columns
            if name == "*" and columns is not None:
                return frozenset(ColumnOf(relation.id, column) for column in columns)
            return frozenset({ColumnOf(relation.id, name)})
        if isinstance(relation, Opaque):
            return self.rows(relation)
        if isinstance(relation, SetOperation):
            return self._of_set(relation, name)
        found = NONE
        for item in relation.items:
            if isinstance(item, Item):
                if name in (item.name, "*") or item.generated:
                    found |= self.term(item.term, (relation,))
                continue
            replaced = dict(item.replaced)
            if name in replaced or name == "*":
                terms = [replaced[name]] if name != "*" else list(replaced.values())
                for term in terms:
                    found |= self.term(term, (relation,))
            if name not in item.without and name not in relation.explicit():
                found |= self.column(_source(relation, item.source).relation, name)
        return found

    def _of_set(self, relation: SetOperation, name: str) -> Columns:
        mine, theirs = relation.left.columns, relation.right.columns
        if relation.by_name or name == "*":
            return self.column(relation.left, name) | self.column(relation.right, name)
        if mine is None or theirs is None or name not in mine or len(mine) != len(theirs):
            return self.column(relation.left, name) | self.column(relation.right, "*")
        return self.column(relation.left, name) | self.column(
            relation.right, theirs[mine.index(name)]
        )

    def unknown(self, relation: Relation) -> Columns:
        """What the columns are made from whose names are not known."""
        if isinstance(relation, SetOperation):
            return self.unknown(relation.left) | self.column(relation.right, "*")
        if not isinstance(relation, Select):
            return self.column(relation, "*") if relation.columns is None else NONE
        found = NONE
        for star in relation.stars():
            found |= self.unknown(_source(relation, star.source).relation)
        return found

    def rows(self, relation: Relation) -> Columns:
        """What decides which rows a relation has."""
        if id(relation) not in self._rows:
            self._rows[id(relation)] = NONE
            self._rows[id(relation)] = self._decide(relation)
        return self._rows[id(relation)]

    def _decide(self, relation: Relation) -> Columns:
        if isinstance(relation, Table):
            return NONE
        found = NONE
        if isinstance(relation, Opaque):
            for inner in (*relation.beneath, *self.terms[relation.key].relations):
                found |= self.rows(inner) | self.column(inner, "*")
            return found
        if isinstance(relation, SetOperation):
            found = self.rows(relation.left) | self.rows(relation.right)
            ordered = any(clause.name == "ORDER BY" for clause in relation.clauses)
            return found if relation.all and not ordered else found | self.column(relation, "*")
        return self._decide_select(relation)

    def _decide_select(self, relation: Select) -> Columns:
        found = NONE
        for source in relation.sources:
            found |= self.rows(source.relation)
            found |= self._reads(self.terms[source.relation.key].reads, (relation,))
        for clause in relation.clauses:
            for value in clause.value:
                if isinstance(value, int):
                    found |= self.term(value, (relation,))
        if relation.distinct or relation.wide:
            found |= self.column(relation, "*")
        if relation.natural:
            for source in relation.sources:
                found |= self.column(source.relation, "*")
        return found

    def term(self, number: int, scopes: tuple[Select, ...]) -> Columns:
        """What a term reads, seen from the innermost of these scopes."""
        term = self.terms[number]
        found = self._reads(term.reads, scopes)
        for relation in term.relations:
            found |= self.rows(relation) | self.column(relation, "*")
        return found

    def _reads(self, reads: frozenset[Read], scopes: tuple[Select, ...]) -> Columns:
        found = NONE
        for depth, label, name in reads:
            if depth >= len(scopes):
                continue
            for source in scopes[-1 - depth].sources:
                if label not in (source.label, "?"):
                    continue
                columns = source.relation.columns
                if columns is not None and name != "*" and name not in columns:
                    continue
                found |= self.column(source.relation, name)
        return found


def _source(select: Select, label: str) -> Source:
    return next(source for source in select.sources if source.label == label)


def result_columns(relation: Relation) -> list[str]:
    """Names of the columns of a result in order; "*" where not all of a table are known."""
    if isinstance(relation, SetOperation):
        left = result_columns(relation.left)
        return left + [c for c in result_columns(relation.right) if relation.by_name]
    if not isinstance(relation, Select):
        columns = relation.columns
        return ["*"] if columns is None else list(columns)
    names: list[str] = []
    for item in relation.items:
        if isinstance(item, Item):
            names.append(item.name.removeprefix(GENERATED))
            continue
        inner = result_columns(_source(relation, item.source).relation)
        names += [name for name in inner if name not in item.without]
    return names
