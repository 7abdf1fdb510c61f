"""The import-linter contracts hold, and every room is under them."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
PACKAGES = {"qkernels": ROOT / "qkernels", "qkernels_hardware": ROOT / "hardware" / "qkernels_hardware"}
ROOMS = sorted(f"{name}.{path.parent.name}" for name, at in PACKAGES.items() for path in at.glob("*/__init__.py"))
SOURCES = sorted([*(ROOT / "qkernels").rglob("*.py"), *(ROOT / "hardware" / "qkernels_hardware").rglob("*.py")])


def test_contracts_are_kept() -> None:
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("room", ROOMS)
def test_private_files_of_room_are_protected(room: str) -> None:
    protected = {
        module: contract["allowed_importers"]
        for contract in CONTRACTS
        if contract["type"] == "protected"
        for module in contract["protected_modules"]
    }
    assert protected.get(f"{room}.*") == [room]


@pytest.mark.parametrize("room", ROOMS)
def test_files_of_room_are_private(room: str) -> None:
    package, name = room.split(".")
    public = [path.name for path in (PACKAGES[package] / name).glob("*.py") if not path.name.startswith("_")]
    assert public == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_are_absolute(path: Path) -> None:
    # Relative imports hide from a reader which room they enter.
    relative = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert relative == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_assert_on_user_input(path: Path) -> None:
    # `python -O` drops assert statements: the packages raise errors with a message instead.
    asserts = [node.lineno for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)]
    assert asserts == []
