"""Folded circuits on devices: every length of a circuit runs on the qubits of the circuit itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import InstructionProperties

from qkernels import CPMap, ExpectationProgram, OverlapProgram, StatevectorEngine, ZeroNoiseExtrapolation, ZZFeatureMap
from qkernels.engines._folding import folded
from qkernels.feature_maps import FeatureMap
from qkernels_hardware import AerEngine, Ledger, RuntimeEngine
from qkernels_hardware.runtime._transpiled import _routed as routed

Values = NDArray[np.float64]


def program_of(feature_map: FeatureMap, n_features: int) -> OverlapProgram:
    return OverlapProgram(feature_map.build(n_features), feature_map.parameter_vector(n_features))


def rows(n_features: int, n: int = 3) -> Values:
    return 0.6 * np.random.default_rng(1).normal(size=(n, n_features))


def layouts(path: Path) -> list[list[int]]:
    """Of all series of a ledger."""
    with Ledger.open(path, read_only=True) as ledger:
        stored = [one.settings["layout"] for one in ledger.all_series()]
    return [place for one in stored for (place,) in one.values()]


@pytest.mark.parametrize(
    ("device", "feature_map"), [("fake_guadalupe", ZZFeatureMap()), ("fake_fez", CPMap())], ids=["guadalupe", "fez"]
)
def test_aer_keeps_the_layout(device: str, feature_map: FeatureMap) -> None:
    engine, program = AerEngine(device), program_of(feature_map, 4)
    chosen = engine.circuit(program).layout
    assert {engine.circuit(folded(program, f)).layout for f in (3, 5)} != {chosen}  # left alone, it takes others
    kept = engine.with_layout_of(program)
    assert [kept.circuit(folded(program, f)).layout for f in (1, 3, 5)] == [chosen] * 3
    assert kept.with_layout_of(folded(program, 5)) is kept


def test_aer_extrapolates_on_one_place() -> None:
    program, X = program_of(ZZFeatureMap(), 4), rows(4)
    engine = AerEngine("fake_guadalupe")
    layout = engine.circuit(program).layout
    found = ZeroNoiseExtrapolation(engine, (1, 3, 5), method="fold").overlaps(program, X)
    fixed = AerEngine("fake_guadalupe", layout=layout)
    by_hand = ZeroNoiseExtrapolation(fixed, (1, 3, 5), method="fold").overlaps(program, X)
    np.testing.assert_allclose(found.values, by_hand.values, rtol=0, atol=1e-10)
    assert found.info["layout"] == ",".join(map(str, layout))
    exact = StatevectorEngine().overlaps(program, X).values
    raw = engine.overlaps(program, X).values
    assert np.abs(found.values - exact).max() < 0.5 * np.abs(raw - exact).max()


def test_a_kept_layout_changes_no_setting() -> None:
    program = program_of(ZZFeatureMap(reps=1), 2)
    engine = AerEngine("fake_manila", 100, "circuits", seed=3, memory_limit=1 << 28).scaled(2.0)
    kept = engine.with_layout_of(program)
    assert repr(kept) == repr(engine).replace(", seed", f", layout={engine.circuit(program).layout}, seed")
    np.testing.assert_array_equal(kept.overlaps(program, rows(2)).values, engine.overlaps(program, rows(2)).values)


@pytest.mark.slow
def test_runtime_keeps_the_layout(tmp_path: Path) -> None:
    path, program, X = tmp_path / "ledger.sqlite", program_of(CPMap(), 4), rows(4, 2)
    engine = RuntimeEngine("fake_sherbrooke", shots=50, seed=0, ledger=path)
    assert engine.circuit(folded(program, 3)).layout != engine.circuit(program).layout  # left alone, it takes others
    found = ZeroNoiseExtrapolation(engine, (1, 3), fit="linear").overlaps(program, X)
    [chosen] = engine.circuit(program).layout
    assert layouts(path) == [list(chosen)] * 2
    assert found.info["layout"] == str(chosen)


def backend() -> GenericBackendV2:
    return GenericBackendV2(4, coupling_map=[[0, 1], [1, 0], [1, 2], [2, 1], [2, 3], [3, 2]], seed=5)


def test_runtime_keeps_the_layout_of_the_ledger(tmp_path: Path) -> None:
    path, program = tmp_path / "ledger.sqlite", program_of(ZZFeatureMap(reps=1), 2)
    device = backend()
    engine = RuntimeEngine(device, shots=20, seed=0, ledger=path)
    engine.overlaps(program, rows(2, 2))
    [stored] = layouts(path)
    for place, known in list(device.target["measure"].items()):  # as after a calibration that went wrong there
        worse = InstructionProperties(known.duration, 0.4 if place[0] in stored else 1e-4)
        device.target.update_instruction_properties("measure", place, worse)
    routed.cache_clear()
    assert engine.circuit(program).layout != (tuple(stored),)
    assert engine.with_layout_of(program).circuit(folded(program, 3)).layout == (tuple(stored),)


def test_runtime_extrapolates_expectation_values_on_one_place(tmp_path: Path) -> None:
    path, feature_map = tmp_path / "ledger.sqlite", ZZFeatureMap(reps=1)
    program = ExpectationProgram(feature_map.build(2), feature_map.parameter_vector(2), observables=["ZZ", "XI", "II"])
    engine = RuntimeEngine(backend(), shots=20, seed=0, ledger=path)
    ZeroNoiseExtrapolation(engine, (1, 3), fit="linear").expectations(program, rows(2, 2))
    assert len({tuple(place) for place in layouts(path)}) == 1
    nothing = ExpectationProgram(feature_map.build(2), feature_map.parameter_vector(2), observables=["II"])
    assert engine.with_layout_of(nothing) is engine


def test_refreshed_layouts_are_measured_once(tmp_path: Path) -> None:
    path, program, X = tmp_path / "ledger.sqlite", program_of(ZZFeatureMap(reps=1), 2), rows(2, 2)
    for _ in range(2):
        engine = RuntimeEngine(backend(), shots=20, seed=0, ledger=path, layout="refresh")
        solver = ZeroNoiseExtrapolation(engine, (1, 3), fit="linear")
        first, again = solver.overlaps(program, X), solver.overlaps(program, X)
        np.testing.assert_array_equal(first.values, again.values)
    assert len(layouts(path)) == 4  # two lengths, two generations


def test_tiles_find_places_of_their_own() -> None:
    engine = RuntimeEngine("fake_sherbrooke", shots=20, seed=0, tiles=2)
    assert engine.with_layout_of(program_of(ZZFeatureMap(reps=1), 2)) is engine
