"""The state backend "file": JSON files that people can read."""

__version__ = "0.1.0"
