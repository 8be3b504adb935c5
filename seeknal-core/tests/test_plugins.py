"""What plugins get wrong, and what stays right meanwhile. See also test_finding_plugins.py."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from seeknal import hookspecs
from seeknal.errors import (
    AmbiguousPluginError,
    BrokenPluginError,
    DisabledPluginError,
    IncompatiblePluginError,
    MissingPluginError,
    PluginError,
)
from seeknal.factories import resolve_paths
from seeknal.hookspecs import STATE_BACKEND, Kind, Offer, hookimpl
from seeknal.plugins import Plugins

GOOD = """\
from seeknal.hookspecs import Offer, hookimpl

@hookimpl
def seeknal_state_backend():
    return Offer(create=dict, summary="It works")
"""
HEARS = """\
from seeknal.hookspecs import hookimpl

heard = []

@hookimpl
def seeknal_environment_promoted(target):
    heard.append(target)
"""
RAISING_PROPERTY = """\
class Plugin:
    @property
    def seeknal_state_backend(self):
        raise ValueError

plugin = Plugin()
"""
UNHASHABLE = """\
from dataclasses import dataclass
from seeknal.hookspecs import Offer, hookimpl

@dataclass
class Plugin:
    size: int = 1

    @hookimpl
    def seeknal_state_backend(self):
        return Offer(create=dict, summary="It works")

    @hookimpl
    def seeknal_environment_promoted(self, target):
        pass

plugin = Plugin()
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution on the path, as an installer leaves it."""

    def install(
        distribution: str, group: str, point: str, *, place: str = "site", **modules: str
    ) -> None:
        site = tmp_path / place
        info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0")
        (info / "entry_points.txt").write_text(f"[seeknal.{group}]\n{point}\n")
        for name, text in modules.items():
            (site / f"{name}.py").write_text(text)
            monkeypatch.delitem(sys.modules, name, raising=False)
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(str(site))

    return install


def promote(plugins: Plugins) -> None:
    plugins.emit(hookspecs.seeknal_environment_promoted, source="dev", target="prod")


class Ears:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @hookimpl
    def seeknal_environment_promoted(self, target: str) -> None:
        self.heard.append(target)


def status_by_name() -> dict[str, str]:
    return {line.name: line.status for line in Plugins().listing()}


# --- The five errors ------------------------------------------------------------------------


def test_the_five_ways_to_be_refused_are_never_taken_for_one_another() -> None:
    five = [
        MissingPluginError, AmbiguousPluginError, DisabledPluginError, IncompatiblePluginError,
        BrokenPluginError,
    ]  # fmt: skip
    for one in five:
        assert one.exit_code == 2
        assert [other for other in five if issubclass(one, other)] == [one]
        assert issubclass(one, PluginError)


def test_where_none_is_installed_the_message_says_so() -> None:
    def seeknal_teapot() -> Offer[object] | None: ...

    with pytest.raises(MissingPluginError) as error:
        Plugins().get(Kind("teapot", seeknal_teapot), "brown")
    assert str(error.value) == "No teapot is called 'brown'. None is installed."


# --- A broken provider ----------------------------------------------------------------------


def test_a_hook_with_wrong_arguments_gets_the_same_message_each_time(install: Install) -> None:
    wrong = GOOD.replace("backend()", "backend(path)")
    install("acme-bad", "state_backend", "bad = acme_bad", acme_bad=wrong)
    plugins = Plugins()
    for _ in range(2):
        with pytest.raises(BrokenPluginError, match="Argument"):
            plugins.get(STATE_BACKEND, "bad")


@pytest.mark.parametrize(
    "module",
    ["plugin = {}", UNHASHABLE, RAISING_PROPERTY],
    ids=["a dict", "an unhashable object", "a property that raises"],
)
def test_an_odd_object_as_a_plugin_stops_no_other(install: Install, module: str) -> None:
    install("acme-odd", "state_backend", "odd = acme_odd:plugin", acme_odd=module)
    install("acme-good", "state_backend", "good = acme_good", acme_good=GOOD)
    plugins = Plugins()
    with suppress(BrokenPluginError):
        plugins.get(STATE_BACKEND, "odd")
    assert plugins.get(STATE_BACKEND, "good").summary == "It works"


@pytest.mark.parametrize("point", ["odd acme_odd", "odd = ", "odd = acme odd:[", "= acme_odd"])
def test_entry_points_that_cannot_be_read_stop_no_other(install: Install, point: str) -> None:
    install("acme-odd", "state_backend", point)
    install("acme-good", "state_backend", "good = acme_good", acme_good=GOOD)
    assert Plugins().get(STATE_BACKEND, "good").summary == "It works"
    assert status_by_name()["good"] == "ok"


def test_entry_points_in_another_encoding_stop_no_other(install: Install, tmp_path: Path) -> None:
    install("acme-odd", "state_backend", "odd = acme_odd")
    install("acme-good", "state_backend", "good = acme_good", acme_good=GOOD)
    (odd,) = tmp_path.glob("site/acme_odd*/entry_points.txt")
    odd.write_bytes("[seeknal.state_backend]\nódd = acme_odd".encode("latin-1"))
    assert Plugins().get(STATE_BACKEND, "good").summary == "It works"


def test_a_name_without_a_module_is_broken_and_says_whose_it_is(install: Install) -> None:
    install("acme-odd", "state_backend", "odd = ")
    with pytest.raises(BrokenPluginError, match=r"acme-odd 1\.0"):
        Plugins().get(STATE_BACKEND, "odd")


@pytest.mark.parametrize("create", ["None", "42"])
def test_an_offer_of_what_cannot_be_called_is_broken(install: Install, create: str) -> None:
    bad = GOOD.replace("create=dict", f"create={create}")
    install("acme-bad", "state_backend", "bad = acme_bad", acme_bad=bad)
    with pytest.raises(BrokenPluginError, match=r"acme-bad 1\.0"):
        Plugins().create(STATE_BACKEND, "bad")


def test_an_import_that_fails_when_one_is_made_says_whose_it_is(install: Install) -> None:
    late = GOOD.replace("dict", "create") + "\ndef create():\n    import nothing_like_it\n"
    install("acme-late", "state_backend", "late = acme_late", acme_late=late)
    with pytest.raises(BrokenPluginError, match="No module named 'nothing_like_it'") as error:
        Plugins().create(STATE_BACKEND, "late")
    assert "acme-late 1.0" in str(error.value)


def test_a_provider_that_exits_when_it_is_made_does_not_end_the_run(install: Install) -> None:
    exits = GOOD.replace("dict", "create") + "\ndef create():\n    raise SystemExit(0)\n"
    install("acme-exits", "state_backend", "exits = acme_exits", acme_exits=exits)
    with pytest.raises(BrokenPluginError, match=r"acme-exits 1\.0 .*SystemExit: 0"):
        Plugins().create(STATE_BACKEND, "exits")


def test_a_factory_that_does_not_take_what_the_core_gives_is_broken(install: Install) -> None:
    takes_none = GOOD.replace("dict", "create") + "\ndef create():\n    return {}\n"
    install("acme-deaf", "state_backend", "deaf = acme_deaf", acme_deaf=takes_none)
    with pytest.raises(BrokenPluginError, match=r"acme-deaf 1\.0"):
        Plugins().create(STATE_BACKEND, "deaf", "workspace")


# --- Names of distributions -----------------------------------------------------------------


@pytest.mark.parametrize("written", ["acme-thing", "Acme_Thing", "acme.thing"])
def test_a_distribution_is_disabled_however_its_name_is_spelt(
    install: Install, written: str
) -> None:
    install("Acme_Thing", "state_backend", "thing = acme_thing", acme_thing=GOOD)
    assert "thing" not in Plugins({written: "here"}).available(STATE_BACKEND)


def test_one_distribution_under_two_spellings_counts_once(install: Install) -> None:
    point = "thing = acme_thing"
    install("acme_thing", "state_backend", point, place="behind", acme_thing=GOOD)
    install("acme-thing", "state_backend", point, place="before", acme_thing=GOOD)
    assert Plugins().get(STATE_BACKEND, "thing").summary == "It works"


# --- Listing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "module"),
    [
        ("hooks", HEARS.replace("promoted", "promotd")),
        ("hooks", HEARS.replace("(target)", "(place)")),
        ("hooks", "raise SystemExit(3)"),
        ("commands", "x = 1"),
        ("state_backend", GOOD.replace('"It works"', "None")),
        ("state_backend", "def __getattr__(name):\n    raise RuntimeError(name)"),
    ],
    ids=["misspelt", "wrong arguments", "exits", "not a Typer", "no summary", "no attributes"],
)
def test_what_will_fail_when_it_is_used_is_not_listed_as_ok(
    install: Install, group: str, module: str
) -> None:
    install("acme-bad", group, "bad = acme_bad", acme_bad=module)
    status = status_by_name()
    assert (status["bad"], status["cron"]) == ("broken", "ok")


@pytest.mark.parametrize("group", ["hooks", "commands"])
def test_an_object_that_raises_when_it_is_described_stops_no_listing(
    install: Install, group: str
) -> None:
    module = "class P:\n    def __getattr__(self, name): raise RuntimeError(name)\nplugin = P()"
    install("acme-bad", group, "bad = acme_bad:plugin", acme_bad=module)
    status = status_by_name()
    assert (status["bad"], status["cron"]) == ("broken", "ok")


@pytest.mark.parametrize(
    "settings",
    [
        "plugins: {disable: cron}",
        "plugins: {disable: [cron",
        "disable",
        "[disable]",
        "plugins: [disable]",
        "since: 2024-13-45\nplugins: {disable: [cron]}",
        "plugins: {disable: null}",
        "x: &x [*x]\nplugins: {disable: *x}",
        "? [disable, {}]\n: 1",
        "\x00disable",
        "[" * 3000 + "disable",
    ],
)
def test_wrong_settings_stop_no_listing(tmp_path: Path, settings: str) -> None:
    (tmp_path / "seeknal_project.yml").write_text(settings)
    assert "text" in {line.name for line in Plugins.of_project(tmp_path).listing()}


def test_a_line_of_the_listing_is_one_line(install: Install) -> None:
    install("acme-long", "state_backend", "long = acme_long", acme_long="raise ValueError('a\\nb')")
    (line,) = (line for line in Plugins().listing() if line.name == "long")
    assert "ValueError: a b" in line.summary


# --- Events ---------------------------------------------------------------------------------


def test_two_distributions_may_give_their_listeners_one_name(install: Install) -> None:
    install("acme-one", "hooks", "log = acme_one", acme_one=HEARS)
    install("acme-two", "hooks", "log = acme_two", acme_two=HEARS)
    promote(Plugins())
    assert [sys.modules[name].heard for name in ("acme_one", "acme_two")] == [["prod"], ["prod"]]


def test_an_installed_listener_does_not_take_the_place_of_one_of_this_process(
    install: Install,
) -> None:
    install("acme-one", "hooks", "progress = acme_one", acme_one=HEARS)
    plugins, ears = Plugins(), Ears()
    plugins.listen("progress", ears)
    promote(plugins)
    assert (ears.heard, sys.modules["acme_one"].heard) == (["prod"], ["prod"])


def test_a_listener_of_this_process_can_be_replaced_between_events() -> None:
    plugins, first, second = Plugins(), Ears(), Ears()
    for ears in (first, second):
        plugins.listen("progress", ears)
        promote(plugins)
    assert (first.heard, second.heard) == (["prod"], ["prod"])


def test_a_disabled_listener_is_never_imported(install: Install) -> None:
    install("acme-one", "hooks", "one = acme_one", acme_one="raise RuntimeError")
    promote(Plugins({"one": "seeknal_project.yml"}))
    assert "acme_one" not in sys.modules


@pytest.mark.parametrize(
    "module",
    [
        HEARS.replace("promoted", "promotd"),
        HEARS.replace("(target)", "(place)"),
        "raise SystemExit(3)",
    ],
    ids=["misspelt", "wrong arguments", "exits"],
)
def test_a_broken_listener_is_left_out_again_and_again_and_logged_with_its_origin(
    install: Install, caplog: pytest.LogCaptureFixture, module: str
) -> None:
    install("acme-bad", "hooks", "bad = acme_bad", acme_bad=module)
    plugins, ears = Plugins(), Ears()
    promote(plugins)
    plugins.listen("ears", ears)
    promote(plugins)
    assert ears.heard == ["prod"]
    assert all("acme-bad 1.0" in record.getMessage() for record in caplog.records)
    assert len(caplog.records) == 2


def test_an_unhashable_listener_stops_no_other(install: Install) -> None:
    install("acme-odd", "hooks", "odd = acme_odd:plugin", acme_odd=UNHASHABLE)
    plugins, ears = Plugins(), Ears()
    plugins.listen("ears", ears)
    promote(plugins)
    assert ears.heard == ["prod"]


def test_listeners_that_are_equal_are_told_each() -> None:
    class Same(Ears):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Same)

        def __hash__(self) -> int:
            return 1

    plugins, one, two = Plugins(), Same(), Same()
    plugins.listen("one", one)
    plugins.listen("two", two)
    promote(plugins)
    assert (one.heard, two.heard) == (["prod"], ["prod"])


def test_a_listener_that_exits_stops_nothing() -> None:
    class Exits:
        @hookimpl
        def seeknal_environment_promoted(self) -> None:
            raise SystemExit(3)

    plugins, ears = Plugins(), Ears()
    plugins.listen("a", Exits())
    plugins.listen("b", ears)
    promote(plugins)
    assert ears.heard == ["prod"]


def test_listeners_are_told_in_the_order_of_their_names() -> None:
    told: list[str] = []

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

        @hookimpl
        def seeknal_environment_promoted(self) -> None:
            told.append(self.name)

    plugins = Plugins()
    for name in "bca":
        plugins.listen(name, Named(name))
    promote(plugins)
    assert told == ["a", "b", "c"]


# --- Options --------------------------------------------------------------------------------


def test_a_path_that_is_annotated_as_text_or_left_out_is_found_too() -> None:
    def create(base: "Path | None" = None, other: "str" = "x", **rest: Path) -> None: ...  # noqa: UP037

    assert resolve_paths(create, Path("/shop"), {}) == {}
    assert resolve_paths(create, Path("/shop"), {"base": Path("a"), "other": "b"}) == {
        "base": Path("/shop/a"),
        "other": "b",
    }
    assert resolve_paths(dict, Path("/shop"), {"a": "b"}) == {"a": "b"}
