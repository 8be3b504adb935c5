"""Edits of expressions that keep their values, NULL for NULL and bit for bit."""

from __future__ import annotations

import random

from sqlglot import exp

from .editing import Claim, one_of, pick, swap, tree_edit

MIRRORED = {exp.LT: exp.GT, exp.GT: exp.LT, exp.LTE: exp.GTE, exp.GTE: exp.LTE}
COMMUTES = (exp.EQ, exp.NEQ, exp.Mul, exp.And, exp.Or)


def commuted(node: exp.Expr) -> exp.Expr:
    kind = MIRRORED.get(type(node), type(node))
    return kind(this=node.expression.copy(), expression=node.this.copy())


@tree_edit(Claim.KEEPS)
def commute(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    kinds = (*COMMUTES, *MIRRORED)
    chosen = [n for n in tree.find_all(*kinds) if not isinstance(n.parent, exp.Kwarg)]
    node = pick(rng, [n for n in chosen if not isinstance(n.expression, exp.Any | exp.All)])
    if node is None or isinstance(node.this, exp.Any | exp.All | exp.Interval):
        return None
    return swap(node, wrapped(commuted(node)))


@tree_edit(Claim.KEEPS)
def commute_sum(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    chosen = [n for n in tree.find_all(exp.Add) if not n.find(exp.Interval, exp.Cast)]
    node = pick(rng, [n for n in chosen if not isinstance(n.parent, exp.Add)])
    return None if node is None else swap(node, wrapped(commuted(node)))


def wrapped(node: exp.Expr) -> exp.Expr:
    """With parentheses wherever another operator could take a side of it away."""
    for side in ("this", "expression"):
        child = node.args[side]
        if isinstance(child, exp.Binary | exp.Between | exp.In | exp.Not | exp.Is):
            node.set(side, exp.paren(child))
    return exp.paren(node) if isinstance(node, exp.Binary) else node


@tree_edit(Claim.KEEPS)
def parentheses(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.Add, exp.Mul, exp.EQ, exp.GT, exp.LT, exp.And, exp.Coalesce)
    return None if node is None else swap(node, exp.paren(node.copy()))


def value_lists(tree: exp.Expr) -> list[exp.In]:
    """Those that ask whether a value is in them; a PIVOT's makes columns."""
    return [n for n in tree.find_all(exp.In) if n.expressions and not n.find_ancestor(exp.Pivot)]


@tree_edit(Claim.KEEPS)
def in_list(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = pick(rng, [n for n in value_lists(tree) if len(n.expressions) > 1])
    if node is None:
        return None
    values = list(node.expressions)
    rng.shuffle(values)
    if rng.random() < 0.3:
        values.append(values[0].copy())
    node.set("expressions", values)
    return tree


@tree_edit(Claim.KEEPS)
def in_to_equals(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    chosen = [n for n in value_lists(tree) if len(n.expressions) < 4]
    node = pick(rng, [n for n in chosen if isinstance(n.this, exp.Column)])
    if node is None:
        return None
    equals = [exp.EQ(this=node.this.copy(), expression=v.copy()) for v in node.expressions]
    return swap(node, exp.paren(exp.or_(*equals)))


@tree_edit(Claim.KEEPS)
def between_to_bounds(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.Between)
    if node is None or node.args.get("symmetric") or not isinstance(node.this, exp.Column):
        return None
    low = exp.GTE(this=node.this.copy(), expression=exp.paren(node.args["low"].copy()))
    high = exp.LTE(this=node.this.copy(), expression=exp.paren(node.args["high"].copy()))
    return swap(node, exp.paren(exp.And(this=low, expression=high)))


@tree_edit(Claim.KEEPS)
def not_not_equal(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    opposite = {
        exp.EQ: exp.NEQ, exp.NEQ: exp.EQ, exp.LT: exp.GTE, exp.GTE: exp.LT, exp.GT: exp.LTE,
        exp.LTE: exp.GT,
    }  # fmt: skip
    node = one_of(tree, rng, *opposite)
    if node is None or node.find(exp.Any, exp.All) or isinstance(node.parent, exp.Kwarg):
        return None
    other = opposite[type(node)](this=node.this.copy(), expression=node.expression.copy())
    return swap(node, exp.paren(exp.Not(this=exp.paren(other))))


@tree_edit(Claim.KEEPS)
def de_morgan(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.And, exp.Or)
    if node is None:
        return None
    kind = exp.Or if isinstance(node, exp.And) else exp.And
    sides = [exp.Not(this=exp.paren(node.args[side].copy())) for side in ("this", "expression")]
    both = kind(this=sides[0], expression=sides[1])
    return swap(node, exp.paren(exp.Not(this=exp.paren(both))))


@tree_edit(Claim.KEEPS)
def count_spelling(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    chosen = [n for n in tree.find_all(exp.Count) if isinstance(n.this, exp.Star | exp.Literal)]
    node = pick(rng, [n for n in chosen if isinstance(n.find_ancestor(exp.Alias), exp.Alias)])
    if node is None:
        return None
    node.set("this", exp.Literal.number(1) if isinstance(node.this, exp.Star) else exp.Star())
    return tree


@tree_edit(Claim.KEEPS)
def coalesce_spelling(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.Coalesce)
    if node is None or len(node.expressions) != 1 or not node.find_ancestor(exp.Alias):
        return None
    return swap(node, exp.Anonymous(this="ifnull", expressions=[node.this, *node.expressions]))


@tree_edit(Claim.KEEPS)
def true_and(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    where = one_of(tree, rng, exp.Where, exp.Having)
    if where is None:
        return None
    more = rng.choice((exp.true(), exp.condition("1 = 1"), exp.condition("NOT FALSE")))
    where.set("this", exp.and_(where.this, more))
    return tree


@tree_edit(Claim.KEEPS)
def repeated_predicate(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    where = one_of(tree, rng, exp.Where, exp.Having)
    if where is None or where.find(exp.Rand, exp.Anonymous, exp.Query):
        return None
    first = next(iter(where.this.flatten())) if isinstance(where.this, exp.And) else where.this
    where.set("this", exp.and_(where.this, first.copy()))
    return tree


@tree_edit(Claim.KEEPS)
def constant_arithmetic(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """5 is 4 + 1, both INTEGER; not for the column places of GROUP BY, ORDER BY and the like."""
    chosen = [n for n in tree.find_all(exp.Literal) if n.is_int and 0 < int(n.name) < 10_000]
    literal = pick(rng, [n for n in chosen if isinstance(n.parent, exp.EQ | exp.GT | exp.LT)])
    if literal is None:
        return None
    less = exp.Literal.number(int(literal.name) - 1)
    return swap(literal, exp.paren(exp.Add(this=less, expression=exp.Literal.number(1))))


@tree_edit(Claim.KEEPS)
def case_spelling(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """CASE x WHEN 1 says what CASE WHEN x = 1 says; an ELSE NULL says nothing."""
    node = one_of(tree, rng, exp.Case)
    if node is None or not node.find_ancestor(exp.Alias):
        return None
    if node.this is not None:
        for branch in node.args["ifs"]:
            branch.set("this", exp.EQ(this=node.this.copy(), expression=branch.this.copy()))
        node.set("this", None)
    elif node.args.get("default") is None:
        node.set("default", exp.null())
    else:
        return None
    return tree


@tree_edit(Claim.KEEPS)
def order_spelling(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """DuckDB puts NULLs last and ascends where nothing is said."""
    node = one_of(tree, rng, exp.Ordered)
    if node is None or node.args.get("nulls_first") or node.find_ancestor(exp.Window):
        return None
    node.set("desc", node.args.get("desc") or False)
    node.set("nulls_first", False)
    return tree


@tree_edit(Claim.KEEPS)
def filter_to_case(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.Filter)
    if node is None or not isinstance(node.this, exp.Sum) or not node.find_ancestor(exp.Alias):
        return None
    condition = node.expression.this
    branch = exp.If(this=condition.copy(), true=node.this.this.copy())
    return swap(node, exp.Sum(this=exp.Case(ifs=[branch])))


@tree_edit(Claim.KEEPS)
def date_spelling(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    casts = [n for n in tree.find_all(exp.Cast) if isinstance(n.this, exp.Literal)]
    cast = pick(rng, [n for n in casts if n.to.is_type("date") and n.this.is_string])
    if cast is None or not cast.find_ancestor(exp.Where):
        return None
    year, month, day = (exp.Literal.number(int(part)) for part in cast.this.name.split("-"))
    return swap(cast, exp.Anonymous(this="make_date", expressions=[year, month, day]))


@tree_edit(Claim.KEEPS)
def substring_spelling(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.Substring)
    if node is None or not node.find_ancestor(exp.Alias, exp.Where):
        return None
    given = [node.this, node.args.get("start"), node.args.get("length")]
    return swap(node, exp.Anonymous(this="substr", expressions=[g for g in given if g]))
