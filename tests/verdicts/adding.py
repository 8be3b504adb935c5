"""Edits that add a column and leave all else as it was, or mean to."""

from __future__ import annotations

import random

from sqlglot import exp

from .editing import Claim, fresh, has_star, outermost, pick, plain, selects, swap, tree_edit

CONSTANTS = ("1", "'x'", "NULL", "1.5", "TRUE", "DATE '2020-01-01'", "CAST(NULL AS INTEGER)")


def addable(select: exp.Select) -> bool:
    """Whether a column more in the list can leave the rows alone."""
    group = select.args.get("group")
    if select.args.get("distinct") or (group and group.args.get("all")):
        return False
    return not (group and any(key.is_int for key in group.expressions))


def computed(select: exp.Select, rng: random.Random) -> exp.Expr:
    """A deterministic expression over what the select's list shows already."""
    items = [item.unalias() for item in select.expressions if not item.find(exp.Star, exp.Columns)]
    columns = [item for item in items if isinstance(item, exp.Column) and not item.is_star]
    column = pick(rng, columns)
    if column is None or rng.random() < 0.2:
        return exp.maybe_parse(rng.choice(CONSTANTS), dialect="duckdb")
    made = [
        column.copy(),
        exp.Is(this=column.copy(), expression=exp.null()),
        exp.Case(ifs=[exp.If(this=exp.condition("1 = 1"), true=column.copy())]),
        exp.cast(column.copy(), "VARCHAR"),
        exp.Coalesce(this=exp.cast(column.copy(), "VARCHAR"), expressions=[exp.Literal.string("")]),
    ]
    return rng.choice(made)


def insert(select: exp.Select, item: exp.Expr, rng: random.Random) -> None:
    """Anywhere in the list; at its end where places in it are counted."""
    order = select.args.get("order")
    counted = order and any(key.this.is_int for key in order.expressions)
    items = list(select.expressions)
    place = len(items) if counted or rng.random() < 0.5 else rng.randrange(len(items) + 1)
    items.insert(place, item)
    select.set("expressions", items)


@tree_edit(Claim.ADDS)
def add_column(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    select = outermost(tree)
    if select is None or not addable(select):
        return None
    insert(select, exp.alias_(computed(select, rng), fresh(tree, rng, "added")), rng)
    return tree


@tree_edit(Claim.ADDS)
def add_aggregate(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    select = outermost(tree)
    if select is None or not addable(select) or plain(select) or select.args.get("qualify"):
        return None
    made = rng.choice(("count(*)", "max(1)", "count(DISTINCT 1)", "bool_and(TRUE)"))
    item = exp.alias_(exp.maybe_parse(made, dialect="duckdb"), fresh(tree, rng, "added"))
    insert(select, item, rng)
    return tree


@tree_edit(Claim.ADDS)
def add_window(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    select = outermost(tree)
    if select is None or not addable(select) or not plain(select):
        return None
    item = exp.maybe_parse("count(*) OVER ()", dialect="duckdb")
    insert(select, exp.alias_(item, fresh(tree, rng, "added")), rng)
    return tree


@tree_edit(Claim.ADDS)
def add_subquery_column(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    select = outermost(tree)
    if select is None or not addable(select) or not plain(select):
        return None
    tables = [table for table in tree.find_all(exp.Table) if table.db]
    table = pick(rng, tables)
    if table is None:
        return None
    count = exp.select("count(*)").from_(f"{table.db}.{table.name}").subquery()
    insert(select, exp.alias_(count, fresh(tree, rng, "added")), rng)
    return tree


@tree_edit(Claim.ADDS)
def add_through_cte(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """A column of a CTE that the outermost select shows."""
    select = outermost(tree)
    part = tree.args.get("with_")
    if select is None or part is None or not addable(select) or not plain(select):
        return None
    source = select.args["from_"].this if select.args.get("from_") else None
    ctes = {cte.alias: cte for cte in part.expressions}
    cte = ctes.get(source.name) if isinstance(source, exp.Table) and not source.db else None
    inner = outermost(cte.this) if cte is not None else None
    if cte is None or inner is None or not addable(inner) or cte.args["alias"].columns:
        return None
    name = fresh(tree, rng, "added")
    inner.select(exp.alias_(constant(rng), name), copy=False)
    insert(select, exp.column(name, table=source.alias_or_name), rng)
    return tree


@tree_edit(Claim.ADDS)
def add_to_union(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """To each branch of an outermost UNION ALL."""
    if not isinstance(tree, exp.Union) or tree.args.get("distinct"):
        return None
    branches = [tree.this, tree.expression]
    if not all(isinstance(branch, exp.Select) and addable(branch) for branch in branches):
        return None
    name, made = fresh(tree, rng, "added"), constant(rng)
    for branch in branches:
        branch.select(exp.alias_(made.copy(), name), copy=False)
    return tree


@tree_edit(Claim.KEEPS)
def add_hidden(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """A column of a CTE or a subquery that nobody reads."""
    chosen = []
    for select in selects(tree):
        outer = select.parent_select
        inside = isinstance(select.parent, exp.CTE | exp.Subquery)
        if inside and outer is not None and addable(select) and not has_star(select):
            chosen.append(select)
    select = pick(rng, chosen)
    if select is None or any(has_star(s) for s in selects(tree)) or in_set_or_scalar(select):
        return None
    select.select(exp.alias_(constant(rng), fresh(tree, rng, "hidden")), copy=False)
    return tree


def in_set_or_scalar(select: exp.Select) -> bool:
    parent = select.parent
    if isinstance(parent, exp.CTE):
        return bool(parent.args["alias"].columns)
    return not isinstance(parent.parent if parent else None, exp.From | exp.Join)


def constant(rng: random.Random) -> exp.Expr:
    return exp.maybe_parse(rng.choice(CONSTANTS), dialect="duckdb")


@tree_edit(Claim.CHANGES)
def add_where_it_counts(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """A column more under DISTINCT, GROUP BY ALL, a set operation, or in any select at all."""
    select = pick(rng, selects(tree))
    if select is None:
        return None
    names = [column.name for column in tree.find_all(exp.Column) if column.name]
    name = rng.choice([*names, fresh(tree, rng, "added")]) if names else "added"
    insert(select, exp.alias_(computed(select, rng), name), rng)
    return tree


@tree_edit(Claim.CHANGES)
def add_any_column(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """A column of the tables that may split groups and distinct rows."""
    select = pick(rng, selects(tree))
    columns = [column.copy() for column in tree.find_all(exp.Column) if not column.is_star]
    column = pick(rng, columns)
    if select is None or column is None:
        return None
    insert(select, exp.alias_(column, fresh(tree, rng, "added")), rng)
    group = select.args.get("group")
    if group and group.expressions and rng.random() < 0.5:
        select.group_by(column.copy(), copy=False)
    return tree


@tree_edit(Claim.CHANGES)
def add_volatile(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    select = pick(rng, selects(tree))
    if select is None:
        return None
    made = rng.choice(("random()", "uuid()", "now()", "nextval('s')", "row_number() OVER ()"))
    item = exp.maybe_parse(made, dialect="duckdb")
    insert(select, exp.alias_(item, fresh(tree, rng, "added")), rng)
    return tree


@tree_edit(Claim.CHANGES)
def add_unnest(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """A column that multiplies rows."""
    select = pick(rng, selects(tree))
    if select is None:
        return None
    made = rng.choice(("unnest([1, 2])", "generate_subscripts([1, 2], 1)", "unnest([])"))
    item = exp.maybe_parse(made, dialect="duckdb")
    insert(select, exp.alias_(item, fresh(tree, rng, "added")), rng)
    return tree


@tree_edit(Claim.CHANGES)
def add_failing(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """A column that can't be computed for each row."""
    select = outermost(tree)
    columns = [column.copy() for column in tree.find_all(exp.Column) if not column.is_star]
    column = pick(rng, columns)
    if select is None or column is None:
        return None
    made = [
        exp.cast(column, "INTEGER"),
        exp.cast(exp.cast(column.copy(), "VARCHAR"), "DATE"),
        exp.Anonymous(this="error", expressions=[exp.cast(column.copy(), "VARCHAR")]),
        exp.Mul(this=column.copy(), expression=exp.Literal.number(10**18)),
    ]
    insert(select, exp.alias_(rng.choice(made), fresh(tree, rng, "added")), rng)
    return tree


@tree_edit(Claim.CHANGES)
def add_hidden_doubtful(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """A column of a CTE or a subquery that nobody reads, and that may be refused."""
    select = pick(rng, [s for s in selects(tree) if isinstance(s.parent, exp.CTE | exp.Subquery)])
    columns = [column.copy() for column in tree.find_all(exp.Column) if not column.is_star]
    column = pick(rng, columns)
    if select is None or column is None:
        return None
    made = [
        column,
        exp.column(column.name),
        exp.Upper(this=column.copy()),
        exp.Add(this=column.copy(), expression=exp.Literal.number(1)),
        exp.cast(exp.cast(column.copy(), "VARCHAR"), "DATE"),
        exp.column(fresh(tree, rng, "nowhere")),
    ]
    insert(select, exp.alias_(rng.choice(made), fresh(tree, rng, "hidden")), rng)
    return tree


@tree_edit(Claim.CHANGES)
def add_first_aggregate(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """An aggregate in a select that had none makes one row of all; of some, a failure."""
    select = pick(rng, [s for s in selects(tree) if not s.args.get("group")])
    if select is None:
        return None
    insert(select, exp.alias_(exp.Count(this=exp.Star()), fresh(tree, rng, "added")), rng)
    return swap(select, select)
