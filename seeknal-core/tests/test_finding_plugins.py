"""Plugins are found by name, imported one at a time, and kept apart when they are broken."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from seeknal import hookspecs
from seeknal.errors import (
    AmbiguousPluginError,
    BrokenPluginError,
    DisabledPluginError,
    MissingPluginError,
    RequestError,
)
from seeknal.factories import resolve_paths
from seeknal.hookspecs import ENGINE, EXECUTOR, KINDS, SCHEDULER, STATE_BACKEND, Offer, hookimpl
from seeknal.plugins import Plugins

GOOD = """\
from seeknal.hookspecs import Offer, hookimpl

@hookimpl
def seeknal_state_backend():
    return Offer(create=dict, summary="It works")
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution on the path, as an installer leaves it."""

    def install(
        distribution: str,
        entry_points: str,
        *,
        version: str = "1.0",
        place: str = "site",
        **modules: str,
    ) -> None:
        site = tmp_path / place
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: {distribution}\nVersion: {version}\n\nName: no\n")
        (info / "entry_points.txt").write_text(entry_points)
        for name, text in modules.items():
            (site / f"{name}.py").write_text(text)
            monkeypatch.delitem(sys.modules, name, raising=False)
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(str(site))

    return install


def points(group: str = "seeknal.state_backend", **named: str) -> str:
    return f"[{group}]\n" + "\n".join(f"{name} = {target}" for name, target in named.items())


def test_the_five_kinds_have_their_groups_by_their_names() -> None:
    assert [(k.group, k.label) for k in KINDS] == [
        ("seeknal.state_backend", "state backend"),
        ("seeknal.classifier", "classifier"),
        ("seeknal.scheduler", "scheduler"),
        ("seeknal.executor", "executor"),
        ("seeknal.engine", "engine"),
    ]


def test_names_are_listed_sorted_and_without_an_import(install: Install) -> None:
    install("acme-z", points(zeta="acme_z"), acme_z="raise RuntimeError")
    install("acme-a", points(alpha="acme_a"), acme_a="raise RuntimeError")
    names = Plugins().available(STATE_BACKEND)
    assert names == sorted(names)
    assert {"alpha", "zeta"} <= set(names)
    assert "acme_z" not in sys.modules


def test_asking_for_one_imports_that_one_only(install: Install) -> None:
    install("acme-a", points(alpha="acme_a"), acme_a=GOOD)
    install("acme-z", points(zeta="acme_z"), acme_z=GOOD)
    offer = Plugins().get(STATE_BACKEND, "alpha")
    assert (offer.create, offer.summary) == (dict, "It works")
    assert "acme_a" in sys.modules
    assert "acme_z" not in sys.modules


def test_a_missing_plugin_names_what_there_is_and_what_to_install() -> None:
    with pytest.raises(MissingPluginError) as error:
        Plugins().get(ENGINE, "duckbd")
    assert "No engine is called 'duckbd'." in str(error.value)
    assert "Did you mean 'duckdb'?" in str(error.value)
    assert "pip install" not in str(error.value)
    with pytest.raises(MissingPluginError, match=r'Try: pip install "seeknal-core\[duckdb\]"'):
        Plugins().get(SCHEDULER, "duckdb")


def test_an_ambiguous_name_names_both_distributions_with_their_versions(install: Install) -> None:
    install("acme-one", points(twin="acme_one"), acme_one=GOOD)
    install("acme-two", points(twin="acme_two"), version="2.1", acme_two=GOOD)
    with pytest.raises(AmbiguousPluginError, match=r"acme-one 1\.0 and acme-two 2\.1"):
        Plugins().get(STATE_BACKEND, "twin")
    assert not {"acme_one", "acme_two"} & set(sys.modules)


def test_disabling_a_distribution_resolves_an_ambiguous_name(install: Install) -> None:
    install("acme-one", points(twin="acme_one"), acme_one=GOOD)
    install("acme-two", points(twin="acme_two"), acme_two="raise RuntimeError")
    plugins = Plugins({"acme-two": "seeknal_project.yml"})
    assert plugins.get(STATE_BACKEND, "twin").summary == "It works"


def test_a_distribution_that_is_installed_twice_counts_once(install: Install) -> None:
    install("acme-one", points(twin="acme_one"), version="2.0", place="behind", acme_one=GOOD)
    install("acme-one", points(twin="acme_one"), version="1.0", place="before", acme_one=GOOD)
    (found,) = [a for a in Plugins().announced("seeknal.state_backend") if a.name == "twin"]
    assert found.version == "1.0"
    assert Plugins().get(STATE_BACKEND, "twin").summary == "It works"


@pytest.mark.parametrize("by", ["alpha", "acme-a"])
def test_a_disabled_plugin_says_where_and_is_never_imported(install: Install, by: str) -> None:
    install("acme-a", points(alpha="acme_a"), acme_a="raise RuntimeError")
    plugins = Plugins({by: "/shop/seeknal_project.yml"})
    with pytest.raises(DisabledPluginError, match=r"disabled by /shop/seeknal_project\.yml"):
        plugins.get(STATE_BACKEND, "alpha")
    assert "alpha" not in plugins.available(STATE_BACKEND)
    assert "acme_a" not in sys.modules


def test_what_a_project_disables_is_read_from_its_settings(tmp_path: Path) -> None:
    settings = tmp_path / "seeknal_project.yml"
    settings.write_text("name: shop\nplugins: {disable: [cron]}\n")
    with pytest.raises(DisabledPluginError, match=str(settings)):
        Plugins.of_project(tmp_path).get(SCHEDULER, "cron")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = (", "SyntaxError"),
        ("x = 1", r"does not implement seeknal_state_backend\(\)"),
        (GOOD.replace("return Offer", "return dict"), "returns dict .* and not an Offer"),
        (GOOD.replace("return", "raise ValueError('no') #"), "fails: ValueError: no"),
        (GOOD.replace("state_backend", "state_backed"), "unknown hook 'seeknal_state_backed'"),
        (GOOD.replace("backend()", "backend(path)"), "path"),
    ],
)
def test_a_broken_plugin_says_whose_it_is_and_what_is_wrong(
    install: Install, module: str, message: str
) -> None:
    install("acme-bad", points(bad="acme_bad"), version="0.3", acme_bad=module)
    with pytest.raises(BrokenPluginError, match=message) as error:
        Plugins().get(STATE_BACKEND, "bad")
    assert "The state backend 'bad' of acme-bad 0.3" in str(error.value)


def test_a_broken_plugin_stops_no_other(install: Install) -> None:
    typo = GOOD.replace("state_backend", "state_backed")
    install("acme-bad", points(bad="acme_bad"), acme_bad=typo)
    install("acme-good", points(good="acme_good"), acme_good=GOOD)
    plugins = Plugins()
    for _ in range(2):
        with pytest.raises(BrokenPluginError):
            plugins.get(STATE_BACKEND, "bad")
        assert plugins.get(STATE_BACKEND, "good").summary == "It works"
    status = {line.name: line.status for line in plugins.listing()}
    assert (status["bad"], status["good"], status["cron"]) == ("broken", "ok", "ok")


def test_one_module_may_stand_under_several_names_and_kinds(install: Install) -> None:
    both = GOOD + (
        "@hookimpl\ndef seeknal_scheduler():\n    return Offer(create=list, summary='Ticks')\n"
    )
    text = points(one="acme", two="acme") + "\n" + points("seeknal.scheduler", three="acme")
    install("acme", text, acme=both)
    plugins = Plugins()
    assert plugins.get(STATE_BACKEND, "one") == plugins.get(STATE_BACKEND, "two")
    assert plugins.get(SCHEDULER, "three").summary == "Ticks"


def offering(create: Callable[..., object]) -> object:
    @hookimpl
    def seeknal_state_backend() -> Offer[object]:
        return Offer(create=create, summary="Made here")

    plugin = ModuleType("here")
    plugin.seeknal_state_backend = seeknal_state_backend  # type: ignore[attr-defined]
    return plugin


def made_by(create: Callable[..., object]) -> Plugins:
    plugins = Plugins()
    plugins.register(STATE_BACKEND, "here", offering(create))
    return plugins


def test_a_plugin_of_this_process_goes_before_what_is_installed() -> None:
    plugins = Plugins()
    plugins.register(STATE_BACKEND, "file", offering(dict))
    assert plugins.create(STATE_BACKEND, "file", a=1) == {"a": 1}


def test_an_unknown_option_is_refused_with_those_that_there_are() -> None:
    def create(base_path: str = "target", *, shards: int = 1) -> object:
        raise AssertionError("must not be called")

    with pytest.raises(RequestError) as error:
        made_by(create).create(STATE_BACKEND, "here", base_pth="x")
    assert str(error.value) == (
        "The state backend 'here' has no option 'base_pth'. Did you mean 'base_path'? "
        "here accepts: base_path, shards."
    )


def test_a_missing_option_is_named() -> None:
    def create(url: str) -> object:
        raise AssertionError("must not be called")

    with pytest.raises(RequestError, match=r"needs url\. here accepts: url\."):
        made_by(create).create(STATE_BACKEND, "here")


def test_what_the_core_gives_is_no_option() -> None:
    def create(workspace: object, *, threads: int = 1) -> object:
        return (workspace, threads)

    plugins = made_by(create)
    assert plugins.create(STATE_BACKEND, "here", "place", threads=2) == ("place", 2)
    with pytest.raises(RequestError, match=r"here accepts: threads\."):
        plugins.create(STATE_BACKEND, "here", "place", workspace="x")


def test_an_error_inside_a_constructor_is_not_taken_for_a_wrong_option() -> None:
    def create(a: int = 1) -> object:
        raise TypeError("create() got an unexpected keyword argument 'b'")

    with pytest.raises(TypeError, match="unexpected keyword"):
        made_by(create).create(STATE_BACKEND, "here")


def test_an_import_that_fails_when_one_is_made_is_a_broken_plugin() -> None:
    def create() -> object:
        import nothing_like_it  # type: ignore[import-not-found]

        return nothing_like_it

    with pytest.raises(BrokenPluginError, match="No module named 'nothing_like_it'"):
        made_by(create).create(STATE_BACKEND, "here")


def test_the_cores_own_come_through_the_same_door() -> None:
    executor = Plugins().create(EXECUTOR, "local", workers=3)
    assert executor.slots == 3
    executor.close()
    with pytest.raises(RequestError, match=r"local accepts: workers\."):
        Plugins().create(EXECUTOR, "local", wokers=3)


def test_paths_are_taken_relative_to_the_project() -> None:
    def create(base: Path = Path("target"), other: Path | None = None, url: str = "x") -> None: ...

    root = Path("/shop")
    assert resolve_paths(create, root, {}) == {"base": Path("/shop/target")}
    assert resolve_paths(create, root, {"base": "state", "other": "/abs", "url": "u"}) == {
        "base": Path("/shop/state"),
        "other": Path("/abs"),
        "url": "u",
    }


class Listener:
    def __init__(self, fails: bool = False) -> None:
        self.heard: list[object] = []
        self.fails = fails

    @hookimpl
    def seeknal_environment_promoted(self, source: str, target: str) -> None:
        self.heard.append((source, target))
        if self.fails:
            raise ValueError("oh no")


def test_a_listener_that_raises_is_logged_by_name_and_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plugins = Plugins()
    listeners = {"a": Listener(), "b": Listener(fails=True), "c": Listener()}
    for name, listener in listeners.items():
        plugins.listen(name, listener)
    plugins.emit(hookspecs.seeknal_environment_promoted, source="dev", target="prod")
    assert all(one.heard == [("dev", "prod")] for one in listeners.values())
    assert "The listener 'b' failed in seeknal_environment_promoted: ValueError" in caplog.text


def test_a_listener_takes_only_the_arguments_that_it_names() -> None:
    class Brief:
        @hookimpl
        def seeknal_environment_promoted(self, target: str) -> None:
            heard.append(target)

    heard: list[str] = []
    plugins = Plugins()
    plugins.listen("brief", Brief())
    plugins.emit(hookspecs.seeknal_environment_promoted, source="dev", target="prod")
    assert heard == ["prod"]


def test_installed_listeners_are_loaded_with_the_first_event_and_the_broken_left_out(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    hears = (
        "from seeknal.hookspecs import hookimpl\n"
        "heard = []\n"
        "@hookimpl\n"
        "def seeknal_environment_promoted(source, target):\n"
        "    heard.append(target)\n"
    )
    group = "seeknal.hooks"
    install("acme-ears", points(group, one="acme_ears", again="acme_ears"), acme_ears=hears)
    install("acme-deaf", points(group, deaf="acme_deaf"), acme_deaf="import nothing_like_it")
    plugins = Plugins()
    assert "acme_ears" not in sys.modules
    plugins.emit(hookspecs.seeknal_environment_promoted, source="dev", target="prod")
    assert sys.modules["acme_ears"].heard == ["prod"]
    assert "The listener 'deaf' of acme-deaf 1.0 can't be loaded" in caplog.text
