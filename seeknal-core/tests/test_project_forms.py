"""The three forms of a node: what may stand in each, and that they come to the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seeknal.dag.manifest import Column, Node
from seeknal.errors import ProjectError
from seeknal.pipeline import OTHER_KINDS
from seeknal.project import sql_form, yaml_form
from seeknal.project.parsed import Parsed, SourceFile
from seeknal.project.templates import Templates
from seeknal.workflow.open_project import OpenProject

if TYPE_CHECKING:
    from conftest import Project

BODY = "SELECT day, sum(amount) AS revenue\nFROM ref('source.orders')\nGROUP BY day"
IMPORTS = "from seeknal.pipeline import source, transform\n"


def anywhere(node: Node) -> Node:
    """The node without what says where it was read."""
    return dataclasses.replace(node, file_path="", line=1)


def whatever_body(node: Node) -> Node:
    """The node without what computes it, too: a function and SQL can't be the same."""
    return dataclasses.replace(anywhere(node), config={})


def as_yaml(fields: dict[str, Any], sql: str = BODY) -> str:
    return yaml.safe_dump({"kind": "transform", "name": "daily", **fields, "transform": sql})


def as_sql(fields: dict[str, Any], sql: str = BODY) -> str:
    return f"/*\n---\n{yaml.safe_dump(fields)}---\n*/\n{sql}\n"


def as_python(fields: dict[str, Any]) -> str:
    given = "".join(f", {key}={value!r}" for key, value in fields.items())
    return (
        f"{IMPORTS}@transform(name='daily'{given})\n"
        "def anything(ctx):\n    return ctx.ref('source.orders')\n"
    )


FIELDS: list[dict[str, Any]] = [
    {},
    {"description": "Revenue a day"},
    {"owner": "finance@example.com"},
    {"tags": ["finance", "daily"]},
    {"tags": "finance"},
    {"columns": {"day": "The day", "revenue": {"description": "In euros", "dtype": "double"}}},
    {"columns": {"day": {"dtype": "date"}, "revenue": None, "größe in m²": "Ünïcode"}},
    {"schema": [{"name": "day", "data_type": "date"}, {"name": "revenue", "data_type": "float"}]},
    {"inputs": ["source.orders"]},
    {"inputs": [{"ref": "source.orders"}]},
    {"inputs": ["transform.other", {"ref": "source.orders"}]},
    {
        "description": "All of it",
        "owner": "me",
        "tags": ["a"],
        "columns": {"day": "d"},
        "inputs": [{"ref": "transform.other"}],
    },
]


@pytest.mark.parametrize("fields", FIELDS, ids=lambda fields: ",".join(fields) or "nothing")
def test_the_three_forms_of_a_transform_give_the_same_node(
    project: Project, fields: dict[str, Any]
) -> None:
    project.write("seeknal/other.sql", "SELECT 1")
    project.write("seeknal/a.yml", as_yaml(fields))
    from_yaml = project.node("transform.daily")
    project.remove("seeknal/a.yml")
    project.write("seeknal/daily.sql", as_sql(fields))
    from_sql = project.node("transform.daily")
    project.remove("seeknal/daily.sql")
    project.write("seeknal/a.py", as_python(fields))
    from_python = project.node("transform.daily")

    assert anywhere(from_yaml) == anywhere(from_sql)
    assert whatever_body(from_yaml) == whatever_body(from_python)
    assert from_yaml.config == {"sql": BODY}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"params": {"delimiter": ";", "header": True, "null_values": ["NA", "-"], "skip": 1}},
        {"description": "Orders", "owner": "me", "tags": ["raw"], "columns": {"id": "The id"}},
        {"schema": [{"name": "id", "data_type": "integer"}]},
    ],
)
def test_a_source_is_the_same_in_yaml_and_in_python(
    project: Project, fields: dict[str, Any]
) -> None:
    project.remove("seeknal/sources/orders.yml")
    files = {"source": "csv", "table": "data/orders.csv", **fields}
    project.write("seeknal/a.yml", yaml.safe_dump({"kind": "source", "name": "orders", **files}))
    from_yaml = project.node("source.orders")
    project.remove("seeknal/a.yml")
    given = ", ".join(f"{key}={value!r}" for key, value in files.items())
    project.write("seeknal/a.py", f"{IMPORTS}@source({given})\ndef orders(ctx=None):\n    pass\n")

    assert anywhere(project.node("source.orders")) == anywhere(from_yaml)
    assert from_yaml.config == {
        "source": "csv",
        "table": "data/orders.csv",
        "params": fields.get("params", {}),
    }


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="*"), max_size=20)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "description": TEXT,
        "owner": TEXT,
        "tags": st.lists(TEXT, max_size=3),
        "columns": st.dictionaries(TEXT, TEXT | st.fixed_dictionaries({"dtype": TEXT}), max_size=3),
    },
)


def read_alone(read: Any, path: str, text: str) -> Node:
    parsed: Parsed = read(SourceFile(Path("/nowhere"), path, text), Templates({}, {}))
    assert parsed.problems == []
    (node,) = parsed.nodes
    return node


@given(fields=METADATA)
def test_whatever_is_said_of_a_node_is_kept_to_the_letter(fields: dict[str, Any]) -> None:
    said = yaml.safe_dump(fields, default_style='"', width=float("inf"), sort_keys=False)
    said = said if fields else ""
    text = f"kind: transform\nname: daily\ntransform: SELECT 1\n{said}"
    from_yaml = read_alone(yaml_form.read, "seeknal/daily.yml", text)
    text = f"/*\n---\n{said}---\n*/\nSELECT 1"
    from_sql = read_alone(sql_form.read, "seeknal/daily.sql", text)

    assert anywhere(from_yaml) == anywhere(from_sql)
    assert from_sql.description == fields.get("description")
    assert from_sql.owner == fields.get("owner")
    assert list(from_sql.tags) == fields.get("tags", [])
    columns = fields.get("columns", {}).items()
    assert list(from_sql.columns.items()) == [
        (name, Column(None, said["dtype"]) if isinstance(said, dict) else Column(said))
        for name, said in columns
    ]


# --- YAML -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "parquet"])
def test_every_file_format_can_be_a_source(project: Project, form: str) -> None:
    project.write(f"data/x.{form}", "")
    project.write("seeknal/x.yml", f"kind: source\nname: x\nsource: {form}\ntable: data/x.{form}\n")
    assert project.node("source.x").config == {
        "source": form,
        "table": f"data/x.{form}",
        "params": {},
    }


def test_a_table_may_be_a_glob_at_any_depth(project: Project) -> None:
    project.write("data/2024/01/a.csv", "x\n1\n")
    for table in ("data/**/*.csv", "data/2024/*/a.csv", "data/2024/0[0-9]/?.csv"):
        project.write("seeknal/x.yml", f"kind: source\nname: x\nsource: csv\ntable: '{table}'\n")
        assert project.node("source.x").config["table"] == table


def test_paths_may_have_spaces_quotes_and_any_letters(project: Project) -> None:
    path = "data/o'clock größe (1).csv"
    project.write(path, "x\n1\n")
    project.write("seeknal/x.yml", f'kind: source\nname: x\nsource: csv\ntable: "{path}"\n')
    assert project.node("source.x").config["table"] == path


def test_the_older_list_of_columns_may_describe_them(project: Project) -> None:
    project.write(
        "seeknal/x.yml",
        "kind: source\nname: x\nsource: csv\ntable: data/orders.csv\nschema:\n"
        "  - name: id\n    data_type: integer\n    description: The id\n  - name: amount\n",
    )
    assert project.node("source.x").columns == {
        "id": Column("The id", "integer"),
        "amount": Column(None, None),
    }


YAML_NODE = "kind: transform\nname: t\ntags: [a]\ntransform: |\n  SELECT 1 AS a,\n    2 AS b\n"


@pytest.mark.parametrize(
    "text",
    [
        YAML_NODE,
        "\ufeff" + YAML_NODE,
        YAML_NODE.replace("\n", "\r\n"),
        "\ufeff" + YAML_NODE.replace("\n", "\r\n"),
        "---\n" + YAML_NODE,
        "# what it is for\n\n" + YAML_NODE + "\n# the end\n",
        YAML_NODE.removesuffix("\n"),
        YAML_NODE.replace(": ", ":   \t"),
        "transform: |2\n  SELECT 1 AS a,\n    2 AS b\ntags:\n  - a\nname: t\nkind: transform\n",
        'name: "t"\nkind: \'transform\'\ntags: a\ntransform: "SELECT 1 AS a,\\n  2 AS b"\n',
    ],
)
@pytest.mark.parametrize("suffix", ["yml", "yaml"])
def test_yaml_is_read_however_it_is_laid_out(project: Project, text: str, suffix: str) -> None:
    project.write(f"seeknal/any name.{suffix}", text)
    found = project.node("transform.t")
    assert found.config["sql"] == "SELECT 1 AS a,\n  2 AS b"
    assert found.tags == ("a",)


def test_tabs_in_the_sql_are_kept(project: Project) -> None:
    project.write("seeknal/t.yml", "kind: transform\nname: t\ntransform: |\n  SELECT\n  \t1\n")
    assert project.node("transform.t").config["sql"] == "SELECT\n\t1"


def test_keys_merged_from_an_anchor_count_as_written_there(project: Project) -> None:
    project.write(
        "seeknal/t.yml",
        "kind: transform\nname: t\ncolumns:\n  a: &money {description: Paid, dtype: double}\n"
        "  b: {<<: *money, description: Owed}\ntransform: SELECT 1\n",
    )
    assert project.node("transform.t").columns == {
        "a": Column("Paid", "double"),
        "b": Column("Owed", "double"),
    }


def test_words_that_yaml_takes_for_other_things_can_be_columns(project: Project) -> None:
    project.write(
        "seeknal/t.yml",
        "kind: transform\nname: t\ntransform: SELECT 1\n"
        "columns:\n  'on': Whether it is\n  \"2024\": A year\n  '': Nothing\n",
    )
    assert list(project.node("transform.t").columns) == ["on", "2024", ""]


# --- SQL ------------------------------------------------------------------------------------

FRONT = "/*\n---\nowner: me\n---\n*/\nSELECT 1"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (FRONT, 6),
        (FRONT.replace("\n", "\r\n"), 6),
        ("\ufeff" + FRONT, 6),
        ("\ufeff" + FRONT.replace("\n", "\r\n") + "\r\n", 6),
        ("\n\n" + FRONT, 8),
        ("/* ---\nowner: me\n--- */ SELECT 1", 3),
        ("/*---\nowner: me\n---*/SELECT 1", 3),
        ("\t/*\t\n\t---\t\nowner: me\n\t---\t\n\t*/\n\tSELECT 1", 6),
        ("/*\n---\n# why\n\nowner: 'me'\n\n---\n\n*/\n\n\nSELECT 1\n\n", 12),
        ("/*\n---\nowner: me  # --- not yet\n---\n*/\nSELECT 1", 6),
        ("/*\n---\nname: t\nkind: transform\nowner: me\n---\n*/\nSELECT 1", 8),
    ],
)
def test_front_matter_is_read_however_it_is_laid_out(
    project: Project, text: str, line: int
) -> None:
    project.write("seeknal/t.sql", text)
    found = project.node("transform.t")
    assert (found.owner, found.config["sql"], found.line) == ("me", "SELECT 1", line)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "-- owner: me\nSELECT 1",
        "/* a word */ SELECT 1",
        "/* ---- a line ---- */\nSELECT 1",
        "SELECT 1 /*\n---\nowner: me\n---\n*/",
        "SELECT '/*\n---\nowner: me\n---\n*/'",
    ],
)
def test_other_comments_are_part_of_the_sql(project: Project, text: str) -> None:
    project.write("seeknal/t.sql", text)
    found = project.node("transform.t")
    assert (found.owner, found.config["sql"]) == (None, text)


def test_front_matter_may_be_empty(project: Project) -> None:
    project.write("seeknal/t.sql", "/*\n---\n---\n*/\nSELECT 1")
    assert anywhere(project.node("transform.t")) == Node("transform.t", config={"sql": "SELECT 1"})


def test_front_matter_may_hold_a_block_of_text(project: Project) -> None:
    project.write(
        "seeknal/t.sql", "/*\n---\ndescription: |\n  One.\n\n  Two: --- three\n---\n*/\nSELECT 1"
    )
    assert project.node("transform.t").description == "One.\n\nTwo: --- three\n"


def test_front_matter_that_is_not_closed_is_not_taken_for_a_comment(project: Project) -> None:
    project.write("seeknal/t.sql", "/*\n---\nowner: me\n*/\nSELECT 1")
    assert project.problems()[0].startswith("seeknal/t.sql:")


def test_a_sql_node_has_the_name_of_its_file_at_any_depth(project: Project) -> None:
    project.write("seeknal/a/b/c/Daily_revenue-2.sql", "SELECT 1")
    found = project.node("transform.Daily_revenue-2")
    assert found.file_path == "seeknal/a/b/c/Daily_revenue-2.sql"


# --- Inputs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "inputs"),
    [
        ("SELECT * FROM ref('source.orders')", ["source.orders"]),
        ('SELECT * FROM ref("source.orders")', ["source.orders"]),
        ("SELECT * FROM REF ( 'source.orders' ) o", ["source.orders"]),
        ("SELECT * FROM ref(\n\t'source.orders'\n)", ["source.orders"]),
        ("FROM ref('transform.b'), ref('transform.a')", ["transform.b", "transform.a"]),
        ("FROM ref('transform.b') JOIN ref('transform.b') x ON true", ["transform.b"]),
        ("WITH x AS (FROM ref('transform.a')) FROM x, ref('transform.b')",
         ["transform.a", "transform.b"]),
        ("SELECT (SELECT max(id) FROM ref('source.orders')) FROM ref('transform.a')",
         ["source.orders", "transform.a"]),
        ("SELECT 1 -- FROM ref('source.nothing')", []),
        ("SELECT 1 /* FROM ref('source.nothing') */", []),
        ("SELECT 'FROM ref(''source.nothing'')'", []),
        ("SELECT $$ FROM ref('source.nothing') $$", []),
        ("SELECT 1 AS \"ref('source.nothing')\"", []),
        ("SELECT xref('source.nothing'), ref_('x'), prefer.ref", []),
    ],
)  # fmt: skip
def test_inputs_of_sql_are_its_refs_in_the_order_they_stand(
    project: Project, sql: str, inputs: list[str]
) -> None:
    project.write("seeknal/a.sql", "SELECT 1")
    project.write("seeknal/b.sql", "SELECT 1")
    project.write("seeknal/t.sql", sql)
    assert list(project.node("transform.t").inputs) == inputs


def test_inputs_that_are_declared_come_first_so_that_they_can_be_counted(project: Project) -> None:
    project.write("seeknal/a.sql", "SELECT 1")
    project.write(
        "seeknal/t.yml",
        "kind: transform\nname: t\ninputs:\n  - ref: transform.a\n  - ref: source.orders\n"
        "transform: SELECT * FROM input_1 o JOIN ref('source.orders') p USING (id), input_0\n",
    )
    assert project.node("transform.t").inputs == ("transform.a", "source.orders")


def test_a_column_may_be_called_as_a_position_is(project: Project) -> None:
    project.write("seeknal/t.sql", "SELECT o.input_3 AS input_5 FROM ref('source.orders') o")
    assert project.node("transform.t").inputs == ("source.orders",)


def test_declared_inputs_may_be_named_as_tables_without_ref(project: Project) -> None:
    sql = "SELECT o.id FROM source.orders o WHERE o.id > 0"
    project.write(
        "seeknal/t.yml",
        f"kind: transform\nname: t\ninputs:\n  - ref: source.orders\ntransform: |\n  {sql}\n",
    )
    found = project.node("transform.t")
    assert (found.inputs, found.config["sql"]) == (("source.orders",), sql)


# --- Python ---------------------------------------------------------------------------------


def test_a_python_node_is_called_as_its_function_is_unless_it_is_named(project: Project) -> None:
    project.write(
        "seeknal/nodes.py",
        f"{IMPORTS}@transform()\ndef one(ctx): ...\n\n@transform(name='two')\ndef x(ctx): ...\n",
    )
    nodes = project.load().manifest.nodes
    assert {(n.id, n.line) for n in nodes.values()} >= {("transform.one", 2), ("transform.two", 5)}


def test_a_source_in_python_may_give_its_data_itself(project: Project) -> None:
    project.write("seeknal/nodes.py", f"{IMPORTS}@source(tags=['made'])\ndef made(ctx): ...\n")
    found = project.node("source.made")
    assert (found.kind, found.tags, found.config["function"]) == ("source", ("made",), "made")


def test_nodes_can_be_declared_in_a_loop(project: Project) -> None:
    project.write(
        "seeknal/nodes.py",
        f"{IMPORTS}for name in ('a', 'b'):\n"
        "    @transform(name=f'by_{name}', inputs=['source.orders'], tags=[name])\n"
        "    def by(ctx, name=name):\n        return ctx.ref('source.orders')\n",
    )
    nodes = project.load().manifest.nodes
    assert (nodes["transform.by_a"].tags, nodes["transform.by_b"].tags) == (("a",), ("b",))


@pytest.mark.parametrize(
    "function",
    [
        "def t(ctx):\n    return ctx.ref('source.orders')",
        "def t(context):\n    return context.ref('source.orders').df()",
        "def t(ctx, /):\n    return ctx.ref('source.orders')",
        "def t(ctx):\n    def of():\n        return ctx.ref('source.orders')\n    return of()",
        "def t(ctx):\n    return [ctx.ref(i) for i in ('a',)], ctx.ref(\n        'source.orders')",
    ],
)
def test_inputs_of_a_function_are_what_it_asks_its_context_for(
    project: Project, function: str
) -> None:
    project.write("seeknal/nodes.py", f"{IMPORTS}@transform()\n{function}\n")
    assert project.node("transform.t").inputs == ("source.orders",)


def test_a_decorated_function_stays_what_it_was(project: Project) -> None:
    project.write(
        "seeknal/nodes.py",
        f"{IMPORTS}@transform()\ndef t(ctx):\n    return 'what it returns'\n\n"
        "assert t(None) == 'what it returns'\nassert t.__name__ == 't'\n",
    )
    assert "transform.t" in project.load().manifest.nodes


def test_every_kind_of_existing_projects_has_its_decorator(project: Project) -> None:
    uses = "".join(
        f"@{kind}(name='{kind}_x', entity='e', anything=[1])\ndef f(ctx): ...\n"
        for kind in OTHER_KINDS
    )
    imports = f"from seeknal.pipeline import {', '.join(OTHER_KINDS)}\n"
    project.write("seeknal/nodes.py", imports + uses)
    assert project.load().skipped == {kind: [f"{kind}.{kind}_x"] for kind in sorted(OTHER_KINDS)}


def test_modules_beside_a_node_are_its_own(project: Project) -> None:
    for folder in ("a", "b"):
        project.write(f"seeknal/{folder}/helpers.py", f"WHERE = 'from {folder}'\n")
        project.write(
            f"seeknal/{folder}/nodes_{folder}.py",
            f"{IMPORTS}from helpers import WHERE\n\n"
            f"@transform(description=WHERE)\ndef in_{folder}(ctx): ...\n",
        )
    nodes = project.load().manifest.nodes
    said = [nodes["transform.in_a"].description, nodes["transform.in_b"].description]
    assert said == ["from a", "from b"]


def test_python_files_are_not_executed_before_the_nodes_are_asked_for(project: Project) -> None:
    mark = project.root / "executed"
    project.write("seeknal/nodes.py", f"open({str(mark)!r}, 'w').close()\n")
    with OpenProject(project.root) as opened:
        assert opened.settings.name == "shop"
        assert not mark.exists()
    project.load()
    assert mark.exists()


def test_the_params_of_the_project_and_the_nodes_own_reach_a_function(project: Project) -> None:
    project.write(
        "seeknal/nodes.py",
        f"{IMPORTS}@transform(params={{'least': 9}})\ndef t(ctx):\n    return ctx.params\n",
    )
    assert project.node("transform.t").config["params"] == {"least": 9, "currency": "EUR"}


def test_params_reach_a_function_that_leaves_them_to_a_helper(project: Project) -> None:
    project.write("bounds_of_t.py", "def least(ctx):\n    return ctx.params['least']\n")
    project.write(
        "seeknal/nodes.py",
        f"{IMPORTS}from bounds_of_t import least\n\n"
        "@transform()\ndef t(ctx):\n    return least(ctx)\n",
    )
    assert project.node("transform.t").config.get("params", {}).get("least") == 5


def test_a_function_that_does_not_read_params_does_not_change_with_them(project: Project) -> None:
    project.write("seeknal/nodes.py", f"{IMPORTS}@transform()\ndef t(ctx):\n    return 1\n")
    before = project.node("transform.t").definition
    project.write("seeknal_project.yml", "name: shop\nparams: {least: 6}\n")
    assert project.node("transform.t").definition == before


def test_code_counts_by_what_it_does_and_not_by_how_it_is_laid_out(project: Project) -> None:
    def code(text: str) -> str:
        project.write("seeknal/nodes.py", text)
        found: str = project.node("transform.t").config["code"]
        return found

    first = code(f"{IMPORTS}@transform()\ndef t(ctx):\n    return 1\n")
    relaid = '@transform( )\ndef t(ctx):  # how\n\n    "What."\n    return (1)\n'
    assert code(f'"""Why."""\n\n{IMPORTS}{relaid}') == first
    assert code(f"{IMPORTS}@transform()\ndef t(ctx):\n    return 2\n") != first
    assert code(f"{IMPORTS}ONE = 2\n@transform()\ndef t(ctx):\n    return 1\n") != first


TWO = """\
from seeknal.pipeline import transform

LEAST = 3


def helps_one(x):
    return x + LEAST


@transform(name="one", description="First")
def one(ctx):
    return helps_one(1)


@transform(name="two")
def two(ctx):
    return 2
"""


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("return 2", "return 3", {"two"}),
        ("x + LEAST", "x - LEAST", {"one"}),
        ("LEAST = 3", "LEAST = 4", {"one", "two"}),
        ("First", "What comes first", set()),
        ("def helps_one(x):", "def helps_one(x=print(1)):", {"one", "two"}),
        ("\n\ndef helps_one", "\n\n@print\ndef helps_one", {"one", "two"}),
        ("def helps_one(x):", "def helps_one(x: print(1)):", {"one", "two"}),
        ("return 2", "return two.__globals__['helps_' + 'one'](2)", {"one", "two"}),
        ("return 2", "from sys import modules\n    return modules", {"one", "two"}),
        ("return 2", "return globals()['helps_one'](2)", {"one", "two"}),
        ("return 2", "return getattr(two, 'helps_one')(2)", {"two"}),
        ("\n\ndef helps_one", "\n\nclass Other:\n    pass\n\n\ndef helps_one", {"one", "two"}),
        ("\n\ndef helps_one", "\n\ndef helps_none():\n    pass\n\n\ndef helps_one", set()),
    ],
)
def test_a_node_is_told_by_the_code_that_it_can_reach(
    project: Project, old: str, new: str, changed: set[str]
) -> None:
    def codes(text: str) -> dict[str, str]:
        project.write("seeknal/nodes.py", text)
        return {name: project.node(f"transform.{name}").config["code"] for name in ("one", "two")}

    assert old in TWO
    before, after = codes(TWO), codes(TWO.replace(old, new))
    assert {name for name in before if before[name] != after[name]} == changed


@pytest.mark.parametrize(
    ("imports", "package"),
    [
        ("from lib.first import get", "from . import second\n\ndef get(): return second.N\n"),
        ("from lib.first import get", "from .second import N\n\ndef get(): return N\n"),
        ("from lib.sub.first import get", "from ..second import N\n\ndef get(): return N\n"),
        ("import importlib\nget = importlib.import_module('lib.second').get", ""),
    ],
)
def test_code_that_helpers_import_counts(project: Project, imports: str, package: str) -> None:
    where = "lib/sub/first.py" if "sub" in imports else "lib/first.py"
    for path in ("lib/__init__.py", "lib/sub/__init__.py", where):
        project.write(path, package if path == where else "")
    project.write(
        "seeknal/nodes.py",
        f"from seeknal.pipeline import transform\n{imports}\n\n"
        "@transform(name='t')\ndef t(ctx):\n    return get()\n",
    )
    codes = set()
    for number in (1, 2):
        project.write("lib/second.py", f"N = {number}\n\ndef get(): return N\n")
        codes.add(project.node("transform.t").config["code"])
    assert len(codes) == 2


def test_params_are_what_json_has(project: Project) -> None:
    text = f"from datetime import date\n{IMPORTS}@transform(name='t', params=PARAMS)\n"
    text += "def t(ctx):\n    return ctx.params\n"
    project.write(
        "seeknal/nodes.py", text.replace("PARAMS", "{'day': date(2024, 1, 2), 'n': (1,)}")
    )
    params = project.node("transform.t").config["params"]
    assert (params["day"], params["n"]) == ("2024-01-02", [1])
    project.write("seeknal/nodes.py", text.replace("PARAMS", "{'some': {1, 2}}"))
    with pytest.raises(ProjectError, match="'some' can't be a set: give what JSON has"):
        project.load()


def test_docstrings_count_where_they_are_read(project: Project) -> None:
    def code(said: str, body: str) -> str:
        text = f'{IMPORTS}@transform(name="t")\ndef t(ctx):\n    "{said}"\n    return {body}\n'
        project.write("seeknal/nodes.py", text)
        found: str = project.node("transform.t").config["code"]
        return found

    assert code("One", "1") == code("Two", "1")
    assert code("One", "t.__doc__") != code("Two", "t.__doc__")


# --- Where nodes are looked for -------------------------------------------------------------


def test_nodes_are_found_at_any_depth_and_nowhere_else(project: Project) -> None:
    project.write("seeknal/a/b/c/d/e/deep.sql", "SELECT 1")
    project.write("seeknal/a/common/also.sql", "SELECT 1")
    project.write("seeknal/upper/UPPER.sql", "SELECT 1")
    for path in (
        "seeknal/common/rules.yml",
        "seeknal/.hidden.sql",
        "seeknal/.git/config.yml",
        "seeknal/__pycache__/x.py",
        "seeknal/notes.md",
        "seeknal/data.csv",
        "elsewhere/x.sql",
        "x.yml",
        "target/x.sql",
    ):
        project.write(path, "")
    assert list(project.load().manifest.nodes) == [
        "source.orders",
        "transform.UPPER",
        "transform.also",
        "transform.deep",
    ]


def test_a_folder_may_be_called_as_a_file_is(project: Project) -> None:
    project.write("seeknal/old.sql/x.sql", "SELECT 1")
    assert "transform.x" in project.load().manifest.nodes


# --- A project as they exist ----------------------------------------------------------------


def test_a_project_in_the_existing_format_is_read_as_it_is(project: Project) -> None:
    project.write(
        "seeknal_project.yml",
        "name: till-receipts\nversion: 1.0.0\nprofile: default\nconfig-version: 1\n"
        "state_backend: file",
    )
    project.write("data/lines.jsonl", '{"line_id": 1}\n')
    project.write(
        "seeknal/sources/lines.yml",
        'kind: source\nname: lines\ndescription: "Lines of receipts"\nsource: jsonl\n'
        'table: "data/lines.jsonl"\ncolumns:\n  line_id: "Which"\n  qty: "How many"',
    )
    project.write(
        "seeknal/common/sources.yml",
        "sources:\n- id: lines\n  ref: source.lines\n  params:\n    idCol: line_id\n"
        "    qtyCol: qty\n",
    )
    project.write(
        "seeknal/common/rules.yml", "rules:\n- id: sold\n  value: qty IS NOT NULL AND qty > 0\n"
    )
    project.write(
        "seeknal/common/transformations.yml",
        "transformations:\n- id: double\n  sql: '{{lines.qtyCol}} * 2'\n",
    )
    project.write(
        "seeknal/transforms/cleaned.yml",
        "kind: transform\nname: cleaned\n\ntransform: |\n  SELECT\n    -- the key\n"
        "    {{lines.idCol}},\n    {{transformations.double}} AS twice\n"
        "  FROM ref('source.lines')\n  WHERE {{rules.sold}}\n  QUALIFY ROW_NUMBER() OVER (\n"
        "    PARTITION BY {{lines.idCol}} ORDER BY qty DESC\n  ) = 1\n\ncolumns:\n"
        '  line_id: "Which"\n\ninputs:\n  - ref: source.lines',
    )
    project.write(
        "seeknal/transforms/joined.yml",
        "kind: transform\nname: joined\nparams:\n  since: 2024-01-01\ninputs:\n"
        "  - ref: transform.cleaned\n  - ref: source.lines\n"
        "transform: |\n  SELECT c.*, '{{ params.since }}' AS since\n"
        "  FROM transform.cleaned c LEFT JOIN source.lines l ON c.line_id = l.line_id\n",
    )
    project.write(
        "seeknal/pipelines/top.py",
        '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["pandas"]\n# ///\n\n'
        '"""Transform: the best lines."""\n\nfrom seeknal.pipeline import transform\n\n\n'
        '@transform(\n    name="top",\n    description="Best lines",\n)\n'
        'def top(ctx):\n    """Best."""\n    joined = ctx.ref("transform.joined")\n'
        '    return ctx.duckdb.sql("SELECT * FROM joined").df()\n',
    )
    project.write(
        "seeknal/rules/positive.yml",
        "kind: rule\nname: positive\ninputs:\n  - ref: transform.cleaned\nrule:\n  type: range\n"
        "  column: qty\n  params:\n    min_val: 1\nparams:\n  severity: error",
    )
    project.write(
        "seeknal/exposures/out.yml",
        "kind: exposure\nname: out\ntype: file\ndepends_on:\n  - ref: rule.positive\n"
        "params:\n  format: csv\n",
    )
    loaded = project.load()
    nodes = loaded.manifest.nodes
    assert {i: n.inputs for i, n in nodes.items()} == {
        "source.lines": (),
        "source.orders": (),
        "transform.cleaned": ("source.lines",),
        "transform.joined": ("transform.cleaned", "source.lines"),
        "transform.top": ("transform.joined",),
    }
    assert loaded.skipped == {"exposure": ["exposure.out"], "rule": ["rule.positive"]}
    sql = nodes["transform.cleaned"].config["sql"]
    assert "  line_id,\n  qty * 2 AS twice\n" in sql
    assert "WHERE qty IS NOT NULL AND qty > 0\n" in sql
    assert "'2024-01-01' AS since" in nodes["transform.joined"].config["sql"]
