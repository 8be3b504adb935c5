"""Names, constants and what is written out."""

from __future__ import annotations

from sqlglot import exp

from seeknal_diff_sqlglot import functions
from seeknal_diff_sqlglot.dispatch import expression
from seeknal_diff_sqlglot.relations import NotUnderstood, Select
from seeknal_diff_sqlglot.scopes import WHOLE_ROW, Scope
from seeknal_diff_sqlglot.terms import UNSTEADY, VOLATILE, Part, Read


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


def subquery(node: exp.Expr, scope: Scope) -> int:
    """SQLite takes the first row that comes, where others refuse a second one."""
    relation, term = scope.context.relation_of(node, scope)
    scalar = isinstance(node.parent, (exp.Alias, exp.Select))
    if scalar and isinstance(relation, Select) and len(relation.items) > 1:
        raise NotUnderstood("a value of several columns", node)
    if scope.context.text.name == "sqlite":
        return scope.context.terms.put("subquery", term, flags=UNSTEADY)
    return term
