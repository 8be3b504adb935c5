"""What installed distributions announce as plugins, from their metadata alone."""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

HOOKS_GROUP = "seeknal.hooks"
COMMANDS_GROUP = "seeknal.commands"


class Announced(NamedTuple):
    """What a distribution's metadata says of one plugin; nothing has been imported.

    value: where the plugin is, as `package.module` or `package.module:attribute`. needs: what its
    distribution requires of the core.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str
    needs: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        return f"{self.distribution} {self.version}"


def read_index() -> dict[str, list[Announced]]:
    """Every plugin that is announced, by group, sorted by name.

    Of a distribution that is installed twice, the first on the path counts.
    """
    from importlib_metadata import distributions

    index: dict[str, list[Announced]] = defaultdict(list)
    seen: set[str] = set()
    for distribution in distributions(path=[p for p in sys.path if os.path.isdir(p or ".")]):
        text = _read(distribution.read_text, "entry_points.txt")
        if "[seeknal." not in text:
            continue
        metadata = _read(distribution.read_text, "METADATA", "PKG-INFO")
        head = metadata.partition("\n\n")[0]
        fields, needs = dict(_FIELDS.findall(head)), tuple(_NEEDS.findall(head))
        name, version = fields.get("Name", "unknown"), fields.get("Version", "unknown")
        if normalized(name) not in seen:
            seen.add(normalized(name))
            for group, key, value in _entry_points(text):
                index[group].append(Announced(group, key, value, name, version, needs))
    for found in index.values():
        found.sort(key=lambda a: (a.name, a.distribution))
    return index


_FIELDS = re.compile(r"^(Name|Version): *(.+?) *$", re.MULTILINE)
_NEEDS = re.compile(r"^Requires-Dist: *(seeknal[-_.]+core\b.*?) *$", re.MULTILINE | re.IGNORECASE)
"""Of a metadata file's head: parsing it whole would cost more than all the rest."""


def _read(read_text: Callable[[str], str | None], *names: str) -> str:
    """The first of these files that there is and that is text."""
    for name in names:
        try:
            text = read_text(name)
        except (OSError, UnicodeDecodeError):
            continue
        if text:
            return text
    return ""


def _entry_points(text: str) -> Iterator[tuple[str, str, str]]:
    """Group, name and value of each line; what is no entry point is passed over."""
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif "=" in line and group.startswith("seeknal.") and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            if name.strip():
                yield group, name.strip(), value.strip()


def normalized(name: str) -> str:
    """As packaging compares names of distributions: `Acme_Thing` is `acme-thing`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def extras_of(distribution: str) -> list[str]:
    """The names of a distribution's extras; none when it is not installed."""
    from importlib_metadata import PackageNotFoundError, metadata

    try:
        return metadata(distribution).get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return []
