"""What the pages tell to do can be done, and gives what they show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, RUN, SHOWN, blocks, indented_blocks, name_of, pages
from tests.docs.reader import follow, is_as_told, told

PAGES = [page for page in pages() if page.is_relative_to(ROOT / "docs")]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_reader_who_does_what_a_page_says_gets_what_it_shows(page: Path, tmp_path: Path) -> None:
    for block, retold in follow(page, tmp_path):
        assert block.text == retold, f"{name_of(page)}:{block.line}"


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        place = f"{name_of(page)}:{block.line}"
        if block.not_run is None:
            assert block.language in RUN | SHOWN | {"run"}, f"{place}: what is it?"
        else:
            assert len(block.not_run.split()) > 2, f"{place}: why is it not run?"


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_blocks_of_code_have_fences_but_for_the_commands_that_ci_runs(page: Path) -> None:
    found = indented_blocks(page)
    assert len(found) == (2 if name_of(page) == "README.md" else 0), found


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_to_files_that_there_are(page: Path) -> None:
    linked = re.findall(r"\]\(([^)\s#:]+)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8"))
    assert [path for path in linked if not (page.parent / path).exists()] == []


def test_output_is_compared_but_for_times_and_dots() -> None:
    assert is_as_told("Done in 0.31 s: 2\n", "Done in 12.5 s: 2\n")
    assert is_as_told("a\nb\nc\nd\n", "a\n...\nd\n")
    assert is_as_told("run 8f3a ended\n", "run ... ended\n")
    assert is_as_told("made 2026-11-25 14:05 UTC\n", "made 2027-01-01 00:00 UTC\n")
    assert not is_as_told("Done in 0.31 s: 3\n", "Done in 0.31 s: 2\n")
    assert not is_as_told("a\nb\n", "a\n")
    assert not is_as_told("", "a\n")


def test_commands_are_told_from_what_they_print() -> None:
    text = "$ one \\\n>   more\nprinted\n$ two\n> 3\n$ three\n"
    assert list(told(text)) == [
        ("one \\\n>   more", "printed\n"),
        ("two", "> 3\n"),
        ("three", ""),
    ]
