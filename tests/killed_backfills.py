"""Backfill incremental nodes in children that are killed; a script for test_backfill_crash.py.

    python killed_backfills.py FOLDER STATE SEED COUNT

The project has 60 days, computed one by one by one node and seven at once by another. Each step
gives both a new definition, and children are killed until one gets to the end. After each kill all
that is recorded as complete must have exactly its rows, the rest must be pending, and readers must
see one step and no other. In the end a step must leave what an undisturbed run leaves, to the byte.
Goes on until COUNT children were killed at work, and prints how many were.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path

from seeknal.dag.fingerprint import is_incremental
from seeknal.testing.processes import in_children
from seeknal.workflow.engine import Snapshot
from seeknal.workflow.open_project import OpenProject
from seeknal.workflow.reading import read, tables_of
from seeknal.workflow.runner import RunRequest, run_project
from seeknal.workflow.timelines import Timeline, timelines

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 60
NODES = {"transform.daily": 1, "transform.weekly": 7}
NODE = """\
/*
---
schedule: "@daily"
start: {start:%Y-%m-%d}
end: {end:%Y-%m-%d}
incremental: {{time_column: seen, batch_size: {size}}}
---
*/
SELECT seen, x + {{{{ params.step }}}} AS x FROM ref('source.events')
WHERE seen >= {{{{ start }}}} AND seen < {{{{ end }}}}
"""
WHOLE = """\
SELECT seen, x FROM ref('transform.daily') UNION ALL SELECT seen, x FROM ref('transform.weekly')
"""
Rows = list[tuple[str, int]]


# --- The project ----------------------------------------------------------------------------


def make_project(root: Path) -> None:
    last = BEGIN + timedelta(days=DAYS - 1)
    files = {
        "seeknal/events.yml": "kind: source\nname: events\nsource: csv\ntable: data/events.csv\n",
        "seeknal/whole.sql": WHOLE,
        "data/events.csv": "seen,x\n" + "".join(f"{t},{x}\n" for t, x in events(range(DAYS), 0)),
    }
    for node_id, size in NODES.items():
        text = NODE.format(start=BEGIN, end=last, size=size)
        files[f"seeknal/{node_id.partition('.')[2]}.sql"] = text
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def set_step(root: Path, state: str, step: int) -> None:
    settings = f"name: killed\nstate: {state}\nparams:\n  step: {step}\n"
    (root / "seeknal_project.yml").write_text(settings)


def events(days: range | list[int], step: int) -> Rows:
    """What there is of these days, of some more than of others."""
    return [
        (f"{BEGIN + timedelta(days=day, hours=hour):%Y-%m-%d %H:%M:%S}", 100 * day + hour + step)
        for day in days
        for hour in range(0, 24, 3 + day % 5)
    ]


# --- What children do -----------------------------------------------------------------------


def run(root: Path) -> None:
    with OpenProject(root) as project:
        summary = run_project(project, RunRequest())
        assert summary.status == "success", summary


def run_undisturbed(root: Path) -> None:
    run(root)
    write_inventory(root)


def check_finished(root: Path, step: int) -> None:
    check(root, step, finished=True)
    write_inventory(root)


def check(root: Path, step: int, *, finished: bool = False) -> None:
    """What is recorded is there, and what is not is pending."""
    with OpenProject(root) as project:
        for one in project.state.list_runs():
            project.state.list_node_states(one.run_id)
        for line in timelines(project, "prod"):
            held = days_held(line)
            assert not (finished and len(held) < DAYS), held
            snapshot = read(project.state, line.node.id, line.snapshot)
            assert rows_of(project, snapshot) == events(held, step), line.node.id
        shown = tables_of(project, "prod")
        seen = {
            node_id: rows_of(project, shown[node_id]) for node_id in (*NODES, "transform.whole")
        }
        now, before = shows(step), shows(step - 1)
        assert seen == now or (seen == before and not finished)


def days_held(line: Timeline) -> list[int]:
    """The days that are complete. Checks that the others are pending."""
    days = [(interval.start - BEGIN).days for interval in line.due]
    assert days == list(range(DAYS))
    pending = {(interval.start - BEGIN).days for interval in line.pending}
    ranges = [((start - BEGIN).days, (end - BEGIN).days) for start, end in line.held]
    held = [day for first, behind in ranges for day in range(first, behind)]
    assert sorted([*held, *pending]) == days
    return held


def rows_of(project: OpenProject, snapshot: Snapshot) -> Rows:
    if is_incremental(snapshot.id) and not snapshot.parts:
        return []
    sql = f"SELECT seen::VARCHAR, x FROM {snapshot.node_id} ORDER BY ALL"
    return list(project.engine.query(sql, {snapshot.node_id: snapshot}).rows)


def shows(step: int) -> dict[str, Rows]:
    rows = events(range(DAYS), step)
    return {**dict.fromkeys(NODES, rows), "transform.whole": sorted(rows + rows)}


def write_inventory(root: Path) -> None:
    """Write the names of all parts that are shown, and digests of their files."""
    lines = []
    with OpenProject(root) as project:
        for node_id, snapshot in tables_of(project, "prod").items():
            folder = root / "target/snapshots" / node_id
            for part in snapshot.parts:
                digest = sha256((folder / f"{part.name}.parquet").read_bytes()).hexdigest()
                lines.append(f"{node_id} {part.start} {part.end} {part.name} {digest}\n")
    (root / "inventory").write_text("".join(sorted(lines)))


# --- Killing --------------------------------------------------------------------------------


def killed(work: Callable[[], None], seconds: float) -> bool:
    """Whether it was still at work when it was killed."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code != 0


def seconds_of(work: Callable[[], None]) -> float:
    started = time.monotonic()
    in_children([work])
    return time.monotonic() - started


def import_what_a_run_imports(root: Path) -> None:
    """So that children begin with the work."""

    def run_and_tell() -> None:
        run(root)
        (root / "modules").write_text("\n".join(sys.modules))

    in_children([run_and_tell])
    for name in (root / "modules").read_text().split():
        import_module(name)


def backfill_with_kills(root: Path, step: int, whole: float, chance: random.Random) -> int:
    """Run until a child gets to the end, which takes `whole` seconds undisturbed. Returns how many
    were killed."""
    count = 0
    while killed(partial(run, root), chance.uniform(0.0, whole * (0.4 + count / 10))):
        count += 1
        in_children([partial(check, root, step)])
    in_children([partial(check_finished, root, step)])
    return count


def main(folder: Path, state: str, seed: int, count: int) -> None:
    chance = random.Random(seed)
    disturbed, clean = folder / "disturbed", folder / "clean"
    for root in (disturbed, clean):
        make_project(root)
        set_step(root, state, 0)
    import_what_a_run_imports(clean)
    whole = seconds_of(partial(run, disturbed))
    kills = step = 0
    while kills < count:
        step += 1
        for root in (disturbed, clean):
            set_step(root, state, step)
        kills += backfill_with_kills(disturbed, step, whole, chance)
        in_children([partial(run_undisturbed, clean)])
        assert (disturbed / "inventory").read_text() == (clean / "inventory").read_text()
    print(kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
