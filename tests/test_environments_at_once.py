"""Commands on environments, several at once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.projects import SEEKNAL, ProjectFolder, seeknal


@pytest.mark.parametrize("state", ["file", "database"])
def test_four_environments_are_applied_at_once(tmp_path: Path, state: str) -> None:
    project = ProjectFolder(tmp_path)
    project.write("seeknal_project.yml", f"name: several\nstate: {state}\n")
    project.write("seeknal/n0.sql", "select range as x from range(100)")
    for i in range(1, 9):
        project.write(f"seeknal/n{i}.sql", f"select x + 1 as x from ref('transform.n{i - 1}')")
    project.run()
    names = ["one", "two", "three", "four"]
    for number, name in enumerate(names, start=2):
        project.write("seeknal/n1.sql", f"select x + {number} as x from ref('transform.n0')")
        seeknal("plan", name, "-p", str(tmp_path), "-o", str(tmp_path / f"{name}.json"))
    applied = [
        subprocess.Popen(
            [SEEKNAL, "env", "apply", name, "-p", str(tmp_path), "--force"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in names
    ]
    for process in applied:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    for name in names:
        total = sum(range(100)) + 100 * (5 + 7)
        assert project.query("select sum(x)::bigint from n8", name) == [(total,)]
    assert project.query("select sum(x)::bigint from n8") == [(sum(range(100)) + 100 * 8,)]


@pytest.mark.parametrize("state", ["file", "database"])
def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(
    tmp_path: Path, state: str
) -> None:
    project = ProjectFolder(tmp_path)
    project.write("seeknal_project.yml", f"name: several\nstate: {state}\n")
    for number in range(6):
        for factor, name in ((1, "one"), (2, "two")):
            project.write("seeknal/n.sql", f"select {10 * number + factor} as x")
            if not number and name == "one":
                project.run()
                project.write("seeknal/n.sql", "select -1 as x")
            seeknal("plan", name, "-p", str(tmp_path))
            seeknal("env", "apply", name, "-p", str(tmp_path))
        promotions = {
            name: subprocess.Popen(
                [SEEKNAL, "env", "promote", name, "prod", "-p", str(tmp_path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name in ("one", "two")
        }
        outputs = {name: process.communicate(timeout=60) for name, process in promotions.items()}
        codes = {name: process.returncode for name, process in promotions.items()}
        assert sorted(codes.values()) == [0, 2], outputs
        won = "one" if codes["one"] == 0 else "two"
        told = outputs["two" if won == "one" else "one"][1]
        assert "'prod' has moved from revision" in told
        shown = [project.query("select x from n", name) for name in ("prod", won)]
        assert shown[0] == shown[1]
