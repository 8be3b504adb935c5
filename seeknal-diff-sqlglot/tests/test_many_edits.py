"""Many edits are judged in several processes, and come to the same as in one."""

from __future__ import annotations

import pytest

from seeknal.dag import impact
from seeknal.dag.diff import ManifestDiff
from seeknal.dag.impact import Effect
from seeknal.dag.judge import Judge
from seeknal.dag.manifest import Manifest, Node
from seeknal.processes import Processes

WIDTH, LAYERS = 8, 70


def node(name: str, sql: str, *inputs: str) -> Node:
    return Node(f"transform.{name}", inputs, {"sql": sql})


def manifest(added: str, factor: int) -> Manifest:
    """Layers of nodes that read the layer above, by star or by name, and one that is broken."""
    nodes = [node(f"n0_{place}", f"SELECT {place} AS a, 2 AS b{added}") for place in range(WIDTH)]
    for layer in range(1, LAYERS):
        for place in range(WIDTH):
            above = f"transform.n{layer - 1}_{place}"
            sql = (
                f"SELECT *, {layer} AS l{layer} FROM {above}",
                f"SELECT a, b + {factor} AS b FROM {above}",
                f"SELECT a, count(*) AS b FROM {above} GROUP BY a",
                f"SELECT a, b, {factor} AS c FROM {above} WHERE b > 1",
            )[(place + layer) % 4]
            nodes.append(node(f"n{layer}_{place}", sql, above))
    nodes.append(node("broken", f"SELECT FROM {factor} (", "transform.n0_0"))
    return Manifest("p", nodes)


class Watched(Processes[object, Effect]):
    at_the_end: list[int] = []

    def __exit__(self, *error: object) -> None:
        self.at_the_end.append(len(self._others))
        super().__exit__(*error)


def effects(cores: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Effect]]:
    monkeypatch.setattr(impact, "Processes", Watched)
    monkeypatch.setattr(impact, "cores", lambda: cores)
    monkeypatch.setattr(impact, "WORTH_A_PROCESS", 20)
    old, new = manifest("", 1), manifest(", 3 AS c", 2)
    diff = ManifestDiff.compare(old, new, judge=Judge.of(["sqlglot"]))
    return list(diff.effects.items())


def test_in_several_processes_all_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    in_one = effects(1, monkeypatch)
    assert effects(3, monkeypatch) == in_one
    assert Watched.at_the_end == [0, 2]
    categories = {effect.change.category for _, effect in in_one}
    assert len(categories) == 3
    assert len(in_one) > 250
