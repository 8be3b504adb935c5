"""Nodes in a Python file: functions under the decorators of `seeknal.pipeline`.

A file is executed when it is first read, and again when it, or project code that it imports, has
changed, or when one of its functions is to be called.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeGuard

from seeknal.dag.manifest import Node
from seeknal.errors import BuildError, Problem
from seeknal.pipeline import Declared, collecting
from seeknal.project.parsed import Code, Parsed, SourceFile, add_node
from seeknal.project.python_code import IMPORTERS, canonical, reachable, words
from seeknal.project.templates import Templates


def read(file: SourceFile, templates: Templates) -> Parsed:
    parsed = Parsed()
    try:
        tree = ast.parse(file.text, file.path)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        message = getattr(error, "msg", None) or str(error)
        parsed.problems.append(Problem(f"not valid Python: {message}", file.path, line))
        return parsed
    modules = dict(_project_modules(file.root, Path(file.path), tree))
    parsed.uses = sorted(modules)
    try:
        declared = _execute(file.root, file.path)
    except BuildError as error:
        parsed.problems.append(Problem(str(error), file.path, error.line))
        return parsed
    told = any("__doc__" in words(one) for one in (tree, *modules.values()))
    others = [f"{path}\n{canonical(one, told)}" for path, one in sorted(modules.items())]
    functions = {
        n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for one in declared:
        name = one.function.__name__
        definition = functions.get(name)
        texts = [reachable(tree, name, told), *others]
        add_node(
            parsed,
            file,
            {"name": name, **one.fields, "kind": one.kind},
            locate=lambda _, line=one.line: line,  # type: ignore[misc]
            templates=templates,
            body_line=lambda line=one.line: line,  # type: ignore[misc]
            code=Code(
                function=one.function.__qualname__,
                hash=_hash(texts),
                refs=_refs(definition) if definition else {},
                reads_params=any("params" in text for text in texts),
            ),
        )
    return parsed


def load_function(root: Path, node: Node) -> Callable[..., Any]:
    """The function that computes a node. Raises BuildError when its file no longer has it."""
    for one in _execute(root, node.file_path):
        if f"{one.kind}.{one.fields.get('name', one.function.__name__)}" == node.id:
            return one.function
    raise BuildError(f"{node.file_path} no longer declares {node.id}: run again.")


_executed: dict[tuple[Path, str], tuple[int, list[Declared]]] = {}
_executing = threading.RLock()


def _execute(root: Path, path: str) -> list[Declared]:
    """What a file declares, executing it unless this process has done so since it changed."""
    full = root / path
    with _executing:
        try:
            modified = full.stat().st_mtime_ns
        except OSError as error:
            raise BuildError(f"{path} can't be read: {error}") from error
        known = _executed.get((root, path))
        if known and known[0] == modified:
            return known[1]
        declared = _execute_anew(root, full)
        _executed[root, path] = (modified, declared)
        return declared


def _execute_anew(root: Path, full: Path) -> list[Declared]:
    """Modules of the project that were imported for another file are not this one's."""
    _drop_modules(root)
    for place in (str(root), str(full.parent)):
        if place in sys.path:
            sys.path.remove(place)
        sys.path.insert(0, place)
    spec = importlib.util.spec_from_file_location(f"seeknal_nodes_{_hash([str(full)])[:16]}", full)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with collecting() as declared:
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [f.lineno for f in frames if f.filename == str(full)]
            message = f"{type(error).__name__} while it was executed: {error}"
            raise BuildError(message, line=lines[-1] if lines else None) from error
    return declared


def _drop_modules(root: Path) -> None:
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None) or ""
        own = place.startswith(f"{root}{os.sep}") and "site-packages" not in place
        if own and not name.startswith("seeknal_nodes_"):
            del sys.modules[name]


def forget_executed(root: Path) -> None:
    """Execute this project's files anew: what they import may have changed."""
    for key in [k for k in _executed if k[0] == root]:
        del _executed[key]


def _project_modules(
    root: Path, path: Path, tree: ast.AST, seen: set[str] | None = None
) -> Iterator[tuple[str, ast.Module]]:
    """The project's own modules that a file imports, directly or through others."""
    seen = set() if seen is None else seen
    here = (root / path).parent
    for level, name in _imported(tree):
        folders = (here, root) if not level else ((here, *here.parents)[level - 1],)
        for folder in folders:
            candidate = folder.joinpath(*filter(None, name.split(".")))
            for found in (candidate.with_suffix(".py"), candidate / "__init__.py"):
                if not found.is_file() or not found.is_relative_to(root):
                    continue
                relative = found.relative_to(root).as_posix()
                if relative in seen:
                    continue
                seen.add(relative)
                try:
                    inner = ast.parse(found.read_text(encoding="utf-8"))
                except (SyntaxError, ValueError):
                    continue
                yield relative, inner
                yield from _project_modules(root, Path(relative), inner, seen)


def _imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names of modules, with the number of dots before them. Where modules are imported by their
    names as texts, any text may be one."""
    by_text = bool(words(tree) & IMPORTERS)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from ((0, prefix) for prefix in _prefixes(alias.name))
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from ((node.level, prefix) for prefix in _prefixes(module))
            for alias in node.names:
                yield node.level, f"{module}.{alias.name}"
        elif by_text and isinstance(node, ast.Constant) and _is_dotted(node.value):
            yield from ((0, prefix) for prefix in _prefixes(node.value))


def _is_dotted(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and all(part.isidentifier() for part in value.split("."))


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _refs(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, int]:
    """Ids in `ctx.ref("...")`, whatever the first parameter is called, with their lines."""
    parameters = [*function.args.posonlyargs, *function.args.args]
    if not parameters:
        return {}
    context = parameters[0].arg
    return {
        call.args[0].value: call.lineno
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "ref"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == context
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def _hash(texts: list[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
