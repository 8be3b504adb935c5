"""Expressions as terms. Each rule of equality is a function that says why it holds."""

from __future__ import annotations

from sqlglot import exp

from seeknal_diff_sqlglot.arithmetic import commutative, comparison, in_list, integer, number
from seeknal_diff_sqlglot.calls import count, exists, generic, opaque
from seeknal_diff_sqlglot.dispatch import HANDLERS, expression
from seeknal_diff_sqlglot.logic import any_between, conditions, logic
from seeknal_diff_sqlglot.values import (
    boolean,
    case,
    column,
    columns,
    dot,
    identifier,
    lambda_,
    literal,
    placeholder,
    star,
    subquery,
)
from seeknal_diff_sqlglot.windows import window

__all__ = ["conditions", "expression", "integer", "number", "opaque"]

HANDLERS |= {
    exp.And: logic,
    exp.Or: logic,
    exp.Not: logic,
    exp.Between: any_between,
    exp.EQ: comparison("eq", mirrored=False, symmetric=True),
    exp.NEQ: comparison("ne", mirrored=False, symmetric=True),
    exp.NullSafeEQ: comparison("same", mirrored=False, symmetric=True),
    exp.NullSafeNEQ: comparison("distinct", mirrored=False, symmetric=True),
    exp.LT: comparison("lt", mirrored=False, symmetric=False),
    exp.GT: comparison("lt", mirrored=True, symmetric=False),
    exp.LTE: comparison("le", mirrored=False, symmetric=False),
    exp.GTE: comparison("le", mirrored=True, symmetric=False),
    exp.Add: commutative,
    exp.Mul: commutative,
    exp.In: in_list,
    exp.Count: count,
    exp.Case: case,
    exp.Literal: literal,
    exp.Boolean: boolean,
    exp.Column: column,
    exp.Star: star,
    exp.Columns: columns,
    exp.Identifier: identifier,
    exp.Dot: dot,
    exp.Lambda: lambda_,
    exp.Placeholder: placeholder,
    exp.Subquery: subquery,
    exp.Select: subquery,
    exp.Union: subquery,
    exp.Intersect: subquery,
    exp.Except: subquery,
    exp.Exists: exists,
    exp.Window: window,
    object: generic,
}
