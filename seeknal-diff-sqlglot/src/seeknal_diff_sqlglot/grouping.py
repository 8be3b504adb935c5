"""GROUP BY: which expressions make the groups."""

from __future__ import annotations

from sqlglot import exp

from seeknal_diff_sqlglot.assumptions import has
from seeknal_diff_sqlglot.expressions import expression, integer
from seeknal_diff_sqlglot.relations import Item, NotUnderstood, Select, Star
from seeknal_diff_sqlglot.scopes import Scope
from seeknal_diff_sqlglot.terms import AGGREGATE, NEW_ROWS, WINDOW, Read

_ALIAS_MAY_BE_SHADOWED = {"mysql", "sqlite", "doris", "starrocks", "singlestore", "clickhouse"}


def grouped_by(group: exp.Expr, scope: Scope, select: Select) -> tuple[int | str, ...]:
    """Groups are a set of expressions, whatever their order, and by whatever name.

    A name means the column of the result that has it where the query would be refused
    otherwise: because that column reads others that are not grouped.
    """
    simple = {name for name, value in group.args.items() if value}
    stars = any(isinstance(item, Star) for item in select.items)
    if "all" in simple and not stars:
        found = {i.term for i in select.items if isinstance(i, Item)}
        plain = {t for t in found if not scope.context.terms[t].flags & AGGREGATE}
        steady = not any(scope.context.terms[t].flags & (WINDOW | NEW_ROWS) for t in found)
        if steady and all(not scope.context.terms[t].bare for t in found - plain):
            return tuple(sorted(plain))
    if simple - {"expressions"}:
        select.wide = "all" in simple
        everything: list[int | str] = ["special", *sorted(simple)]
        everything += [i.term for i in select.items if isinstance(i, Item)]
        return (*everything, *(expression(e, scope) for e in _keys(group)))
    keys: list[int | str] = []
    special = False
    for key in group.expressions:
        position = integer(key)
        if position is None:
            special |= isinstance(key, (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple))
            keys.append(_group_key(key, scope, group))
        elif stars or not 0 < position <= len(select.items):
            raise NotUnderstood("GROUP BY a position that is behind a star", group)
        else:
            item = select.items[position - 1]
            assert isinstance(item, Item)
            keys.append(item.term)
    return tuple(keys) if special else tuple(sorted({k for k in keys if isinstance(k, int)}))


def _group_key(key: exp.Expr, scope: Scope, group: exp.Expr) -> int:
    term = expression(key, scope)
    parts = scope.context.terms[term].parts
    if parts[0] != "either" or scope.context.text.name in _ALIAS_MAY_BE_SHADOWED:
        return term
    name = key.name.lower()
    if any(has(source.relation, name) for source in scope.visible()):
        return term
    column, given = parts[1], parts[2]
    assert isinstance(column, int)
    assert isinstance(given, int)
    others: set[Read] = set(scope.context.terms[column].reads)
    for other in group.expressions:
        if other is not key and integer(other) is None:
            others |= scope.context.terms[expression(other, scope)].reads
        elif other is not key:
            return term
    bare = scope.context.terms[given].bare
    if not bare - others or scope.context.terms[given].flags & AGGREGATE:
        return term
    scope.guards.add(name)
    return given


def _keys(group: exp.Expr) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    for name in ("expressions", "grouping_sets", "cube", "rollup"):
        value = group.args.get(name)
        found += [v for v in value if isinstance(v, exp.Expr)] if isinstance(value, list) else []
    return found
