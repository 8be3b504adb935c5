"""What `seeknal plugins new` writes works as it is, for somebody who has nothing but wheels."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.wheels import ROOT, UV, build, install, run

from seeknal.authoring.new_package import PACKAGE_KINDS, create_package
from seeknal.errors import RequestError
from seeknal.hookspecs import API_VERSION

BIN = Path(sys.executable).parent
SLOWEST_FIRST = sorted(PACKAGE_KINDS, key=["executor", "state-backend"].__contains__, reverse=True)


def name_of(kind: str) -> str:
    """Another one for each kind, so that all of them can be checked at once."""
    return f"my-{kind}"


class Written(NamedTuple):
    folder: Path
    packages: dict[str, Path]
    bin: Path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A package of each kind, written and installed where there are only the core and pytest."""
    work = tmp_path_factory.mktemp("authors")
    build([ROOT / "seeknal-core"], work / "wheels")
    bin_ = install(work / "wheels", work / "venv", "seeknal-core[testing]")
    folder = work / "packages"
    folder.mkdir()
    packages = {}
    for kind in PACKAGE_KINDS:
        told = run([bin_ / "seeknal", "plugins", "new", kind, name_of(kind)], folder).stdout
        packages[kind] = folder / told.split()[1].rstrip("/.")
    into: list[str | Path] = ["-p", bin_ / "python", "--find-links", work / "wheels"]
    run([*UV, "pip", "install", "-q", *into, *packages.values()], folder)
    return Written(folder, packages, bin_)


def test_all_kinds_pass_their_tests(written: Written) -> None:
    def test(kind: str) -> str:
        return run([written.bin / "pytest", "-q"], written.packages[kind]).stdout

    with ThreadPoolExecutor(2) as threads:
        for kind, told in zip(SLOWEST_FIRST, threads.map(test, SLOWEST_FIRST), strict=True):
            assert " passed" in told.splitlines()[-1], (kind, told)


def test_all_kinds_are_typed_and_tidy(written: Written) -> None:
    run([BIN / "ruff", "check", "."], written.folder)
    run([BIN / "ruff", "format", "--check", "."], written.folder)
    places = [package / part for package in written.packages.values() for part in ("src", "tests")]
    python = written.bin / "python"
    run([BIN / "mypy", "--strict", "--python-executable", python, *places], written.folder)


@pytest.mark.parametrize("name", ["a", "twenty-letters-and-a"])
def test_lines_hold_short_names_and_long_ones(tmp_path: Path, name: str) -> None:
    for kind in PACKAGE_KINDS:
        create_package(kind, name, tmp_path)
    run([BIN / "ruff", "check", "."], tmp_path)
    run([BIN / "ruff", "format", "--check", "."], tmp_path)


def test_all_kinds_are_found_by_their_names(written: Written) -> None:
    listing = json.loads(run([written.bin / "seeknal", "plugins", "--json"], written.folder).stdout)
    lines = {line["name"]: line for line in listing}
    for kind, package in written.packages.items():
        line = lines[name_of(kind)]
        assert (line["status"], line["version"]) == ("ok", "0.1.0")
        assert (line["kind"], line["distribution"]) == (PACKAGE_KINDS[kind].name, package.name)
        assert line["summary"]


# --- What is asked for ----------------------------------------------------------------------


def test_a_package_says_for_which_versions_it_is(tmp_path: Path) -> None:
    text = (create_package("scheduler", "tides", tmp_path) / "pyproject.toml").read_text()
    assert f'"seeknal-core>={API_VERSION},<' in text
    assert (
        '[project.entry-points."seeknal.scheduler"]\ntides = "seeknal_scheduler_tides.plugin"'
        in text
    )


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("sheduler", "tides", "There is no kind of plugin 'sheduler'. Did you mean 'scheduler'?"),
        ("scheduler", "cron", "The scheduler 'cron' is offered by seeknal-core "),
        ("scheduler", "Tides", "'Tides' can't be the name of a plugin: use "),
        ("scheduler", "../tides", "can't be the name of a plugin"),
        ("scheduler", "tides-", "can't be the name of a plugin"),
        ("scheduler", "t" * 21, "can't be the name of a plugin"),
        ("scheduler", "", "can't be the name of a plugin"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_written(
    tmp_path: Path, kind: str, name: str, message: str
) -> None:
    with pytest.raises(RequestError) as error:
        create_package(kind, name, tmp_path)
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    package = create_package("hooks", "pager", tmp_path)
    (package / "README.md").write_text("mine")
    with pytest.raises(RequestError, match="seeknal-hooks-pager already exists"):
        create_package("hooks", "pager", tmp_path)
    assert (package / "README.md").read_text() == "mine"


def test_a_command_of_the_core_is_no_name_for_another(tmp_path: Path) -> None:
    refused = run([BIN / "seeknal", "plugins", "new", "command", "run"], tmp_path, code=2)
    assert refused.stderr == "Error: 'run' is a command of Seeknal itself: choose another name.\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", PACKAGE_KINDS)
def test_the_readme_names_only_files_that_there_are(tmp_path: Path, kind: str) -> None:
    package = create_package(kind, "sample", tmp_path)
    readme = (package / "README.md").read_text()
    assert "{{" not in readme.replace("{{ start }}", "").replace("{{ end }}", "")
    named = {word.strip("`.,") for word in readme.split() if word.startswith("`src/")}
    assert named
    assert all((package / path).exists() for path in named)
