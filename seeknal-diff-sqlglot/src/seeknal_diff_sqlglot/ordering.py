"""ORDER BY and LIMIT: where the order of rows decides anything."""

from __future__ import annotations

from sqlglot import exp

from seeknal_diff_sqlglot.expressions import expression, integer, number
from seeknal_diff_sqlglot.relations import Clause, Item, Select, SetOperation
from seeknal_diff_sqlglot.scopes import Aliases, Scope
from seeknal_diff_sqlglot.terms import AGGREGATE, Terms

_CANNOT_FAIL = {"Min", "Max", "Count", "Sum", "Avg", "Lower", "Upper", "Length"}


def order_and_limit(
    node: exp.Expr, scope: Scope, relation: Select | SetOperation, top: bool
) -> None:
    """ORDER BY decides nothing unless a LIMIT, or something else that looks at order, does.

    Kept where its keys are more than columns, for they may fail.
    """
    context, terms = scope.context, scope.context.terms
    limits = [(n, node.args[n]) for n in ("limit", "offset") if node.args.get(n)]
    order = node.args.get("order")
    on = any(clause.name == "DISTINCT ON" for clause in relation.clauses)
    keys: list[int] = []
    if order is not None:
        keys = [_order_key(ordered, scope, relation) for ordered in order.expressions]
        context.assumptions.computed.update(keys)
        plain = all(_cannot_fail(key, relation, terms) for key in _sorted_by(keys, terms))
        if limits or on or not plain or not (top or context.drop_order):
            relation.clauses.append(Clause("ORDER BY", tuple(keys), order))
        elif not top:
            context.dropped_order = True
    for name, limit in limits:
        value = integer(limit.expression) if limit.expression is not None else None
        extra = {n for n, v in limit.args.items() if v and n not in ("this", "expression")}
        plain_limit = value is not None and not extra
        term = (
            number(value, scope) if plain_limit and value is not None else expression(limit, scope)
        )
        relation.clauses.append(Clause(name.upper(), (term,), limit))
    if (limits or on) and not _total(set(_sorted_by(keys, terms)), scope, relation):
        relation.unsteady_rows = context.unsteady = True


def _order_key(ordered: exp.Expr, scope: Scope, relation: Select | SetOperation) -> int:
    key = ordered.this
    while isinstance(key, exp.Paren):
        key = key.this
    position = integer(key)
    items = relation.items if isinstance(relation, Select) else []
    scope.mode = Aliases.FIRST if isinstance(key, exp.Column) else Aliases.EITHER
    if position is None and isinstance(relation, SetOperation):
        with scope.context.trying():
            term = expression(key, scope)
    elif position is None:
        term = expression(key, scope)
    elif all(isinstance(i, Item) for i in items) and 0 < position <= len(items):
        item = items[position - 1]
        assert isinstance(item, Item)
        term = item.term
    else:
        term = scope.context.terms.put("position", str(position), scope.whole_rows())
    how = [f"{name}={v}" for name, v in sorted(ordered.args.items()) if v and name != "this"]
    return scope.context.terms.put("ordered", term, *how)


def _sorted_by(keys: list[int], terms: Terms) -> list[int]:
    return [part for key in keys if isinstance(part := terms[key].parts[1], int)]


def _cannot_fail(key: int, relation: Select | SetOperation, terms: Terms) -> bool:
    if isinstance(relation, SetOperation):
        parts = terms[key].parts
        name = str(parts[2]).lower() if parts[0] == "name" else None
        return name in (relation.columns or ()) or _plain(key, relation, terms)
    if any(isinstance(item, Item) and item.term == key for item in relation.items):
        return True
    return not _refused(key, relation, terms) and _plain(key, relation, terms)


def _plain(key: int, relation: Select | SetOperation, terms: Terms) -> bool:
    parts = terms[key].parts
    if parts[0] in ("column", "count"):
        return True
    if parts[0] == "position":
        return 0 < int(str(parts[1])) <= _width(relation)
    known = parts[0] == "call" and parts[1] in _CANNOT_FAIL
    return known and all(_plain(p, relation, terms) for p in parts if isinstance(p, int))


def _refused(key: int, select: Select, terms: Terms) -> bool:
    """Whether groups or DISTINCT may leave no such value to sort by, or the key makes a group."""
    term = terms[key]
    if select.distinct:
        return term.parts[0] != "position"
    if not select.aggregated:
        return bool(term.flags & AGGREGATE)
    keys = [p for c in select.clauses if c.name == "GROUP BY" for p in c.value]
    numbers = [part for part in keys if isinstance(part, int)]
    columns = (terms[part].reads for part in numbers if terms[part].parts[0] == "column")
    return key not in numbers and not term.bare <= frozenset().union(*columns)


def _width(relation: Select | SetOperation) -> int:
    """How many columns there are at least."""
    columns = relation.columns
    if columns is not None or isinstance(relation, SetOperation):
        return len(columns or ())
    return len(relation.items)


def _total(keys: set[int], scope: Scope, relation: Select | SetOperation) -> bool:
    """Whether rows that are alike in the keys of the ORDER BY are alike in all columns."""
    if isinstance(relation, SetOperation):
        return False
    if any(unique <= keys for unique in scope.unique) and not relation.distinct:
        return True
    on = any(clause.name == "DISTINCT ON" for clause in relation.clauses)
    return not on and all(isinstance(i, Item) and i.term in keys for i in relation.items)
