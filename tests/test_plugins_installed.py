"""Plugins as real distributions, good and bad, seen from the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
SCHEDULER = """\
from seeknal.hookspecs import Offer, hookimpl

class Moody:
    def ticks(self, schedule, timezone, start, end):
        raise ValueError("not today")

@hookimpl
def seeknal_scheduler():
    return Offer(create=Moody, summary="Not for use")
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

@many.command()
def fail():
    raise ValueError("oh no")
"""
IDLE = """\
from seeknal.hookspecs import Offer, hookimpl

class Idle:
    pass

@hookimpl
def seeknal_scheduler():
    return Offer(create=Idle, summary="Has nothing of a scheduler")
"""
LISTENER = """\
from seeknal.hookspecs import hookimpl

@hookimpl
def seeknal_node_finished(result):
    raise ValueError("oh no")
"""
TAKES_A_NAME = """\
from seeknal.hookspecs import hookimpl

@hookimpl
def seeknal_run_finished(summary):
    open("heard", "w").write(summary.status)
"""
ODD_COMMANDS = """\
import typer

empty = typer.Typer()
text = "not an app"
odd = typer.Typer()

@odd.command()
def odd_command(value: int | str = 1):
    pass
"""
NOT_IMPORTED = "raise RuntimeError('imported')"
FOR_ANOTHER_VERSION = {"acme-new", "acme-new-command", "acme-new-listener"}
DISTRIBUTIONS = {
    "acme-new": ("state_backend", {"new": "acme_new"}, NOT_IMPORTED),
    "acme-new-command": ("commands", {"fresh": "acme_new_command:app"}, NOT_IMPORTED),
    "acme-new-listener": ("hooks", {"keen": "acme_new_listener"}, NOT_IMPORTED),
    "acme-broken": ("state_backend", {"broken": "acme_broken"}, "import nothing_like_it"),
    "acme-typo": (
        "state_backend",
        {"typo": "acme_typo"},
        STATE.replace("state_backend", "state_backed"),
    ),
    "acme-one": ("state_backend", {"twin": "acme_one"}, STATE),
    "acme-two": ("state_backend", {"twin": "acme_two"}, STATE),
    "acme-good": ("state_backend", {"good": "acme_good"}, STATE),
    "acme-moody": ("scheduler", {"moody": "acme_moody"}, SCHEDULER),
    "acme-idle": ("scheduler", {"idle": "acme_idle"}, IDLE),
    "acme-commands": (
        "commands",
        {"hello": "acme_commands:one", "many": "acme_commands:many", "run": "acme_commands:one"},
        COMMANDS,
    ),
    "acme-bad-command": ("commands", {"bad": "acme_bad_command:app"}, "import nothing_like_it"),
    "acme-odd-commands": (
        "commands",
        {name: f"acme_odd_commands:{name}" for name in ("empty", "text", "odd")},
        ODD_COMMANDS,
    ),
    "acme-commands-too": ("commands", {"both": "acme_commands_too:one"}, COMMANDS),
    "acme-commands-as-well": ("commands", {"both": "acme_commands_as_well:one"}, COMMANDS),
    "acme-listener": ("hooks", {"loud": "acme_listener"}, LISTENER),
    "acme-typo-listener": (
        "hooks",
        {"deaf": "acme_typo_listener"},
        LISTENER.replace("finished", "finishd"),
    ),
    "acme-log": ("hooks", {"run-log": "acme_log"}, TAKES_A_NAME),
}


def _requires(name: str) -> list[str]:
    return ["seeknal-core >=9.1, <10"] if name in FOR_ANOTHER_VERSION else []


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which all these distributions have been installed."""
    work = tmp_path_factory.mktemp("distributions")

    def build(name: str) -> None:
        group, points, module = DISTRIBUTIONS[name]
        package = name.replace("-", "_")
        source = work / "src" / name
        source.mkdir(parents=True)
        (source / f"{package}.py").write_text(module)
        (source / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "1.2"\ndependencies = {_requires(name)}\n'
            f'[project.entry-points."seeknal.{group}"]\n'
            + "".join(f'{key} = "{target}"\n' for key, target in points.items())
            + '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
            f'[tool.hatch.build.targets.wheel]\ninclude = ["{package}.py"]\n'
        )
        subprocess.run(
            [*UV, "build", "-q", "--wheel", str(source), "-o", str(work / "wheels")], check=True
        )

    with ThreadPoolExecutor() as threads:
        list(threads.map(build, DISTRIBUTIONS))
    wheels = sorted(map(str, (work / "wheels").glob("*.whl")))
    site = work / "site"
    into = ["--no-deps", "--target", str(site)]
    subprocess.run([*UV, "pip", "install", "-q", *into, *wheels], check=True)
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


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("new")
    subprocess.run([SEEKNAL, "init", "shop"], cwd=work, check=True, capture_output=True)
    return work / "shop"


@pytest.fixture
def shop(new_project: Path, tmp_path: Path) -> Path:
    """A project of one's own, in the folder in which commands are called."""
    return Path(shutil.copytree(new_project, tmp_path / "shop"))


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
        "both": "ambiguous",
        "empty": "broken",
        "text": "broken",
        "odd": "broken",
        "deaf": "broken",
        "new": "incompatible",
        "fresh": "incompatible",
        "keen": "incompatible",
    }
    assert "ModuleNotFoundError: No module named 'nothing_like_it'" in lines["broken"]["summary"]
    assert "acme-broken 1.2" in lines["broken"]["summary"]
    assert "seeknal_state_backed" in lines["typo"]["summary"]
    assert "acme-one 1.2 and acme-two 1.2" in lines["twin"]["summary"]
    assert (lines["good"]["distribution"], lines["good"]["version"]) == ("acme-good", "1.2")
    assert (lines["hello"]["kind"], lines["loud"]["kind"]) == ("command", "hook")


def test_plugins_shows_people_a_row_for_each_with_its_origin(seeknal: Seeknal) -> None:
    header, *rows = seeknal("plugins").stdout.splitlines()
    assert header.split() == ["KIND", "NAME", "DISTRIBUTION", "VERSION", "STATUS", "SUMMARY"]
    assert len(rows) == len(json.loads(seeknal("plugins", "--json").stdout))
    (broken,) = (row for row in rows if row.split()[1] == "broken")
    assert broken.split()[2:5] == ["acme-broken", "1.2", "broken"]
    assert "No module named 'nothing_like_it'" in broken


def test_help_lists_commands_of_plugins_and_shows_a_broken_one_as_such(seeknal: Seeknal) -> None:
    text = seeknal("--help").stdout
    said = {"hello": "Say hello.", "many": "Two of them."}
    said |= dict.fromkeys(("bad", "empty", "text", "odd", "both", "fresh"), "(can't be used)")
    said["run"] = "Compute what is missing or has changed."
    for name, help_ in said.items():
        assert re.search(rf"^  {name} +{re.escape(help_)}", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["empty", "text", "odd", "both"])
def test_a_command_that_is_no_usable_app_is_a_stub_too(seeknal: Seeknal, name: str) -> None:
    error = seeknal(name, "--any", "thing", code=1).stderr
    assert f"'{name}'" in error
    assert "1.2" in error
    assert "acme-commands-too" in error if name == "both" else "acme-odd-commands" in error


@pytest.mark.parametrize("help_", [["hello", "--help"], ["many", "--help"], ["bad", "--help"]])
def test_every_command_of_a_plugin_has_help(seeknal: Seeknal, help_: list[str]) -> None:
    assert f"Usage: seeknal {help_[0]}" in seeknal(*help_).stdout


def test_an_unknown_command_is_refused_with_those_that_there_are(seeknal: Seeknal) -> None:
    error = seeknal("helo", code=2).stderr
    assert "There is no command 'helo'. Did you mean 'hello'?" in error


def test_a_command_of_the_core_is_not_taken_by_a_plugin(seeknal: Seeknal) -> None:
    assert "Compute what is missing" in seeknal("run", "--help").stdout
    assert "hello" not in seeknal("run", code=2).stdout


def test_commands_of_plugins_run(seeknal: Seeknal) -> None:
    assert seeknal("hello", "--name", "ada").stdout == "hello ada\n"
    assert seeknal("many", "second").stdout == "second\n"


def test_a_command_that_raises_says_whose_fault_it_is(seeknal: Seeknal) -> None:
    error = seeknal("many", "fail", code=1).stderr
    assert "acme-commands 1.2: ValueError: oh no" in error
    assert "Seeknal" not in error


@pytest.mark.parametrize(
    ("scheduler", "fault"),
    [
        ("moody", "acme-moody 1.2: ValueError: not today"),
        ("idle", "acme-idle 1.2: AttributeError: 'Idle' object has no attribute"),
    ],
)
def test_a_plugin_that_raises_or_lacks_something_when_it_is_used_is_named(
    seeknal: Seeknal, shop: Path, scheduler: str, fault: str
) -> None:
    settings = shop / "seeknal_project.yml"
    settings.write_text(f"{settings.read_text()}scheduler: {scheduler}\n")
    node = shop / "seeknal" / "daily.sql"
    node.write_text(
        "/*\n---\nschedule: '@daily'\nstart: 2024-01-01\nincremental: {time_column: d}\n"
        "---\n*/\nSELECT {{ start }} AS d FROM ref('source.orders') WHERE d < {{ end }}\n"
    )
    error = seeknal("run", "-p", "shop", code=1).stderr
    assert f"this is a fault in {fault}" in error


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
        ("new", "of acme-new 1.2 is for another version of Seeknal: it requires seeknal-core"),
    ],
)
def test_a_project_that_asks_for_a_bad_one_gets_one_message(
    seeknal: Seeknal, shop: Path, name: str, message: str
) -> None:
    settings = shop / "seeknal_project.yml"
    settings.write_text(f"{settings.read_text()}state: {name}\n")
    assert message in seeknal("run", "-p", "shop", code=2).stderr


def test_listeners_that_raise_or_are_broken_are_named_and_stop_nothing(
    seeknal: Seeknal, shop: Path
) -> None:
    done = seeknal("run", cwd=shop)
    assert "3 computed." in done.stdout
    loud, told = "The listener 'loud' of acme-listener 1.2", "ValueError: oh no"
    assert f"{loud} failed in seeknal_node_finished: {told} (" in done.stderr
    assert re.search(rf"{told} \(\S*acme_listener\S*\.py:\d+\)", done.stderr)
    assert "The listener 'deaf' of acme-typo-listener 1.2" in done.stderr
    assert "The listener 'keen' of acme-new-listener 1.2 is for another version" in done.stderr
    # Two are called "run-log": neither silences the other.
    assert (shop / "heard").read_text() == "success"
    assert len(list((shop / "target/logs").glob("*.log"))) == 1


@pytest.mark.parametrize("by", ["twin", "acme-two"])
def test_disabling_resolves_what_is_ambiguous(seeknal: Seeknal, tmp_path: Path, by: str) -> None:
    (tmp_path / "seeknal_project.yml").write_text(f"name: shop\nplugins: {{disable: [{by}]}}\n")
    lines = json.loads(seeknal("plugins", "--json").stdout)
    twins = {line["distribution"]: line["status"] for line in lines if line["name"] == "twin"}
    one = "disabled" if by == "twin" else "ok"
    assert twins == {"acme-one": one, "acme-two": "disabled"}


@pytest.mark.parametrize(
    "settings", ["since: 2024-13-45\nplugins: {disable: [x]}\n", "plugins: {disable: [x\n"]
)
def test_wrong_settings_stop_neither_help_nor_the_listing(
    seeknal: Seeknal, tmp_path: Path, settings: str
) -> None:
    (tmp_path / "seeknal_project.yml").write_text(settings)
    assert "Say hello." in seeknal("--help").stdout
    assert "acme-good" in seeknal("plugins").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"]])
def test_a_folder_that_has_been_deleted_stops_neither_help_nor_the_listing(
    tmp_path: Path, arguments: list[str]
) -> None:
    script = 'mkdir gone; cd gone; rmdir ../gone; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", SEEKNAL, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


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
    shop: Path, arguments: list[str]
) -> None:
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
