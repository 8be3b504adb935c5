"""What the entry point names. Prefect is imported when an executor is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from seeknal.hookspecs import Offer, hookimpl

if TYPE_CHECKING:
    from seeknal.workflow.executor import Executor


def create(
    task_runner: Literal["threads", "processes", "dask", "ray"] = "threads",
    workers: int | None = None,
    batch: int | Literal["auto"] = 1,
    address: str | None = None,
) -> Executor:
    """task_runner: what runs Prefect's tasks. workers: nodes at once; as many as this machine has
    processors by default. batch: nodes that share one Prefect task at most; "auto" for as many as
    keep Prefect's own cost small. address: of a Dask or Ray cluster; without it, one is started for
    the run."""
    from seeknal_prefect.executor import PrefectExecutor

    return PrefectExecutor(task_runner, workers, batch, address)


@hookimpl
def seeknal_executor() -> Offer[Executor]:
    return Offer(create=create, summary="Tasks of Prefect, on threads, processes, Dask or Ray")
