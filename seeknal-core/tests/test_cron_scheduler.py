"""Ticks are croniter's, stepped one call at a time, and don't depend on where one begins."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from croniter import croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seeknal.errors import RequestError
from seeknal.workflow.cron_scheduler import CronSchedule, CronScheduler, parse_cron_schedule

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
MOST = 40
"""How many ticks of an example are compared."""

ZONES = [
    "UTC", "America/New_York", "Europe/Dublin", "Australia/Lord_Howe", "America/Havana",
    "Asia/Beirut", "Africa/Casablanca", "Pacific/Apia", "Asia/Kathmandu", "America/St_Johns",
    "Antarctica/Troll", "Pacific/Chatham", "America/Asuncion", "Africa/Cairo",
]  # fmt: skip
zones = st.sampled_from(ZONES) | st.sampled_from(sorted(available_timezones()))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(schedule: str, start: str, end: str, zone: str = "UTC") -> list[str]:
    found = CronScheduler().ticks(schedule, zone, utc(start), utc(end))
    return shown(found)


def shown(ticks: Iterable[datetime]) -> list[str]:
    """Without the seconds where there are none."""
    return [f"{tick:%m-%d %H:%M}" + (f":{tick:%S}" if tick.second else "") for tick in ticks]


def stepped(schedule: str, zone: str, start: datetime) -> Iterator[datetime]:
    """Croniter's ticks, one call each."""
    before = (start - SECOND).astimezone(ZoneInfo(zone))
    found = croniter(schedule, before, max_years_between_matches=200)
    while True:
        try:
            yield found.get_next(datetime).astimezone(UTC)
        except ValueError:
            return


@cache
def hours_of_change(zone: str, year: int) -> list[datetime]:
    """The first hours of a year with another offset than the hour before them."""

    def changed(hours: int, start: datetime, count: int) -> list[datetime]:
        times = [start + n * hours * HOUR for n in range(count + 1)]
        offsets = [time.astimezone(ZoneInfo(zone)).utcoffset() for time in times]
        return [times[n] for n in range(count) if offsets[n] != offsets[n + 1]]

    days = changed(24, datetime(year, 1, 1, tzinfo=UTC), 365)
    return [hour + HOUR for day in days for hour in changed(1, day, 24)]


# --- Any expression, zone and time ----------------------------------------------------------

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "MON", "tue", "Wed", "thu", "FRI", "sat"]


def field(low: int, high: int, names: list[str] | None = None) -> st.SearchStrategy[str]:
    """A star, or a list of up to three values, ranges and steps."""
    numbers = st.integers(low, high)
    named = st.sampled_from(names) if names else st.nothing()
    pairs = st.tuples(numbers, numbers).map(lambda pair: "{}-{}".format(*sorted(pair)))
    part = st.one_of(
        numbers.map(str),
        named,
        pairs,
        st.tuples(pairs, st.integers(1, 5)).map(lambda both: "{}/{}".format(*both)),
        st.tuples(st.just("*") | numbers.map(str), st.integers(1, 20)).map(
            lambda both: "{}/{}".format(*both)
        ),
        st.tuples(named, named).map("-".join),
    )
    return st.just("*") | st.lists(part, min_size=1, max_size=3).map(",".join)


minutes = field(0, 59)
hours = field(0, 23) | st.sampled_from(["0", "1", "2", "1,2", "0-3", "23", "*/2"])
days = field(1, 31) | st.sampled_from(["L", "l,15", "28-31", "15W", "?"])
months = st.just("*") | field(1, 12, MONTHS)
weekdays = field(0, 6, WEEKDAYS) | st.sampled_from(["fri#2", "5#5", "mon#1,tue#3", "L5", "7"])
five_fields = st.tuples(minutes, hours, days, months, weekdays).map(" ".join)
six_fields = st.tuples(five_fields, field(0, 59)).map(" ".join)
seven_fields = st.tuples(six_fields, st.sampled_from(["*", "2000-2040", "2011/4", "2024"])).map(
    " ".join
)
expressions = five_fields | six_fields | seven_fields


@st.composite
def moments(draw: st.DrawFn, zone: str) -> datetime:
    """Of any year, and mostly within three hours of a change of the zone's offset."""
    year = draw(st.integers(1990, 2040) | st.integers(1880, 2090))
    changes = hours_of_change(zone, year)
    if not changes or draw(st.integers(0, 4)) == 0:
        return datetime(year, 1, 1, tzinfo=UTC) + draw(st.integers(0, 525_000)) * MINUTE
    minutes = draw(st.integers(-180, 180) | st.integers(-5000, 0))
    return (
        draw(st.sampled_from(changes)) + minutes * MINUTE + draw(st.sampled_from([0, 1])) * SECOND
    )


def is_shown_again(tick: datetime, zone: str) -> bool:
    """Whether its time on the wall clock has been there before."""
    wall = tick.astimezone(ZoneInfo(zone))
    return wall.utcoffset() != wall.replace(fold=1 - wall.fold).utcoffset() and wall.fold == 1


def first_showing(tick: datetime, zone: str) -> datetime:
    return tick.astimezone(ZoneInfo(zone)).replace(fold=0).astimezone(UTC)


@settings(deadline=None, max_examples=300)
@given(st.data(), expressions, zones)
def test_ticks_are_those_of_croniter_and_the_second_ones_that_it_passes_over(
    data: st.DataObject, expression: str, zone: str
) -> None:
    start = data.draw(moments(zone))
    assume(zone not in {"Pacific/Apia", "Pacific/Fakaofo"} or start.year != 2011)  # takes seconds
    try:
        schedule = parse_cron_schedule(expression, zone)
    except RequestError:
        assume(False)
    expected = list(islice(stepped(expression, zone, start), MOST))
    end = expected[-1] + SECOND if expected else start + 1000 * timedelta(days=1)
    found = list(schedule.ticks(start, end))
    assert all(one < next_ for one, next_ in pairwise(found))
    assert all(start <= tick < end and tick.tzinfo is UTC for tick in found)
    assert set(expected) <= set(found)
    for tick in set(found).difference(expected):
        assert is_shown_again(tick, zone)
        first = first_showing(tick, zone)
        assert [first] == list(schedule.ticks(first, first + SECOND))


@settings(deadline=None, max_examples=150)
@given(st.data(), expressions, zones, st.integers(0, 10_000))
def test_ticks_are_the_same_wherever_one_begins_and_ends(
    data: st.DataObject, expression: str, zone: str, after: int
) -> None:
    middle = data.draw(moments(zone))
    try:
        schedule = parse_cron_schedule(expression, zone)
    except RequestError:
        assume(False)
    start, end = middle - 2 * HOUR, middle + after * SECOND
    halves = [*schedule.ticks(start, middle), *schedule.ticks(middle, end)]
    assert halves == list(schedule.ticks(start, end))


# --- Days on which clocks change ------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "zone", "start", "end", "expected"),
    [
        pytest.param(
            "0 * * * *", "America/New_York", "2024-03-10T05:00", "2024-03-10T09:00",
            ["03-10 05:00", "03-10 06:00", "03-10 07:00", "03-10 08:00"],
            id="hourly, forward: 00, 01, 03 and 04",
        ),
        pytest.param(
            "0 * * * *", "America/New_York", "2024-11-03T04:00", "2024-11-03T08:00",
            ["11-03 04:00", "11-03 05:00", "11-03 06:00", "11-03 07:00"],
            id="hourly, back: 00, 01, 01 and 02",
        ),
        pytest.param(
            "30 2 * * *", "America/New_York", "2024-03-09", "2024-03-12",
            ["03-09 07:30", "03-10 07:00", "03-11 06:30"],
            id="what is skipped comes when there is a time again: 02:30 at 03:00",
        ),
        pytest.param(
            "15,45 2,3 * * *", "America/New_York", "2024-03-10", "2024-03-11",
            ["03-10 07:00", "03-10 07:15", "03-10 07:45"],
            id="it comes once",
        ),
        pytest.param(
            "0,30 2,3 * * *", "America/New_York", "2024-03-10", "2024-03-11",
            ["03-10 07:00", "03-10 07:30"],
            id="it comes once, also when it is due then anyway",
        ),
        pytest.param(
            "59 2 * * * 20", "America/New_York", "2024-03-10", "2024-03-11",
            ["03-10 07:00:20"],
            id="it comes whole minutes later",
        ),
        pytest.param(
            "30 */1 * * *", "America/New_York", "2024-03-10T05:00", "2024-03-10T08:00",
            ["03-10 05:30", "03-10 06:30", "03-10 07:30"],
            id="of every hour none is skipped",
        ),
        pytest.param(
            "30 1 * * *", "America/New_York", "2024-11-02", "2024-11-05",
            ["11-02 05:30", "11-03 05:30", "11-03 06:30", "11-04 06:30"],
            id="daily at a time that is shown twice",
        ),
        pytest.param(
            "@daily", "America/New_York", "2024-11-03", "2024-11-05",
            ["11-03 04:00", "11-04 05:00"],
            id="a day of 25 hours",
        ),
        pytest.param(
            "0 1 * * *", "Europe/Dublin", "2024-03-30", "2024-04-02",
            ["03-30 01:00", "03-31 01:00", "04-01 00:00"],
            id="summer time by another name, forward",
        ),
        pytest.param(
            "30 1 * * *", "Europe/Dublin", "2024-10-26", "2024-10-29",
            ["10-26 00:30", "10-27 00:30", "10-27 01:30", "10-28 01:30"],
            id="summer time by another name, back",
        ),
        pytest.param(
            "@daily", "America/Havana", "2024-03-09", "2024-03-12",
            ["03-09 05:00", "03-10 05:00", "03-11 04:00"],
            id="there is no midnight",
        ),
        pytest.param(
            "@daily", "America/Havana", "2024-11-02", "2024-11-05",
            ["11-02 04:00", "11-03 04:00", "11-03 05:00", "11-04 05:00"],
            id="there are two midnights",
        ),
        pytest.param(
            "30 23 * * *", "Asia/Beirut", "2024-10-25", "2024-10-28",
            ["10-25 20:30", "10-26 20:30", "10-26 21:30", "10-27 21:30"],
            id="back at midnight, into the day before",
        ),
        pytest.param(
            "*/15 1,2 * * *", "Australia/Lord_Howe", "2024-10-05T14:30", "2024-10-05T16:30",
            ["10-05 14:30", "10-05 14:45", "10-05 15:00", "10-05 15:15",
             "10-05 15:30", "10-05 15:45"],
            id="forward by half an hour",
        ),
        pytest.param(
            "*/15 1,2 * * *", "Australia/Lord_Howe", "2024-04-06T14:30", "2024-04-06T16:00",
            ["04-06 14:30", "04-06 14:45", "04-06 15:00", "04-06 15:15",
             "04-06 15:30", "04-06 15:45"],
            id="back by half an hour",
        ),
        pytest.param(
            "0 2 * * *", "Africa/Casablanca", "2024-03-09", "2024-03-12",
            ["03-09 01:00", "03-10 01:00", "03-10 02:00", "03-11 02:00"],
            id="back for Ramadan",
        ),
        pytest.param(
            "0 2 * * *", "Africa/Casablanca", "2024-04-13", "2024-04-16",
            ["04-13 02:00", "04-14 02:00", "04-15 01:00"],
            id="forward after Ramadan",
        ),
        pytest.param(
            "0 12 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01",
            ["12-29 22:00", "12-30 10:00", "12-30 22:00", "12-31 22:00"],
            id="a day that there wasn't: its tick comes with the next",
        ),
        pytest.param(
            "0 6 30 12 *", "Pacific/Apia", "2011-12-01", "2012-01-31", ["12-30 10:00"],
            id="a day that there wasn't, and no other",
        ),
        pytest.param(
            "0 * 30 12 *", "Pacific/Apia", "2011-12-01", "2012-01-31", [],
            id="every hour of a day that there wasn't",
        ),
        pytest.param(
            "@daily", "Asia/Kathmandu", "1985-12-30", "1986-01-03",
            ["12-30 18:30", "12-31 18:30", "01-01 18:15", "01-02 18:15"],
            id="a new offset at midnight",
        ),
    ],
)  # fmt: skip
def test_days_on_which_clocks_change(
    schedule: str, zone: str, start: str, end: str, expected: list[str]
) -> None:
    assert ticks(schedule, start, end, zone) == expected
    theirs = islice(stepped(schedule, zone, utc(start)), len(expected))
    assert shown(theirs) == expected


@pytest.mark.parametrize(
    ("schedule", "zone", "start", "end", "again"),
    [
        ("30 1 1 11 *", "America/New_York", "2020-10-01", "2022-12-01", ["11-01 06:30"]),
        ("20,35 * * * *", "Australia/Lord_Howe", "2024-04-06T12", "2024-04-06T18", ["04-06 15:05"]),
        ("50 0,1 * * *", "Antarctica/Troll", "2024-10-26", "2024-10-29", ["10-27 01:50"]),
    ],
)
def test_what_croniter_passes_over_where_it_steps_from_afar_is_a_tick(
    schedule: str, zone: str, start: str, end: str, again: list[str]
) -> None:
    found = list(parse_cron_schedule(schedule, zone).ticks(utc(start), utc(end)))
    second = [tick for tick in found if is_shown_again(tick, zone)]
    assert [f"{tick:%m-%d %H:%M}" for tick in second] == again
    theirs = islice(stepped(schedule, zone, utc(start)), len(found))
    assert set(found) == {tick for tick in theirs if tick < utc(end)} | set(second)
    assert second == [next(stepped(schedule, zone, tick)) for tick in second]


# --- What is understood ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shorthand", "expression"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        (" @Daily ", "0 0 * * *"),
    ],
)
def test_shorthands(shorthand: str, expression: str) -> None:
    found = parse_cron_schedule(shorthand).ticks(utc("2024-01-01"), utc("2124-01-01"))
    expected = stepped(expression, "UTC", utc("2024-01-01"))
    assert list(islice(found, 20)) == list(islice(expected, 20))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 0 13 * fri", ["05", "12", "13", "19", "26"]),
        ("0 0 */14 * *", ["01", "15", "29"]),
        ("0 0 L * *", ["31"]),
        ("0 0 * * mon#2", ["08"]),
        ("0 0 * * L5", ["26"]),
        ("0 0 30 * * 0 2023-2025", ["30"]),
        ("0 0 30 * * 0 2025", []),
    ],
)
def test_days(schedule: str, expected: list[str]) -> None:
    found = ticks(schedule, "2024-01-01", "2024-02-01")
    assert [tick[3:5] for tick in found] == expected


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("@dayly", r"'@dayly' is neither a cron expression, .* Did you mean '@daily'\?"),
        ("@fortnightly", "those are @hourly, @daily, "),
        ("daily", "Exactly 5, 6 or 7 columns"),
        ("", "'' is neither a cron expression"),
        ("0 0 * *", "Exactly 5, 6 or 7 columns"),
        ("61 * * * *", "out of range"),
        ("0 0 * * fry", "not acceptable"),
        ("0 0 * * mon#6", "Invalid day_of_week value: '6'"),
        ("*/0 * * * *", "step '0' in field 0 is not acceptable"),
        ("9" * 5000 + " * * * *", "is neither a cron expression"),
        ("H 0 * * *", "has 'H', which is drawn by lot"),
        ("0 R(0-9) * * *", r"has 'R\(0-9\)', which is drawn by lot"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 * 0", "never comes"),
        ("0 0 30 2 mon#1", "never comes"),
        ("0 0 29 2 * 0 2023", "never comes"),
        (None, "None is no schedule"),
    ],
)
def test_what_is_no_schedule_is_refused_with_what_is_wrong(schedule: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        CronScheduler().ticks(schedule, "UTC", utc("2024-01-01"), utc("2024-01-02"))


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("Mars/Olympus", "There is no timezone 'Mars/Olympus'"),
        ("Europe/Berln", r"Did you mean 'Europe/Berlin'\?"),
        ("utc", r"Did you mean 'UTC'\?"),
        ("", "no timezone ''"),
        ("../etc/passwd", "no timezone '../etc/passwd'"),
        ("America", "no timezone 'America'"),
        (None, "no timezone None"),
    ],
)
def test_an_unknown_zone_is_refused(zone: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        parse_cron_schedule("@daily", zone)


def test_a_schedule_is_a_value() -> None:
    schedule = parse_cron_schedule("0 2 * * *", "Europe/Berlin")
    assert schedule is parse_cron_schedule("0 2 * * *", "Europe/Berlin")
    assert (
        schedule
        == CronSchedule("0 2 * * *", "Europe/Berlin")
        == pickle.loads(pickle.dumps(schedule))
    )
    assert schedule != parse_cron_schedule("0 2 * * *")
    assert str(schedule) == "0 2 * * *"
    with pytest.raises(RequestError):
        CronSchedule("at noon")


def test_ticks_begin_on_the_start_and_end_before_the_end() -> None:
    assert ticks("@daily", "2024-01-01", "2024-01-03") == ["01-01 00:00", "01-02 00:00"]
    assert ticks("@daily", "2024-01-01T00:00:00.000001", "2024-01-02T00:00:00.000001") == [
        "01-02 00:00"
    ]
    assert ticks("@daily", "2024-01-03", "2024-01-01") == []


def test_ticks_follow_the_wall_clock_of_the_zone() -> None:
    found = ticks("0 2 * * *", "2024-06-01", "2024-06-02", "Europe/Berlin")
    assert found == ["06-01 00:00"]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize("schedule", ["@yearly", "0 0 L 12 *", "0 0 1 1 * 0 2024-2099"])
def test_ticks_may_be_asked_for_from_the_beginning_of_time_to_its_end(
    schedule: str, zone: str
) -> None:
    begin, end = (edge.replace(tzinfo=UTC) for edge in (datetime.min, datetime.max))
    found = parse_cron_schedule(schedule, zone).ticks(begin, end)
    assert next(found) < utc("2024-01-02")
    late = parse_cron_schedule(schedule, zone).ticks(utc("2098-12-01"), end)
    assert utc("2098-12-30") < next(late) < utc("2099-01-02")


def test_ticks_come_one_at_a_time() -> None:
    found = parse_cron_schedule("* * * * * *").ticks(utc("2024-01-01"), utc("9024-01-01"))
    assert next(found) == utc("2024-01-01")
