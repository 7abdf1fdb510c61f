"""AerEngine through the public conformance suite, with both strategies, exact and sampled."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

from qkernels import OverlapProgram, ZeroNoiseExtrapolation, ZZFeatureMap
from qkernels.testing import check_engine
from qkernels_hardware import AerEngine


def _two_qubits() -> dict[str, OverlapProgram]:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    circuit.rx(x[0], 0)
    circuit.cx(0, 1)
    circuit.rz(x[0] * x[1], 1)
    circuit.ry(x[1], 0)
    return {"two qubits": OverlapProgram(circuit, x)}


@pytest.mark.parametrize("shots", [None, 120])
@pytest.mark.parametrize("strategy", ["factored", "circuits"])
def test_conformance(strategy: str, shots: int | None) -> None:
    check_engine(AerEngine("fake_manila", shots, strategy, seed=5), programs=_two_qubits())


@pytest.mark.parametrize("shots", [None, 60])
def test_conformance_with_noise_that_no_table_holds(shots: int | None) -> None:
    model = NoiseModel(basis_gates=["rz", "sx", "x", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.01, 2), ["cx"])
    both = np.kron([[0.9, 0.1], [0.2, 0.8]], [[0.9, 0.1], [0.1, 0.9]])
    model.add_readout_error(ReadoutError(both), [0, 1])
    report = check_engine(AerEngine(model, shots, seed=1), programs=_two_qubits())
    [scaled] = [result for result in report.results if result.name == "scaled"]
    assert (scaled.status, "(0, 1) together" in scaled.detail) == ("not applicable", True)


def test_extrapolated_conformance() -> None:
    engine = ZeroNoiseExtrapolation(AerEngine("fake_manila"), fit="linear", clip=True)
    check_engine(engine, programs=_two_qubits())


def test_default_map() -> None:
    feature_map = ZZFeatureMap(reps=1)
    program = OverlapProgram(feature_map.build(3), feature_map.parameter_vector(3))
    check_engine(AerEngine("fake_manila", 64, seed=1), programs={"default map": program})
