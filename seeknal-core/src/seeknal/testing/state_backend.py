"""The conformance suite for state backends."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from seeknal.errors import ConflictError, RequestError, StateError
from seeknal.state.backend import StateBackend
from seeknal.state.intervals import Interval, Part, moment
from seeknal.state.locks import Lock
from seeknal.state.records import (
    CompletedIntervals,
    Environment,
    Holding,
    NodeState,
    Record,
    Revision,
    Run,
)
from seeknal.testing.processes import in_children, killed
from seeknal.testing.state_machine import BackendAgainstModel
from seeknal.testing.suite import Suite

OpenBackend = Callable[[], StateBackend]

JANUARY = datetime(2024, 1, 1, tzinfo=UTC)

NAMES = [
    "a/b", "a.b", "a_b", "ab", "A", "a", "%61", "a%2fb", ".", "..", ".a", "a.json", "a/", "a b",
    "a'b", 'a"b', "a\\b", "a:b", "a~b", "-a", "*", "é", "e\u0301", "中文", "😀", "x" * 300,
    "x" * 299 + "y", "é" * 300, "line\nbreak", "con", "null",
]  # fmt: skip
"""Names that differ, though file systems or databases may think otherwise."""


def day(first: int, last: int | None = None) -> Interval:
    """Days of January 2024, from the first until the end of the last."""
    start = JANUARY + timedelta(days=first - 1)
    return Interval(start, JANUARY + timedelta(days=last or first))


class StateBackendSuite(Suite):
    """Inherit it, and give the fixture `open_backend`: a function that opens one storage, at first
    empty, and can be called several times, in several processes.

    The numbers in the tests are those of the promises in docs/behaviour/state-backends.md.
    """

    capabilities: ClassVar[dict[str, str]] = {
        "keeps": "What was written is there when the storage is opened again.",
        "shared_by_processes": "Several processes may have the storage open at once.",
    }
    keeps: ClassVar[bool] = True
    shared_by_processes: ClassVar[bool] = True

    kills: ClassVar[int] = 150
    """How often a child is killed, in each of the tests that do so."""

    examples: ClassVar[int] = 30
    """How many random sequences of calls are compared with the model's."""

    @pytest.fixture
    def open_backend(self) -> OpenBackend:
        raise NotImplementedError("Give the fixture `open_backend`: see StateBackendSuite.")

    @pytest.fixture
    def backend(self, open_backend: OpenBackend) -> Iterator[StateBackend]:
        opened = open_backend()
        opened.initialize()
        with opened.transaction():
            leaked = list(opened.records())
        assert not leaked, f"the fixture open_backend gave a storage that isn't empty: {leaked}"
        yield opened
        opened.close()

    # --- Opening ----------------------------------------------------------------------------

    def test_a_storage_may_be_initialized_again(self, backend: StateBackend) -> None:
        """S1"""
        backend.create_run("r")
        backend.initialize()
        assert backend.get_run("r") is not None

    def test_what_was_written_is_there_for_who_opens_it_next(
        self, open_backend: OpenBackend
    ) -> None:
        """S2"""
        self.need("keeps")
        first = open_backend()
        first.initialize()
        fill(first)
        before = contents(first)
        first.close()
        first.close()
        second = open_backend()
        second.initialize()
        assert contents(second) == before
        second.close()

    # --- Runs -------------------------------------------------------------------------------

    def test_a_run_is_what_was_given(self, backend: StateBackend) -> None:
        """S3"""
        before = datetime.now(UTC)
        backend.create_run("r")
        run = backend.get_run("r")
        assert run is not None
        assert before <= run.started_at <= datetime.now(UTC)
        assert run == Run("r", started_at=run.started_at)
        counts, pins = {"failed": 2, "ok": 0}, {"é": "s", "b": ""}
        full = Run("full", "dev", "failed", JANUARY, JANUARY, counts, "oh", pins)
        fields = {k: v for k, v in vars(full).items() if k != "run_id"}
        backend.create_run("full", **fields)
        assert backend.get_run("full") == full
        assert backend.get_run("other") is None

    def test_an_id_is_taken_once(self, backend: StateBackend) -> None:
        """S4"""
        backend.create_run("r", status="success")
        with pytest.raises(ConflictError, match="already a run 'r'"):
            backend.create_run("r")
        run = backend.get_run("r")
        assert run is not None
        assert run.status == "success"

    def test_an_update_changes_what_is_given(self, backend: StateBackend) -> None:
        """S5"""
        backend.create_run("r", environment="dev", started_at=JANUARY)
        backend.update_run("r", status="success", counts={"success": 3})
        backend.update_run("r", finished_at=JANUARY)
        assert backend.get_run("r") == Run("r", "dev", "success", JANUARY, JANUARY, {"success": 3})
        backend.update_run("r", finished_at=None)
        backend.update_run("r")
        run = backend.get_run("r")
        assert run is not None
        assert run.finished_at is None
        pinned: tuple[dict[str, str] | None, ...] = ({"a": "s"}, {}, None)
        for pins in pinned:
            backend.update_run("r", pins=pins)
            assert backend.list_runs() == [replace(run, pins=pins)]
        with pytest.raises(StateError, match="no run 'x'"):
            backend.update_run("x", status="failed")

    def test_runs_are_listed_newest_first_filtered_and_paged(self, backend: StateBackend) -> None:
        """S6"""
        for number in range(7):
            backend.create_run(
                f"r{number}",
                environment="dev" if number % 2 else "prod",
                status="failed" if number < 3 else "success",
                started_at=JANUARY + timedelta(hours=(number * 5) % 7, microseconds=number % 2),
            )
        by_start = ["r4", "r1", "r5", "r2", "r6", "r3", "r0"]

        def listed(**how: Any) -> list[str]:
            return [run.run_id for run in backend.list_runs(**how)]

        assert listed() == by_start
        assert listed(limit=3) == by_start[:3]
        assert listed(limit=3, offset=2) == by_start[2:5]
        assert listed(offset=5) == by_start[5:]
        assert listed(limit=0) == []
        assert listed(environment="dev") == ["r1", "r5", "r3"]
        assert listed(environment="dev", status="failed") == ["r1"]
        assert listed(status="success", limit=1, offset=1) == ["r5"]
        assert listed(status="running") == []

    def test_a_deleted_run_is_gone_and_its_intervals_stay(self, backend: StateBackend) -> None:
        """S7"""
        for run_id in ("a", "b"):
            backend.create_run(run_id)
            backend.set_node_state(run_id, "n", snapshot="s")
        backend.add_completed_interval("a", "n", *day(1))
        backend.delete_run("a")
        backend.delete_run("a")
        assert backend.get_run("a") is None
        assert backend.list_node_states("a") == []
        assert len(backend.list_node_states("b")) == 1
        assert backend.get_completed_intervals("n", "s") == [day(1)]
        with pytest.raises(StateError, match="no run 'a'"):
            backend.set_node_state("a", "n")
        backend.create_run("a")
        assert backend.list_node_states("a") == []

    # --- Fields -----------------------------------------------------------------------------

    def test_a_field_that_there_is_not_is_refused(self, backend: StateBackend) -> None:
        """S8"""
        with pytest.raises(RequestError, match=r"'statsu' to set\. Did you mean 'status'\?"):
            backend.create_run("r", statsu="running")
        assert backend.get_run("r") is None
        backend.create_run("r")
        with pytest.raises(RequestError, match="A node state has no field 'row'"):
            backend.set_node_state("r", "n", status="success", row=3)
        with pytest.raises(RequestError, match="A run has no field 'nothing'"):
            backend.update_run("r", nothing=None)
        assert backend.list_node_states("r") == []

    @pytest.mark.parametrize(
        "fields",
        [
            {"rows": "many"}, {"rows": True}, {"rows": 2**63}, {"seconds": float("nan")},
            {"seconds": "1"}, {"started_at": "2024-01-01"}, {"status": None}, {"error": b"x"},
        ],
        ids=str,
    )  # fmt: skip
    def test_a_value_of_another_type_is_refused(
        self, backend: StateBackend, fields: dict[str, Any]
    ) -> None:
        """S8"""
        backend.create_run("r")
        with pytest.raises(RequestError, match=f"A node state's {next(iter(fields))} can't be"):
            backend.set_node_state("r", "n", **fields)
        assert backend.get_node_state("r", "n") is None

    def test_times_are_exact_and_come_back_in_utc(self, backend: StateBackend) -> None:
        """S9"""
        lord_howe = timezone(timedelta(hours=10, minutes=30))
        exact = datetime(2024, 2, 29, 3, 4, 5, 678901, lord_howe)
        backend.create_run("r", started_at=exact, finished_at=datetime(2024, 1, 1, 5))
        run = backend.get_run("r")
        assert run is not None
        assert run.started_at == exact
        assert run.finished_at == datetime(2024, 1, 1, 5, tzinfo=UTC)
        for kept in (run.started_at, run.finished_at):
            assert kept.utcoffset() == timedelta(0)

    def test_any_text_is_kept(self, backend: StateBackend) -> None:
        """S10"""
        text = "é 中文 😀 'quoted' \"twice\" \\ % %s :x ?\r\n\t\x01" + "long " * 20_000
        backend.create_run("r", error=text)
        run = backend.get_run("r")
        assert run is not None
        assert run.error == text
        backend.update_run("r", error="nul \0 and half a pair \udce9")
        run = backend.get_run("r")
        assert run is not None
        assert run.error == "nul \ufffd and half a pair ?"

    def test_names_that_differ_stay_different(self, backend: StateBackend) -> None:
        """S11"""
        for number, name in enumerate(NAMES):
            backend.create_run(name, counts={"number": number})
            backend.set_node_state(name, "n", rows=number)
            backend.set_node_state(NAMES[0], name, rows=number)
            backend.add_completed_interval(name, name, *day(1 + number % 20), snapshot=name)
            backend.save_environment(Environment(name, pointers={name: str(number)}))
            backend.add_revision(Revision(name, 1 + number, JANUARY, name, name))
        for number, name in enumerate(NAMES):
            run, environment = backend.get_run(name), backend.get_environment(name)
            state = backend.get_node_state(NAMES[0], name)
            assert run is not None
            assert environment is not None
            assert state is not None
            assert (run.run_id, run.counts) == (name, {"number": number})
            assert (state.node_id, state.rows) == (name, number)
            assert (environment.name, environment.pointers) == (name, {name: str(number)})
            revision = Revision(name, 1 + number, JANUARY, name, name)
            assert backend.list_revisions(name) == [revision]
            assert backend.get_completed_intervals(name, name) == [day(1 + number % 20)]
        assert sorted(run.run_id for run in backend.list_runs()) == sorted(NAMES)
        assert [e.name for e in backend.list_environments()] == sorted(NAMES)
        listed = [state.node_id for state in backend.list_node_states(NAMES[0])]
        assert listed == sorted([*NAMES, "n"])

    @pytest.mark.parametrize("name", ["", "nul\0", "half\udce9", None, 7], ids=repr)
    def test_what_can_name_nothing_is_refused(self, backend: StateBackend, name: Any) -> None:
        """S11"""
        backend.create_run("r")
        for write in (
            lambda: backend.create_run(name),
            lambda: backend.set_node_state("r", name),
            lambda: backend.add_completed_interval("r", name, *day(1)),
            lambda: backend.save_environment(Environment(name)),
            lambda: backend.acquire_lock(name, 0),
        ):
            with pytest.raises(RequestError, match="can't be the id of"):
                write()

    # --- Node states ------------------------------------------------------------------------

    def test_a_node_state_keeps_what_is_not_given(self, backend: StateBackend) -> None:
        """S12"""
        backend.create_run("r")
        backend.set_node_state("r", "n", started_at=JANUARY, snapshot="s")
        measured: dict[str, Any] = {"seconds": 0.25, "rows": 3, "bytes": 2**40, "tasks": 2**33}
        backend.set_node_state("r", "n", status="success", **measured)
        backend.set_node_state("r", "n")
        expected = NodeState("r", "n", "success", "s", JANUARY, **measured)
        assert backend.get_node_state("r", "n") == expected
        backend.set_node_state("r", "n", snapshot=None)
        assert backend.get_node_state("r", "n") == replace(expected, snapshot=None)
        assert backend.get_node_state("r", "m") is None
        assert backend.get_node_state("q", "n") is None

    def test_node_states_are_listed_by_node_and_belong_to_a_run(
        self, backend: StateBackend
    ) -> None:
        """S13"""
        for run_id in ("r", "q"):
            backend.create_run(run_id)
            for node_id in ("b", "B", "a", "é", "a.b"):
                backend.set_node_state(run_id, node_id, error=run_id)
        listed = backend.list_node_states("r")
        assert [state.node_id for state in listed] == ["B", "a", "a.b", "b", "é"]
        assert {state.error for state in listed} == {"r"}
        assert backend.list_node_states("x") == []
        with pytest.raises(StateError, match="no run 'x'"):
            backend.set_node_state("x", "n", status="success")

    # --- Intervals --------------------------------------------------------------------------

    def test_intervals_are_merged_ranges(self, backend: StateBackend) -> None:
        """S14"""
        backend.create_run("r")
        for interval in (day(5), day(1), day(3), day(2), day(3), day(2, 3)):
            backend.add_completed_interval("r", "n", *interval, snapshot="s")
        assert backend.get_completed_intervals("n", "s") == [day(1, 3), day(5)]
        backend.add_completed_interval("r", "n", *day(4, 20), snapshot="s")
        assert backend.get_completed_intervals("n", "s") == [day(1, 20)]
        backend.add_completed_interval("r", "n", "1999-12-31", "2024-01-01", snapshot="s")
        assert backend.get_completed_intervals("n", "s") == [
            Interval(moment("1999-12-31"), day(20).end)
        ]

    def test_intervals_belong_to_a_snapshot(self, backend: StateBackend) -> None:
        """S15"""
        backend.create_run("r")
        backend.add_completed_interval("r", "n", "2024-01-01", "2024-01-02")
        backend.set_node_state("r", "n", snapshot="s")
        backend.add_completed_interval("r", "n", *day(2))
        backend.add_completed_interval("r", "n", *day(3), snapshot="t")
        backend.add_completed_interval("r", "m", *day(4), snapshot="s")
        assert backend.get_completed_intervals("n", None) == [day(1)]
        assert backend.get_completed_intervals("n", "s") == [day(2)]
        assert backend.get_completed_intervals("n", "t") == [day(3)]
        assert backend.get_completed_intervals("m", "s") == [day(4)]
        assert backend.get_completed_intervals("m", None) == []
        with pytest.raises(StateError, match="no run 'x'"):
            backend.add_completed_interval("x", "n", *day(1))

    def test_removed_intervals_leave_what_is_around_them(self, backend: StateBackend) -> None:
        """S16"""
        backend.create_run("r")
        backend.add_completed_interval("r", "n", *day(1, 60), snapshot="s")
        backend.remove_intervals("n", "s", *day(10, 40))
        backend.remove_intervals("n", "s", *day(12))
        backend.remove_intervals("n", "s", "2024-01-01", "2024-01-01T06:00")
        backend.remove_intervals("n", "t", *day(1, 60))
        assert backend.get_completed_intervals("n", "s") == [
            Interval(moment("2024-01-01T06:00"), day(9).end),
            day(41, 60),
        ]
        backend.remove_intervals("n", "s", "1900-01-01", "2100-01-01")
        assert backend.get_completed_intervals("n", "s") == []

    def test_a_part_takes_the_place_of_what_held_its_time(self, backend: StateBackend) -> None:
        """S40"""
        backend.create_run("r")
        for name, *days in (("a", 1, 20), ("b", 30, 50), ("c", 10, 12), ("d", 19, 35)):
            backend.add_completed_interval("r", "n", *day(*days), snapshot="s", part=name)
        parts = [
            Part(*day(1, 9), "a"), Part(*day(10, 12), "c"), Part(*day(13, 18), "a"),
            Part(*day(19, 35), "d"), Part(*day(36, 50), "b"),
        ]  # fmt: skip
        assert backend.get_parts("n", "s") == parts
        assert backend.get_completed_intervals("n", "s") == [day(1, 50)]
        backend.add_completed_interval("r", "n", *day(51), snapshot="s", part="b")
        backend.remove_intervals("n", "s", *day(5, 34))
        parts = [Part(*day(1, 4), "a"), Part(*day(35), "d"), Part(*day(36, 51), "b")]
        assert backend.get_parts("n", "s") == parts
        backend.add_completed_interval("r", "n", *day(60))
        assert backend.get_parts("n", None) == [Part(*day(60), "")]

    @pytest.mark.parametrize(
        ("start", "end"),
        [("2024-01-02", "2024-01-01"), ("2024-01-01", "2024-01-01"), ("monday", "tuesday")],
    )
    def test_an_interval_that_is_none_is_refused(
        self, backend: StateBackend, start: str, end: str
    ) -> None:
        """S17"""
        backend.create_run("r")
        with pytest.raises(RequestError, match=start):
            backend.add_completed_interval("r", "n", start, end)
        with pytest.raises(RequestError, match=start):
            backend.remove_intervals("n", None, start, end)
        assert backend.get_completed_intervals("n", None) == []

    # --- Environments -----------------------------------------------------------------------

    def test_an_environment_is_written_only_over_what_was_read(self, backend: StateBackend) -> None:
        """S18"""
        assert backend.get_environment("dev") is None
        first = backend.save_environment(Environment("dev", {"a": "1"}, {"a": "r"}))
        assert first.version == 1
        assert backend.get_environment("dev") == first
        second = backend.save_environment(replace(first, pointers={"a": "2", "b": "3"}))
        assert second.version == 2
        for stale in (first, Environment("dev"), replace(second, version=3)):
            with pytest.raises(ConflictError, match="'dev' was changed by someone else"):
                backend.save_environment(stale)
        assert backend.get_environment("dev") == second
        told = replace(second, definitions={"a": '{"id": "a"}', "c": "{}"}, addresses={"b": "4"})
        second = backend.save_environment(told)
        assert backend.get_environment("dev") == second
        third = backend.save_environment(replace(second, pointers={}, refreshed={}))
        assert backend.get_environment("dev") == third
        with pytest.raises(ConflictError, match="it is gone"):
            backend.save_environment(Environment("other", version=1))

    def test_a_deleted_environment_is_not_taken_for_its_successor(
        self, backend: StateBackend
    ) -> None:
        """S19"""
        first = backend.save_environment(Environment("dev", {"a": "1"}, created_at=JANUARY))
        backend.save_environment(Environment("prod"))
        with pytest.raises(ConflictError):
            backend.delete_environment(replace(first, version=2))
        backend.delete_environment(first)
        backend.delete_environment(first)
        assert [e.name for e in backend.list_environments()] == ["prod"]
        successor = backend.save_environment(Environment("dev", {"a": "2"}))
        with pytest.raises(ConflictError):
            backend.save_environment(first)
        with pytest.raises(ConflictError):
            backend.delete_environment(first)
        assert backend.get_environment("dev") == successor

    def test_a_large_environment_comes_back_whole(self, backend: StateBackend) -> None:
        """S18"""
        pointers = {f"transform.n{number}": f"{number:032x}" for number in range(3000)}
        saved = backend.save_environment(Environment("dev", pointers))
        changed = {**pointers, "transform.n7": "moved"}
        del changed["transform.n8"]
        saved = backend.save_environment(replace(saved, pointers=changed))
        assert backend.get_environment("dev") == saved
        assert backend.list_environments() == [saved]

    def test_an_environment_keeps_its_status_and_its_plan(self, backend: StateBackend) -> None:
        """S18"""
        plan = json.dumps({"text": "ä \u2028 \n" * 20_000})
        given = Environment(
            "dev",
            status="planned",
            ttl_hours=0.5,
            plan=plan,
            created_at=JANUARY,
            used_at=JANUARY,
            revision=7,
        )
        saved = backend.save_environment(given)
        assert saved == replace(given, version=1)
        assert backend.get_environment("dev") == saved
        applied = replace(saved, status="applied", ttl_hours=None, plan=None, revision=8)
        applied = backend.save_environment(applied)
        assert backend.list_environments() == [applied]

    def test_revisions_are_listed_newest_first_and_taken_once(self, backend: StateBackend) -> None:
        """S41"""
        with pytest.raises(StateError, match="no environment 'dev'"):
            backend.add_revision(Revision("dev", 1))
        for name in ("dev", "prod"):
            backend.save_environment(Environment(name))
        before = json.dumps({"a": ["é" * 200_000, None]}, ensure_ascii=False)
        made = [
            Revision("dev", number, JANUARY, f"run {number}", before) for number in (9, 10, 2**40)
        ]
        for revision in made:
            backend.add_revision(revision)
        other = Revision("prod", 10, JANUARY, "another environment's")
        backend.add_revision(other)
        assert backend.list_revisions("dev") == made[::-1]
        with pytest.raises(ConflictError, match="'dev' has a revision 10 already"):
            backend.add_revision(replace(made[1], made_by="somebody else"))
        assert backend.list_revisions("dev") == made[::-1]
        backend.delete_revisions("dev", 9)
        backend.delete_revisions("dev", 9)
        backend.delete_revisions("nobody", 9)
        assert backend.list_revisions("dev") == [made[2], made[1]]
        assert backend.list_revisions("prod") == [other]

    def test_revisions_go_with_their_environment(self, backend: StateBackend) -> None:
        """S41"""
        dev = backend.save_environment(Environment("dev"))
        backend.save_environment(Environment("de"))
        backend.add_revision(Revision("dev", 1))
        backend.add_revision(Revision("de", 1))
        with pytest.raises(ConflictError):
            backend.delete_environment(replace(dev, version=2))
        assert len(backend.list_revisions("dev")) == 1
        backend.delete_environment(dev)
        assert backend.list_revisions("dev") == []
        with pytest.raises(StateError, match="no environment 'dev'"):
            backend.add_revision(Revision("dev", 2))
        backend.save_environment(Environment("dev"))
        assert backend.list_revisions("dev") == []
        backend.add_revision(Revision("dev", 1))
        assert len(backend.list_revisions("de")) == 1

    def test_a_revision_lands_with_its_environment(self, backend: StateBackend) -> None:
        """S41"""
        first = backend.save_environment(Environment("dev", {"a": "1"}))
        revision = Revision("dev", 1, JANUARY)

        def move(*, fails: bool) -> None:
            with backend.transaction():
                backend.save_environment(replace(first, pointers={"a": "2"}, revision=1))
                backend.add_revision(revision)
                if fails:
                    raise KeyError("on purpose")

        with pytest.raises(KeyError, match="on purpose"):
            move(fails=True)
        assert backend.get_environment("dev") == first
        assert backend.list_revisions("dev") == []
        move(fails=False)
        moved = backend.get_environment("dev")
        assert moved == replace(first, pointers={"a": "2"}, revision=1, version=2)

        def forget() -> None:
            with backend.transaction():
                backend.delete_environment(moved)
                raise KeyError("on purpose")

        with pytest.raises(KeyError, match="on purpose"):
            forget()
        assert backend.get_environment("dev") == moved
        assert backend.list_revisions("dev") == [revision]

    def test_ledgers_are_listed(self, backend: StateBackend) -> None:
        """S42"""
        assert backend.list_ledgers() == []
        backend.create_run("r")
        backend.add_completed_interval("r", "b", *day(1), snapshot="s")
        backend.add_completed_interval("r", "a", date(2023, 1, 1), date(2024, 3, 1), snapshot="t")
        backend.add_completed_interval("r", "a", *day(1))
        assert backend.list_ledgers() == [("a", ""), ("a", "t"), ("b", "s")]
        backend.remove_intervals("b", "s", *day(1, 31))
        assert backend.list_ledgers() == [("a", ""), ("a", "t")]

    def test_what_pointers_show_is_kept(self, backend: StateBackend) -> None:
        """S43"""
        assert backend.list_holdings() == []
        shown = [
            Holding("b", "p", "é" * 300_000),
            Holding("a", "q", ""),
            Holding("a", "p", "one"),
        ]
        for holding in shown:
            backend.add_holding(holding)
        backend.add_holding(shown[2])
        assert backend.list_holdings() == [("a", "p"), ("a", "q"), ("b", "p")]
        assert [backend.get_holding(*holding.key) for holding in shown] == shown
        assert backend.get_holding("b", "q") is None
        backend.delete_holding("a", "p")
        backend.delete_holding("a", "p")
        assert backend.list_holdings() == [("a", "q"), ("b", "p")]
        assert backend.get_holding("a", "p") is None
        with pytest.raises(RequestError):
            backend.add_holding(Holding("a", "", "none"))

    # --- Transactions -----------------------------------------------------------------------

    def test_a_transaction_lands_whole(self, backend: StateBackend) -> None:
        """S20"""
        with backend.transaction():
            fill(backend)
            seen = contents(backend)
        assert contents(backend) == seen
        assert len(seen) == 10

    def test_a_transaction_that_fails_leaves_nothing(self, backend: StateBackend) -> None:
        """S20"""
        fill(backend)
        before = contents(backend)
        dev = backend.get_environment("dev")
        assert dev is not None

        def fail() -> None:
            with backend.transaction():
                backend.create_run("new")
                backend.set_node_state("new", "n")
                backend.update_run("r1", status="failed")
                backend.set_node_state("r1", "a", rows=99)
                backend.add_completed_interval("r1", "a", *day(20), snapshot="s")
                backend.remove_intervals("b", "s", *day(1, 31))
                backend.delete_run("r2")
                backend.save_environment(replace(dev, pointers={}))
                backend.add_revision(Revision("dev", 2))
                backend.delete_revisions("dev", 1)
                backend.add_holding(Holding("b", "s-1", "two"))
                backend.delete_holding("a", "s-1")
                backend.save_environment(Environment("stage"))
                assert contents(backend) != before
                raise KeyError("on purpose")

        with pytest.raises(KeyError, match="on purpose"):
            fail()
        assert contents(backend) == before
        backend.create_run("new")

    def test_what_a_transaction_wrote_it_reads(self, backend: StateBackend) -> None:
        """S21"""
        backend.create_run("old")
        backend.set_node_state("old", "n", rows=1)
        with backend.transaction():
            backend.delete_run("old")
            assert backend.list_runs() == []
            assert backend.list_node_states("old") == []
            assert backend.get_node_state("old", "n") is None
            backend.create_run("old")
            assert backend.list_node_states("old") == []
            backend.set_node_state("old", "m", rows=2)
            backend.set_node_state("old", "m", status="success")
            backend.set_node_state("old", "m", rows=3)
            assert backend.list_node_states("old") == [NodeState("old", "m", "success", rows=3)]
            backend.add_completed_interval("old", "m", *day(1))
            assert backend.get_completed_intervals("m", None) == [day(1)]
            dev = backend.save_environment(Environment("dev"))
            assert backend.list_environments() == [dev]
            backend.add_revision(Revision("dev", 1, JANUARY))
            backend.add_revision(Revision("dev", 2, JANUARY))
            backend.delete_revisions("dev", 1)
            assert backend.list_revisions("dev") == [Revision("dev", 2, JANUARY)]
            backend.add_holding(Holding("m", "p", "parts"))
            assert backend.list_holdings() == [("m", "p")]
            assert backend.get_holding("m", "p") == Holding("m", "p", "parts")
            backend.delete_environment(dev)
            assert backend.list_revisions("dev") == []
        assert backend.list_node_states("old") == [NodeState("old", "m", "success", rows=3)]

    def test_transactions_nest_into_one(self, backend: StateBackend) -> None:
        """S22"""
        with backend.transaction():
            backend.create_run("a")
            with backend.transaction():
                backend.create_run("b")
            backend.create_run("c")
        assert len(backend.list_runs()) == 3

        def outer_fails() -> None:
            with backend.transaction():
                with backend.transaction():
                    backend.create_run("d")
                raise KeyError("outer")

        def inner_fails_and_is_ignored() -> None:
            with backend.transaction():
                backend.create_run("e")
                try:
                    with backend.transaction():
                        backend.create_run("f")
                        raise KeyError("inner")
                except KeyError:
                    pass

        with pytest.raises(KeyError, match="outer"):
            outer_fails()
        with pytest.raises(StateError, match="nothing of it was stored"):
            inner_fails_and_is_ignored()
        assert len(backend.list_runs()) == 3

    def test_a_refusal_inside_a_transaction_may_be_handled(self, backend: StateBackend) -> None:
        """S23"""
        backend.create_run("a")
        with backend.transaction():
            with pytest.raises(ConflictError):
                backend.create_run("a")
            with pytest.raises(StateError):
                backend.set_node_state("x", "n")
            with pytest.raises(ConflictError):
                backend.save_environment(Environment("dev", version=4))
            with pytest.raises(StateError):
                backend.add_revision(Revision("dev", 1))
            backend.save_environment(Environment("dev"))
            backend.add_revision(Revision("dev", 1))
            with pytest.raises(ConflictError):
                backend.add_revision(Revision("dev", 1))
            backend.create_run("b")
        assert {run.run_id for run in backend.list_runs()} == {"a", "b"}
        assert len(backend.list_revisions("dev")) == 1

    # --- Locks ------------------------------------------------------------------------------

    def test_a_lock_is_held_by_one(self, backend: StateBackend) -> None:
        """S24"""
        with backend.acquire_lock("r", 0) or pytest.fail("the lock was free") as lock:
            assert lock
            started = time.monotonic()
            assert backend.acquire_lock("r", 0) is None
            assert backend.acquire_lock("r", 100) is None
            assert 0.1 <= time.monotonic() - started < 5
            held = backend.get_lock("r")
            assert held is not None
            assert (held.name, held.token) == ("r", lock.token)
            assert "process" in held.holder
            assert held.expires_at > datetime.now(UTC)
            assert backend.acquire_lock("q", 0)
        assert backend.get_lock("r") is None
        lock.release()
        assert backend.acquire_lock("r", 0)

    def test_tokens_only_grow(self, backend: StateBackend) -> None:
        """S25"""
        tokens = []
        for name in ("r", "q", "r", "r"):
            with backend.acquire_lock(name, 0) or pytest.fail("the lock was free") as lock:
                tokens.append(lock.token)
            backend.delete_run(name)
        assert tokens == sorted(set(tokens))

    def test_a_lease_is_renewed_while_its_holder_lives(self, backend: StateBackend) -> None:
        """S26"""
        with backend.acquire_lock("r", 0, lease_ms=600) or pytest.fail("the lock was free"):
            for _ in range(6):
                time.sleep(0.3)
                assert backend.acquire_lock("r", 0) is None

    def test_a_lock_is_not_taken_inside_a_transaction(self, backend: StateBackend) -> None:
        """S27"""
        with backend.transaction(), pytest.raises(StateError, match="inside a transaction"):
            backend.acquire_lock("r", 0)

    def test_a_lease_outlives_a_holder_that_died_for_its_time_only(
        self, open_backend: OpenBackend
    ) -> None:
        """S28"""
        self.need("keeps")

        def hold(tell: Callable[[int], None]) -> None:
            own = open_backend()
            own.initialize()
            lock = own.acquire_lock("r", 0, lease_ms=1500)
            tell(lock.token if lock else 0)
            time.sleep(60)

        token = killed(hold, 0)
        backend = open_backend()
        backend.initialize()
        assert backend.acquire_lock("r", 0) is None
        with backend.acquire_lock("r", 20_000) or pytest.fail("the lease never ended") as lock:
            assert token
            assert lock.token > token
        backend.close()

    def test_who_slept_past_its_lease_can_write_nothing(self, open_backend: OpenBackend) -> None:
        """S29"""
        self.need("shared_by_processes")
        first, second = open_backend(), open_backend()
        first.initialize()
        second.initialize()
        first.create_run("r")
        dev = first.save_environment(Environment("dev"))
        first.add_revision(Revision("dev", 1))
        locks = [asleep(first, name) for name in ("r", "environment:dev")]
        first.set_node_state("r", "n", rows=1)
        for name in ("r", "environment:dev"):
            assert second.acquire_lock(name, 20_000)
        before = contents(second)
        for write in (
            lambda: first.set_node_state("r", "n", rows=2),
            lambda: first.update_run("r", status="failed"),
            lambda: first.add_completed_interval("r", "n", *day(1)),
            lambda: first.delete_run("r"),
            lambda: first.save_environment(replace(dev, pointers={"a": "1"})),
            lambda: first.add_revision(Revision("dev", 2)),
            lambda: first.delete_revisions("dev", 1),
            lambda: first.delete_environment(dev),
            lambda: first.add_revision(Revision("dev", 1)),
            lambda: first.delete_revisions("dev", 1),
        ):
            with pytest.raises(ConflictError, match="was lost"):
                write()
        first.create_run("another")
        first.delete_run("another")
        assert contents(second) == before
        for lock in locks:
            lock.release()
        assert second.get_lock("r") is not None
        second.set_node_state("r", "n", rows=3)
        first.close()
        second.close()

    def test_a_helper_writes_under_the_lock_of_another(self, open_backend: OpenBackend) -> None:
        """S30"""
        self.need("shared_by_processes")
        first, helper, successor = open_backend(), open_backend(), open_backend()
        for opened in (first, helper, successor):
            opened.initialize()
        first.create_run("r")
        token = asleep(first, "r").token
        helper.fence("r", token)
        helper.set_node_state("r", "n", rows=1)
        assert successor.acquire_lock("r", 20_000)
        with pytest.raises(ConflictError, match="was lost"):
            helper.set_node_state("r", "n", rows=2)
        for opened in (first, helper, successor):
            opened.close()

    # --- All of it --------------------------------------------------------------------------

    def test_all_records_can_be_read_and_restored(self, backend: StateBackend) -> None:
        """S31"""
        fill(backend)
        before = contents(backend)
        with backend.transaction():
            records = list(backend.records())
        assert len(records) == len(before) == 10
        runs = [r.run_id for r in records if isinstance(r, Run)]
        for record in records:
            if isinstance(record, NodeState):
                assert runs.index(record.run_id) <= records.index(record)
        kinds = [type(record) for record in records]
        assert kinds.index(Environment) < kinds.index(Revision)
        backend.delete_run("r1")
        backend.update_run("r2", status="failed", error="late")
        backend.remove_intervals("a", "s", *day(1, 31))
        backend.add_completed_interval("r2", "b", *day(30), snapshot="s")
        dev = backend.get_environment("dev")
        assert dev is not None
        backend.save_environment(replace(dev, pointers={"z": "9"}, status="planned", plan="{}"))
        backend.delete_revisions("dev", 1)
        backend.restore(records)
        assert contents(backend) == before
        backend.delete_revisions("dev", 1)
        backend.add_revision(Revision("dev", 1, JANUARY, "somebody else"))
        backend.restore(iter(records))
        assert contents(backend) == before
        assert backend.get_completed_intervals("b", "s") == [day(3), day(5)]

    def test_any_sequence_of_calls_does_what_the_model_does(self, backend: StateBackend) -> None:
        """S32"""
        run_state_machine_as_test(
            lambda: BackendAgainstModel(backend),  # type: ignore[arg-type]
            settings=settings(
                max_examples=self.examples, stateful_step_count=25, deadline=None, database=None
            ),
        )

    # --- Several at once --------------------------------------------------------------------

    def test_a_forked_child_may_use_what_its_parent_opened(self, backend: StateBackend) -> None:
        """S33"""
        self.need("shared_by_processes")
        backend.create_run("r")

        def work() -> None:
            for number in range(20):
                backend.set_node_state("r", f"child{number}")

        in_children([work, work])
        backend.set_node_state("r", "parent")
        assert len(backend.list_node_states("r")) == 21

    def test_no_write_of_several_processes_is_lost(self, open_backend: OpenBackend) -> None:
        """S34"""
        self.need("shared_by_processes")
        backend = open_backend()
        backend.initialize()
        backend.create_run("r")

        def work(worker: int) -> None:
            own = open_backend()
            own.initialize()
            for number in range(60):
                own.set_node_state("r", f"w{worker}.{number}", rows=number)
                start = JANUARY + timedelta(hours=4 * number + worker)
                own.add_completed_interval("r", "n", start, start + timedelta(hours=1))

        in_children([lambda w=w: work(w) for w in range(4)])  # type: ignore[misc]
        states = backend.list_node_states("r")
        assert len(states) == 240
        assert sum(state.rows or 0 for state in states) == 4 * sum(range(60))
        assert backend.get_completed_intervals("n", None) == [day(1, 10)]
        backend.close()

    def test_of_two_writers_of_an_environment_one_is_told(self, open_backend: OpenBackend) -> None:
        """S35"""
        self.need("shared_by_processes")
        backend = open_backend()
        backend.initialize()
        backend.save_environment(Environment("dev", {"n": "0"}))

        def count() -> None:
            own = open_backend()
            own.initialize()
            done = 0
            while done < 25:
                read = own.get_environment("dev")
                assert read is not None
                pointers = {"n": str(int(read.pointers["n"]) + 1)}
                try:
                    own.save_environment(replace(read, pointers=pointers))
                except ConflictError:
                    continue
                done += 1

        in_children([count] * 4)
        dev = backend.get_environment("dev")
        assert dev is not None
        assert (dev.pointers, dev.version) == ({"n": "100"}, 101)
        backend.close()

    def test_what_a_transaction_reads_stays_true(self, open_backend: OpenBackend) -> None:
        """S36"""
        self.need("shared_by_processes")
        backend = open_backend()
        backend.initialize()
        backend.create_run("r", counts={"a": 0})
        backend.create_run("s", counts={"a": 0})

        def count() -> None:
            own = open_backend()
            own.initialize()
            for _ in range(30):
                with own.transaction():
                    for run_id in ("r", "s"):
                        run = own.get_run(run_id)
                        assert run is not None
                        own.update_run(run_id, counts={"a": run.counts["a"] + 1})

        def look() -> None:
            own = open_backend()
            own.initialize()
            for _ in range(150):
                counts = {run.counts["a"] for run in own.list_runs()}
                assert len(counts) == 1, f"half of a transaction was seen: {counts}"

        in_children([count, count, look, look])
        assert [run.counts for run in backend.list_runs()] == [{"a": 60}] * 2
        backend.close()

    def test_nobody_reads_half_of_an_environment(self, open_backend: OpenBackend) -> None:
        """S36"""
        self.need("shared_by_processes")
        backend = open_backend()
        backend.initialize()
        nodes = [f"n{number}" for number in range(300)]
        backend.save_environment(Environment("dev", dict.fromkeys(nodes, "0")))

        def move() -> None:
            own = open_backend()
            own.initialize()
            for number in range(1, 41):
                dev = own.get_environment("dev")
                assert dev is not None
                moved = dict.fromkeys(nodes, str(number))
                own.save_environment(replace(dev, pointers=moved, revision=number))

        def look() -> None:
            own = open_backend()
            own.initialize()
            seen = 0
            while seen < 40:
                read = own.get_environment("dev")
                assert read is not None
                for dev in (read, *own.list_environments()):
                    seen = dev.revision
                    assert dev.pointers == dict.fromkeys(nodes, str(seen))

        in_children([move, look, look])
        backend.close()

    def test_one_of_many_gets_the_lock(self, open_backend: OpenBackend) -> None:
        """S24"""
        self.need("shared_by_processes")
        backend = open_backend()
        backend.initialize()
        backend.create_run("r", counts={"holders": 0})

        def take() -> None:
            own = open_backend()
            own.initialize()
            for _ in range(5):
                with own.acquire_lock("r", 60_000) or pytest.fail("no lock in a minute"):
                    run = own.get_run("r")
                    assert run is not None
                    assert run.status == "running"
                    own.update_run("r", status="held")
                    held = run.counts["holders"] + 1
                    own.update_run("r", status="running", counts={"holders": held})

        in_children([take] * 4)
        run = backend.get_run("r")
        assert run is not None
        assert run.counts == {"holders": 20}
        backend.close()

    # --- Killed -----------------------------------------------------------------------------

    def test_what_was_acknowledged_survives_a_kill(self, open_backend: OpenBackend) -> None:
        """S37"""
        self.need("keeps")

        def write(tell: Callable[[int], None]) -> None:
            own = open_backend()
            own.initialize()
            number = (get_rows(own, "single") or 0) + 1
            while True:
                own.set_node_state("r", "single", rows=number)
                tell(number)
                number += 1

        self.kill_again_and_again(open_backend, write, lambda b: get_rows(b, "single"))

    def test_a_kill_leaves_no_half_of_a_transaction(self, open_backend: OpenBackend) -> None:
        """S38"""
        self.need("keeps")

        def write(tell: Callable[[int], None]) -> None:
            own = open_backend()
            own.initialize()
            number = (get_rows(own, "first") or 0) + 1
            while True:
                dev = own.get_environment("dev") or Environment("dev")
                with own.transaction():
                    own.set_node_state("r", "first", rows=number)
                    own.update_run("r", counts={"number": number})
                    own.save_environment(replace(dev, pointers={"n": str(number)}))
                    own.add_revision(Revision("dev", number))
                    own.delete_revisions("dev", number - 1)
                    own.set_node_state("r", "last", rows=number)
                tell(number)
                number += 1

        def seen(backend: StateBackend) -> int | None:
            run, dev = backend.get_run("r"), backend.get_environment("dev")
            first = get_rows(backend, "first")
            assert run is not None
            assert first == get_rows(backend, "last")
            assert first == run.counts.get("number")
            assert (str(first) if first else None) == (dev.pointers["n"] if dev else None)
            numbers = [revision.number for revision in backend.list_revisions("dev")]
            assert numbers == ([first] if first else [])
            return first

        self.kill_again_and_again(open_backend, write, seen)

    def test_a_kill_leaves_no_half_of_what_is_restored(self, open_backend: OpenBackend) -> None:
        """S39"""
        self.need("keeps")

        def copy(number: int) -> Iterator[Record]:
            yield Run("copy", started_at=JANUARY, counts={"number": number})
            for node in range(20):
                yield NodeState("copy", f"n{node}", rows=number)
                yield CompletedIntervals(f"n{node}", "s", (Part(*day(1, number % 28 + 1), "p"),))

        def write(tell: Callable[[int], None]) -> None:
            own = open_backend()
            own.initialize()
            run = own.get_run("copy")
            number = run.counts["number"] + 1 if run else 1
            while True:
                own.restore(copy(number))
                tell(number)
                number += 1

        def seen(backend: StateBackend) -> int | None:
            run = backend.get_run("copy")
            states = backend.list_node_states("copy")
            if run is None:
                assert not states
                return None
            number = run.counts["number"]
            assert [state.rows for state in states] == [number] * 20
            for node in range(20):
                assert backend.get_completed_intervals(f"n{node}", "s") == [day(1, number % 28 + 1)]
            return number

        self.kill_again_and_again(open_backend, write, seen)

    def kill_again_and_again(
        self,
        open_backend: OpenBackend,
        write: Callable[[Callable[[int], None]], None],
        seen: Callable[[StateBackend], int | None],
    ) -> None:
        backend = open_backend()
        backend.initialize()
        backend.create_run("r")
        backend.close()
        chance = random.Random(0)
        at_work = 0
        for _ in range(self.kills):
            told = killed(write, chance.expovariate(1 / 0.004))
            backend = open_backend()
            backend.initialize()
            kept = seen(backend)
            backend.set_node_state("r", "afterwards", status="success")
            backend.close()
            assert (kept or 0) >= (told or 0)
            at_work += told is not None
        assert at_work > self.kills / 2


def fill(backend: StateBackend) -> None:
    """Two runs, three node states, two ledgers, one holding, one environment with a revision."""
    for run_id in ("r1", "r2"):
        backend.create_run(run_id, environment="dev", started_at=JANUARY, counts={"x": 1})
        backend.set_node_state(run_id, "a", status="success", snapshot="s", rows=1)
    backend.set_node_state("r2", "b", error="é\n")
    backend.add_completed_interval("r2", "a", *day(1, 40))
    backend.add_completed_interval("r2", "b", *day(3), snapshot="s")
    backend.add_completed_interval("r2", "b", *day(5), snapshot="s")
    backend.save_environment(Environment("dev", {"a": "s"}, {"a": "r1"}, revision=1))
    backend.add_revision(Revision("dev", 1, JANUARY, "run r1"))
    backend.add_holding(Holding("a", "s-1", "one"))


def contents(backend: StateBackend) -> dict[tuple[type[Record], tuple[str, ...]], Record]:
    """All that a backend keeps, as it was at one moment."""
    with backend.transaction():
        records = list(backend.records())
    by_key = {(type(record), record.key): record for record in records}
    assert len(by_key) == len(records)
    for record in records:
        assert not isinstance(record, CompletedIntervals) or record.parts
    return by_key


def get_rows(backend: StateBackend, node_id: str) -> int | None:
    state = backend.get_node_state("r", node_id)
    return state.rows if state else None


def asleep(backend: StateBackend, name: str) -> Lock:
    """A lock whose holder has stopped renewing it, as a machine that sleeps does."""
    lock = backend.acquire_lock(name, 0, lease_ms=1000)
    assert lock is not None
    lock._asleep.set()
    return lock
