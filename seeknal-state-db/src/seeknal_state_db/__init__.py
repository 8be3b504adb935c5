"""The state backend "database": SQLite, Turso or PostgreSQL."""

__version__ = "0.1.0"
