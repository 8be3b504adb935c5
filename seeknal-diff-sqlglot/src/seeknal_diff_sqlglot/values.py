"""Names, constants and what is written out."""

from __future__ import annotations

from sqlglot import exp

from seeknal_diff_sqlglot import functions
from seeknal_diff_sqlglot.dispatch import expression
from seeknal_diff_sqlglot.relations import Item, NotUnderstood, Relation, Select, SetOperation
from seeknal_diff_sqlglot.scopes import WHOLE_ROW, Scope
from seeknal_diff_sqlglot.terms import UNSTEADY, VOLATILE, Part, Read, Terms

_OF_VALUES = (exp.Alias, exp.Binary, exp.Predicate, exp.If, exp.Case, exp.Cast, exp.Coalesce)


def case(node: exp.Expr, scope: Scope) -> int:
    """ELSE NULL is what a CASE without ELSE means: all dialects."""
    parts: list[Part] = ["Case"]
    if node.this is not None:
        parts += ("of", expression(node.this, scope))
    parts += (expression(branch, scope) for branch in node.args["ifs"])
    otherwise = node.args.get("default")
    if otherwise is not None and not isinstance(otherwise, exp.Null):
        parts += ("else", expression(otherwise, scope))
    return scope.context.terms.put(*parts)


def literal(node: exp.Expr, scope: Scope) -> int:
    text: str = node.this
    volatile = node.is_string and scope.context.text.name == "sqlite"
    flags = VOLATILE if volatile and text.strip().lower() in functions.MOMENTS else 0
    return scope.context.terms.put("literal", text, "s" if node.is_string else "n", flags=flags)


def boolean(node: exp.Expr, scope: Scope) -> int:
    return scope.context.terms.put("true" if node.this else "false")


def column(node: exp.Expr, scope: Scope) -> int:
    assert isinstance(node, exp.Column)
    if isinstance(node.this, exp.Star):
        qualifier = node.args.get("table")
        found = scope.source(qualifier.name.lower()) if qualifier else None
        if found is None:
            raise NotUnderstood("a star of a table that is not in the FROM", node)
        read = frozenset({Read(found[0], found[1].label, WHOLE_ROW)})
        return scope.context.terms.put("row", str(found[0]), found[1].label, reads=read)
    return scope.column(node)


def star(node: exp.Expr, scope: Scope) -> int:
    if node.args.get("except_") or node.args.get("replace") or node.args.get("rename"):
        raise NotUnderstood("a star with exceptions inside of an expression", node)
    return scope.whole_rows()


def columns(node: exp.Expr, scope: Scope) -> int:
    raise NotUnderstood("COLUMNS stands for columns that only the data tells", node)


def identifier(node: exp.Expr, scope: Scope) -> int:
    name = scope.context.fold(node)
    if name.lower() in scope.parameters:
        return scope.context.terms.put("parameter", name.lower())
    return scope.context.terms.put("identifier", name)


def dot(node: exp.Expr, scope: Scope) -> int:
    if not isinstance(node.expression, exp.Identifier) or isinstance(node.this, exp.Identifier):
        raise NotUnderstood("a function of a schema, or called as a method", node)
    whole = expression(node.this, scope)
    return scope.context.terms.put("field", whole, scope.context.fold(node.expression))


def lambda_(node: exp.Expr, scope: Scope) -> int:
    names = [parameter.name.lower() for parameter in node.expressions]
    scope.parameters += names
    try:
        body = expression(node.this, scope)
    finally:
        del scope.parameters[len(scope.parameters) - len(names) :]
    return scope.context.terms.put("lambda", *names, body)


def placeholder(node: exp.Expr, scope: Scope) -> int:
    if not node.this:
        return scope.context.terms.put("placeholder", flags=VOLATILE)
    return scope.context.terms.put("placeholder", str(node.this))


def _several(relation: Relation) -> bool:
    """Whether a query surely has more columns than one."""
    columns = relation.columns
    if columns is not None:
        return len(columns) != 1
    if isinstance(relation, SetOperation):
        return _several(relation.left)
    return isinstance(relation, Select) and len(relation.items) > 1


def subquery(node: exp.Expr, scope: Scope) -> int:
    """SQLite takes the first row that comes, where others refuse a second one."""
    relation, term = scope.context.relation_of(node, scope)
    beside = node.parent.this if isinstance(node.parent, exp.Predicate) else None
    if not isinstance(beside, exp.Tuple) and _several(relation):
        raise NotUnderstood("a value of several columns", node)
    if isinstance(node.parent, _OF_VALUES):
        term = _without_name(relation, term, scope.context.terms)
    if scope.context.text.name == "sqlite":
        return scope.context.terms.put("subquery", term, flags=UNSTEADY)
    return term


def _without_name(relation: Relation, term: int, terms: Terms) -> int:
    """The only column of a value has a name that nothing sees."""
    if not isinstance(relation, Select) or len(relation.items) != 1:
        return term
    seen = terms[term]
    if seen.parts[0] != "select" or not isinstance(relation.items[0], Item):
        return term
    parts = (*seen.parts[:-2], seen.parts[-1])
    return terms.put_relation(parts, relation, seen.reads, seen.flags)
