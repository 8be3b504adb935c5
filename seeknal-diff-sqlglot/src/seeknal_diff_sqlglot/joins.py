"""FROM and JOIN."""

from __future__ import annotations

from sqlglot import exp

from seeknal_diff_sqlglot.expressions import conditions
from seeknal_diff_sqlglot.relations import Clause, NotUnderstood, Source
from seeknal_diff_sqlglot.scopes import Scope
from seeknal_diff_sqlglot.tables import Build, Tables, add_source

_OF_A_JOIN = {"this", "on", "side", "kind", "using", "method"}
_PLAIN = {"inner", "left"}


def read_from(node: exp.Select, scope: Scope, tables: Tables, build: Build) -> list[Clause]:
    """Put all sources of a SELECT into its scope. What joins them decides rows.

    A condition of an inner join is a filter like any other where all joins are inner or left
    ones: the rows that it drops are dropped before or after with the same result, as a left join
    keeps each row of its left side. So inner joins may stand in any order. All dialects.
    """
    from_ = node.args.get("from_")
    if from_ is None:
        return []
    add_source(from_.this, scope, tables, build)
    written = list(node.args.get("joins") or ())
    written += list(from_.this.args.get("joins") or ()) if not written else []
    kinds = [_kind(join) for join in written]
    plain = all(kind in _PLAIN for kind in kinds)
    clauses: list[Clause] = []
    for join, kind in zip(written, kinds, strict=True):
        source = add_source(join.this, scope, tables, build)
        source.kind = kind
        source.ordered = join.method in ("POSITIONAL", "ASOF")
        source.condition = _condition(join, source, scope, plain)
        if kind == "natural":
            clauses.append(Clause("NATURAL JOIN", (source.label,), join))
        elif not plain:
            how = f"{join.method} {join.side} {join.kind} {bool(join.args.get('on'))}"
            clauses.append(Clause("JOIN", (how, source.label, *source.condition), join))
        elif kind == "left":
            clauses.append(Clause("LEFT JOIN", (source.label, *source.condition), join))
        elif source.condition:
            clauses.append(Clause("ON", source.condition, join))
    if plain:
        clauses.sort(key=lambda clause: (clause.name, str(clause.value[0])))
    return clauses


def _kind(join: exp.Join) -> str:
    extra = {name for name, value in join.args.items() if value and name not in _OF_A_JOIN}
    if extra:
        raise NotUnderstood(f"{min(extra).strip('_')} on a join", join)
    if join.method:
        return "natural" if join.method == "NATURAL" and not join.side else "other"
    if join.kind in ("SEMI", "ANTI"):
        return join.kind.lower()
    if join.side == "LEFT" and join.kind in ("", "OUTER"):
        return "left"
    if not join.side and join.kind in ("", "INNER", "CROSS"):
        return "inner"
    return "other"


def _condition(join: exp.Join, source: Source, scope: Scope, plain: bool) -> tuple[int, ...]:
    on = join.args.get("on")
    if on is not None and join.method == "ASOF" and on.find(exp.Not):
        raise NotUnderstood("NOT in an ASOF JOIN, which wants its inequality as it is", join)
    if on is not None:
        return conditions(on, scope)
    using = join.args.get("using")
    return _using(using, source, scope, plain) if using else ()


def _using(names: list[exp.Expr], source: Source, scope: Scope, plain: bool) -> tuple[int, ...]:
    """`USING (k)` is `ON l.k = r.k`, and k means the left one: inner and left joins only.

    Of others, k is the one of the two that is not NULL. A star shows k once, so that there it is
    not the same.
    """
    left = scope.sources[:-1]
    found: list[int] = []
    for identifier in names:
        name = scope.context.fold(identifier)
        lower = name.lower()
        if not plain or (len(left) > 1 and lower not in scope.merged):
            raise NotUnderstood("USING whose left side may be of several tables", identifier)
        mine = scope.merged.get(lower)
        if mine is None:
            mine = scope.of(0, left[0], name)
        scope.merged[lower] = mine
        scope.hidden.setdefault(source.label, set()).add(lower)
        theirs = scope.of(0, source, name)
        found.append(scope.context.terms.put("eq", *sorted((mine, theirs))))
    return tuple(sorted(found))
