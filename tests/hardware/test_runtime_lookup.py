"""What a RuntimeEngine reads in its ledger: answers beside a writer, blocks of a request, a part of what is open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from qkernels import ClipSpectrum, FidelityKernel, ProjectedKernel, QuantumKernelSVC, ReadoutMitigation, ZZFeatureMap
from qkernels._errors import ExecutionError
from qkernels.engines import clear_cache
from qkernels_hardware import Ledger, RuntimeEngine
from qkernels_hardware.runtime._runner import Runner
from tests.hardware.runtime_cases import blocks_of, program_of, rows

PROGRAM = program_of(ZZFeatureMap(), 2)
X = rows(4, 2)


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    clear_cache()
    yield
    clear_cache()


def engine(folder: Path, **options: object) -> RuntimeEngine:
    settings = {"shots": 16, "seed": 5, "ledger": folder / "ledger.sqlite"}
    return RuntimeEngine("fake_manila", **(settings | options))  # type: ignore[arg-type]


def plan_only(one: RuntimeEngine, X: np.ndarray) -> None:
    """Stopped before anything is sent."""
    with patch.object(Runner, "submit", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        one.submit(PROGRAM, X)


# Beside a writer --------------------------------------------------------------------------------------------------


def fitted(folder: Path, kind: str) -> np.ndarray:
    one = engine(folder)
    if kind == "expectation values":
        return np.asarray(ProjectedKernel(ZZFeatureMap(), engine=one, bandwidth=0.5).fit(X).gram_)
    corrections = [ReadoutMitigation(), ClipSpectrum()] if kind == "readout" else [ClipSpectrum()]
    kernel = FidelityKernel(ZZFeatureMap(), engine=one, bandwidth=0.5, corrections=corrections)
    return np.asarray(QuantumKernelSVC(kernel).fit(X, [0, 1, 0, 1]).kernel_.gram_)


@pytest.mark.parametrize("kind", ["overlaps", "readout", "expectation values"])
def test_a_fit_of_what_is_there_needs_no_lock(tmp_path: Path, kind: str) -> None:
    found = fitted(tmp_path, kind)
    clear_cache()
    with Ledger.open(tmp_path / "ledger.sqlite"):
        assert (fitted(tmp_path, kind) == found).all()


def test_what_is_missing_needs_the_lock(tmp_path: Path) -> None:
    engine(tmp_path).overlaps(PROGRAM, X[:3])
    with Ledger.open(tmp_path / "ledger.sqlite"), pytest.raises(ExecutionError, match="open for writing in another"):
        engine(tmp_path).overlaps(PROGRAM, X)


def test_a_damaged_result_needs_the_lock(tmp_path: Path) -> None:
    found = engine(tmp_path).overlaps(PROGRAM, X).values
    (file,) = (tmp_path / "ledger.sqlite.results").iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    clear_cache()
    with Ledger.open(tmp_path / "ledger.sqlite"), pytest.raises(ExecutionError, match="open for writing in another"):
        engine(tmp_path).overlaps(PROGRAM, X)
    with pytest.warns(match="cannot be used"):
        assert (engine(tmp_path).overlaps(PROGRAM, X).values == found).all()  # a model measures the same again


def test_a_new_layout_that_was_interrupted_stays_one_series(tmp_path: Path) -> None:
    engine(tmp_path).overlaps(PROGRAM, X)
    first = engine(tmp_path, layout="refresh")
    first.overlaps(PROGRAM, X[:3])
    plan_only(first, X)
    second = engine(tmp_path, layout="refresh")
    part = second.overlaps(PROGRAM, X[:3])  # all of it is there
    assert second.overlaps(PROGRAM, X).info["series"] == part.info["series"] == "2, generation 2"


# Blocks -----------------------------------------------------------------------------------------------------------


def test_blocks_of_a_request(tmp_path: Path) -> None:
    one = engine(tmp_path)
    assert one.blocks(PROGRAM, X) == ()
    one.overlaps(PROGRAM, X[:2])
    plan_only(one, X)
    engine(tmp_path, shots=8).overlaps(PROGRAM, X)
    assert [(block.id, str(block.state)) for block in one.blocks(PROGRAM, X)] == [(1, "done"), (2, "planned")]
    assert [block.entries for block in one.blocks(PROGRAM, X)] == [3, 7]
    assert [block.id for block in one.blocks(PROGRAM, X[:2])] == [1]


def test_blocks_with_entries_of_rows_with_themselves(tmp_path: Path) -> None:
    one = engine(tmp_path)
    one.overlaps(PROGRAM, X[:2], X[2:])
    assert len(one.blocks(PROGRAM, X[:2], X[2:], need={"diagonal"})) == 1
    one.overlaps(PROGRAM, X[:2], X[2:], need={"diagonal"})
    assert sum(block.entries for block in one.blocks(PROGRAM, X[:2], X[2:], need={"diagonal"})) == 4 + 4


def test_collect_takes_the_blocks_that_are_named(tmp_path: Path) -> None:
    one, other = engine(tmp_path), engine(tmp_path, shots=8)
    plan_only(one, X)
    plan_only(other, X)
    assert one.collect(blocks=[block.id for block in other.blocks(PROGRAM, X)]) == 0
    assert [str(block.state) for block in blocks_of(one.ledger_path)] == ["planned", "done"]
    assert one.collect() == 0
    assert [str(block.state) for block in blocks_of(one.ledger_path)] == ["done", "done"]


# Paths ------------------------------------------------------------------------------------------------------------


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert RuntimeEngine("fake_manila", ledger="~/k.sqlite", seed=0).ledger_path == tmp_path / "k.sqlite"
    with Ledger.open("~/k.sqlite") as ledger:
        assert ledger.path == tmp_path / "k.sqlite"
