"""Tells Prefect what happens in a run: in the flow's log, and as artifacts."""

from __future__ import annotations

import logging
from contextlib import suppress

from seeknal.hookspecs import hookimpl
from seeknal.workflow.plan import Plan
from seeknal.workflow.task import NodeResult, RunInfo, RunSummary
from seeknal_prefect import artifacts

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


class FlowListener:
    """Called by the thread in which the flow runs, and so in its context.

    progress: show, in percent, how much is done. plan: what the run was to do, when it is known.
    """

    def __init__(self, logger: Logger, *, progress: bool) -> None:
        self._logger, self._shows_progress = logger, progress
        self._progress: artifacts.Progress | None = None
        self.plan: Plan | None = None

    @hookimpl
    def seeknal_plan_created(self, plan: Plan) -> None:
        self.plan = plan
        artifacts.plan_text(plan)
        if self._shows_progress:
            self._progress = artifacts.Progress(len(plan.tasks))

    @hookimpl
    def seeknal_node_finished(self, run: RunInfo, result: NodeResult) -> None:
        if result.status == "skipped":
            self._logger.warning("%s skipped: %s failed", result.task, result.blocked_by)
        if self._progress is not None:
            self._progress.step()

    @hookimpl
    def seeknal_run_finished(self, run: RunInfo, summary: RunSummary) -> None:
        with suppress(Exception):
            artifacts.run_table(summary.results.values())
        self._logger.info(
            "Run %s: %s in %.2f s; %s computed, %s up to date, %s reused, %s failed, %s skipped",
            run.run_id, summary.status, summary.seconds, summary.count("success"),
            summary.unchanged, summary.reused, summary.count("failed"), summary.count("skipped"),
        )  # fmt: skip
