"""Sets of intervals do what sets of whole hours do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeknal.errors import RequestError
from seeknal.state.intervals import Interval, Part
from seeknal.workflow.interval_set import IntervalSet

HOURS = range(60)


def at(hour: int) -> datetime:
    return datetime(2023, 12, 31, tzinfo=UTC) + timedelta(hours=hour)


def interval(start: int, end: int) -> Interval:
    return Interval(at(start), at(end))


stretches = st.tuples(st.integers(0, 50), st.integers(0, 9)).map(lambda pair: (pair[0], sum(pair)))
several = st.lists(stretches.map(lambda pair: interval(*pair)), max_size=12)
sets = several.map(IntervalSet)


def hours(intervals: Iterable[Interval]) -> set[int]:
    return {hour for start, end in intervals for hour in HOURS if start <= at(hour) < end}


def is_well_made(found: IntervalSet) -> bool:
    edges = [edge for interval in found for edge in interval]
    return all(one < other for one, other in pairwise(edges)) and all(
        type(one) is Interval for one in found
    )


@given(several)
def test_it_holds_the_time_of_its_intervals_and_none_of_its_ranges_touch(
    intervals: list[Interval],
) -> None:
    found = IntervalSet(intervals)
    assert is_well_made(found)
    assert hours(found) == hours(intervals)


@given(sets, sets)
def test_operations_are_those_of_sets(one: IntervalSet, other: IntervalSet) -> None:
    mine, others = hours(one), hours(other)
    for found, expected in [
        (one.union(other), mine | others),
        (one.difference(other), mine - others),
        (one.intersection(other), mine & others),
    ]:
        assert is_well_made(found)
        assert hours(found) == expected
    assert (one | other, one - other, one & other) == (
        one.union(other),
        one.difference(other),
        one.intersection(other),
    )


@given(sets, stretches)
def test_gaps_are_what_is_not_held_within(one: IntervalSet, within: tuple[int, int]) -> None:
    found = one.gaps(interval(*within))
    assert is_well_made(found)
    assert hours(found) == set(range(*within)) - hours(one)


@given(sets, stretches.filter(lambda pair: pair[0] < pair[1]))
def test_an_interval_is_contained_when_all_of_it_is(
    one: IntervalSet, wanted: tuple[int, int]
) -> None:
    held = hours(one)
    assert one.contains(interval(*wanted)) == (set(range(*wanted)) <= held)
    for hour in HOURS:
        assert (at(hour) in one) == (hour in held)


@given(sets, sets)
def test_sets_are_equal_when_they_hold_the_same_time(one: IntervalSet, other: IntervalSet) -> None:
    assert (one == other) == (hours(one) == hours(other))
    assert one == IntervalSet(reversed(list(one)))
    assert hash(one) == hash(IntervalSet(one))
    assert bool(one) == bool(hours(one))
    assert len(one) == len(list(one))


def test_what_touches_is_one_range() -> None:
    found = IntervalSet([interval(2, 3), interval(0, 1), interval(1, 2)])
    assert list(found) == [interval(0, 3)]
    assert at(2) in found
    assert at(3) not in found


def test_it_is_made_from_what_means_intervals() -> None:
    berlin = timezone(timedelta(hours=1))
    assert list(
        IntervalSet(
            [
                (date(2024, 1, 1), "2024-01-02"),
                (datetime(2024, 1, 3, 1, tzinfo=berlin), "2024-01-04T00:00"),
                Part(at(100), at(101), "some part"),
            ]
        )
    ) == [
        Interval(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)),
        Interval(datetime(2024, 1, 3, tzinfo=UTC), datetime(2024, 1, 4, tzinfo=UTC)),
        interval(100, 101),
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (interval(2, 1), "can't begin at 2023-12-31 02:00:00.* and end at 2023-12-31 01:00"),
        (at(1), "no interval: give a pair"),
        ((at(1), at(2), at(3)), "no interval: give a pair"),
        (("soon", at(2)), "'soon' is no time"),
        ("ab", "'ab' is no interval"),
    ],
)
def test_what_is_no_interval_is_refused(wrong: object, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        IntervalSet([interval(0, 1), wrong])  # type: ignore[list-item]


def test_only_sets_combine_and_are_equal() -> None:
    with pytest.raises(TypeError):
        IntervalSet() | [interval(0, 1)]
    assert IntervalSet() != []


def test_its_repr_shows_the_first_ranges() -> None:
    some = IntervalSet([interval(0, 24), interval(30, 31)])
    assert repr(some) == (
        "IntervalSet(2023-12-31 .. 2024-01-01, 2024-01-01T06:00 .. 2024-01-01T07:00)"
    )
    many = IntervalSet(interval(n, n + 1) for n in range(0, 4000, 2))
    assert repr(many).startswith("IntervalSet(2023-12-31 .. 2023-12-31T01:00, ")
    assert repr(many).endswith(", and 1,994 more)")
    second = timedelta(seconds=1)
    assert "2023-12-31T00:00:01 .. " in repr(IntervalSet([(at(0) + second, at(1))]))
    assert repr(IntervalSet()) == "IntervalSet()"
