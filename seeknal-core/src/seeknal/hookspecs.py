"""Every hook that a plugin can implement.

**Providers.** A provider is one thing chosen by name: a state backend, a classifier, a scheduler,
an executor, an engine. It is announced by an entry point and offered by a hook:

    # pyproject.toml: the group is the kind, the key is the name that users write
    [project.entry-points."seeknal.state_backend"]
    redis = "acme_seeknal_redis.plugin"

    # acme_seeknal_redis/plugin.py, whole
    from seeknal.hookspecs import Offer, hookimpl

    @hookimpl
    def seeknal_state_backend():
        return Offer(create=open_backend, summary="State in Redis")

`create` is called with the options that the project sets, as keyword arguments. Its signature is
what users may set: an option that it doesn't name is refused before it is called. A parameter
annotated `Path` is taken relative to the project. Keep the plugin module light, and import what
is heavy inside `create`: `seeknal plugins` imports every plugin module.

**Events.** Something happened, and whoever cares is told. Announce a module with any of the event
hooks in the group `seeknal.hooks`. A listener that raises is logged by name and stops nothing;
all are called from one thread, in the order of their names.

**Commands.** The group `seeknal.commands`, without a hook: the entry point names a `typer.Typer`,
and its key is the command, as in `seeknal <key>`. An app with one command is that command; give
it a callback to make it a group.

`seeknal plugins new KIND NAME` writes a package of any of these, with tests, to begin from.

**Versions.** What plugins may rely on is this page, the contracts that it names, `seeknal.testing`,
and the six methods of `seeknal.state.documents.DocumentBackend`. Its version, `API_VERSION`, is the
first two numbers of that of seeknal-core. A plugin says for which it was written by what its
distribution requires, and nowhere else:

    # pyproject.toml: written for 0.1
    dependencies = ["seeknal-core>=0.1,<0.3"]

- A new hook, argument or optional method comes with a new minor version, and changes nothing for
  who doesn't know it.
- What is to go, or to mean something else, is deprecated in one minor version, in which it works
  as before, and gone in the next at the earliest, from 1.0 on in the next major one. So what runs
  on 0.1 without a warning runs on 0.2, and `<0.3` is true.
- Of a deprecated hook or argument, users are told in one line, which names the plugin, whenever it
  is loaded; its author's tests get a DeprecationWarning, in the line of the implementation. The
  line says when it goes and what to do instead.
- A plugin whose requirement this seeknal-core doesn't meet is not imported. Whoever asks for it is
  told both versions and what to install; everything else goes on, and `seeknal plugins` shows it
  as incompatible. One that requires no particular version is taken to fit.

To deprecate a hook, or an argument of one:

    @hookspec(
        warn_on_impl=DeprecationWarning("seeknal_x() goes with 0.3: implement seeknal_y()."),
        warn_on_impl_args={"z": DeprecationWarning("...")},
    )

To add a kind of provider: write its hook and its `Kind` below, and ask `Plugins.create` for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import pluggy

from seeknal import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from seeknal.dag.classifier import Classifier
    from seeknal.state.backend import StateBackend
    from seeknal.workflow.engine import Engine
    from seeknal.workflow.executor import Executor
    from seeknal.workflow.plan import Plan
    from seeknal.workflow.scheduler import Scheduler
    from seeknal.workflow.task import NodeResult, RunInfo, RunSummary, Task

T = TypeVar("T")

API_VERSION = ".".join(__version__.split(".")[:2])
"""Of what plugins may rely on."""

hookspec = pluggy.HookspecMarker("seeknal")
hookimpl = pluggy.HookimplMarker("seeknal")


class Offer(NamedTuple, Generic[T]):
    """What a provider plugin hands over.

    create: makes one, from the project's options. summary: one line for `seeknal plugins`.
    """

    create: Callable[..., T]
    summary: str


# --- Providers ------------------------------------------------------------------------------


@hookspec(firstresult=True)
def seeknal_state_backend() -> Offer[StateBackend] | None:
    """Offer a place where runs, node states and environments are kept.

    `create(**options) -> StateBackend`.

        @hookimpl
        def seeknal_state_backend():
            return Offer(create=RedisBackend, summary="State in Redis")
    """


@hookspec(firstresult=True)
def seeknal_classifier() -> Offer[Classifier] | None:
    """Offer a judge of what a change of SQL can reach.

    `create(**options) -> Classifier`.

        @hookimpl
        def seeknal_classifier():
            return Offer(create=ByComment, summary="BREAKING unless the comment says otherwise")
    """


@hookspec(firstresult=True)
def seeknal_scheduler() -> Offer[Scheduler] | None:
    """Offer a way to cut time.

    `create(**options) -> Scheduler`.

        @hookimpl
        def seeknal_scheduler():
            return Offer(create=TradingDays, summary="Ticks on the trading days of an exchange")
    """


@hookspec(firstresult=True)
def seeknal_executor() -> Offer[Executor] | None:
    """Offer a place where tasks run.

    `create(**options) -> Executor`.

        @hookimpl
        def seeknal_executor():
            return Offer(create=SlurmExecutor, summary="Every task is a Slurm job")
    """


@hookspec(firstresult=True)
def seeknal_engine() -> Offer[Engine] | None:
    """Offer what computes a node.

    `create(workspace, **options) -> Engine`; the workspace says where the project and its
    storage are.

        @hookimpl
        def seeknal_engine():
            return Offer(create=SparkEngine, summary="Nodes are computed by Spark")
    """


class Kind(NamedTuple, Generic[T]):
    """One kind of provider: what people call it, and the hook that offers one."""

    label: str
    hook: Callable[[], Offer[T] | None]

    @property
    def name(self) -> str:
        """The kind in one word, as in `state_backend`."""
        return self.hook.__name__.removeprefix("seeknal_")

    @property
    def group(self) -> str:
        """The entry-point group in which distributions announce providers of this kind."""
        return f"seeknal.{self.name}"


STATE_BACKEND = Kind("state backend", seeknal_state_backend)
CLASSIFIER = Kind("classifier", seeknal_classifier)
SCHEDULER = Kind("scheduler", seeknal_scheduler)
EXECUTOR = Kind("executor", seeknal_executor)
ENGINE = Kind("engine", seeknal_engine)

KINDS: tuple[Kind[Any], ...] = (STATE_BACKEND, CLASSIFIER, SCHEDULER, EXECUTOR, ENGINE)


# --- Events ---------------------------------------------------------------------------------


@hookspec
def seeknal_plan_created(plan: Plan) -> None:
    """It is known what is to be computed; nothing has been computed yet.

    ```python
    @hookimpl
    def seeknal_plan_created(plan):
        if len(plan.tasks) > 1000:
            page_someone(f"{len(plan.tasks)} nodes to compute in {plan.environment}")
    ```
    """


@hookspec
def seeknal_run_started(run: RunInfo, plan: Plan) -> None:
    """A run begins.

    ```python
    @hookimpl
    def seeknal_run_started(run, plan):
        print(f"{run.run_id}: {len(plan.tasks)} nodes to compute")
    ```
    """


@hookspec
def seeknal_node_started(run: RunInfo, node_id: str, task: Task) -> None:
    """A node, or one batch of its intervals, has been handed to a worker.

    ```python
    @hookimpl
    def seeknal_node_started(run, node_id, task):
        started[task.name] = time.monotonic()
    ```
    """


@hookspec
def seeknal_node_finished(run: RunInfo, result: NodeResult) -> None:
    """A node, or one batch of its intervals, succeeded, failed, or was skipped since something
    that it needs failed.

    ```python
    @hookimpl
    def seeknal_node_finished(run, result):
        if result.status == "failed":
            tell_owner(result.node_id, result.error)
    ```
    """


@hookspec
def seeknal_run_finished(run: RunInfo, summary: RunSummary) -> None:
    """A run is over, whatever came of it.

    ```python
    @hookimpl
    def seeknal_run_finished(run, summary):
        metrics.gauge("seeknal.failed", summary.failed)
    ```
    """


@hookspec
def seeknal_environment_promoted(source: str, target: str) -> None:
    """The pointers of `target` have moved to what `source` points at.

    ```python
    @hookimpl
    def seeknal_environment_promoted(source, target):
        announce(f"{target} now shows {source}")
    ```
    """
