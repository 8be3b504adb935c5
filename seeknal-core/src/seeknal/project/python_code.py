"""What of a Python file can have a say in one of its functions.

All of it, but other functions and classes that nothing names which the function can reach: neither
by name, nor in a text, nor by what runs when the file is executed.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Collection, Iterator

PIPELINE = "seeknal.pipeline"
IMPORTERS = {"__import__", "exec", "eval", "import_module", "importlib", "pkgutil", "runpy"}
"""Where one of these is named, modules may be imported by a text."""

LOOKED_UP = IMPORTERS | {
    "__dict__", "__globals__", "currentframe", "gc", "getmembers", "globals", "inspect", "locals",
    "modules", "sys", "vars",
}  # fmt: skip
"""Where one of these is named, functions may be found without being named."""

_WORD = re.compile(r"\w+")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def canonical(tree: ast.Module, with_docstrings: bool = False) -> str:
    """A syntax tree as text, without comments, layout and, as long as nothing reads them,
    docstrings."""
    return ast.dump(tree if with_docstrings else _without_docstrings(tree))


def reachable(tree: ast.Module, function: str, with_docstrings: bool = False) -> str:
    """The part of a file that one of its nodes' functions can reach, as `canonical` writes it.

    What a decorator of `seeknal.pipeline` says of a node is not part of its function.
    """
    decorators = set(_pipeline_names(tree))
    copied = copy.deepcopy(tree) if with_docstrings else _without_docstrings(tree)
    statements = [_undecorated(s, decorators) for s in copied.body]
    names = {id(s): words(s) for s in statements}
    if any(found & LOOKED_UP for found in names.values()):
        return "\n".join(map(ast.dump, statements))
    kept = {id(s) for s in statements if not _only_defines(s)}
    todo = [{function}, *(names[place] for place in kept)]
    while todo:
        named = todo.pop()
        for s in statements:
            if id(s) not in kept and isinstance(s, Function) and s.name in named:
                kept.add(id(s))
                todo.append(names[id(s)])
    return "\n".join(ast.dump(s) for s in statements if id(s) in kept)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    copied = copy.deepcopy(tree)
    for node in ast.walk(copied):
        if isinstance(node, ast.Module | ast.ClassDef | Function):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return copied


def _pipeline_names(tree: ast.Module) -> Iterator[str]:
    """What the file calls the decorators, and the module that they are in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == PIPELINE:
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "seeknal":
            yield from (a.asname or a.name for a in node.names if a.name == "pipeline")
        elif isinstance(node, ast.Import):
            yield from (a.asname for a in node.names if a.name == PIPELINE and a.asname)


def _undecorated(statement: ast.stmt, decorators: Collection[str]) -> ast.stmt:
    if isinstance(statement, Function):
        statement.decorator_list = [
            d for d in statement.decorator_list if not _is_of_pipeline(d, decorators)
        ]
    return statement


def _is_of_pipeline(decorator: ast.expr, names: Collection[str]) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    while isinstance(called, ast.Attribute):
        called = called.value
    return isinstance(called, ast.Name) and called.id in names


def _only_defines(statement: ast.stmt) -> bool:
    """Whether nothing happens when it is executed but that the name of a function gets a meaning:
    a decorator may register it, a default or an annotation may be a call, a class may have a
    metaclass."""
    if not isinstance(statement, Function) or statement.decorator_list:
        return False
    head = [statement.args, *filter(None, [statement.returns])]
    return not any(isinstance(n, ast.Call) for part in head for n in ast.walk(part))


def words(tree: ast.AST) -> set[str]:
    """All words in it: names, attributes, names of arguments, imported names, and texts."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found.update((node.module or "").split("."))
        elif isinstance(node, ast.alias):
            found.update(node.name.split("."))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(_WORD.findall(node.value))
    return found
