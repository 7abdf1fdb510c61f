"""The oracle itself, against Qiskit's Statevector and closed forms, before anything is judged by it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import PauliEvolutionGate, get_standard_gate_name_mapping
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector

from tests.oracle import (
    CASES,
    observable_matrix,
    oracle_expectations,
    oracle_matrix,
    oracle_overlaps,
    oracle_state,
    oracle_states,
    oracle_unitary,
    oracle_weights,
    random_circuit,
    random_inputs,
    random_observables,
)

TOLERANCE = 1e-12


@pytest.fixture
def evolution_by_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statevector takes exp(-itH) of an evolution gate; a device (and the oracle) its product formula."""
    monkeypatch.setattr(PauliEvolutionGate, "to_matrix", lambda gate: Operator(gate.definition).data)


def statevector(circuit: QuantumCircuit, parameters: list[Parameter], row: np.ndarray) -> np.ndarray:
    values = {p: v for p, v in zip(parameters, row, strict=True) if p in circuit.parameters}
    bound = circuit.assign_parameters(values)
    bound.data = [i for i in bound.data if i.operation.name != "measure"]
    return Statevector(bound).data


@pytest.mark.usefixtures("evolution_by_definition")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_state_of_every_case_equals_statevector(case) -> None:
    circuit, parameters = case.build()
    for row in random_inputs(2, len(parameters), seed=1):
        state = oracle_state(circuit, dict(zip(parameters, row, strict=True)))
        np.testing.assert_allclose(state, statevector(circuit, parameters, row), rtol=0, atol=TOLERANCE)


@pytest.mark.usefixtures("evolution_by_definition")
@pytest.mark.parametrize("first", range(0, 100, 20))
def test_state_of_random_circuits_equals_statevector(first: int) -> None:
    for seed in range(first, first + 20):
        circuit, parameters = random_circuit(seed)
        row = random_inputs(1, len(parameters), seed)[0]
        state = oracle_states(circuit, parameters, row[None])[0]
        expected = statevector(circuit, parameters, row)
        np.testing.assert_allclose(state, expected, rtol=0, atol=TOLERANCE, err_msg=f"seed {seed}")


def test_evolution_gate_runs_its_product_formula_not_the_exponential() -> None:
    t = Parameter("t")
    circuit = QuantumCircuit(1)
    circuit.append(PauliEvolutionGate(SparsePauliOp(["X", "Z"]), time=t), [0])
    # e^{-itZ} e^{-itX} |0>, the X factor first
    expected = [np.exp(-0.6j) * np.cos(0.6), -1j * np.exp(0.6j) * np.sin(0.6)]
    np.testing.assert_allclose(oracle_state(circuit, {t: 0.6}), expected, atol=TOLERANCE)


def test_qubit_zero_is_the_least_significant_bit() -> None:
    circuit = QuantumCircuit(3)
    circuit.x(0)
    np.testing.assert_array_equal(np.flatnonzero(oracle_state(circuit)), [1])
    circuit.cx(0, 2)
    np.testing.assert_array_equal(np.flatnonzero(oracle_state(circuit)), [5])


def test_a_sequence_of_values_follows_the_circuit_parameters() -> None:
    x = ParameterVector("x", 11)
    circuit = QuantumCircuit(1)
    circuit.ry(x[10] - x[2], 0)
    np.testing.assert_allclose(oracle_state(circuit, [0.3, 1.3]), [np.cos(0.5), np.sin(0.5)], atol=TOLERANCE)


@pytest.mark.parametrize("num_qubits", [1, 2, 3])
def test_unitary_is_the_definition_on_every_basis_state(num_qubits: int) -> None:
    body, _ = next((c, p) for c, p in map(random_circuit, range(200)) if c.num_qubits == num_qubits and not p)
    body.data = [i for i in body.data if i.operation.name not in {"measure", "reset", "initialize"}]
    np.testing.assert_allclose(oracle_unitary(body.to_instruction()), Operator(body).data, rtol=0, atol=TOLERANCE)


def test_overlaps_and_expectations_equal_the_closed_form_of_a_rotation() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.ry(x[1], 1)
    X, Y = random_inputs(3, 2, seed=0), random_inputs(2, 2, seed=1)
    overlaps = np.prod(np.cos((X[:, None] - Y[None]) / 2) ** 2, axis=-1)
    np.testing.assert_allclose(oracle_overlaps(circuit, x, X, Y), overlaps, atol=TOLERANCE)
    expected = np.stack([np.cos(X[:, 0]), np.sin(X[:, 1]), 2 * np.cos(X[:, 0]) - np.cos(X).prod(axis=1)], axis=1)
    observables = ["IZ", SparsePauliOp("XI"), SparsePauliOp(["IZ", "ZZ"], [2, -1])]
    np.testing.assert_allclose(oracle_expectations(circuit, observables, x, X), expected, atol=TOLERANCE)


@pytest.mark.parametrize("seed", [3, 11, 17])
def test_matrix_of_a_circuit_equals_qiskit(seed: int) -> None:
    circuit, parameters = random_circuit(seed, max_qubits=4)
    circuit.data = [i for i in circuit.data if i.operation.name not in {"measure", "reset", "initialize"}]
    values = dict(zip(parameters, random_inputs(1, len(parameters), seed)[0], strict=True))
    bound = circuit.assign_parameters({p: v for p, v in values.items() if p in circuit.parameters})
    np.testing.assert_allclose(oracle_matrix(circuit, values), Operator(bound).data, rtol=0, atol=TOLERANCE)


def test_weights_of_one_qubit_rotations_are_products() -> None:
    """Each qubit reads 1 with probability sin²((x − y)/2), on its own."""
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(x[q], q)
    X, Y = random_inputs(2, 3, seed=0), random_inputs(3, 3, seed=1)
    one = np.sin((X[:, None] - Y[None]) / 2) ** 2
    zero = 1 - one
    a, b, c = np.moveaxis(one, -1, 0)
    na, nb, nc = np.moveaxis(zero, -1, 0)
    hamming = [na * nb * nc, a * nb * nc + na * b * nc + na * nb * c, a * b * nc + a * nb * c + na * b * c, a * b * c]
    np.testing.assert_allclose(oracle_weights(circuit, x, X, Y), np.stack(hamming, axis=-1), atol=TOLERANCE)
    pair = na * nc  # qubits 0 and 2 together
    patched = [pair * nb, pair * b + (1 - pair) * nb, (1 - pair) * b]
    found = oracle_weights(circuit, x, X, Y, patches=[(1,), (2, 0)])
    np.testing.assert_allclose(found, np.stack(patched, axis=-1), atol=TOLERANCE)


def test_observable_matrices_equal_qiskit() -> None:
    for observable in random_observables(3, 8, seed=4):
        np.testing.assert_allclose(observable_matrix(observable), observable.to_matrix(), atol=TOLERANCE)


def _late_gate() -> Iterator[QuantumCircuit]:
    measured = QuantumCircuit(1, 1)
    measured.measure(0, 0)
    measured.x(0)
    yield measured
    reset = QuantumCircuit(1)
    reset.h(0)
    reset.reset(0)
    yield reset
    initialized = QuantumCircuit(1)
    initialized.h(0)
    initialized.initialize("0", 0)
    yield initialized


@pytest.mark.parametrize("circuit", list(_late_gate()), ids=["measured", "reset", "initialized"])
def test_what_is_not_unitary_is_refused(circuit: QuantumCircuit) -> None:
    with pytest.raises(ValueError, match="the oracle"):
        oracle_state(circuit)


def test_generator_is_reproducible_and_diverse() -> None:
    names: set[str] = set()
    for seed in range(200):
        circuit, parameters = random_circuit(seed)
        again, _ = random_circuit(seed)
        assert [i.operation.name.split("-")[0] for i in circuit.data] == [
            i.operation.name.split("-")[0] for i in again.data
        ]
        assert 1 <= circuit.num_qubits <= 6
        assert len(circuit.data) <= 45  # up to 40, and what prepares and measures
        assert set(circuit.parameters) <= set(parameters)
        names |= {i.operation.name for i in circuit.data}
    assert {n for n in get_standard_gate_name_mapping() if n not in {"rcccx", "global_phase"}} <= names
    assert {"unitary", "permutation", "diagonal", "qft", "pauli", "PauliEvolution", "annotated"} <= names
    assert {"state_preparation", "initialize", "reset", "barrier", "delay", "measure"} <= names


def test_the_oracle_does_not_use_the_library() -> None:
    code = "import sys, tests.oracle; sys.exit(any(m.split('.')[0] == 'qkernels' for m in sys.modules))"
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
