"""From the files of a project to its manifest, and to everything that is wrong with them."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from seeknal import __version__
from seeknal.config import Settings
from seeknal.dag.manifest import Manifest, Node
from seeknal.errors import BuildError, Flaw, Problem, ProjectError, did_you_mean
from seeknal.files import settled, signature
from seeknal.names import NODES_FOLDER, TARGET_FOLDER
from seeknal.project import python_form, sql_form, yaml_form
from seeknal.project.cache import ParseCache
from seeknal.project.parsed import Parsed, SourceFile
from seeknal.project.source_files import files_of, reads_files
from seeknal.project.templates import Templates, load_common
from seeknal.yaml_text import line_of

Check = Callable[[Node], Sequence[Flaw]]
"""What an engine finds wrong in a node."""

YAML = (".yml", ".yaml")
_FORMS: Mapping[str, Callable[[SourceFile, Templates], Parsed]] = {
    **dict.fromkeys(YAML, yaml_form.read),
    ".sql": sql_form.read,
    ".py": python_form.read,
}


@dataclass(frozen=True)
class Loaded:
    """manifest: the nodes. skipped: ids by the kind that nothing installed supports."""

    manifest: Manifest
    skipped: Mapping[str, list[str]] = field(default_factory=dict)


def load(root: Path, settings: Settings, check: Check, checked_by: str) -> Loaded:
    """Read a project's nodes.

    check: asked about every node that is new. checked_by: names who answers it, and in which
    version. Raises ProjectError with everything that is wrong.
    """
    common, problems = load_common(root / NODES_FOLDER / "common", root)
    templates = Templates(settings.params, common, settings.scheduler.name, settings.timezone)
    cache = ParseCache(
        root / TARGET_FOLDER / "cache" / "parsed.json",
        root,
        _cache_key(settings, common, checked_by),
    )
    reader = _Reader(root, templates, cache, check)
    paths = list(_walk(root))
    if not paths:
        problems.append(Problem("holds no nodes (.yml, .sql or .py files)", f"{NODES_FOLDER}/"))
    files = {path: reader.read(path) for path in paths}
    cache.save(set(files))

    parsed = list(files.values())
    problems += [problem for p in parsed for problem in p.problems]
    nodes = [node for p in parsed for node in p.nodes]
    skipped = defaultdict(list)
    for node_id in sorted(i for p in parsed for i in p.skipped):
        skipped[node_id.partition(".")[0]].append(node_id)

    problems += _twins(nodes)
    manifest = Manifest(settings.name, nodes)
    mentioned = {i: lines for p in parsed for i, lines in p.mentioned.items()}
    broken = {name for path, p in files.items() if p.problems for name in _names_in(path, p)}
    problems += _unknown(manifest, mentioned, {i for ids in skipped.values() for i in ids}, broken)
    problems += _cycles(manifest, mentioned)
    problems += _missing_files(root, nodes)
    if problems:
        raise ProjectError(problems)
    return Loaded(manifest, dict(skipped))


def _cache_key(settings: Settings, common: Mapping[str, object], checked_by: str) -> str:
    times = [settings.scheduler.name, settings.timezone]
    parts = [__version__, settings.params, times, common, checked_by]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _walk(root: Path) -> Iterator[str]:
    """Paths of the files that can hold nodes, relative to the project, sorted."""
    found: list[str] = []
    todo = [NODES_FOLDER]
    while todo:
        folder = todo.pop()
        try:
            entries = list(os.scandir(root / folder))
        except FileNotFoundError:
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.name.startswith((".", "__pycache__")) or path == f"{NODES_FOLDER}/common":
                continue
            if entry.is_dir(follow_symlinks=False):
                todo.append(path)
            elif os.path.splitext(entry.name)[1] in _FORMS and entry.is_file():
                found.append(path)
    return iter(sorted(found))


class _Reader:
    """Reads files through the cache."""

    def __init__(self, root: Path, templates: Templates, cache: ParseCache, check: Check) -> None:
        self._root, self._templates, self._cache, self._check = root, templates, cache, check
        self._python_is_fresh = False

    def read(self, path: str) -> Parsed:
        full = f"{self._root}/{path}"
        now, sign = time.time_ns(), signature(full)
        known = self._cache.get(path, sign)
        if known is not None:
            return known
        try:
            text = Path(full).read_text(encoding="utf-8-sig")
        except (UnicodeDecodeError, OSError) as error:
            what = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
            return Parsed(problems=[Problem(what, path)])
        suffix = PurePosixPath(path).suffix
        if suffix == ".py" and not self._python_is_fresh:
            python_form.forget_executed(self._root)
            self._python_is_fresh = True
        parsed = _FORMS[suffix](SourceFile(self._root, path, text), self._templates)
        for node in parsed.nodes:
            parsed.problems += [_problem(flaw, node, text) for flaw in self._check(node)]
        uses = {used: signature(self._root / used) for used in parsed.uses}
        if not parsed.problems and all(settled(s, now) for s in (sign, *uses.values())):
            self._cache.put(path, sign, uses, parsed)
        return parsed


def _problem(flaw: Flaw, node: Node, text: str) -> Problem:
    line = node.line if flaw.line is None else node.line + flaw.line - 1
    if flaw.key and node.file_path.endswith(YAML):
        line = line_of(text, flaw.key) or line
    elif flaw.key and node.file_path.endswith(".sql"):
        line = sql_form.line_of_setting(text, flaw.key) or line
    return Problem(flaw.message, node.file_path, line)


def _twins(nodes: Sequence[Node]) -> list[Problem]:
    """Two nodes of one name; case doesn't tell names apart, since SQL doesn't."""
    counts = Counter(n.id.lower() for n in nodes)
    first: dict[str, Node] = {}
    problems = []
    for node in nodes:
        key = node.id.lower()
        if counts[key] > 1 and key in first:
            other = first[key]
            problems.append(
                Problem(
                    f"{node.id} is already defined in {other.file_path}:{other.line}",
                    node.file_path,
                    node.line,
                )
            )
        first.setdefault(key, node)
    return problems


def _names_in(path: str, parsed: Parsed) -> list[str]:
    """Names that nodes of a file with problems have, or would have: by what it says, or its own."""
    return [PurePosixPath(path).stem, *parsed.broken]


def _unknown(
    manifest: Manifest,
    mentioned: Mapping[str, Mapping[str, int]],
    skipped: set[str],
    broken: set[str],
) -> list[Problem]:
    """Refs to what isn't there; what is there and has problems of its own is not one of them."""
    problems = []
    for node in manifest.nodes.values():
        for ref in node.inputs:
            if ref in manifest.nodes or ref.rpartition(".")[2] in broken:
                continue
            if ref in skipped:
                kind = ref.partition(".")[0]
                why = f"needs {ref}, and nothing installed supports the kind '{kind}'"
            else:
                why = f"there is no node '{ref}'.{_nearest(ref, manifest)}"
            problems.append(Problem(why, node.file_path, mentioned[node.id].get(ref)))
    return problems


def _nearest(ref: str, manifest: Manifest) -> str:
    same_name = [i for i in manifest.nodes if i.partition(".")[2] == ref.rpartition(".")[2]]
    return f" Did you mean '{same_name[0]}'?" if same_name else did_you_mean(ref, manifest.nodes)


def _cycles(manifest: Manifest, mentioned: Mapping[str, Mapping[str, int]]) -> list[Problem]:
    problems = []
    for cycle in manifest.cycles():
        last = manifest.nodes[cycle[-1]]
        line = mentioned[last.id].get(cycle[-2])
        path = " -> ".join(reversed(cycle))
        problems.append(Problem(f"nodes need each other: {path}", last.file_path, line))
    return problems


def _missing_files(root: Path, nodes: Sequence[Node]) -> list[Problem]:
    problems = []
    for node in nodes:
        if not reads_files(node):
            continue
        try:
            files_of(root, node)
        except BuildError as error:
            text = (root / node.file_path).read_text(encoding="utf-8-sig")
            problems.append(_problem(Flaw(str(error), key=("table",)), node, text))
    return problems
