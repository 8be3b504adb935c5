"""FROM and JOIN."""

from __future__ import annotations

from sqlglot import exp

from seeknal_diff_sqlglot.assumptions import has
from seeknal_diff_sqlglot.expressions import conditions, expression
from seeknal_diff_sqlglot.relations import Clause, NotUnderstood, Source
from seeknal_diff_sqlglot.scopes import ANY, Scope
from seeknal_diff_sqlglot.tables import Build, Tables, add_source
from seeknal_diff_sqlglot.terms import Read

_OF_A_JOIN = {"this", "on", "side", "kind", "using", "method"}
_PLAIN = {"inner", "left"}
_COMPARISONS = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


def read_from(node: exp.Select, scope: Scope, tables: Tables, build: Build) -> list[Clause]:
    """Put all sources of a SELECT into its scope. What joins them decides rows.

    A condition of an inner join is a filter like any other where all joins are inner or left
    ones: the rows that it drops are dropped before or after with the same result, as a left join
    keeps each row of its left side. So inner joins may stand in any order. All dialects.
    """
    from_ = node.args.get("from_")
    if from_ is None:
        return []
    scope.joining = True
    add_source(from_.this, scope, tables, build)
    written = list(node.args.get("joins") or ())
    written += list(from_.this.args.get("joins") or ()) if not written else []
    kinds = [_kind(join) for join in written]
    plain = all(kind in _PLAIN for kind in kinds)
    clauses: list[Clause] = []
    for join, kind in zip(written, kinds, strict=True):
        source = add_source(join.this, scope, tables, build)
        source.kind = kind
        scope.one_sided |= kind in ("semi", "anti")
        source.ordered = join.method in ("POSITIONAL", "ASOF")
        source.condition = _condition(join, source, scope)
        if kind == "natural":
            how = f"{join.side} {join.kind}"
            clauses.append(Clause("NATURAL JOIN", (how, source.label), join))
        elif not plain:
            how = f"{join.method} {join.side} {join.kind} {bool(join.args.get('on'))}"
            clauses.append(Clause("JOIN", (how, source.label, *source.condition), join))
        elif kind == "left":
            clauses.append(Clause("LEFT JOIN", (source.label, *source.condition), join))
        elif source.condition:
            clauses.append(Clause("ON", source.condition, join))
    scope.joining = False
    if plain:
        clauses.sort(key=lambda clause: (clause.name, str(clause.value[0])))
    return clauses


def _kind(join: exp.Join) -> str:
    extra = {name for name, value in join.args.items() if value and name not in _OF_A_JOIN}
    if extra:
        raise NotUnderstood(f"{min(extra).strip('_')} on a join", join)
    if join.method == "NATURAL" and join.kind in ("SEMI", "ANTI"):
        raise NotUnderstood("a NATURAL join that shows one side only", join)
    if join.method:
        return "natural" if join.method == "NATURAL" else "other"
    if join.kind in ("SEMI", "ANTI"):
        return join.kind.lower()
    if join.side == "LEFT" and join.kind in ("", "OUTER"):
        return "left"
    if not join.side and join.kind in ("", "INNER", "CROSS"):
        return "inner"
    return "other"


def _condition(join: exp.Join, source: Source, scope: Scope) -> tuple[int, ...]:
    on = join.args.get("on")
    if on is not None and join.method == "ASOF":
        return _inequality(on, scope)
    if on is not None:
        return conditions(on, scope)
    using = join.args.get("using")
    return _using(using, join, source, scope) if using else ()


def _inequality(on: exp.Expr, scope: Scope) -> tuple[int, ...]:
    """ASOF wants comparisons, one of them an inequality, and takes nothing else for one."""
    parts = [part.unnest() for part in on.unnest().flatten()] if isinstance(on, exp.And) else [on]
    if not all(isinstance(part, _COMPARISONS) for part in parts):
        raise NotUnderstood("something else than comparisons in an ASOF JOIN", on)
    return tuple(sorted(expression(part, scope) for part in parts))


def _using(names: list[exp.Expr], join: exp.Join, source: Source, scope: Scope) -> tuple[int, ...]:
    """`USING (k)` is `ON l.k = r.k`, and k means the left one: inner and left joins only.

    Of others, k is something of its own, made of both. A star shows k once, so that there it is
    not the same.
    """
    put = scope.context.terms.put
    found: list[int] = []
    for identifier in names:
        name = scope.context.fold(identifier)
        lower = name.lower()
        mine = scope.merged.get(lower)
        if mine is None:
            mine = _left_one(name, scope)
        theirs = scope.of(0, source, name)
        scope.hidden.setdefault(source.label, set()).add(lower)
        found.append(put("eq", *sorted((mine, theirs))))
        if source.kind not in ("inner", "left", "semi", "anti"):
            scope.stars_merge = True
            mine = put("merged", f"{join.method} {join.side} {join.kind}", mine, theirs)
        if source.kind not in ("semi", "anti"):
            scope.merged[lower] = mine
    return tuple(found) if join.method else tuple(sorted(found))


def _left_one(name: str, scope: Scope) -> int:
    """The column of what stands to the left in a FROM."""
    left = [s for s in scope.sources[:-1] if s.kind not in ("semi", "anti")]
    having = [s for s in left if has(s.relation, name.lower()) is not False]
    if len(having) == 1:
        return scope.of(0, having[0], name)
    scope.context.assumptions.need([s.relation for s in having], name.lower(), computed=True)
    read = frozenset({Read(0, ANY, name.lower())})
    return scope.context.terms.put("name", "0", name, reads=read)
