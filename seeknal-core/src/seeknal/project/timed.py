"""What a node says of time: its settings, and the names that stand for an interval in its SQL.

SQL is rendered when it is read, and filled in when an interval is computed: in between,
`{{ start }}` stays what it is. Inside quotes it becomes the plain text of a time, anywhere else a
whole SQL literal.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from seeknal.dag.manifest import Incremental
from seeknal.dag.sql_text import TIME_NAME, TIME_NAMES, replace_times
from seeknal.errors import Flaw
from seeknal.project.schema import Definition, InvalidDefinitionError
from seeknal.project.templates import TemplateError


class Mark:
    """What stands for a time while a template is rendered: it may be put somewhere, and nothing
    else. Its text is of characters that nobody writes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return f"\ue000{self._name}\ue001-\ue002:\ue003"


MARKS = {name: Mark(name) for name in TIME_NAMES}
"""What templates of incremental nodes may use besides what all may."""

_MARK = re.compile(rf"\ue000({'|'.join(TIME_NAMES)})\ue001-\ue002:\ue003")


def named_again(sql: str) -> str:
    """A rendered text with `{{ start }}` where a mark stands for it.

    Raises TemplateError where something was done to a mark.
    """
    named = _MARK.sub(r"{{ \1 }}", sql)
    broken = re.search("[\ue000-\ue003]", named)
    if broken:
        raise TemplateError(
            "template: a time of the interval can be put into SQL as it is, and not be changed by "
            "the template: use SQL for that, as in strftime({{ start }}, '%Y')",
            named.count("\n", 0, broken.start()) + 1,
        )
    return named


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
    """SQL with the times of an interval in the place of their names, on a zone's wall clock.

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

    def in_quotes(text: str) -> str:
        return TIME_NAME.sub(lambda found: texts[found["name"]], text)

    return replace_times(sql, literals.__getitem__, in_quotes)


def _comes_twice(local: datetime) -> bool:
    """Whether clocks show this time twice, on the day they go back."""
    return local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()


def sample(sql: str) -> str:
    """SQL with some interval filled in: what can be checked before there is one."""
    return fill(sql, datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC), "UTC")
