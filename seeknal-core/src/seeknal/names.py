"""Names that stand for something everywhere, and the pattern that people's names match.

Names of nodes, environments and runs become folder names, table names and parts of URLs. A name
is checked before any of that.
"""

from __future__ import annotations

import re

from seeknal.errors import RequestError

PROJECT_FILE = "seeknal_project.yml"
NODES_FOLDER = "seeknal"
TARGET_FOLDER = "target"
PROD = "prod"
"""The environment that everything is about where nothing else is said."""

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}")
NAME_RULE = "up to 128 letters, digits, '_' and '-', not beginning with '-'"


def check_name(name: str, what: str) -> str:
    """Return `name`, or raise RequestError that says what a `what` may be called."""
    if not NAME.fullmatch(name):
        raise RequestError(f"{name!r} can't be the name of {what}: use {NAME_RULE}.")
    return name


PLUGIN_NAME = re.compile(r"(?=.{1,20}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*")
PLUGIN_NAME_RULE = (
    "up to 20 small letters, digits and single '-' between them, a letter first, as in 'redis-ha'"
)


def check_plugin_name(name: str) -> str:
    """Return `name`, or raise RequestError that says what a new plugin may be called.

    The name goes into those of a distribution, a package and a class, and lines of a hundred
    letters hold two of them.
    """
    if not PLUGIN_NAME.fullmatch(name):
        raise RequestError(f"{name!r} can't be the name of a plugin: use {PLUGIN_NAME_RULE}.")
    return name


def run_command(environment: str) -> str:
    """The command that brings an environment up to date."""
    return "seeknal run" + ("" if environment == PROD else f" --env {environment}")
