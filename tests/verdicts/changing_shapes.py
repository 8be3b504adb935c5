"""Edits that change the shape of a query: its lists, joins, groups, orders and set operations."""

from __future__ import annotations

import random

from sqlglot import exp

from .editing import Claim, fresh, one_of, outermost, pick, selects, swap, tree_edit

SIDES = ("", "LEFT", "RIGHT", "FULL")


@tree_edit(Claim.CHANGES)
def toggle_distinct(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    select = pick(rng, selects(tree))
    if select is None:
        return None
    select.set("distinct", None if select.args.get("distinct") else exp.Distinct())
    return tree


@tree_edit(Claim.CHANGES)
def other_join(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    chosen = [j for j in tree.find_all(exp.Join) if j.args.get("on") or j.args.get("using")]
    join = pick(rng, [join for join in chosen if not join.method])
    if join is None:
        return None
    join.set("side", rng.choice([side for side in SIDES if side != join.side]) or None)
    join.set("kind", None)
    return tree


@tree_edit(Claim.CHANGES)
def on_to_where(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """The same for an inner join, and not for an outer one."""
    join = pick(rng, [j for j in tree.find_all(exp.Join) if isinstance(j.args.get("on"), exp.And)])
    select = join.parent if join else None
    if join is None or not isinstance(select, exp.Select):
        return None
    on = join.args["on"]
    join.set("on", on.this)
    return select.where(on.expression, copy=False).root()


@tree_edit(Claim.CHANGES)
def swap_columns(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """Two columns of a list change places, or their names do."""
    select = pick(rng, [s for s in selects(tree) if len(s.expressions) > 1])
    if select is None:
        return None
    items = list(select.expressions)
    one, two = rng.sample(range(len(items)), k=2)
    items[one], items[two] = items[two], items[one]
    if rng.random() < 0.4 and all(isinstance(items[i], exp.Alias) for i in (one, two)):
        first, second = items[one].alias, items[two].alias
        items[one].set("alias", exp.to_identifier(second))
        items[two].set("alias", exp.to_identifier(first))
    select.set("expressions", items)
    return tree


@tree_edit(Claim.CHANGES)
def remove_column(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    select = pick(rng, [s for s in selects(tree) if len(s.expressions) > 1])
    if select is None:
        return None
    items = list(select.expressions)
    items.pop(rng.randrange(len(items)))
    select.set("expressions", items)
    return tree


@tree_edit(Claim.CHANGES)
def rename_column(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    select = outermost(tree) if rng.random() < 0.6 else pick(rng, selects(tree))
    item = pick(rng, select.expressions) if select is not None else None
    if item is None or item.find(exp.Star, exp.Columns):
        return None
    names = [column.name for column in tree.find_all(exp.Column) if column.name]
    name = rng.choice([fresh(tree, rng, "name"), *names])
    return swap(item, exp.alias_(item.unalias().copy(), name))


@tree_edit(Claim.CHANGES)
def other_table(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """Another table of the query is read, under the old one's name."""
    tables = [table for table in tree.find_all(exp.Table) if table.name]
    table, other = pick(rng, tables), pick(rng, tables)
    if table is None or other is None or (table.db, table.name) == (other.db, other.name):
        return None
    alias = table.alias or table.name
    new = exp.table_(other.name, db=other.db or None, alias=alias)
    for part in ("joins", "pivots"):
        new.set(part, table.args.get(part))
    return swap(table, new)


@tree_edit(Claim.CHANGES)
def other_order(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.Ordered)
    if node is None:
        return None
    part = rng.choice(("desc", "nulls_first"))
    node.set(part, not node.args.get(part))
    return tree


@tree_edit(Claim.CHANGES)
def drop_order_key(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    order = one_of(tree, rng, exp.Order)
    if order is None:
        return None
    if len(order.expressions) == 1:
        return order.pop().root() and tree
    order.set("expressions", rng.sample(order.expressions, k=len(order.expressions) - 1))
    return tree


@tree_edit(Claim.CHANGES)
def other_limit(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    part = one_of(tree, rng, exp.Limit, exp.Offset, exp.Fetch)
    if part is None:
        select = pick(rng, selects(tree))
        return select.limit(rng.choice((1, 3)), copy=False).root() if select else None
    if rng.random() < 0.3:
        return part.pop().root() and tree
    part.set("expression", exp.Literal.number(rng.choice((0, 1, 2))))
    return tree


@tree_edit(Claim.CHANGES)
def other_group(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """A key less, ROLLUP for the plain keys, or no groups at all."""
    group = one_of(tree, rng, exp.Group)
    if group is None:
        return None
    keys = list(group.expressions)
    if keys and rng.random() < 0.4:
        group.set("expressions", [])
        group.set("rollup", [exp.Rollup(expressions=keys)])
    elif len(keys) > 1:
        keys.pop(rng.randrange(len(keys)))
        group.set("expressions", keys)
    else:
        group.pop()
    return tree


@tree_edit(Claim.CHANGES)
def other_set_operation(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.SetOperation)
    if node is None:
        return None
    if rng.random() < 0.5:
        node.set("distinct", not node.args.get("distinct"))
        return tree
    kind = rng.choice([k for k in (exp.Union, exp.Except, exp.Intersect) if k is not type(node)])
    return swap(node, kind(**node.args))


@tree_edit(Claim.CHANGES)
def swap_branches(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    node = one_of(tree, rng, exp.SetOperation)
    if node is None:
        return None
    left, right = node.this, node.expression
    if left.args.get("with_"):
        return None
    node.set("this", right)
    node.set("expression", left)
    return tree


@tree_edit(Claim.CHANGES)
def other_frame(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    window = one_of(tree, rng, exp.Window)
    if window is None:
        return None
    if window.args.get("spec"):
        window.set("spec", None)
    elif window.args.get("partition_by") and rng.random() < 0.5:
        window.set("partition_by", None)
    elif window.args.get("order"):
        texts = ("ROWS", "RANGE", "GROUPS")
        spec = exp.WindowSpec(
            kind=rng.choice(texts), start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"
        )
        window.set("spec", spec)
    else:
        return None
    return tree


@tree_edit(Claim.CHANGES)
def star_for_list(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    select = pick(rng, [s for s in selects(tree) if s.args.get("from_")])
    if select is None:
        return None
    select.set("expressions", [exp.Star()])
    return tree


@tree_edit(Claim.CHANGES)
def natural_join(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    join = pick(rng, [j for j in tree.find_all(exp.Join) if not j.method])
    if join is None:
        return None
    join.set("method", "NATURAL")
    join.set("on", None)
    join.set("using", None)
    if join.kind == "CROSS":
        join.set("kind", None)
    return tree


@tree_edit(Claim.CHANGES)
def other_cte_name(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """A CTE takes the name of another that stands further out, or of a table."""
    ctes = list(tree.find_all(exp.CTE))
    tables = [table.name for table in tree.find_all(exp.Table) if table.name]
    cte, name = pick(rng, ctes), pick(rng, tables)
    if cte is None or name is None:
        return None
    cte.args["alias"].this.replace(exp.to_identifier(name))
    return tree


@tree_edit(Claim.CHANGES)
def shift_places(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """Of GROUP BY 1 and ORDER BY 1."""
    chosen = [n for n in tree.find_all(exp.Group) if any(key.is_int for key in n.expressions)]
    group = pick(rng, chosen)
    if group is None:
        return None
    literal = rng.choice([key for key in group.expressions if key.is_int])
    return swap(literal, exp.Literal.number(int(literal.name) % 3 + 1))
