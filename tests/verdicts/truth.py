"""What execution proves of a change: the lies that a verdict tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from seeknal.dag.classifier import EVERYTHING, UNCHANGED, Change, ChangeCategory

from .execution import Failure, Outcome, Result, Unknown, World

Runs = Mapping[str, Outcome]


class Kind(Enum):
    """What a verdict hid."""

    FAILS = "one version fails, the other does not"
    NAMES = "columns were added or removed that it doesn't say"
    ORDER = "the columns stand in another order"
    TYPE = "a column has another type"
    SPELLING = "the name of a column is in another case"
    ROWS = "the rows differ"
    DRAW = "the rows differ, in columns that differ for the old version alone too"


@dataclass(frozen=True, slots=True)
class Lie:
    kind: Kind
    world: str
    detail: str


def lies(
    change: Change, old: Runs, new: Runs, worlds: list[World], also: Runs | None = None
) -> list[Lie]:
    """What `change` says less of than the worlds show. Nothing is asked of a change of rows.

    also: the old version once more, over the same rows in other orders; worlds are named for their
    data. Draws are no lies where nothing is built anew.

    A version that fails where the other works is a lie of METADATA only. Whatever else was said,
    even if it is NON_BREAKING for a column more, the new version is computed: it fails loudly and
    nothing is left stale, or it works at last, and the old one has no result that could be stale.
    After METADATA nobody would see.
    """
    if change.rows:
        return []
    found = []
    for world in worlds:
        same = [run for name, run in {**old, **(also or {})}.items() if name.startswith(world.data)]
        told = lies_in(change, old[world.name], new[world.name], world.name, steady_columns(same))
        found += [lie for lie in told if lie.kind is not Kind.FAILS or not fails_by_luck(same)]
    return found


def fails_by_luck(same: list[Outcome]) -> bool:
    """Whether one version fails over some orders of the same rows, after it was understood: how
    DuckDB goes about a query decides which of its parts are computed at all."""
    return any(isinstance(run, Failure) and not run.binding for run in same)


def lies_in(
    change: Change, old: Outcome, new: Outcome, world: str, steady: frozenset[str]
) -> list[Lie]:
    if isinstance(old, Unknown) or isinstance(new, Unknown):
        return []
    if isinstance(old, Failure) or isinstance(new, Failure):
        if isinstance(old, Failure) and isinstance(new, Failure):
            return []
        if change.category is not ChangeCategory.METADATA:
            return []
        return [Lie(Kind.FAILS, world, f"old: {brief(old)}\nnew: {brief(new)}")]
    return [
        Lie(kind, world, detail)
        for kind, detail in differences(change, old, new, steady)
        if detail and (change or kind is not Kind.DRAW)
    ]


def differences(
    change: Change, old: Result, new: Result, steady: frozenset[str]
) -> list[tuple[Kind, str]]:
    added = frozenset(new.names) - frozenset(old.names)
    removed = frozenset(old.names) - frozenset(new.names)
    kept = [name for name in old.names if name not in removed and name not in change.changed]
    names = ""
    if (added, removed) != (change.added, change.removed):
        names = f"added {sorted(added)}, removed {sorted(removed)}"
    order = [name for name in new.names if name in kept]
    moved = "" if change.moved or order == kept else f"old {kept}\nnew {order}"
    types = "\n".join(
        f"{old.spelling_of(name)}: {old.type_of(name)} -> {new.type_of(name)}"
        for name in kept
        if old.type_of(name) != new.type_of(name)
    )
    spelled = ", ".join(
        f"{old.spelling_of(name)} -> {new.spelling_of(name)}"
        for name in kept
        if old.spelling_of(name) != new.spelling_of(name)
    )
    firm = tuple(name for name in kept if name in steady)
    rows = different_rows(old, new, firm)
    loose = tuple(name for name in kept if not (old.rough and old.type_of(name) == "DOUBLE"))
    drawn = "" if rows or firm == tuple(kept) else different_rows(old, new, loose)
    return [
        (Kind.NAMES, names),
        (Kind.ORDER, moved),
        (Kind.TYPE, types),
        (Kind.SPELLING, spelled),
        (Kind.ROWS, rows),
        (Kind.DRAW, drawn),
    ]


def different_rows(old: Result, new: Result, columns: tuple[str, ...]) -> str:
    rough = old.rough or new.rough
    before, after = old.bag(columns, rough), new.bag(columns, rough)
    if before == after:
        return ""
    return f"{columns}\nonly old {first(before - after)}\nonly new {first(after - before)}"


def first(bag: Counter[tuple[str, ...]]) -> str:
    return f"{bag.total()} rows, as {min(bag)}" if bag else "no row"


def steady_columns(runs: list[Outcome]) -> frozenset[str]:
    """The columns whose bag the order of rows, and the seed, make no difference to."""
    results = [run for run in runs if isinstance(run, Result)]
    if not results:
        return frozenset()
    one = results[0]
    firm = [name for name in one.names if all(agree(one, other, (name,)) for other in results)]
    together = all(agree(one, other, tuple(firm)) for other in results)
    return frozenset(firm) if together else frozenset()


def proves_equal(old: Runs, new: Runs, worlds: list[World]) -> bool:
    """Whether nothing tells the two apart."""
    return not lies(UNCHANGED, old, new, worlds)


def proves_addition(old: Runs, new: Runs, worlds: list[World]) -> bool:
    """Whether the new version has a column more, and is the old one else."""
    added: frozenset[str] = frozenset()
    for world in worlds:
        before, after = old[world.name], new[world.name]
        if isinstance(before, Result) and isinstance(after, Result):
            added |= frozenset(after.names) - frozenset(before.names)
    return bool(added) and not lies(Change(added=added), old, new, worlds)


def actual_change(old: list[Outcome], new: list[Outcome]) -> Change:
    """A change that is true of each pair of results, and says little more than it must."""
    pairs = list(zip(old, new, strict=True))
    results = [(a, b) for a, b in pairs if isinstance(a, Result) and isinstance(b, Result)]
    if len(results) < len(pairs) or not results:
        return EVERYTHING
    before, after = results[0][0].names, results[0][1].names
    if any((a.names, b.names) != (before, after) for a, b in results):
        return EVERYTHING
    kept = [name for name in before if name in after]
    firm: list[str] = []
    for name in kept:
        if all(agree(a, b, (*firm, name)) for a, b in results):
            firm.append(name)
    if not all(len(a.rows) == len(b.rows) for a, b in results):
        return EVERYTHING
    return Change(
        changed=frozenset(kept) - frozenset(firm),
        added=frozenset(after) - frozenset(before),
        removed=frozenset(before) - frozenset(after),
        moved=[name for name in after if name in firm] != firm,
    )


def agree(old: Result, new: Result, names: tuple[str, ...]) -> bool:
    types = all(old.type_of(name) == new.type_of(name) for name in names)
    spelled = all(old.spelling_of(name) == new.spelling_of(name) for name in names)
    rough = old.rough or new.rough
    return types and spelled and old.bag(names, rough) == new.bag(names, rough)


def brief(outcome: Outcome) -> str:
    if isinstance(outcome, Result):
        return f"{len(outcome.rows)} rows of {outcome.names}"
    return outcome.error if isinstance(outcome, Failure) else "unknown"
