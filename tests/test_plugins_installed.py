"""Plugins as real distributions, good and bad, seen from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SEEKNAL = str(Path(sys.executable).with_name("seeknal"))
UV = [sys.executable, "-m", "uv"]
HEAVY = {
    "duckdb", "sqlalchemy", "sqlglot", "prefect", "pydantic", "jinja2", "pandas", "rich",
    "croniter", "seeknal.config", "seeknal.project", "seeknal.dag.manifest",
}  # fmt: skip

STATE = """\
from seeknal.hookspecs import Offer, hookimpl

@hookimpl
def seeknal_state_backend():
    return Offer(create=dict, summary="Not for use")
"""
COMMANDS = """\
import typer

one = typer.Typer(help="Say hello.")
many = typer.Typer(help="Two of them.")

@one.command()
def hello(name: str = "you"):
    print("hello", name)

@many.command()
def first():
    print("first")

@many.command()
def second():
    print("second")
"""
LISTENER = """\
from seeknal.hookspecs import hookimpl

@hookimpl
def seeknal_node_finished(result):
    raise ValueError("oh no")
"""
DISTRIBUTIONS = {
    "acme-broken": ("state_backend", {"broken": "acme_broken"}, "import nothing_like_it"),
    "acme-typo": (
        "state_backend",
        {"typo": "acme_typo"},
        STATE.replace("state_backend", "state_backed"),
    ),
    "acme-one": ("state_backend", {"twin": "acme_one"}, STATE),
    "acme-two": ("state_backend", {"twin": "acme_two"}, STATE),
    "acme-good": ("state_backend", {"good": "acme_good"}, STATE),
    "acme-commands": (
        "commands",
        {"hello": "acme_commands:one", "many": "acme_commands:many", "run": "acme_commands:one"},
        COMMANDS,
    ),
    "acme-bad-command": ("commands", {"bad": "acme_bad_command:app"}, "import nothing_like_it"),
    "acme-listener": ("hooks", {"loud": "acme_listener"}, LISTENER),
}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which all these distributions have been installed."""
    work = tmp_path_factory.mktemp("distributions")
    for name, (group, points, module) in DISTRIBUTIONS.items():
        package = name.replace("-", "_")
        source = work / "src" / name
        source.mkdir(parents=True)
        (source / f"{package}.py").write_text(module)
        (source / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "1.2"\n'
            f'[project.entry-points."seeknal.{group}"]\n'
            + "".join(f'{key} = "{target}"\n' for key, target in points.items())
            + '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
            f'[tool.hatch.build.targets.wheel]\ninclude = ["{package}.py"]\n'
        )
        subprocess.run(
            [*UV, "build", "-q", "--wheel", str(source), "-o", str(work / "wheels")], check=True
        )
    wheels = sorted(map(str, (work / "wheels").glob("*.whl")))
    site = work / "site"
    subprocess.run([*UV, "pip", "install", "-q", "--target", str(site), *wheels], check=True)
    return site


@pytest.fixture
def seeknal(site: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def call(
        *arguments: str, code: int = 0, cwd: Path = tmp_path
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [SEEKNAL, *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    return call


Seeknal = Callable[..., subprocess.CompletedProcess[str]]


def listing(seeknal: Seeknal) -> dict[str, dict[str, str]]:
    """By name; of two with one name, the last."""
    return {line["name"]: line for line in json.loads(seeknal("plugins", "--json").stdout)}


def test_plugins_shows_everything_and_what_is_wrong_with_it(seeknal: Seeknal) -> None:
    lines = listing(seeknal)
    status = {name: line["status"] for name, line in lines.items()}
    assert {n: s for n, s in status.items() if s != "ok"} == {
        "broken": "broken",
        "typo": "broken",
        "twin": "ambiguous",
        "bad": "broken",
    }
    assert "ModuleNotFoundError: No module named 'nothing_like_it'" in lines["broken"]["summary"]
    assert "acme-broken 1.2" in lines["broken"]["summary"]
    assert "seeknal_state_backed" in lines["typo"]["summary"]
    assert "acme-one 1.2 and acme-two 1.2" in lines["twin"]["summary"]
    assert (lines["good"]["distribution"], lines["good"]["version"]) == ("acme-good", "1.2")
    assert (lines["hello"]["kind"], lines["loud"]["kind"]) == ("command", "hook")


def test_help_lists_commands_of_plugins_and_shows_a_broken_one_as_such(seeknal: Seeknal) -> None:
    text = seeknal("--help").stdout
    assert "hello    Say hello." in text
    assert "many     Two of them." in text
    assert "bad      (can't be used)" in text
    assert "run      Compute what is missing or has changed." in text


def test_commands_of_plugins_run(seeknal: Seeknal) -> None:
    assert seeknal("hello", "--name", "ada").stdout == "hello ada\n"
    assert seeknal("many", "second").stdout == "second\n"


def test_a_broken_command_says_whose_it_is(seeknal: Seeknal) -> None:
    error = seeknal("bad", "--any", "thing", code=1).stderr
    assert "The command 'bad' of acme-bad-command 1.2 can't be loaded" in error
    assert "No module named 'nothing_like_it'" in error


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", "of acme-broken 1.2 can't be loaded: ModuleNotFoundError"),
        ("typo", "of acme-typo 1.2 fails: PluginValidationError: unknown hook"),
        ("twin", "is offered by acme-one 1.2 and acme-two 1.2"),
        ("nope", "No state backend is called 'nope'."),
    ],
)
def test_a_project_that_asks_for_a_bad_one_gets_one_message(
    seeknal: Seeknal, tmp_path: Path, name: str, message: str
) -> None:
    seeknal("init", "shop")
    settings = tmp_path / "shop/seeknal_project.yml"
    settings.write_text(f"{settings.read_text()}state: {name}\n")
    assert message in seeknal("run", "-p", "shop", code=2).stderr


def test_a_listener_that_raises_is_named_and_stops_nothing(seeknal: Seeknal) -> None:
    seeknal("init", "shop")
    done = seeknal("run", "-p", "shop")
    assert "3 computed." in done.stdout
    assert "The listener 'loud' failed in seeknal_node_finished: ValueError: oh no" in done.stderr


@pytest.mark.parametrize("by", ["broken", "acme-broken"])
def test_what_a_project_disables_is_left_alone_in_its_folder(
    seeknal: Seeknal, tmp_path: Path, by: str
) -> None:
    (tmp_path / "seeknal_project.yml").write_text(
        f"name: shop\nplugins: {{disable: [{by}, acme-bad-command]}}\n"
    )
    lines = listing(seeknal)
    assert lines["broken"]["status"] == "disabled"
    assert "seeknal_project.yml" in lines["broken"]["summary"]
    assert lines["good"]["status"] == "ok"
    assert "bad  " not in seeknal("--help").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["plugins", "--json"]])
def test_help_and_plugins_import_nothing_heavy_and_execute_no_node(
    tmp_path: Path, arguments: list[str]
) -> None:
    subprocess.run([SEEKNAL, "init", "shop"], cwd=tmp_path, check=True, capture_output=True)
    shop = tmp_path / "shop"
    (shop / "seeknal/boom.py").write_text("open('executed', 'w')\n")
    script = (
        "import sys\n"
        "from seeknal.cli.app import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('MODULES', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=shop, capture_output=True, text=True, check=True
    )
    modules = set(done.stdout.rpartition("MODULES ")[2].split())
    assert "seeknal.cli.app" in modules
    assert not HEAVY & modules
    assert not (shop / "executed").exists()
