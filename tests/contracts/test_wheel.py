"""The wheel holds both packages, their type markers and the licence, and works outside of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def run(*command: str, cwd: Path, **variables: str) -> str:
    done = subprocess.run(command, cwd=cwd, env=os.environ | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a fresh wheel and a fresh sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", str(folder), cwd=ROOT)
    return folder


def test_wheel_contents(dist: Path) -> None:
    [wheel] = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = archive.read("qkernels-0.1.0.dist-info/entry_points.txt").decode()
        metadata = archive.read("qkernels-0.1.0.dist-info/METADATA").decode()
    expected = {
        str(path.relative_to(package.parent))
        for package in (ROOT / "qkernels", ROOT / "hardware" / "qkernels_hardware")
        for path in [*package.rglob("*.py"), *package.rglob("*.json"), package / "py.typed"]
    }
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert "qkernels-0.1.0.dist-info/licenses/LICENSE" in names
    assert "qkernels = qkernels.cli:main" in entry_points
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata


def test_wheel_works_outside_of_the_checkout(dist: Path, tmp_path: Path) -> None:
    [wheel] = dist.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:  # a pure wheel installs by being unpacked
        archive.extractall(site)
    program = """
import numpy as np, pathlib, qkernels, qkernels_hardware
print(pathlib.Path(qkernels.__file__).parent.parent)
print(pathlib.Path(qkernels_hardware.__file__).parent.parent)
X = np.random.default_rng(0).normal(size=(20, 3))
y = X[:, 0] > 0
print(qkernels.QuantumKernelSVC().fit(X, y).predict(X).shape)
"""
    out = run(sys.executable, "-c", program, cwd=tmp_path, PYTHONPATH=str(site))
    assert out.split("\n")[:3] == [str(site), str(site), "(20,)"]


def test_wheel_is_typed_for_users(dist: Path) -> None:
    [wheel] = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {"qkernels/py.typed", "qkernels_hardware/py.typed"} <= set(archive.namelist())


def test_sdist_holds_what_a_packager_needs(dist: Path) -> None:
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile", "tests/conftest.py"}
    assert needed <= names
    assert not any(name.startswith((".venv", ".git/", "qkernels-demo")) for name in names)
