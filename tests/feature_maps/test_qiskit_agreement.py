"""ZZFeatureMap and PauliFeatureMap equal Qiskit's functions up to a global phase."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import pauli_feature_map, zz_feature_map
from qiskit.quantum_info import Operator

from qkernels.feature_maps import FeatureMap, PauliFeatureMap, ZZFeatureMap
from tests.feature_maps.dense import distance_up_to_phase


def distance(feature_map: FeatureMap, theirs: QuantumCircuit, n_features: int) -> float:
    values = np.random.default_rng(n_features).uniform(-2, 2, n_features)
    ours = feature_map.build(n_features).assign_parameters(values)
    return distance_up_to_phase(Operator(ours).data, Operator(theirs.assign_parameters(values)).data)


@pytest.mark.parametrize("reps", [1, 2, 3])
@pytest.mark.parametrize("n_features", [2, 3, 4, 5])
@pytest.mark.parametrize("entanglement", ["linear", "full", "circular", "pairwise", "reverse_linear", "sca"])
def test_zz_equals_qiskit(entanglement: str, n_features: int, reps: int) -> None:
    theirs = zz_feature_map(n_features, reps=reps, entanglement=entanglement)
    ours = ZZFeatureMap(reps=reps, entanglement=entanglement, data_map="havlicek")
    assert distance(ours, theirs, n_features) < 1e-10


@pytest.mark.parametrize("gate", ["p", "rzz"])
def test_zz_pairs_equal_qiskit(gate: str) -> None:
    pairs = [(0, 3), (2, 1), (0, 1)]
    theirs = zz_feature_map(4, entanglement={1: [(i,) for i in range(4)], 2: pairs})
    assert distance(ZZFeatureMap(entanglement=pairs, data_map="havlicek", gate=gate), theirs, 4) < 1e-10
    assert distance(ZZFeatureMap(entanglement={2: pairs}, data_map="havlicek", gate=gate), theirs, 4) < 1e-10


PAULIS = [["Z", "ZZ"], ["Z", "YY"], ["X", "ZX"], ["Y", "XY", "ZZ"], ["Z", "IX"], ["YZ"]]


@pytest.mark.parametrize("n_features", [2, 3, 4])
@pytest.mark.parametrize("entanglement", ["linear", "full", "circular", "pairwise", "reverse_linear", "sca"])
@pytest.mark.parametrize("paulis", PAULIS, ids="+".join)
def test_pauli_equals_qiskit(paulis: list[str], entanglement: str, n_features: int) -> None:
    # Three repetitions, so that "sca" goes through more than one rotation; Paulis that do not commute:
    # their order counts.
    theirs = pauli_feature_map(n_features, reps=3, entanglement=entanglement, paulis=paulis)
    ours = PauliFeatureMap(reps=3, paulis=paulis, entanglement=entanglement, data_map="havlicek")
    assert distance(ours, theirs, n_features) < 1e-10


@pytest.mark.parametrize("n_features", [3, 4, 5])
@pytest.mark.parametrize("entanglement", ["linear", "full", "circular", "reverse_linear", "sca"])
def test_three_qubit_paulis_equal_qiskit(entanglement: str, n_features: int) -> None:
    paulis = ["Z", "XYZ", "YIX"]
    theirs = pauli_feature_map(n_features, reps=2, entanglement=entanglement, paulis=paulis, alpha=0.9)
    ours = PauliFeatureMap(paulis=paulis, entanglement=entanglement, data_map="havlicek", alpha=0.9)
    assert distance(ours, theirs, n_features) < 1e-10


def test_blocks_by_size_equal_qiskit() -> None:
    blocks = {1: [(0,), (2,)], 2: [(0, 1), (2, 0)], 3: [(2, 0, 1)]}
    paulis = ["X", "ZY", "XYZ"]
    theirs = pauli_feature_map(3, reps=2, entanglement=blocks, paulis=paulis)
    ours = PauliFeatureMap(paulis=paulis, entanglement=blocks, data_map="havlicek")
    assert distance(ours, theirs, 3) < 1e-10
