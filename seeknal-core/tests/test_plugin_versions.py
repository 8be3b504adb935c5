"""A plugin says which versions of the core it was written for, and what goes is told before."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from seeknal import __version__, hookspecs, plugins
from seeknal.cli.app import app
from seeknal.compatibility import unmet
from seeknal.errors import IncompatiblePluginError
from seeknal.hookspecs import API_VERSION, STATE_BACKEND
from seeknal.plugins import Plugins

BACKEND = """\
from seeknal.hookspecs import Offer, hookimpl

@hookimpl
def seeknal_state_backend():
    return Offer(create=dict, summary="It works")
"""
NEVER = "raise RuntimeError('imported')"
OLD_LISTENER = """\
from seeknal.hookspecs import hookimpl

heard = []

@hookimpl
def seeknal_promotion(place):
    heard.append(place)
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with this requirement on the path, as an installer leaves it."""

    def install(distribution: str, group: str, module: str, requires: str = "") -> None:
        package = distribution.replace("-", "_")
        info = tmp_path / "site" / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        line = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.0\n{line}\nText")
        (info / "entry_points.txt").write_text(f"[seeknal.{group}]\n{package} = {package}\n")
        (tmp_path / "site" / f"{package}.py").write_text(module)
        monkeypatch.delitem(sys.modules, package, raising=False)
        if str(tmp_path / "site") not in sys.path:
            monkeypatch.syspath_prepend(str(tmp_path / "site"))

    return install


# --- Requirements ---------------------------------------------------------------------------


def test_the_version_of_the_api_is_that_of_the_core() -> None:
    assert __version__.startswith(f"{API_VERSION}.")


@pytest.mark.parametrize(
    ("requirement", "version"),
    [
        ("seeknal-core", "0.1.0"),
        ("seeknal-core>=0.1,<0.3", "0.1.0"),
        ("seeknal-core<0.3,>=0.1", "0.2.7"),
        ("seeknal-core (>=0.1,<0.3)", "0.1"),
        ("Seeknal_Core >=0.1, <0.3", "0.1.0"),
        ("seeknal-core>=0.1.0", "0.1"),
        ("seeknal-core[testing]>=0.9; extra == 'dev'", "0.1.0"),
        ("seeknal-core>=9; python_version < '3'", "0.1.0"),
        ("seeknal-core~=1.2", "1.10.0"),
        ("seeknal-core>=0.1,<0.3", "0.2.0.dev1"),
        ("seeknal-core ??", "0.1.0"),
        ("seeknal-core @ file:///somewhere", "0.1.0"),
    ],
)
def test_a_requirement_that_is_met(requirement: str, version: str) -> None:
    assert unmet([requirement], version) is None


@pytest.mark.parametrize(
    ("requirement", "version"),
    [
        ("seeknal-core>=0.1,<0.3", "0.3.0"),
        ("seeknal-core>=0.1,<0.3", "0.10"),
        ("seeknal-core>=1.10", "1.9.9"),
        ("seeknal-core (>=0.2)", "0.1.0"),
        ("seeknal-core>=9; python_version > '3'", "0.1.0"),
        ("seeknal-core~=1.2", "2.0"),
        ("seeknal-core==0.1.*", "0.2.0"),
        ("seeknal-core!=0.1.0", "0.1.0"),
        ("seeknal-core>=0.2", "0.2.0.dev1"),
    ],
)
def test_a_requirement_that_is_not_met(requirement: str, version: str) -> None:
    assert unmet(["seeknal-core", requirement], version) == requirement


# --- Another version ------------------------------------------------------------------------


def test_a_plugin_for_another_version_is_refused_with_both_and_never_imported(
    install: Install,
) -> None:
    install("acme-new", "state_backend", NEVER, "seeknal-core<10,>=9.2")
    with pytest.raises(IncompatiblePluginError) as error:
        Plugins().create(STATE_BACKEND, "acme_new")
    assert str(error.value) == (
        "The state backend 'acme_new' of acme-new 1.0 is for another version of Seeknal: it "
        f"requires seeknal-core<10,>=9.2, and this is seeknal-core {__version__}. Install versions "
        "that fit: pip install --upgrade seeknal-core acme-new"
    )
    assert "acme_new" not in sys.modules


@pytest.mark.parametrize(
    "group", ["state_backend", "classifier", "scheduler", "executor", "engine", "hooks", "commands"]
)
def test_every_kind_of_plugin_for_another_version_is_shown_as_that_and_stops_no_other(
    install: Install, capsys: pytest.CaptureFixture[str], group: str
) -> None:
    install("acme-new", group, NEVER, "seeknal-core>=9")
    install("acme-fits", "state_backend", BACKEND, f"seeknal-core>={API_VERSION}")
    lines = {line.name: line for line in Plugins().listing()}
    assert (lines["acme_new"].status, lines["acme_fits"].status) == ("incompatible", "ok")
    assert "requires seeknal-core>=9" in lines["acme_new"].summary
    with pytest.raises(SystemExit) as end:
        app(["--help"])
    assert end.value.code == 0
    assert ("acme_new" in capsys.readouterr().out) == (group == "commands")
    assert "acme_new" not in sys.modules


def test_a_command_for_another_version_says_so_when_it_is_called(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("acme-new", "commands", NEVER, "seeknal-core>=9")
    with pytest.raises(SystemExit) as end:
        app(["acme_new", "--any"])
    assert end.value.code == 1
    assert "The command 'acme_new' of acme-new 1.0 is for another" in capsys.readouterr().err


def test_a_listener_for_another_version_is_left_out_and_named(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install("acme-new", "hooks", NEVER, "seeknal-core>=9")
    Plugins().emit(hookspecs.seeknal_environment_promoted, source="dev", target="prod")
    assert "The listener 'acme_new' of acme-new 1.0 is for another" in caplog.text


# --- What goes ------------------------------------------------------------------------------

NEXT_VERSION = """\
from types import ModuleType

from seeknal import plugins
from seeknal.hookspecs import hookspec


@hookspec(
    warn_on_impl=DeprecationWarning(
        "seeknal_promotion() goes with 0.3: implement seeknal_environment_promoted() instead."
    ),
    warn_on_impl_args={
        "place": DeprecationWarning("The argument 'place' goes with 0.3: take 'target'.")
    },
)
def seeknal_promotion(place, target): ...


specs = ModuleType("specs")
vars(specs).update(vars(plugins._specs()), seeknal_promotion=seeknal_promotion)
plugins._specs = lambda: specs
"""
"""As if it had given a hook, and an argument of it, other names."""

LINES = [
    "The listener 'acme_old' of acme-old 1.0: seeknal_promotion() goes with 0.3: implement "
    "seeknal_environment_promoted() instead.",
    "The listener 'acme_old' of acme-old 1.0: The argument 'place' goes with 0.3: take 'target'.",
]


@pytest.fixture
def renamed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr(plugins, "_specs", plugins._specs)
    plugins._warn_once.cache_clear()
    names: dict[str, Callable[..., None]] = {}
    exec(NEXT_VERSION, names)
    return names["seeknal_promotion"]


def test_what_goes_works_still_and_is_told_once(
    install: Install, renamed: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    install("acme-old", "hooks", OLD_LISTENER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for place in ("dev", "prod"):
            Plugins().emit(renamed, place=place, target=place)
    assert sys.modules["acme_old"].heard == ["dev", "prod"]
    assert [record.getMessage() for record in caplog.records] == LINES


def test_users_of_the_command_line_see_a_line_that_names_the_plugin(
    install: Install, tmp_path: Path
) -> None:
    install("acme-old", "hooks", OLD_LISTENER)
    script = f"{NEXT_VERSION}\nfrom seeknal.cli.app import app\napp(['plugins'])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines() == LINES
    (row,) = (row for row in done.stdout.splitlines() if "acme-old" in row)
    assert row.split() == ["hook", "acme_old", "acme-old", "1.0", "ok"]


def test_an_author_gets_a_warning_at_the_line_of_the_implementation(
    install: Install, renamed: Callable[..., None], tmp_path: Path
) -> None:
    install("acme-old", "hooks", OLD_LISTENER)
    with pytest.warns(DeprecationWarning, match="goes with 0.3") as told:
        Plugins().emit(renamed, place="prod", target="prod")
    places = {(warning.filename, warning.lineno) for warning in told}
    assert places == {(str(tmp_path / "site/acme_old.py"), 5)}
