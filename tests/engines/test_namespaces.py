"""The compiled circuits run on any array namespace, not only on NumPy."""

from __future__ import annotations

import array_api_strict as strict
import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels.engines import StatevectorEngine
from qkernels.engines._compiled import CompiledCircuit
from qkernels.feature_maps import CPMap, FeatureMap, HamiltonianMap, ZZFeatureMap
from qkernels.programs import OverlapProgram

MAPS = [
    pytest.param(ZZFeatureMap(entanglement="full"), 6, id="phases"),
    pytest.param(CPMap(ring=True), 10, id="outer-phases-and-blocks"),
    pytest.param(HamiltonianMap(), 5, id="sample-blocks"),
]


def gram(planes: np.ndarray) -> np.ndarray:
    states = planes[0] + 1j * planes[1] if len(planes) == 2 else planes[0]
    return np.abs(states @ states.conj().T) ** 2


@pytest.mark.parametrize(("feature_map", "d"), MAPS)
def test_strict_array_namespace_gives_the_same_overlaps(feature_map: FeatureMap, d: int) -> None:
    program = OverlapProgram(feature_map.build(d), feature_map.parameter_vector(d))
    X = np.random.default_rng(0).uniform(-1, 1, size=(7, d))
    planes = CompiledCircuit(program)(program.bind_angles(X), strict, strict.float64)
    expected = StatevectorEngine().overlaps(program, X).values
    np.testing.assert_allclose(gram(np.asarray(planes)), expected, rtol=0, atol=1e-12)


def test_real_circuits_stay_real_in_any_namespace() -> None:
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(4)
    for layer in range(2):
        for q in range(4):
            circuit.ry(x[(q + layer) % 3] * (q + 1), q)
        for q in range(3):
            circuit.cx(q, q + 1)
    program = OverlapProgram(circuit, x)
    X = np.random.default_rng(1).uniform(-1, 1, size=(5, 3))
    compiled = CompiledCircuit(program)
    assert compiled.num_planes == 1
    planes = compiled(program.bind_angles(X), strict, strict.float64)
    np.testing.assert_allclose(
        gram(np.asarray(planes)), StatevectorEngine().overlaps(program, X).values, rtol=0, atol=1e-12
    )
