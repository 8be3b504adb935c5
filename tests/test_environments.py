"""Environments: tried beside production, put live in one step, taken back in one step."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.projects import ProjectFolder

from seeknal.dag.manifest import Manifest
from seeknal.errors import ConflictError, RequestError, StateError
from seeknal.state.backend import create_state_backend
from seeknal.workflow import applying, cleaning
from seeknal.workflow.environment import Environment, EnvironmentManager, EnvironmentPlan
from seeknal.workflow.moved import PlanMovedError
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import tables_of
from seeknal.workflow.timelines import restate

PROJECT = {
    "seeknal_project.yml": "name: shop\n",
    "raw.csv": "day,amount\n2024-01-01,5\n2024-01-02,7\n2024-01-02,1\n",
    "seeknal/raw.yml": "kind: source\nname: raw\nsource: csv\ntable: raw.csv\n",
    "seeknal/days.sql": "SELECT day, sum(amount) AS total FROM ref('source.raw') GROUP BY day",
    "seeknal/best.sql": "SELECT max(total) AS best FROM ref('transform.days')",
    "seeknal/count.sql": "SELECT count(*) AS n FROM ref('source.raw')",
}
EDIT = ("seeknal/days.sql", PROJECT["seeknal/days.sql"].replace("sum(amount)", "2 * sum(amount)"))
INCREMENTAL = """\
/*
---
schedule: "@daily"
start: 2024-01-01
end: 2024-01-02
incremental: {time_column: day}
---
*/
SELECT day, amount FROM ref('source.raw') WHERE day >= {{ start }} AND day < {{ end }}
"""


class Shop(ProjectFolder):
    """A project, and its environments."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        for path, text in PROJECT.items():
            self.write(path, text)
        self.manager = EnvironmentManager(root / "target")

    def fresh(self) -> EnvironmentManager:
        """A manager as another process has it."""
        self.manager.close()
        self.manager = EnvironmentManager(self.root / "target")
        return self.manager

    def plan(self, name: str, **how: Any) -> EnvironmentPlan:
        return self.fresh().plan(name, **how)

    def planned_and_applied(self, name: str, **how: Any) -> None:
        self.plan(name, **how)
        assert self.manager.apply(name).status == "success"

    def best(self, environment: str = "prod") -> Any:
        return self.query("SELECT best FROM best", environment)[0][0]

    def snapshots(self) -> set[Path]:
        return set((self.root / "target/snapshots").glob("*/*/*.parquet"))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.manager.close()


@pytest.fixture
def live(shop: Shop) -> Shop:
    """With prod computed."""
    shop.run()
    assert shop.best() == 8
    return shop


def actions(plan: EnvironmentPlan) -> dict[str, str]:
    return {node.node.partition(".")[2]: node.action for node in plan.nodes}


# --- As the reference has it ----------------------------------------------------------------


def test_the_reference_works_word_for_word(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with OpenProject(shop.root) as project:
        project.manifest.save(shop.root / "manifest.json")
    monkeypatch.chdir(shop.root)

    manager = EnvironmentManager(target_path="target")
    # Create plan
    manifest = Manifest.load("manifest.json")
    plan = manager.plan("dev", manifest)
    # Review plan before applying
    print(plan.summary)
    # Apply plan
    result = manager.apply("dev")
    # Promote to production
    manager.promote("dev", "prod")

    assert capsys.readouterr().out.startswith("Plan for 'dev': 4 added\n")
    assert result.status == "success"
    assert result.nodes == dict.fromkeys(manifest.nodes, "success")
    dev, prod = manager.list_environments()
    assert (dev.name, dev.status, dev.ttl_hours) == ("dev", "promoted", 168)
    assert (prod.name, prod.status, prod.ttl_hours) == ("prod", "applied", None)
    assert datetime.now(UTC) - dev.created_at < timedelta(minutes=1)
    assert dev.plan == plan
    assert dev.pointers == prod.pointers
    assert shop.best() == 8
    manager.delete("dev")
    assert [e.name for e in manager.list_environments()] == ["prod"]
    assert manager.cleanup_expired().environments == []
    manager.close()


def test_without_a_project_file_all_is_kept_in_the_folder(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "a")
    with OpenProject(shop.root) as project:
        project.manifest.save(tmp_path / "manifest.json")
    other = tmp_path / "b"
    other.mkdir()
    (other / "raw.csv").write_text(PROJECT["raw.csv"])
    with EnvironmentManager(other / "out") as manager:
        manager.plan("prod", Manifest.load(tmp_path / "manifest.json"))
        assert manager.apply("prod", parallel=False).count("success") == 4
    assert (other / "out/state/environments/prod.json").is_file()
    assert len(list((other / "out/snapshots").glob("*/*/*.parquet"))) == 4
    assert not (other / "target/state").exists()


def test_a_backend_an_engine_and_an_executor_may_be_lent(live: Shop) -> None:
    backend = create_state_backend("database", db_path=live.root / "state.db")
    with OpenProject(live.root) as project, project.executing(workers=1) as executor:
        engine = project.engine
        for _ in range(2):
            with EnvironmentManager(
                live.root / "target", backend=backend, engine=engine, executor=executor
            ) as manager:
                manager.plan("prod")
                assert manager.apply("prod").status == "success"
        assert backend.list_runs()[0].environment == "prod"
        stored = backend.get_environment("prod")
        assert stored is not None
        assert len(stored.pointers) == 4
    backend.close()


def test_a_manager_that_stays_open_sees_the_files_as_they_are(live: Shop) -> None:
    manager = live.fresh()
    assert not manager.plan("prod").has_changes
    live.write(*EDIT)
    assert actions(manager.plan("dev")) == {"days": "compute", "best": "compute"}
    live.write("seeknal/days.sql", PROJECT["seeknal/days.sql"].replace("sum", "3 * sum"))
    with pytest.raises(PlanMovedError, match=r"the project's files: transform\.days"):
        manager.apply("dev")
    manager.plan("dev")
    manager.apply("dev")
    assert live.best("dev") == 24
    with OpenProject(live.root) as project:
        given = project.manifest
    live.write(*EDIT)
    manager.plan("dev", given)
    manager.plan("other")
    manager.apply("dev")
    manager.apply("other")
    assert (live.best("dev"), live.best("other")) == (24, 16)


# --- Plans ----------------------------------------------------------------------------------


def test_a_new_environment_begins_as_production_and_computes_what_was_changed(live: Shop) -> None:
    before = live.snapshots()
    live.write(*EDIT)
    plan = live.plan("dev")
    assert actions(plan) == {"days": "compute", "best": "compute"}
    assert plan.unchanged == ["source.raw", "transform.count"]
    assert (plan.base, plan.is_new, plan.has_changes) == ("prod", True, True)
    days = plan.nodes[0]
    assert (days.change, days.category) == ("edited", "breaking")
    assert (days.rows, days.path) == (2, ["transform.days"])
    assert days.seconds is not None
    assert any("total" in reason.message for reason in days.reasons)
    assert live.snapshots() == before
    with pytest.raises(RequestError, match="seeknal env apply dev"):
        live.best("dev")
    live.manager.apply("dev")
    assert len(live.snapshots() - before) == 2
    assert (live.best("dev"), live.best()) == (16, 8)


def test_a_plan_without_changes_says_so(live: Shop) -> None:
    plan = live.plan("prod")
    assert not plan.has_changes
    assert plan.summary.endswith("There is nothing to do.")
    prod = live.manager.get("prod")
    assert prod is not None
    assert prod.status == "applied"


def test_planning_after_an_edit_was_taken_back_leaves_nothing_to_apply(live: Shop) -> None:
    live.planned_and_applied("dev")
    live.write(*EDIT)
    assert live.plan("dev").has_changes
    live.write(EDIT[0], PROJECT[EDIT[0]])
    assert not live.plan("dev").has_changes
    dev = live.manager.get("dev")
    assert dev is not None
    assert dev.status == "applied"
    assert live.manager.apply("dev").results == {}
    assert live.manager.promote("dev", "prod").moved == 0


def test_what_another_environment_has_computed_is_reused(live: Shop) -> None:
    live.write(*EDIT)
    live.planned_and_applied("dev")
    before = live.snapshots()
    plan = live.plan("other")
    assert actions(plan) == {"days": "reuse", "best": "reuse"}
    assert {node.why for node in plan.nodes} == {"'dev' shows it"}
    live.manager.apply("other")
    assert live.snapshots() == before
    assert live.best("other") == 16


def test_what_production_kept_by_being_spared_is_found_by_an_environment_that_is_there(
    live: Shop,
) -> None:
    live.planned_and_applied("dev")
    live.write("seeknal/days.sql", PROJECT["seeknal/days.sql"].replace("sum", " SUM"))
    live.run()
    live.write("raw.csv", PROJECT["raw.csv"] + "2024-01-03,9\n")
    live.write("seeknal/best.sql", "SELECT min(total) AS best FROM ref('transform.days')")
    live.run()
    live.write("seeknal/days.sql", PROJECT["seeknal/days.sql"].replace("sum", "sum "))
    live.run()
    plan = live.plan("dev")
    assert set(actions(plan).values()) == {"reuse"}
    live.manager.apply("dev")
    assert live.best("dev") == live.best() == 5


def test_editing_in_dev_again_computes_only_the_last_edit(live: Shop) -> None:
    live.write(*EDIT)
    live.planned_and_applied("dev")
    live.write("seeknal/days.sql", f"-- twice\n{EDIT[1]}")
    live.write("seeknal/count.sql", "SELECT count(amount) AS n FROM ref('source.raw')")
    plan = live.plan("dev")
    assert actions(plan) == {"days": "spare", "count": "compute"}
    live.manager.apply("dev")
    assert live.best("dev") == 16


def test_a_selection_leaves_the_rest_where_it_is(live: Shop) -> None:
    live.write(*EDIT)
    live.write("seeknal/count.sql", "SELECT count(amount) AS n FROM ref('source.raw')")
    plan = live.plan("dev", select="count")
    assert actions(plan) == {"days": "leave", "best": "leave", "count": "compute"}
    live.manager.apply("dev")
    assert live.best("dev") == 8


def test_a_node_that_is_gone_is_planned_to_be_removed(live: Shop) -> None:
    (live.root / "seeknal/count.sql").unlink()
    plan = live.plan("dev")
    assert actions(plan) == {"count": "remove"}
    live.manager.apply("dev")
    moved = live.manager.promote("dev", "prod")
    assert moved.lost == ["transform.count"]


def test_intervals_of_an_incremental_node_are_planned(live: Shop) -> None:
    live.write("seeknal/events.sql", INCREMENTAL)
    plan = live.plan("dev")
    (events,) = plan.nodes
    assert (events.action, events.batches) == ("compute", 2)
    assert events.intervals == [
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC))
    ]
    assert live.manager.apply("dev").batches == 2
    live.manager.promote("dev", "prod")
    assert live.query("SELECT count(*) FROM events") == [(3,)]


@pytest.mark.parametrize(
    ("name", "how", "why"),
    [
        ("a b", {}, "can't be the name of an environment"),
        ("prod", {"ttl_hours": 3}, "'prod' never expires"),
        ("dev", {"base": "dev"}, "its own base"),
        ("dev", {"base": "prd"}, "Did you mean 'prod'"),
        ("dev", {"select": "nothing"}, "nothing"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    live: Shop, name: str, how: dict[str, Any], why: str
) -> None:
    with pytest.raises(RequestError, match=why):
        live.plan(name, **how)
    assert [e.name for e in live.manager.list_environments()] == ["prod"]


def test_an_environment_is_brought_as_far_as_its_base(live: Shop) -> None:
    total = "SELECT sum(amount) AS total FROM ref('transform.events')"
    until_third = INCREMENTAL.replace("end: 2024-01-02", "end: 2024-01-03")
    live.write("seeknal/events.sql", until_third)
    live.write("seeknal/sum.sql", total)
    live.write("raw.csv", PROJECT["raw.csv"] + "2024-01-03,9\n")
    live.run(end="2024-01-02")
    live.write("seeknal/sum.sql", total.replace("sum", "2 * sum"))
    plan = live.plan("dev")
    assert actions(plan) == {"sum": "compute"}
    live.manager.apply("dev")
    assert live.query("SELECT total FROM sum", "dev") == [(26,)]
    assert live.query("SELECT total FROM sum") == [(13,)]
    live.write(
        "seeknal/events.sql", until_third.replace("amount FROM", "amount + 1 AS amount FROM")
    )
    assert live.plan("dev").nodes[0].batches == 2
    live.write("seeknal/events.sql", until_third.replace("01-03", "01-04"))
    assert live.plan("dev").nodes[0].intervals == [(day(3), day(5))]


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC)


def test_what_an_environment_computes_production_does_not_show(live: Shop) -> None:
    live.write("seeknal/events.sql", INCREMENTAL)
    live.write("seeknal/sum.sql", "SELECT sum(amount) AS total FROM ref('transform.events')")
    live.run(end="2024-01-01")
    live.planned_and_applied("dev")
    live.run(environment="dev")
    together = "SELECT sum(amount), (SELECT total FROM sum) FROM events"
    assert live.query(together) == [(5, 5)]
    assert live.query(together, "dev") == [(13, 13)]
    summary = live.run()
    assert (summary.count("success"), summary.reused) == (0, 2)
    assert live.query(together) == [(13, 13)]


@pytest.mark.parametrize("restated", [False, True])
def test_a_rollback_takes_back_intervals_too(live: Shop, restated: bool) -> None:
    """And whatever is cleaned up before, and whoever shares them."""
    live.write("seeknal/events.sql", INCREMENTAL)
    live.write("seeknal/sum.sql", "SELECT sum(amount) AS total FROM ref('transform.events')")
    live.run(end="2024-01-01" if not restated else None)
    together = "SELECT sum(amount), (SELECT total FROM sum) FROM events"
    before = live.query(together)
    if restated:
        live.write("raw.csv", PROJECT["raw.csv"].replace("2024-01-01,5", "2024-01-01,50"))
        with OpenProject(live.root) as opened:
            assert restate(opened, "prod", "transform.events", "2024-01-01", "2024-01-01")
    with OpenProject(live.root) as opened:
        revision = opened.environment("prod").revision
    live.run()
    after = live.query(together)
    assert before != after
    live.fresh().cleanup_expired()
    live.manager.rollback("prod", revision)
    live.manager.cleanup_expired()
    assert live.query(together) == before
    assert live.run().count("success") == 0
    assert live.query(together) == after


def test_a_start_that_is_moved_moves_what_is_shown(live: Shop) -> None:
    live.write("seeknal/events.sql", INCREMENTAL)
    live.run()
    assert live.query("SELECT count(*) FROM events") == [(3,)]
    live.write("seeknal/events.sql", INCREMENTAL.replace("start: 2024-01-01", "start: 2024-01-02"))
    assert actions(live.plan("dev"))["events"] == "reuse"
    assert live.run().count("success") == 0
    assert live.query("SELECT count(*) FROM events") == [(2,)]
    live.write("seeknal/events.sql", INCREMENTAL)
    assert live.run().count("success") == 0
    assert live.query("SELECT count(*) FROM events") == [(3,)]


@pytest.mark.parametrize("computed", [0, 1])
def test_a_run_brings_back_what_a_pointer_showed(live: Shop, computed: int) -> None:
    live.write("seeknal/events.sql", INCREMENTAL)
    live.run(end="2024-01-01" if computed else None)
    for lost in (live.root / "target/state/holdings").rglob("*.json"):
        lost.unlink()
    with pytest.raises(StateError, match="`seeknal run` in the same environment brings it back"):
        live.query("SELECT count(*) FROM events")
    assert live.run().count("success") == computed
    assert live.query("SELECT count(*) FROM events") == [(3,)]
    live.fresh().cleanup_expired()
    assert live.query("SELECT count(*) FROM events") == [(3,)]


def test_promoting_is_refused_when_production_has_gained_intervals(live: Shop) -> None:
    live.write("seeknal/events.sql", INCREMENTAL)
    live.run(end="2024-01-01")
    live.write(*EDIT)
    live.planned_and_applied("dev")
    live.write("seeknal/days.sql", PROJECT["seeknal/days.sql"])
    live.run()
    with pytest.raises(PlanMovedError, match=r"'prod' has moved .*: transform\.events"):
        live.manager.promote("dev", "prod")
    assert live.query("SELECT count(*) FROM events") == [(3,)]
    live.write(*EDIT)
    live.planned_and_applied("dev")
    live.manager.promote("dev", "prod")
    assert live.query("SELECT count(*) FROM events") == [(3,)]


# --- What a plan was made against -----------------------------------------------------------


def test_a_plan_is_refused_when_the_project_has_moved(live: Shop) -> None:
    live.write(*EDIT)
    live.plan("dev")
    live.write("seeknal/count.sql", "SELECT count(amount) AS n FROM ref('source.raw')")
    with pytest.raises(PlanMovedError, match=r"the project's files: transform\.count"):
        live.fresh().apply("dev")
    assert live.manager.list_environments()[0].status == "planned"
    assert live.manager.apply("dev", force=True).status == "success"
    assert live.query("SELECT n FROM count", "dev") == [(3,)]
    dev = live.manager.get("dev")
    assert dev is not None
    assert dev.plan is not None
    assert actions(dev.plan) == {"days": "compute", "best": "compute", "count": "compute"}


def test_a_plan_is_refused_when_production_has_moved(live: Shop) -> None:
    live.write(*EDIT)
    live.plan("dev")
    live.run()
    moved = r"'prod' has moved from revision 1 to 2: transform.best, transform.days"
    with pytest.raises(PlanMovedError, match=moved):
        live.fresh().apply("dev")


def test_a_plan_is_refused_when_its_own_environment_has_moved(live: Shop) -> None:
    live.planned_and_applied("dev")
    live.write(*EDIT)
    live.plan("dev")
    live.run(environment="dev")
    with pytest.raises(PlanMovedError, match="'dev' has moved from revision 1 to 2"):
        live.fresh().apply("dev")


def test_a_plan_is_refused_when_data_has_moved(live: Shop) -> None:
    live.write(*EDIT)
    live.plan("dev")
    live.write("raw.csv", PROJECT["raw.csv"] + "2024-01-03,9\n")
    with pytest.raises(PlanMovedError, match=r"source\.raw must be computed now"):
        live.fresh().apply("dev")
    live.plan("dev")
    live.write("raw.csv", PROJECT["raw.csv"] + "2024-01-03,10\n")
    with pytest.raises(PlanMovedError, match=r"the data of source\.raw has changed"):
        live.fresh().apply("dev")


def test_a_plan_is_refused_when_a_plugin_has_moved(
    live: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = live.plan("dev")
    against = plan.against.model_copy(
        update={"plugins": {**plan.against.plugins, "seeknal-engine-duckdb": "0.0.1"}}
    )
    older = plan.model_copy(update={"against": against, "id": "other"})
    with pytest.raises(PlanMovedError, match=r"seeknal-engine-duckdb: 0\.0\.1 then, \S+ now"):
        live.manager.apply("dev", plan=older)


def test_a_plan_holds_when_production_has_moved_and_come_back(live: Shop) -> None:
    live.write(*EDIT)
    live.plan("dev")
    live.run()
    live.manager.rollback("prod")
    assert live.manager.apply("dev").status == "success"
    live.manager.promote("dev", "prod")
    assert live.best() == 16


def test_a_plan_of_another_environment_or_none_is_refused(live: Shop) -> None:
    plan = live.plan("dev")
    with pytest.raises(RequestError, match="a plan of 'dev', and not of 'stage'"):
        live.manager.apply("stage", plan=plan)
    with pytest.raises(RequestError, match="'stage' has no plan"):
        live.manager.apply("stage")
    live.manager.apply("dev")
    assert live.manager.apply("dev").results == {}


def test_a_plan_is_carried_out_elsewhere(live: Shop, tmp_path: Path) -> None:
    live.write(*EDIT)
    live.plan("dev").save(tmp_path / "plan.json")
    live.manager.delete("dev")
    plan = EnvironmentPlan.load(tmp_path / "plan.json")
    assert live.fresh().apply("dev", plan=plan).count("success") == 2
    dev = live.manager.get("dev")
    assert dev is not None
    assert (dev.status, dev.plan) == ("applied", plan)


def test_a_run_makes_the_plan_of_its_environment_void(live: Shop) -> None:
    live.write(*EDIT)
    live.plan("dev")
    live.run(environment="dev")
    dev = live.manager.get("dev")
    assert dev is not None
    assert dev.status == "applied"
    with pytest.raises(PlanMovedError, match="'dev' showed nothing then, and shows 4 nodes now"):
        live.manager.apply("dev")
    with pytest.raises(RequestError, match=r"'dev' has moved .*`seeknal plan dev --base prod` and"):
        live.manager.promote("dev", "prod")
    live.planned_and_applied("dev")
    assert live.manager.promote("dev", "prod").moved == 2


def test_a_plan_is_not_taken_for_applied_after_a_step_back(live: Shop) -> None:
    live.planned_and_applied("dev")
    live.write(*EDIT)
    live.planned_and_applied("dev")
    live.write(EDIT[0], EDIT[1].replace("2 *", "3 *"))
    live.plan("dev")
    live.manager.rollback("dev")
    with pytest.raises(PlanMovedError, match="'dev' has moved from revision 2 to 3"):
        live.manager.apply("dev")


def test_an_environment_keeps_its_base_until_another_is_named(live: Shop) -> None:
    live.write(*EDIT)
    live.planned_and_applied("dev")
    live.write("seeknal/count.sql", "SELECT count(amount) AS n FROM ref('source.raw')")
    live.planned_and_applied("feature", base="dev")
    assert live.plan("feature").base == "dev"
    live.plan("later", base="feature", select="count")
    assert cleaning.based_on(live.manager._state, "dev") == ["feature"]
    live.manager.delete("dev")
    with pytest.raises(RequestError) as gone:
        live.plan("feature")
    assert str(gone.value) == (
        "'feature' was planned on the base 'dev', which is gone: choose another one, as with "
        "`seeknal plan feature --base prod`."
    )
    assert live.plan("feature", base="prod").base == "prod"
    assert live.plan("feature").base == "prod"
    live.manager.delete("feature")
    for force in (False, True):
        with pytest.raises(RequestError, match=r"gone\. .*plan later --base prod --select count`"):
            live.manager.apply("later", force=force)


@pytest.mark.parametrize("hours", [-1, float("nan"), float("inf")])
def test_a_time_to_live_that_cannot_be_is_refused(live: Shop, hours: float) -> None:
    with pytest.raises(RequestError, match="hours to live: give a number from 0 to 1,000,000"):
        live.manager.plan("dev", ttl_hours=hours)


def test_planning_again_keeps_the_time_to_live(live: Shop) -> None:
    live.plan("dev", ttl_hours=2)
    assert live.plan("dev").ttl_hours == 2


# --- Applying -------------------------------------------------------------------------------


def test_nothing_is_shown_before_all_is_complete(live: Shop) -> None:
    live.planned_and_applied("dev")
    live.write(*EDIT)
    live.write("seeknal/best.sql", "SELECT max(total) / 'x' AS best FROM ref('transform.days')")
    live.plan("dev")
    dev = live.manager.get("dev")
    assert dev is not None
    summary = live.manager.apply("dev")
    assert (summary.status, summary.count("success"), summary.count("failed")) == ("failed", 1, 1)
    after = live.manager.get("dev")
    assert after is not None
    assert (after.pointers, after.status) == (dev.pointers, "planned")
    assert live.best("dev") == 8


def test_an_apply_that_failed_goes_on_where_it_stopped(live: Shop) -> None:
    live.write(*EDIT)
    live.write(
        "seeknal/best.py",
        "from pathlib import Path\n"
        "from seeknal.pipeline import transform\n"
        "@transform(inputs=['transform.days'])\n"
        "def best(ctx):\n"
        f"    assert Path({str(live.root / 'allowed')!r}).exists()\n"
        "    return ctx.ref('transform.days').aggregate('max(total) AS best')\n",
    )
    (live.root / "seeknal/best.sql").unlink()
    live.plan("dev")
    assert live.manager.apply("dev").status == "failed"
    live.write("allowed", "")
    assert live.manager.cleanup_expired().stored == []
    again = live.fresh().apply("dev")
    assert (again.count("success"), again.reused) == (1, 1)
    assert live.best("dev") == 16


def test_two_cannot_apply_at_once(live: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "LEASE_MS", 100)
    live.plan("dev")
    with OpenProject(live.root) as other:
        lock = other.state.acquire_lock("environment:dev", 0)
        assert lock
        with (
            lock,
            pytest.raises(ConflictError, match=r"'dev' can't be applied now: process \d+ on"),
        ):
            live.manager.apply("dev")
    assert live.manager.apply("dev").status == "success"


def test_a_plan_is_not_replaced_while_it_is_applied(
    live: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "LEASE_MS", 100)
    live.write(*EDIT)
    first = live.plan("dev")
    original = live.manager._project.executing

    def planning(**options: Any) -> Any:
        live.write(EDIT[0], EDIT[1].replace("2 *", "3 *"))
        with (
            EnvironmentManager(live.root / "target") as other,
            pytest.raises(ConflictError, match=r"plan of 'dev' can't be replaced now: process \d+"),
        ):
            other.plan("dev")
        return original(**options)

    live.manager._project.executing = planning  # type: ignore[method-assign]
    assert live.manager.apply("dev").status == "success"
    dev = live.fresh().get("dev")
    assert dev is not None
    assert dev.plan == first
    assert live.plan("dev").has_changes


def test_who_died_at_it_is_not_told_as_living(live: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "LEASE_MS", 100)
    live.plan("dev")
    script = (
        "import os, signal; from seeknal.workflow.open_project import OpenProject; "
        "OpenProject('.').state.acquire_lock('environment:dev', 0, lease_ms=60_000); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=live.root, check=False)
    told: list[str] = []
    died = r"process \d+ on .* was at it when it died\. Try again in \d\d s, when"
    with OpenProject(live.root) as project:
        with pytest.raises(ConflictError, match=f"can't be applied now: {died}"):
            applying.apply_plan(project, "dev", tell=told.append)
        with pytest.raises(ConflictError, match=f"can't be deleted now: {died}"):
            cleaning.delete(project.state, "dev")
    assert len(told) == 1
    assert told[0].startswith("Waiting, for at most 0 s: process ")
    assert told[0].endswith("was at it when it died.")


def test_what_is_written_meanwhile_is_not_overwritten(live: Shop) -> None:
    live.planned_and_applied("dev")
    live.write(*EDIT)
    live.plan("dev")
    with OpenProject(live.root) as other:
        original = live.manager._project.executing

        def meddling(**options: Any) -> Any:
            stored = other.state.get_environment("dev")
            assert stored is not None
            other.state.save_environment(replace(stored, revision=2))
            return original(**options)

        live.manager._project.executing = meddling  # type: ignore[method-assign]
        with pytest.raises(ConflictError, match="'dev' was changed by someone else while"):
            live.manager.apply("dev")


def test_somebody_who_reads_meanwhile_disturbs_nothing(live: Shop) -> None:
    live.planned_and_applied("dev")
    live.write(*EDIT)
    live.plan("dev")
    original = live.manager._project.executing

    def reading(**options: Any) -> Any:
        _age(live, "dev", hours=1)
        assert live.best("dev") == 8
        return original(**options)

    live.manager._project.executing = reading  # type: ignore[method-assign]
    assert live.manager.apply("dev").status == "success"
    assert live.best("dev") == 16


# --- Promoting and taking back --------------------------------------------------------------


def test_promoting_and_taking_back(live: Shop) -> None:
    live.write(*EDIT)
    live.planned_and_applied("dev")
    moved = live.manager.promote("dev", "prod")
    assert (moved.changed, moved.gained, moved.lost) == (
        ["transform.best", "transform.days"],
        [],
        [],
    )
    assert live.best() == 16
    back = live.manager.rollback("prod")
    assert back.changed == moved.changed
    assert live.best() == 8
    assert live.manager.rollback("prod", to=2).changed == moved.changed
    assert live.best() == 16
    assert live.manager.rollback("prod", to=2).moved == 0
    assert live.best() == 16


def test_an_open_query_is_not_disturbed(live: Shop) -> None:
    live.write("seeknal/many.sql", "SELECT range AS x FROM range(200000)")
    live.run()
    live.write("seeknal/many.sql", "SELECT range + 1 AS x FROM range(300000)")
    live.planned_and_applied("dev")
    with OpenProject(live.root) as reader:
        answer = reader.engine.query("SELECT x FROM many ORDER BY x", tables_of(reader, "prod"))
        first = [next(answer.rows) for _ in range(10)]
        live.manager.promote("dev", "prod")
        live.manager.cleanup_expired()
        rest = list(answer.rows)
    assert [*first, *rest] == [(x,) for x in range(200_000)]
    assert live.query("SELECT count(*) FROM many") == [(300_000,)]


def test_promoting_what_is_shown_already_moves_nothing(live: Shop) -> None:
    live.planned_and_applied("dev")
    assert live.manager.promote("dev", "prod").moved == 0
    prod = live.manager.get("prod")
    assert prod is not None


def test_a_run_after_a_promotion_computes_nothing(live: Shop) -> None:
    live.write(*EDIT)
    live.planned_and_applied("dev")
    live.manager.promote("dev", "prod")
    summary = live.run()
    assert (summary.results, summary.unchanged, summary.reused) == ({}, 4, 0)


def test_a_promotion_is_refused_with_the_list_when_production_has_moved(live: Shop) -> None:
    live.write(*EDIT)
    live.planned_and_applied("dev")
    live.write("raw.csv", PROJECT["raw.csv"] + "2024-01-03,9\n")
    live.run()
    with pytest.raises(PlanMovedError) as refused:
        live.manager.promote("dev", "prod")
    assert "source.raw, transform.best, transform.count, transform.days" in str(refused.value)
    assert live.best() == 18
    live.planned_and_applied("dev")
    assert live.manager.promote("dev", "prod").moved == 0


def test_of_two_promotions_one_is_told(live: Shop) -> None:
    live.write(*EDIT)
    live.planned_and_applied("one")
    live.write("seeknal/days.sql", PROJECT["seeknal/days.sql"].replace("sum", "3 * sum"))
    live.planned_and_applied("two")
    live.manager.promote("one", "prod")
    with pytest.raises(PlanMovedError, match="'prod' has moved from revision 1 to 2"):
        live.manager.promote("two", "prod")
    assert live.best() == 16


def test_what_was_not_applied_or_not_planned_against_it_is_not_promoted(live: Shop) -> None:
    live.write(*EDIT)
    with pytest.raises(RequestError, match="Nothing has been applied in 'dev'"):
        live.manager.promote("dev", "prod")
    live.run(environment="dev")
    with pytest.raises(RequestError, match="'dev' was not planned against 'prod'"):
        live.manager.promote("dev", "prod")
    live.planned_and_applied("dev")
    live.write(*[EDIT[0], EDIT[1].replace("2 *", "3 *")])
    live.plan("dev")
    with pytest.raises(RequestError, match="The plan of 'dev' has not been applied"):
        live.manager.promote("dev", "prod")
    with pytest.raises(RequestError, match="promoted to itself"):
        live.manager.promote("dev", "dev")


def test_a_promotion_may_make_a_new_environment(live: Shop) -> None:
    live.planned_and_applied("dev")
    assert len(live.manager.promote("dev", "stage").gained) == 4
    assert live.best("stage") == 8
    live.manager.promote("prod", "mirror")
    live.planned_and_applied("brief", ttl_hours=2)
    live.manager.promote("brief", "copy")
    hours = {e.name: e.ttl_hours for e in live.manager.list_environments()}
    assert hours == {
        "brief": 2,
        "copy": 2,
        "dev": 168,
        "mirror": 168,
        "prod": None,
        "stage": 168,
    }
    with pytest.raises(RequestError, match="further: before revision 1 it showed nothing"):
        live.manager.rollback("stage")


def test_rolling_back_again_goes_back_further(live: Shop) -> None:
    for factor in (2, 3, 4):
        live.write(EDIT[0], EDIT[1].replace("2 *", f"{factor} *"))
        live.run()
    found = [live.best()]
    for _ in range(3):
        live.manager.rollback("prod")
        found.append(live.best())
    assert found == [32, 24, 16, 8]
    with pytest.raises(RequestError) as refused:
        live.manager.rollback("prod")
    assert str(refused.value) == (
        "'prod' can't go back further: before revision 1 it showed nothing. What it showed "
        "after revision 1 to 6 is known: name one of them."
    )
    with pytest.raises(
        RequestError, match="'prod' has no revision 99 to go back to: it is at revi"
    ):
        live.manager.rollback("prod", to=99)
    live.plan("dev")
    with pytest.raises(RequestError, match=r"in 'dev'\. Begin with `seeknal env apply dev`"):
        live.manager.promote("dev", "prod")
    with pytest.raises(RequestError, match="'dev' can't go back: it shows nothing yet"):
        live.manager.rollback("dev")
    live.manager.rollback("prod", to=4)
    assert live.best() == 32


def test_no_more_than_some_revisions_are_kept(live: Shop) -> None:
    live.write("seeknal_project.yml", "name: shop\nretention: {revisions: 2}\n")
    for factor in (2, 3, 4):
        live.write(EDIT[0], EDIT[1].replace("2 *", f"{factor} *"))
        live.run()
    manager = live.fresh()
    with pytest.raises(RequestError, match="What it showed after revision 2 or 3 is known"):
        manager.rollback("prod", to=1)
    manager.rollback("prod", to=2)
    assert live.best() == 16


# --- Deleting and cleaning up ---------------------------------------------------------------


def test_deleting(live: Shop) -> None:
    live.planned_and_applied("dev")
    with pytest.raises(RequestError, match="'prod' can't be deleted"):
        live.manager.delete("prod")
    with pytest.raises(RequestError, match=r"no environment 'dvv'\. Did you mean 'dev'"):
        live.manager.delete("dvv")
    with OpenProject(live.root) as other:
        lock = other.state.acquire_lock("environment:dev", 0)
        assert lock
        with lock, pytest.raises(ConflictError, match="can't be deleted now: process"):
            live.manager.delete("dev")
    live.manager.delete("dev")
    assert [e.name for e in live.manager.list_environments()] == ["prod"]


def test_cleaning_up_removes_what_nothing_reaches(live: Shop) -> None:
    before = live.snapshots()
    live.write(*EDIT)
    live.planned_and_applied("dev")
    gone = live.snapshots() - before
    assert live.manager.cleanup_expired().stored == []
    live.manager.delete("dev")
    done = live.manager.cleanup_expired()
    assert {one.node_id for one in done.stored} == {"transform.days", "transform.best"}
    assert live.snapshots() == before
    assert done.bytes > 0
    assert len(gone) == 2
    assert live.best() == 8


def test_an_environment_expires_after_its_last_use(live: Shop) -> None:
    live.write(*EDIT)
    live.planned_and_applied("dev", ttl_hours=1)
    dev = live.manager.get("dev")
    assert dev is not None
    assert dev.expires_at == dev.used_at + timedelta(hours=1)
    _age(live, "dev", hours=0.9)
    assert live.best("dev") == 16
    _age(live, "dev", hours=0.9)
    assert live.manager.cleanup_expired().environments == []
    _age(live, "dev", hours=0.2)
    done = live.manager.cleanup_expired()
    assert (done.environments, done.snapshots) == (["dev"], 2)
    assert [e.name for e in live.manager.list_environments()] == ["prod"]


def _age(shop: Shop, name: str, *, hours: float) -> None:
    with OpenProject(shop.root) as project:
        stored = project.state.get_environment(name)
        assert stored is not None
        used_at = stored.used_at - timedelta(hours=hours)
        project.state.save_environment(replace(stored, used_at=used_at))


def test_what_can_be_rolled_back_to_stays(live: Shop) -> None:
    live.write(*EDIT)
    live.run()
    live.write(EDIT[0], PROJECT[EDIT[0]])
    live.write("seeknal/days.sql", PROJECT["seeknal/days.sql"].replace("sum", "3 * sum"))
    live.run()
    assert live.fresh().cleanup_expired().stored == []
    live.manager.rollback("prod", to=2)
    assert live.best() == 16


def test_intervals_that_are_not_reached_are_forgotten_with_their_parts(live: Shop) -> None:
    live.write("seeknal/events.sql", INCREMENTAL)
    live.planned_and_applied("dev")
    live.manager.delete("dev")
    assert live.manager.cleanup_expired().snapshots == 1
    assert not list((live.root / "target/snapshots/transform.events").rglob("*.parquet"))
    live.planned_and_applied("dev")
    assert live.query("SELECT count(*) FROM events", "dev") == [(3,)]


def test_what_a_run_has_begun_stays(live: Shop) -> None:
    live.write(*EDIT)
    live.write("seeknal/best.sql", "SELECT max(total) / 'x' AS best FROM ref('transform.days')")
    live.plan("dev")
    live.manager.apply("dev")
    before = live.snapshots()
    assert live.manager.cleanup_expired().stored == []
    assert live.snapshots() == before
    live.manager.delete("dev")
    assert "transform.days" in {one.node_id for one in live.manager.cleanup_expired().stored}
    assert live.snapshots() < before


def test_who_plans_while_snapshots_are_removed_waits(
    live: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "LEASE_MS", 100)
    with OpenProject(live.root) as other:
        lock = other.state.acquire_lock("cleanup", 0)
        assert lock
        with pytest.raises(ConflictError, match="being removed already: process"):
            live.manager.cleanup_expired()
        began = time.monotonic()
        threading.Timer(0.5, lock.release).start()
        assert live.run().status == "success"
        assert time.monotonic() - began > 0.5


def test_environments_are_values_that_tell_what_they_are(live: Shop) -> None:
    live.plan("dev")
    dev, prod = live.manager.list_environments()
    assert isinstance(dev, Environment)
    assert repr(dev) == "<Environment 'dev' planned, 0 nodes>"
    assert repr(prod) == "<Environment 'prod' applied, 4 nodes>"
    assert prod.plan is None
    assert prod.expires_at is None
