"""The example project passes as a user would run it, and its tests notice what they are there for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2] / "examples" / "regression_project"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    return Path(shutil.copytree(PROJECT, tmp_path / "project", ignore=ignored))


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_the_project_passes(project: Path) -> None:
    done = run(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed" in done.stdout


CHANGES: dict[str, tuple[str, str, list[str]]] = {
    "circuit": (
        "CPMap(ring=True)",
        "CPMap(reps=2, ring=True)",
        [
            "Changed since then: circuit",
            "circuit: feature_map: CPMap(ring=True) → CPMap(reps=2, ring=True)",
            "circuit: gates.cx: 5 → ",
        ],
    ),
    "noise": (
        "15 * [0.99]",
        "15 * [0.985]",
        ["Changed since then: noise", "noise: table: "],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_the_project_notices_a_change_of(change: str, project: Path) -> None:
    old, new, words = CHANGES[change]
    edit(project / "cultivars.py", old, new)
    done = run(project, "-k", "in_the_lab")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed" in done.stdout
    for word in [*words, 'pytest "tests/test_kernel.py::test_matrix_in_the_lab[500]" --update-kernel-references']:
        assert word in done.stdout
    told = [line.removeprefix("E").strip() for line in done.stdout.splitlines() if line.startswith("E ")]
    if change == "circuit":  # the example of the README
        [shown] = [block for block in (project / "README.md").read_text().split("```") if block.startswith("text\n")]
        for line in shown.strip().splitlines()[1:]:
            start = line.partition("…")[0].strip().removesuffix(".")  # other versions are told behind it
            assert any(found.startswith(start) for found in told), line
