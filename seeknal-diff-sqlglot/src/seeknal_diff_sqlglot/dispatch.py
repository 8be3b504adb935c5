"""From an expression to its term: each kind of expression has a handler."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from seeknal_diff_sqlglot.scopes import Scope
from seeknal_diff_sqlglot.terms import Part

Handler = Callable[[exp.Expr, Scope], int]
HANDLERS: dict[type, Handler] = {}
"""Filled by `expressions`. That of `object` is for what has none of its own."""


def expression(node: exp.Expr, scope: Scope) -> int:
    """The term of an expression."""
    while isinstance(node, exp.Paren):
        node = node.this
    return (HANDLERS.get(node.__class__) or HANDLERS[object])(node, scope)


def parts_of(node: exp.Expr, scope: Scope) -> list[Part]:
    parts: list[Part] = []
    for name in sorted(node.args):
        value = node.args[name]
        if value is None or value is False or name == "big_int":
            continue
        if isinstance(value, exp.Expr):
            parts += (name, expression(value, scope))
        elif isinstance(value, list):
            if value:
                parts.append(name)
            parts += (expression(v, scope) if isinstance(v, exp.Expr) else f"={v}" for v in value)
        else:
            parts += (name, f"={value}")
    return parts
