"""`seeknal env diff`: what readers would see change, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seeknal.cli.options import AsJson, ProjectPath
from seeknal.cli.words import columns, count
from seeknal.errors import RequestError

if TYPE_CHECKING:
    from seeknal.workflow.differences import Difference
    from seeknal.workflow.engine import ComparedRow, Comparison

_WIDEST = 40
"""Characters of a value."""


def diff(
    after: Annotated[str, typer.Argument(metavar="ENV", help="What would be shown.")],
    before: Annotated[str, typer.Argument(metavar="WHERE", help="Where.")] = "prod",
    project: ProjectPath = Path(),
    node: Annotated[
        str | None, typer.Option("--node", "-n", metavar="NODE", help="Only this one, with rows.")
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option(
            "--keys",
            metavar="A,B",
            help="Columns that tell which rows belong together.",
            show_default="the node's unique_key",
        ),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="Rows to show of each kind.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show how the data of two environments differ: columns, and rows by key.

    As in `seeknal env diff dev prod`: what would change in prod if dev was promoted.
    """
    from seeknal.workflow.differences import differences
    from seeknal.workflow.open_project import OpenProject

    if keys and not node:
        raise RequestError("--keys belongs to one node: name it with --node.")
    given = [name.strip() for name in keys.split(",")] if keys else []
    shown = rows if node or as_json else 0
    with OpenProject(project) as opened:
        found = differences(opened, after, before, node=node, keys=given, rows=shown)
        if as_json:
            answer = [_facts(one) for one in found]
            typer.echo(json.dumps(answer, indent=2, default=str, ensure_ascii=False))
        elif node:
            for one in found:
                typer.echo("\n".join(_details(one, after, before)))
        else:
            typer.echo("\n".join(_overview(list(found), after, before)))


def _overview(found: Sequence[Difference], after: str, before: str) -> Iterator[str]:
    if not found:
        yield f"'{after}' and '{before}' show the same."
        return
    header = ("NODE", "ROWS", "ADDED", "REMOVED", "CHANGED", "COLUMNS")
    yield columns(header, [_row(one, after, before) for one in found])


def _row(one: Difference, after: str, before: str) -> Sequence[str]:
    comparison = one.comparison
    if comparison is None:
        only = after if one.after else before
        return (one.node_id, "-", "-", "-", "-", f"only '{only}' shows it")
    numbers = (comparison.added, comparison.removed, comparison.changed)
    cells = [f"{number:,}" if number else "-" for number in numbers]
    if not comparison.keys:
        cells[2] = "no keys"
    rows = f"{comparison.rows_before:,}"
    if comparison.rows_after != comparison.rows_before:
        rows += f" > {comparison.rows_after:,}"
    schema = [*(f"+{c}" for c in comparison.added_columns)]
    schema += [f"-{c}" for c in comparison.removed_columns]
    schema += [f"{c} {old} > {new}" for c, (old, new) in comparison.retyped.items()]
    changed = comparison.changed_by_column
    schema += [f"{c} in {count(n, 'row')}" for c, n in list(changed.items())[:3]]
    return (one.node_id, rows, *cells, ", ".join(schema) or "the same")


def _details(one: Difference, after: str, before: str) -> Iterator[str]:
    comparison = one.comparison
    if comparison is None:
        only = after if one.after else before
        yield f"{one.node_id}: only '{only}' shows it."
        return
    yield f"{one.node_id}, in '{before}' and in '{after}'"
    yield f"  rows      {comparison.rows_before:,} and {comparison.rows_after:,}"
    by = f"by {', '.join(comparison.keys)}" if comparison.keys else "by all columns: no keys"
    numbers = f"{comparison.added:,} added, {comparison.removed:,} removed"
    if comparison.keys:
        numbers += f", {comparison.changed:,} changed"
    yield f"  {by}: {numbers}"
    if comparison.repeated_keys:
        yield (
            f"  {count(comparison.repeated_keys, 'key')} in more than one row: compared as whole "
            "rows"
        )
    for what, found in (
        ("new", comparison.added_columns),
        ("gone", comparison.removed_columns),
    ):
        if found:
            yield f"  {what:<9} {', '.join(f'{name} {kind}' for name, kind in found.items())}"
    for name, (old, new) in comparison.retyped.items():
        yield f"  type      {name}: {old}, and {new} now"
    for name, number in comparison.changed_by_column.items():
        yield f"  changed   {name} in {count(number, 'row')}"
    yield from _sample(comparison)


def _sample(comparison: Comparison) -> Iterator[str]:
    """Some rows of each kind."""
    for kind, total in (
        ("changed", comparison.changed),
        ("added", comparison.added),
        ("removed", comparison.removed),
    ):
        found = [row for row in comparison.sample if row.kind == kind]
        if not found:
            continue
        some = f", {len(found)} of them" if len(found) < total else ""
        yield f"\n{count(total, 'row')} {kind}{some}:"
        if kind == "changed":
            changed = [c for c in comparison.columns if c in comparison.changed_by_column]
            names = [*comparison.keys, *changed]
            yield columns(names, [_changed(row, comparison.keys, changed) for row in found])
        else:
            values = [row.after if kind == "added" else row.before for row in found]
            names = list(values[0] or {})
            yield columns(names, [[_value((v or {}).get(n)) for n in names] for v in values])


def _changed(row: ComparedRow, keys: Sequence[str], names: Sequence[str]) -> list[str]:
    old, new = row.before or {}, row.after or {}
    cells = [_value(new.get(key)) for key in keys]
    for name in names:
        sides = _value(old.get(name)), _value(new.get(name))
        cells.append(sides[1] if sides[0] == sides[1] else " > ".join(sides))
    return cells


def _value(value: Any) -> str:
    text = "NULL" if value is None else str(value).replace("\n", "\\n")
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _facts(one: Difference) -> Mapping[str, Any]:
    from dataclasses import asdict

    facts: dict[str, Any] = {
        "node": one.node_id,
        "before": one.before.id if one.before else None,
        "after": one.after.id if one.after else None,
    }
    if one.comparison:
        facts |= asdict(one.comparison)
        facts["sample"] = [row._asdict() for row in one.comparison.sample]
    return facts
