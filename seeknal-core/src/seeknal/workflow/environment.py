"""Try a change beside production, look at it, put it live in one step, and take it back.

```python
manager = EnvironmentManager(target_path="target")
plan = manager.plan("dev", Manifest.load("target/manifest.json"))
print(plan.summary)
manager.apply("dev")
manager.promote("dev", "prod")
```
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Self

from seeknal.config import Choice, Settings, load_settings
from seeknal.dag.manifest import Manifest
from seeknal.errors import count
from seeknal.names import PROJECT_FILE, TARGET_FOLDER
from seeknal.state.backend import StateBackend
from seeknal.state.records import APPLIED, PLANNED
from seeknal.state.records import Environment as Record
from seeknal.workflow import applying, cleaning, promoting
from seeknal.workflow.cleaning import Cleanup
from seeknal.workflow.engine import Engine
from seeknal.workflow.executor import Executor
from seeknal.workflow.moved import is_to_be_applied, stored_plan
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.plan_document import EnvironmentPlan
from seeknal.workflow.promoting import Promotion
from seeknal.workflow.proposing import Wanted
from seeknal.workflow.task import RunSummary

__all__ = [
    "Cleanup",
    "Environment",
    "EnvironmentManager",
    "EnvironmentPlan",
    "Promotion",
    "RunSummary",
]


class Environment:
    """An isolated environment: a name under which every node is read in one version.

    name. status: "planned" while its plan is to be applied, "applied" when it has been, or when a
    run or anything else has moved the environment since it was planned; "promoted" when another
    environment has been pointed at what it shows. created_at: aware, in UTC. ttl_hours: how long
    after its last use, `used_at`, it expires; None for never. pointers: node id -> snapshot id.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self.name: str = record.name
        self.status: str = _status(record)
        self.created_at: datetime = record.created_at
        self.used_at: datetime = record.used_at
        self.ttl_hours: float | None = record.ttl_hours
        self.pointers: dict[str, str] = dict(record.pointers)

    def __repr__(self) -> str:
        return f"<Environment {self.name!r} {self.status}, {count(len(self.pointers), 'node')}>"

    @cached_property
    def plan(self) -> EnvironmentPlan | None:
        """The last plan that was made for it. Raises RequestError when another version of Seeknal
        made it."""
        return stored_plan(self._record)

    @property
    def expires_at(self) -> datetime | None:
        """When it may be removed, if nobody uses it until then; None for never."""
        return cleaning.expires_at(self._record)


class EnvironmentManager:
    """Manages the environments of a project.

    target_path: the project's folder for what is computed, beside its `seeknal_project.yml`, which
    says where state and snapshots are kept; without such a file, they are kept in this folder, and
    the nodes are those of the manifest that is planned. backend, engine, executor: instead of what
    the project names; they stay open when the manager is closed.

    Every method raises RequestError for what can't be done so, and StateError when state can't be
    read or written.
    """

    def __init__(
        self,
        target_path: str | Path = TARGET_FOLDER,
        *,
        backend: StateBackend | None = None,
        engine: Engine | None = None,
        executor: Executor | None = None,
    ) -> None:
        target = Path(target_path).resolve()
        self._project = OpenProject(target.parent, settings=_settings(target))
        self._project.use(state=backend, engine=engine, executor=executor)
        self._has_files = (target.parent / PROJECT_FILE).is_file()
        self._given: dict[str, Manifest] = {}
        """By environment, the manifest with which it was last planned here."""

    def plan(
        self,
        env_name: str,
        manifest: Manifest | None = None,
        *,
        base: str | None = None,
        select: str | None = None,
        ttl_hours: float | None = None,
    ) -> EnvironmentPlan:
        """Plan how to bring an environment to a manifest, and keep the plan in it.

        manifest: the nodes as they should be, and as `apply` then takes them; by default as the
        project's files have them now. base: the environment that a new one begins as, by default
        that of its last plan, or prod. select: a selector, None for all nodes. ttl_hours: a week by
        default, except for prod, which never expires.
        """
        self._given.pop(env_name, None)
        if manifest is not None:
            self._given[env_name] = manifest
        self._look(env_name)
        return applying.plan_environment(self._project, Wanted(env_name, base, select, ttl_hours))

    def apply(
        self,
        env_name: str,
        parallel: bool = True,
        *,
        plan: EnvironmentPlan | None = None,
        force: bool = False,
    ) -> RunSummary:
        """Carry out the plan of an environment, and show what it gives when all is complete.

        Nodes that fail are in the summary, whose `status` is "success", "failed" or "interrupted";
        then the environment stays as it was, and applying again does only what is missing.
        parallel: several nodes at once. plan: instead of the one that is kept. force: even if what
        the plan was made against has moved, with what is there now; otherwise PlanMovedError says
        what.
        """
        self._look(env_name)
        return applying.apply_plan(
            self._project,
            env_name,
            document=plan,
            force=force,
            workers=None if parallel else 1,
        )

    def promote(self, source_env: str, target_env: str) -> Promotion:
        """Let one environment show what another one shows, all at once, whatever the data's size.

        Raises PlanMovedError, with the list, when the target has moved since the source was
        planned against it.
        """
        return promoting.promote(self._state, source_env, target_env, keep=self._revisions)

    def rollback(self, env_name: str, to: int | None = None) -> Promotion:
        """Let an environment show what it showed before its last move, or after revision `to`."""
        return promoting.rollback(self._state, env_name, to, keep=self._revisions)

    def list_environments(self) -> list[Environment]:
        """All environments, by name."""
        return [Environment(record) for record in self._state.list_environments()]

    def get(self, env_name: str) -> Environment | None:
        """An environment, or None."""
        record = self._state.get_environment(env_name)
        return Environment(record) if record else None

    def delete(self, env_name: str) -> None:
        """Forget an environment. What only it shows is removed by the next cleanup."""
        cleaning.delete(self._state, env_name)

    def cleanup_expired(self) -> Cleanup:
        """Remove environments that have expired, and the snapshots that nothing reaches then."""
        return cleaning.clean_up(self._state, self._project.engine)

    def close(self) -> None:
        """Let go of files and connections; harmless when done twice."""
        self._project.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _look(self, env_name: str) -> None:
        """See the nodes as an environment was planned with, or else as the files have them now."""
        if env_name in self._given:
            self._project.use(manifest=self._given[env_name])
        elif self._has_files:
            self._project.reread()

    @property
    def _state(self) -> StateBackend:
        return self._project.state

    @property
    def _revisions(self) -> int:
        return self._project.settings.retention.revisions


def _status(record: Record) -> str:
    return APPLIED if record.status == PLANNED and not is_to_be_applied(record) else record.status


def _settings(target: Path) -> Settings:
    """Of the project to which a folder belongs, or such that everything is kept in that folder."""
    root = target.parent
    if (root / PROJECT_FILE).is_file():
        return load_settings(root)
    state = Choice(name="file", options={"base_path": str(target)})
    return Settings.model_validate({"name": "project", "storage": str(target), "state": state})
