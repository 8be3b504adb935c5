"""What stands in a FROM: tables, CTEs, derived tables, and what no rule knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from seeknal.dag.classifier import Query
from seeknal_diff_sqlglot.expressions import opaque
from seeknal_diff_sqlglot.relations import (
    Clause,
    Item,
    NotUnderstood,
    Opaque,
    Relation,
    Select,
    SetOperation,
    Source,
    Star,
    Table,
)
from seeknal_diff_sqlglot.scopes import Definition, Scope
from seeknal_diff_sqlglot.terms import Read, Terms

_OF_A_TABLE = {"this", "alias", "db", "catalog"}
_OF_A_SUBQUERY = {"this", "alias"}


class Tables:
    """The tables that a query names. columns_too: whether to look up which columns they have."""

    def __init__(self, query: Query, terms: Terms, columns_too: bool) -> None:
        self._query = query
        self._terms = terms
        self._columns_too = columns_too
        self._found: dict[str, Table] = {}
        self._ids = {node.lower(): node for node in (*query.inputs, *query.columns, *query.keys)}

    def named(self, node: exp.Table, scope: Scope) -> Table:
        """The table of a name; `input_2` is the third input."""
        parts = [part for part in (node.args.get(a) for a in ("catalog", "db", "this")) if part]
        written = ".".join(part.name for part in parts)
        if len(parts) == 1 and written.lower().startswith("input_"):
            number = written[len("input_") :]
            if number.isdigit() and int(number) < len(self._query.inputs):
                written = self._query.inputs[int(number)]
        name = self._ids.get(written.lower(), written)
        folded = ".".join(scope.context.fold(part) for part in parts)
        key = name if name in self._ids.values() else folded
        table = self._found.get(key)
        if table is None:
            number_of = self._terms.put("table", key)
            self._found[key] = table = Table(name, number_of, self._columns(name))
            table.pending = not self._columns_too and bool(self._query.columns)
            table.unique = tuple(
                frozenset(column.lower() for column in unique)
                for unique in self._query.keys.get(name, ())
            )
        return table

    def _columns(self, name: str) -> Callable[[], tuple[str, ...] | None]:
        if not self._columns_too:
            return lambda: None
        known: list[tuple[str, ...] | None] = []

        def look_up() -> tuple[str, ...] | None:
            if not known:
                columns = self._query.columns.get(name)
                lower = None if columns is None else tuple(c.lower() for c in columns)
                known.append(None if lower and len(set(lower)) < len(lower) else lower)
            return known[0]

        return look_up


Build = Callable[[exp.Expr, Scope], tuple[Relation, int]]
"""Makes a relation of a query; the scope is the one that stands around it."""


def add_source(node: exp.Expr, scope: Scope, tables: Tables, build: Build) -> Source:
    """Put what a FROM or JOIN names into a scope."""
    alias = node.args.get("alias")
    columns = list(alias.args.get("columns") or ()) if isinstance(alias, exp.TableAlias) else []
    name = scope.context.fold(alias.this).lower() if alias is not None and alias.this else ""
    if isinstance(node, exp.Table) and not isinstance(node.this, exp.Func):
        name = name or scope.context.fold(node.this).lower()
        relation = _of_name(node, scope, tables, build)
    elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
        extra = _surplus(node, _OF_A_SUBQUERY)
        if extra - {"pivots"}:
            raise NotUnderstood(f"{min(extra)} on a subquery", node)
        relation = build(node.this, scope)[0]
        if "pivots" in extra:
            relation = _pivoted(node, relation, scope)
    else:
        with scope.context.trying():
            relation = opaque(node, scope)
        known = tuple(scope.context.fold(column).lower() for column in columns)
        single = isinstance(node, exp.Values) and all(
            isinstance(row, exp.Tuple) and len(row.expressions) == len(known)
            for row in node.expressions
        )
        if columns:
            shown = (scope.context.shown(column) for column in columns)
            relation.key = scope.context.terms.put("named", relation.key, *shown)
        if single and known:
            relation.columns = known
        columns = []
        if not name and isinstance(node, exp.Table):
            name = node.this.name.lower() if node.this else ""
    if columns:
        relation = renamed(relation, [scope.context.shown(c) for c in columns], scope, node)
    root = relation.root.lower()
    ordinal = sum(source.label.rpartition("#")[0] == root for source in scope.sources)
    source = Source(f"{root}#{ordinal}", name, relation, node)
    scope.sources.append(source)
    return source


def _surplus(node: exp.Expr, usual: set[str]) -> set[str]:
    return {name for name, value in node.args.items() if value and name not in usual}


def _of_name(node: exp.Table, scope: Scope, tables: Tables, build: Build) -> Relation:
    extra = _surplus(node, _OF_A_TABLE)
    if "sample" in extra:
        raise NotUnderstood("a sample is another one each time", node)
    if extra - {"pivots"}:
        raise NotUnderstood(f"{min(extra)} on a table", node)
    relation: Relation | None = None
    if not node.args.get("db"):
        name = scope.context.fold(node.this)
        definition = scope.definitions
        while definition is not None and definition.name != name:
            definition = definition.before
        if definition is not None:
            relation = of_definition(definition, scope, build)
    if relation is None:
        relation = tables.named(node, scope)
    return _pivoted(node, relation, scope) if "pivots" in extra else relation


def of_definition(definition: Definition, scope: Scope, build: Build) -> Relation:
    """The relation of a CTE, which is what its query gives wherever it is read.

    Reading it twice gives the same rows twice where nothing in it is volatile; what is volatile
    is never called equal to anything but its own text.
    """
    if definition.relation is not None:
        return definition.relation
    node = definition.node
    if definition.recursive and _reads_itself(node):
        definition.relation = _recursive(definition, scope, build)
        return definition.relation
    if set(node.args) - {"this", "alias", "materialized"} and any(
        node.args.get(name) for name in ("scalar", "key_expressions")
    ):
        raise NotUnderstood("a CTE of a kind that is not known", node)
    outside = definition.outside
    if outside is not None and (outside.sources or outside.parent):
        raise NotUnderstood("a CTE inside of a query that can see others", node)
    relation = build(node.this, Scope(scope.context, None, definition.before))[0]
    columns = node.args["alias"].args.get("columns") or []
    if columns:
        shown = scope.context.shown
        relation = renamed(relation, [shown(column) for column in columns], scope, node)
    definition.relation = relation
    return relation


def _recursive(definition: Definition, scope: Scope, build: Build) -> Opaque:
    """A recursive query is known by its own words, in which it stands for itself."""
    node = definition.node
    outside = definition.outside
    if outside is not None and (outside.sources or outside.parent):
        raise NotUnderstood("a recursive query inside of one that can see others", node)
    shown, terms = scope.context.shown, scope.context.terms
    names = [shown(column) for column in node.args["alias"].args.get("columns") or ()]
    columns = tuple(name.lower() for name in names) or None
    itself = Table("", terms.put("itself", definition.name), lambda: columns)
    inside = Definition(definition.name, node, definition.before, False, None, itself)
    relation = build(node.this, Scope(scope.context, None, inside))[0]
    key = terms.put("recursive", relation.key, *names)
    return Opaque(key, (relation,), columns, is_unsteady(relation), node=node)


def _reads_itself(node: exp.CTE) -> bool:
    name = node.alias.lower()
    return any(table.name.lower() == name for table in node.this.find_all(exp.Table))


def _pivoted(node: exp.Expr, relation: Relation, scope: Scope) -> Opaque:
    lone = Scope(scope.context, None)
    lone.sources = [Source("pivot", "", relation, node)]
    with scope.context.trying():
        pivots = [opaque(pivot, lone).key for pivot in node.args["pivots"]]
    term = scope.context.terms.put("pivoted", relation.key, *pivots)
    return Opaque(
        term, (relation,), unsteady_rows=is_unsteady(relation), node=node, root=relation.root
    )


def is_unsteady(relation: Relation) -> bool:
    """Whether a second evaluation over the same rows may give anything else."""
    if isinstance(relation, Table):
        return False
    if isinstance(relation, Select):
        return relation.unsteady_rows or any(
            isinstance(item, Item) and item.unsteady for item in relation.items
        )
    return relation.unsteady_rows


def renamed(relation: Relation, names: list[str], scope: Scope, node: exp.Expr) -> Relation:
    """`c(x, y)`: the columns of c by other names, in their order."""
    terms = scope.context.terms
    if isinstance(relation, SetOperation) and not relation.by_name:
        left = renamed(relation.left, names, scope, node)
        key = terms.put("renamed", relation.key, *names)
        terms[key].flags |= terms[relation.key].flags
        return replace(relation, left=left, key=key)
    if not isinstance(relation, Select) or any(relation.stars()):
        raise NotUnderstood("columns named by position, of which not all are known", node)
    if len(names) > len(relation.items):
        raise NotUnderstood("more names than columns", node)
    items: list[Item | Star] = []
    for position, item in enumerate(relation.items):
        assert isinstance(item, Item)
        name = names[position] if position < len(names) else item.spelled
        items.append(Item(name.lower(), name, item.term, item.node, item.unsteady))
    key = terms.put("renamed", relation.key, *names)
    return replace(relation, items=items, key=key, unique=())


def passed_through(select: Select) -> Relation | None:
    """`SELECT * FROM x` and nothing else is x: the same columns and the same rows.

    Not where x has two columns of one name, for an engine may name the second one anew.
    """
    if select.clauses or len(select.sources) != 1 or len(select.items) != 1:
        return None
    star = select.items[0]
    if not isinstance(star, Star) or star.without or star.replaced:
        return None
    relation = select.sources[0].relation
    if isinstance(relation, Opaque):
        return None
    return relation if names_once(relation) else None


def names_once(relation: Relation) -> bool:
    """Whether no two columns of a relation have one name, as far as can be told."""
    if isinstance(relation, SetOperation):
        right = not relation.by_name or names_once(relation.right)
        return right and names_once(relation.left)
    if not isinstance(relation, Select):
        return isinstance(relation, Table)
    names = [item.name if isinstance(item, Item) else "*" for item in relation.items]
    return len(set(names)) == len(names)


def star_of(relation: Relation, terms: Terms) -> Select:
    """A relation as `SELECT *` of it, so that it can be compared with one that adds to it."""
    label = f"{relation.root.lower()}#0"
    node = exp.Star()
    source = Source(label, "", relation, node)
    return Select([source], list[Clause](), expand(source, terms), node=node)


def expand(source: Source, terms: Terms, node: exp.Expr | None = None) -> list[Item | Star]:
    """The columns of a star, one by one where the source is a query that names them all."""
    relation = source.relation
    columns = None if isinstance(relation, (Table, Opaque)) else relation.columns
    if columns is None or len(set(columns)) < len(columns):
        return [Star(source.label, node=node)]
    first: Relation = relation
    while isinstance(first, SetOperation):
        first = first.left
    explicit = first.explicit() if isinstance(first, Select) else {}
    items: list[Item | Star] = []
    for name in columns:
        spelled = explicit[name].spelled if name in explicit else name
        read = frozenset({Read(0, source.label, name)})
        term = terms.put("column", "0", source.label, spelled, reads=read)
        items.append(Item(name, spelled, term, node))
    return items
