"""Random histories of incremental nodes, and a plain model of what each of them comes to.

The model keeps, for each version of a node's definition, the rows that each interval had when it
was last computed. It has no parts, no ranges and no snapshots: only ticks, and sets of what lies
between two of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import duckdb
import pytest
from croniter import croniter
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.projects import ProjectFolder

from seeknal.state.intervals import Interval
from seeknal.workflow import runner
from seeknal.workflow.engine import Snapshot
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import tables_of
from seeknal.workflow.recording import Recorder
from seeknal.workflow.runner import RunRequest, run_project
from seeknal.workflow.task import NodeResult, RunSummary
from seeknal.workflow.timelines import complete, restate, timelines
from seeknal_engine_duckdb import parts
from seeknal_engine_duckdb.storage import LocalStorage

T = TypeVar("T")

SOURCE, ONE, TWO, WHOLE = "source.events", "transform.one", "transform.two", "transform.whole"
INCREMENTAL = (ONE, TWO)
SELECTORS = {None: {ONE, TWO, WHOLE}, "+one": {ONE}, "two+": {TWO, WHOLE}}
BREAKS = {ONE: 11, TWO: 12}
"""Amounts, but for hundreds, over which the SQL of a node fails."""
STEP = {ONE: 100, TWO: 10_000}
"""What a node adds to each amount, once for each change of its definition."""

QUARTER = timedelta(minutes=15)


class Place(NamedTuple):
    """A zone, and a day on which clocks are changed, or an ordinary one."""

    zone: str
    day: date


class Span(NamedTuple):
    """How many days before that day and after it, and schedules for that long."""

    days: int
    schedules: tuple[str, ...]


PLACES = (
    Place("America/New_York", date(2024, 3, 10)),
    Place("America/New_York", date(2024, 11, 3)),
    Place("Australia/Lord_Howe", date(2024, 4, 7)),
    Place("Australia/Lord_Howe", date(2024, 10, 6)),
    Place("Asia/Kathmandu", date(2024, 3, 31)),
    Place("UTC", date(2024, 2, 29)),
)
SPANS = (
    Span(0, ("@hourly", "30 * * * *", "15 */6 * * *")),
    Span(1, ("15 */6 * * *", "@daily", "0 2 * * *")),
    Span(3, ("@daily", "0 2 * * *", "30 6 * * 1-5")),
    Span(11, ("@daily", "30 6 * * 1-5", "@weekly")),
)


@dataclass(frozen=True)
class Setting:
    """Of one history. Pairs are for ONE and TWO. few: parts that are read as one table."""

    place: Place
    days: int
    schedules: tuple[str, str]
    zone_of_project: str
    kind: str
    format: str
    batch_sizes: tuple[int, int]
    lookbacks: tuple[int, int]
    few: int

    @property
    def zone(self) -> str:
        return self.place.zone

    @property
    def first_day(self) -> date:
        return self.place.day - timedelta(days=self.days)

    @property
    def last_day(self) -> date:
        return self.place.day + timedelta(days=self.days)

    @property
    def span(self) -> Interval:
        return Interval(self.midnight(self.first_day), self.midnight_after(self.last_day))

    def midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.zone)).astimezone(UTC)

    def midnight_after(self, day: date) -> datetime:
        return self.midnight(day + timedelta(days=1))

    def moment(self, share: float) -> datetime:
        start, end = self.span
        return start + (end - start) * share // QUARTER * QUARTER


def pairs(values: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, T]]:
    return st.tuples(values, values)


@st.composite
def some_setting(draw: st.DrawFn, place: Place, span: Span) -> Setting:
    return Setting(
        place=place,
        days=span.days,
        schedules=draw(pairs(st.sampled_from(span.schedules))),
        zone_of_project=draw(st.sampled_from([place.zone, "UTC"])),
        kind=draw(st.sampled_from(["TIMESTAMP", "TIMESTAMPTZ"])),
        format=draw(st.sampled_from(["csv", "parquet"])),
        batch_sizes=draw(pairs(st.integers(1, 5))),
        lookbacks=draw(pairs(st.integers(0, 3))),
        few=draw(st.sampled_from([2, parts.FEW])),
    )


Bounds = tuple[float | None, float | None]
"""Of a run, as shares of the span."""
Events = dict[int, tuple[int, int]]
"""By id: in which quarter of an hour since the day begins, and the amount."""

shares = st.integers(0, 16).map(lambda n: n / 16)
stretches = pairs(shares).map(sorted).filter(lambda pair: pair[0] < pair[1])
bounds = st.tuples(st.none() | shares, st.none()) | pairs(shares).map(sorted)
ids = st.integers(0, 23)
quarters = st.integers(0, 16) | st.integers(-1200, 1200)
amounts = st.integers(0, 9)
events = st.dictionaries(ids, st.tuples(quarters, amounts), min_size=6, max_size=12)
late = st.dictionaries(ids, st.tuples(quarters, amounts), max_size=4)


# --- The model ------------------------------------------------------------------------------


class Row(NamedTuple):
    at: datetime
    id: int
    amount: int


Rows = list[Row]
Version = tuple[int, ...]
Held = dict[Interval, Rows | None]
"""None for what was marked as complete by hand."""
Work = tuple[str, Interval | None]
"""A node and the time of a batch; None for the whole."""


def ticking(schedule: str, zone: str, within: Interval) -> list[Interval]:
    """What lies wholly in `within`, from tick to tick."""
    ticks = croniter(schedule, (within.start - timedelta(seconds=1)).astimezone(ZoneInfo(zone)))
    found: list[datetime] = []
    while (tick := ticks.get_next(datetime).astimezone(UTC)) <= within.end:
        found.append(tick)
    return [Interval(*pair) for pair in pairwise(found)]


def overlaps(one: Interval, other: Interval) -> bool:
    return one.start < other.end and other.start < one.end


def inside(one: Interval, other: Interval) -> bool:
    return other.start <= one.start and one.end <= other.end


def rows_in(rows: Iterable[Row], interval: Interval) -> Rows:
    return [row for row in rows if interval.start <= row.at < interval.end]


def rows_of(held: Held) -> Rows:
    return [row for rows in held.values() for row in rows or ()]


def chunks(intervals: Sequence[Interval], size: int) -> list[list[Interval]]:
    """Up to `size` that follow one another without a gap."""
    found: list[list[Interval]] = []
    for interval in intervals:
        if found and found[-1][-1].end == interval.start and len(found[-1]) < size:
            found[-1].append(interval)
        else:
            found.append([interval])
    return found


@dataclass
class Foreseen:
    """What a run of these nodes comes to. rows: of the batches that succeed."""

    selected: set[str]
    statuses: dict[Work, str] = field(default_factory=dict)
    rows: dict[Work, dict[Interval, Rows]] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    begin: dict[str, Held] = field(default_factory=dict)
    """What is read of each node before any more is computed."""

    def well(self, node: str) -> bool:
        ended = [status for (of, _), status in self.statuses.items() if of == node]
        ran = node in self.selected and node not in self.waiting
        return ran and set(ended) <= {"success"}

    def lacks_for(self, batch: Sequence[Interval]) -> bool:
        """Whether something that TWO needs for a batch does not come."""
        return any(
            status != "success" and of == ONE and time and any(overlaps(time, i) for i in batch)
            for (of, time), status in self.statuses.items()
        )


class Model:
    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.source: Rows = []
        wide = Interval(
            setting.span.start - timedelta(days=9), setting.span.end + timedelta(days=9)
        )
        both = dict(zip(INCREMENTAL, setting.schedules, strict=True))
        self.ticks = {n: ticking(schedule, setting.zone, wide) for n, schedule in both.items()}
        self.due = {n: [i for i in self.ticks[n] if inside(i, setting.span)] for n in INCREMENTAL}
        self.batch_size = dict(zip(INCREMENTAL, setting.batch_sizes, strict=True))
        self.lookback = dict(zip(INCREMENTAL, setting.lookbacks, strict=True))
        self.changes = {ONE: 0, TWO: 0}
        self.refreshes = {ONE: 0, TWO: 0}
        self.held: dict[tuple[str, Version], Held] = defaultdict(dict)
        self.shown: dict[str, tuple[Version, Held]] = {}
        self.whole: Rows | None = None

    def version(self, node: str) -> Version:
        """What its snapshots are told apart by."""
        above = [self.changes[ONE]] if node == TWO else []
        return (*above, self.changes[node], self.refreshes[node])

    def now(self, node: str) -> Held:
        return self.held[node, self.version(node)]

    def shows(self, node: str) -> Rows:
        return rows_of(self.shown[node][1]) if node in self.shown else []

    def pending(self, node: str) -> list[Interval]:
        return [i for i in self.due[node] if i not in self.now(node)]

    # --- Runs

    def foresee(
        self, within: Interval, selector: str | None = None, broken: Collection[Work] = ()
    ) -> Foreseen:
        """broken: what fails besides."""
        seen = Foreseen(SELECTORS[selector])
        ones, seen.begin[ONE] = self._batches(ONE, within, None, ONE in seen.selected)
        will_hold = {*seen.begin[ONE], *chain(*ones)}
        twos, seen.begin[TWO] = self._batches(TWO, within, will_hold, TWO in seen.selected)
        if not will_hold:
            seen.waiting = {ONE, TWO, WHOLE} & seen.selected
            return seen
        if not twos and not seen.begin[TWO]:
            seen.waiting = {TWO, WHOLE} & seen.selected
        held = dict(seen.begin[ONE])
        for batch in ones:
            self._foresee(seen, ONE, batch, self.source, broken, (SOURCE, None) in broken)
            held.update(seen.rows.get(_work(ONE, batch), {}))
        for batch in twos:
            self._foresee(seen, TWO, batch, rows_of(held), broken, seen.lacks_for(batch))
        if WHOLE in seen.selected - seen.waiting:
            status = "success" if set(seen.statuses.values()) <= {"success"} else "skipped"
            seen.statuses[WHOLE, None] = "failed" if (WHOLE, None) in broken else status
        return seen

    def _batches(
        self, node: str, within: Interval, above: set[Interval] | None, selected: bool
    ) -> tuple[list[list[Interval]], Held]:
        """What is to be computed, and what is read before that is. above: what ONE will hold."""
        shown = dict(self.shown[node][1]) if self.shows_new(node) else {}
        if not selected:
            return [], dict(self.shown[node][1]) if node in self.shown else {}

        def available(interval: Interval) -> bool:
            return above is None or self._covered(interval, above)

        held, due = self.now(node), [i for i in self.due[node] if inside(i, within)]
        known, possible = [i for i in due if i in held], [i for i in due if available(i)]
        wanted = [i for i in possible if i not in held]
        new = [i for i in wanted if known and i.start >= known[-1].end]
        if new and self.lookback[node]:
            before = [i for i in possible if i < new[0]]
            wanted = sorted({*wanted, *before[-self.lookback[node] :]})
        adopted = {i: held[i] for i in possible if i in held and i not in wanted}
        return chunks(wanted, self.batch_size[node]), shown | adopted

    def _covered(self, interval: Interval, held: set[Interval]) -> bool:
        """Whether ONE holds all that TWO needs for an interval."""
        return all(i in held for i in self.ticks[ONE] if overlaps(i, interval))

    def _foresee(
        self,
        seen: Foreseen,
        node: str,
        batch: list[Interval],
        read: Rows,
        broken: Collection[Work],
        blocked: bool,
    ) -> None:
        work = _work(node, batch)
        rows = {i: rows_in(read, i) for i in batch}
        amounts = {row.amount % 100 for found in rows.values() for row in found}
        fails = work in broken or BREAKS[node] in amounts
        seen.statuses[work] = "skipped" if blocked else "failed" if fails else "success"
        if seen.statuses[work] == "success":
            add = STEP[node] * (1 + self.changes[node])
            seen.rows[work] = {
                i: [row._replace(amount=row.amount + add) for row in found]
                for i, found in rows.items()
            }

    def record(self, seen: Foreseen, finished: Collection[Work]) -> None:
        for work in seen.rows.keys() & finished:
            self.now(work[0]).update(seen.rows[work])

    def publish(self, seen: Foreseen) -> set[str]:
        """What stays behind: what would show less time, and what was made from that."""
        behind = set()
        for node in sorted({*INCREMENTAL} & seen.selected - seen.waiting):
            if not self._may_move(node, seen):
                behind |= {node} if seen.well(node) else set()
            elif comes := self._comes_to(node, seen):
                self.shown[node] = self.version(node), comes
        if seen.well(WHOLE):
            if self.shows_new(ONE) and self.shows_new(TWO):
                self.whole = self.shows(ONE) + self.shows(TWO)
            else:
                behind.add(WHOLE)
        return behind

    def _may_move(self, node: str, seen: Foreseen) -> bool:
        if node == TWO and not self.shows_new(ONE):
            return False
        if node not in self.shown or self.shows_new(node):
            return True
        return seen.well(node) and set(self.shown[node][1]) <= set(self._comes_to(node, seen))

    def _comes_to(self, node: str, seen: Foreseen) -> Held:
        comes = dict(seen.begin[node])
        for (of, _), rows in seen.rows.items():
            if of == node:
                comes.update(rows)
        return comes

    def shows_new(self, node: str) -> bool:
        return node in self.shown and self.shown[node][0] == self.version(node)

    # --- Corrections

    def forgotten(self, node: str, within: Interval, downstream: bool) -> dict[str, set[Interval]]:
        """What a restatement forgets."""
        reached = [i for i in self.ticks[node] if overlaps(i, within)]
        gone = {node: set(reached)}
        if downstream and node == ONE:
            gone[TWO] = {i for i in self.ticks[TWO] if any(overlaps(i, above) for above in reached)}
        return {n: intervals & set(self.now(n)) for n, intervals in gone.items()}

    def own(self, node: str, held: Held) -> None:
        """Something was changed by hand in what a node holds; what it shows stays."""
        is_shown = self.shows_new(node)
        self.refreshes[node] += 1
        self.held[node, self.version(node)] = held
        if is_shown:
            self.shown[node] = self.version(node), self.shown[node][1]

    def without(self, node: str, gone: set[Interval]) -> Held:
        return {i: rows for i, rows in self.now(node).items() if i not in gone}


def _work(node: str, batch: Sequence[Interval]) -> Work:
    return node, Interval(batch[0].start, batch[-1].end)


def has_data(held: Held) -> bool:
    """Whether there is more in it than marks by hand: without, nothing can be read."""
    return not held or any(rows is not None for rows in held.values())


# --- The project ----------------------------------------------------------------------------

NODE = """\
/*
---
schedule: "{schedule}"
timezone: {zone}
start: {start}
end: {end}
incremental: {{time_column: seen, batch_size: {batch_size}, lookback: {lookback}}}
---
*/
SELECT id, seen,
  CASE WHEN amount % 100 = {breaks} THEN error('broken')::INT ELSE amount + {add} END AS amount
FROM ref('{above}') WHERE seen >= {{{{ start }}}} AND seen < {{{{ end }}}}
"""
EVENTS = """\
kind: source
name: events
source: {format}
table: data/events.{format}
columns:
  id: {{dtype: BIGINT}}
  seen: {{dtype: {kind}}}
  amount: {{dtype: INTEGER}}
"""


class Project(ProjectFolder):
    """Events, ONE over them, TWO over ONE, and WHOLE over both."""

    def __init__(self, root: Path, setting: Setting) -> None:
        super().__init__(root)
        self.setting = setting
        self.write("seeknal_project.yml", f"name: timed\ntimezone: {setting.zone_of_project}\n")
        self.write("seeknal/events.yml", EVENTS.format(format=setting.format, kind=setting.kind))
        both = " UNION ALL ".join(f"SELECT id, amount FROM ref('{n}')" for n in INCREMENTAL)
        self.write("seeknal/whole.sql", both)
        for node in INCREMENTAL:
            self.define(node, 0)

    def define(self, node: str, changes: int) -> None:
        setting, n = self.setting, INCREMENTAL.index(node)
        text = NODE.format(
            schedule=setting.schedules[n],
            zone=setting.zone,
            start=setting.first_day,
            end=setting.last_day,
            batch_size=setting.batch_sizes[n],
            lookback=setting.lookbacks[n],
            breaks=BREAKS[node],
            add=STEP[node] * (1 + changes),
            above=(SOURCE, ONE)[n],
        )
        self.close()
        self.write(f"seeknal/{node.partition('.')[2]}.sql", text)

    def put(self, events: Events) -> Rows:
        """Write the source's file. Returns its rows."""
        lines, rows = ["id,seen,amount"], []
        first, count = -96 * self.setting.days - 4, 96 * (2 * self.setting.days + 1) + 8
        for id_, (quarter, amount) in events.items():
            at, text = self._time((first + (quarter - first) % count) * QUARTER)
            lines.append(f"{id_},{text},{amount}")
            rows.append(Row(at, id_, amount))
        self.write("data/events.csv", "\n".join(lines) + "\n")
        if self.setting.format == "parquet":
            self._as_parquet()
        return rows

    def _time(self, since_midnight: timedelta) -> tuple[datetime, str]:
        """As an instant and as text. A time that clocks show twice is the second one, and one that
        they skip comes before those behind it."""
        if self.setting.kind == "TIMESTAMPTZ":
            at = self.setting.midnight(self.setting.place.day) + since_midnight
            return at, str(at)
        wall = datetime.combine(self.setting.place.day, time()) + since_midnight
        local = wall.replace(tzinfo=ZoneInfo(self.setting.zone), fold=1)
        return local.astimezone(UTC), str(wall)

    def _as_parquet(self) -> None:
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT id, CAST(seen AS {self.setting.kind}) AS seen, amount FROM "
                f"read_csv('{self.root}/data/events.csv', types = {{'seen': 'VARCHAR'}})) "
                f"TO '{self.root}/data/events.parquet'"
            )

    def run(self, **request: Any) -> RunSummary:
        return run_project(self.opened, RunRequest(**request))

    @cached_property
    def opened(self) -> OpenProject:
        """As one process has it, which ends when a definition changes or when it is cut off."""
        return OpenProject(self.root)

    def close(self) -> None:
        if "opened" in vars(self):
            self.opened.close()
            del self.opened


DISK_FULL = "the disk is full"


class Cut(Exception):
    """The end of a process, as far as a test in one process can have it."""


@contextmanager
def cut_off(after: int) -> Iterator[dict[Work, str]]:
    """Let a run write what came of its tasks so many times. Gives what it did write."""
    written: dict[Work, str] = {}
    calls = 0
    record = Recorder.record

    def until_cut(self: Recorder, happened: Iterable[object]) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Cut
        happened = list(happened)
        record(self, happened)  # type: ignore[arg-type]
        written.update({_done(e): e.status for e in happened if isinstance(e, NodeResult)})

    def cut(*anything: object) -> None:
        raise Cut

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "RECORD_EVERY", 0.0)
        patch.setattr(runner, "publish", cut)
        patch.setattr(Recorder, "record", until_cut)
        yield written


@contextmanager
def full_disk(after: int) -> Iterator[None]:
    """Let so many files land, and no more."""
    left = iter(range(after))
    publish = LocalStorage.publish

    def until_full(self: LocalStorage, beside: str, path: str) -> int:
        if next(left, None) is None:
            raise OSError(DISK_FULL)
        return publish(self, beside, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalStorage, "publish", until_full)
        yield


def _done(result: NodeResult) -> Work:
    return result.node_id, result.interval


def tables(opened: OpenProject) -> dict[str, Snapshot]:
    found = opened.state.get_environment("prod")
    return tables_of(opened, "prod") if found and found.pointers else {}


def content(opened: OpenProject, shown: dict[str, Snapshot], node: str) -> list[tuple[int, int]]:
    """The rows that an environment shows of a node, sorted."""
    if node not in shown or (node in INCREMENTAL and not any(p.name for p in shown[node].parts)):
        return []
    return sorted(opened.engine.query(f"SELECT id, amount FROM {node}", shown).rows)


def plain(rows: Rows | None) -> list[tuple[int, int]]:
    return sorted((row.id, row.amount) for row in rows or ())


# --- Histories ------------------------------------------------------------------------------


class History(RuleBasedStateMachine):
    """Whatever is done to a project, each node shows what the model says."""

    def __init__(self, place: Place, span: Span) -> None:
        super().__init__()
        self.place, self.span = place, span
        self.resources = ExitStack()
        self.folder = Path(self.resources.enter_context(TemporaryDirectory()))
        self.patch = self.resources.enter_context(pytest.MonkeyPatch.context())

    def teardown(self) -> None:
        self.resources.close()

    @initialize(data=st.data(), events=events, bounds=bounds)
    def begin(self, data: st.DataObject, events: Events, bounds: Bounds) -> None:
        setting = data.draw(some_setting(self.place, self.span))
        self.setting, self.events = setting, events
        self.patch.setattr(parts, "FEW", setting.few)
        self.model = Model(setting)
        self.project = Project(self.folder, setting)
        self.resources.callback(self.project.close)
        self.run_some({}, bounds)

    # --- What happens to the source and to definitions

    def comes(self, late: Events) -> None:
        self.events |= late
        self.model.source = self.project.put(self.events)

    @rule(which=st.sets(ids, min_size=1, max_size=3), node=st.sampled_from(INCREMENTAL))
    def data_breaks(self, which: set[int], node: str) -> None:
        there = which & self.events.keys()
        self.comes({i: (self.events[i][0], BREAKS[node]) for i in there})

    @precondition(lambda self: any(amount > 9 for _, amount in self.events.values()))
    @rule()
    def data_is_mended(self) -> None:
        self.comes({i: (quarter, a % 10) for i, (quarter, a) in self.events.items()})

    @rule(node=st.sampled_from(INCREMENTAL))
    def definition_changes_or_changes_back(self, node: str) -> None:
        self.model.changes[node] ^= 1
        self.project.define(node, self.model.changes[node])

    # --- Runs

    @rule(late=late, bounds=bounds, days=st.booleans(), selector=st.sampled_from([None, "+one"]))
    def run_some(
        self, late: Events, bounds: Bounds, days: bool = False, selector: str | None = None
    ) -> None:
        self.comes(late)
        within, request = self._bounds(bounds, days)
        self._agree(within, self.project.run(select=selector, **request), selector)

    @rule(late=late, anew=st.integers(0, 3).map(lambda n: n == 3))
    def run(self, late: Events, anew: bool) -> None:
        self.comes(late)
        for node in INCREMENTAL:
            self.model.refreshes[node] += anew
        summary = self.project.run(full_refresh=anew)
        self._agree(self.setting.span, summary)
        if summary.status == "success":
            assert self.project.run().results == {}

    @precondition(lambda self: self.model.shows_new(ONE))
    @rule(late=late, bounds=bounds)
    def run_what_is_below(self, late: Events, bounds: Bounds) -> None:
        self.comes(late)
        within, request = self._bounds(bounds)
        self._agree(within, self.project.run(select="two+", **request), "two+")

    @rule(late=late, bounds=bounds, after=st.integers(0, 9))
    def run_on_a_full_disk(self, late: Events, bounds: Bounds, after: int) -> None:
        self.comes(late)
        within, request = self._bounds(bounds)
        with full_disk(after):
            self._agree(within, self.project.run(**request))

    @rule(late=late, bounds=bounds, after=st.integers(0, 9))
    def run_is_cut_off(self, late: Events, bounds: Bounds, after: int) -> None:
        self.comes(late)
        within, request = self._bounds(bounds)
        foreseen = self.model.foresee(within)
        with cut_off(after) as written, pytest.raises(Cut):
            self.project.run(**request)
        self.project.close()
        assert foreseen.statuses.items() >= {
            (work, status) for work, status in written.items() if work[0] != SOURCE
        }
        self.model.record(foreseen, written)

    def _bounds(self, bounds: Bounds, days: bool = False) -> tuple[Interval, dict[str, str]]:
        """What they leave of time, and how they are asked for."""
        within, request = self.setting.span, {}
        start, end = bounds
        zone = ZoneInfo(self.setting.zone)
        if start is not None:
            first = self.setting.moment(start)
            day = first.astimezone(zone).date()
            request["start"] = str(day) if days else first.isoformat()
            within = within._replace(start=self.setting.midnight(day) if days else first)
        if end is not None:
            last = self.setting.moment(end)
            day = last.astimezone(zone).date()
            request["end"] = str(day) if days else last.isoformat()
            within = within._replace(end=self.setting.midnight_after(day) if days else last)
        return within, request

    def _agree(self, within: Interval, summary: RunSummary, selector: str | None = None) -> None:
        results = summary.results.values()
        ended = {_done(result): result.status for result in results}
        full = {_done(result) for result in results if DISK_FULL in (result.error or "")}
        foreseen = self.model.foresee(within, selector, full)
        assert summary.status == ("failed" if "failed" in ended.values() else "success")
        assert set(summary.waiting) == foreseen.waiting
        ended.pop((SOURCE, None), None)
        if (WHOLE, None) not in ended and foreseen.well(WHOLE):  # it was there
            ended[WHOLE, None] = "success"
        assert ended == foreseen.statuses
        self.model.record(foreseen, ended)
        assert set(summary.behind) == self.model.publish(foreseen)
        if foreseen.well(WHOLE) and WHOLE not in summary.behind:
            assert self.model.whole == self.model.shows(ONE) + self.model.shows(TWO)

    # --- Corrections by hand

    @rule(node=st.sampled_from(INCREMENTAL), between=stretches)
    def restate(self, node: str, between: tuple[float, float]) -> None:
        self._restate(node, between, downstream=False)

    @rule(between=stretches)
    def restate_with_what_is_below(self, between: tuple[float, float]) -> None:
        self._restate(ONE, between, downstream=True)

    def _restate(self, node: str, between: tuple[float, float], *, downstream: bool) -> None:
        within = Interval(*map(self.setting.moment, between))
        gone = self.model.forgotten(node, within, downstream)
        rest = {n: self.model.without(n, intervals) for n, intervals in gone.items()}
        if not all(map(has_data, rest.values())):
            return
        start, end = (moment.isoformat() for moment in within)
        told = restate(self.project.opened, "prod", node, start, end, downstream=downstream)
        assert set(told) == {n for n, intervals in gone.items() if intervals}
        for n in told:
            self.model.own(n, rest[n])

    @rule(node=st.sampled_from(INCREMENTAL), first=st.integers(0, 50), count=st.integers(1, 5))
    def complete_by_hand(self, node: str, first: int, count: int) -> None:
        held, due = self.model.now(node), self.model.due[node]
        marked = due[first % len(due) :][:count] if due else []
        if not marked or not held:
            return
        when = f"{marked[0].start.isoformat()}/{marked[-1].end.isoformat()}"
        complete(self.project.opened, "prod", node, when)
        if fresh := {i: None for i in marked if i not in held}:
            self.model.own(node, held | fresh)

    # --- What holds after each of these

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        opened, model = self.project.opened, self.model
        pending = {line.node.id: list(line.pending) for line in timelines(opened, "prod")}
        assert pending == {node: model.pending(node) for node in INCREMENTAL}
        shown = tables(opened)
        assert {n for n in INCREMENTAL if n in shown} == set(model.shown)
        for node in INCREMENTAL:
            assert content(opened, shown, node) == plain(model.shows(node)), node
        assert content(opened, shown, WHOLE) == plain(model.whole)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: f"{2 * span.days + 1} days")
@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.zone} {place.day}")
def test_whatever_happens_each_node_shows_what_its_intervals_had_when_they_were_computed(
    place: Place, span: Span
) -> None:
    run_state_machine_as_test(
        lambda: History(place, span),  # type: ignore[arg-type]
        settings=settings(max_examples=3, stateful_step_count=12, deadline=None, database=None),
    )
