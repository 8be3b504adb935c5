"""The state backend redis of Seeknal."""

__version__ = "0.1.0"
