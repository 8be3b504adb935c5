"""Functions, and whatever has no rule of its own."""

from __future__ import annotations

from sqlglot import exp

from seeknal_diff_sqlglot import functions
from seeknal_diff_sqlglot.dispatch import expression, parts_of
from seeknal_diff_sqlglot.relations import NotUnderstood, Opaque, Select
from seeknal_diff_sqlglot.scopes import ANY, Scope
from seeknal_diff_sqlglot.terms import (
    COLLATED,
    MAY_FAIL,
    NEW_ROWS,
    PERHAPS_OUTER,
    UNSTEADY,
    VOLATILE,
    Part,
    Read,
)

_ONE_COALESCE = {"duckdb", "sqlite", "bigquery", "snowflake", "spark", "databricks"}


def count(node: exp.Expr, scope: Scope) -> int:
    """COUNT(1) counts rows as COUNT(*) does, for a constant is never NULL: all dialects."""
    return counted(node, scope, False)


def counted(node: exp.Expr, scope: Scope, windowed: bool) -> int:
    what = node.args.get("this")
    constant = isinstance(what, exp.Literal) or what is None
    if (constant or isinstance(what, exp.Star)) and not node.args.get("expressions"):
        word = "over count" if windowed else "count"
        return scope.context.terms.put(word, aggregate=not windowed)
    return function(node, scope, windowed)


def exists(node: exp.Expr, scope: Scope) -> int:
    """EXISTS asks for rows only: what the SELECT computes for them never shows."""
    relation, term = scope.context.relation_of(node.this, scope)
    plain = isinstance(relation, Select) and not relation.aggregated
    if plain and isinstance(relation, Select) and not relation.distinct:
        known = {"WHERE", "JOIN"}
        terms = scope.context.terms
        computed = [item.term for item in relation.explicit().values()]
        own = all(not r.depth and r.source != "?" for t in computed for r in terms[t].reads)
        steady = own and not any(terms[t].flags & (NEW_ROWS | VOLATILE) for t in computed)
        if steady and {clause.name for clause in relation.clauses} <= known:
            from seeknal_diff_sqlglot.steadiness import finish_select

            rows = Select(relation.sources, relation.clauses, [], node=relation.node)
            return terms.put("exists", finish_select(rows, scope.context, [], True))
    return scope.context.terms.put("Exists", term)


def function(node: exp.Expr, scope: Scope, windowed: bool = False) -> int:
    """A function by its name as it is written, for a parser may take unlike ones for one."""
    name = node.__class__.__name__
    text = scope.context.text
    flags = 0
    aggregate = isinstance(node, exp.AggFunc) and name not in functions.WINDOW_ONLY
    word = text.written(node) or name.lower()
    if isinstance(node, exp.Anonymous):
        word = str(node.this).lower()
        known = text.name == "duckdb"
        aggregate = known and word in functions.AGGREGATES
        if aggregate:
            flags = 0 if word in functions.STEADY_AGGREGATES else UNSTEADY
        elif not known or word not in functions.STEADY:
            flags = VOLATILE
    elif name in functions.VOLATILE or _means_now(node, name):
        flags = VOLATILE
    elif name in functions.BY_ROW_ORDER and not _ordered_by_itself(node, scope):
        flags = UNSTEADY
    if name in ("Array", "List", "ToArray") and any(
        isinstance(value, exp.Query) for value in node.iter_expressions()
    ):
        flags |= UNSTEADY
    if text.name == "duckdb":
        word = functions.SAME_FUNCTION.get(word, word)
    elif isinstance(node, exp.Coalesce) and text.name in _ONE_COALESCE:
        word = "coalesce"
    if name in functions.NEW_ROWS:
        flags |= NEW_ROWS
    if windowed:
        flags &= VOLATILE
    if flags & VOLATILE:
        scope.context.terms.volatile.append(node)
    parts = parts_of(node, scope)
    if aggregate and not windowed and scope.parent is not None:
        flags |= _of_around(parts, node, scope)
    return scope.context.terms.put(
        "over" if windowed else "call",
        name,
        word,
        *parts,
        flags=flags,
        aggregate=aggregate and not windowed,
    )


def _of_around(parts: list[Part], node: exp.Expr, scope: Scope) -> int:
    """An aggregate that reads nothing but the query around is an aggregate of that query."""
    reads: set[Read] = set()
    for part in parts:
        if isinstance(part, int):
            reads |= scope.context.terms[part].reads
    inside = {read for read in reads if not read.depth}
    if reads and not inside:
        raise NotUnderstood("an aggregate of the query around", node)
    doubtful = {read.name for read in inside if read.source == ANY}
    return PERHAPS_OUTER if inside and all(read.name in doubtful for read in inside) else 0


def _means_now(node: exp.Expr, name: str) -> bool:
    what = node.args.get("this")
    if name in functions.NOW_WITHOUT_ARGUMENT and what is None and not node.expressions:
        return True
    moment = isinstance(what, exp.Literal) and what.is_string
    return moment and str(what.this).strip().lower() in functions.MOMENTS  # type: ignore[union-attr]


def _ordered_by_itself(node: exp.Expr, scope: Scope) -> bool:
    """A list that is ordered by what it holds is the same whatever order rows come in."""
    order = node.this
    if not isinstance(order, exp.Order) or order.this is None or len(order.expressions) < 1:
        return False
    what = order.this
    if isinstance(what, exp.Distinct):
        if len(what.expressions) != 1:
            return False
        what = what.expressions[0]
    term = expression(what, scope)
    return any(expression(key.this, scope) == term for key in order.expressions)


def generic(node: exp.Expr, scope: Scope) -> int:
    """Whatever has no rule is equal only to the same words over equal parts."""
    name = node.__class__.__name__
    if isinstance(node, (exp.Func, exp.Anonymous)) and not isinstance(
        node, (exp.And, exp.Or, exp.Cast, exp.Case)
    ):
        return function(node, scope)
    if isinstance(node, exp.Query):
        return scope.context.relation_of(node, scope)[1]
    flags = VOLATILE if name in functions.VOLATILE else 0
    if isinstance(node, exp.Cast) and _means_now(node, name):
        flags = VOLATILE
    if isinstance(node, exp.Collate):
        flags = COLLATED
    if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast):
        inner = node.this
        text = isinstance(inner, exp.Cast) and inner.to.this in exp.DataType.TEXT_TYPES
        flags |= MAY_FAIL if text and node.to.this not in exp.DataType.TEXT_TYPES else 0
    if isinstance(node, exp.Var):
        return scope.context.terms.put("word", node.name.lower())
    return scope.context.terms.put(name, *parts_of(node, scope), flags=flags)


def opaque(node: exp.Expr, scope: Scope, beneath: tuple[int, ...] = ()) -> Opaque:
    """A source of rows that no rule knows."""
    term = scope.context.terms.put("opaque", generic(node, scope), *beneath)
    flags = scope.context.terms[term].flags
    return Opaque(term, unsteady_rows=bool(flags & (VOLATILE | UNSTEADY)), node=node)
