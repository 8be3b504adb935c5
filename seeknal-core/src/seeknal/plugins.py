"""Find plugins by name, import only the one that is asked for, and keep the broken apart.

Entry points are the index, hooks are the contract. Listing names reads package metadata and
imports nothing. `seeknal.hookspecs` says what a plugin author writes.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from seeknal.errors import (
    AmbiguousPluginError,
    BrokenPluginError,
    DisabledPluginError,
    MissingPluginError,
    PluginError,
    did_you_mean,
)
from seeknal.factories import check_options
from seeknal.names import PROJECT_FILE

if TYPE_CHECKING:
    import pluggy
    from importlib_metadata import EntryPoint

    from seeknal.hookspecs import Kind, Offer

T = TypeVar("T")
CORE = "seeknal-core"


class Announced(NamedTuple):
    """What a distribution's metadata says of one plugin; nothing has been imported."""

    group: str
    name: str
    distribution: str
    version: str
    entry_point: EntryPoint

    @property
    def origin(self) -> str:
        return f"{self.distribution} {self.version}"


class Listed(NamedTuple):
    """One line of `seeknal plugins`. status: ok, disabled, ambiguous or broken."""

    kind: str
    name: str
    distribution: str
    version: str
    status: str
    summary: str


class Plugins:
    """What is installed, seen by one project.

    disabled: names of plugins or distributions that must not be loaded, each with the place that
    says so.
    """

    def __init__(self, disabled: Mapping[str, str] | None = None) -> None:
        self._disabled = dict(disabled or {})
        self._registered: dict[tuple[str, str], object] = {}
        self._listeners: dict[str, object] = {}

    @classmethod
    def of_project(cls, root: Path) -> Plugins:
        """What is installed, without what the project at `root` switches off.

        Reads no more of its settings than that and validates nothing: listing plugins must work,
        and be quick, where there is no project, and in one whose settings are wrong.
        """
        place = root / PROJECT_FILE
        try:
            text = place.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return cls()
        if "disable" not in text:
            return cls()
        import yaml

        try:
            names = yaml.safe_load(text)["plugins"]["disable"]
        except (yaml.YAMLError, KeyError, TypeError):
            return cls()
        return cls({str(name): str(place) for name in names} if isinstance(names, list) else {})

    # --- Providers --------------------------------------------------------------------------

    def available(self, kind: Kind[Any]) -> list[str]:
        """Names of this kind that could be asked for, sorted; imports nothing."""
        names = {a.name for a in self.announced(kind.group) if not self._disabled_by(a)}
        names |= {name for group, name in self._registered if group == kind.group}
        return sorted(names)

    def get(self, kind: Kind[T], name: str) -> Offer[T]:
        """The offer behind a name; imports that one plugin.

        Raises MissingPluginError, AmbiguousPluginError, DisabledPluginError, BrokenPluginError.
        """
        if (kind.group, name) in self._registered:
            plugin = self._registered[kind.group, name]
            return self._offer(kind, name, plugin, "this process")
        found = self._one(kind.group, kind.label, name)
        return self._offer(kind, name, self._load(found, kind.label), found.origin)

    def module(self, kind: Kind[Any], name: str) -> object:
        """What the entry point of a name leads to, for what it holds besides its hook.

        Raises like `get`.
        """
        return self._load(self._one(kind.group, kind.label, name), kind.label)

    def create(self, kind: Kind[T], name: str, *context: object, **options: Any) -> T:
        """Make what a name stands for.

        context: what Seeknal gives to every provider of the kind. options: what the project sets.
        """
        offer = self.get(kind, name)
        check_options(offer.create, kind.label, name, context, options)
        try:
            return offer.create(*context, **options)
        except ImportError as error:
            raise BrokenPluginError(
                f"The {kind.label} '{name}' can't be used: {type(error).__name__}: {error}"
            ) from error

    def register(self, kind: Kind[Any], name: str, plugin: object) -> None:
        """Offer a plugin of this process under a name, before whatever is installed."""
        self._registered[kind.group, name] = plugin

    def announced(self, group: str) -> list[Announced]:
        """Everything that installed distributions announce in a group, sorted by name."""
        return self._index.get(group, [])

    @cached_property
    def _index(self) -> dict[str, list[Announced]]:
        """By group. Of a distribution that is installed twice, the first on the path counts."""
        from importlib_metadata import distributions

        index: dict[str, list[Announced]] = defaultdict(list)
        seen: set[str] = set()
        for distribution in distributions(path=[p for p in sys.path if os.path.isdir(p or ".")]):
            if "[seeknal." not in (distribution.read_text("entry_points.txt") or ""):
                continue
            name, version = _name_and_version(distribution.read_text)
            if name not in seen:
                seen.add(name)
                for point in distribution.entry_points:
                    index[point.group].append(
                        Announced(point.group, point.name, name, version, point)
                    )
        for found in index.values():
            found.sort(key=lambda a: (a.name, a.distribution))
        return index

    def _disabled_by(self, found: Announced) -> str | None:
        return self._disabled.get(found.name) or self._disabled.get(found.distribution)

    def _one(self, group: str, label: str, name: str) -> Announced:
        found = [a for a in self.announced(group) if a.name == name]
        enabled = [a for a in found if not self._disabled_by(a)]
        if not found:
            raise MissingPluginError(self._missing(group, label, name))
        if not enabled:
            raise DisabledPluginError(
                f"The {label} '{name}' is disabled by {self._disabled_by(found[0])}."
            )
        if len(enabled) > 1:
            origins = " and ".join(a.origin for a in enabled)
            raise AmbiguousPluginError(
                f"The {label} '{name}' is offered by {origins}. Uninstall one of them, or name "
                "its distribution under `plugins: disable:` in seeknal_project.yml."
            )
        return enabled[0]

    def _missing(self, group: str, label: str, name: str) -> str:
        installed = sorted({a.name for a in self.announced(group)})
        known = f"Installed: {', '.join(installed)}." if installed else "None is installed."
        extra = f' Try: pip install "{CORE}[{name}]"' if name in _extras_of_core() else ""
        return f"No {label} is called '{name}'.{did_you_mean(name, installed)} {known}{extra}"

    def _load(self, found: Announced, label: str) -> object:
        try:
            return found.entry_point.load()
        except (Exception, SystemExit) as error:
            raise BrokenPluginError(
                f"The {label} '{found.name}' of {found.origin} can't be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _offer(self, kind: Kind[T], name: str, plugin: object, origin: str) -> Offer[T]:
        from seeknal.hookspecs import Offer

        def broken(what: str, cause: BaseException | None = None) -> BrokenPluginError:
            error = BrokenPluginError(f"The {kind.label} '{name}' of {origin} {what}")
            error.__cause__ = cause
            return error

        hook = kind.hook.__name__
        try:
            self._admit(plugin, f"{kind.group}:{name}")
            offer = self._call_one(plugin, hook)
        except (Exception, SystemExit) as error:
            raise broken(f"fails: {type(error).__name__}: {error}", error) from error
        if offer is None:
            raise broken(f"does not implement {hook}().")
        if not isinstance(offer, Offer):
            raise broken(f"returns {type(offer).__name__} from {hook}(), and not an Offer.")
        return offer

    # --- pluggy -----------------------------------------------------------------------------

    @cached_property
    def _manager(self) -> pluggy.PluginManager:
        import pluggy

        from seeknal import hookspecs

        manager = pluggy.PluginManager("seeknal")
        manager.add_hookspecs(hookspecs)
        return manager

    def _admit(self, plugin: object, name: str) -> None:
        """Register with pluggy, once, and refuse hooks that nobody will ever call."""
        if self._manager.is_registered(plugin):
            return
        self._manager.register(plugin, name)
        try:
            self._manager.check_pending()
        except Exception:
            self._manager.unregister(plugin)
            raise

    def _call_one(self, plugin: object, hook: str) -> object:
        others = [p for p in self._manager.get_plugins() if p is not plugin]
        return self._manager.subset_hook_caller(hook, others)()

    # --- Events -----------------------------------------------------------------------------

    def listen(self, name: str, listener: object) -> None:
        """Tell an object of this process, too, what happens."""
        self._listeners[name] = listener
        self.__dict__.pop("_callers", None)

    def emit(self, hook: Callable[..., None], **event: object) -> None:
        """Call an event hook of every listener; one that raises is logged and stops nothing."""
        for name, call in self._callers.get(hook.__name__, []):
            try:
                call(**event)
            except Exception as error:
                _warn(
                    "The listener '%s' failed in %s: %s: %s",
                    name,
                    hook.__name__,
                    type(error).__name__,
                    error,
                )

    @cached_property
    def _callers(self) -> dict[str, list[tuple[str, Callable[..., object]]]]:
        """For each event hook, its listeners: one caller apiece, so that each fails alone."""
        from seeknal.hookspecs import HOOKS_GROUP

        listeners = dict(self._listeners)
        for found in self.announced(HOOKS_GROUP):
            if self._disabled_by(found):
                continue
            try:
                plugin = self._load(found, "listener")
                self._admit(plugin, f"{HOOKS_GROUP}:{found.distribution}:{found.name}")
            except Exception as error:
                _warn("%s", error)
                continue
            if not any(plugin is other for other in listeners.values()):
                listeners[found.name] = plugin
        for name, listener in self._listeners.items():
            self._admit(listener, name)

        callers: dict[str, list[tuple[str, Callable[..., object]]]] = defaultdict(list)
        for name, listener in sorted(listeners.items()):
            others = [p for p in self._manager.get_plugins() if p is not listener]
            for caller in self._manager.get_hookcallers(listener) or []:
                subset = self._manager.subset_hook_caller(caller.name, others)
                callers[caller.name].append((name, subset))
        return callers

    # --- Listing ----------------------------------------------------------------------------

    def listing(self) -> list[Listed]:
        """Everything installed, with what is wrong with it; imports every plugin module."""
        from seeknal.hookspecs import COMMANDS_GROUP, HOOKS_GROUP, KINDS

        lines = [
            self._line(kind.name, found, partial(self._offered_summary, kind, found))
            for kind in KINDS
            for found in self.announced(kind.group)
        ]
        for group, what in ((HOOKS_GROUP, "hook"), (COMMANDS_GROUP, "command")):
            lines += [
                self._line(what, found, partial(self._described_summary, found, what))
                for found in self.announced(group)
            ]
        return lines

    def _offered_summary(self, kind: Kind[Any], found: Announced) -> str:
        return self.get(kind, found.name).summary

    def _described_summary(self, found: Announced, what: str) -> str:
        """The first line of a listener's docstring, or of the help of a Typer app."""
        plugin = self._load(found, what)
        text = getattr(getattr(plugin, "info", None), "help", None) or inspect.getdoc(plugin)
        return text.strip().partition("\n")[0] if isinstance(text, str) else ""

    def _line(self, kind: str, found: Announced, summary: Callable[[], str]) -> Listed:
        disabled = self._disabled_by(found)
        status, text = "ok", ""
        if disabled:
            status, text = "disabled", f"by {disabled}"
        else:
            try:
                text = summary()
            except AmbiguousPluginError as error:
                status, text = "ambiguous", str(error)
            except PluginError as error:
                status, text = "broken", str(error)
        return Listed(kind, found.name, found.distribution, found.version, status, text)

    # --- Commands ---------------------------------------------------------------------------

    def commands(self) -> list[str]:
        """Names of the commands that plugins bring; imports nothing."""
        from_plugins = self.announced("seeknal.commands")
        return sorted({a.name for a in from_plugins if not self._disabled_by(a)})

    def command(self, name: str) -> object:
        """The Typer app behind a command's name. Raises like `get`."""
        return self._load(self._one("seeknal.commands", "command", name), "command")


def _warn(message: str, *values: object) -> None:
    import logging

    logging.getLogger("seeknal.plugins").warning(message, *values)


def _name_and_version(read_text: Callable[[str], str | None]) -> tuple[str, str]:
    """From the metadata's first lines: parsing it whole would cost more than all the rest."""
    text = read_text("METADATA") or read_text("PKG-INFO") or ""
    fields = dict(re.findall(r"^(Name|Version): *(.+?) *$", text.partition("\n\n")[0], re.M))
    return fields.get("Name", "unknown"), fields.get("Version", "unknown")


def _extras_of_core() -> list[str]:
    from importlib_metadata import PackageNotFoundError, metadata

    try:
        return metadata(CORE).get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return []
