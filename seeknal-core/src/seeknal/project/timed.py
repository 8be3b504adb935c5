"""What a node says of time: its settings, and the names that stand for an interval in its SQL.

SQL is rendered when it is read, and filled in when an interval is computed: in between, a mark
stands for each name. Inside quotes a mark becomes the plain text of a time, anywhere else a whole
SQL literal.
"""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from seeknal.dag.manifest import Incremental
from seeknal.errors import Flaw
from seeknal.project.schema import Definition, InvalidDefinitionError
from seeknal.project.sql_text import QUOTED

NAMES = ("start", "end", "start_ts", "end_ts", "start_date", "end_date")
"""What templates of incremental nodes may use besides what all may."""

MARKS = {name: f"__seeknal_{name}__" for name in NAMES}
_MARK = re.compile(rf"__seeknal_(?P<name>{'|'.join(NAMES)})__")
_PLACES = re.compile(rf"{QUOTED} | {_MARK.pattern}", re.VERBOSE | re.DOTALL)


def incremental_of(definition: Definition, scheduler: str, timezone: str) -> Incremental | None:
    """The settings of a node; None when it is computed whole.

    scheduler, timezone: the project's. Raises InvalidDefinitionError when they don't go together.
    """
    given = definition.incremental
    if given is None:
        _refuse_what_needs_it(definition)
        return None
    schedule = definition.schedule
    if schedule is None:
        raise _flaw(
            "'incremental' needs a `schedule:`, as in `schedule: \"@daily\"`", "incremental"
        )
    if isinstance(schedule, dict):
        if len(schedule) != 1:
            raise _flaw("'schedule' is a text, or a mapping of one scheduler to a text", "schedule")
        ((scheduler, schedule),) = schedule.items()
    return Incremental(
        schedule=schedule,
        time_column=given.time_column,
        scheduler=scheduler,
        timezone=definition.timezone or timezone,
        start=definition.start,
        end=definition.end,
        lookback=given.lookback,
        batch_size=given.batch_size,
        batch_concurrency=given.batch_concurrency,
        allow_partials=given.allow_partials,
        depends_on_past=given.depends_on_past or definition.depends_on_past,
    )


def _refuse_what_needs_it(definition: Definition) -> None:
    for name in ("schedule", "timezone", "start", "end", "depends_on_past"):
        if getattr(definition, name):
            raise _flaw(
                f"'{name}' needs `incremental:` with a `time_column:`. A node without it is "
                "computed whole, whenever what it reads has changed",
                name,
            )


def _flaw(message: str, key: str) -> InvalidDefinitionError:
    return InvalidDefinitionError([Flaw(message, key=(key,))])


def fill(sql: str, start: datetime, end: datetime, timezone: str) -> str:
    """SQL with an interval in the place of its marks, in the wall clock of a timezone.

    Line ends stay where they are.
    """
    zone = ZoneInfo(timezone)
    literals: dict[str, str] = {}
    texts: dict[str, str] = {}
    for name, time in (("start", start), ("end", end)):
        local = time.astimezone(zone)
        wall = str(local.replace(tzinfo=None))
        twice = _comes_twice(local)
        texts[name] = str(local) if twice else wall
        texts[f"{name}_ts"] = wall
        texts[f"{name}_date"] = str(local.date())
        literals[name] = f"TIMESTAMPTZ '{local}'" if twice else f"TIMESTAMP '{wall}'"
        literals[f"{name}_ts"] = f"TIMESTAMP '{wall}'"
        literals[f"{name}_date"] = f"DATE '{local.date()}'"

    def in_place(place: re.Match[str]) -> str:
        if place["name"]:
            return literals[place["name"]]
        return _MARK.sub(lambda mark: texts[mark["name"]], place[0])

    return _PLACES.sub(in_place, sql)


def _comes_twice(local: datetime) -> bool:
    """Whether clocks show this time twice, on the day they go back."""
    return local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
