"""`seeknal diff` and `seeknal lineage`, as people see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.projects import seeknal as called
from tests.projects import write

FILES = {
    "seeknal_project.yml": "name: shop\n",
    "orders.csv": "id,customer,amount,note\n1,a,10,x\n2,b,20,y\n",
    "seeknal/orders.yml": "kind: source\nname: orders\nsource: csv\ntable: orders.csv\n",
    "seeknal/paid.sql": (
        "/*\n---\ndescription: What was paid\n---\n*/\n"
        "SELECT id, customer,\n  amount, note\nFROM ref('source.orders') WHERE amount > 0\n"
    ),
    "seeknal/totals.sql": (
        "SELECT customer, sum(amount) AS total FROM ref('transform.paid') GROUP BY customer\n"
    ),
    "seeknal/everything.sql": "SELECT * FROM ref('transform.paid')\n",
    "seeknal/code.py": (
        "from seeknal.pipeline import transform\n\n"
        "@transform(inputs=['transform.totals'])\n"
        "def code(ctx):\n    return ctx.ref('transform.totals')\n"
    ),
}


def seeknal(root: Path, *arguments: str, code: int = 0) -> str:
    """What the command says: where it fails, what it complains of."""
    done = called(*arguments, cwd=root, code=code)
    return done.stdout if code == 0 else done.stderr


def as_json(root: Path, *arguments: str) -> Any:
    return json.loads(seeknal(root, *arguments, "--json"))


def edit(root: Path, path: str, old: str, new: str) -> None:
    text = (root / path).read_text()
    assert old in text
    (root / path).write_text(text.replace(old, new))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        write(tmp_path, path, text)
    seeknal(tmp_path, "run")
    return tmp_path


# --- diff -----------------------------------------------------------------------------------


def test_nothing_was_edited(shop: Path) -> None:
    assert seeknal(shop, "diff") == "Nothing was edited.\n"
    assert as_json(shop, "diff")["rebuild"] == {}


def test_what_an_edit_reaches_is_told_with_its_place(shop: Path) -> None:
    edit(shop, "seeknal/paid.sql", "amount, note", "amount, upper(note) AS note")
    assert seeknal(shop, "diff") == (
        "1 edited; 2 nodes to compute again\n"
        "\n"
        "~ transform.paid        BREAKING\n"
        "    note may change\n"
        "    column 'note' is computed differently (seeknal/paid.sql:7)\n"
        "> transform.everything  BREAKING  by way of transform.paid\n"
        "    note may change\n"
        "    of transform.paid note may change\n"
        "\n"
        "Spared, since it reads nothing that changes: transform.totals\n"
        "2 nodes out of reach\n"
    )
    assert "2 nodes to compute; 3 up to date" in seeknal(shop, "run", "--dry-run")
    seeknal(shop, "run")
    assert seeknal(shop, "diff") == "Nothing was edited.\n"


def test_what_means_the_same_is_shown_as_such(shop: Path) -> None:
    edit(shop, "seeknal/paid.sql", "SELECT id", "select  id")
    assert "~ transform.paid  METADATA\n    it means the same: nothing to compute\n" in seeknal(
        shop, "diff"
    )
    edit(shop, "seeknal/paid.sql", "What was paid", "All that was paid")
    document = as_json(shop, "diff")
    assert document["changes"] == {
        "breaking": [],
        "non_breaking": [],
        "metadata": ["transform.paid"],
    }
    assert document["nodes"]["transform.paid"]["reasons"][0]["message"] == "another description"


def test_added_and_removed_nodes_are_told(shop: Path) -> None:
    (shop / "seeknal/code.py").unlink()
    (shop / "seeknal/more.sql").write_text("SELECT 1 AS one")
    told = seeknal(shop, "diff")
    assert told.startswith("1 added, 1 removed; 1 node to compute again\n")
    assert "+ transform.more  new\n" in told
    assert "- transform.code  removed\n" in told


def test_two_manifests_are_compared_wherever_they_are(shop: Path, tmp_path: Path) -> None:
    seeknal(shop, "parse")
    (shop / "target/manifest.json").rename(shop / "old.json")
    edit(shop, "seeknal/paid.sql", "amount, note", "amount, note, amount * 2 AS twice")
    seeknal(shop, "parse")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    document = as_json(elsewhere, "diff", "../old.json", "../target/manifest.json")
    assert document["rebuild"] == {
        "transform.paid": "non_breaking",
        "transform.everything": "non_breaking",
    }
    assert document == as_json(shop, "diff", "old.json", "target/manifest.json")
    assert document == as_json(shop, "diff", "old.json")
    nodes = document["nodes"]
    assert nodes["transform.everything"]["change"]["added"] == ["twice"]
    assert [step["node"] for step in nodes["transform.everything"]["path"]] == [
        "transform.paid",
        "transform.everything",
    ]
    assert nodes["transform.totals"]["category"] == "metadata"
    assert nodes["transform.totals"]["reads"] == {"transform.paid": ["amount", "customer"]}


def test_what_is_no_manifest_is_named(shop: Path) -> None:
    assert "There is no manifest at no.json." in seeknal(shop, "diff", "no.json", code=2)
    error = seeknal(shop, "diff", "orders.csv", code=2)
    assert "Error: orders.csv is not a manifest" in error


def test_an_environment_that_was_never_computed_is_all_new(shop: Path) -> None:
    assert seeknal(shop, "diff", "--env", "dev").startswith("5 added; 5 nodes to compute again")


# --- lineage --------------------------------------------------------------------------------


def test_what_a_column_is_made_from(shop: Path) -> None:
    assert seeknal(shop, "lineage", "totals.total") == (
        "transform.totals.total\n"
        "  transform.paid.amount\n"
        "    source.orders.amount\n"
        "Which rows transform.totals has is decided by:\n"
        "  transform.paid.customer\n"
    )


def test_what_is_made_from_a_column(shop: Path) -> None:
    assert seeknal(shop, "lineage", "source.orders.amount", "--downstream") == (
        "source.orders.amount\n"
        "  transform.paid.amount\n"
        "    transform.everything.amount\n"
        "    transform.totals.total\n"
        "      transform.code  (not SQL: it may read all of it)\n"
        "It has a say in which rows there are of:\n"
        "  transform.paid\n"
        "  transform.everything\n"
        "  transform.totals\n"
    )


def test_lineage_for_programs(shop: Path) -> None:
    document = as_json(shop, "lineage", "everything.note", "--upstream", "--downstream")
    assert document["of"] == "transform.everything.note"
    assert document["upstream"][0] == {
        "from": "transform.paid.note", "to": "transform.everything.note", "how": "values",
    }  # fmt: skip
    assert document["downstream"] == []


def test_what_has_no_lineage_is_told(shop: Path) -> None:
    assert "made from no other node" in seeknal(shop, "lineage", "source.orders.id")
    assert "nothing is made from it" in seeknal(shop, "lineage", "code", "--downstream")
    error = seeknal(shop, "lineage", "totals.totl", code=2)
    assert "transform.totals has no column 'totl'. Did you mean 'total'?" in error
    assert "There is no node 'totls'. Did you mean" in seeknal(shop, "lineage", "totls", code=2)
