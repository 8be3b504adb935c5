"""AND, OR, NOT and BETWEEN."""

from __future__ import annotations

from sqlglot import exp

from seeknal_diff_sqlglot.arithmetic import (
    LEFT_COLLATION_WINS,
    compare_constants,
    integer,
    operand,
)
from seeknal_diff_sqlglot.dispatch import HANDLERS, expression
from seeknal_diff_sqlglot.scopes import Scope

_BOOLEAN = {
    *("and", "or", "not", "eq", "ne", "lt", "le", "same", "distinct", "true", "false", "Exists"),
    *("In", "Like", "ILike", "Is", "Between", "exists"),
}


def conditions(node: exp.Expr, scope: Scope) -> tuple[int, ...]:
    """What must all be true, in an order of our own.

    AND is commutative, associative and idempotent in logic of three values, and TRUE changes
    nothing in it: all dialects. Assumed: engines evaluate operands in an order of their own, so
    that the order in a text protects from no error.
    """
    found = _operands(node, exp.And, "and", scope)
    found.discard(scope.context.terms.put("true"))
    return tuple(sorted(found))


def _operands(node: exp.Expr, kind: type[exp.Expr], word: str, scope: Scope) -> set[int]:
    """What a chain of one connector joins, without parentheses and each once."""
    found: set[int] = set()
    todo = [node]
    while todo:
        part = todo.pop()
        while isinstance(part, exp.Paren):
            part = part.this
        if isinstance(part, kind):
            todo += (part.this, part.expression)
        else:
            found.update(_flat(word, truth(part, scope), scope))
    return found


def _flat(word: str, term: int, scope: Scope) -> list[int]:
    """The operands of a term of this word, or the term."""
    parts = scope.context.terms[term].parts
    return [p for p in parts[1:] if isinstance(p, int)] if parts[0] == word else [term]


def _joined(word: str, operands: list[int], scope: Scope) -> int:
    found = {part for term in operands for part in _flat(word, term, scope)}
    return scope.context.terms.put(word, *sorted(found)) if len(found) > 1 else found.pop()


def truth(node: exp.Expr, scope: Scope) -> int:
    """The term of an expression of which only the truth counts."""
    terms = scope.context.terms
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.And):
        found = conditions(node, scope)
        if len(found) > 1:
            return terms.put("and", *found)
        return found[0] if found else terms.put("true")
    if isinstance(node, exp.Or):
        return _or(node, scope)
    if isinstance(node, exp.Not):
        return _not(node.this, scope)
    if isinstance(node, (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)):
        known = compare_constants(node)
        if known is not None:
            return terms.put("true" if known else "false")
    return expression(node, scope)


def _not(node: exp.Expr, scope: Scope) -> int:
    """NOT of AND is OR of NOTs, and the other way round, in logic of three values: all dialects.

    NOT of `=` is `<>`, with NaN too: all dialects. NOT of `<` is `>=` only where every two values
    have an order, NaN being one of them: DuckDB and PostgreSQL.
    """
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Not):
        return truth(node.this, scope)
    return _opposite(truth(node, scope), scope)


def _opposite(term: int, scope: Scope) -> int:
    terms = scope.context.terms
    parts = terms[term].parts
    word = parts[0]
    if word in ("true", "false"):
        return terms.put("false" if word == "true" else "true")
    if word == "not":
        assert isinstance(parts[1], int)
        return parts[1]
    operands = [part for part in parts[1:] if isinstance(part, int)]
    if word in ("and", "or"):
        opposites = [_opposite(part, scope) for part in operands]
        return _joined("or" if word == "and" else "and", opposites, scope)
    if any(terms[part].parts[0] in ("Any", "All") for part in operands):
        return terms.put("not", term)
    if word in ("eq", "ne"):
        return terms.put("ne" if word == "eq" else "eq", *operands)
    if word in ("lt", "le") and scope.context.text.name in ("duckdb", "postgres"):
        return terms.put("le" if word == "lt" else "lt", operands[1], operands[0])
    return terms.put("not", term)


def _or(node: exp.Or, scope: Scope) -> int:
    """OR is commutative, associative and idempotent as AND is, and FALSE changes nothing in it."""
    terms = scope.context.terms
    found = _operands(node, exp.Or, "or", scope)
    found.discard(terms.put("false"))
    if len(found) > 1:
        return terms.put("or", *sorted(found))
    return found.pop() if found else terms.put("false")


def logic(node: exp.Expr, scope: Scope) -> int:
    """As a value, `x AND TRUE` is a boolean even where x is a number."""
    term = truth(node, scope)
    terms = scope.context.terms
    return term if terms[term].parts[0] in _BOOLEAN else terms.put("boolean", term)


def between(node: exp.Between, scope: Scope) -> tuple[int, ...] | None:
    """`x BETWEEN a AND b` is `x >= a AND x <= b`, NULLs included: all dialects.

    Only where a and b are of one kind: with others, an engine may bring all three to a common
    type, and compare other values than one by one.
    """
    low, high = node.args["low"], node.args["high"]
    if node.args.get("symmetric") or _kind(low) is None or _kind(low) != _kind(high):
        return None
    if scope.context.text.name in LEFT_COLLATION_WINS:
        return None
    x = operand(node.this, scope)
    put = scope.context.terms.put
    return (put("le", operand(low, scope), x), put("le", x, operand(high, scope)))


def _kind(node: exp.Expr) -> object:
    """What makes two constants of one type."""
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
        return node.to.sql()
    if isinstance(node, exp.Placeholder):
        return "parameter" if node.this else None
    if isinstance(node, exp.Literal):
        return "string" if node.is_string else "integer" if node.this.isdigit() else None
    return "integer" if integer(node) is not None else None


def any_between(node: exp.Expr, scope: Scope) -> int:
    if isinstance(node, exp.Between) and (found := between(node, scope)):
        return scope.context.terms.put("and", *sorted(set(found)))
    return HANDLERS[object](node, scope)
