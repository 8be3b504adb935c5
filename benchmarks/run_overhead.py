"""What a run costs above the DuckDB statements that it issues: 500 small SQL nodes.

In a chain, where nothing can be done at the same time, and in layers of ten, where it can. Ours is
a fresh project opened, planned, run, recorded and published; bare is a loop over the same COPY
statements and renames, into folders of the same layout. Both in this process, and, for
information, as processes of their own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import bare_copies
import projects
import timing

from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.runner import RunRequest, run_project

NODES = 500
REPETITIONS = 7
PROCESS_REPETITIONS = 5
MOST = 1.5
SEEKNAL = Path(sys.executable).with_name("seeknal")
BARE = Path(bare_copies.__file__)


def main() -> None:
    shapes = {"chain": projects.chain(NODES), "layers": projects.layers(NODES)}
    figures = {name: _measure(inputs) for name, inputs in shapes.items()}
    met = all(f["met"] for f in figures.values())
    timing.report("run_overhead", {"nodes": NODES, **figures, "target": MOST, "met": met})


def _measure(inputs: projects.Inputs) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, "project"), Path(folder, "bare")
        projects.write_run_project(root, inputs)
        statements = _statements(root, inputs, out)
        listed, target, old = Path(folder, "statements.json"), root / "target", Path(folder, "old")
        listed.write_text(json.dumps(statements), encoding="utf-8")

        def ours() -> float:
            projects.put_away(target, old)
            return timing.seconds(lambda: _run(root))

        def bare() -> float:
            projects.put_away(out, old)
            out.mkdir()
            return timing.seconds(lambda: bare_copies.copy_all(statements))

        def ours_as_process() -> float:
            projects.put_away(target, old)
            return timing.process([SEEKNAL, "run", "-p", root], root).seconds

        def bare_as_process() -> float:
            projects.put_away(out, old)
            out.mkdir()
            return timing.process([sys.executable, BARE, listed], root).seconds

        inside = timing.interleaved({"ours": ours, "bare": bare}, REPETITIONS)
        outside = timing.interleaved(
            {"ours": ours_as_process, "bare": bare_as_process}, PROCESS_REPETITIONS
        )
    return {
        **timing.judged(inside["ours"], inside["bare"], MOST),
        "process": timing.compared(outside["ours"], outside["bare"]),
    }


def _statements(root: Path, inputs: projects.Inputs, out: Path) -> list[bare_copies.Statement]:
    """What the engine makes of the nodes, with other paths."""
    rows = root / "data" / "rows.csv"
    found = [(f"SELECT * FROM read_csv(['{rows}'])", _place(out, "source.rows"))]
    for name, read in inputs.items():
        select = projects.sql(read)
        for ref in read:
            select = select.replace(f"ref('{ref}')", f"read_parquet('{_place(out, ref)}')")
        found.append((select, _place(out, f"transform.{name}")))
    return found


def _place(out: Path, node_id: str) -> str:
    """A file in folders of the same depth as the engine's."""
    return str(out / node_id / ("0" * 32) / "data.parquet")


def _run(root: Path) -> None:
    with OpenProject(root) as project:
        summary = run_project(project, RunRequest())
    computed = summary.count("success")
    if summary.status != "success" or computed != NODES + 1:
        raise RuntimeError(f"{summary.status}, {computed} nodes computed")


if __name__ == "__main__":
    main()
