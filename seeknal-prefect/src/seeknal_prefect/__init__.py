"""The plugin of Seeknal that runs its tasks on Prefect."""

__version__ = "0.1.0"
