"""SELECT and set operations as relations."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from seeknal.dag.classifier import Query
from seeknal_diff_sqlglot import joins
from seeknal_diff_sqlglot.assumptions import Assumptions, has
from seeknal_diff_sqlglot.expressions import conditions, expression, integer, number
from seeknal_diff_sqlglot.grouping import grouped_by
from seeknal_diff_sqlglot.merging import merge
from seeknal_diff_sqlglot.ordering import order_and_limit
from seeknal_diff_sqlglot.relations import (
    GENERATED,
    Clause,
    Item,
    NotUnderstood,
    Relation,
    Select,
    SetOperation,
    Source,
    Star,
)
from seeknal_diff_sqlglot.scopes import Aliases, Context, Definition, Scope
from seeknal_diff_sqlglot.steadiness import finish_select
from seeknal_diff_sqlglot.tables import Tables, expand, is_unsteady, passed_through
from seeknal_diff_sqlglot.terms import (
    AGGREGATE,
    NEW_ROWS,
    UNSTEADY,
    Part,
    Terms,
)
from seeknal_diff_sqlglot.texts import Text

_OF_A_SELECT = {
    *("with_", "expressions", "distinct", "from_", "joins", "where", "group", "having"),
    *("qualify", "windows", "order", "limit", "offset"),
}
_OF_A_SET = {"with_", "this", "expression", "distinct", "by_name", "order", "limit", "offset"}


def relation_of(
    query: Query, text: Text, node: exp.Expr, terms: Terms, columns_too: bool
) -> Relation:
    """What a parsed query is made of.

    Raises NotUnderstood.
    """
    first = len(terms)
    for drop_order in (True, False):
        builder = Builder(query, text, terms, columns_too, drop_order)
        found = builder.root(node)
        if found is not None:
            break
    assert found is not None
    builder.context.assumptions.first = first
    terms.assumptions.append(builder.context.assumptions)
    return found


class Builder:
    """drop_order: whether an ORDER BY inside of the query may be taken for nothing."""

    def __init__(
        self, query: Query, text: Text, terms: Terms, columns_too: bool, drop_order: bool
    ) -> None:
        self.terms = terms
        self.text = text
        self.tables = Tables(query, terms, columns_too)
        self.context = Context(terms, text, self.build, Assumptions(len(terms)), drop_order)

    def root(self, node: exp.Expr) -> Relation | None:
        """None if an ORDER BY was dropped that might matter to something around it."""
        relation, term = self.build(node, Scope(self.context), top=True)
        if self.terms[term].reads - frozenset(r for r in self.terms[term].reads if r.source == "?"):
            raise NotUnderstood("a name that nothing in the query has", node)
        return None if self.context.dropped_order and self.context.unsteady else relation

    def build(self, node: exp.Expr, around: Scope, top: bool = False) -> tuple[Relation, int]:
        """The relation of a query, and its term as `around` sees it."""
        while isinstance(node, exp.Subquery):
            extra = {n for n, v in node.args.items() if v and n not in ("this", "alias")}
            if extra:
                raise NotUnderstood(f"{min(extra)} after parentheses", node)
            node = node.this
        if isinstance(node, exp.Select):
            relation: Relation = self.select(node, around, top)
        elif isinstance(node, exp.SetOperation):
            relation = self.set_operation(node, around, top)
        else:
            raise NotUnderstood("something else than a SELECT", node)
        return relation, relation.key

    def _definitions(self, node: exp.Expr, around: Scope) -> Definition | None:
        definitions = around.definitions
        given = node.args.get("with_")
        if given is None:
            return definitions
        if any(given.args.get(name) for name in ("search", "cycle", "udfs")):
            raise NotUnderstood("a WITH of a kind that is not known", given)
        for cte in given.expressions:
            if not isinstance(cte, exp.CTE):
                raise NotUnderstood("a WITH of a kind that is not known", given)
            name = self.context.fold(cte.args["alias"].this)
            definitions = Definition(name, cte, definitions, given.recursive, around)
        return definitions

    def select(self, node: exp.Select, around: Scope, top: bool) -> Relation:
        extra = {name for name, value in node.args.items() if value and name not in _OF_A_SELECT}
        if extra:
            raise NotUnderstood(f"{min(extra).strip('_')} in a SELECT", node)
        parent = around if around.sources or around.parent else None
        scope = Scope(self.context, parent, self._definitions(node, around))
        clauses = joins.read_from(node, scope, self.tables, self.build)
        for window in node.args.get("windows") or ():
            scope.windows[window.name.lower()] = window
        sure = set(scope.surely_columns)
        with self.context.trying():
            scope.unique = self._unique(node, scope)
        scope.surely_columns = sure
        items = self._items(node, scope)
        select = Select(scope.sources, clauses, items, node=node)
        select.natural = any(clause.name == "NATURAL JOIN" for clause in clauses)
        self._filters(node, scope, select)
        self._distinct(node, scope, select)
        order_and_limit(node, scope, select, top)
        select.guards = frozenset(scope.guards)
        same = passed_through(select)
        if same is not None and not self.terms[same.key].reads:
            if is_unsteady(same):
                self.context.unsteady = True
            return same
        scope.unique = merge(select, scope.unique, self.terms)
        finish_select(select, self.context, scope.unique, scope.parent is not None)
        return select

    def _unique(self, node: exp.Select, scope: Scope) -> list[frozenset[int]]:
        """Sets of terms that no two rows of a SELECT have in common, before DISTINCT."""
        group = node.args.get("group")
        if group is not None:
            keys = []
            for key in group.expressions:
                position = integer(key)
                if position is not None:
                    if not 0 < position <= len(node.expressions):
                        return []
                    key = node.expressions[position - 1].unalias()  # noqa: PLW2901
                if isinstance(key, (exp.Star, exp.Rollup, exp.Cube, exp.GroupingSets)):
                    return []
                keys.append(expression(key, scope))
            plain = keys and not any(v for n, v in group.args.items() if n != "expressions")
            return [frozenset(keys)] if plain else []
        if len(scope.sources) != 1:
            return []
        source = scope.sources[0]
        return [
            frozenset(scope.column_of(0, source, column) for column in unique)
            for unique in source.relation.unique
        ]

    def _items(self, node: exp.Select, scope: Scope) -> list[Item | Star]:
        items: list[Item | Star] = []
        scope.mode = Aliases.AFTER_COLUMNS
        for projection in node.expressions:
            starred = projection
            if isinstance(starred, exp.Column) and isinstance(starred.this, exp.Star):
                items += self._star(starred.this, starred, scope)
            elif isinstance(starred, exp.Star):
                items += self._star(starred, None, scope)
            else:
                items.append(self._item(projection, scope))
        if node.expressions and not items:
            raise NotUnderstood("a star of which nothing is left", node)
        terms = [item.term for item in items if isinstance(item, Item)]
        self.context.assumptions.computed.update(terms)
        return items

    def _item(self, projection: exp.Expr, scope: Scope) -> Item:
        value: exp.Expr = projection
        name: str | None = None
        if isinstance(projection, exp.Alias):
            value = projection.this
            name = self.context.shown(projection.args["alias"])
        elif isinstance(projection, exp.Aliases):
            raise NotUnderstood("several names for one expression", projection)
        bare = value.unnest() if isinstance(value, exp.Paren) else value
        if name is None and isinstance(bare, exp.Column):
            name = scope.shown(bare)
        elif (
            name is None
            and isinstance(bare, exp.Dot)
            and isinstance(bare.expression, exp.Identifier)
        ):
            name = self.context.shown(bare.expression)
        value_known = integer(bare) if self.text.name in ("duckdb", "postgres") else None
        term = expression(value, scope) if value_known is None else number(value_known, scope)
        if name is None:
            name = GENERATED + self.text.generated_name(value)
        lower = name.lower()
        if isinstance(projection, exp.Alias):
            scope.aliases[lower] = term
        return Item(lower, name, term, projection)

    def _star(self, star: exp.Star, column: exp.Column | None, scope: Scope) -> list[Item | Star]:
        sources = self._starred(star, column, scope)
        without, replaced = self._exceptions(star, scope)
        if (without or replaced) and len(sources) > 1:
            raise NotUnderstood("a star with exceptions over several tables", star)
        for name in (*without, *replaced):
            relations = [s.relation for s in sources if has(s.relation, name) is not False]
            self.context.assumptions.need(relations, name, computed=False)
        items: list[Item | Star] = []
        for source in sources:
            for item in expand(source, self.terms, column or star):
                if isinstance(item, Star):
                    terms = tuple(sorted(replaced.items()))
                    hidden = frozenset(scope.merged_right(source))
                    columns = source.relation.columns
                    if columns is None or set(columns) - without:
                        items.append(replace(item, without=without | hidden, replaced=terms))
                elif item.name in replaced:
                    items.append(replace(item, term=replaced[item.name]))
                elif item.name not in without and item.name not in scope.merged_right(source):
                    items.append(item)
        return items

    def _starred(self, star: exp.Star, column: exp.Column | None, scope: Scope) -> list[Source]:
        """The tables whose columns a star stands for."""
        if scope.stars_merge:
            raise NotUnderstood("a star over an outer join with USING", star)
        sources = scope.visible()
        if column is not None:
            alias = self.context.fold(column.args["table"]).lower()
            sources = [source for source in sources if source.alias == alias]
            if len(sources) != 1:
                raise NotUnderstood("a star of a table that is not in the FROM", column)
        if star.args.get("rename") or not sources:
            raise NotUnderstood("a star that renames columns, or has no table", star)
        return sources

    def _exceptions(self, star: exp.Star, scope: Scope) -> tuple[frozenset[str], dict[str, int]]:
        """What a star leaves out, and what it replaces: plain names, each once."""
        left_out = [e.this if _is_name(e) else e for e in star.args.get("except_") or ()]
        others = list(star.args.get("replace") or ())
        if not all(isinstance(e, exp.Identifier) for e in left_out) or not all(
            isinstance(e, exp.Alias) for e in others
        ):
            raise NotUnderstood("a star with an exception that is not a name", star)
        without = [self.context.fold(e).lower() for e in left_out]
        replaced = [e.alias.lower() for e in others]
        if len({*without, *replaced}) < len(without) + len(replaced):
            raise NotUnderstood("a star with two exceptions of one name", star)
        terms = [self._replacement(e, scope) for e in others]
        return frozenset(without), dict(zip(replaced, terms, strict=True))

    def _replacement(self, alias: exp.Alias, scope: Scope) -> int:
        term, shown = expression(alias.this, scope), self.context.shown(alias.args["alias"])
        return term if shown == shown.lower() else self.terms.put("spelled", term, shown)

    def _filters(self, node: exp.Select, scope: Scope, select: Select) -> None:
        where = node.args.get("where")
        on = next((clause.node for clause in select.clauses if clause.name == "ON"), None)
        found = {t for c in select.clauses if c.name == "ON" for t in c.value if isinstance(t, int)}
        select.clauses = [clause for clause in select.clauses if clause.name != "ON"]
        if where is not None:
            found.update(conditions(where.this, scope))
        if found:
            select.clauses.append(Clause("WHERE", tuple(sorted(found)), where or on))
        scope.mode = Aliases.EITHER
        group = node.args.get("group")
        if group is not None:
            keys = grouped_by(group, scope, select)
            select.clauses.append(Clause("GROUP BY", keys, group))
        for name in ("having", "qualify"):
            clause_node = node.args.get(name)
            if clause_node is not None:
                value = conditions(clause_node.this, scope)
                select.clauses.append(Clause(name.upper(), value, clause_node))
        computed = [item.term for item in select.items if isinstance(item, Item)]
        having = [t for c in select.clauses if c.name in ("HAVING", "QUALIFY") for t in c.value]
        flags = 0
        for term in (*computed, *(t for t in having if isinstance(t, int))):
            flags |= self.terms[term].flags
        select.aggregated = group is not None or bool(flags & AGGREGATE)
        if select.aggregated and group is None:
            select.clauses.append(Clause("aggregation", ()))
        if flags & NEW_ROWS:
            several = tuple(sorted(t for t in computed if self.terms[t].flags & NEW_ROWS))
            select.clauses.append(Clause("function that makes rows", several))

    def _distinct(self, node: exp.Select, scope: Scope, select: Select) -> None:
        distinct = node.args.get("distinct")
        if distinct is None:
            return
        select.distinct = True
        value: tuple[int | str, ...] = ()
        on = distinct.args.get("on")
        if on is not None:
            value = ("on", expression(on, scope))
        select.clauses.append(
            Clause("DISTINCT ON" if on is not None else "DISTINCT", value, distinct)
        )

    def set_operation(self, node: exp.SetOperation, around: Scope, top: bool) -> SetOperation:
        extra = {name for name, value in node.args.items() if value and name not in _OF_A_SET}
        if extra:
            raise NotUnderstood(f"{min(extra)} in a set operation", node)
        inner = Scope(self.context, around.parent, self._definitions(node, around))
        inner.sources, inner.one_sided = around.sources, around.one_sided
        inner.joining = around.joining
        left, left_term = self.build(node.this, inner)
        right, right_term = self.build(node.args["expression"], inner)
        kind = f"{type(node).__name__} {'distinct' if node.args.get('distinct') else 'all'}"
        relation = SetOperation(kind, left, right, bool(node.args.get("by_name")), [], node=node)
        relation.unsteady_rows = relation.unsteady_rows or is_unsteady(left) or is_unsteady(right)
        result = Scope(self.context, None, None)
        order_and_limit(node, result, relation, top)
        keys = [left.key, right.key]
        if _sides_may_change_places(relation):
            keys.sort()
        parts: list[Part] = [kind, str(relation.by_name), *keys]
        reads = self.terms[left_term].reads | self.terms[right_term].reads
        flags = self.terms[left_term].flags | self.terms[right_term].flags
        flags |= UNSTEADY if relation.unsteady_rows else 0
        for clause in relation.clauses:
            parts += (clause.name, *clause.value)
        relation.key = self.terms.put_relation(tuple(parts), relation, reads, flags)
        return relation


def _is_name(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and not node.table


def _sides_may_change_places(relation: SetOperation) -> bool:
    """`a UNION ALL b` has the rows of `b UNION ALL a`, repeated ones included: all dialects.

    Only where both sides name their columns alike, for the left one names those of the result,
    and without a LIMIT. The type of a column is common to both sides whatever their order.
    """
    left, right = relation.left, relation.right
    if not relation.all or relation.clauses or relation.by_name:
        return False
    if not isinstance(left, Select) or not isinstance(right, Select):
        return False
    names = [
        [item.spelled if isinstance(item, Item) else "*" for item in side.items]
        for side in (left, right)
    ]
    return names[0] == names[1] and "*" not in names[0] and left.columns is not None
