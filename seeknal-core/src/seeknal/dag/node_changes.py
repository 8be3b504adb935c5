"""What was edited in a node, besides its SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seeknal.dag.classifier import EVERYTHING, UNCHANGED, Change, Reason
from seeknal.dag.manifest import Node
from seeknal.dag.queries import SQL_KEYS, sql_of

Edit = tuple[Change, Reason]

DESCRIBING = ("description", "owner", "tags", "audits")
"""Keys that say something about a node and change nothing in it; in older manifests they stand in
its config too."""

SNIFFED = ("csv",)
"""Formats that are found out by looking at the data: there the type of one column may decide how
others are read."""


def is_same(old: Node, new: Node) -> bool:
    """Whether nothing was edited; where a node stands is nothing of it."""
    return old is new or _parts(old) == _parts(new)


def _parts(node: Node) -> tuple[object, ...]:
    return (
        node.config, node.inputs, node.columns, node.incremental, node.description, node.owner,
        node.tags, node.unique_key, node.extra,
    )  # fmt: skip


def edits(old: Node, new: Node) -> list[Edit]:
    """What was edited, and what it changes in the node's result. Its SQL is left out."""
    found = [*_config(old, new), *_columns(old, new), *_time(old, new), *_described(old, new)]
    if sql_of(new) is None and old.inputs != new.inputs:
        found.append((EVERYTHING, Reason("it reads other nodes, or in another order")))
    for key in old.extra.keys() | new.extra.keys():
        if old.extra.get(key) != new.extra.get(key):
            found.append((EVERYTHING, Reason(f"'{key}' is different, and nothing knows it")))
    if old.unique_key != new.unique_key:
        found.append((UNCHANGED, Reason("its unique_key is different")))
    return found


def _config(old: Node, new: Node) -> Iterator[Edit]:
    sql = sql_of(old) is not None and sql_of(new) is not None
    judged_elsewhere = (*SQL_KEYS, "inputs") if sql else ()
    for key in sorted(old.config.keys() | new.config.keys()):
        before, after = old.config.get(key), new.config.get(key)
        if before == after or key in judged_elsewhere:
            continue
        if key in DESCRIBING:
            yield UNCHANGED, Reason(f"its {key} is different")
        elif key == "code":
            yield EVERYTHING, Reason("its Python code is different")
        else:
            yield EVERYTHING, Reason(f"its {key} is different{_values(before, after)}")


def _values(before: Any, after: Any) -> str:
    simple = all(isinstance(value, str | int | float) for value in (before, after))
    return f": {after!r}, and was {before!r}" if simple else ""


def _columns(old: Node, new: Node) -> Iterator[Edit]:
    for name in [*old.columns, *(n for n in new.columns if n not in old.columns)]:
        before, after = old.columns.get(name), new.columns.get(name)
        if before == after:
            continue
        types = before.dtype if before else None, after.dtype if after else None
        if types[0] == types[1] or _is_computed(new):
            yield UNCHANGED, Reason(f"what is said of the column '{name}' is different")
        elif new.config.get("source") not in SNIFFED:
            why = f"the type of the column '{name}' is {_type(types[1])}, and was {_type(types[0])}"
            yield Change(changed=frozenset([name.lower()])), Reason(why)
        else:
            why = f"the type of the column '{name}' is different, and may decide how lines are read"
            yield EVERYTHING, Reason(why)


def _is_computed(node: Node) -> bool:
    """Whether its columns have the types that its SQL or its function gives them."""
    return node.kind == "transform" and (sql_of(node) is not None or "function" in node.config)


def _type(dtype: str | None) -> str:
    return dtype or "not given"


def _time(old: Node, new: Node) -> Iterator[Edit]:
    before, after = old.incremental, new.incremental
    if before == after:
        return
    if before is None or after is None:
        how = "interval by interval" if after else "whole"
        yield EVERYTHING, Reason(f"it is computed {how} now")
    elif before.content != after.content:
        yield EVERYTHING, Reason("its schedule, or what an interval of it holds, is different")
    else:
        yield UNCHANGED, Reason("how its intervals are computed is different")


def _described(old: Node, new: Node) -> Iterator[Edit]:
    for key in DESCRIBING[:3]:
        if getattr(old, key) != getattr(new, key):
            yield UNCHANGED, Reason(f"another {key.removesuffix('s')}")
