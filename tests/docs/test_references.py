"""What there is, is documented."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterable, Iterator
from itertools import pairwise, product

import pytest
from tests.docs.pages import ROOT

from seeknal import hookspecs
from seeknal.cli.app import OWN
from seeknal.config import Settings
from seeknal.plugins import Plugins
from seeknal.project.schema import IncrementalSettings, Source, Transform

DOCS = ROOT / "docs"
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("seeknal_"))
PUBLIC = {
    "seeknal.pipeline", "seeknal.workflow.intervals", "seeknal.dag.manifest", "seeknal.dag.diff",
    "seeknal.workflow.environment", "seeknal.state.backend", "seeknal.workflow.prefect_integration",
    "seeknal.hookspecs", "seeknal.dag.classifier", "seeknal.workflow.scheduler",
    "seeknal.workflow.executor", "seeknal.workflow.engine", "seeknal.testing", "seeknal.errors",
}  # fmt: skip


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def test_the_page_of_commands_is_what_the_command_line_says() -> None:
    written = runpy.run_path(str(DOCS / "site/cli_reference.py"))["page"]()
    assert text("cli.md") == written, "write it anew: python docs/site/cli_reference.py"


def test_every_command_is_on_the_page_of_commands() -> None:
    headings = re.findall(r"^## seeknal (\S+)", text("cli.md"), re.MULTILINE)
    assert set(headings) == {*OWN, "prefect"}


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_told_of_where_plugins_are(hook: str) -> None:
    assert f"`{hook}`" in text("plugins.md")


def test_every_plugin_of_ours_is_told_of() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    plugins = Plugins()
    names = {
        found.name
        for kind in hookspecs.KINDS
        for found in plugins.announced(kind.group)
        if (ROOT / found.distribution / "src").is_dir()
    }
    assert {"file", "database", "sqlglot", "text", "cron", "local", "prefect", "duckdb"} <= names
    assert {name for name in names if f"`{name}`" not in pages} == set()


def test_every_setting_and_every_field_of_a_node_is_told_of() -> None:
    fields = {*Settings.model_fields, *Source.model_fields, *Transform.model_fields}
    assert not_in(text("projects.md"), fields - {"config_version"}) == []
    assert not_in(text("intervals.md"), IncrementalSettings.model_fields) == []


def not_in(page: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if f"`{name}`" not in page]


def test_messages_that_are_explained_are_those_that_are_said() -> None:
    explained = text("when-it-fails.md").partition("## What does this message mean?")[2]
    messages = re.findall(r"^\| `([^`]+)` \|", explained, re.MULTILINE)
    assert len(messages) > 5
    code = "".join(p.read_text(encoding="utf-8") for p in ROOT.glob("seeknal-*/src/**/*.py"))
    said = re.sub(r'"\s*f?"', "", code)
    assert [message for message in messages if message not in said] == []


def modules_in_the_reference() -> Iterator[str]:
    for page in DOCS.glob("api/*.md"):
        yield from re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE)


def test_all_that_is_public_is_in_the_reference_of_python() -> None:
    assert set(modules_in_the_reference()) >= PUBLIC


def test_the_picture_of_the_example_shows_its_nodes_and_edges() -> None:
    from seeknal.workflow.open_project import OpenProject

    with OpenProject(ROOT / "examples/nyc_flights") as project:
        nodes = project.manifest.nodes.values()
        names = {node.name for node in nodes}
        edges = {(i.partition(".")[2], node.name) for node in nodes for i in node.inputs}
    drawn = (ROOT / "examples/nyc_flights/README.md").read_text(encoding="utf-8")
    assert set(edges_of(drawn.partition("```mermaid")[2].partition("```")[0])) == edges
    picture = text("pictures/nyc_flights.svg")
    assert set(re.findall(r">(\w+)<", picture)) == names
    assert picture.count('data-edge="true"') == len(edges)


def edges_of(mermaid: str) -> Iterator[tuple[str, str]]:
    """As `a & b --> c --> d` draws them."""
    for line in mermaid.splitlines():
        groups = [re.findall(r"(\w+)(?:\[\(\w+\)\])?", group) for group in line.split("-->")]
        for before, after in pairwise(groups):
            yield from product(before, after)
