"""Every example runs as a user would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
CASES: dict[str, tuple[list[str], list[str]]] = {
    "first_kernel.py": ([], ["CPMap on 5 qubits: 0.9", "RBF:               0.9"]),
    "compare_maps.py": (["table.csv", "kind", "--repeats", "1"], ["CPMap: not ", "ZZ full: not "]),
    "gallery.py": (
        [],
        ["HeisenbergMap()                            9    649   240", "One U(x) of 30 features", "√iSWAP"],
    ),
    "hardware_campaign.py": (
        [],
        ["exit code -9", "1 done, 2 done", "measured again: none", "0 more jobs for the second fit"],
    ),
    "noisy_kernel.py": (
        [],
        ["156 qubits, calibrated 2025", "4 active", "2 × noise: 0.9", "RBF, for comparison: 0.967"],
    ),
    "vqc_on_device.py": ([], ["trained exactly: 48 angles", "1 × noise         0.9", "QPU time", "fake_fez"]),
    "resources.py": (["--features", "4"], ["SeparableMap                   4         0", "19,900 circuits"]),
}

QUICKEST = ("first_kernel.py", "resources.py")


def run(name: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FOLDER / name), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_every_example_is_tested() -> None:
    assert {path.name for path in FOLDER.glob("*.py")} == set(CASES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICKEST else pytest.mark.slow) for name in CASES]
)
def test_example(name: str, tmp_path: Path) -> None:
    rows = "".join(f"{i % 7},{i % 5 + 3 * (i % 2)},{'ab'[i % 2]}\n" for i in range(40))
    (tmp_path / "table.csv").write_text("x,y,kind\n" + rows)
    arguments, words = CASES[name]
    done = run(name, arguments, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for word in words:
        assert word in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_comparison_asks_for_the_column(tmp_path: Path) -> None:
    done = run("compare_maps.py", ["table.csv"], tmp_path)
    assert done.returncode == 2
    assert "say which column of the table holds the classes" in done.stderr
