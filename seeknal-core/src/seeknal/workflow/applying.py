"""Carry out the plan of an environment, as long as what it was made against still is so."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

from seeknal.errors import ConflictError, RequestError
from seeknal.names import PROD, check_name
from seeknal.state.backend import StateBackend
from seeknal.state.locks import Lock, lock_on
from seeknal.state.records import APPLIED, PLANNED, Environment
from seeknal.workflow.holders import Tell, nobody, take
from seeknal.workflow.moved import (
    PlanMovedError,
    readable_plan,
    stored_plan,
    version_of,
    what_moved,
)
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.plan import Plan
from seeknal.workflow.plan_document import EnvironmentPlan, plan_command
from seeknal.workflow.proposing import Proposal, Wanted, propose
from seeknal.workflow.publishing import Publishing, show
from seeknal.workflow.runner import carry_out
from seeknal.workflow.task import RunInfo, RunSummary

LEASE_MS = 10_000
"""How long an environment seems to be at work after its process died."""


def plan_environment(
    project: OpenProject, wanted: Wanted, *, tell: Tell = nobody
) -> EnvironmentPlan:
    """Make the plan of an environment, and keep it there. What the environment shows stays.

    tell: what is waited for. Raises RequestError for what can't be planned so, ConflictError when
    someone else writes the environment meanwhile, or applies its plan: a plan that was made against
    what it showed before would not hold afterwards.
    """
    proposal = propose(project, wanted)
    document = proposal.document
    stored = proposal.stored or Environment(wanted.environment)
    status = APPLIED if stored.status == PLANNED else stored.status
    if document.has_changes:
        status = PLANNED
    elif status == stored.status and _keeps_the_same(stored, document):
        return document
    what = f"The plan of '{wanted.environment}' can't be replaced now"
    with _only_one(project.state, wanted.environment, what, tell), project.state.transaction():
        current = _unmoved(project.state, document, "it was being planned")
        project.state.save_environment(
            replace(
                current,
                status=status,
                plan=document.model_dump_json(),
                ttl_hours=document.ttl_hours,
                used_at=datetime.now(UTC),
            )
        )
    return document


def _unmoved(state: StateBackend, document: EnvironmentPlan, what: str) -> Environment:
    """The environment of a plan, which shows what it was made against. Raises ConflictError."""
    name = document.environment
    current = state.get_environment(name) or Environment(name)
    if version_of(current) != document.against.environment:
        raise ConflictError(
            f"'{name}' was changed by someone else while {what}. What was computed is kept: plan "
            f"it again with `{document.command}`."
        )
    return current


def _keeps_the_same(environment: Environment, document: EnvironmentPlan) -> bool:
    """Whether an environment keeps a plan already that was made against the same."""
    kept = readable_plan(environment)
    same = kept is not None and kept.against == document.against
    return same and environment.ttl_hours == document.ttl_hours


def apply_plan(
    project: OpenProject,
    name: str,
    *,
    document: EnvironmentPlan | None = None,
    force: bool = False,
    workers: int | None = None,
    tell: Tell = nobody,
) -> RunSummary:
    """Compute what a plan names, and let the environment show it when all of it is complete.

    What an apply that failed or died has computed is found again. document: the plan; the one that
    the environment keeps by default. force: whatever has moved since, with what is there now. tell:
    what is waited for.
    Raises PlanMovedError for what has moved; ConflictError when somebody else applies a plan to
    this environment; RequestError when there is no plan. What nodes fail of is in the summary.
    """
    check_name(name, "an environment")
    state = project.state
    with _only_one(state, name, f"'{name}' can't be applied now", tell):
        started = time.perf_counter()
        stored = state.get_environment(name)
        kept = readable_plan(stored) if stored else None
        chosen = chosen_plan(state, name, document)
        if chosen.environment != name:
            raise RequestError(
                f"This is a plan of '{chosen.environment}', and not of '{name}': it can be applied "
                "to no other environment."
            )
        if stored and kept and stored.status != PLANNED and kept.id == chosen.id:
            return _nothing_to_do(chosen, time.perf_counter() - started)
        return _Applying(project, chosen, force).run(workers)


def chosen_plan(
    state: StateBackend, name: str, document: EnvironmentPlan | None
) -> EnvironmentPlan:
    """The plan that was given, or the one that an environment keeps. Raises RequestError."""
    if document is not None:
        return document
    stored = state.get_environment(check_name(name, "an environment"))
    kept = stored_plan(stored) if stored else None
    if kept is None:
        raise RequestError(f"'{name}' has no plan: make one with `seeknal plan {name}`.")
    return kept


def _nothing_to_do(document: EnvironmentPlan, seconds: float) -> RunSummary:
    return RunSummary("success", seconds, {}, unchanged=len(document.unchanged), reused=0)


def _only_one(state: StateBackend, name: str, what: str, tell: Tell) -> Lock:
    """Be the only one that plans or applies an environment. Raises as `take` does."""
    return take(state, lock_on(name), what, LEASE_MS, tell)


class _Applying:
    """One plan, being carried out."""

    def __init__(self, project: OpenProject, document: EnvironmentPlan, force: bool) -> None:
        self._project, self._document, self._force = project, document, force
        self._proposal: Proposal | None = None

    def run(self, workers: int | None) -> RunSummary:
        name = self._document.environment
        return carry_out(self._project, name, self._planned, self._publish, workers)

    def _planned(self, run: RunInfo) -> tuple[Environment, Plan]:
        document = self._document
        self._refuse_without_base()
        wanted = Wanted(document.environment, document.base, document.select, document.ttl_hours)
        now = None if self._force else document.created_at
        proposal = propose(self._project, wanted, run_id=run.run_id, now=now)
        if not self._force:
            moved = list(what_moved(self._project.state, document, proposal.document))
            if moved:
                raise PlanMovedError(
                    f"The plan of '{document.environment}' no longer holds:",
                    moved,
                    f"Plan again with `{document.command}`, or carry it out by force all the same.",
                )
        self._proposal = proposal
        return proposal.shown, proposal.plan

    def _refuse_without_base(self) -> None:
        """What the plan begins with, or reuses, is what its base shows."""
        name, base = self._document.environment, self._document.base
        if base and version_of(self._project.state.get_environment(base)) is None:
            raise RequestError(
                f"The plan of '{name}' can't be carried out: its base '{base}' is gone. Plan again "
                f"on another one, as with `{plan_command(name, PROD, self._document.select)}`."
            )

    def _publish(
        self, project: OpenProject, run: RunInfo, plan: Plan, summary: RunSummary
    ) -> tuple[str, ...]:
        """Show all of it, or nothing."""
        assert self._proposal is not None
        if summary.status != "success":
            return ()
        shown, document = self._proposal.shown, self._proposal.document
        moved = Publishing(project, plan, summary).moved(shown)
        kept = document if self._force else self._document
        with project.state.transaction():
            current = _unmoved(project.state, document, "its plan was carried out")
            after = replace(
                moved.environment,
                created_at=current.created_at,
                revision=current.revision,
                status=APPLIED,
                plan=kept.model_dump_json(),
                ttl_hours=kept.ttl_hours,
            )
            show(project, run, current, moved._replace(environment=after))
        return moved.behind
