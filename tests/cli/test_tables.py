"""Tables that can be used, as they are written by different programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from qkernels.cli._tables import BUILT_IN, load_table, subsample

ROWS = [(i + 0.5, i * i % 7, "ab"[i % 2]) for i in range(12)]


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in(name: str) -> None:
    table = load_table(name, None)
    bunch = getattr(datasets, f"load_{name}")()
    assert np.array_equal(table.X, bunch.data)
    assert [str(label) for label in table.y] == [str(bunch.target_names[code]) for code in bunch.target]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["unix", "windows"])
def test_dialects(delimiter: str, encoding: str, newline: str, tmp_path: Path) -> None:
    rows = [("größe", "kind", "width"), *((a, kind, b) for a, b, kind in ROWS)]
    text = newline.join(delimiter.join(map(str, row)) for row in rows)
    path = tmp_path / "table.csv"
    path.write_bytes((text + newline + newline).encode(encoding))  # with a blank line at the end
    table = load_table(str(path), "kind")
    assert np.array_equal(table.X, [row[:2] for row in ROWS])
    assert list(table.y) == [row[2] for row in ROWS]
    assert table.name == "table.csv"
    assert load_table(str(path), "kind").digest == table.digest


@pytest.mark.parametrize(
    ("labels", "want"),
    [
        (["+", "-"], ["+", "-"]),
        (["none", "mild"], ["none", "mild"]),
        (["10", "9"], [10, 9]),
        (["1.0", "1", "0"], [1, 1, 0]),
        (["0.5", "1.5", "2.5"], ["0.5", "1.5", "2.5"]),
    ],
    ids=["signs", "none is a class", "integers", "1 and 1.0", "fractions"],
)
def test_labels(labels: list[str], want: list[object], tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("x,kind\n" + "".join(f"{i},{labels[i % len(labels)]}\n" for i in range(12)))
    assert list(load_table(str(path), "kind").y[: len(labels)]) == want


def test_quoted_fields_and_spaces(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('x , "kind"\n' + "".join(f'" {i} ", "{"ab"[i % 2]}, really"\n' for i in range(12)))
    table = load_table(str(path), "kind")
    assert np.array_equal(table.X.ravel(), range(12))
    assert set(table.y) == {"a, really", "b, really"}


def test_sample_keeps_class_shares_and_says_so() -> None:
    table = load_table("digits", None)
    small = subsample(table, 300, seed=0)
    assert small.X.shape == (300, 64)
    assert small.num_rows_full == 1797
    assert small.digest == table.digest
    full = np.bincount(table.y) / 1797
    # Stratified: every class is within one row of its share.
    assert np.abs(np.bincount(small.y) - 300 * full).max() <= 1
    assert np.array_equal(subsample(table, 300, seed=0).X, small.X)
    assert subsample(table, 5000, seed=0) is table
