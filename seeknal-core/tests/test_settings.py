"""`seeknal_project.yml`."""

from __future__ import annotations

from pathlib import Path

import pytest

from seeknal.config import Choice, Settings, find_root, load_settings
from seeknal.errors import ProjectError, RequestError

FULL = """\
name: shop
version: 1.2.0
timezone: Europe/Berlin
storage: s3://bucket/prefix
state: {name: database, database: {url: 'sqlite:///x'}}
retention: {runs: 50, days: 7.5}
engine: duckdb
executor: {name: prefect, prefect: {batch: auto}, local: {workers: 2}}
classifiers: [sqlglot, text]
plugins: {disable: [acme]}
params: {day: 2024-01-01, nested: {a: [1, 2]}}
"""


def settings(root: Path, text: str) -> Settings:
    (root / "seeknal_project.yml").write_text(text)
    return load_settings(root)


def test_everything_that_can_be_set(tmp_path: Path) -> None:
    found = settings(tmp_path, FULL)
    assert found.state == Choice(name="database", options={"url": "sqlite:///x"})
    assert found.engine == Choice(name="duckdb")
    assert found.executor.options == {"batch": "auto"}
    assert found.executor.instead("local") == Choice(name="local", options={"workers": 2})
    assert found.executor.instead("other") == Choice(name="other")
    assert (found.retention.runs, found.retention.days) == (50, 7.5)
    assert (found.timezone, found.storage) == ("Europe/Berlin", "s3://bucket/prefix")
    assert (found.classifiers, found.plugins.disable) == (["sqlglot", "text"], ["acme"])
    assert found.params == {"day": "2024-01-01", "nested": {"a": [1, 2]}}


def test_a_name_is_all_that_must_be_set(tmp_path: Path) -> None:
    found = settings(tmp_path, "name: shop")
    assert (found.state.name, found.engine.name, found.executor.name) == ("file", "duckdb", "local")
    assert (found.timezone, found.storage) == ("UTC", "target")


def test_settings_of_existing_seeknal_projects_are_understood(tmp_path: Path) -> None:
    text = (
        "name: shop\nversion: 1.0\nprofile: default\nconfig-version: 1\nstate_backend: database\n"
    )
    assert settings(tmp_path, text).state == Choice(name="database")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "seeknal_project.yml: 'name' is missing"),
        ("name: a b", "seeknal_project.yml:1: name: 'a b' can't name a project"),
        ("name: shop\nparms: {}", "seeknal_project.yml:2: unknown key 'parms'. Did you mean"),
        ("name: shop\ntimezone: Mars", "seeknal_project.yml:2: timezone: there is no timezone"),
        ("name: shop\nstate: file\nstate_backend: file", "say the same: keep one"),
        ("name: shop\nstate: [file]", "seeknal_project.yml:2: state: give a name, or a mapping"),
        ("name: shop\nengine: {name: duckdb, threads: 2}", "go in a mapping under its name"),
        ("name: shop\nplugins: {disabel: [a]}", "unknown key 'plugins.disabel'"),
        ("name: shop\nretention: {runs: 0}", "seeknal_project.yml:2: 'retention.runs' should be"),
        ("name: shop\nname: shop", "seeknal_project.yml:2: 'name' stands here a second time"),
        ("name: [", "seeknal_project.yml:2: not valid YAML"),
        ("- name", "seeknal_project.yml:1: holds no mapping"),
        ("name: shop\nparams: {1: 2}", "seeknal_project.yml:2: the key '1' is not text"),
        ("name: shop\nparams: {a: !!binary aGk=}", "can't be used here"),
        ("name: shop\nparams: {a: !!python/object:os.system x}", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProjectError) as error:
        settings(tmp_path, text)
    assert message in "\n".join(map(str, error.value.problems))


def test_merged_mappings_may_be_overridden(tmp_path: Path) -> None:
    text = "name: shop\nparams:\n  a: &a {x: 1, y: 2}\n  b: {<<: *a, y: 3}\n"
    assert settings(tmp_path, text).params["b"] == {"x": 1, "y": 3}


def test_a_project_is_its_folder_or_its_settings_file(tmp_path: Path) -> None:
    settings(tmp_path, "name: shop")
    assert find_root(tmp_path) == find_root(tmp_path / "seeknal_project.yml") == tmp_path
    with pytest.raises(RequestError, match="is no Seeknal project"):
        find_root(tmp_path / "nowhere")
