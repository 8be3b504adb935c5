"""The document of a plan: read back as written, refused when it is none, and told briefly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from seeknal.errors import RequestError
from seeknal.workflow.plan_document import (
    EnvironmentPlan,
    EnvironmentVersion,
    MadeAgainst,
    PlannedNode,
    PlannedReason,
)

DAY = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 4, tzinfo=UTC)


def plan(*nodes: PlannedNode, is_new: bool = False, **fields: object) -> EnvironmentPlan:
    prod = EnvironmentVersion(name="prod", created_at=DAY[0], revision=7)
    against = MadeAgainst(
        environment=None,
        base=prod,
        definitions={"source.raw": "0123456789abcdef"},
        contents={"source.raw": "v1"},
        plugins={"seeknal-engine-duckdb": "0.1.0"},
    )
    given = {
        "id": "20240101-000000-abcdef",
        "environment": "dev",
        "base": "prod",
        "project": "shop",
        "created_at": DAY[1],
        "ttl_hours": 168,
        "against": against,
        "nodes": list(nodes),
        "unchanged": ["source.raw", "transform.kept"],
        "is_new": is_new,
    }
    return EnvironmentPlan.model_validate({**given, **fields})


EDITED = PlannedNode(
    node="transform.daily",
    action="compute",
    why="the rows may change",
    change="edited",
    category="breaking",
    reasons=[PlannedReason(message="WHERE is another", place="daily.sql:3")],
    path=["transform.daily"],
    intervals=[DAY],
    batches=3,
    rows=1200,
    seconds=1.5,
)
REACHED = PlannedNode(node="transform.report", action="compute", why="-", change="reached")
SPARED = PlannedNode(node="transform.other", action="spare", why="-", change="reached")
REUSED = PlannedNode(node="transform.before", action="reuse", why="'prod' shows it")
GONE = PlannedNode(node="transform.gone", action="remove", why="-", change="removed")


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    whole = plan(EDITED, REACHED, SPARED, REUSED, GONE, is_new=True, select="daily+")
    whole.save(tmp_path / "plan.json")
    assert EnvironmentPlan.load(tmp_path / "plan.json") == whole
    times = json.loads((tmp_path / "plan.json").read_text())["nodes"][0]["intervals"]
    assert times == [["2024-01-01T00:00:00Z", "2024-01-04T00:00:00Z"]]


def test_the_schema_that_is_shipped_is_its_own() -> None:
    shipped = files("seeknal.workflow").joinpath("plan.schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped) == EnvironmentPlan.model_json_schema()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Invalid JSON"),
        ("[]", "should be an object"),
        ('{"format": 2}', "format"),
        ('{"format": 1}', "id: Field required"),
        ("\udcff", "Invalid JSON"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RequestError, match=f"plan.json is not a plan.*{why}"):
        EnvironmentPlan.load(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"There is no plan at .*plan\.json"):
        EnvironmentPlan.load(tmp_path / "plan.json")


def test_a_field_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    text = plan().model_dump_json().replace('{"format"', '{"surprise":1,"format"', 1)
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(RequestError, match="surprise"):
        EnvironmentPlan.load(tmp_path / "plan.json")


def test_the_summary_tells_what_it_comes_to() -> None:
    assert plan(EDITED, REACHED, SPARED, REUSED, GONE).summary.splitlines() == [
        "Plan for 'dev': 1 edited, 1 removed",
        "  compute    2 nodes, 3 batches of intervals; by earlier runs for 1 of them about "
        "1,200 rows in 1.5 s of work",
        "  reuse      1 node, computed before: transform.before",
        "  spare      1 node, no edit makes a difference to it: transform.other",
        "  remove     1 node, no longer in the project: transform.gone",
        "  keep       2 nodes, up to date",
    ]
    assert plan(is_new=True).summary.splitlines() == [
        "Plan for 'dev', compared with 'prod': nothing was edited",
        "  keep       2 nodes, as in 'prod'",
    ]
    assert plan(SPARED).summary.splitlines()[-1] == "There is nothing to do."


@pytest.mark.parametrize(
    ("nodes", "is_new", "something"),
    [
        ((), False, False),
        ((), True, True),
        ((SPARED,), False, False),
        ((EDITED,), False, True),
        ((REUSED,), False, True),
        ((GONE,), False, True),
    ],
)
def test_there_is_something_to_do_when_what_is_shown_changes(
    nodes: tuple[PlannedNode, ...], is_new: bool, something: bool
) -> None:
    assert plan(*nodes, is_new=is_new).has_changes is something


def test_the_summary_counts_one_and_several_in_their_own_words() -> None:
    alone = EDITED.model_copy(update={"batches": 1, "rows": 1})
    waits = PlannedNode(node="transform.w", action="wait", why="-")
    also = SPARED.model_copy(update={"node": "transform.o"})
    one, several = plan(alone, SPARED, waits), plan(alone, SPARED, also, waits, waits)
    assert one.summary.splitlines()[1:4] == [
        "  compute    1 node, 1 batch of intervals; by earlier runs about 1 row in 1.5 s of work",
        "  spare      1 node, no edit makes a difference to it: transform.other",
        "  wait       1 node, what it reads isn't there yet: transform.w",
    ]
    assert several.summary.splitlines()[2:4] == [
        "  spare      2 nodes, no edit makes a difference to them: transform.other, transform.o",
        "  wait       2 nodes, what they read isn't there yet: transform.w, transform.w",
    ]
