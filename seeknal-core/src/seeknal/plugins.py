"""Find plugins by name, import only the one that is asked for, and keep the broken apart.

Entry points are the index, hooks are the contract. Listing names reads package metadata and
imports nothing. Every plugin has a plugin manager of its own, so that nothing that one does
reaches another. `seeknal.hookspecs` says what a plugin author writes.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property, partial
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from seeknal import __version__
from seeknal.compatibility import deprecations, unmet
from seeknal.errors import (
    AmbiguousPluginError,
    BrokenPluginError,
    DisabledPluginError,
    IncompatiblePluginError,
    MissingPluginError,
    PluginError,
    did_you_mean,
)
from seeknal.installed import (
    COMMANDS_GROUP,
    HOOKS_GROUP,
    Announced,
    extras_of,
    normalized,
    read_index,
)
from seeknal.names import PROJECT_FILE

if TYPE_CHECKING:
    import pluggy
    import typer

    from seeknal.hookspecs import Kind, Offer

T = TypeVar("T")
CORE = "seeknal-core"
THIS_PROCESS = "this process"


class Listed(NamedTuple):
    """One line of `seeknal plugins`. status: ok, disabled, ambiguous, incompatible or broken."""

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
        self._disabled = {normalized(name): place for name, place in (disabled or {}).items()}
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
            text = place.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            return cls()
        if "disable" not in text:
            return cls()
        import yaml

        try:
            names = yaml.safe_load(text)["plugins"]["disable"]
        except Exception:
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

        Raises MissingPluginError, AmbiguousPluginError, DisabledPluginError,
        IncompatiblePluginError, BrokenPluginError.
        """
        return self._offer(kind, name, *self._find(kind, name))

    def create(self, kind: Kind[T], name: str, *context: object, **options: Any) -> T:
        """Make what a name stands for.

        context: what Seeknal gives to every provider of the kind. options: what the project sets.
        """
        from seeknal.factories import check_options, takes

        plugin, origin = self._find(kind, name)
        offer = self._offer(kind, name, plugin, origin)
        if not takes(offer.create, context):
            wrong = f"offers a `create` that does not take what every {kind.label} is given"
            raise _broken(kind.label, name, origin, wrong)
        check_options(offer.create, kind.label, name, context, options)
        try:
            return offer.create(*context, **options)
        except (ImportError, SystemExit) as error:
            raise _broken(kind.label, name, origin, "can't be used", error) from error

    def module(self, kind: Kind[Any], name: str) -> object:
        """What the entry point of a name leads to, for what it holds besides its hook.

        Raises like `get`.
        """
        return self._find(kind, name)[0]

    def register(self, kind: Kind[Any], name: str, plugin: object) -> None:
        """Offer a plugin of this process under a name, before whatever is installed."""
        self._registered[kind.group, name] = plugin

    def _find(self, kind: Kind[Any], name: str) -> tuple[object, str]:
        """A plugin, and whose it is."""
        if (kind.group, name) in self._registered:
            return self._registered[kind.group, name], THIS_PROCESS
        found = self._one(kind.group, kind.label, name)
        return _load(found, kind.label), found.origin

    def _offer(self, kind: Kind[T], name: str, plugin: object, origin: str) -> Offer[T]:
        from seeknal.hookspecs import Offer

        hook = kind.hook.__name__
        try:
            offer = getattr(_manager_of(plugin, kind.label, name, origin).hook, hook)()
        except (Exception, SystemExit) as error:
            raise _broken(kind.label, name, origin, "fails", error) from error
        wrong = None
        if offer is None:
            wrong = f"does not implement {hook}()"
        elif not isinstance(offer, Offer):
            wrong = f"returns {type(offer).__name__} from {hook}(), and not an Offer"
        elif not callable(offer.create):
            wrong = f"offers {offer.create!r} as `create`, which can't be called"
        elif not isinstance(offer.summary, str):
            wrong = f"offers {offer.summary!r} as `summary`, which is no text"
        if wrong:
            raise _broken(kind.label, name, origin, wrong)
        checked: Offer[T] = offer
        return checked

    # --- The index --------------------------------------------------------------------------

    def announced(self, group: str) -> list[Announced]:
        """Everything that installed distributions announce in a group, sorted by name."""
        return self._index.get(group, [])

    def owners(self) -> dict[str, str]:
        """Which distribution, in which version, each package outside of the core is of."""
        announced = [found for group in self._index.values() for found in group]
        owners = {found.value.partition(":")[0].partition(".")[0]: found for found in announced}
        owners.pop("seeknal", None)
        return {package: found.origin for package, found in owners.items()}

    @cached_property
    def _index(self) -> dict[str, list[Announced]]:
        return read_index()

    def _disabled_by(self, found: Announced) -> str | None:
        names = (normalized(found.name), normalized(found.distribution))
        return next((self._disabled[name] for name in names if name in self._disabled), None)

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
                f"its distribution under `plugins: disable:` in {PROJECT_FILE}."
            )
        return enabled[0]

    def _missing(self, group: str, label: str, name: str) -> str:
        installed = sorted({a.name for a in self.announced(group)})
        known = f"Installed: {', '.join(installed)}." if installed else "None is installed."
        extra = f' Try: pip install "{CORE}[{name}]"' if name in extras_of(CORE) else ""
        return f"No {label} is called '{name}'.{did_you_mean(name, installed)} {known}{extra}"

    # --- Events -----------------------------------------------------------------------------

    def listen(self, name: str, listener: object) -> None:
        """Tell an object of this process, too, what happens."""
        self._listeners[name] = listener
        self.__dict__.pop("_callers", None)

    def emit(self, hook: Callable[..., None], **event: object) -> None:
        """Call an event hook of every listener; one that raises is logged and stops nothing."""
        for title, call in self._callers.get(hook.__name__, []):
            try:
                call(**event)
            except (Exception, SystemExit) as error:
                told = f"{_told(error)} ({_place(error)})"
                _warn(f"The listener {title} failed in {hook.__name__}: {told}")

    @cached_property
    def _callers(self) -> dict[str, list[tuple[str, Callable[..., object]]]]:
        """For each event hook, the listeners that have it, by what people call them."""
        callers: dict[str, list[tuple[str, Callable[..., object]]]] = defaultdict(list)
        for title, manager in sorted(self._listening(), key=lambda pair: pair[0]):
            for hook, caller in vars(manager.hook).items():
                if not hook.startswith("_") and caller.get_hookimpls():
                    callers[hook].append((title, caller))
        return callers

    def _listening(self) -> Iterator[tuple[str, pluggy.PluginManager]]:
        known: list[object] = []
        for name, listener in self._listeners.items():
            known.append(listener)
            yield f"'{name}'", _manager_of(listener, "listener", name, THIS_PROCESS)
        for found in self.announced(HOOKS_GROUP):
            if self._disabled_by(found):
                continue
            try:
                plugin = _load(found, "listener")
                manager = _checked_listener(found, plugin)
            except PluginError as error:
                _warn(str(error))
                continue
            if not any(plugin is other for other in known):
                known.append(plugin)
                yield f"'{found.name}' of {found.origin}", manager

    # --- Commands ---------------------------------------------------------------------------

    def commands(self) -> list[str]:
        """Names of the commands that plugins bring; imports nothing."""
        return sorted({a.name for a in self.announced(COMMANDS_GROUP) if not self._disabled_by(a)})

    def command(self, name: str) -> typer.Typer:
        """The Typer app behind a command's name. Raises like `get`."""
        return _checked_command(self._one(COMMANDS_GROUP, "command", name))

    # --- Listing ----------------------------------------------------------------------------

    def listing(self) -> list[Listed]:
        """Everything installed, with what is wrong with it; imports every plugin module."""
        from seeknal.hookspecs import KINDS

        lines = [
            self._line(kind.name, found, partial(self._offered_summary, kind, found))
            for kind in KINDS
            for found in self.announced(kind.group)
        ]
        for found in self.announced(HOOKS_GROUP):
            lines.append(self._line("hook", found, partial(_listener_summary, found)))
        for found in self.announced(COMMANDS_GROUP):
            lines.append(self._line("command", found, partial(self._command_summary, found)))
        return lines

    def _offered_summary(self, kind: Kind[Any], found: Announced) -> str:
        return self.get(kind, found.name).summary

    def _command_summary(self, found: Announced) -> str:
        """The first line of its help."""
        text = self.command(found.name).info.help
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
            except IncompatiblePluginError as error:
                status, text = "incompatible", str(error)
            except PluginError as error:
                status, text = "broken", str(error)
            except Exception as error:
                status, text = "broken", f"{found.origin}: {_told(error)}"
        one_line = " ".join(text.split())
        return Listed(kind, found.name, found.distribution, found.version, status, one_line)


# --- One plugin -----------------------------------------------------------------------------


def _load(found: Announced, label: str) -> object:
    """What an entry point leads to. Raises IncompatiblePluginError, BrokenPluginError."""
    from importlib_metadata import EntryPoint

    needed = unmet(found.needs, __version__)
    if needed:
        raise IncompatiblePluginError(
            f"The {label} '{found.name}' of {found.origin} is for another version of Seeknal: it "
            f"requires {needed}, and this is {CORE} {__version__}. Install versions that fit: "
            f"pip install --upgrade {CORE} {found.distribution}"
        )

    try:
        return EntryPoint(found.name, found.value, found.group).load()
    except (Exception, SystemExit) as error:
        raise _broken(label, found.name, found.origin, "can't be loaded", error) from error


def _manager_of(plugin: object, label: str, name: str, origin: str) -> pluggy.PluginManager:
    """A manager that knows this plugin alone. Raises when it has a hook that nobody calls; warns
    of one that will go."""
    import pluggy

    manager = pluggy.PluginManager("seeknal")
    manager.add_hookspecs(_specs())
    manager.register(plugin, name)
    manager.check_pending()
    for deprecated in deprecations(manager, plugin):
        _warn_once(f"The {label} '{name}' of {origin}: {deprecated}")
    return manager


@cache
def _specs() -> ModuleType:
    """The hook specs and nothing else: pluggy takes a close look at all that it is given."""
    from seeknal import hookspecs

    specs = ModuleType(hookspecs.__name__)
    hooks = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("seeknal_")}
    vars(specs).update(hooks)
    return specs


def _checked_listener(found: Announced, plugin: object) -> pluggy.PluginManager:
    try:
        manager = _manager_of(plugin, "listener", found.name, found.origin)
    except Exception as error:
        raise _broken("listener", found.name, found.origin, "can't be used", error) from error
    if not manager.get_hookcallers(plugin):
        raise _broken("listener", found.name, found.origin, "has none of the event hooks")
    return manager


def _listener_summary(found: Announced) -> str:
    """The first line of its docstring."""
    plugin = _load(found, "listener")
    _checked_listener(found, plugin)
    return (inspect.getdoc(plugin) or "").partition("\n")[0]


def _checked_command(found: Announced) -> typer.Typer:
    import typer

    app = _load(found, "command")
    if not isinstance(app, typer.Typer):
        wrong = f"is a {type(app).__name__}, and not a typer.Typer"
        raise _broken("command", found.name, found.origin, wrong)
    try:
        typer.main.get_command(app)
    except Exception as error:
        raise _broken("command", found.name, found.origin, "can't be used", error) from error
    return app


def _broken(
    label: str, name: str, origin: str, what: str, error: BaseException | None = None
) -> BrokenPluginError:
    why = f": {_told(error)}" if error else "."
    return BrokenPluginError(f"The {label} '{name}' of {origin} {what}{why}")


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _place(error: BaseException) -> str:
    """File and line in which it was raised."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    return f"{frame.f_code.co_filename}:{line}"


def _warn(message: str) -> None:
    import logging

    logging.getLogger("seeknal.plugins").warning("%s", message)


@cache
def _warn_once(message: str) -> None:
    _warn(message)
