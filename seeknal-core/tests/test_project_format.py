"""Every way to write a node, and that they come to the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from seeknal.config import load_settings
from seeknal.dag.manifest import Column, Manifest, Node
from seeknal.errors import Flaw, ProjectError
from seeknal.project import loader, sql_form, yaml_form
from seeknal.project.loader import Loaded


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write(tmp_path, "seeknal_project.yml", "name: shop\nparams: {currency: EUR, least: 5}\n")
    write(tmp_path, "data/orders.csv", "id,amount\n1,10\n")
    write(
        tmp_path,
        "seeknal/sources/orders.yml",
        "kind: source\nname: orders\nsource: csv\ntable: data/orders.csv\n",
    )
    return tmp_path


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())


def nothing_wrong(node: Node) -> Sequence[Flaw]:
    return ()


def load(root: Path, check: loader.Check = nothing_wrong) -> Loaded:
    return loader.load(root, load_settings(root), check, "tests")


def node(root: Path, node_id: str) -> Node:
    return load(root).manifest.nodes[node_id]


def problems(root: Path) -> list[str]:
    with pytest.raises(ProjectError) as error:
        load(root)
    return [str(problem) for problem in error.value.problems]


def anywhere(node: Node) -> Node:
    return dataclasses.replace(node, file_path="", line=1)


# --- Forms ----------------------------------------------------------------------------------

YAML = """\
kind: transform
name: daily
description: Revenue a day
owner: finance
tags: [a, b]
columns:
  day: The day
  revenue: {description: In euros, dtype: double}
  plain:
inputs:
  - ref: source.orders
transform: |
  SELECT day, sum(amount) AS revenue
  FROM ref('source.orders')
  GROUP BY day
"""
SQL = """\
/*
---
description: Revenue a day
owner: finance
tags: [a, b]
columns:
  day: The day
  revenue: {description: In euros, dtype: double}
  plain:
---
*/
SELECT day, sum(amount) AS revenue
FROM ref('source.orders')
GROUP BY day
"""


def test_yaml_and_sql_give_the_same_node(shop: Path) -> None:
    write(shop, "seeknal/deep/er/daily.yml", YAML)
    from_yaml = node(shop, "transform.daily")
    (shop / "seeknal/deep/er/daily.yml").unlink()
    write(shop, "seeknal/daily.sql", SQL)
    from_sql = node(shop, "transform.daily")
    assert anywhere(from_yaml) == anywhere(from_sql)
    assert from_sql.columns["revenue"] == Column("In euros", "double")
    assert from_sql.columns["plain"] == Column()
    assert (from_sql.inputs, from_sql.tags) == (("source.orders",), ("a", "b"))
    assert (from_yaml.file_path, from_yaml.line) == ("seeknal/deep/er/daily.yml", 13)
    assert (from_sql.file_path, from_sql.line) == ("seeknal/daily.sql", 12)


def test_python_gives_the_same_node_but_for_its_body(shop: Path) -> None:
    write(shop, "seeknal/daily.yml", YAML)
    from_yaml = node(shop, "transform.daily")
    (shop / "seeknal/daily.yml").unlink()
    write(
        shop,
        "seeknal/nodes.py",
        "from seeknal.pipeline import source, transform\n"
        "@transform(name='daily', description='Revenue a day', owner='finance',\n"
        "    tags=['a', 'b'], inputs=['source.orders'], columns={'day': 'The day',\n"
        "    'revenue': {'description': 'In euros', 'dtype': 'double'}, 'plain': None})\n"
        "def anything(ctx): ...\n",
    )
    from_python = node(shop, "transform.daily")
    body = {"config": {}, "file_path": "", "line": 1}
    assert dataclasses.replace(from_python, **body) == dataclasses.replace(from_yaml, **body)


def test_a_source_in_python_is_the_same_as_in_yaml(shop: Path) -> None:
    from_yaml = node(shop, "source.orders")
    (shop / "seeknal/sources/orders.yml").unlink()
    write(
        shop,
        "seeknal/nodes.py",
        "from seeknal.pipeline import source\n"
        "@source(source='csv', table='data/orders.csv')\n"
        "def orders(ctx=None): ...\n",
    )
    assert anywhere(node(shop, "source.orders")) == anywhere(from_yaml)


def test_inputs_of_a_python_node_are_found_in_it_whatever_the_context_is_called(
    shop: Path,
) -> None:
    write(
        shop,
        "seeknal/nodes.py",
        "from seeknal.pipeline import transform\n"
        "@transform()\n"
        "def one(context):\n    return context.ref('source.orders')\n"
        "@transform(inputs=['transform.one'])\n"
        "def two(ctx):\n    other.ref('source.nothing')\n    return ctx.ref('source.orders')\n",
    )
    assert node(shop, "transform.one").inputs == ("source.orders",)
    assert node(shop, "transform.two").inputs == ("transform.one", "source.orders")


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("before", ["", "\ufeff", "\n\n"])
def test_front_matter_stands_any_line_ends_and_beginnings(
    shop: Path, ends: str, before: str
) -> None:
    write(shop, "seeknal/daily.sql", before + SQL.replace("\n", ends))
    found = node(shop, "transform.daily")
    assert found.description == "Revenue a day"
    assert found.config["sql"].splitlines()[0] == "SELECT day, sum(amount) AS revenue"


def test_front_matter_is_optional_and_another_comment_is_none(shop: Path) -> None:
    sql = "/* --- not front matter */\nSELECT 1 AS x -- refers to ref('source.nothing')"
    write(shop, "seeknal/plain.sql", sql)
    found = node(shop, "transform.plain")
    assert (found.config["sql"], found.inputs, found.line) == (sql, (), 1)


def test_inputs_are_those_declared_and_then_those_found_each_once(shop: Path) -> None:
    write(
        shop,
        "seeknal/many.yml",
        "kind: transform\nname: many\ninputs: [{ref: transform.b}, source.orders]\n"
        "transform: select * from ref('source.orders'), ref( \"transform.a\" ), input_0\n",
    )
    write(shop, "seeknal/a.sql", "select 1")
    write(shop, "seeknal/b.sql", "select 1")
    inputs = node(shop, "transform.many").inputs
    assert inputs == ("transform.b", "source.orders", "transform.a")


def test_an_older_list_of_columns_is_understood(shop: Path) -> None:
    write(
        shop,
        "seeknal/sources/orders.yml",
        "kind: source\nname: orders\nsource: csv\ntable: data/orders.csv\n"
        "schema:\n- {name: id, data_type: integer}\n- {name: amount, data_type: float}\n"
        "params: {delimiter: ',', header: true}\n",
    )
    found = node(shop, "source.orders")
    assert found.columns == {"id": Column(None, "integer"), "amount": Column(None, "float")}
    assert found.config["params"] == {"delimiter": ",", "header": True}


# --- Templates ------------------------------------------------------------------------------


def rendered(root: Path, sql: str, params: str = "") -> str:
    indented = sql.replace("\n", "\n  ")
    write(root, "seeknal/t.yml", f"kind: transform\nname: t\n{params}transform: |\n  {indented}\n")
    text: str = node(root, "transform.t").config["sql"]
    return text


def test_params_of_the_project_and_the_nodes_own_over_them(shop: Path) -> None:
    assert rendered(shop, "select {{ params.least }}") == "select 5"
    own = "params: {least: 9}\n"
    assert rendered(shop, "select {{ params.least }}, '{{ params.currency }}'", own) == (
        "select 9, 'EUR'"
    )


def test_what_is_common_is_known_by_its_id_and_may_use_the_rest(shop: Path) -> None:
    write(
        shop,
        "seeknal/common/a.yml",
        "sources:\n- id: events\n  ref: source.orders\n  params: {idCol: order_id}\n"
        "rules:\n- {id: valid, value: '{{ events.idCol }} > {{ params.least }}'}\n",
    )
    write(
        shop,
        "seeknal/common/b.yml",
        "transformations:\n- {id: flag, sql: 'CASE WHEN {{ rules.valid }} THEN 1 END'}\n",
    )
    sql = "select {{events.idCol}}, {{ transformations.flag }} from ref('source.orders')"
    assert rendered(shop, sql) == (
        "select order_id, CASE WHEN order_id > 5 THEN 1 END from ref('source.orders')"
    )


def test_paths_and_params_of_sources_are_templates_too(shop: Path) -> None:
    write(shop, "seeknal_project.yml", "name: shop\nparams: {file: orders}\n")
    write(
        shop,
        "seeknal/sources/orders.yml",
        "kind: source\nname: orders\nsource: csv\ntable: data/{{ params.file }}.csv\n",
    )
    assert node(shop, "source.orders").config["table"] == "data/orders.csv"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select\n{{ params.leest }}", "'leest' is not defined. Did you mean 'least'?"),
        ("select\n{{ nothing }}", "'nothing' is not defined"),
        ("select\n{% if %}", "template: "),
        ("select\n{{ ''.__class__.__mro__ }}", "unsafe"),
        ("select\n{% for i in range(10000000000) %}{% endfor %}", "Range too big"),
        ("select\n{{ 1 / 0 }}", "division by zero"),
    ],
)
def test_a_template_that_is_wrong_names_its_line(shop: Path, sql: str, message: str) -> None:
    with pytest.raises(ProjectError) as error:
        rendered(shop, sql)
    (problem,) = error.value.problems
    assert (problem.path, problem.line) == ("seeknal/t.yml", 5)
    assert message in problem.message


def test_rules_that_use_each_other_in_a_circle_are_named(shop: Path) -> None:
    write(
        shop,
        "seeknal/common/a.yml",
        "rules:\n- {id: a, value: '{{ rules.b }}'}\n- {id: b, value: '{{ rules.a }}'}\n",
    )
    with pytest.raises(ProjectError, match=r"rules\.\w uses itself"):
        rendered(shop, "select {{ rules.a }}")


# --- Problems -------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_said_at_once_with_file_and_line(shop: Path) -> None:
    write(shop, "seeknal/a.yml", "kind: source\nname: a\nsource: csv\ntabel: data/orders.csv\n")
    write(shop, "seeknal/b.yml", "kind: source\nname: b\nsource: csv\ntable: data/nope.csv\n")
    write(shop, "seeknal/c.yml", "kind: source\nname: c\nsource: csv\ntable: ../orders.csv\n")
    write(shop, "seeknal/d.yml", "kind: transform\nname: d\nname: dd\ntransform: select 1\n")
    write(shop, "seeknal/e.yml", 'kind: transform\nname: "e\n')
    write(shop, "seeknal/f.sql", "select 1\nfrom ref('source.order')")
    write(shop, "seeknal/g.sql", "select 1 from ref('transform.g')")
    write(shop, "seeknal/h.sql", "\n-- h\nselect 1 from ref('transform.i')")
    write(shop, "seeknal/i.sql", "select 1 from ref('transform.h')")
    write(shop, "seeknal/x/F.sql", "select 1")
    write(shop, "seeknal/j.py", "import nothing_like_it\n")
    write(shop, "seeknal/k.py", "def f(:\n")
    write(shop, "seeknal/l.yml", "kind: trasform\nname: l\n")
    write(shop, "seeknal/m.sql", "  \n")
    write(shop, "seeknal/n.yml", "")
    write(shop, "seeknal/o.yml", "kind: transform\nname: a/b\ntransform: select 1\n")
    (shop / "seeknal/p.sql").write_bytes(b"\xff\xfe")
    write(shop, "seeknal/q.sql", "/*\n---\nname: other\ntagz: [a]\n---\n*/\nselect 1")
    write(shop, "seeknal/common/r.yml", "rulez: []\n")
    assert problems(shop) == [
        "seeknal/a.yml:4: unknown key 'tabel'. Did you mean 'table'?",
        f"seeknal/b.yml:4: there is no file 'data/nope.csv' in {shop}",
        "seeknal/c.yml:4: '../orders.csv' is outside the project: `table:` is relative to it",
        "seeknal/common/r.yml:1: unknown key 'rulez'. Did you mean 'rules'?",
        "seeknal/d.yml:3: 'name' stands here a second time",
        "seeknal/e.yml:3: not valid YAML: found unexpected end of stream while scanning a quoted "
        "scalar that begins in line 2",
        "seeknal/f.sql:2: there is no node 'source.order'. Did you mean 'source.orders'?",
        "seeknal/g.sql:1: nodes need each other: transform.g -> transform.g",
        "seeknal/h.sql:3: nodes need each other: transform.h -> transform.i -> transform.h",
        "seeknal/j.py:1: ModuleNotFoundError while it was executed: No module named "
        "'nothing_like_it'",
        "seeknal/k.py:1: not valid Python: invalid syntax",
        "seeknal/l.yml:1: there is no kind 'trasform'. Did you mean 'transform'?",
        "seeknal/m.sql:1: there is no SQL",
        "seeknal/n.yml: is empty: it should hold a node",
        "seeknal/o.yml:2: name: 'a/b' can't name a node: use up to 128 letters, digits, '_' and "
        "'-', not beginning with '-'",
        "seeknal/p.sql: is not UTF-8 text",
        "seeknal/q.sql:3: 'name' of a SQL file is 'q', and not 'other'",
        "seeknal/x/F.sql:1: transform.F is already defined in seeknal/f.sql:1",
    ]


@pytest.mark.parametrize(
    "table", ["/etc/passwd", "../x.csv", "a/../../x.csv", "~/x.csv", "s3://b/x"]
)
def test_paths_out_of_the_project_are_refused(shop: Path, table: str) -> None:
    write(shop, "seeknal/a.yml", f"kind: source\nname: a\nsource: csv\ntable: {table}\n")
    assert "is outside the project" in problems(shop)[0]


def test_a_node_with_problems_is_not_said_to_be_missing_as_well(shop: Path) -> None:
    write(shop, "seeknal/a.sql", "select {{ nothing }}")
    write(shop, "seeknal/b.sql", "select * from ref('transform.a')")
    write(shop, "seeknal/c.yml", "kind: transform\nname: d\ntransfrom: select 1\ntransform: x\n")
    write(shop, "seeknal/e.sql", "select * from ref('transform.d')")
    assert [p.partition(":")[0] for p in problems(shop)] == ["seeknal/a.sql", "seeknal/c.yml"]


def test_an_unknown_key_of_a_column_is_one(shop: Path) -> None:
    columns = "columns:\n  day: {dtpye: date}\n"
    write(shop, "seeknal/a.yml", f"kind: transform\nname: a\n{columns}transform: select 1\n")
    assert problems(shop) == ["seeknal/a.yml:4: unknown key 'columns.day.dtpye'."]


def test_a_position_that_no_input_has_is_named_with_its_line(shop: Path) -> None:
    sql = "kind: transform\nname: a\ninputs: [{ref: source.orders}]\ntransform: |\n  select *\n"
    write(shop, "seeknal/a.yml", f"{sql}  from input_1\n")
    assert problems(shop) == ["seeknal/a.yml:6: input_1 is not there: input_0 is the only one"]


@pytest.mark.parametrize("table", ["data", "data/*.json"])
def test_a_folder_or_a_glob_that_matches_nothing_is_no_file(shop: Path, table: str) -> None:
    write(shop, "seeknal/a.yml", f"kind: source\nname: a\nsource: csv\ntable: '{table}'\n")
    assert problems(shop)[0].startswith("seeknal/a.yml:4: ")


def test_a_kind_that_nothing_supports_is_skipped_unless_something_needs_it(shop: Path) -> None:
    write(shop, "seeknal/e.yml", "kind: exposure\nname: e\nwhatever: [1]\n")
    write(
        shop,
        "seeknal/f.py",
        "from seeknal.pipeline import feature_group\n"
        "@feature_group(name='f', entity='customer')\ndef f(ctx): ...\n",
    )
    assert load(shop).skipped == {"exposure": ["exposure.e"], "feature_group": ["feature_group.f"]}
    write(shop, "seeknal/a.sql", "select * from ref('exposure.e')")
    assert problems(shop) == [
        "seeknal/a.sql:1: needs exposure.e, and nothing installed supports the kind 'exposure'"
    ]


def test_what_the_engine_finds_wrong_is_named_with_the_line_in_the_file(shop: Path) -> None:
    write(shop, "seeknal/a.sql", "/*\n---\nowner: me\n---\n*/\n\nselect\n  oops\n")

    def check(node: Node) -> Sequence[Flaw]:
        if node.kind == "source":
            return [Flaw("no such format", key=("source",))]
        return [Flaw("no such column", line=2)]

    with pytest.raises(ProjectError) as error:
        load(shop, check)
    assert list(map(str, error.value.problems)) == [
        "seeknal/a.sql:8: no such column",
        "seeknal/sources/orders.yml:3: no such format",
    ]


def test_a_project_without_nodes_says_so(tmp_path: Path) -> None:
    write(tmp_path, "seeknal_project.yml", "name: empty\n")
    assert "holds no nodes" in problems(tmp_path)[0]


# --- Cache ----------------------------------------------------------------------------------


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are read, as they are."""
    paths: list[str] = []
    for suffix, read in (("yml", yaml_form.read), ("sql", sql_form.read)):

        def counting(file: loader.SourceFile, templates: object, read: object = read) -> object:
            paths.append(file.path)
            return read(file, templates)  # type: ignore[operator]

        monkeypatch.setitem(loader._FORMS, f".{suffix}", counting)  # type: ignore[arg-type]
    return paths


def wait_until_settled() -> None:
    import time

    time.sleep(0.06)


def test_an_unchanged_file_is_not_parsed_twice(shop: Path, parsed: list[str]) -> None:
    write(shop, "seeknal/a.sql", "select 1")
    wait_until_settled()
    first = load(shop).manifest
    assert sorted(parsed) == ["seeknal/a.sql", "seeknal/sources/orders.yml"]
    parsed.clear()
    again = load(shop).manifest
    assert parsed == []
    assert again.nodes == first.nodes
    write(shop, "seeknal/a.sql", "select 2")
    load(shop)
    assert parsed == ["seeknal/a.sql"]


def test_an_edit_right_after_another_is_noticed(shop: Path) -> None:
    for number in range(10):
        write(shop, "seeknal/a.sql", f"select {number}")
        assert node(shop, "transform.a").config["sql"] == f"select {number}"


@pytest.mark.parametrize("damage", ["", "{", '{"key": 1}', "[]", '{"key": "x", "files": 3}'])
def test_the_cache_may_be_damaged_or_deleted_at_any_time(shop: Path, damage: str) -> None:
    wait_until_settled()
    first = load(shop).manifest.nodes
    cache = shop / "target/cache/parsed.json"
    cache.write_text(damage)
    assert load(shop).manifest.nodes == first
    cache.unlink()
    assert load(shop).manifest.nodes == first


def test_changed_params_and_common_files_are_noticed(shop: Path) -> None:
    write(shop, "seeknal/common/a.yml", "rules:\n- {id: r, value: '1'}\n")
    write(shop, "seeknal/a.sql", "select {{ params.least }} + {{ rules.r }}")
    wait_until_settled()
    load(shop)
    write(shop, "seeknal_project.yml", "name: shop\nparams: {least: 6}\n")
    assert node(shop, "transform.a").config["sql"] == "select 6 + 1"
    write(shop, "seeknal/common/a.yml", "rules:\n- {id: r, value: '2'}\n")
    assert node(shop, "transform.a").config["sql"] == "select 6 + 2"


def test_python_code_counts_by_what_it_says_and_what_it_imports(shop: Path) -> None:
    lines = "from lib.helper import f\nfrom seeknal.pipeline import transform\n@transform()\n"
    write(shop, "seeknal/p.py", lines + "def p(ctx):\n    return f(ctx)\n")
    write(shop, "lib/helper.py", "from lib import deep\ndef f(x):\n    return deep.g(x)\n")
    write(shop, "lib/deep.py", "def g(x):\n    return x\n")
    wait_until_settled()
    first = node(shop, "transform.p").config["code"]
    write(shop, "seeknal/p.py", lines + "def p(ctx):  # why\n\n    'Says.'\n    return f(ctx)\n")
    assert node(shop, "transform.p").config["code"] == first
    wait_until_settled()
    write(shop, "lib/deep.py", "def g(x):\n    return x + 1\n")
    assert node(shop, "transform.p").config["code"] != first


def test_python_files_are_not_executed_again_while_nothing_has_changed(shop: Path) -> None:
    write(
        shop,
        "seeknal/p.py",
        "import os\n"
        f"os.makedirs({str(shop / 'executed')!r})\n"
        "from seeknal.pipeline import transform\n@transform()\ndef p(ctx): ...\n",
    )
    wait_until_settled()
    load(shop)
    load(shop)
    (shop / "executed").rmdir()


# --- Manifest -------------------------------------------------------------------------------


def test_a_manifest_is_saved_and_loaded_without_loss(shop: Path, tmp_path: Path) -> None:
    write(shop, "seeknal/daily.sql", SQL)
    manifest = load(shop).manifest
    path = tmp_path / "manifest.json"
    manifest.save(path)
    loaded = Manifest.load(path)
    assert (loaded.project, loaded.nodes) == ("shop", manifest.nodes)
    assert len(path.read_text().splitlines()) == len(manifest.nodes) + 6
