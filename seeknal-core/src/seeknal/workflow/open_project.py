"""A project, opened: its settings, its manifest, and the providers that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

from seeknal.config import Choice, Settings, find_root, load_settings
from seeknal.dag.judge import Judge
from seeknal.dag.manifest import Manifest, Node
from seeknal.errors import Flaw, MissingPluginError, RequestError, did_you_mean
from seeknal.factories import resolve_paths
from seeknal.hookspecs import ENGINE, EXECUTOR, SCHEDULER, STATE_BACKEND, Kind
from seeknal.names import TARGET_FOLDER, check_name
from seeknal.plugins import Plugins
from seeknal.project.loader import Loaded, load
from seeknal.project.source_files import ContentVersions
from seeknal.state.backend import StateBackend
from seeknal.state.records import Environment
from seeknal.workflow.engine import Engine, Workspace
from seeknal.workflow.executor import Executor
from seeknal.workflow.intervals import LAST, range_of
from seeknal.workflow.scheduler import Scheduler
from seeknal.workflow.standing import Standing

T = TypeVar("T")


class OpenProject:
    """Each part is opened when it is first used; `close`, or leaving `with`, closes them all.

    Raises RequestError when there is no project at `path`, ProjectError when its settings are
    wrong, and on first use whatever the part raises.
    """

    def __init__(
        self,
        path: str | Path = ".",
        plugins: Plugins | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.root: Path = Path(path).resolve() if settings else find_root(path)
        self.settings: Settings = settings or load_settings(self.root)
        self.plugins = plugins or Plugins.of_project(self.root)
        self.target = self.root / TARGET_FOLDER
        self.unchecked: str | None = None
        """Why nodes' SQL has not been checked, when it has not."""
        self._schedulers: dict[str, Scheduler] = {}
        self._lent: dict[str, Any] = {}

    def use(
        self,
        *,
        manifest: Manifest | None = None,
        state: StateBackend | None = None,
        engine: Engine | None = None,
        executor: Executor | None = None,
    ) -> None:
        """Use these instead of what the project's files and settings say. Whoever made them closes
        them."""
        if manifest is not None:
            self._loaded = Loaded(manifest)
        if state is not None:
            state.initialize()
        parts = {"state": state, "engine": engine, "executor": executor}
        self._lent |= {name: part for name, part in parts.items() if part is not None}

    def reread(self) -> None:
        """Look at the nodes' files again when the manifest is asked for."""
        self.__dict__.pop("_loaded", None)

    def run_on(self, executor: str | None) -> None:
        """Run tasks on the executor of this name, with the options that the project has for it;
        None for the one that it chooses."""
        if executor:
            choice = self.settings.executor.instead(executor)
            self.settings = self.settings.model_copy(update={"executor": choice})

    @property
    def manifest(self) -> Manifest:
        return self._loaded.manifest

    @property
    def skipped(self) -> Mapping[str, list[str]]:
        """Ids of nodes by the kind that nothing installed supports."""
        return self._loaded.skipped

    @cached_property
    def _loaded(self) -> Loaded:
        choice = self.settings.engine
        found = [a for a in self.plugins.announced(ENGINE.group) if a.name == choice.name]
        checked_by = ", ".join(f"{a.name} {a.origin}" for a in found)
        return load(self.root, self.settings, self._check, checked_by)

    def _check(self, node: Node) -> Sequence[Flaw]:
        flaws = self._wrong_with_time(node)
        if self.unchecked is None:
            try:
                return [*flaws, *self.engine.check(node)]
            except MissingPluginError as error:
                self.unchecked = str(error)
        return flaws

    def _wrong_with_time(self, node: Node) -> list[Flaw]:
        timing = node.incremental
        if timing is None:
            return []
        if timing.scheduler == self.settings.scheduler.name:
            self.scheduler(timing.scheduler)  # what is wrong with the project's is not the node's
        try:
            scheduler = self.scheduler(timing.scheduler)
            now = datetime.now(UTC)
            next(scheduler.ticks(timing.schedule, timing.timezone, now, LAST), None)
            if timing.start and timing.end:
                range_of(timing.start, timing.end, timing.timezone)
        except RequestError as error:
            return [Flaw(str(error), key=("schedule",))]
        return []

    @cached_property
    def workspace(self) -> Workspace:
        storage = self.settings.storage
        if "://" not in storage:
            storage = str((self.root / storage).resolve())
        return Workspace(self.root, storage, self.settings.timezone)

    @property
    def engine(self) -> Engine:
        engine: Engine = self._lent.get("engine") or self._own_engine
        return engine

    @cached_property
    def _own_engine(self) -> Engine:
        return self._provider(ENGINE, self.settings.engine, self.workspace)

    @property
    def state(self) -> StateBackend:
        state: StateBackend = self._lent.get("state") or self._own_state
        return state

    @cached_property
    def _own_state(self) -> StateBackend:
        backend = self.state_backend(self.settings.state.name)
        backend.initialize()
        return backend

    def state_backend(self, name: str) -> StateBackend:
        """A new state backend with the options that the project has for it, not initialized."""
        return self._provider(STATE_BACKEND, self.settings.state.instead(name))

    def scheduler(self, name: str) -> Scheduler:
        """The scheduler of this name, with the options that the project has for it."""
        if name not in self._schedulers:
            choice = self.settings.scheduler.instead(name)
            self._schedulers[name] = self._provider(SCHEDULER, choice)
        return self._schedulers[name]

    @cached_property
    def judge(self) -> Judge:
        """Who judges edits of SQL. Raises what `Plugins.get` does for a classifier."""
        return Judge.of(self.settings.classifiers, self.plugins)

    def remembered(self, environment: str) -> Manifest:
        """The nodes of an environment as they were when its pointers were found to be right."""
        name = check_name(environment, "an environment")
        return self.standing(self.state.get_environment(name) or Environment(name)).remembered

    def environment(self, name: str) -> Environment:
        """An environment. Raises RequestError when there is none by this name."""
        found = self.state.get_environment(check_name(name, "an environment"))
        if found is None:
            names = [e.name for e in self.state.list_environments()]
            raise RequestError(f"There is no environment '{name}'.{did_you_mean(name, names)}")
        return found

    def standing(self, environment: Environment) -> Standing:
        """An environment, compared with this project."""
        return Standing(self.manifest, environment, lambda: self.judge, self.settings.impact)

    @cached_property
    def contents(self) -> ContentVersions:
        return ContentVersions(self.target / "cache" / "contents.json")

    @contextmanager
    def executing(self, **options: Any) -> Iterator[Executor]:
        """An executor, closed at the end. options: over those that the project sets; None for what
        it sets."""
        lent = self._lent.get("executor")
        executor = lent or self._own_executor(options)
        try:
            yield executor
        finally:
            if executor is not lent:
                executor.close()

    def _own_executor(self, options: Mapping[str, Any]) -> Executor:
        choice = self.settings.executor
        given = {key: value for key, value in options.items() if value is not None}
        return self._provider(
            EXECUTOR, Choice(name=choice.name, options={**choice.options, **given})
        )

    def _provider(self, kind: Kind[T], choice: Choice, *context: object) -> T:
        create = self.plugins.get(kind, choice.name).create
        options = resolve_paths(create, self.root, choice.options)
        return self.plugins.create(kind, choice.name, *context, **options)

    def close(self) -> None:
        for part in ("_own_engine", "_own_state"):
            if part in self.__dict__:
                getattr(self, part).close()
                del self.__dict__[part]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
