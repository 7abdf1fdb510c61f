"""Flattening: same states as the circuit, and a clear refusal with the position of what cannot be taken."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    ClassicalRegister,
    ControlModifier,
    Gate,
    Instruction,
    InverseModifier,
    Parameter,
    ParameterVector,
    QuantumRegister,
)
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import PauliEvolutionGate, RVGate, get_standard_gate_name_mapping
from qiskit.quantum_info import SparsePauliOp

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import FlatCircuit, bound_matrices, flatten
from tests.oracle import CASES, oracle_states, random_circuit, random_inputs

TOLERANCE = 1e-11

# -- states --------------------------------------------------------------------------------------------


def flat_states(flat: FlatCircuit, values: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Run the flat gates one by one; parametric gates by Qiskit's own matrices."""
    angles = flat.angles.evaluate(values)
    return np.array([_flat_state(flat, row) for row in angles]).reshape(len(values), -1)


def _flat_state(flat: FlatCircuit, angles: NDArray[np.float64]) -> NDArray[np.complex128]:
    state = np.zeros((2,) * flat.num_qubits, dtype=complex)
    state.flat[0] = 1.0
    for op in flat.ops:
        if op.is_directive:
            continue
        given = [angles[a] if isinstance(a, int) else a for a in op.angles]
        if op.matrix is not None:
            matrix = op.matrix
        elif op.name == "bound":
            matrix = bound_matrices(op, np.array([given]))[0]
        else:
            gate = type(get_standard_gate_name_mapping()[op.name])
            matrix = gate(*given).to_matrix()
        k = len(op.qubits)
        axes = [flat.num_qubits - 1 - q for q in reversed(op.qubits)]
        state = np.tensordot(matrix.reshape((2,) * 2 * k), state, axes=(range(k, 2 * k), axes))
        state = np.moveaxis(state, range(k), axes)
    return state.ravel()


def assert_same_states(circuit: QuantumCircuit, parameters: list[Parameter], seed: int, split: int = 0) -> None:
    """Compare up to a global phase; the first `split` parameters are trainable."""
    X = random_inputs(2, len(parameters), seed)
    X[:, :split] = X[0, :split]
    flat = flatten(circuit, parameters[split:], parameters[:split])
    assert flat.num_qubits == circuit.num_qubits
    assert (flat.num_x, flat.num_theta) == (len(parameters) - split, split)
    states = flat_states(flat, np.hstack([X[:, split:], X[:, :split]]))
    expected = oracle_states(circuit, parameters, X)
    np.testing.assert_allclose(np.linalg.norm(states, axis=1), 1.0, atol=TOLERANCE)
    aligned = np.abs(np.einsum("ni,ni->n", states.conj(), expected))
    np.testing.assert_allclose(aligned, 1.0, rtol=0, atol=TOLERANCE, err_msg=f"seed {seed}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_flat_states_equal_the_oracle(case) -> None:
    circuit, parameters = case.build()
    assert_same_states(circuit, parameters, seed=1)


@pytest.mark.parametrize("first", range(1000, 1060, 20))
def test_flat_states_of_random_circuits_equal_the_oracle(first: int) -> None:
    for seed in range(first, first + 20):
        circuit, parameters = random_circuit(seed, max_qubits=4, max_instructions=20)
        assert_same_states(circuit, parameters, seed, split=min(seed % 3, len(parameters)))


def test_the_circuit_is_left_as_it_was() -> None:
    def contents(circuit: QuantumCircuit) -> list[object]:
        data = [(i.operation.name, _plain(i.operation), i.qubits, i.clbits) for i in circuit.data]
        return [circuit.global_phase, list(circuit.parameters), data]

    for case in CASES:
        circuit, parameters = case.build()
        before = contents(circuit)
        flatten(circuit, parameters)
        assert contents(circuit) == before, case.name


def _plain(operation: Instruction) -> list[object]:
    return [np.asarray(p).tolist() for p in getattr(operation, "params", [])]


def test_flat_gates_are_small_named_or_matrices() -> None:
    """Composite blocks are written out: nothing with parameters is left that is only a definition."""
    names = set(get_standard_gate_name_mapping()) | {"unitary", "bound", "barrier"}
    for case in CASES:
        circuit, parameters = case.build()
        for op in flatten(circuit, parameters).ops:
            assert op.name in names, (case.name, op.name)


def test_an_evolution_stays_its_product_formula_beside_a_parametric_matrix() -> None:
    """A lazily controlled block that is only known as a matrix, once its parameters are numbers."""
    t = Parameter("t")
    block = QuantumCircuit(2)
    block.append(PauliEvolutionGate(SparsePauliOp(["XZ", "ZX", "YI"], [0.5, 1.0, 0.3]), time=t), [0, 1])
    block.append(RVGate(t, 0.2, 0.3), [1])
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.u(0.7 + 0.4 * q, 0.3 - q, 0.2, q)
    circuit.append(AnnotatedOperation(block.to_gate(), [ControlModifier(1), InverseModifier()]), [1, 0, 2])
    assert_same_states(circuit, [t], seed=1)


@pytest.mark.parametrize("time", [1.3, -2, 0])
def test_an_evolution_whose_time_cancels_to_a_number_stays_its_product_formula(time: float) -> None:
    """Qiskit raises for the definition at an integer while the parameter is unbound; the bound gate has one."""
    t = Parameter("t")
    circuit = QuantumCircuit(2)
    circuit.ry(t, 0)
    circuit.append(PauliEvolutionGate(SparsePauliOp(["XZ", "ZX", "YI"], [0.5, 1.0, 0.3]), time=0 * t + time), [0, 1])
    assert_same_states(circuit, [t], seed=1)


def test_a_box_is_a_plain_block() -> None:
    """`QuantumCircuit.box` groups gates for the compiler; nothing in it is classical control."""
    a, b = Parameter("a"), Parameter("b")
    boxed, plain = QuantumCircuit(3), QuantumCircuit(3)
    boxed.h(0)
    with boxed.box(label="together"):
        boxed.rx(a * b, 2)
        boxed.cx(2, 0)
    boxed.cx(0, 1)
    plain.h(0)
    plain.rx(a * b, 2)
    plain.cx(2, 0)
    plain.cx(0, 1)
    X = random_inputs(3, 2, seed=0)
    states = flat_states(flatten(boxed, [a, b]), X)
    aligned = np.abs(np.einsum("ni,ni->n", states.conj(), oracle_states(plain, [a, b], X)))
    np.testing.assert_allclose(aligned, 1.0, rtol=0, atol=TOLERANCE)


# -- parameters ----------------------------------------------------------------------------------------


def test_parameters_absent_from_the_circuit_are_allowed() -> None:
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(1)
    circuit.ry(x[1], 0)
    flat = flatten(circuit, x, [Parameter("idle")])
    assert (flat.num_x, flat.num_theta) == (3, 1)
    np.testing.assert_array_equal(flat.angles.evaluate(np.array([[1.0, 2.0, 3.0, 4.0]])), [[2.0]])


@pytest.mark.parametrize(
    "place",
    [
        lambda c, p: c.ry(p, 0),
        lambda c, p: setattr(c, "global_phase", p),
        lambda c, p: c.append(_block(p).to_gate(), [0]),
    ],
    ids=["gate", "global_phase", "block"],
)
def test_a_parameter_outside_x_and_theta_is_named(
    place: Callable[[QuantumCircuit, Parameter], object],
) -> None:
    x, stranger = ParameterVector("x", 1), Parameter("stranger")
    circuit = QuantumCircuit(1)
    circuit.ry(x[0], 0)
    place(circuit, stranger)
    with pytest.raises(InvalidParameterError, match="stranger"):
        flatten(circuit, x)
    flatten(circuit, x, [stranger])


def test_a_namesake_of_a_parameter_is_a_stranger() -> None:
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("x"), 0)
    with pytest.raises(InvalidParameterError, match="'x'"):
        flatten(circuit, [Parameter("x")])


@pytest.mark.parametrize("order", [("aba", ""), ("ab", "a"), ("b", "aa")], ids=["within_x", "across", "within_theta"])
def test_a_parameter_given_twice_is_named(order: tuple[str, str]) -> None:
    by_name = {"a": Parameter("a"), "b": Parameter("b")}
    circuit = QuantumCircuit(1)
    circuit.ry(by_name["a"] + by_name["b"], 0)
    x, theta = ([by_name[letter] for letter in letters] for letters in order)
    with pytest.raises(InvalidParameterError, match="'a'"):
        flatten(circuit, x, theta)


# -- refusals ------------------------------------------------------------------------------------------


def _block(angle: Parameter | float = 0.4) -> QuantumCircuit:
    block = QuantumCircuit(1)
    block.h(0)
    block.ry(angle, 0)
    return block


def _measured() -> QuantumCircuit:
    circuit = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(2, "c"))
    circuit.h(0)
    circuit.measure(0, 0)
    return circuit


def _gate_after_measurement() -> QuantumCircuit:
    circuit = _measured()
    circuit.cx(1, 0)
    return circuit


def _reset_after_measurement() -> QuantumCircuit:
    circuit = _measured()
    circuit.reset(0)
    return circuit


def _measurement_inside_a_block() -> QuantumCircuit:
    inner = QuantumCircuit(1, 1)
    inner.measure(0, 0)
    inner.x(0)
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.append(inner.to_instruction(), [0], [0])
    return circuit


def _reset_of_a_used_qubit() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.reset(0)
    circuit.cx(0, 1)
    circuit.reset(1)
    return circuit


def _reset_inside_nested_blocks() -> QuantumCircuit:
    inner = QuantumCircuit(2)
    inner.h(0)
    inner.barrier()
    inner.reset(0)
    outer = QuantumCircuit(2)
    outer.append(inner.to_instruction(), [0, 1])
    circuit = QuantumCircuit(2)
    circuit.x(1)
    circuit.x(1)
    circuit.append(outer.to_instruction(), [1, 0])
    return circuit


def _initialize_of_a_used_qubit() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(1)
    circuit.initialize("+0", [0, 1])
    return circuit


def _if_else() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.h(1)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    return circuit


def _for_loop() -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(3)):
        circuit.x(0)
    return circuit


def _while_loop() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.x(0)
    return circuit


def _switch() -> QuantumCircuit:
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(2, "c"))
    with circuit.switch(circuit.cregs[0]) as case, case(2):
        circuit.x(0)
    return circuit


def _classical_store() -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    variable = circuit.add_var("v", expr.lift(1, types.Uint(3)))
    circuit.h(0)
    circuit.store(variable, expr.lift(2, types.Uint(3)))
    return circuit


def _opaque_gate() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.append(Gate("mystery", 2, []), [0, 1])
    return circuit


def _opaque_instruction() -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    circuit.append(Instruction("mystery", 1, 0, []), [0])
    return circuit


def _opaque_gate_inside_a_block() -> QuantumCircuit:
    inner = QuantumCircuit(1)
    inner.x(0)
    inner.append(Gate("mystery", 1, []), [0])
    circuit = QuantumCircuit(1)
    circuit.append(inner.to_gate(), [0])
    return circuit


REFUSED: dict[str, tuple[Callable[[], QuantumCircuit], str, str]] = {
    "gate_after_measurement": (_gate_after_measurement, "cx", "2"),
    "reset_after_measurement": (_reset_after_measurement, "reset", "2"),
    "measurement_inside_a_block": (_measurement_inside_a_block, "x", "1.1"),
    "reset_of_a_used_qubit": (_reset_of_a_used_qubit, "reset", "2"),
    "reset_inside_nested_blocks": (_reset_inside_nested_blocks, "reset", "2.0.2"),
    "initialize_of_a_used_qubit": (_initialize_of_a_used_qubit, "reset", "1.1"),
    "if_else": (_if_else, "if_else", "1"),
    "for_loop": (_for_loop, "for_loop", "0"),
    "while_loop": (_while_loop, "while_loop", "0"),
    "switch_case": (_switch, "switch_case", "0"),
    "classical_store": (_classical_store, "store", "0"),
    "opaque_gate": (_opaque_gate, "mystery", "1"),
    "opaque_instruction": (_opaque_instruction, "mystery", "0"),
    "opaque_gate_inside_a_block": (_opaque_gate_inside_a_block, "mystery", "0.1"),
}


@pytest.mark.parametrize(("build", "name", "position"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_names_instruction_and_position(
    build: Callable[[], QuantumCircuit], name: str, position: str
) -> None:
    with pytest.raises(UnsupportedCircuitError) as caught:
        flatten(build(), [])
    message = str(caught.value)
    assert f"'{name}'" in message
    assert re.search(rf"position {re.escape(position)}(?![.\d]*\d)", message), message


def test_a_refusal_is_a_value_error() -> None:
    """scikit-learn's tools (``error_score``) treat it as one."""
    with pytest.raises(ValueError, match="mystery"):
        flatten(_opaque_gate(), [])


def test_a_matrix_on_too_many_qubits_is_refused_before_it_is_built() -> None:
    class Wide(Gate):
        def __init__(self) -> None:
            super().__init__("wide", 30, [])

        def __array__(self, dtype=None, copy=None):  # pragma: no cover - the point is that nobody asks
            raise AssertionError("built a matrix of 16 EiB")

    circuit = QuantumCircuit(30)
    circuit.append(Wide(), range(30))
    with pytest.raises(UnsupportedCircuitError, match=r"'wide' at position 0.*30 qubits"):
        flatten(circuit, [])


def test_an_observable_is_no_gate() -> None:
    """A matrix that is not unitary cannot be an instruction of a circuit that prepares states."""

    class Projector(Gate):
        def __init__(self) -> None:
            super().__init__("projector", 1, [])

        def __array__(self, dtype=None, copy=None):
            return SparsePauliOp(["I", "Z"], [0.5, 0.5]).to_matrix()

    circuit = QuantumCircuit(1)
    circuit.append(Projector(), [0])
    with pytest.raises(UnsupportedCircuitError, match="'projector' at position 0"):
        flatten(circuit, [])
