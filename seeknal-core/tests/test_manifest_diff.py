"""What changed between two manifests: without SQL being understood, and with a classifier that
understands just `SELECT` and names of columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from seeknal.dag.classifier import (
    EVERYTHING,
    UNCHANGED,
    Change,
    ColumnOf,
    Lineage,
    Query,
    Reason,
    Verdict,
)
from seeknal.dag.diff import ChangeCategory, ManifestDiff, classify_sql_change
from seeknal.dag.judge import Judge
from seeknal.dag.manifest import Column, Incremental, Manifest, Node
from seeknal.errors import RequestError

BREAKING, NON_BREAKING, METADATA = (
    ChangeCategory.BREAKING,
    ChangeCategory.NON_BREAKING,
    ChangeCategory.METADATA,
)


class Words:
    """Knows `SELECT a, b FROM t`: words are columns, and the last one is the table."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def classify(self, old: Query, new: Query, inputs: Mapping[str, Change]) -> Verdict | None:
        self.asked.append((old.sql, new.sql))
        before, after = self.lineage(old), self.lineage(new)
        if before is None or after is None:
            return None
        changed = {
            name
            for name, made_from in after.columns.items()
            for table, column in made_from
            if table in inputs and (inputs[table].rows or column in inputs[table].changed)
        }
        names = before.columns.keys(), after.columns.keys()
        change = Change(
            rows=any(c.rows for c in inputs.values()),
            changed=frozenset(changed & names[0]),
            added=frozenset(names[1] - names[0]),
            removed=frozenset(names[0] - names[1]),
        )
        return Verdict(change, (Reason("words differ", 1),) if change else ())

    def lineage(self, query: Query) -> Lineage | None:
        words = query.sql.replace(",", " ").split()
        if not words or words[0].upper() != "SELECT":
            return None
        table = words[-1]
        return Lineage({w: frozenset([ColumnOf(table, w)]) for w in words[1:-2]})


WORDS = Words()
JUDGE = Judge([("words", lambda: WORDS)])
NOBODY = Judge([])


def sql(name: str, text: str) -> Node:
    table = text.rsplit(maxsplit=1)[-1]
    return Node(f"transform.{name}", inputs=(table,), config={"sql": text})


RAW = Node(
    "source.raw",
    config={"source": "parquet", "table": "data/raw.parquet", "params": {}},
    columns={"a": Column("First", "BIGINT"), "b": Column()},
)
NODES = [
    RAW,
    sql("one", "SELECT a, b FROM source.raw"),
    sql("two", "SELECT a FROM transform.one"),
    sql("three", "SELECT b FROM transform.one"),
    Node("transform.code", ("transform.two",), {"function": "code", "code": "1"}),
]


def manifest(*instead: Node, without: str = "") -> Manifest:
    nodes = {node.id: node for node in [*NODES, *instead]}
    nodes.pop(without, None)
    return Manifest("shop", nodes.values())


def rebuilt(*instead: Node, judge: Judge = JUDGE, **how: str) -> dict[str, ChangeCategory]:
    new = manifest(*instead)
    diff = ManifestDiff.compare(manifest(), new, judge=judge, **how)
    return {i.partition(".")[2]: category for i, category in diff.get_nodes_to_rebuild(new).items()}


# --- What is compared -----------------------------------------------------------------------


def test_nothing_changed() -> None:
    moved = replace(NODES[1], file_path="elsewhere.sql", line=7)
    diff = ManifestDiff.compare(manifest(), manifest(moved), judge=JUDGE)
    assert not diff.has_changes()
    assert diff.get_nodes_to_rebuild(manifest()) == {}
    assert diff.get_categorized_changes() == {BREAKING: [], NON_BREAKING: [], METADATA: []}


def test_only_nodes_that_differ_are_looked_at() -> None:
    nodes = [sql(f"n{n}", "SELECT a, b FROM source.raw") for n in range(1000)]
    edited = sql("n7", "SELECT a, b, c FROM source.raw")
    old, new = Manifest("p", [RAW, *nodes]), Manifest("p", [RAW, *nodes, edited])
    WORDS.asked.clear()
    diff = ManifestDiff.compare(old, new, judge=JUDGE)
    assert diff.get_nodes_to_rebuild(new) == {"transform.n7": NON_BREAKING}
    assert len(set(WORDS.asked)) == 1


@pytest.mark.parametrize(
    ("edit", "category"),
    [
        ({"description": "Else"}, METADATA),
        ({"owner": "them"}, METADATA),
        ({"tags": ("x",)}, METADATA),
        ({"unique_key": ("a",)}, METADATA),
        ({"columns": {"a": Column("Second", "BIGINT"), "b": Column()}}, METADATA),
        ({"columns": {"a": Column("First", "DOUBLE"), "b": Column()}}, BREAKING),
        ({"columns": {"b": Column()}}, BREAKING),
        ({"columns": {**RAW.columns, "c": Column(dtype="DATE")}}, BREAKING),
        ({"config": {**RAW.config, "table": "data/other.parquet"}}, BREAKING),
        ({"config": {**RAW.config, "source": "json"}}, BREAKING),
        ({"config": {**RAW.config, "params": {"filename": True}}}, BREAKING),
        ({"extra": {"what_is_this": 1}}, BREAKING),
    ],
)
def test_what_an_edit_of_a_source_means(edit: dict[str, object], category: ChangeCategory) -> None:
    new = manifest(replace(RAW, **edit))  # type: ignore[arg-type]
    diff = ManifestDiff.compare(manifest(), new, judge=JUDGE)
    assert diff.has_changes()
    assert diff.get_categorized_changes()[category] == ["source.raw"]
    assert (diff.get_nodes_to_rebuild(new) == {}) == (category is METADATA)
    assert diff.impact("source.raw").reasons


DAILY = Incremental("@daily", "a", start="2024-01-01")


@pytest.mark.parametrize(
    ("old", "new", "category"),
    [
        (None, DAILY, BREAKING),
        (DAILY, None, BREAKING),
        (DAILY, replace(DAILY, schedule="@hourly"), BREAKING),
        (DAILY, replace(DAILY, timezone="Asia/Tokyo"), BREAKING),
        (DAILY, replace(DAILY, time_column="b"), BREAKING),
        (DAILY, replace(DAILY, start="2023-01-01"), BREAKING),
        (DAILY, replace(DAILY, allow_partials=True), BREAKING),
        (DAILY, replace(DAILY, lookback=3), METADATA),
        (DAILY, replace(DAILY, batch_size=3, batch_concurrency=2), METADATA),
        (DAILY, replace(DAILY, depends_on_past=True), METADATA),
    ],
)
def test_what_an_edit_of_time_means(
    old: Incremental | None, new: Incremental | None, category: ChangeCategory
) -> None:
    before, after = (manifest(replace(NODES[1], incremental=timing)) for timing in (old, new))
    diff = ManifestDiff.compare(before, after, judge=JUDGE)
    assert diff.get_categorized_changes()[category] == ["transform.one"]


def test_python_is_told_by_its_code_and_reads_all_that_it_reads() -> None:
    code = replace(NODES[4], config={"function": "code", "code": "2"})
    assert rebuilt(code) == {"code": BREAKING}
    assert rebuilt(sql("two", "SELECT a, new FROM transform.one")) == {
        "two": NON_BREAKING,
        "code": BREAKING,
    }


def test_added_and_removed_nodes() -> None:
    extra = sql("extra", "SELECT a FROM transform.two")
    assert rebuilt(extra) == {"extra": BREAKING}
    new = manifest(without="transform.two")
    diff = ManifestDiff.compare(manifest(extra), new, judge=JUDGE)
    assert (diff.removed, diff.added) == (["transform.extra", "transform.two"], [])
    assert diff.get_nodes_to_rebuild(new) == {"transform.code": BREAKING}


# --- How far a change reaches ---------------------------------------------------------------


def test_a_change_follows_the_columns_that_are_read() -> None:
    typed = replace(RAW, columns={"a": Column("First", "DOUBLE"), "b": Column()})
    assert rebuilt(typed) == {"raw": BREAKING, "one": BREAKING, "two": BREAKING, "code": BREAKING}
    new = manifest(typed)
    diff = ManifestDiff.compare(manifest(), new, judge=JUDGE)
    two, three = diff.impact("transform.two"), diff.impact("transform.three")
    assert [step.node_id for step in two.path] == ["source.raw", "transform.one", "transform.two"]
    assert [sorted(step.change.changed) for step in two.path] == [["a"]] * 3
    assert (three.category, three.reads) == (METADATA, {"transform.one": ("b",)})
    assert three.reasons[-1].message == "of transform.one only a may change, and it reads b"
    assert diff.impact("transform.code").judged_by is None
    assert two.judged_by == "words"


def test_a_harmless_edit_in_the_middle_hides_nothing_above_it() -> None:
    typed = replace(RAW, columns={"a": Column("First", "DOUBLE"), "b": Column()})
    one = sql("one", "SELECT a, b, c FROM source.raw")
    assert rebuilt(one) == {"one": NON_BREAKING}
    both = rebuilt(typed, one)
    assert (both["one"], both["two"]) == (BREAKING, BREAKING)
    assert "three" not in both


def test_by_node_a_breaking_change_reaches_all_that_reads_the_node() -> None:
    typed = replace(RAW, columns={"a": Column("First", "DOUBLE"), "b": Column()})
    assert rebuilt(typed, impact="node").keys() == {"raw", "one", "two", "three", "code"}
    assert rebuilt(sql("one", "SELECT a, b, c FROM source.raw"), impact="node") == {
        "one": NON_BREAKING
    }


def test_a_change_of_the_time_of_rows_changes_which_there_are() -> None:
    timed = replace(NODES[1], incremental=DAILY)
    typed = replace(RAW, columns={"a": Column("First", "DOUBLE"), "b": Column()})
    diff = ManifestDiff.compare(manifest(timed), manifest(timed, typed), judge=JUDGE)
    assert diff.impact("transform.one").change.rows
    assert diff.impact("transform.three").category is BREAKING


def test_a_deep_pipeline_is_followed() -> None:
    chain = [sql("n0", "SELECT a FROM source.raw")]
    chain += [sql(f"n{n}", f"SELECT a FROM transform.n{n - 1}") for n in range(1, 3000)]
    typed = replace(RAW, columns={"a": Column("First", "DOUBLE")})
    old, new = Manifest("p", [RAW, *chain]), Manifest("p", [typed, *chain])
    diff = ManifestDiff.compare(old, new, judge=JUDGE)
    assert len(diff.get_nodes_to_rebuild(new)) == 3001
    assert len(diff.impact("transform.n2999").path) == 3001


def test_impact_of_what_is_not_there() -> None:
    diff = ManifestDiff.compare(manifest(), manifest(), judge=JUDGE)
    assert diff.impact("transform.two").reasons[0].message == (
        "nothing that it is made from has changed"
    )
    with pytest.raises(RequestError, match=r"no node 'transform.tow'.*transform.two"):
        diff.impact("transform.tow")


# --- Who judges -----------------------------------------------------------------------------


def test_without_a_classifier_every_edit_of_sql_is_breaking() -> None:
    edited = sql("one", "SELECT a,  b FROM source.raw")
    assert rebuilt(edited, judge=NOBODY).keys() == {"one", "two", "three", "code"}


def test_the_first_classifier_that_answers_is_believed() -> None:
    class Never(Words):
        def classify(self, old: Query, new: Query, inputs: Mapping[str, Change]) -> Verdict | None:
            return Verdict(EVERYTHING) if "secret" in new.sql else None

    judge = Judge([("never", Never), ("words", Words)])
    new = manifest(sql("one", "SELECT a, b, secret FROM source.raw"))
    impact = ManifestDiff.compare(manifest(), new, judge=judge).impact("transform.one")
    assert (impact.category, impact.judged_by) == (BREAKING, "never")
    new = manifest(sql("one", "SELECT a, b, c FROM source.raw"))
    impact = ManifestDiff.compare(manifest(), new, judge=judge).impact("transform.one")
    assert (impact.category, impact.judged_by) == (NON_BREAKING, "words")


@pytest.mark.parametrize("wrong", [KeyError("x"), RecursionError(), ChangeCategory.METADATA])
def test_a_classifier_that_fails_is_named_and_not_believed(wrong: object) -> None:
    class Broken(Words):
        def classify(self, old: Query, new: Query, inputs: Mapping[str, Change]) -> Verdict | None:
            if isinstance(wrong, Exception):
                raise wrong
            return wrong  # type: ignore[return-value]

    judge = Judge([("broken", Broken), ("words", Words)])
    new = manifest(sql("one", "SELECT a, b, c FROM source.raw"))
    impact = ManifestDiff.compare(manifest(), new, judge=judge).impact("transform.one")
    assert impact.category is BREAKING
    assert "the classifier 'broken' failed" in impact.reasons[0].message


def test_sql_alone_can_be_classified() -> None:
    def classify(old: object, new: object) -> ChangeCategory:
        return classify_sql_change(old, new, judge=JUDGE)  # type: ignore[arg-type]

    assert classify("SELECT a FROM t", "SELECT a FROM t") is METADATA
    assert classify("SELECT a FROM t", "SELECT a, b FROM t") is NON_BREAKING
    assert classify("SELECT a, b FROM t", "SELECT a FROM t") is BREAKING
    assert classify("SELEC a", "SELECT a FROM t") is BREAKING
    assert classify("", "") is METADATA
    assert classify(None, None) is METADATA
    for nothing in ("", None, " \n"):
        assert classify(nothing, "SELECT a FROM t") is BREAKING
        assert classify("SELECT a FROM t", nothing) is BREAKING


def test_what_classifiers_are_given_is_sql() -> None:
    node = Node(
        "transform.t",
        ("source.raw", "transform.or-der"),
        {"sql": "SELECT '{{ start }}', x FROM ref(\n'source.raw') WHERE t < {{ end }}\n"
         "-- ref('source.no')\nAND y IN (SELECT y FROM ref(\"transform.or-der\"))"},
    )  # fmt: skip
    asked: list[Query] = []

    class Asked(Words):
        def classify(self, old: Query, new: Query, inputs: Mapping[str, Change]) -> Verdict | None:
            asked.append(new)
            return Verdict(UNCHANGED)

    old = Manifest("p", [RAW, replace(node, config={"sql": "SELECT 1"})])
    new = Manifest("p", [RAW, node])
    diff = ManifestDiff.compare(old, new, judge=Judge([("asked", Asked)]))
    assert diff.get_nodes_to_rebuild(new) == {}
    assert asked[0].sql == (
        "SELECT '{{ start }}', x FROM source.raw\n WHERE t < $end\n"
        "-- ref('source.no')\nAND y IN (SELECT y FROM transform.\"or-der\")"
    )
    assert (asked[0].dialect, asked[0].inputs) == ("duckdb", node.inputs)


# --- Manifests that others wrote ------------------------------------------------------------

OLDER = {
    "metadata": {"project": "shop", "seeknal_version": "2.0.0", "generated_at": "2026-01-01"},
    "nodes": {
        "source.raw": {
            "id": "source.raw", "name": "raw", "type": "source", "description": None,
            "owner": "me", "tags": ["daily"], "columns": {"a": "int", "b": "Who it was"},
            "config": {"source": "csv", "table": "raw.csv"}, "file_path": "raw.yml",
        },
        "transform.t": {
            "id": "transform.t", "name": "t", "type": "transform", "columns": {},
            "config": {"transform": "SELECT a FROM input_0", "inputs": [{"ref": "source.raw"}]},
            "new_field": {"kept": [1, 2]},
        },
        "feature_group.f": {
            "id": "feature_group.f", "name": "f", "type": "feature_group", "config": {"entity": 1},
        },
    },
    "edges": [
        {"from": "source.raw", "to": "transform.t", "type": "dependency"},
        {"from": "transform.t", "to": "feature_group.f"},
    ],
}  # fmt: skip


def test_manifests_of_existing_projects_are_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(OLDER))
    loaded = Manifest.load(path)
    assert loaded.nodes["transform.t"].inputs == ("source.raw",)
    assert loaded.nodes["feature_group.f"].inputs == ("transform.t",)
    assert loaded.nodes["source.raw"].columns == {
        "a": Column(None, "int"),
        "b": Column("Who it was"),
    }
    loaded.save(tmp_path / "again.json")
    assert not ManifestDiff.compare(loaded, Manifest.load(tmp_path / "again.json")).has_changes()
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["metadata"].items() >= OLDER["metadata"].items()  # type: ignore[attr-defined]
    assert again["nodes"]["transform.t"]["new_field"] == {"kept": [1, 2]}
    assert {"from": "source.raw", "to": "transform.t", "type": "dependency"} in again["edges"]


def test_older_manifests_are_compared(tmp_path: Path) -> None:
    old = Manifest.from_dict(OLDER)
    changed = json.loads(json.dumps(OLDER))
    changed["nodes"]["source.raw"]["columns"]["a"] = "bigint"
    new = Manifest.from_dict(changed)
    diff = ManifestDiff.compare(old, new, judge=NOBODY)
    assert diff.get_nodes_to_rebuild(new).keys() == {"source.raw", "transform.t", "feature_group.f"}
    changed = json.loads(json.dumps(OLDER))
    changed["nodes"]["transform.t"]["config"]["transform"] = "SELECT  a FROM input_0"
    new = Manifest.from_dict(changed)
    diff = ManifestDiff.compare(old, new, judge=NOBODY)
    assert diff.get_nodes_to_rebuild(new).keys() == {"transform.t", "feature_group.f"}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"metadata": {}, "nodes": {}}', '{"metadata": {"project": "p"}}',
             '{"metadata": {"project": "p"}, "nodes": [1]}',
             '{"metadata": {"project": "p"}, "nodes": {}, "edges": [1]}'],
)  # fmt: skip
def test_what_is_no_manifest_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(RequestError, match=r"m\.json is not a manifest"):
        Manifest.load(path)
