"""Times are kept as ISO 8601, by whichever way is quickest; what is given is not written to; what
an older version did not know has a default."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seeknal.errors import RequestError
from seeknal.state.fields import time_text
from seeknal.state.records import Environment, NodeState

ZONES = [UTC, timezone(timedelta(hours=5, minutes=45)), None]


@given(st.datetimes(timezones=st.sampled_from(ZONES)))
@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
@example(datetime(2024, 2, 29, 0, 0, 0, 7, tzinfo=UTC))
def test_the_text_of_a_time_is_that_of_iso_8601(value: datetime) -> None:
    assert time_text(value) == value.isoformat()


def test_what_is_checked_is_left_as_it_was_given() -> None:
    given = {"rows": 3.0, "error": None, "started_at": datetime(2024, 1, 1), "status": "success"}
    before = dict(given)
    kept = NodeState.checked(given)
    assert given == before
    assert kept["started_at"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert [type(value) for value in kept.values()] == [int, type(None), datetime, str]
    assert list(kept) == list(given)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"row": None}, "A node state has no field 'row' to set. Did you mean 'rows'?"),
        ({"run_id": "r"}, "A node state has no field 'run_id' to set."),
        ({"status": None}, "A node state's status can't be None: give text."),
        ({"rows": True}, "A node state's rows can't be True: give a whole number"),
    ],
)
def test_what_is_refused_is_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError) as refused:
        NodeState.checked({"error": None, **values})
    assert str(refused.value).startswith(message)


def test_an_environment_of_an_older_version_was_last_used_when_it_was_last_written() -> None:
    january, march = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
    older = {"name": "dev", "created_at": january.isoformat(), "updated_at": march.isoformat()}
    expected = Environment("dev", created_at=january, updated_at=march, used_at=march)
    assert Environment.from_dict(older) == expected
    later = {**older, "used_at": january.isoformat()}
    assert Environment.from_dict(later).used_at == january
    assert Environment.from_dict({"name": "dev"}).used_at.tzinfo is UTC
