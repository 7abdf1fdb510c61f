"""Pair circuits: both halves as the gates that run, in the circuit's own gates and qubits."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import HamiltonianGate
from qiskit.quantum_info import Operator

from qkernels._errors import UnsupportedCircuitError
from qkernels.circuits import circuit_of, flatten, logical_pair, overlap_circuit, split_halves
from qkernels.feature_maps import CPMap, ZZFeatureMap
from tests.engines.noisy import CIRCUITS
from tests.oracle import noise, oracle_matrix, random_circuit, random_inputs

EXACT = 1e-10

every_circuit = pytest.mark.parametrize("name", CIRCUITS)


def same_up_to_phase(found: np.ndarray, expected: np.ndarray) -> None:
    overlap = np.abs(np.vdot(found, expected)) / len(found)
    np.testing.assert_allclose(overlap, 1.0, rtol=0, atol=EXACT)


def matrix_of(half, angles: np.ndarray) -> np.ndarray:
    """Matrix of a flattened half for bound angles of the program."""
    circuit, names = circuit_of(half)
    return oracle_matrix(circuit, dict(zip(names, half.angles.evaluate(angles)[0], strict=True)))


def without_preparation(circuit: QuantumCircuit) -> bool:
    return not any(item.operation.name in ("initialize", "reset") for item in circuit.data)


@every_circuit
def test_halves_are_the_circuit_and_its_inverse(name: str) -> None:
    circuit = CIRCUITS[name]()
    flat = flatten(circuit, list(circuit.parameters))
    pair = logical_pair(flat)
    rows = random_inputs(2, len(circuit.parameters), seed=3) / 2
    for row in rows:
        angles = flat.angles.evaluate(row[None])
        prepared, undone = matrix_of(pair.prepare, angles), matrix_of(pair.undo, angles)
        same_up_to_phase(undone, prepared.conj().T)
        if without_preparation(circuit):
            same_up_to_phase(prepared, oracle_matrix(circuit, dict(zip(circuit.parameters, row, strict=True))))


@every_circuit
def test_instructions_are_those_of_the_circuit(name: str) -> None:
    """By name and qubits, in order: what noise is attached to."""
    circuit = CIRCUITS[name]()
    pair = logical_pair(flatten(circuit, list(circuit.parameters)))
    for half, expected in ((pair.prepare, noise.written_out(circuit)), (pair.undo, noise.undone(circuit))):
        names = [(op.name, op.qubits) for op in half.ops if op.name != "barrier"]
        assert names == [noise.place_of(expected, item) for item in expected.data]


@every_circuit
def test_delays_keep_their_length(name: str) -> None:
    circuit = CIRCUITS[name]()
    pair = logical_pair(flatten(circuit, list(circuit.parameters)))
    delays = [op for half in (pair.prepare, pair.undo) for op in half.ops if op.name == "delay"]
    lengths = [(op.angles[0], op.unit, op.qubits) for op in delays]
    written = [
        (item.operation.duration, item.operation.unit, (circuit.find_bit(item.qubits[0]).index,))
        for item in circuit.data
        if item.operation.name == "delay"
    ]
    assert lengths == written + written[::-1]


def test_active_and_measured_qubits() -> None:
    circuit = CIRCUITS["spare_qubits"]()
    pair = logical_pair(flatten(circuit, list(circuit.parameters)))
    assert pair.active == (1, 2, 4)
    assert pair.measured == (0, 1, 2, 3, 4)
    assert pair.prepare.num_qubits == pair.undo.num_qubits == 5
    assert len(pair.ops) == len(pair.prepare.ops) + len(pair.undo.ops)
    only = logical_pair(flatten(circuit, list(circuit.parameters)), undo=False)
    assert only.undo is None
    assert only.active == pair.active
    assert [op.text for op in only.ops] == [op.text for op in pair.prepare.ops]


def test_delays_and_identities_make_a_qubit_active_and_barriers_do_not() -> None:
    circuit = QuantumCircuit(4)
    circuit.delay(10, 0, unit="ns")
    circuit.id(2)
    circuit.barrier()
    assert logical_pair(flatten(circuit, [])).active == (0, 2)


def test_keys_are_of_the_content() -> None:
    def key(circuit: QuantumCircuit, **options: bool) -> str:
        return logical_pair(flatten(circuit, list(circuit.parameters)), **options).key

    one = ZZFeatureMap().build(3)
    assert key(one) == key(ZZFeatureMap().build(3))
    keys = {key(one), key(one, undo=False), key(ZZFeatureMap(1).build(3)), key(ZZFeatureMap().build(2))}
    assert len(keys) == 4
    assert key(CIRCUITS["idle"]()) == key(CIRCUITS["idle"]())


def test_data_of_both_halves_are_the_angles_of_the_program() -> None:
    """Not the features: angles shared by several gates, and nonlinear ones, are columns once."""
    circuit = CIRCUITS["matrices"]()
    flat = flatten(circuit, list(circuit.parameters))
    pair = logical_pair(flat)
    angles = flat.angles.evaluate(random_inputs(3, 2, seed=1))
    assert pair.prepare.num_x == pair.undo.num_x == angles.shape[1]
    first = pair.prepare.angles.evaluate(angles)
    assert {tuple(c) for c in first.T} <= {tuple(c) for c in angles.T}
    second = np.abs(pair.undo.angles.evaluate(angles))
    assert second.shape[0] == 3


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_circuits(first: int) -> None:
    """Written out and back: names stay, and the unitary up to its phase."""
    refused = 0
    for seed in range(first, first + 20):
        circuit, x = random_circuit(seed, max_qubits=3, max_instructions=6)
        flat = flatten(circuit, x)
        try:
            pair = logical_pair(flat)
        except UnsupportedCircuitError as error:
            refused += "has no gate form" in str(error)
            continue
        assert [(op.name, op.qubits) for op in pair.prepare.ops] == [(op.name, op.qubits) for op in flat.ops]
        angles = flat.angles.evaluate(random_inputs(1, len(x), seed))
        same_up_to_phase(matrix_of(pair.undo, angles), matrix_of(pair.prepare, angles).conj().T)
    assert refused <= 2


def test_names_of_a_users_parameters_may_be_those_of_the_library() -> None:
    """Vectors "a" and "b" stand for the angles of the halves."""
    a, b = ParameterVector("a", 2), ParameterVector("b", 2)
    circuit = QuantumCircuit(2)
    circuit.rx(b[1] * a[0], 0)
    circuit.append(HamiltonianGate(np.array([[1, 0.5j], [-0.5j, -0.3]]), a[1]), [1])
    circuit.append(HamiltonianGate(np.array([[0.2, 0.5], [0.5, -0.3]]), b[0] * a[1]), [0])
    names = [b[0], a[0], b[1], a[1]]
    flat = flatten(circuit, names)
    row = np.array([0.3, -0.8, 1.1, 0.4])
    pair, angles = logical_pair(flat), flat.angles.evaluate(row[None])
    expected = oracle_matrix(circuit, dict(zip(names, row, strict=True)))
    same_up_to_phase(matrix_of(pair.prepare, angles), expected)
    same_up_to_phase(matrix_of(pair.undo, angles), expected.conj().T)


@every_circuit
def test_circuit_of_is_the_way_back(name: str) -> None:
    circuit = CIRCUITS[name]()
    flat = flatten(circuit, list(circuit.parameters))
    again, angles = circuit_of(flat, "angle")
    assert again.num_qubits == circuit.num_qubits
    assert len(angles) == len(flat.angles)
    assert all(p.name.startswith("angle[") for p in again.parameters)
    twice = flatten(again, angles)
    assert [(op.name, op.qubits, op.unit) for op in twice.ops] == [(op.name, op.qubits, op.unit) for op in flat.ops]


# Splitting --------------------------------------------------------------------------------------------------------


def test_split_halves_finds_its_own_barrier_among_others() -> None:
    circuit = CPMap(ring=True).build(3)
    circuit.barrier()
    x = list(circuit.parameters)
    whole = overlap_circuit(circuit, x)
    whole.barrier(label="user")
    whole.add_register(ClassicalRegister(2, "c"))
    whole.measure([1, 0], [0, 1])
    first, second, read_from = split_halves(whole)
    assert read_from == {0: 1, 1: 0}
    assert first.num_qubits == second.num_qubits == whole.num_qubits
    assert set(first.parameters) <= set(x)
    assert not set(second.parameters) & set(x)
    assert "measure" not in first.count_ops() | second.count_ops()
    values = dict(zip(x, [0.3, -0.4, 0.9], strict=True))
    bound = first.assign_parameters({p: v for p, v in values.items() if p in first.parameters})
    same_up_to_phase(Operator(bound).data, oracle_matrix(circuit, values))


@pytest.mark.parametrize("barriers", [0, 2])
def test_split_halves_needs_one_barrier(barriers: int) -> None:
    x = Parameter("x")
    circuit = QuantumCircuit(1)
    circuit.rx(x, 0)
    whole = overlap_circuit(circuit, [x], barrier=barriers > 0)
    if barriers == 2:
        whole.compose(whole.copy(), inplace=True)
    pattern = rf"one barrier labelled 'qkernels\.overlap' between its halves; it holds {barriers}\. Build it with"
    with pytest.raises(UnsupportedCircuitError, match=pattern):
        split_halves(whole)
