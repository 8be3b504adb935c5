"""A plan as a document: for a reviewer, a pull request, or another machine.

Its JSON schema is what `EnvironmentPlan.model_json_schema()` gives, and lies in the package as
`plan.schema.json`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seeknal.errors import RequestError, count, some
from seeknal.files import write_beside
from seeknal.names import PROD

Action = Literal["compute", "reuse", "spare", "leave", "wait", "remove"]
Change = Literal["added", "edited", "reached", "removed"]
Category = Literal["breaking", "non_breaking", "metadata"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedReason(_Model):
    """Why a change is no milder one. place: file and line, where it can be said."""

    message: str
    place: str | None = None


class PlannedNode(_Model):
    """What happens to a node, and why.

    action: "compute"; "reuse": its snapshot exists; "spare": no edit makes a difference to it, so
    it stays as it is; "leave": it isn't selected; "wait": what it reads isn't there yet; "remove":
    it is no longer a node. change: "added", "edited", "reached" by what changes above it,
    "removed", or null: then its data or its time is the reason. why: of the action, in words. path:
    from the edited node to this one. intervals: of an incremental node, the time to compute, as
    pairs of ISO 8601 times. batches: in how many tasks. rows, seconds: what to expect by earlier
    runs, where there are any.
    """

    node: str
    action: Action
    why: str
    change: Change | None = None
    category: Category | None = None
    reasons: list[PlannedReason] = []
    path: list[str] = []
    intervals: list[tuple[datetime, datetime]] = []
    batches: int = 0
    rows: int | None = None
    seconds: float | None = None


class EnvironmentVersion(_Model):
    """An environment at one moment: nothing has moved its pointers while `revision` stays."""

    name: str
    created_at: datetime
    revision: int


class MadeAgainst(_Model):
    """What a plan holds for. environment, base: null where there was none. definitions: of every
    node, a hash of what it is. contents: of every source that was looked at, the version of its
    data. plugins: versions of what has a say in the plan, by distribution."""

    environment: EnvironmentVersion | None
    base: EnvironmentVersion | None
    definitions: dict[str, str]
    contents: dict[str, str]
    plugins: dict[str, str]


class EnvironmentPlan(_Model):
    """What separates an environment from a project, and what closes the distance.

    id: another one for each plan. ttl_hours: how long after its last use the environment expires,
    null for never. select: a selector; null for all nodes. nodes: those of which there is something
    to say, each behind what it reads. unchanged: the others that are in place.
    """

    format: Literal[1] = 1
    id: str
    environment: str
    base: str | None
    project: str
    created_at: datetime
    ttl_hours: float | None
    select: str | None = None
    against: MadeAgainst
    nodes: list[PlannedNode]
    unchanged: list[str]
    is_new: bool = Field(description="The environment shows nothing before it is applied.")

    @property
    def has_changes(self) -> bool:
        """Whether applying it makes a difference: computes, or shows something else."""
        return self.is_new or any(n.action in ("compute", "reuse", "remove") for n in self.nodes)

    def of_action(self, action: Action) -> list[PlannedNode]:
        return [node for node in self.nodes if node.action == action]

    def of_change(self, change: Change) -> list[str]:
        return [node.node for node in self.nodes if node.change == change]

    @property
    def command(self) -> str:
        """What plans the same again."""
        base = self.base if self.base != PROD else None
        return plan_command(self.environment, base, self.select)

    @property
    def summary(self) -> str:
        """What it comes to, in a few lines for people."""
        return "\n".join(self._summary())

    def _summary(self) -> Sequence[str]:
        against = f", compared with '{self.base}'" if self.base and self.is_new else ""
        lines = [f"Plan for '{self.environment}'{against}: {self.edits}"]
        compute = self.of_action("compute")
        if compute:
            batches = sum(node.batches for node in compute if node.intervals)
            of_time = f", {count(batches, 'batch', 'batches')} of intervals" if batches else ""
            lines.append(f"  compute    {count(len(compute), 'node')}{of_time}{_expected(compute)}")
        named: tuple[tuple[Action, str, str], ...] = (
            ("reuse", "computed before", ""),
            ("spare", "no edit makes a difference to it", "no edit makes a difference to them"),
            ("leave", "not selected", ""),
            ("wait", "what it reads isn't there yet", "what they read isn't there yet"),
            ("remove", "no longer in the project", ""),
        )
        for action, one, several in named:
            found = [node.node for node in self.of_action(action)]
            if found:
                why = several if several and len(found) > 1 else one
                lines.append(f"  {action:<10} {count(len(found), 'node')}, {why}: {some(found)}")
        if self.unchanged:
            how = f"as in '{self.base}'" if self.is_new and self.base else "up to date"
            lines.append(f"  keep       {count(len(self.unchanged), 'node')}, {how}")
        if not self.has_changes:
            lines.append("There is nothing to do.")
        return lines

    @property
    def edits(self) -> str:
        """What was edited, in a few words."""
        changes: tuple[Change, ...] = ("added", "edited", "removed")
        found = {change: len(self.of_change(change)) for change in changes}
        told = [f"{number:,} {change}" for change, number in found.items() if number]
        return ", ".join(told) or "nothing was edited"

    def save(self, path: str | Path) -> None:
        """Write as JSON."""
        write_beside(Path(path), self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> EnvironmentPlan:
        """Read what `save` wrote. Raises RequestError when it is no plan, or of another version."""
        try:
            text = Path(path).read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            raise RequestError(f"There is no plan at {path}.") from None
        return cls.from_json(text, str(path))

    @classmethod
    def from_json(cls, text: str | bytes, place: str) -> EnvironmentPlan:
        """place: for messages."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            flaw = error.errors()[0]
            where = ".".join(map(str, flaw["loc"]))
            what = f"{where}: {flaw['msg']}" if where else flaw["msg"]
            raise RequestError(
                f"{place} is not a plan that this version can read: {what}"
            ) from error


def plan_command(environment: str, base: str | None = None, select: str | None = None) -> str:
    """The command that makes a plan."""
    options = f" --base {base}" if base else ""
    return f"seeknal plan {environment}{options}" + (
        f" --select {shlex.quote(select)}" if select else ""
    )


def _expected(nodes: Sequence[PlannedNode]) -> str:
    """What earlier runs let expect of nodes."""
    known = [node for node in nodes if node.seconds is not None]
    if not known:
        return ""
    rows = sum(node.rows or 0 for node in known)
    seconds = sum(node.seconds or 0 for node in known)
    missing = "" if len(known) == len(nodes) else f" for {len(known)} of them"
    return f"; by earlier runs{missing} about {count(rows, 'row')} in {seconds:.1f} s of work"
