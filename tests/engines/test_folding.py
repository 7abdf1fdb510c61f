"""Folded programs: longer circuits of the same unitary, that no transpiler shortens."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, ParameterVector
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Operator, SparsePauliOp

from qkernels._errors import UnsupportedCircuitError
from qkernels.circuits import transpile_for
from qkernels.engines import StatevectorEngine, clear_cache
from qkernels.engines._folding import FOLD_BARRIER, folded, renamed
from qkernels.feature_maps import CPMap, ZZFeatureMap
from qkernels.programs import ExpectationProgram, OverlapProgram


def trained() -> tuple[QuantumCircuit, ParameterVector, ParameterVector]:
    """Parameters called y, a composite block, a product formula and final measurements."""
    y, theta = ParameterVector("y", 2), ParameterVector("t", 1)
    block = QuantumCircuit(2, global_phase=0.3)
    block.crx(y[0] * theta[0], 0, 1)
    block.sdg(0)
    circuit = QuantumCircuit(3, 1)
    circuit.h(range(3))
    circuit.append(block.to_gate(), [2, 0])
    circuit.append(PauliEvolutionGate(SparsePauliOp(["XX", "ZI"]), time=y[1]), [0, 1])
    circuit.measure(0, 0)
    return circuit, y, theta


def gates(program: OverlapProgram | ExpectationProgram) -> int:
    return sum(not op.is_directive for op in program.flat.ops)


@pytest.mark.parametrize("factor", [3, 5])
@pytest.mark.parametrize("feature_map", [ZZFeatureMap(), CPMap(ring=True)], ids=repr)
def test_every_gate_runs_factor_times(feature_map: ZZFeatureMap | CPMap, factor: int) -> None:
    circuit = feature_map.build(4)
    program = OverlapProgram(circuit, circuit.parameters)
    longer = folded(program, factor)
    assert gates(longer) == factor * gates(program)
    pairs = [Counter(op.qubits for op in p.flat.ops if len(op.qubits) == 2) for p in (program, longer)]
    assert pairs[1] == {qubits: factor * count for qubits, count in pairs[0].items()}
    labels = [i.operation.label for i in longer.circuit.data if i.operation.name == "barrier"]
    assert labels.count(FOLD_BARRIER) == factor - 1


@pytest.mark.parametrize("factor", [3, 5])
def test_the_unitary_stays(factor: int) -> None:
    clear_cache()  # which gives programs of equal keys the same folded circuit, with the parameters of the first one
    circuit, y, theta = trained()
    program = OverlapProgram(circuit, y, theta, patches=[[0, 1], [2]])
    longer = folded(program, factor)
    angles = {y[0]: 0.7, y[1]: -0.4, theta[0]: 1.3}
    bare = circuit.decompose("PauliEvolution")  # what a device runs
    bare.remove_final_measurements()
    before, after = (Operator(c.assign_parameters(angles)) for c in (bare, longer.circuit))
    assert before.equiv(after, rtol=0, atol=1e-12)
    assert longer.circuit.parameters == circuit.parameters
    assert (longer.x, longer.theta, longer.patches) == (program.x, program.theta, program.patches)
    assert longer.key not in (program.key, folded(program, 8 - factor).key)
    assert OverlapProgram(longer.circuit, y, theta, longer.patches).key == longer.key
    X, exact = [[0.3, 1.1], [-0.2, 0.5]], StatevectorEngine()
    values = [exact.overlaps(p, X, theta=[0.9]).values for p in (program, longer)]
    np.testing.assert_allclose(values[1], values[0], rtol=0, atol=1e-12)


def test_observables_stay() -> None:
    circuit, y, theta = trained()
    program = ExpectationProgram(circuit, y, theta, observables=["ZZI", SparsePauliOp(["XII", "III"], [0.5, 2.0])])
    longer = folded(program, 3)
    assert longer.terms == program.terms
    assert gates(longer) == 3 * gates(program)


def test_one_is_the_program_itself() -> None:
    circuit = CPMap(ring=True).build(3)
    program = OverlapProgram(circuit, circuit.parameters)
    assert folded(program, 1) is program
    assert renamed(program, 0) is program


def test_no_transpiler_cancels_a_fold() -> None:
    circuit = ZZFeatureMap(reps=1).build(3)
    program = OverlapProgram(circuit, circuit.parameters)
    backend = GenericBackendV2(3, coupling_map=[(0, 1), (1, 2), (1, 0), (2, 1)], seed=1)
    two_qubit = [
        sum(len(item.qubits) == 2 for item in transpile_for(p.circuit, backend).circuit.data if item.name == "cx")
        for p in (program, folded(program, 3))
    ]
    assert two_qubit[1] == 3 * two_qubit[0] > 0


def test_what_has_no_inverse_is_named() -> None:
    class Opaque(Gate):
        def __init__(self) -> None:
            super().__init__("opaque", 1, [])

        def __array__(self, dtype: object = None, copy: object = None) -> NDArray[np.complex128]:
            return np.diag([1.0, 1.0j])

    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0], 0)
    circuit.append(Opaque(), [0])
    program = OverlapProgram(circuit, x)
    assert StatevectorEngine().overlaps(program, [[0.3]]).values[0, 0] == 1.0
    with pytest.raises(UnsupportedCircuitError, match=r"'opaque' at position 1 .*has no inverse"):
        folded(program, 3)


def test_renamed_programs_differ_in_their_key_alone() -> None:
    circuit, y, theta = trained()
    program = ExpectationProgram(circuit, y, theta, observables="ZZI")
    again = [renamed(program, k) for k in range(4)]
    assert len({p.key for p in again}) == 4
    assert {gates(p) for p in again} == {gates(program)}
    X = [[0.3, 1.1], [-0.2, 0.5]]
    exact = [StatevectorEngine().expectations(p, X, theta=[0.9]).values for p in again]
    for values in exact:
        np.testing.assert_allclose(values, exact[0], rtol=0, atol=1e-14)
    sampled = [StatevectorEngine(100, seed=0).expectations(p, X, theta=[0.9]).values for p in again]
    assert len({values.tobytes() for values in sampled}) == 4
