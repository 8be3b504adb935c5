"""Classifiers that are wrong, each in one way that a real one might be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import sqlglot.errors
from sqlglot import exp

from seeknal.dag.classifier import EVERYTHING, UNCHANGED, Change, Lineage, Query, Verdict

from .editing import parsed

Form = Callable[[exp.Expr], exp.Expr]


class Liar:
    """Judges by `change`, and takes what can't be parsed for another query."""

    def classify(self, old: Query, new: Query, inputs: Mapping[str, Change]) -> Verdict | None:
        try:
            return Verdict(self.change(parsed(old.sql), parsed(new.sql), inputs))
        except sqlglot.errors.SqlglotError:
            return Verdict(EVERYTHING)

    def lineage(self, query: Query) -> Lineage | None:
        return None

    def change(self, old: exp.Expr, new: exp.Expr, inputs: Mapping[str, Change]) -> Change:
        raise NotImplementedError


class NothingEverChanges(Liar):
    def change(self, old: exp.Expr, new: exp.Expr, inputs: Mapping[str, Change]) -> Change:
        return UNCHANGED


class RowsNeverChange(Liar):
    """Whatever is said, it is some columns' values."""

    def change(self, old: exp.Expr, new: exp.Expr, inputs: Mapping[str, Change]) -> Change:
        before, after = set(names(old)), set(names(new))
        return Change(
            changed=frozenset(before & after),
            added=frozenset(after - before),
            removed=frozenset(before - after),
            moved=True,
        )


class AddedColumnsAreHarmless(Liar):
    """A list that only grew is taken for a column more, whatever it is and wherever."""

    def change(self, old: exp.Expr, new: exp.Expr, inputs: Mapping[str, Change]) -> Change:
        before, after = names(old), names(new)
        added = frozenset(after) - frozenset(before)
        if not added or [name for name in after if name not in added] != before:
            return EVERYTHING
        return Change(added=added)


def names(tree: exp.Expr) -> list[str]:
    return tree.named_selects if isinstance(tree, exp.Query) else []


@dataclass(frozen=True)
class SameForm(Liar):
    """What comes to the same form is taken for the same query."""

    form: Form

    def change(self, old: exp.Expr, new: exp.Expr, inputs: Mapping[str, Change]) -> Change:
        same = old.transform(self.form) == new.transform(self.form)
        return UNCHANGED if same else EVERYTHING


def without_literals(node: exp.Expr) -> exp.Expr:
    return exp.Literal.string("") if isinstance(node, exp.Literal) else node


def in_lower_case(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal) and node.is_string:
        return exp.Literal.string(node.name.lower())
    return node


def without_distinct(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Select | exp.SetOperation):
        node.set("distinct", None)
    return node


def without_stars(node: exp.Expr) -> exp.Expr:
    """Takes every list for a star."""
    if isinstance(node, exp.Select) and node.args.get("from_"):
        node.set("expressions", [exp.Star()])
    return node


def in_any_order(node: exp.Expr) -> exp.Expr:
    """Takes the order of a list for a matter of style."""
    if isinstance(node, exp.Select):
        node.set("expressions", sorted(node.expressions, key=lambda item: item.sql("duckdb")))
    return node


def regrouped(node: exp.Expr) -> exp.Expr:
    """Takes sums of doubles for associative."""
    whole = not isinstance(node.parent, exp.Add | exp.Paren)
    if whole and isinstance(node, exp.Add | exp.Paren) and isinstance(node.unnest(), exp.Add):
        terms = sorted((term.copy() for term in addends(node)), key=lambda term: term.sql())
        return exp.Anonymous(this="sum_of", expressions=terms)
    return node


def addends(node: exp.Expr) -> list[exp.Expr]:
    node = node.unnest()
    if isinstance(node, exp.Add):
        return addends(node.this) + addends(node.expression)
    return [node]


def without_identities(node: exp.Expr) -> exp.Expr:
    """Takes x + 0, x - 0 and x * 1 for x, -0.0 and types or not."""
    inner = node.unnest()
    if isinstance(inner, exp.Add | exp.Sub | exp.Mul) and inner.expression.is_int:
        neutral = "1" if isinstance(inner, exp.Mul) else "0"
        if inner.expression.name == neutral:
            return inner.this
    return node


def without_null_tests(node: exp.Expr) -> exp.Expr:
    """Takes = for IS NOT DISTINCT FROM."""
    if isinstance(node, exp.NullSafeEQ):
        return exp.EQ(this=node.this, expression=node.expression)
    return exp.NEQ(**node.args) if isinstance(node, exp.NullSafeNEQ) else node


def without_sides(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Join):
        node.set("side", None)
    return node


def without_order(node: exp.Expr) -> exp.Expr:
    """Takes ORDER BY for idle, LIMIT or not."""
    if isinstance(node, exp.Ordered):
        node.set("desc", None)
        node.set("nulls_first", None)
    return node


class InputsDontMatter(Liar):
    """The same text is the same result, whatever it reads."""

    def change(self, old: exp.Expr, new: exp.Expr, inputs: Mapping[str, Change]) -> Change:
        return UNCHANGED if old == new else EVERYTHING


class InputsPassThrough(Liar):
    """What a table has more, so has every query over it."""

    def change(self, old: exp.Expr, new: exp.Expr, inputs: Mapping[str, Change]) -> Change:
        return next(iter(inputs.values()), UNCHANGED) if old == new else EVERYTHING


class AddedInputsDontMatter(Liar):
    """A column that wasn't there can't have been read: but by stars, and by name in their place."""

    def change(self, old: exp.Expr, new: exp.Expr, inputs: Mapping[str, Change]) -> Change:
        added_only = all(not (c.rows or c.changed or c.removed) for c in inputs.values())
        return UNCHANGED if old == new and added_only else EVERYTHING


class OnlyNamedColumnsMatter(Liar):
    """Knows stars, and neither natural joins, nor whole rows, nor names that get ambiguous."""

    def change(self, old: exp.Expr, new: exp.Expr, inputs: Mapping[str, Change]) -> Change:
        named = {column.name.lower() for column in new.find_all(exp.Column)}
        if old != new or new.find(exp.Star, exp.Columns):
            return EVERYTHING
        for change in inputs.values():
            if change.rows or named & (change.changed | change.removed):
                return EVERYTHING
        return UNCHANGED


class Case(NamedTuple):
    """A liar, the laws under which it must be found out, and the edit that does it, if not any."""

    liar: Liar
    laws: tuple[str, ...]
    edit: str = ""


BOTH = ("inputs", "chains")
LIARS = {
    "nothing ever changes": Case(NothingEverChanges(), ("pairs", *BOTH)),
    "rows never change": Case(RowsNeverChange(), ("pairs", "chains")),
    "added columns are harmless": Case(
        AddedColumnsAreHarmless(), ("pairs",), "add_where_it_counts"
    ),
    "literals don't matter": Case(SameForm(without_literals), ("pairs",), "other_literal"),
    "case doesn't matter": Case(SameForm(in_lower_case), ("pairs",), "literal_case"),
    "DISTINCT doesn't matter": Case(SameForm(without_distinct), ("pairs",), "toggle_distinct"),
    "a list is a star": Case(SameForm(without_stars), ("pairs",), "star_for_list"),
    "columns have no order": Case(SameForm(in_any_order), ("pairs",), "swap_columns"),
    "sums can be regrouped": Case(SameForm(regrouped), ("pairs",), "regroup"),
    "x + 0 is x": Case(SameForm(without_identities), ("pairs",), "arithmetic_identity"),
    "= knows NULLs": Case(SameForm(without_null_tests), ("pairs",), "null_aware"),
    "outer joins are inner": Case(SameForm(without_sides), ("pairs",), "other_join"),
    "order doesn't matter": Case(SameForm(without_order), ("pairs",), "other_order"),
    "inputs don't matter": Case(InputsDontMatter(), BOTH),
    "inputs pass through": Case(InputsPassThrough(), BOTH),
    "added inputs don't matter": Case(AddedInputsDontMatter(), BOTH),
    "only named columns matter": Case(OnlyNamedColumnsMatter(), BOTH),
}
