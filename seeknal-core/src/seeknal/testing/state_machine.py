"""Random calls on a state backend and on a model of it, which must do the same."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from seeknal.errors import ConflictError, SeeknalError, StateError
from seeknal.state.backend import StateBackend
from seeknal.state.intervals import Interval, Part
from seeknal.state.records import (
    CompletedIntervals,
    Environment,
    Holding,
    NodeState,
    Record,
    Revision,
    Run,
)

BEGIN = datetime(2023, 12, 30, tzinfo=UTC)

Call = tuple[str, tuple[Any, ...], dict[str, Any]]
Contents = dict[tuple[type[Record], tuple[str, ...]], Record]


class Model:
    """What a backend is to do, in the plainest way: time is kept as a set of hours."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.states: dict[tuple[str, str], NodeState] = {}
        self.hours: dict[tuple[str, str], dict[int, str]] = {}
        self.environments: dict[str, Environment] = {}
        self.revisions: dict[tuple[str, int], Revision] = {}
        self.holdings: dict[tuple[str, str], Holding] = {}

    def create_run(self, run_id: str, **fields: Any) -> None:
        if run_id in self.runs:
            raise ConflictError
        self.runs[run_id] = Run(run_id, **fields)

    def update_run(self, run_id: str, **fields: Any) -> None:
        self._need(run_id)
        self.runs[run_id] = replace(self.runs[run_id], **fields)

    def delete_run(self, run_id: str) -> None:
        self.runs.pop(run_id, None)
        self.states = {key: state for key, state in self.states.items() if key[0] != run_id}

    def list_runs(self, **how: Any) -> list[Run]:
        found = [
            run
            for run in self.runs.values()
            if how.get("status") in (None, run.status)
            and how.get("environment") in (None, run.environment)
        ]
        found.sort(key=lambda run: (run.started_at, run.run_id), reverse=True)
        found = found[how.get("offset", 0) :]
        return found if how.get("limit") is None else found[: how["limit"]]

    def set_node_state(self, run_id: str, node_id: str, **fields: Any) -> None:
        self._need(run_id)
        before = self.states.get((run_id, node_id), NodeState(run_id, node_id))
        self.states[run_id, node_id] = replace(before, **fields)

    def list_node_states(self, run_id: str) -> list[NodeState]:
        return [state for key, state in sorted(self.states.items()) if key[0] == run_id]

    def add_completed_interval(
        self,
        run_id: str,
        node_id: str,
        start: datetime,
        end: datetime,
        *,
        snapshot: str | None = None,
        part: str = "",
    ) -> None:
        self._need(run_id)
        if snapshot is None and (run_id, node_id) in self.states:
            snapshot = self.states[run_id, node_id].snapshot
        held = self.hours.setdefault((node_id, snapshot or ""), {})
        held.update(dict.fromkeys(_hours(start, end), part))

    def remove_intervals(
        self, node_id: str, snapshot: str | None, start: datetime, end: datetime
    ) -> None:
        held = self.hours.get((node_id, snapshot or ""), {})
        for hour in _hours(start, end):
            held.pop(hour, None)

    def get_completed_intervals(self, node_id: str, snapshot: str | None) -> list[Interval]:
        ranges: list[Interval] = []
        for hour in sorted(self.hours.get((node_id, snapshot or ""), ())):
            start, end = _time(hour), _time(hour + 1)
            if ranges and ranges[-1].end == start:
                start = ranges.pop().start
            ranges.append(Interval(start, end))
        return ranges

    def get_parts(self, node_id: str, snapshot: str | None) -> list[Part]:
        parts: list[Part] = []
        for hour, name in sorted(self.hours.get((node_id, snapshot or ""), {}).items()):
            start, end = _time(hour), _time(hour + 1)
            if parts and (parts[-1].end, parts[-1].name) == (start, name):
                start = parts.pop().start
            parts.append(Part(start, end, name))
        return parts

    def save_environment(self, environment: Environment) -> Environment:
        self._need_unmoved(environment)
        if environment.version and environment.name not in self.environments:
            raise ConflictError
        saved = replace(environment, version=environment.version + 1)
        self.environments[saved.name] = saved
        return saved

    def delete_environment(self, environment: Environment) -> None:
        self._need_unmoved(environment)
        self.environments.pop(environment.name, None)
        self.delete_revisions(environment.name, 99)

    def add_revision(self, revision: Revision) -> None:
        if revision.environment not in self.environments:
            raise StateError
        if revision.key in self.revisions:
            raise ConflictError
        self.revisions[revision.environment, revision.number] = revision

    def list_revisions(self, environment: str) -> list[Revision]:
        found = [r for r in self.revisions.values() if r.environment == environment]
        return sorted(found, key=lambda revision: revision.number, reverse=True)

    def delete_revisions(self, environment: str, until: int) -> None:
        self.revisions = {
            (name, number): revision
            for (name, number), revision in self.revisions.items()
            if name != environment or number > until
        }

    def list_ledgers(self) -> list[tuple[str, str]]:
        return sorted(key for key, hours in self.hours.items() if hours)

    def add_holding(self, holding: Holding) -> None:
        self.holdings[holding.node_id, holding.pointer] = holding

    def list_holdings(self) -> list[tuple[str, str]]:
        return sorted(self.holdings)

    def delete_holding(self, node_id: str, pointer: str) -> None:
        self.holdings.pop((node_id, pointer), None)

    def _need(self, run_id: str) -> None:
        if run_id not in self.runs:
            raise StateError

    def _need_unmoved(self, ours: Environment) -> None:
        stored = self.environments.get(ours.name)
        if stored and (stored.version, stored.created_at) != (ours.version, ours.created_at):
            raise ConflictError

    def contents(self) -> Contents:
        ledgers = [
            CompletedIntervals(*key, tuple(self.get_parts(*key)))
            for key, hours in self.hours.items()
            if hours
        ]
        records: list[Record] = [
            *self.runs.values(), *self.states.values(), *self.environments.values(),
            *self.revisions.values(), *self.holdings.values(), *ledgers,
        ]  # fmt: skip
        return {(type(record), record.key): record for record in records}


def _time(hour: int) -> datetime:
    return BEGIN + timedelta(hours=hour)


def _hours(start: datetime, end: datetime) -> range:
    return range(int((start - BEGIN) / timedelta(hours=1)), int((end - BEGIN) / timedelta(hours=1)))


runs = st.sampled_from(["r", "R", "q.r"])
nodes = st.sampled_from(["a", "a/b", "b"])
snapshots = st.sampled_from([None, "s", "t"])
names = st.sampled_from(["dev", "prod"])
times = st.integers(0, 2000).map(_time)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
stretches = st.tuples(st.integers(0, 1500), st.integers(1, 800)).map(
    lambda pair: (_time(pair[0]), _time(sum(pair)))
)
run_fields = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["success", "failed"]),
        "environment": names,
        "finished_at": st.none() | times,
        "counts": st.dictionaries(texts, st.integers(0, 2**40), max_size=2),
        "error": st.none() | texts,
        "pins": st.none() | st.dictionaries(nodes, texts, max_size=2),
    },
)
node_fields = st.fixed_dictionaries(
    {},
    optional={
        "status": texts,
        "snapshot": snapshots,
        "started_at": st.none() | times,
        "seconds": st.none() | st.integers(-(10**12), 10**12).map(lambda ms: ms / 1000),
        "rows": st.none() | st.integers(-(2**63), 2**63 - 1),
        "error": st.none() | texts,
        "tasks": st.none() | st.integers(-(2**63), 2**63 - 1),
    },
)
environments = st.builds(
    Environment,
    names,
    st.dictionaries(nodes, texts, max_size=3),
    *(st.dictionaries(nodes, texts, max_size=2) for _ in ("refreshed", "definitions", "addresses")),
    status=st.sampled_from(["planned", "applied", "promoted"]),
    ttl_hours=st.none() | st.sampled_from([0.5, 168.0]),
    plan=st.none() | texts,
    created_at=st.sampled_from([_time(0), _time(1)]),
    updated_at=times,
    used_at=times,
    revision=st.integers(0, 9),
    version=st.integers(0, 3),
)
revisions = st.builds(Revision, names, st.integers(1, 4), times, texts, texts)
holdings = st.builds(Holding, nodes, snapshots.filter(bool), texts)
pages = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["running", "failed"]),
        "environment": names,
        "limit": st.integers(0, 3),
        "offset": st.integers(0, 3),
    },
)


def call(
    name: str, *arguments: st.SearchStrategy[Any], fields: st.SearchStrategy[Any] | None = None
) -> st.SearchStrategy[Call]:
    return st.tuples(
        st.just(name), st.tuples(*arguments), st.just({}) if fields is None else fields
    )


started = st.builds(lambda fields, time: {**fields, "started_at": time}, run_fields, times)
writes: st.SearchStrategy[Call] = st.one_of(
    call("create_run", runs, fields=started),
    call("update_run", runs, fields=run_fields),
    call("set_node_state", runs, nodes, fields=node_fields),
    call("set_node_state", runs, nodes, fields=node_fields),
    call("delete_run", runs),
    st.builds(
        lambda run, node, stretch, snapshot, part: (
            "add_completed_interval", (run, node, *stretch), {"snapshot": snapshot, "part": part}
        ),
        runs, nodes, stretches, snapshots, st.sampled_from(["", "p", "q"]),
    ),
    st.builds(
        lambda node, snapshot, stretch: ("remove_intervals", (node, snapshot, *stretch), {}),
        nodes, snapshots, stretches,
    ),
    call("save_environment", environments),
    call("delete_environment", environments),
    call("add_revision", revisions),
    call("delete_revisions", names, st.integers(0, 4)),
    call("add_holding", holdings),
    call("delete_holding", nodes, snapshots.filter(bool)),
)  # fmt: skip


class BackendAgainstModel(RuleBasedStateMachine):
    """Every call must have the same outcome, and all contents must be the same after it."""

    def __init__(self, backend: StateBackend) -> None:
        super().__init__()
        self.backend = backend
        self.model = Model()

    @initialize()
    def empty(self) -> None:
        with self.backend.transaction():
            records = list(self.backend.records())
        for record in records:
            if isinstance(record, Run):
                self.backend.delete_run(record.run_id)
            elif isinstance(record, Environment):
                self.backend.delete_environment(record)
            elif isinstance(record, CompletedIntervals):
                ends = (record.parts[0].start, record.parts[-1].end)
                self.backend.remove_intervals(*record.key, *ends)  # type: ignore[call-arg]
            elif isinstance(record, Holding):
                self.backend.delete_holding(record.node_id, record.pointer)

    @rule(made=writes)
    def one_write(self, made: Call) -> None:
        self.same_outcome(made)

    @rule(made=st.lists(writes, max_size=6), fails=st.booleans())
    def a_transaction(self, made: list[Call], fails: bool) -> None:
        before = copy.deepcopy(vars(self.model))
        try:
            with self.backend.transaction():
                for one in made:
                    self.same_outcome(one)
                if fails:
                    raise KeyError
        except KeyError:
            vars(self.model).update(before)

    @rule(how=pages)
    def a_page_of_runs(self, how: dict[str, Any]) -> None:
        assert self.backend.list_runs(**how) == self.model.list_runs(**how)

    @rule(run_id=runs, node_id=nodes, snapshot=snapshots)
    def single_reads(self, run_id: str, node_id: str, snapshot: str | None) -> None:
        model = self.model
        assert self.backend.get_run(run_id) == model.runs.get(run_id)
        assert self.backend.get_node_state(run_id, node_id) == model.states.get((run_id, node_id))
        assert self.backend.list_node_states(run_id) == model.list_node_states(run_id)
        ranges = self.backend.get_completed_intervals(node_id, snapshot)
        assert ranges == model.get_completed_intervals(node_id, snapshot)
        parts = self.backend.get_parts(node_id, snapshot)
        assert parts == model.get_parts(node_id, snapshot)
        for name in ("dev", "prod"):
            assert self.backend.get_environment(name) == model.environments.get(name)
            assert self.backend.list_revisions(name) == model.list_revisions(name)
        assert self.backend.list_ledgers() == model.list_ledgers()
        assert self.backend.list_holdings() == model.list_holdings()
        if snapshot:
            held = self.backend.get_holding(node_id, snapshot)
            assert held == model.holdings.get((node_id, snapshot))

    @invariant()
    def same_contents(self) -> None:
        with self.backend.transaction():
            records = list(self.backend.records())
        assert {(type(record), record.key): record for record in records} == self.model.contents()

    def same_outcome(self, made: Call) -> None:
        expected = _outcome(self.model, made)
        assert _outcome(self.backend, made) == expected


def _outcome(target: Any, made: Call) -> Any:
    name, arguments, fields = made
    method: Callable[..., Any] = getattr(target, name)
    try:
        return method(*arguments, **fields)
    except SeeknalError as error:
        return type(error)
