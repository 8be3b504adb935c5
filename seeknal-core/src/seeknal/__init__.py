"""Seeknal runs folders of SQL and Python nodes, and every part of it can be swapped."""

__version__ = "0.1.0"
