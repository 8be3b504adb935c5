"""Edits of a query's shape that keep its meaning: names of its parts, CTEs, subqueries, joins."""

from __future__ import annotations

import random

from sqlglot import exp

from .editing import (
    Claim,
    fresh,
    has_star,
    one_of,
    outermost,
    pick,
    plain,
    selects,
    swap,
    tree_edit,
)


@tree_edit(Claim.KEEPS)
def rename_cte(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    cte = one_of(tree, rng, exp.CTE)
    if cte is None or sum(c.alias == cte.alias for c in tree.find_all(exp.CTE)) > 1:
        return None
    old, new = cte.alias, fresh(tree, rng, "part")
    for table in tree.find_all(exp.Table):
        if table.name == old and not table.db:
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(old)))
            table.this.replace(exp.to_identifier(new))
    cte.args["alias"].this.replace(exp.to_identifier(new))
    return tree


@tree_edit(Claim.KEEPS)
def rename_table_alias(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    table = one_of(tree, rng, exp.Table, exp.Subquery)
    if table is None or not table.alias or table.args["alias"].columns:
        return None
    old, new = table.alias, fresh(tree, rng, "t")
    if sum(other.alias == old for other in tree.find_all(exp.Table, exp.Subquery)) > 1:
        return None
    for column in tree.find_all(exp.Column):
        if column.table == old:
            column.set("table", exp.to_identifier(new))
        elif column.name == old:
            return None
    table.args["alias"].this.replace(exp.to_identifier(new))
    return tree


@tree_edit(Claim.KEEPS)
def alias_table(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """Gives a table that is read under its own name that name as its alias."""
    table = pick(rng, [t for t in tree.find_all(exp.Table) if not t.alias and t.name])
    if table is None or isinstance(table.parent, exp.Pivot):
        return None
    table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
    return tree


@tree_edit(Claim.KEEPS)
def reorder_ctes(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    part = one_of(tree, rng, exp.With)
    if part is None or len(part.expressions) < 2 or part.args.get("recursive"):
        return None
    place = rng.randrange(len(part.expressions) - 1)
    one, two = part.expressions[place : place + 2]
    if any(table.name == one.alias for table in two.find_all(exp.Table)):
        return None
    ctes = list(part.expressions)
    ctes[place : place + 2] = [two, one]
    part.set("expressions", ctes)
    return tree


@tree_edit(Claim.KEEPS)
def inline_cte(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    part = one_of(tree, rng, exp.With)
    if part is None or part.args.get("recursive"):
        return None
    cte = rng.choice(part.expressions)
    uses = [t for t in tree.find_all(exp.Table) if t.name == cte.alias and not t.db]
    if not uses or cte.args["alias"].columns or cte.find(exp.Rand, exp.Anonymous):
        return None
    for use in uses:
        subquery = exp.Subquery(
            this=cte.this.copy(),
            alias=exp.TableAlias(this=exp.to_identifier(use.alias or cte.alias)),
            joins=use.args.get("joins"),
        )
        use.replace(subquery)
    cte.pop()
    if not part.expressions:
        part.pop()
    return tree


@tree_edit(Claim.KEEPS)
def extract_cte(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """A subquery in the outermost FROM becomes a CTE."""
    select = outermost(tree)
    if select is None or (select.args.get("with_") and select.args["with_"].args.get("recursive")):
        return None
    source = select.args.get("from_")
    places = [source.this] if source else []
    places += [join.this for join in select.args.get("joins") or []]
    chosen = [p for p in places if isinstance(p, exp.Subquery) and p.alias]
    subquery = pick(rng, [p for p in chosen if not p.args["alias"].columns])
    if subquery is None or subquery.args.get("pivots"):
        return None
    name, alias = fresh(tree, rng, "part"), subquery.alias
    inner = subquery.this
    subquery.replace(exp.alias_(exp.to_table(name), alias, table=True))
    return tree.with_(name, as_=inner, dialect="duckdb", copy=False)


@tree_edit(Claim.KEEPS)
def unused_cte(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    if not isinstance(tree, exp.Select | exp.SetOperation):
        return None
    body = rng.choice(("SELECT 1 AS one", "SELECT * FROM (VALUES (1), (2)) AS v (x)"))
    return tree.with_(fresh(tree, rng, "unused"), as_=body, dialect="duckdb", copy=False)


@tree_edit(Claim.KEEPS)
def drop_unused_cte(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    used = {table.name for table in tree.find_all(exp.Table) if not table.db}
    cte = pick(rng, [cte for cte in tree.find_all(exp.CTE) if cte.alias not in used])
    part = cte.parent if cte else None
    if cte is None or part is None:
        return None
    cte.pop()
    if not part.expressions:
        part.pop()
    return tree


@tree_edit(Claim.KEEPS)
def wrap_in_select(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """A name that stands twice in a list gets another in a subquery, so not of two stars."""
    if not isinstance(tree, exp.Select | exp.SetOperation):
        return None
    return exp.select("*").from_(tree.subquery(fresh(tree, rng, "whole"), copy=False))


@tree_edit(Claim.KEEPS)
def table_to_subquery(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    tables = [t for t in tree.find_all(exp.Table) if isinstance(t.parent, exp.From | exp.Join)]
    table = pick(rng, [t for t in tables if not t.args.get("pivots") and not t.args.get("joins")])
    if table is None or table.args.get("sample"):
        return None
    name = table.alias or table.name
    bare = table.copy()
    bare.set("alias", None)
    table.replace(exp.select("*").from_(bare).subquery(name))
    return tree


@tree_edit(Claim.KEEPS)
def table_to_cte(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    tables = [t for t in tree.find_all(exp.Table) if t.db and not t.args.get("pivots")]
    table = pick(rng, tables)
    if table is None or not isinstance(tree, exp.Select | exp.SetOperation):
        return None
    name, alias = fresh(tree, rng, "part"), table.alias or table.name
    bare = exp.to_table(f"{table.db}.{table.name}")
    table.set("db", None)
    table.set("this", exp.to_identifier(name))
    table.set("alias", table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(alias)))
    tree.with_(name, as_=exp.select("*").from_(bare), copy=False)
    part = tree.args["with_"]
    part.set("expressions", [part.expressions[-1], *part.expressions[:-1]])
    return tree


@tree_edit(Claim.KEEPS)
def join_to_comma(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    joins = [j for j in tree.find_all(exp.Join) if j.args.get("on") and not j.side and not j.method]
    join = pick(rng, [j for j in joins if j.kind in ("", "INNER")])
    select = join.parent if join else None
    if join is None or not isinstance(select, exp.Select):
        return None
    if any(other.side or other.method for other in select.args.get("joins") or []):
        return None
    on = join.args["on"]
    join.set("on", None)
    join.set("kind", "CROSS")
    return select.where(on, copy=False).root()


@tree_edit(Claim.KEEPS)
def using_to_on(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    join = pick(rng, [j for j in tree.find_all(exp.Join) if j.args.get("using") and not j.method])
    select = join.parent if join else None
    if join is None or not isinstance(select, exp.Select) or has_star(select) or join.side:
        return None
    if len(select.args["joins"]) != 1 or join.kind not in ("", "INNER"):
        return None
    left, right = select.args["from_"].this.alias_or_name, join.this.alias_or_name
    names = [column.name for column in join.args["using"]]
    for column in select.find_all(exp.Column):
        if column.name in names and not column.table:
            column.set("table", exp.to_identifier(left))
    join.set("using", None)
    join.set("on", exp.and_(*(f"{left}.{name} = {right}.{name}" for name in names)))
    return tree


@tree_edit(Claim.KEEPS)
def join_spelling(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    join = one_of(tree, rng, exp.Join)
    if join is None or join.method:
        return None
    if join.side:
        join.set("kind", "" if join.kind == "OUTER" else "OUTER" if not join.kind else join.kind)
    elif join.kind in ("", "INNER") and (join.args.get("on") or join.args.get("using")):
        join.set("kind", "" if join.kind else "INNER")
    else:
        return None
    return tree


@tree_edit(Claim.KEEPS)
def qualify_columns(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """Names the only table of a select before its columns, or no longer does."""
    lone = [s for s in selects(tree) if s.args.get("from_") and not s.args.get("joins")]
    select = pick(rng, [s for s in lone if isinstance(s.args["from_"].this, exp.Table)])
    if select is None or sum(1 for _ in select.find_all(exp.Select)) > 1:
        return None
    name = select.args["from_"].this.alias_or_name
    aliases = {item.alias for item in select.expressions}
    for column in select.find_all(exp.Column):
        if not column.table and column.name not in aliases and not column.is_star:
            column.set("table", exp.to_identifier(name))
    return tree


@tree_edit(Claim.KEEPS)
def group_by_spelling(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    group = one_of(tree, rng, exp.Group)
    select = group.parent if group else None
    if group is None or not isinstance(select, exp.Select) or has_star(select):
        return None
    keys = list(group.expressions)
    items = [item.unalias() for item in select.expressions]
    for place, key in enumerate(keys):
        if key.is_int and int(key.name) <= len(items):
            keys[place] = items[int(key.name) - 1].copy()
        elif key in items:
            keys[place] = exp.Literal.number(items.index(key) + 1)
    group.set("expressions", keys)
    return tree


@tree_edit(Claim.KEEPS)
def distinct_to_group_by(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    select = pick(rng, [s for s in selects(tree) if s.args.get("distinct") and not has_star(s)])
    if select is None or select.args["distinct"].args.get("on") or select.args.get("group"):
        return None
    if any(item.find(exp.AggFunc, exp.Window) for item in select.expressions):
        return None
    select.set("distinct", None)
    places = range(1, len(select.expressions) + 1)
    return select.group_by(*(str(place) for place in places), copy=False).root()


@tree_edit(Claim.KEEPS)
def swap_union_branches(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    unions = [u for u in tree.find_all(exp.Union) if not u.args.get("by_name")]
    union = pick(rng, [u for u in unions if u.named_selects == u.expression.named_selects])
    if union is None or union.args.get("order") or union.args.get("limit"):
        return None
    left, right = union.this, union.expression
    union.set("this", right)
    union.set("expression", left)
    return tree


@tree_edit(Claim.KEEPS)
def order_inside(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """An ORDER BY that no LIMIT follows, in a CTE or a subquery, or at the end."""
    chosen = [s for s in selects(tree) if not s.args.get("limit") and not s.args.get("distinct")]
    select = pick(rng, [s for s in chosen if plain(s) and not has_star(s)])
    if select is None or isinstance(select.parent, exp.SetOperation):
        return None
    if select.args.get("order"):
        select.set("order", None)
        return tree
    return select.order_by("1 NULLS LAST", dialect="duckdb", copy=False).root()


@tree_edit(Claim.KEEPS)
def expand_star(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """EXISTS (SELECT *) asks what EXISTS (SELECT 1) asks."""
    exists = one_of(tree, rng, exp.Exists)
    if exists is None or not isinstance(exists.this, exp.Select):
        return None
    select = exists.this
    if not plain(select):
        return None
    new = exp.Literal.number(1) if has_star(select) else exp.Star()
    select.set("expressions", [new])
    return tree


@tree_edit(Claim.KEEPS)
def where_to_subquery(tree: exp.Expr, rng: random.Random) -> exp.Expr | None:
    """HAVING and QUALIFY written as a filter around: rows that fall out fall out later."""
    select = outermost(tree)
    if select is None or select is not tree or not select.args.get("where"):
        return None
    if has_star(select) or not plain(select) or select.args.get("order"):
        return None
    condition = select.args["where"].this
    if select.find(exp.Window) or select.args.get("limit"):
        return None
    name = fresh(tree, rng, "keep")
    select.set("where", None)
    select.select(exp.alias_(condition, name), copy=False)
    names = [item.alias_or_name for item in select.expressions[:-1]]
    return (
        exp.select(*(exp.column(n, quoted=True) for n in names))
        .from_(swap(select, select.subquery("inside")))
        .where(exp.column(name))
    )
