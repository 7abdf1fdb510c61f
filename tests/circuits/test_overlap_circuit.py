"""The compute-uncompute circuit returns the fidelity as the probability of all zeros."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit, QuantumRegister
from qiskit.circuit import ClassicalRegister, Parameter, ParameterVector
from qiskit.circuit import library as lib
from qiskit.quantum_info import Clifford

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import OVERLAP_BARRIER, overlap_circuit
from tests.oracle import CASES, oracle_overlaps, oracle_state, random_circuit, random_inputs

WITHOUT_GATE_FORM = {"lazily_controlled_parametric_matrix"}


def assert_overlap(circuit: QuantumCircuit, parameters: list[Parameter], rows: np.ndarray) -> None:
    y = ParameterVector("y", len(parameters))
    pair = overlap_circuit(circuit, parameters, y)
    values = dict(zip([*parameters, *y], rows.ravel(), strict=True))
    probability = abs(oracle_state(pair, values)[0]) ** 2
    assert probability == pytest.approx(oracle_overlaps(circuit, parameters, rows[:1], rows[1:])[0, 0], abs=1e-10)


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in WITHOUT_GATE_FORM], ids=lambda c: c.name)
def test_hand_written_circuits(case: object) -> None:
    circuit, parameters = case.build()
    assert_overlap(circuit, parameters, np.random.default_rng(1).uniform(-2, 2, (2, len(parameters))))


@pytest.mark.parametrize("seed", range(25))
def test_random_circuits(seed: int) -> None:
    circuit, parameters = random_circuit(seed, max_qubits=4, max_instructions=20)
    try:
        overlap_circuit(circuit, parameters)
    except UnsupportedCircuitError as error:
        assert "has no gate form" in str(error)  # noqa: PT017 (allowed, not required)
        return
    assert_overlap(circuit, parameters, random_inputs(2, len(parameters), seed))


def test_equal_rows_give_one() -> None:
    circuit = lib.zz_feature_map(3)
    row = np.random.default_rng(2).uniform(-2, 2, 3)
    pair = overlap_circuit(circuit, list(circuit.parameters))
    assert abs(oracle_state(pair, [*row, *row])[0]) ** 2 == pytest.approx(1, abs=1e-12)


def test_the_halves_are_separated_by_a_labelled_barrier() -> None:
    circuit = QuantumCircuit(1)
    x = ParameterVector("x", 1)
    circuit.barrier()
    circuit.rx(x[0], 0)
    pair = overlap_circuit(circuit, x)
    labels = [i.operation.label for i in pair.data if i.operation.name == "barrier"]
    assert labels == [None, OVERLAP_BARRIER, None]
    names = [[p.name for e in i.params for p in e.parameters] for i in pair.data if i.operation.name == "rx"]
    assert names == [["x[0]"], ["y[0]"]]
    assert OVERLAP_BARRIER not in [
        i.operation.label for i in overlap_circuit(circuit, x, barrier=False).data if i.name == "barrier"
    ]


def test_trainable_parameters_are_shared_by_both_halves() -> None:
    x, theta = ParameterVector("x", 1), Parameter("θ")
    circuit = QuantumCircuit(1)
    circuit.ry(theta, 0)
    circuit.rz(x[0], 0)
    pair = overlap_circuit(circuit, x)
    assert {p.name for p in pair.parameters} == {"x[0]", "y[0]", "θ"}


def test_bits_and_registers_keep_their_order() -> None:
    loose = QuantumCircuit(1).qubits
    circuit = QuantumCircuit(loose, QuantumRegister(2, "r"))
    circuit.cx(0, 2)
    pair = overlap_circuit(circuit, [])
    assert pair.qubits == circuit.qubits
    assert pair.qregs == circuit.qregs


def test_initialize_on_fresh_qubits_is_a_preparation() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(3)
    circuit.initialize("+0", [1, 0])
    circuit.initialize([0.6, 0.8j], 2)
    circuit.crx(x[0], 2, 0)
    pair = overlap_circuit(circuit, x)
    assert not {"initialize", "reset"} & set(pair.count_ops())
    assert_overlap(circuit, list(x), np.array([[0.4], [1.7]]))


def test_final_measurements_are_dropped() -> None:
    circuit = lib.zz_feature_map(2)
    circuit.measure_all()
    pair = overlap_circuit(circuit, list(circuit.parameters))
    assert pair.num_clbits == 0
    assert "measure" not in pair.count_ops()


def test_operators_without_gate_form_are_written_out() -> None:
    clifford = QuantumCircuit(2)
    clifford.h(0)
    clifford.cx(0, 1)
    clifford.s(1)
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(2)
    circuit.append(Clifford(clifford), [1, 0])
    circuit.rx(x[0], 0)
    assert_overlap(circuit, list(x), np.array([[0.4], [1.7]]))


def refused(name: str) -> QuantumCircuit:
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1, "c"))
    circuit.h(0)
    circuit.cx(0, 1)
    if name == "measure":
        circuit.measure(0, 0)
        circuit.x(0)
    elif name == "reset":
        circuit.reset(1)
    elif name == "initialize":
        circuit.initialize([0, 1], 1)
    elif name == "if":
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(1)
    elif name == "for":
        with circuit.for_loop(range(2)):
            circuit.x(1)
    elif name == "inner reset":
        block = QuantumCircuit(1)
        block.x(0)
        block.reset(0)
        circuit.append(block.to_instruction(), [1])
    elif name == "inner measure":
        block = QuantumCircuit(1, 1)
        block.measure(0, 0)
        block.x(0)
        circuit.append(block.to_instruction(), [1], [0])
    elif name == "kraus":
        circuit.append(lib.UnitaryGate(np.eye(2)).to_mutable(), [0])
        from qiskit.quantum_info import Kraus

        circuit.append(Kraus([np.diag([1, 0.6]), np.array([[0, 0.8], [0, 0]])]).to_instruction(), [0])
    return circuit


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("measure", r"'x' at position 3 on qubits \[0\] follows a measurement of the same qubit"),
        ("reset", r"'reset' at position 2 on qubits \[1\] resets qubits that earlier gates have used"),
        ("initialize", r"'initialize' at position 2 on qubits \[1\] resets qubits"),
        ("if", r"'if_else' at position 2 .* is classical control"),
        ("for", r"'for_loop' at position 2 .* is classical control"),
        ("inner reset", r"'reset' at position 2\.1 on qubits \[1\] resets qubits"),
        ("inner measure", r"'x' at position 2\.1 on qubits \[1\] follows a measurement"),
        ("kraus", r"'kraus' at position 3 on qubits \[0\] has no inverse"),
    ],
)
def test_what_is_not_unitary_is_named_with_its_position(name: str, message: str) -> None:
    with pytest.raises(UnsupportedCircuitError, match=message):
        overlap_circuit(refused(name), [])


def test_parameters_of_the_halves_must_match() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    circuit.rx(x[0], 0)
    circuit.rx(x[1], 1)
    with pytest.raises(InvalidParameterError, match=r"y must be as long as x \(2 parameters\); got 3"):
        overlap_circuit(circuit, x, ParameterVector("y", 3))
    with pytest.raises(InvalidParameterError, match=r"y must hold other parameters than x; both hold 'x\[0\]'"):
        overlap_circuit(circuit, x, x)
