"""Merged ranges do what sets of moments do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeknal.errors import RequestError
from seeknal.state.intervals import Interval, added, by_month, merged, moment, removed

BEGIN = datetime(2023, 12, 25, tzinfo=UTC)

hours = st.integers(0, 60)
intervals = st.tuples(hours, st.integers(1, 30)).map(
    lambda pair: Interval(
        BEGIN + timedelta(hours=pair[0] * 12), BEGIN + timedelta(hours=sum(pair) * 12)
    )
)
ranges = st.lists(intervals, max_size=8).map(merged)


def held(found: list[Interval]) -> set[datetime]:
    return {
        BEGIN + timedelta(hours=12 * n)
        for n in range(100)
        for start, end in found
        if start <= BEGIN + timedelta(hours=12 * n) < end
    }


def are_merged(found: list[Interval]) -> bool:
    ends = [edge for interval in found for edge in interval]
    return ends == sorted(set(ends))


@given(st.lists(intervals, max_size=8))
def test_merging_keeps_the_time_and_leaves_none_that_touch(several: list[Interval]) -> None:
    assert are_merged(merged(several))
    assert held(merged(several)) == held(several)


@given(ranges, intervals)
def test_adding_and_removing_change_just_that_time(before: list[Interval], one: Interval) -> None:
    more, less = added(before, one), removed(before, one)
    assert are_merged(more)
    assert are_merged(less)
    assert held(more) == held(before) | held([one])
    assert held(less) == held(before) - held([one])


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
