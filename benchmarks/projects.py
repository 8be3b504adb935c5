"""Write projects to measure with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROWS = 1000
NODES_A_FOLDER = 100

Inputs = dict[str, list[str]]
"""Names of SQL nodes, each behind what it reads, and the ids that each reads."""


def chain(nodes: int) -> Inputs:
    """Each node reads the one before it, and the first one the source."""
    ids = ["source.rows", *(f"transform.node_{i:04}" for i in range(nodes))]
    return {f"node_{i:04}": [ids[i]] for i in range(nodes)}


def layers(nodes: int, width: int = 10) -> Inputs:
    """Each node reads two of the layer above it, and the first layer the source."""
    inputs = {}
    for index in range(nodes):
        layer, place = divmod(index, width)
        above = (layer - 1) * width
        read = [above + place, above + (place + 1) % width]
        inputs[f"node_{index:04}"] = (
            [f"transform.node_{i:04}" for i in read] if layer else ["source.rows"]
        )
    return inputs


def sql(inputs: list[str]) -> str:
    """A small SELECT of what one node reads, or of what two do."""
    if len(inputs) == 1:
        return f"SELECT id, (value * 3 + 1) % 1000003 AS value FROM ref('{inputs[0]}') AS a"
    return (
        "SELECT id, (a.value + b.value) % 1000003 AS value\n"
        f"FROM ref('{inputs[0]}') AS a JOIN ref('{inputs[1]}') AS b USING (id)"
    )


def write_run_project(root: Path, inputs: Inputs) -> None:
    """A project whose nodes cost little: what a run adds to them shows."""
    write_text(root / "seeknal_project.yml", "name: overhead\n")
    rows = "".join(f"{i},{i * 7 % 1009}\n" for i in range(ROWS))
    write_text(root / "data" / "rows.csv", f"id,value\n{rows}")
    write_text(
        root / "seeknal" / "rows.yml",
        "kind: source\nname: rows\nsource: csv\ntable: data/rows.csv\n",
    )
    for name, read in inputs.items():
        write_text(root / "seeknal" / f"{name}.sql", f"{sql(read)}\n")


def write_mixed_project(root: Path, nodes: int) -> None:
    """A project as people write them, in all three forms, a hundred files to a folder."""
    write_text(root / "seeknal_project.yml", "name: mixed\nparams:\n  currency: EUR\n")
    for index in range(nodes):
        for path, text in _files(index):
            write_text(root / path, text)


def _form(index: int) -> str:
    """Of a hundred nodes, three are sources, fifteen YAML transforms, and one is Python."""
    place = index % 100
    if place < 3:
        return "source"
    return "yaml" if place < 18 else "python" if place == 18 else "sql"


def _name(index: int) -> str:
    return f"{_form(index)}_{index:05}"


def _inputs(index: int) -> list[str]:
    """Up to three nodes that stand before this one, near and far."""
    read = sorted({index - step for step in (1, 7, 90) if index >= step})
    return [f"{'source' if _form(i) == 'source' else 'transform'}.{_name(i)}" for i in read]


def _files(index: int) -> Iterator[tuple[str, str]]:
    """The path and text of each file that a node of the mixed project needs."""
    name, form, inputs = _name(index), _form(index), _inputs(index)
    place = f"seeknal/area_{index // NODES_A_FOLDER:03}/{name}"
    if form == "source":
        yield f"data/{name}.csv", "id,day,amount\n1,2024-01-01,20.0\n2,2024-01-02,35.5\n"
        yield f"{place}.yml", _SOURCE.format(name=name)
    elif form == "yaml":
        refs = "\n".join(f"  - ref: {i}" for i in inputs)
        select = _select(inputs).replace("\n", "\n  ")
        yield f"{place}.yml", _YAML.format(name=name, inputs=refs, select=select)
    elif form == "python":
        yield f"{place}.py", _PYTHON.format(name=name, ref=inputs[0])
    else:
        yield f"{place}.sql", _SQL.format(select=_select(inputs))


def _select(inputs: list[str]) -> str:
    first, *rest = inputs
    joins = "".join(
        f"\nLEFT JOIN ref('{other}') AS r{i} ON r{i}.id = a.id AND r{i}.day = a.day"
        for i, other in enumerate(rest)
    )
    return _SELECT.format(first=first, joins=joins)


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


_SOURCE = """\
kind: source
name: {name}
description: Orders of one shop, as its till exports them
owner: shops
tags: [raw]
source: csv
table: data/{name}.csv
params:
  header: true
columns:
  id: The number of the order
  day: {{description: When it was placed, dtype: DATE}}
  amount: {{description: What was paid, dtype: DOUBLE}}
"""

_SELECT = """\
-- What was paid a day, without what was paid back
SELECT
    a.id,
    a.day,
    sum(a.amount) AS amount,
    count(*) FILTER (WHERE a.amount > 0) AS orders,
    '{{{{ params.currency }}}}' AS currency
FROM ref('{first}') AS a{joins}
WHERE a.amount IS NOT NULL
GROUP BY a.id, a.day
ORDER BY a.day, a.id"""

_YAML = """\
kind: transform
name: {name}
description: What was paid a day
tags: [daily]
inputs:
{inputs}
transform: |
  {select}
"""

_SQL = """\
/*
---
description: What was paid a day
owner: finance
tags: [daily, finance]
columns:
  id: The number of the order
  amount: What was paid
---
*/
{select}
"""

_PYTHON = """\
from seeknal.pipeline import transform


@transform(name="{name}", description="Days on which much was paid", tags=["daily"])
def {name}(ctx):
    rows = ctx.ref("{ref}")
    return ctx.duckdb.sql("SELECT id, day, amount FROM rows WHERE amount > 10")
"""


def put_away(folder: Path, old: Path) -> None:
    """Let a folder be new the next time. Nothing is deleted until all is measured: on ext4 without
    a journal, files that were deleted in the last minutes make it slow to create others."""
    old.mkdir(exist_ok=True)
    if folder.exists():
        folder.rename(old / str(len(os.listdir(old))))
