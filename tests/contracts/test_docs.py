"""The pages in docs/ run: every Python block, in order, and each shows what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.markdown_blocks import broken_links, fenced_blocks, run_python_blocks

PAGES = sorted((Path(__file__).parents[2] / "docs").glob("**/*.md"))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def test_there_are_pages() -> None:
    assert "precomputed.md" in {page.name for page in PAGES}


@pytest.mark.slow
@each_page
def test_python_blocks_run_and_print_what_is_shown(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_python_blocks(page)


@each_page
def test_every_python_block_shows_its_output(page: Path) -> None:
    languages = [language for language, _ in fenced_blocks(page)]
    followed = [after for before, after in zip(languages, [*languages[1:], ""], strict=True) if before == "python"]
    assert set(followed) == {"text"}


@each_page
def test_links_to_files_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


RUNBOOK = Path(__file__).parents[2] / "hardware" / "README.md"


def test_runbook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "on fake_fez:" in run_python_blocks(RUNBOOK)


def test_links_of_the_runbook_lead_somewhere() -> None:
    assert broken_links(RUNBOOK) == []
