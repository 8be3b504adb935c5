"""What `seeknal plugins new` writes: a package with one plugin that works, and its tests.

Its files are the templates of `packages/common/` and those of `packages/<kind>/`, without `.in`. In
their paths and texts, `{{name}}` and the like are filled in. `using.md.in` goes into the README.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from seeknal.errors import RequestError, did_you_mean
from seeknal.files import write_new_folder
from seeknal.hookspecs import API_VERSION, KINDS
from seeknal.installed import COMMANDS_GROUP, HOOKS_GROUP
from seeknal.names import check_plugin_name
from seeknal.plugins import Plugins

_TEMPLATES = Path(__file__).with_name("packages")
_FIELD = re.compile(r"\{\{(\w+)\}\}")
_SUFFIX = ".in"
_USING = "using.md.in"


class PackageKind(NamedTuple):
    """name: as `seeknal plugins` shows it. label: as people call it. target: what the entry point
    names in the plugin module."""

    name: str
    label: str
    group: str
    target: str = ""


PACKAGE_KINDS = {
    **{
        kind.name.replace("_", "-"): PackageKind(kind.name, kind.label, kind.group)
        for kind in KINDS
    },
    "command": PackageKind("command", "command", COMMANDS_GROUP, ":app"),
    "hooks": PackageKind("hook", "listener", HOOKS_GROUP),
}


def create_package(kind: str, name: str, folder: Path) -> Path:
    """Write a new package into a folder of its own in `folder`, and return that.

    Raises RequestError for a kind that there isn't, a name that can't be or that is taken, and when
    there is something in its place.
    """
    if kind not in PACKAGE_KINDS:
        raise RequestError(
            f"There is no kind of plugin '{kind}'.{did_you_mean(kind, PACKAGE_KINDS)} "
            f"Kinds: {', '.join(PACKAGE_KINDS)}."
        )
    fields = _fields(kind, check_plugin_name(name))
    for announced in Plugins().announced(fields["group"]):
        if announced.name == name:
            what = f"The {fields['label']} '{name}'"
            raise RequestError(f"{what} is offered by {announced.origin}: choose another name.")
    root = folder / fields["distribution"]
    write_new_folder(root, dict(_files(kind, fields)))
    return root


def _fields(kind: str, name: str) -> dict[str, str]:
    of_kind = PACKAGE_KINDS[kind]
    distribution = f"seeknal-{'state' if kind == 'state-backend' else kind}-{name}"
    package = distribution.replace("-", "_")
    major, minor = map(int, API_VERSION.split("."))
    return {
        "name": name,
        "kind": of_kind.name,
        "label": of_kind.label,
        "group": of_kind.group,
        "distribution": distribution,
        "package": package,
        "target": f"{package}.plugin{of_kind.target}",
        "module": name.replace("-", "_"),
        "Name": "".join(part.capitalize() for part in name.split("-")),
        "requirement": f"seeknal-core>={API_VERSION},<{major}.{minor + 2}",
    }


def _files(kind: str, fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Paths and texts."""
    using = _filled((_TEMPLATES / kind / _USING).read_text(encoding="utf-8"), fields)
    more = {**fields, "using": using.strip()}
    for folder in (_TEMPLATES / "common", _TEMPLATES / kind):
        for file in sorted(folder.rglob(f"*{_SUFFIX}")):
            path = file.relative_to(folder).as_posix()
            if path != _USING:
                text = _filled(file.read_text(encoding="utf-8"), more)
                yield _filled(path, fields).removesuffix(_SUFFIX), text


def _filled(text: str, fields: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda match: fields[match[1]], text)
