"""The site is built without a warning, every link and anchor is right, and nothing is loaded from
another host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import ROOT

_ELSEWHERE = r"\s*=\s*[\"']?(?:https?:)?//[^\"' >]+"
_LOADED = re.compile(
    rf"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\bsrc{_ELSEWHERE}"
    rf"|<link\b(?=[^>]*rel=[\"']?(?:stylesheet|preconnect|preload|icon))[^>]*?href{_ELSEWHERE}"
)
_LOADED_BY_CSS = re.compile(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']+")
_FETCHED_ON_DEMAND = ('class="mermaid"', "data-md-source", "iframe-worker")
"""In a page, these make the theme's script fetch something from another host."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    config = str(ROOT / "docs/site/mkdocs.yml")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "-d", folder],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def test_it_has_every_page(site: Path) -> None:
    pages = {p.relative_to(ROOT / "docs").with_suffix("") for p in ROOT.glob("docs/**/*.md")}
    built = {p.parent.relative_to(site) for p in site.rglob("index.html")}
    assert {page.parent if page.name == "index" else page for page in pages} == built


def test_it_loads_nothing_from_another_host(site: Path) -> None:
    found = []
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        found += _LOADED.findall(text)
        found += [mark for mark in _FETCHED_ON_DEMAND if mark in text]
    for sheet in site.rglob("*.css"):
        found += _LOADED_BY_CSS.findall(sheet.read_text(encoding="utf-8"))
    assert found == []


def test_what_is_loaded_from_another_host_is_found() -> None:
    assert _LOADED.search('<script src="https://cdn.example/x.js">')
    assert _LOADED.search('<link rel="stylesheet" href="//fonts.example/a.css">')
    assert _LOADED.search("<img alt='' src='https://example.org/a.png'>")
    assert not _LOADED.search('<a href="https://example.org">')
    assert _LOADED_BY_CSS.search("@font-face{src:url(https://fonts.example/a.woff2)}")
