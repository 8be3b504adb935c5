"""A small project in a folder of its own, for tests that read one."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from seeknal.config import load_settings
from seeknal.dag.manifest import Node
from seeknal.errors import Flaw, ProjectError
from seeknal.project import loader

SETTINGS = """\
name: shop
params:
  least: 5
  currency: EUR
"""
ORDERS = """\
kind: source
name: orders
source: csv
table: data/orders.csv
"""


def nothing_wrong(node: Node) -> Sequence[Flaw]:
    return ()


class Project:
    """A project with one node, `source.orders`, over a CSV file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("seeknal_project.yml", SETTINGS)
        self.write("data/orders.csv", "id,amount\n1,10\n")
        self.write("seeknal/sources/orders.yml", ORDERS)

    def write(self, path: str, text: str | bytes) -> Path:
        """Write a file as it is given: line ends stay what they are."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def remove(self, *paths: str) -> None:
        for path in paths:
            (self.root / path).unlink()

    def settle(self) -> None:
        """Wait until what was written last is old enough to be remembered."""
        time.sleep(0.06)

    def load(self, check: loader.Check = nothing_wrong, checked_by: str = "tests") -> loader.Loaded:
        return loader.load(self.root, load_settings(self.root), check, checked_by)

    def node(self, node_id: str) -> Node:
        return self.load().manifest.nodes[node_id]

    def problems(self, check: loader.Check = nothing_wrong) -> list[str]:
        """What is wrong with the project, as people see it: there must be something."""
        with pytest.raises(ProjectError) as error:
            self.load(check)
        return [str(problem) for problem in error.value.problems]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A new project. Modules that its Python nodes import are forgotten afterwards."""
    path, modules = sys.path.copy(), set(sys.modules)
    yield Project(tmp_path)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        place = getattr(sys.modules[name], "__file__", None)
        if place and Path(place).is_relative_to(tmp_path):
            del sys.modules[name]
