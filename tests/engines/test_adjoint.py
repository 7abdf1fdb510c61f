"""Gates and circuits undone: U† from the gates of U, applied to what U prepared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import AnnotatedOperation, InverseModifier, Parameter, ParameterVector
from qiskit.circuit import library as lib
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import random_unitary

from qkernels.circuits import PARAMETRIC_GATES, FlatOp, bound_matrices, flatten, gate_matrices
from qkernels.engines._adjoint import adjoint_angles, adjoint_ops
from qkernels.engines._compiled import CompiledAdjoint, CompiledCircuit
from qkernels.programs import OverlapProgram
from tests.engines.test_mps import MatrixOnly
from tests.oracle import oracle_overlaps, random_circuit, random_inputs

Real = NDArray[np.float64]


def matrices(op: FlatOp, angles: Real) -> NDArray[np.complex128]:
    if op.matrix is not None:
        return np.repeat(op.matrix[None], len(angles), axis=0)
    columns = np.stack([angles[:, a] if isinstance(a, int) else np.full(len(angles), a) for a in op.angles], axis=1)
    return bound_matrices(op, columns) if op.name == "bound" else gate_matrices(op.name, columns)


def check(circuit: QuantumCircuit, x: Sequence[Parameter]) -> None:
    """Every gate times its adjoint is the identity up to a phase, and they come in the reverse order."""
    flat = flatten(circuit, x)
    angles = flat.angles.evaluate(random_inputs(4, len(x), seed=1))
    inverse = adjoint_ops(flat.ops, len(flat.angles))
    assert [op.qubits for op in inverse] == [op.qubits for op in reversed(flat.ops)]
    for op, back in zip(flat.ops, reversed(inverse), strict=True):
        assert back.is_directive == op.is_directive
        assert back.is_constant == op.is_constant
        if not op.is_directive:
            product = matrices(back, adjoint_angles(angles)) @ matrices(op, angles)
            phase = product[:, :1, :1]
            np.testing.assert_allclose(np.abs(phase), 1.0, rtol=0, atol=1e-12, err_msg=op.text)
            expected = phase * np.eye(product.shape[1])
            np.testing.assert_allclose(product, expected, rtol=0, atol=1e-12, err_msg=op.text)


@pytest.mark.parametrize("angles", ["data", "constants", "mixed"])
@pytest.mark.parametrize("name", PARAMETRIC_GATES)
def test_adjoints_of_parametric_gates(name: str, angles: str) -> None:
    x = ParameterVector("x", 3)
    template = get_standard_gate_name_mapping()[name]
    given: list[object] = list(x) if angles != "constants" else [0.3, -1.1, 0.7]
    if angles == "mixed":
        given = [x[0] * 2 + x[1], -1.1, x[2]]
    circuit = QuantumCircuit(2)
    circuit.append(type(template)(*given[: len(template.params)]), range(template.num_qubits))
    check(circuit, x)


def test_adjoints_of_other_gates() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(4)
    for name in ("x", "y", "z", "h", "s", "sdg", "t", "sx"):
        getattr(circuit, name)(1)
    for name in ("cx", "cy", "cz", "ch", "swap", "iswap", "dcx", "ecr", "csx"):
        getattr(circuit, name)(2, 0)
    circuit.barrier()
    circuit.delay(10, 0)
    circuit.id(3)
    circuit.ccx(0, 1, 3)
    circuit.unitary(random_unitary(8, seed=1), [3, 0, 1])
    circuit.append(lib.DiagonalGate(list(np.exp(1j * np.arange(4)))), [1, 2])
    circuit.append(lib.RXGate(x[0]).control(1, ctrl_state=0), [0, 2])
    circuit.append(MatrixOnly(x[1]), [3, 2])
    circuit.append(AnnotatedOperation(MatrixOnly(x[0]), [InverseModifier()]), [0, 1])
    circuit.append(lib.XXPlusYYGate(x[0], 0.4), [1, 2])
    check(circuit, x)


@pytest.mark.parametrize("shared", [False, True], ids=["own-rows", "one-row"])
@pytest.mark.parametrize("first", [0, *(pytest.param(first, marks=pytest.mark.slow) for first in (20, 40))])
def test_random_circuits_are_undone(first: int, shared: bool) -> None:
    """|⟨0|U(y)†U(x)|0⟩|² from states that are really undone, one row y for each state or for all."""
    for seed in range(first, first + 20):
        circuit, parameters = random_circuit(seed)
        rows = random_inputs(8, len(parameters), seed)
        X, Y = rows[:5], (rows[5:6] if shared else rows[3:])
        program = OverlapProgram(circuit, parameters)
        prepare = CompiledCircuit(program)
        undo = CompiledAdjoint(program, prepare.order)
        probabilities = undo(prepare(program.bind_angles(X)), program.bind_angles(Y))
        message = f"random_circuit({seed})"
        assert probabilities.shape == (5, 2**circuit.num_qubits)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=0, atol=1e-12, err_msg=message)
        overlaps = oracle_overlaps(circuit, parameters, X, Y)
        expected = overlaps[:, 0] if shared else np.diag(overlaps)
        np.testing.assert_allclose(probabilities[:, 0], expected, rtol=0, atol=1e-10, err_msg=message)
