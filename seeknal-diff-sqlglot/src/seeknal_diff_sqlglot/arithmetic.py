"""Numbers, comparisons, and operands that may change places."""

from __future__ import annotations

from sqlglot import exp

from seeknal_diff_sqlglot.dispatch import HANDLERS, Handler, expression
from seeknal_diff_sqlglot.scopes import Scope
from seeknal_diff_sqlglot.terms import MAY_FAIL

LEFT_COLLATION_WINS = {"sqlite"}
_PLUS_MAY_CONCATENATE = {"tsql", "fabric", "redshift"}
_INT32 = 2**31 - 1
_EXACT_IN_FLOAT = 2**24


def integer(node: exp.Expr) -> int | None:
    """The value of `+`, `-` and `*` over whole numbers, if nothing overflows 32 bits."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Literal):
        small = not node.is_string and node.this.isdigit() and len(node.this) < 11
        value = int(node.this) if small else None
    elif isinstance(node, exp.Neg):
        inner = integer(node.this)
        value = None if inner is None else -inner
    elif isinstance(node, (exp.Add, exp.Sub, exp.Mul)):
        a, b = integer(node.this), integer(node.expression)
        if a is None or b is None:
            return None
        plus = isinstance(node, exp.Add)
        value = a + b if plus else a - b if isinstance(node, exp.Sub) else a * b
    else:
        return None
    return value if value is not None and abs(value) <= _INT32 else None


def compare_constants(node: exp.Expr) -> bool | None:
    """Comparing two whole numbers gives the same everywhere."""
    a, b = integer(node.this), integer(node.expression)
    if a is None or b is None:
        return None
    kind = node.__class__
    if kind is exp.EQ:
        return a == b
    if kind is exp.NEQ:
        return a != b
    if kind in (exp.LT, exp.GT):
        return a < b if kind is exp.LT else a > b
    return a <= b if kind is exp.LTE else a >= b


def number(value: int, scope: Scope) -> int:
    return scope.context.terms.put("literal", str(value), "n")


def operand(node: exp.Expr, scope: Scope) -> int:
    """A side of a comparison, in which `1 + 1` is 2.

    The type of what is compared with can't show there, and the numbers are small enough to be
    exact in every type. Elsewhere `x + (1 + 1)` may have a wider type than `x + 2`.
    """
    value = integer(node) if scope.context.text.name not in LEFT_COLLATION_WINS else None
    if value is not None and abs(value) < _EXACT_IN_FLOAT:
        return number(value, scope)
    return expression(node, scope)


def comparison(word: str, mirrored: bool, symmetric: bool) -> Handler:
    """`a = b` is `b = a`, and `a > b` is `b < a`, for NULL and NaN too.

    Not in SQLite, where the collation of the left side decides.
    """

    def handle(node: exp.Expr, scope: Scope) -> int:
        a, b = operand(node.this, scope), operand(node.expression, scope)
        if scope.context.text.name in LEFT_COLLATION_WINS:
            return scope.context.terms.put(node.__class__.__name__, a, b)
        if mirrored or (symmetric and b < a):
            a, b = b, a
        return scope.context.terms.put(word, a, b)

    return handle


def commutative(node: exp.Expr, scope: Scope) -> int:
    """`a + b` is `b + a`, and `a * b` is `b * a`: for floats too, and overflow is the same.

    Only two operands change places: (a + b) + c rounds differently from a + (b + c). Not where
    plus joins strings, nor with a list or a string in sight.
    """
    a, b = expression(node.this, scope), expression(node.expression, scope)
    word = node.__class__.__name__
    if word == "Add":
        joins = scope.context.text.name in _PLUS_MAY_CONCATENATE
        if joins or _no_number(node.this) or _no_number(node.expression):
            return scope.context.terms.put(word, a, b)
        word = "plus"
    sides = (node.this, node.expression)
    large = word == "Mul" and any(
        isinstance(side, exp.Literal) and side.this.isdigit() and len(side.this) > 10
        for side in sides
    )
    return scope.context.terms.put(word, *sorted((a, b)), flags=MAY_FAIL if large else 0)


def _no_number(node: exp.Expr) -> bool:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Add):
        return _no_number(node.this) or _no_number(node.expression)
    if isinstance(node, exp.Literal):
        return bool(node.is_string)
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return node.to.this in exp.DataType.TEXT_TYPES or bool(node.to.args.get("nested"))
    numbers = (exp.Column, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Interval, exp.Sum, exp.Count)
    others = (exp.Avg, exp.Round, exp.Abs, exp.Floor, exp.Ceil, exp.Length, exp.Extract, exp.Mod)
    return not isinstance(node, (*numbers, *others))


def in_list(node: exp.Expr, scope: Scope) -> int:
    """The order of an IN list, and what stands in it twice, change nothing, NULLs included.

    IN is an OR of `=` where the values have one type: strings, or whole numbers of 32 bits. Of
    others, the common type is a question of its own. SQLite converts types differently.
    """
    members = node.args.get("expressions") or []
    others = any(node.args.get(name) for name in ("query", "unnest", "field"))
    kinds = {member.is_string for member in members if isinstance(member, exp.Literal)}
    literals = all(isinstance(member, exp.Literal) for member in members)
    if others or not members or not literals or len(kinds) != 1:
        return HANDLERS[object](node, scope)
    values = sorted({expression(member, scope) for member in members})
    put = scope.context.terms.put
    one_type = kinds == {True} or all(integer(member) is not None for member in members)
    if scope.context.text.name in LEFT_COLLATION_WINS or not (one_type or len(values) == 1):
        return put("In", expression(node.this, scope), *values)
    mine = operand(node.this, scope)
    equal = sorted(put("eq", *sorted((mine, value))) for value in values)
    return put("or", *equal) if len(equal) > 1 else equal[0]
