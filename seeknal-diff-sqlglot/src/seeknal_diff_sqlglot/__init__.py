"""The classifier "sqlglot": SQL judged by what it means."""

__version__ = "0.1.0"
