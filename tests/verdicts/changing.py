"""Edits that change what the expressions of a query say, most often for some data only."""

from __future__ import annotations

import random

from sqlglot import exp

from .editing import Claim, one_of, pick, swap, tree_edit

OPERATORS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
AGGREGATES = (exp.Sum, exp.Min, exp.Max, exp.Avg, exp.Count)


@tree_edit(Claim.CHANGES)
def other_literal(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    literal = one_of(tree, rng, exp.Literal)
    if literal is None:
        return None
    if literal.is_string:
        old = literal.name
        new = rng.choice((old.swapcase(), f"{old} ", old[:-1], f"{old}x", f" {old}"))
        return swap(literal, exp.Literal.string(new))
    new = rng.choice((f"{literal.name}0", f"1{literal.name}", f"{literal.name}.0", "0", "1"))
    return swap(literal, exp.Literal.number(new))


@tree_edit(Claim.CHANGES)
def literal_case(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    found = [literal for literal in tree.find_all(exp.Literal) if literal.is_string]
    literal = pick(rng, [one for one in found if one.name.swapcase() != one.name])
    return swap(literal, exp.Literal.string(literal.name.swapcase())) if literal else None


@tree_edit(Claim.CHANGES)
def other_operator(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, *OPERATORS)
    if node is None:
        return None
    kind = rng.choice([kind for kind in OPERATORS if kind is not type(node)])
    return swap(node, kind(this=node.this, expression=node.expression))


@tree_edit(Claim.CHANGES)
def and_or(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.And, exp.Or)
    if node is None:
        return None
    kind = exp.Or if isinstance(node, exp.And) else exp.And
    return swap(node, exp.paren(kind(this=node.this, expression=node.expression)))


@tree_edit(Claim.CHANGES)
def negate(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.Not, exp.In, exp.Between, exp.Like, exp.Exists, exp.Is)
    if node is None:
        return None
    return swap(node, node.this if isinstance(node, exp.Not) else exp.Not(this=node.copy()))


@tree_edit(Claim.CHANGES)
def null_aware(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """NULL is neither equal to NULL nor different, but not distinct from it."""
    node = one_of(tree, rng, exp.EQ, exp.NEQ)
    if node is None:
        return None
    kind = exp.NullSafeEQ if isinstance(node, exp.EQ) else exp.NullSafeNEQ
    return swap(node, kind(this=node.this, expression=node.expression))


@tree_edit(Claim.CHANGES)
def drop_predicate(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.And, exp.Or)
    if node is not None and rng.random() < 0.8:
        return swap(node, rng.choice((node.this, node.expression)))
    part = one_of(tree, rng, exp.Where, exp.Having, exp.Qualify)
    return part.pop().root() and tree if part is not None else None


@tree_edit(Claim.CHANGES)
def add_predicate(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    where = one_of(tree, rng, exp.Where, exp.Having)
    column = one_of(where, rng, exp.Column) if where is not None else None
    if where is None or column is None:
        return None
    predicate = rng.choice(
        (
            exp.Not(this=exp.Is(this=column.copy(), expression=exp.null())),
            exp.EQ(this=column.copy(), expression=column.copy()),
            exp.NEQ(this=column.copy(), expression=exp.null()),
            exp.or_(exp.EQ(this=column.copy(), expression=column.copy()), exp.false()),
        )
    )
    where.set("this", exp.and_(where.this, predicate))
    return tree


@tree_edit(Claim.CHANGES)
def toggle_distinct_inside(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.Count, exp.Sum, exp.Avg, exp.Max)
    if node is None or isinstance(node.this, exp.Star) or node.this is None:
        return None
    inner = node.this
    if isinstance(inner, exp.Distinct):
        node.set("this", inner.expressions[0])
    else:
        node.set("this", exp.Distinct(expressions=[inner]))
    return tree


@tree_edit(Claim.CHANGES)
def other_aggregate(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, *AGGREGATES)
    if node is None or isinstance(node.this, exp.Star):
        return None
    kind = rng.choice([kind for kind in AGGREGATES if kind is not type(node)])
    return swap(node, kind(this=node.this))


@tree_edit(Claim.CHANGES)
def count_column(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """count(*) counts the rows that count(x) leaves out."""
    count = one_of(tree, rng, exp.Count)
    column = one_of(tree, rng, exp.Column)
    if count is None or column is None:
        return None
    count.set("this", column.copy() if isinstance(count.this, exp.Star) else exp.Star())
    return tree


@tree_edit(Claim.CHANGES)
def other_column(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    one, two = one_of(tree, rng, exp.Column), one_of(tree, rng, exp.Column)
    return swap(one, two.copy()) if one is not None and two is not None else None


@tree_edit(Claim.CHANGES)
def other_cast(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    kinds = ("VARCHAR", "BIGINT", "DOUBLE", "DECIMAL(18, 2)", "DATE", "FLOAT")
    node = one_of(tree, rng, exp.Cast)
    if node is not None:
        node.set("to", exp.DataType.build(rng.choice(kinds), dialect="duckdb"))
        return tree
    column = one_of(tree, rng, exp.Column)
    return swap(column, exp.cast(column.copy(), rng.choice(kinds))) if column else None


@tree_edit(Claim.CHANGES)
def regroup(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """(a + b) + c rounds unlike a + (b + c); a / b * c unlike a / (b * c)."""
    kinds = (exp.Add, exp.Sub, exp.Mul, exp.Div)
    chosen = [n for n in tree.find_all(*kinds) if isinstance(n.this.unnest(), kinds)]
    node = pick(rng, chosen)
    if node is None:
        return None
    inner = node.this.unnest()
    right = type(node)(this=inner.expression.copy(), expression=node.expression.copy())
    return swap(node, exp.paren(type(inner)(this=inner.this.copy(), expression=exp.paren(right))))


@tree_edit(Claim.CHANGES)
def arithmetic_identity(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """x + 0 makes 0.0 of -0.0, x * 0 is no 0 for NULL and NaN, x / 1 is a DOUBLE."""
    column = one_of(tree, rng, exp.Column)
    if column is None or column.is_star:
        return None
    made = rng.choice(("{} + 0", "{} * 1", "{} - 0", "{} / 1", "{} || ''", "- (- {})", "0 + {}"))
    text = made.format(column.sql("duckdb"))
    return swap(column, exp.paren(exp.maybe_parse(text, dialect="duckdb")))


@tree_edit(Claim.CHANGES)
def drop_filter(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.Filter)
    return swap(node, node.this) if node is not None else None


@tree_edit(Claim.CHANGES)
def collate(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    column = one_of(tree, rng, exp.Column)
    if column is None or column.is_star:
        return None
    text = f"{column.sql('duckdb')} COLLATE NOCASE"
    return swap(column, exp.paren(exp.maybe_parse(text, dialect="duckdb")))


@tree_edit(Claim.CHANGES)
def other_function(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    column = one_of(tree, rng, exp.Column)
    if column is None or column.is_star:
        return None
    name = rng.choice(("lower", "trim", "abs", "round", "floor", "md5", "coalesce", "hash"))
    return swap(column, exp.Anonymous(this=name, expressions=[column.copy()]))
