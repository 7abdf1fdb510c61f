"""No file of the repository names a machine, leaves work for later, or carries merge leftovers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Written so that this file does not match its own patterns.
FORBIDDEN = {
    "absolute machine path": r"(?<![\w.])/(?:home|root|work|Users|opt|mnt)/\w",
    "work left for later": r"\b(?:[T]ODO|[F]IXME|[X]XX)\b",
    "merge leftover": r"^(?:<{7}|>{7}) ",
    "address on a local machine": r"\b(?:[l]ocalhost|127\.0\.0\.1)\b",
    "token": r"\b(?:ghp|gho|pypi)-?_?[A-Za-z0-9]{30,}",
}
TEXT = {".cff", ".cfg", ".csv", ".json", ".md", ".py", ".toml", ".txt", ".yaml", ".yml", ""}


def repository_files() -> list[Path]:
    """Files that git tracks or would track; without git (an sdist), every file outside of hidden folders."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not path.relative_to(ROOT).parts[0].startswith(".venv")]
    return [path for path in paths if path.is_file() and path.suffix in TEXT and path.name != "LICENSE"]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], flags=re.MULTILINE)
    hits = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}: {found.group()}"
        for path in repository_files()
        for text in [path.read_text(encoding="utf-8", errors="replace")]
        for found in pattern.finditer(text)
    ]
    assert hits == []
