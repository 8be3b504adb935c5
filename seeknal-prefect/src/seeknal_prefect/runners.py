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
            f"The task runner '{name}' needs more ({error}): pip install \"seeknal-prefect[{name}]\""
        ) from error


def _dask(workers: int, address: str | None) -> TaskRunner[Any]:
    from prefect_dask import DaskTaskRunner

    if address:
        return DaskTaskRunner(address=address)
    cluster = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=cluster)


def _ray(workers: int, address: str | None) -> TaskRunner[Any]:
    from prefect_ray import RayTaskRunner

    if address:
        return RayTaskRunner(address=address)
    return RayTaskRunner(init_kwargs={"num_cpus": workers, "include_dashboard": False})
