"""Choose nodes of a manifest, in the syntax that dbt's users know.

`name` or `kind.name`; `+name` with everything it needs; `name+` with everything that needs it;
`tag:x`; `path:dir`, a file or folder below the project or below its `seeknal/`. A `+` goes with
each of them, names take `*` and `?`, and several joined by spaces or commas are united.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from seeknal.dag.manifest import Manifest, Node
from seeknal.errors import RequestError, did_you_mean


def select(manifest: Manifest, selector: str) -> set[str]:
    """Ids of the selected nodes. Raises RequestError when a part of the selector matches none."""
    parts = re.split(r"[\s,]+", selector.strip())
    if parts == [""]:
        raise RequestError("An empty selector selects nothing: name a node, as in --select +name.")
    return set().union(*(_select_one(manifest, part) for part in parts if part))


def _select_one(manifest: Manifest, part: str) -> set[str]:
    core = part.removeprefix("+").removesuffix("+")
    matches = _matcher(core)
    chosen = {n.id for n in manifest.nodes.values() if matches(n)}
    if not chosen:
        raise RequestError(f"'{part}' selects no node.{_nearest(manifest, core)}")
    selected = set(chosen)
    if part.startswith("+"):
        selected |= manifest.upstream(chosen)
    if part.endswith("+"):
        selected |= manifest.downstream(chosen)
    return selected


def _matcher(core: str) -> Callable[[Node], bool]:
    method, _, value = core.partition(":")
    if method == "tag" and value:
        return lambda node: any(fnmatchcase(tag, value) for tag in node.tags)
    if method == "path" and value:
        folder = value.removeprefix("./").rstrip("/")
        places = (folder, f"seeknal/{folder}")
        return lambda node: any(
            node.file_path == p or node.file_path.startswith(f"{p}/") for p in places
        )
    if ":" in core:
        raise RequestError(
            f"'{core}' is no selector. Use a name, tag:x or path:dir, with + before it for what "
            "it needs or behind it for what needs it."
        )
    return lambda node: fnmatchcase(node.id, core) or fnmatchcase(node.name, core)


def _nearest(manifest: Manifest, core: str) -> str:
    method, _, value = core.partition(":")
    known: Iterable[str] = manifest.names
    if method == "tag" and value:
        known = {f"tag:{tag}" for n in manifest.nodes.values() for tag in n.tags}
    return did_you_mean(core, known)
