"""Merged ranges do what sets of moments do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeknal.errors import RequestError
from seeknal.state.intervals import Interval, Part, added, by_month, joined, merged, moment, removed

BEGIN = datetime(2023, 12, 25, tzinfo=UTC)


def at(half_day: int) -> datetime:
    return BEGIN + timedelta(hours=12 * half_day)


stretches = st.tuples(st.integers(0, 60), st.integers(1, 30)).map(lambda pair: (pair[0], sum(pair)))
intervals = stretches.map(lambda pair: Interval(at(pair[0]), at(pair[1])))
parts = st.builds(lambda i, name: Part(*i, name), intervals, st.sampled_from(["", "a", "b"]))

Held = dict[datetime, str]


def held(found: Iterable[Part]) -> Held:
    return {at(n): name for n in range(100) for start, end, name in found if start <= at(n) < end}


def are_in_order(found: list[Part]) -> bool:
    edges = [edge for part in found for edge in part[:2]]
    apart = all((one.end, one.name) != (next_.start, next_.name) for one, next_ in pairwise(found))
    return edges == sorted(edges) and apart


@given(st.lists(intervals, max_size=8))
def test_merging_keeps_the_time_and_leaves_none_that_touch(several: list[Interval]) -> None:
    ends = [edge for interval in merged(several) for edge in interval]
    assert ends == sorted(set(ends))
    assert held(Part(*i) for i in merged(several)) == held(Part(*i) for i in several)


@given(st.lists(parts, max_size=8), parts)
def test_adding_and_removing_change_just_that_time(several: list[Part], one: Part) -> None:
    before: list[Part] = []
    expected: Held = {}
    for part in several:
        before = added(before, part)
        expected |= held([part])
        assert held(before) == expected
        assert are_in_order(before)
    less = removed(before, Interval(one.start, one.end))
    assert are_in_order(less)
    assert held(less) == {m: name for m, name in expected.items() if m not in held([one])}
    assert joined(before) == before


@given(intervals)
def test_the_pieces_in_each_month_are_the_whole(one: Interval) -> None:
    pieces = list(by_month(one))
    assert merged(piece for _, piece in pieces) == [one]
    assert all(f"{piece.start:%Y-%m}" == month for month, piece in pieces)


def test_the_last_month_that_there_is_ends_with_time_itself() -> None:
    last = Interval(datetime(9999, 12, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    assert list(by_month(last)) == [("9999-12", last)]


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-31", "2024-01-31T00:00", "2024-01-31T00:00Z", "2024-01-31T05:30+05:30",
        date(2024, 1, 31), datetime(2024, 1, 31),
        datetime(2024, 1, 30, 19, tzinfo=timezone(timedelta(hours=-5))),
    ],
    ids=str,
)  # fmt: skip
def test_a_time_may_be_written_in_many_ways(value: date | str) -> None:
    assert moment(value) == datetime(2024, 1, 31, tzinfo=UTC)
    assert moment(value).utcoffset() == timedelta(0)


@pytest.mark.parametrize("value", ["yesterday", "2024-13-01", 20240131, None])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(RequestError, match="is no time"):
        moment(value)  # type: ignore[arg-type]
