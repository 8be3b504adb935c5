"""What the entry point names. DuckDB is imported when an engine is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seeknal.hookspecs import Offer, hookimpl

if TYPE_CHECKING:
    from seeknal.workflow.engine import Engine, Workspace


def create(
    workspace: Workspace,
    *,
    threads: int | None = None,
    memory_limit: str | None = None,
    storage_options: dict[str, object] | None = None,
) -> Engine:
    """threads: processors that one engine uses. memory_limit: as DuckDB writes it, "4GB"; what
    doesn't fit goes to disk under target/. storage_options: for the fsspec file system of a
    storage URL."""
    from seeknal_engine_duckdb.engine import DuckDBEngine

    return DuckDBEngine(
        workspace, threads=threads, memory_limit=memory_limit, storage_options=storage_options
    )


@hookimpl
def seeknal_engine() -> Offer[Engine]:
    return Offer(create=create, summary="DuckDB computes nodes into Parquet snapshots")
