"""The noisy oracle itself, against Qiskit's DensityMatrix and closed forms, before anything is judged by it."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import DensityMatrix, Operator, SparsePauliOp, SuperOp

from tests.oracle import noise, oracle_expectations, oracle_overlaps, random_circuit, random_inputs

EXACT = 1e-12


def close(found: object, expected: object) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=EXACT)


@pytest.mark.parametrize("seed", range(8))
def test_channels_act_as_in_qiskit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = 1 + seed % 3
    qubits = [int(q) for q in rng.permutation(4)[:k]]
    vector = rng.normal(size=16) + 1j * rng.normal(size=16)
    rho = np.outer(vector, vector.conj()) / np.vdot(vector, vector).real
    channel = noise.random_channel(k, 0.6, seed)
    close(noise.apply_channel(channel, rho, qubits), DensityMatrix(rho).evolve(SuperOp(channel), qubits).data)


@pytest.mark.parametrize("num_qubits", [1, 2, 3])
def test_random_channels_are_channels_and_not_unital(num_qubits: int) -> None:
    channel = SuperOp(noise.random_channel(num_qubits, 0.3, 1))
    assert channel.is_cptp()
    mixed = DensityMatrix(np.eye(2**num_qubits) / 2**num_qubits)
    assert np.abs(mixed.evolve(channel).data - mixed.data).max() > 0.01
    assert not channel.is_unitary()


def test_relaxation_is_that_of_its_kraus_operators() -> None:
    """Amplitude damping to a mixed equilibrium and pure dephasing, composed by Qiskit."""
    t1, t2, excited, seconds = 50e-6, 40e-6, 0.2, 7e-6
    gamma = 1 - np.exp(-seconds / t1)
    down, up = np.sqrt(1 - excited), np.sqrt(excited)
    kraus = [
        down * np.diag([1, np.sqrt(1 - gamma)]),
        down * np.array([[0, np.sqrt(gamma)], [0, 0]]),
        up * np.diag([np.sqrt(1 - gamma), 1]),
        up * np.array([[0, 0], [np.sqrt(gamma), 0]]),
    ]
    kept = np.exp(-seconds / t2) / np.sqrt(1 - gamma)  # of the coherence, by dephasing alone
    dephasing = [np.sqrt((1 + kept) / 2) * np.eye(2), np.sqrt((1 - kept) / 2) * np.diag([1, -1])]
    expected = SuperOp(noise.superoperator(kraus)).compose(SuperOp(noise.superoperator(dephasing)))
    close(noise.relaxation_channel(t1, t2, excited, seconds), expected.data)


def has_a_matrix(seed: int) -> bool:
    """Whether Qiskit's matrix of a random circuit is what runs: of an evolution it is the exact exponential."""
    circuit, _ = random_circuit(seed, max_qubits=3, max_instructions=5)
    names = [item.operation.name for item in circuit.data]
    return not any(name in ("initialize", "reset", "annotated") or "PauliEvolution" in name for name in names)


@pytest.mark.parametrize("seed", [seed for seed in range(20) if has_a_matrix(seed)])
def test_written_out_circuits_do_the_same(seed: int) -> None:
    circuit, x = random_circuit(seed, max_qubits=3, max_instructions=5)
    row = dict(zip(x, random_inputs(1, len(x), seed)[0].tolist(), strict=True))

    def matrix(of: QuantumCircuit) -> Operator:
        bound = of.assign_parameters({p: v for p, v in row.items() if p in of.parameters})
        bound.data = [item for item in bound.data if item.operation.name not in ("measure", "barrier")]
        return Operator(bound)

    assert matrix(noise.written_out(circuit)).equiv(matrix(circuit), atol=1e-9)
    assert matrix(noise.undone(circuit)).equiv(matrix(noise.written_out(circuit)).adjoint(), atol=1e-9)


def small_circuit() -> tuple[QuantumCircuit, list[Parameter]]:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.ry(a, 0)
    circuit.rx(b, 1)
    circuit.iswap(0, 1)
    circuit.id(0)
    circuit.crz(a, 1, 0)
    return circuit, [a, b]


def test_places_are_those_of_both_halves() -> None:
    circuit, _ = small_circuit()
    found = noise.places(circuit)
    assert found[:5] == [("ry", (0,)), ("rx", (1,)), ("iswap", (0, 1)), ("id", (0,)), ("crz", (1, 0))]
    assert ("h", (0,)) in found  # iswap† has no name of its own
    assert ("sdg", (1,)) in found


def test_without_channels_it_is_the_noiseless_oracle() -> None:
    circuit, x = small_circuit()
    X = random_inputs(3, 2, seed=1)
    perfect = [np.eye(2)] * 2
    close(noise.noisy_pairs(circuit, x, X, X, {}, perfect)[..., 0], oracle_overlaps(circuit, x, X))
    observables = [SparsePauliOp(["XY", "ZI"], [0.3, -1.2]), SparsePauliOp("YZ"), SparsePauliOp("II", 0.5)]
    found = noise.noisy_expectations(circuit, observables, x, X, {}, perfect)
    close(found, oracle_expectations(circuit, observables, x, X))


def test_pairs_are_whole_circuits() -> None:
    """U(x), then U(y)†, evolved by Qiskit instruction by instruction with the channels in between."""
    circuit, x = small_circuit()
    X = random_inputs(2, 2, seed=1)
    channels, readout = noise.random_channels(circuit, 0.2, 5), noise.random_readout(2, 5)
    rho = DensityMatrix.from_int(0, 4)
    for half, row in ((noise.written_out(circuit), X[0]), (noise.undone(circuit), X[1])):
        bound = half.assign_parameters(dict(zip(x, row.tolist(), strict=True)))
        for item in bound.data:
            name, qubits = item.operation.name, [bound.find_bit(q).index for q in item.qubits]
            rho = rho.evolve(item.operation, qubits).evolve(SuperOp(channels[name, tuple(qubits)]), qubits)
    p = rho.probabilities()
    confused = np.kron(readout[1], readout[0]) @ p
    close(noise.noisy_pair(circuit, x, X[0], X[1], channels, readout), confused)
    close(noise.noisy_pairs(circuit, x, X[:1], X[1:], channels, readout)[0, 0], confused)


def test_readout_errors_of_a_pauli_string() -> None:
    """⟨Z⟩ of |0⟩ and |1⟩ as read: P(0|0) − P(1|0) and P(0|1) − P(1|1)."""
    flip = np.array([[0.9, 0.3], [0.1, 0.7]])
    circuit = QuantumCircuit(2)
    circuit.x(1)
    observables = [SparsePauliOp("IZ"), SparsePauliOp("ZI"), SparsePauliOp("ZZ")]
    found = noise.noisy_expectations(circuit, observables, [], np.empty((1, 0)), {}, [flip, flip])
    close(found, [[0.8, -0.4, -0.32]])
