"""What core itself offers, through the same door as everyone: imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seeknal.hookspecs import Offer, hookimpl

if TYPE_CHECKING:
    from seeknal.dag.classifier import Classifier
    from seeknal.workflow.executor import Executor
    from seeknal.workflow.scheduler import Scheduler


def text_classifier() -> Classifier:
    from seeknal.dag.text_classifier import TextClassifier

    return TextClassifier()


def cron_scheduler() -> Scheduler:
    from seeknal.workflow.cron_scheduler import CronScheduler

    return CronScheduler()


def local_executor(workers: int | None = None) -> Executor:
    """workers: tasks that run at once; as many as this machine has processors by default."""
    from seeknal.workflow.local_executor import LocalExecutor

    return LocalExecutor(workers)


@hookimpl
def seeknal_classifier() -> Offer[Classifier]:
    return Offer(create=text_classifier, summary="Only an unchanged text is an unchanged node")


@hookimpl
def seeknal_scheduler() -> Offer[Scheduler]:
    return Offer(create=cron_scheduler, summary="Cron expressions, and @hourly, @daily, ...")


@hookimpl
def seeknal_executor() -> Offer[Executor]:
    return Offer(create=local_executor, summary="Threads of this process")
