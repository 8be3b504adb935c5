"""Window functions."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from seeknal_diff_sqlglot import functions
from seeknal_diff_sqlglot.calls import counted, function, generic
from seeknal_diff_sqlglot.dispatch import expression
from seeknal_diff_sqlglot.relations import NotUnderstood
from seeknal_diff_sqlglot.scopes import Scope
from seeknal_diff_sqlglot.terms import UNSTEADY, WINDOW, Part


def window(node: exp.Expr, scope: Scope) -> int:
    """A window by its name is the window of that definition."""
    terms = scope.context.terms
    base = node.args.get("alias")
    named = scope.windows.get(base.name.lower()) if base is not None else None
    if base is not None and (named is None or named.args.get("alias")):
        raise NotUnderstood("a window that is not defined in this SELECT", node)

    def part(name: str) -> Any:
        return node.args.get(name) or (named.args.get(name) if named is not None else None)

    partition = [expression(e, scope) for e in part("partition_by") or ()]
    order = part("order")
    ordered = [] if order is None else order.expressions
    order_terms = [expression(e, scope) for e in ordered]
    spec = part("spec")
    inner = _windowed(node.this, scope)
    parts: list[Part] = ["Window", inner, "by", *sorted(set(partition)), "order", *order_terms]
    if spec is not None:
        parts.append(generic(spec, scope))
    if node.args.get("first") is not None:
        parts.append(f"first {node.args['first']}")
    given = {*partition, *(expression(e.this, scope) for e in ordered)}
    total = any(unique <= given for unique in scope.unique)
    steady = total or _steady_over_ties(node.this, spec)
    return terms.put(*parts, flags=WINDOW | (0 if steady else UNSTEADY))


def _windowed(node: exp.Expr, scope: Scope) -> int:
    if isinstance(node, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)):
        rest = [
            expression(value, scope)
            for name, value in sorted(node.args.items())
            if name != "this" and isinstance(value, exp.Expr)
        ]
        return scope.context.terms.put(node.__class__.__name__, _windowed(node.this, scope), *rest)
    if isinstance(node, exp.Count):
        return counted(node, scope, True)
    return function(node, scope, True)


def _steady_over_ties(node: exp.Expr, spec: exp.Expr | None) -> bool:
    """Whether a window function gives rows that are alike in the ORDER BY the same value."""
    while isinstance(node, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)):
        node = node.this
    if isinstance(node, (exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist)):
        return True
    name = node.__class__.__name__
    if isinstance(node, exp.Anonymous):
        name = str(node.this).lower()
        if name not in functions.STEADY_AGGREGATES:
            return False
    elif name in functions.BY_ROW_ORDER:
        return False
    if spec is None:
        return True
    if spec.args.get("exclude"):
        return False
    if str(spec.args.get("kind") or "").upper() != "ROWS":
        return True
    bounds = {str(spec.args.get("start")).upper(), str(spec.args.get("end")).upper()}
    return bounds == {"UNBOUNDED"}
