"""What READMEs tell to do can be done, and gives what they show."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.pages import ROOT, name_of, pages
from tests.docs.reader import follow

READMES = [page for page in pages() if not page.is_relative_to(ROOT / "docs")]


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_a_reader_who_does_what_a_page_says_gets_what_it_shows(page: Path, tmp_path: Path) -> None:
    for block, retold in follow(page, tmp_path):
        assert block.text == retold, f"{name_of(page)}:{block.line}"
