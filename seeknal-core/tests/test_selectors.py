"""Selectors, as dbt's users know them."""

from __future__ import annotations

import pytest

from seeknal.dag.manifest import Manifest, Node
from seeknal.dag.selectors import select
from seeknal.errors import RequestError

MANIFEST = Manifest(
    "shop",
    [
        Node("source.orders", file_path="seeknal/sources/orders.yml", tags=("raw",)),
        Node("transform.clean", ("source.orders",), file_path="seeknal/staging/clean.sql"),
        Node("transform.daily", ("transform.clean",), file_path="seeknal/marts/daily.sql",
             tags=("finance", "nightly")),
        Node("transform.report", ("transform.daily",), file_path="seeknal/marts/report.sql",
             tags=("finance",)),
        Node("transform.orders", ("source.orders",), file_path="seeknal/martsy/orders.sql"),
    ],
)  # fmt: skip


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("daily", "transform.daily"),
        ("transform.daily", "transform.daily"),
        ("orders", "source.orders transform.orders"),
        ("+daily", "source.orders transform.clean transform.daily"),
        ("daily+", "transform.daily transform.report"),
        ("+daily+", "source.orders transform.clean transform.daily transform.report"),
        ("tag:finance", "transform.daily transform.report"),
        ("tag:nightly+", "transform.daily transform.report"),
        ("+tag:raw", "source.orders"),
        ("path:marts", "transform.daily transform.report"),
        ("path:seeknal/marts", "transform.daily transform.report"),
        ("path:./seeknal/marts/", "transform.daily transform.report"),
        ("path:seeknal/marts/daily.sql", "transform.daily"),
        ("clean,tag:raw", "source.orders transform.clean"),
        ("clean tag:raw", "source.orders transform.clean"),
        (" clean ,  report ", "transform.clean transform.report"),
        ("d*", "transform.daily"),
        ("source.*", "source.orders"),
    ],
)
def test_a_selector_selects(selector: str, names: str) -> None:
    assert " ".join(sorted(select(MANIFEST, selector))) == names


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("dayly", "'dayly' selects no node. Did you mean 'daily'?"),
        ("+tag:finanse", "'+tag:finanse' selects no node. Did you mean 'tag:finance'?"),
        ("path:nowhere", "'path:nowhere' selects no node."),
        ("colour:red", "'colour:red' is no selector."),
        ("", "An empty selector selects nothing"),
        ("clean nope", "'nope' selects no node."),
    ],
)
def test_a_selector_that_selects_nothing_says_so(selector: str, message: str) -> None:
    with pytest.raises(RequestError) as error:
        select(MANIFEST, selector)
    assert str(error.value).startswith(message)
