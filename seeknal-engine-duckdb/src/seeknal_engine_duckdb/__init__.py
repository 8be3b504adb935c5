"""The engine "duckdb": computes nodes into Parquet snapshots."""

__version__ = "0.1.0"
