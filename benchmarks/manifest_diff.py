"""What comparing two manifests of 10,000 nodes costs, with their nodes to rebuild.

Nodes are of 40 lines, with two CTEs and a join, in layers of a hundred. Ours is
`ManifestDiff.compare` and `get_nodes_to_rebuild`: with nothing changed, with one node in a hundred
edited, and with all edited: half as many of them and all on one core, then all on all cores. Bare
is `sqlglot.parse_one` of both texts of each edited node.
"""

from __future__ import annotations

import os

import sqlglot
import timing

from seeknal.dag.diff import ManifestDiff
from seeknal.dag.judge import Judge
from seeknal.dag.manifest import Manifest, Node
from seeknal.processes import cores

NODES = 10_000
WIDTH = 100
ALL_EDITED = 2_000
REPETITIONS = 2
MOST_UNCHANGED, MOST_AN_EDIT, MOST_GROWTH, MOST_OF_ONE_CORE = 0.2, 0.005, 1.2, 0.8


def main() -> None:
    judge = Judge.of()
    one = _nodes(NODES)
    old = Manifest("p", one)
    few = [_edited(n) if i % 100 == 7 else n for i, n in enumerate(one)]
    edits = sum(a is not b for a, b in zip(one, few, strict=True))
    half, whole = _nodes(ALL_EDITED // 2), _nodes(ALL_EDITED)
    sides = {
        "unchanged": lambda: _compare(old, Manifest("p", _nodes(NODES)), judge),
        "few": lambda: _compare(old, Manifest("p", few), judge),
        "few_parsed": lambda: timing.seconds(lambda: _parse(one, few)),
        "half": lambda: _on_one_core(Manifest("p", half), _all_edited(half), judge),
        "whole": lambda: _on_one_core(Manifest("p", whole), _all_edited(whole), judge),
        "all_cores": lambda: _compare(Manifest("p", whole), _all_edited(whole), judge),
    }
    times = timing.interleaved(sides, REPETITIONS)
    unchanged = timing.compared(times["unchanged"], times["few_parsed"])["ours_s"]
    few_s = timing.compared(times["few"], times["few_parsed"])
    allowed = MOST_UNCHANGED + MOST_AN_EDIT * edits
    growth = timing.compared(times["whole"], times["half"])["ratio"] / 2
    all_cores = timing.judged(times["all_cores"], times["whole"], MOST_OF_ONE_CORE)
    figures = {
        "nodes": NODES,
        "unchanged_s": unchanged,
        "one_in_a_hundred": {**few_s, "edits": edits, "target_s": round(allowed, 3)},
        "all": {
            "nodes": ALL_EDITED,
            **timing.compared(times["whole"], times["half"]),
            "growth": round(growth, 3),
        },
        "all_cores": {"cores": cores(), **all_cores},
        "met": unchanged <= MOST_UNCHANGED
        and few_s["ours_s"] <= allowed
        and growth <= MOST_GROWTH
        and (cores() == 1 or all_cores["met"]),
    }
    timing.report("manifest_diff", figures)


def _nodes(count: int) -> list[Node]:
    found = [
        Node("source.rows", config={"source": "parquet", "table": "rows.parquet", "params": {}})
    ]
    for index in range(count - 1):
        layer, place = divmod(index, WIDTH)
        above = (layer - 1) * WIDTH
        read = [f"transform.n{above + p:05}" for p in (place, (place + 1) % WIDTH)]
        inputs = read if layer else ["source.rows", "source.rows"]
        found.append(
            Node(f"transform.n{index:05}", tuple(dict.fromkeys(inputs)), {"sql": _sql(*inputs)})
        )
    return found


def _edited(node: Node) -> Node:
    if "sql" not in node.config:
        return node
    sql = node.config["sql"].replace("t.orders,", "t.orders,\n    t.orders * 2 AS twice,", 1)
    return Node(node.id, node.inputs, {"sql": sql})


def _all_edited(nodes: list[Node]) -> Manifest:
    return Manifest("p", map(_edited, nodes))


def _compare(old: Manifest, new: Manifest, judge: Judge) -> float:
    return timing.seconds(
        lambda: ManifestDiff.compare(old, new, judge=judge).get_nodes_to_rebuild(new)
    )


def _on_one_core(old: Manifest, new: Manifest, judge: Judge) -> float:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        return _compare(old, new, judge)
    finally:
        os.sched_setaffinity(0, allowed)


def _parse(old: list[Node], new: list[Node]) -> None:
    for before, after in zip(old, new, strict=True):
        if before is not after:
            for node in (before, after):
                sqlglot.parse_one(node.config["sql"], read="duckdb")


def _sql(left: str, right: str) -> str:
    return f"""\
-- Orders of a day, with what they come to
WITH orders AS (
    SELECT
        id,
        customer,
        day,
        amount,
        discount,
        amount * (1 - discount) AS net,
        CASE
            WHEN amount > 1000 THEN 'large'
            WHEN amount > 100 THEN 'medium'
            ELSE 'small'
        END AS size
    FROM {left} AS o
    WHERE day >= DATE '2024-01-01'
      AND amount IS NOT NULL
),
totals AS (
    SELECT
        customer,
        day,
        count(*) AS orders,
        sum(net) AS total,
        avg(discount) AS discount
    FROM orders
    WHERE size <> 'small'
    GROUP BY customer, day
    HAVING sum(net) > 0
)
SELECT
    t.customer,
    r.id,
    t.day,
    t.orders,
    t.total AS amount,
    t.discount,
    coalesce(r.amount, 0) AS before,
    t.total - coalesce(r.amount, 0) AS change
FROM totals AS t
LEFT JOIN {right} AS r
    ON t.customer = r.customer AND t.day = r.day + INTERVAL 1 DAY
WHERE t.orders BETWEEN 1 AND 100
ORDER BY t.customer, t.day
"""


if __name__ == "__main__":
    main()
