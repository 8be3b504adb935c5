"""Every distribution builds a wheel that works in a clean environment, without the repository."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.wheels import ROOT, build, install, run

MEMBERS = sorted(p.parent for p in ROOT.glob("seeknal-*/pyproject.toml"))
CORES_OWN = {
    ("classifier", "text"), ("executor", "local"), ("hook", "run-log"), ("scheduler", "cron"),
}  # fmt: skip
BROUGHT = {
    "seeknal-core": set(),
    "seeknal-state-file": {("state_backend", "file")},
    "seeknal-state-db": {("state_backend", "database")},
    "seeknal-diff-sqlglot": {("classifier", "sqlglot")},
    "seeknal-engine-duckdb": {("engine", "duckdb")},
    "seeknal-prefect": {("executor", "prefect"), ("command", "prefect")},
}


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    build(MEMBERS, folder)
    return folder


@pytest.fixture
def installed(wheels: Path, tmp_path: Path) -> Callable[..., Path]:
    """The `seeknal` of a new environment with just these requirements."""

    return lambda *requirements: install(wheels, tmp_path / "venv", *requirements) / "seeknal"


def plugins(seeknal: Path, cwd: Path) -> set[tuple[str, str]]:
    listing = json.loads(run([seeknal, "plugins", "--json"], cwd).stdout)
    for line in listing:
        assert set(line) == {"kind", "name", "distribution", "version", "status", "summary"}
        assert (line["status"], line["version"]) == ("ok", "0.1.0")
        assert line["summary"]
    return {(line["kind"], line["name"]) for line in listing}


def test_every_member_is_known_here() -> None:
    assert {m.name for m in MEMBERS} == set(BROUGHT)


def test_wheels_are_typed_and_hold_nothing_else(wheels: Path) -> None:
    built = sorted(wheels.glob("*.whl"))
    assert len(built) == len(MEMBERS)
    for wheel in built:
        names = zipfile.ZipFile(wheel).namelist()
        packages = {n.partition("/")[0] for n in names if ".dist-info" not in n}
        assert len(packages) == 1
        assert f"{packages.pop()}/py.typed" in names


def test_core_alone_works_and_says_what_to_install(
    installed: Callable[..., Path], tmp_path: Path
) -> None:
    seeknal = installed("seeknal-core")
    assert plugins(seeknal, tmp_path) == CORES_OWN
    assert "Commands:" in run([seeknal, "--help"], tmp_path).stdout
    run([seeknal, "init", "demo"], tmp_path)
    parsed = run([seeknal, "parse", "-p", "demo"], tmp_path)
    assert "1 source and 2 transforms" in parsed.stdout
    assert "The nodes' SQL was not checked." in parsed.stderr
    assert 'pip install "seeknal-core[duckdb]"' in parsed.stderr
    refused = run([seeknal, "run", "-p", "demo"], tmp_path, code=2).stderr
    assert 'pip install "seeknal-core[' in refused


@pytest.mark.parametrize("member", [m for m in BROUGHT if m != "seeknal-core"])
def test_core_with_one_plugin_shows_it(
    installed: Callable[..., Path], tmp_path: Path, member: str
) -> None:
    assert plugins(installed(member), tmp_path) == CORES_OWN | BROUGHT[member]


def test_the_extras_bring_all_that_a_run_needs(
    installed: Callable[..., Path], tmp_path: Path
) -> None:
    seeknal = installed("seeknal-core[all]")
    assert plugins(seeknal, tmp_path) == CORES_OWN.union(*BROUGHT.values())
    run([seeknal, "init", "demo"], tmp_path)
    assert "3 computed" in run([seeknal, "run", "-p", "demo"], tmp_path).stdout
    sql = "select sum(revenue) as total from daily_revenue"
    answer = run([seeknal, "query", "-p", "demo", "--format", "csv", sql], tmp_path)
    assert answer.stdout == "total\n153.50\n"


def test_every_extra_is_named_as_the_plugin_that_it_brings() -> None:
    import tomllib

    core = tomllib.loads((ROOT / "seeknal-core/pyproject.toml").read_text())["project"]
    extras = core["optional-dependencies"]
    for member, brought in BROUGHT.items():
        for _, name in brought:
            assert extras[name] == [member]
    plugins = ",".join(extra for extra in extras if extra not in ("all", "testing"))
    assert extras["all"] == [f"seeknal-core[{plugins}]"]
