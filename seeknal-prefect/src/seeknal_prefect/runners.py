"""Prefect's task runners, by the names that a project's settings have for them."""

from __future__ import annotations

from typing import Any

from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from seeknal.errors import MissingPluginError, RequestError

NAMES = ("threads", "processes", "dask", "ray")


def task_runner(name: str, workers: int, address: str | None) -> TaskRunner[Any]:
    """A task runner that has not begun. Raises RequestError when there is none of this name,
    MissingPluginError when what it needs isn't installed."""
    if name not in NAMES:
        raise RequestError(f"There is no task runner {name!r}: choose from {', '.join(NAMES)}.")
    if address and name not in ("dask", "ray"):
        raise RequestError(f"'address' is of a Dask or Ray cluster, and the task runner is {name}.")
    if name == "threads":
        return ThreadPoolTaskRunner(max_workers=workers)
    if name == "processes":
        return ProcessPoolTaskRunner(max_workers=workers)
    try:
        return _dask(workers, address) if name == "dask" else _ray(workers, address)
    except ImportError as error:
        raise MissingPluginError(
            f"The task runner '{name}' needs more ({error}). "
            f'Try: pip install "seeknal-prefect[{name}]"'
        ) from error


def _dask(workers: int, address: str | None) -> TaskRunner[Any]:
    from prefect_dask.task_runners import DaskTaskRunner

    cluster = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    options: dict[str, Any] = {"address": address} if address else {"cluster_kwargs": cluster}
    runner: TaskRunner[Any] = DaskTaskRunner(**options)
    return runner


def _ray(workers: int, address: str | None) -> TaskRunner[Any]:
    from prefect_ray import RayTaskRunner

    cluster = {"num_cpus": workers, "include_dashboard": False}
    options: dict[str, Any] = {"address": address} if address else {"init_kwargs": cluster}
    runner: TaskRunner[Any] = RayTaskRunner(**options)
    return runner
