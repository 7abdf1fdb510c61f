"""Samples and splits that lose no class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.cli._campaign import DataPart
from qkernels.cli._campaign_parts import load_rows
from qkernels.cli._sample import draw_rows
from qkernels.cli._tables import Table, check_folds, least_rows, load_table, subsample
from qkernels.cli._words import table_sentence

RARE = np.repeat(["x", "y"], [3, 117])


def csv_of(folder: Path, y: np.ndarray) -> Path:
    X = np.random.default_rng(0).normal(size=(len(y), 2))
    path = folder / "table.csv"
    path.write_text("a,b,kind\n" + "".join(f"{a},{b},{label}\n" for (a, b), label in zip(X, y, strict=True)))
    return path


def counted(y: np.ndarray) -> dict[str, int]:
    labels, counts = np.unique(y, return_counts=True)
    return dict(zip(labels.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_a_rare_class_is_drawn_as_often_as_it_must(seed: int) -> None:
    rows = draw_rows(RARE, 20, seed, least=2)
    assert counted(RARE[rows]) == {"x": 2, "y": 18}
    assert len(np.unique(rows)) == 20


def test_all_of_a_class_that_has_fewer() -> None:
    assert counted(RARE[draw_rows(RARE, 20, 0, least=6)]) == {"x": 3, "y": 17}


def test_a_class_of_one_row() -> None:
    y = np.repeat(["x", "y", "z"], [1, 60, 60])
    assert counted(y[draw_rows(y, 41, 0, least=2)]) == {"x": 1, "y": 20, "z": 20}


def test_all_rows_but_one() -> None:
    y = np.repeat(["x", "y", "z"], [10, 20, 31])
    found = counted(y[draw_rows(y, 60, 0)])
    assert sum(found.values()) == 60
    assert min(found.values()) >= 9


@pytest.mark.parametrize("size", [2, 8])
def test_a_split_leaves_a_row_of_every_class_on_both_sides(size: int) -> None:
    y = np.repeat(["x", "y"], [2, 8])
    rows = draw_rows(y, size, 0, least=1, spare=1)
    assert set(y[rows]) == set(np.delete(y, rows)) == {"x", "y"}


def test_a_sample_that_raises_a_class_says_so() -> None:
    table = Table("t", np.zeros((120, 2)), RARE, "", 120)
    small = subsample(table, 20, 0, least=3)
    assert small.raised == ("x",)
    assert "a stratified sample of 120 with more than the share of 'x', see --max-rows" in table_sentence(small)
    assert subsample(load_table("digits", None), 300, 0).raised == ()


def test_a_sample_without_room_for_all_classes() -> None:
    table = Table("t", np.zeros((120, 2)), RARE, "", 120)
    with pytest.raises(InvalidParameterError, match=r"--max-rows must be at least 53 .* 50 rows of each .* got 20"):
        subsample(table, 20, 0, least=50)


@pytest.mark.parametrize("folds", range(2, 21))
def test_the_rows_that_folds_need_are_just_enough(folds: int) -> None:
    rows = least_rows(folds, 3)
    y = np.repeat(["x", "y"], [rows, 100])
    check_folds(Table("t", np.zeros((len(y), 2)), y, "", len(y)), folds, 3)
    with pytest.raises(InvalidDataError, match="too few"):
        check_folds(Table("t", np.zeros((len(y) - 1, 2)), y[1:], "", len(y) - 1), folds, 3)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("rows", [30, 60, None])
def test_a_campaign_measures_all_classes(rows: int | None, share: float, tmp_path: Path) -> None:
    y = np.repeat(["x", "y", "z"], [6, 150, 244])
    split = load_rows(DataPart(csv=csv_of(tmp_path, y), target="kind", rows=rows, test_share=share))
    assert set(split.y_train) == {"x", "y", "z"}
    assert set(split.y_test) == ({"x", "y", "z"} if share else set())


def test_a_campaign_names_the_class_that_cannot_be_split(tmp_path: Path) -> None:
    y = np.repeat(["x", "y"], [1, 40])
    with pytest.raises(InvalidDataError, match=r"\[data\] test_share .* 1 of them of the smallest class, 'x'"):
        load_rows(DataPart(csv=csv_of(tmp_path, y), target="kind", rows=20))
