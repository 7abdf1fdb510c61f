"""The demo from table to verdict, on tables small enough for a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from typer.testing import CliRunner, Result

from qkernels import __version__
from qkernels.cli import app

QUICK = ["--folds", "2", "--repeats", "1", "--jobs", "1", "--features", "2"]
NAMES = ["RBF SVM", "Separable", "ZZ-linear", "ZZ-full", "CPMap", "RBF, all columns"]


def write_table(path: Path) -> None:
    """36 rows of iris, every class 12 times, with an irrelevant fifth column."""
    bunch = load_iris()
    rows = np.r_[0:12, 50:62, 100:112]
    noise = np.random.default_rng(0).normal(size=len(rows))
    lines = ["a,b,c,d,noise,species"]
    for row, extra in zip(rows, noise, strict=True):
        values = ",".join(str(value) for value in bunch.data[row])
        lines.append(f"{values},{extra},{bunch.target_names[bunch.target[row]]}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    write_table(folder / "flowers.csv")
    options = ["--dataset", str(folder / "flowers.csv"), "--target", "species", "--output", str(folder / "out")]
    return CliRunner().invoke(app, ["demo", *options, *QUICK])


@pytest.fixture(scope="module")
def record(result: Result, folder: Path) -> dict[str, object]:
    return json.loads((folder / "out" / "results.json").read_text())


def test_it_ends_well_and_prints_nothing_else(result: Result) -> None:
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "Warning" not in result.stdout


def test_every_model_has_a_line_and_every_map_a_verdict(result: Result) -> None:
    table, verdict = result.stdout.split("Verdict")
    for name in NAMES:
        assert f"\n {name} " in table
        assert f"  {name}: done" not in table
    for name in NAMES[1:5]:
        [line] = [line for line in verdict.splitlines() if line.startswith(f"  {name}")]
        assert "not worth QPU time" in line or "not ruled out" in line
    assert "Overall: " in verdict


def test_output_fits_a_log(result: Result) -> None:
    # Not a terminal: 80 columns, no escape codes, nothing that rewrites a line. The last line holds a path.
    lines = result.stdout.splitlines()
    assert max(len(line) for line in lines[:-1]) <= 80
    assert "\x1b" not in result.stdout
    assert "\r" not in result.stdout


def test_pictures_are_there(result: Result, folder: Path) -> None:
    for name in ("accuracy.png", "kernels.png"):
        content = (folder / "out" / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 10_000


def test_record_describes_the_run(record: dict[str, object]) -> None:
    assert record["data"] == record["data"] | {"rows_used": 36, "columns": 5, "classes": 3}
    assert len(record["data"]["sha256"]) == 64
    assert record["settings"]["seed"] == 0
    assert record["versions"]["qkernels"] == __version__
    assert [model["name"] for model in record["models"]] == NAMES


def test_without_noise_nothing_speaks_of_it(result: Result, record: dict[str, object], folder: Path) -> None:
    assert "noise" not in record
    assert "noise" not in record["settings"]
    assert not any("noise" in model for model in record["models"])
    assert not (folder / "out" / "noise.png").exists()
    assert "noisy" not in result.stdout
    assert "noisy" not in (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "by how much is not estimated" in (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_record_agrees_with_itself(record: dict[str, object]) -> None:
    reference = record["models"][0]
    for model in record["models"]:
        assert model["mean"] == pytest.approx(np.mean(model["scores"]))
        assert len(model["scores"]) == len(model["chosen"]["C"]) == 2
        assert set(model["chosen"]["C"]) <= set(record["protocol"]["C"])
        if model["feature_map"] is None:
            assert model["verdict"] is None
            continue
        differences = np.subtract(model["scores"], reference["scores"])
        interval = model["verdict"]["interval"]
        assert interval["difference"] == pytest.approx(differences.mean())
        assert model["verdict"]["off_diagonals"]["shots"] == 4096
        assert 0.0 < model["verdict"]["rbf"]["correlation"] <= 1.0
        assert bool(model["verdict"]["reasons"]) == model["verdict"]["ruled_out"]


def test_resources_are_those_of_the_device(record: dict[str, object]) -> None:
    counts = {model["name"]: model["resources"] for model in record["models"]}
    assert counts["RBF SVM"] is None
    assert counts["Separable"]["routed_two_qubit_gates"] == 0
    # Two features: one pair, 2 CX per repetition, and neighbours on the device need no routing.
    assert counts["ZZ-linear"]["num_cx"] == 4
    assert counts["ZZ-linear"]["routed_two_qubit_gates"] == 4
    assert counts["ZZ-linear"]["backend"] == "fake_fez"


@pytest.mark.slow
def test_one_feature_column(tmp_path: Path) -> None:
    # CPMap starts at two features and is left out; a single column needs no second RBF line.
    path = tmp_path / "table.csv"
    path.write_text("x,kind\n" + "".join(f"{i % 10 + 20 * (i % 2)},{'ab'[i % 2]}\n" for i in range(24)))
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["demo", "--dataset", str(path), "--target", "kind", "--output", str(out), *QUICK])
    assert done.exit_code == 0, done.output
    models = json.loads((out / "results.json").read_text())["models"]
    assert [model["name"] for model in models] == NAMES[:4]


def test_version_and_help_run_as_a_command() -> None:
    for arguments, words in ((["--version"], f"qkernels {__version__}"), (["demo", "--help"], "--target")):
        done = subprocess.run(
            [sys.executable, "-c", "from qkernels.cli import main; main()", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert words in done.stdout


def test_help_does_not_load_qiskit() -> None:
    program = "import sys, qkernels.cli; print({'qiskit', 'matplotlib', 'sklearn'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "set()", done.stderr
