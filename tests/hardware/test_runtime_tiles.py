"""Tiles: several entries side by side, each with its own qubits, all right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qkernels import OverlapProgram, ZZFeatureMap
from qkernels._errors import InvalidParameterError
from qkernels.engines import clear_cache
from qkernels.testing import assert_kernels_close
from qkernels_hardware import AerEngine, Ledger, RuntimeEngine
from qkernels_hardware.runtime._readout import measured_qubits
from tests.hardware.runtime_cases import blocks_of, constant, exact, program_of, rows


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


def tiled(folder: Path, **options: object) -> RuntimeEngine:
    settings = {"shots": 500, "seed": 5, "ledger": folder / "ledger.sqlite", "tiles": 4, "barrier": True}
    return RuntimeEngine("fake_fez", **(settings | options))  # type: ignore[arg-type]


def zz(d: int = 3) -> OverlapProgram:
    return program_of(ZZFeatureMap(), d)


def test_executions_are_a_quarter(tmp_path: Path) -> None:
    engine = tiled(tmp_path)
    plan = engine.plan(zz(), rows(7, 3))
    assert plan.executions == 7 * 500  # 28 entries
    assert engine.plan(zz(), 7).executions == plan.executions
    found = engine.overlaps(zz(), rows(7, 3))
    (block,) = blocks_of(engine.ledger_path)
    assert (block.rows, block.entries, block.copies, block.executions) == (7, 28, 4, 3500)
    assert found.info["tiles"] == 4


def test_last_row_is_filled_up(tmp_path: Path) -> None:
    engine = tiled(tmp_path)
    engine.overlaps(zz(), rows(3, 3))  # 6 entries on 4 tiles
    (block,) = blocks_of(engine.ledger_path)
    assert (block.rows, block.entries) == (2, 6)


def test_every_tile_measures_its_own_entries(tmp_path: Path) -> None:
    """Entries of a tile have the distribution of that tile's qubits, and not that of very noisy other ones."""
    program, X = zz(), rows(8, 3)
    engine = tiled(tmp_path, shots=1000)
    found = engine.overlaps(program, X)
    tiles = engine.held(program, X)[1]
    assert set(np.unique(tiles)) == {0, 1, 2, 3}
    with Ledger.open(engine.ledger_path, read_only=True) as ledger:
        places = measured_qubits(ledger.circuits(1)["overlap"].circuit, 4)
    assert len({q for tile in places for q in tile}) == 12
    for tile, qubits in enumerate(places):
        expected = AerEngine("fake_fez", layout=tuple(qubits)).overlaps(program, X).values
        i, j = np.nonzero(np.triu(tiles == tile))
        assert_kernels_close(found.values[i, j], expected[i, j], shots=1000)


@pytest.mark.slow
def test_values_swapped_between_tiles_are_seen(tmp_path: Path) -> None:
    program, X = zz(), rows(6, 3)
    engine = tiled(tmp_path, shots=1000)
    found = engine.overlaps(program, X).values
    tiles = engine.held(program, X)[1]
    i, j = np.nonzero(np.triu(tiles == 0))
    k, m = np.nonzero(np.triu(tiles == 1))
    n = min(len(i), len(k))
    with pytest.raises(AssertionError):
        assert_kernels_close(found[i[:n], j[:n]], exact(program, X)[k[:n], m[:n]], shots=1000)


@pytest.mark.slow
def test_no_row_of_the_matrix_lies_on_one_tile(tmp_path: Path) -> None:
    engine = tiled(tmp_path, shots=20)
    X = rows(12, 3)
    engine.overlaps(zz(), X)
    tiles = engine.held(zz(), X)[1]
    assert (np.array([len(set(row)) for row in tiles]) >= 2).all()
    assert (tiles == tiles.T).all()


def test_tiled_bits_weights_and_readout(tmp_path: Path) -> None:
    found = tiled(tmp_path).overlaps(zz(), rows(3, 3), need={"bits", "weights"})
    assert found.bits.shape == (3, 3, 500, 1)
    np.testing.assert_allclose(found.weights[..., 0], found.values)
    assert found.readout.shape == (3, 2, 2)
    np.testing.assert_allclose(found.readout.sum(axis=1), 1.0)


def test_tiled_circuit_without_parameters(tmp_path: Path) -> None:
    found = tiled(tmp_path).overlaps(constant(), rows(2, 1))
    assert (np.diag(found.values) > 0.8).all()


def test_more_tiles_than_the_device_has(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="500"):
        tiled(tmp_path, tiles=500).overlaps(zz(), rows(2, 3))


@pytest.mark.slow
def test_tiled_series_is_another_one(tmp_path: Path) -> None:
    X = rows(3, 3)
    tiled(tmp_path, shots=20).overlaps(zz(), X)
    assert tiled(tmp_path, shots=20, tiles=1).plan(zz(), X).held_entries == 0
    assert tiled(tmp_path, shots=20).plan(zz(), X).held_entries == 6


def test_canonical_orientation_on_tiles(tmp_path: Path) -> None:
    """The row with the smaller key is prepared, whatever stands first."""
    program, X = zz(), rows(2, 3)
    engine = tiled(tmp_path, shots=50)
    assert engine.overlaps(program, X, pairs=[(0, 1)]).values == engine.overlaps(program, X, pairs=[(1, 0)]).values
    assert [b.entries for b in blocks_of(engine.ledger_path)] == [1]
