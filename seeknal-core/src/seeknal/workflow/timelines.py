"""What of their time incremental nodes hold, and how people correct it by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import takewhile

from seeknal.dag.fingerprint import is_incremental, pointer_to, snapshot_of
from seeknal.dag.manifest import Incremental, Node
from seeknal.errors import RequestError
from seeknal.names import check_name
from seeknal.state.intervals import Interval
from seeknal.state.records import CompletedIntervals, Environment
from seeknal.workflow.batches import due
from seeknal.workflow.holdings import holding_of, known
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.intervals import LAST, intervals_between, not_contained, range_of, tick_before
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.revisions import save
from seeknal.workflow.runner import new_run_id, selected_nodes
from seeknal.workflow.standing import definition_text
from seeknal.workflow.task import label


@dataclass(frozen=True, slots=True)
class Timeline:
    """Of one incremental node.

    snapshot: the id of what a run of its present definition writes. held: what that holds. shown:
    what the environment shows. shows_other: whether it shows that of another snapshot. due: the
    intervals that it should hold by now. pending: those of them that it does not.
    """

    node: Node
    timing: Incremental
    snapshot: str
    held: IntervalSet
    shown: IntervalSet
    shows_other: bool
    due: Sequence[Interval]
    pending: Sequence[Interval]


def timelines(
    project: OpenProject,
    environment: str,
    selector: str | None = None,
    *,
    schedule: str | None = None,
    bounds: tuple[str | None, str | None] = (None, None),
) -> list[Timeline]:
    """Of the incremental nodes that are selected, or all, in the order in which they are computed.

    schedule: cut time by this one instead. bounds: look only at what lies between. Raises
    RequestError when a selected one is not incremental, or when there is none.
    """
    manifest = project.manifest
    chosen = selected_nodes(project, selector)
    nodes = [n for i in manifest.order if i in chosen and (n := manifest.nodes[i]).incremental]
    if not nodes:
        among = f"Nothing that '{selector}' selects" if selector else "No node"
        raise RequestError(
            f"{among} is incremental: a node is, when it has `schedule:` and `incremental:`."
        )
    found = _environment(project, environment)
    standing = project.standing(found)
    now = datetime.now(UTC)
    lines = []
    for node in nodes:
        timing = node.incremental
        assert timing is not None
        snapshot = standing.incremental_snapshot(node)
        held = IntervalSet(project.state.get_completed_intervals(node.id, snapshot))
        pointer = found.pointers.get(node.id, "")
        parts = known(project.state, node.id, pointer) if is_incremental(pointer) else ()
        if schedule:
            timing = replace(timing, schedule=schedule, scheduler=project.settings.scheduler.name)
        cut = replace(node, incremental=timing)
        begins = timing.start or bounds[0] or held
        scheduler = project.scheduler(timing.scheduler)
        intervals = due(cut, scheduler, now, bounds, held) if begins else []
        pending = list(not_contained(intervals, held))
        lines.append(
            Timeline(
                node,
                timing,
                snapshot,
                held,
                shown=IntervalSet(parts),
                shows_other=snapshot_of(pointer) not in ("", snapshot),
                due=intervals,
                pending=pending,
            )
        )
    return lines


def complete(
    project: OpenProject, environment: str, selector: str | None, when: str
) -> dict[str, IntervalSet]:
    """Mark time as complete although nothing computes it.

    when: a date, for the intervals that begin on that day, or the one that holds it; or two times
    with a slash between them, as in 2024-01-01/2024-01-31. What is complete already stays what it
    is. Returns what is complete now of what was named, by node.
    """
    lines = timelines(project, environment, selector)
    named = {line.node.id: IntervalSet(_named(project, line, when)) for line in lines}
    fresh = {line.node.id: line for line in lines if named[line.node.id] - line.held}
    state, run_id = project.state, new_run_id()
    with state.transaction():
        snapshots = _own_snapshots(project, environment, fresh, run_id, "mark as complete")
        for node_id, snapshot in snapshots.items():
            for start, end in named[node_id] - fresh[node_id].held:
                state.add_completed_interval(run_id, node_id, start, end, snapshot=snapshot)
    return named


def _named(project: OpenProject, line: Timeline, when: str) -> list[Interval]:
    """The intervals of a node that a text names."""
    timing = line.timing
    scheduler = project.scheduler(timing.scheduler)
    first, slash, last = when.partition("/")
    within = range_of(first, last if slash else first, timing.timezone)
    beyond = within if slash else Interval(within.start, LAST)
    intervals = intervals_between(scheduler, timing.schedule, timing.timezone, beyond)
    found = list(takewhile(lambda interval: interval.start < within.end, intervals))
    if not found:
        begin = tick_before(scheduler, timing.schedule, timing.timezone, within.start)
        if begin is not None:
            holding = Interval(begin, LAST)
            following = intervals_between(scheduler, timing.schedule, timing.timezone, holding)
            found = [next(following)]
    over = IntervalSet(line.due)
    if not found or any(not over.contains(interval) for interval in found):
        has = "none that is over"
        if line.due:
            has = (
                f"those of {label(Interval(line.due[0].start, line.due[-1].end), timing.timezone)}"
            )
        raise RequestError(f"{line.node.id} should hold no interval of {when} now: it has {has}.")
    return found


def restate(
    project: OpenProject,
    environment: str,
    node: str,
    start: str,
    end: str,
    *,
    downstream: bool = False,
) -> dict[str, IntervalSet]:
    """Forget that time was computed, so that the next run computes it again.

    start, end: ISO 8601 dates or times; whole intervals are forgotten, those that overlap. With
    downstream, of all incremental nodes that are made from this one too, those that overlap what
    is forgotten of what they read. It stays shown until then; other environments keep what they
    show. Returns what was forgotten, by node.
    """
    node_id = project.manifest.incremental(node).id
    affected = project.manifest.downstream([node_id]) if downstream else {node_id}
    lines = {
        line.node.id: line for line in timelines(project, environment) if line.node.id in affected
    }
    within = range_of(start, end, lines[node_id].timing.timezone)
    reached = _reached(project, lines, {node_id: IntervalSet([within])})
    gone = {i: forgotten for i, line in lines.items() if (forgotten := reached[i] & line.held)}
    if gone:
        _forget(project, environment, lines, gone)
    return gone


def _reached(
    project: OpenProject, lines: Mapping[str, Timeline], begin: Mapping[str, IntervalSet]
) -> dict[str, IntervalSet]:
    """From stretches of the time of some nodes, those of all that are made from them: in whole
    intervals where a node is incremental and among `lines`."""
    reached = dict(begin)
    downstream = project.manifest.downstream(begin)
    for node_id in (i for i in project.manifest.order if i in downstream):
        stretch = reached.get(node_id, IntervalSet())
        for input_id in project.manifest.nodes[node_id].inputs:
            stretch |= reached.get(input_id, IntervalSet())
        if node_id in lines:
            line = lines[node_id]
            stretch = IntervalSet(_overlapping(project, line, one) for one in stretch)
        reached[node_id] = stretch
    return reached


def widened(node: Node, start: str, end: str, gone: IntervalSet) -> tuple[str, str]:
    """A stretch of a node's time, with all that was forgotten of it."""
    if node.incremental is None or not gone:
        return start, end
    within = range_of(start, end, node.incremental.timezone)
    edges = [*within, *(edge for interval in gone for edge in interval)]
    return min(edges).isoformat(), max(edges).isoformat()


def refuse_what_holds_no_interval(
    project: OpenProject, environment: str, node_id: str, bounds: tuple[str, str]
) -> None:
    """Raise RequestError when a node has no whole interval that is over in a stretch of time."""
    (line,) = timelines(project, environment, node_id, bounds=bounds)
    if not line.due:
        timing = line.timing
        limits = " ".join(
            f"{name} {value}"
            for name, value in (("from", timing.start), ("to", timing.end))
            if value
        )
        raise RequestError(
            f"No interval of {node_id} that is over lies wholly between {bounds[0]} and "
            f"{bounds[1]}: its schedule is {timing.schedule!r} {limits}".rstrip()
            + "."
        )


def _overlapping(project: OpenProject, line: Timeline, within: Interval) -> Interval:
    """The time of the whole intervals that hold any of this."""
    timing = line.timing
    scheduler = project.scheduler(timing.scheduler)
    begin = tick_before(scheduler, timing.schedule, timing.timezone, within.start)
    start = begin if begin is not None else within.start
    ticks = scheduler.ticks(timing.schedule, timing.timezone, within.end, LAST)
    return Interval(start, next(ticks, within.end))


def _forget(
    project: OpenProject,
    environment: str,
    lines: Mapping[str, Timeline],
    gone: Mapping[str, IntervalSet],
) -> None:
    state, run_id = project.state, new_run_id()
    concerned = {node_id: lines[node_id] for node_id in gone}
    with state.transaction():
        snapshots = _own_snapshots(project, environment, concerned, run_id, "restate")
        for node_id, forgotten in gone.items():
            for start, end in forgotten:
                state.remove_intervals(node_id, snapshots[node_id], start, end)


def _own_snapshots(
    project: OpenProject,
    environment: str,
    lines: Mapping[str, Timeline],
    run_id: str,
    what: str,
) -> dict[str, str]:
    """Give an environment snapshots of its own, by node, that hold the same: what is changed there
    by hand is changed for nobody else, nor in what it showed before.

    Records a run under which the change can be made. what: for people, the change.
    """
    state = project.state
    before = _environment(project, environment)
    refreshed = {**before.refreshed, **dict.fromkeys(lines, run_id)}
    standing = project.standing(replace(before, refreshed=refreshed))
    own = {i: standing.incremental_address(line.node) for i, line in lines.items()}
    pointers, definitions, addresses = (
        dict(kept) for kept in (before.pointers, before.definitions, before.addresses)
    )
    for node_id, line in lines.items():
        pointer = pointers.get(node_id, "")
        held = state.get_parts(node_id, line.snapshot)
        state.restore([CompletedIntervals(node_id, own[node_id], tuple(held))] if held else [])
        if snapshot_of(pointer) == line.snapshot:
            parts = known(state, node_id, pointer)
            pointers[node_id] = pointer_to(own[node_id], parts)
            state.add_holding(holding_of(node_id, pointers[node_id], parts))
            address = standing.address_before(node_id)
            addresses.pop(node_id, None)
            if address not in (None, own[node_id]):
                addresses[node_id] = address
            else:
                definitions[node_id] = definition_text(line.node)
    now = datetime.now(UTC)
    state.create_run(
        run_id,
        environment=environment,
        status="success",
        started_at=now,
        finished_at=now,
        pins=own,
    )
    after = replace(
        before,
        pointers=pointers,
        refreshed=refreshed,
        definitions=definitions,
        addresses=addresses,
    )
    save(state, before, after, what, project.settings.retention.revisions)
    return own


def _environment(project: OpenProject, name: str) -> Environment:
    check_name(name, "an environment")
    return project.state.get_environment(name) or Environment(name)
