"""Parts as sets of time, against hours counted one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from seeknal.state.backend import StateBackend
from seeknal.state.intervals import Part, joined
from seeknal.workflow.holdings import absent, holding_of, overlaid, shown, within
from seeknal.workflow.interval_set import IntervalSet

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)

Hours = dict[int, str]


def at(hour: int) -> datetime:
    return BEGIN + timedelta(hours=hour)


def parts_of(hours: Hours) -> list[Part]:
    return joined(Part(at(hour), at(hour + 1), name) for hour, name in hours.items())


def hours_of(parts: list[Part]) -> Hours:
    found: Hours = {}
    for start, end, name in parts:
        count = (end - start) // timedelta(hours=1)
        first = (start - BEGIN) // timedelta(hours=1)
        assert not found.keys() & set(range(first, first + count))
        found |= dict.fromkeys(range(first, first + count), name)
    assert sorted(parts) == parts
    return found


hours = st.dictionaries(st.integers(0, 20), st.sampled_from(["", "p", "q"]))


@given(hours, st.sets(st.integers(0, 20)))
def test_within(held: Hours, wanted: set[int]) -> None:
    time = IntervalSet((at(hour), at(hour + 1)) for hour in wanted)
    found = hours_of(within(parts_of(held), time))
    assert found == {hour: name for hour, name in held.items() if hour in wanted}


@given(hours, hours)
def test_overlaid(held: Hours, fresh: Hours) -> None:
    assert hours_of(overlaid(parts_of(held), parts_of(fresh))) == held | fresh


@given(hours, hours)
def test_absent(held: Hours, there: Hours) -> None:
    found = hours_of(sorted(absent(parts_of(held), parts_of(there))))
    assert found == {hour: name for hour, name in held.items() if there.get(hour) != name}


@given(hours)
def test_what_is_kept_comes_back(held: Hours) -> None:
    parts = parts_of(held)
    holding = holding_of("transform.n", "s-parts.v", parts)
    state = cast(StateBackend, SimpleNamespace(get_holding=lambda *key: holding))
    assert list(shown(state, "transform.n", "s-parts.v")) == parts
