"""Pauli-transfer matrices against their definition, R_PQ = Tr(P Λ(Q))/2^k, and against Qiskit."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import PTM, DensityMatrix, SuperOp, random_unitary

from qkernels.circuits import PARAMETRIC_GATES, gate_matrices
from qkernels.engines._transfer import (
    TRANSFER,
    TRANSPOSED,
    as_transfer,
    is_transfer,
    parametric_transfer,
    pauli_vectors,
    relaxation_transfer,
    transfer_from_superoperator,
    transfer_of_unitary,
)
from tests.oracle.noise import random_channel, relaxation_channel

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

EXACT = 1e-12
_PAULI = [np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]

every_width = pytest.mark.parametrize("num_qubits", [1, 2, 3])


def close(found: object, expected: object) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=EXACT)


def paulis(num_qubits: int) -> list[Complex]:
    """Two bits of the index for each qubit: I, X, Y, Z; the first qubit is the least significant one."""
    return [
        reduce(np.kron, [_PAULI[index >> (2 * q) & 3] for q in reversed(range(num_qubits))])
        for index in range(4**num_qubits)
    ]


def by_definition(apply, num_qubits: int) -> Real:
    strings = np.array(paulis(num_qubits))
    moved = np.array([apply(q) for q in strings])
    return np.einsum("pij,qji->pq", strings, moved, optimize=True) / 2**num_qubits


def acting(superoperator: Complex):
    dim = int(np.sqrt(len(superoperator)))
    return lambda rho: (superoperator @ rho.reshape(-1, order="F")).reshape(dim, dim, order="F")


@every_width
def test_pauli_vectors_give_expectation_values(num_qubits: int) -> None:
    rho = np.random.default_rng(0).normal(size=(2**num_qubits, 2**num_qubits, 2)) @ [1, 1j]
    found = pauli_vectors(num_qubits) @ rho.reshape(-1, order="F")
    close(found, [np.trace(p @ rho) for p in paulis(num_qubits)])
    with pytest.raises(ValueError, match="read-only"):
        pauli_vectors(num_qubits)[:] = 0


@every_width
def test_superoperators(num_qubits: int) -> None:
    channel = random_channel(num_qubits, 0.7, num_qubits)
    found = transfer_from_superoperator(channel)
    close(found, by_definition(acting(channel), num_qubits))
    close(found.imag, 0.0)
    close(found[0], np.eye(4**num_qubits)[0])  # the trace is preserved
    assert np.abs(found[1:, 0]).max() > 1e-3  # and the channel is not unital


def test_qiskit_agrees_on_one_qubit() -> None:
    """Its PTM counts qubits in the other order, so the index agrees for one."""
    channel = random_channel(1, 0.7, 5)
    close(transfer_from_superoperator(channel), PTM(SuperOp(channel)).data)


@every_width
def test_unitaries(num_qubits: int) -> None:
    unitaries = np.array([random_unitary(2**num_qubits, seed=s).data for s in range(3)])
    found = transfer_of_unitary(unitaries)
    assert found.dtype == np.float64
    for u, transfer in zip(unitaries, found, strict=True):
        close(transfer, by_definition(lambda rho, u=u: u @ rho @ u.conj().T, num_qubits))
        close(transfer @ transfer.T, np.eye(4**num_qubits))
    close(transfer_of_unitary(np.exp(0.7j) * unitaries), found)  # phases are not seen
    close(transfer_of_unitary(unitaries[0]), found[0])
    close(transfer_of_unitary(unitaries.reshape(3, 1, *unitaries.shape[1:])), found[:, None])


@every_width
def test_states_move_by_their_vectors(num_qubits: int) -> None:
    rho = DensityMatrix(np.diag(np.random.default_rng(1).dirichlet(np.ones(2**num_qubits))))
    rho = rho.evolve(random_unitary(2**num_qubits, seed=3))
    channel = random_channel(num_qubits, 0.4, 3)
    vectors = pauli_vectors(num_qubits)
    before = (vectors @ rho.data.reshape(-1, order="F")).real
    after = (vectors @ rho.evolve(SuperOp(channel)).data.reshape(-1, order="F")).real
    close(transfer_from_superoperator(channel).real @ before, after)


@pytest.mark.parametrize("name", PARAMETRIC_GATES)
def test_parametric_gates(name: str) -> None:
    qubits, build = PARAMETRIC_GATES[name]
    gate = get_standard_gate_name_mapping()[name].base_class
    count = len(get_standard_gate_name_mapping()[name].params)
    angles = np.random.default_rng(2).uniform(-4, 4, size=(5, count))
    forward = parametric_transfer(TRANSFER + name, angles)
    assert forward.shape == (5, 4**qubits, 4**qubits)
    assert forward.dtype == np.float64
    for row, transfer in zip(angles, forward, strict=True):
        u = gate(*row).to_matrix()
        close(transfer, by_definition(lambda rho, u=u: u @ rho @ u.conj().T, qubits))
    close(parametric_transfer(TRANSPOSED + name, angles), np.swapaxes(forward, -1, -2))
    close(forward, transfer_of_unitary(gate_matrices(name, angles)))
    assert build is PARAMETRIC_GATES[name][1]


def test_names_say_which_way() -> None:
    assert is_transfer("transfer:rx")
    assert is_transfer("transposed:bound")
    assert not is_transfer("rx")
    assert not is_transfer("unitary")
    unitaries = random_unitary(4, seed=0).data[None]
    close(as_transfer("transfer:bound", unitaries), transfer_of_unitary(unitaries))
    close(as_transfer("transposed:bound", unitaries), np.swapaxes(transfer_of_unitary(unitaries), -1, -2))


@pytest.mark.parametrize(
    "times", [(50e-6, 70e-6, 0.0), (50e-6, 100e-6, 0.2), (30e-6, 20e-6, 1.0), (np.inf, np.inf, 0.3), (np.inf, 2e-5, 0)]
)
def test_relaxation(times: tuple[float, float, float]) -> None:
    t1, t2, excited = times
    for seconds in (0.0, 1e-6, 3e-4):
        found = relaxation_transfer(t1, t2, seconds, excited)
        close(found, transfer_from_superoperator(relaxation_channel(t1, t2, excited, seconds)))
    close(relaxation_transfer(t1, t2, 0.0, excited), np.eye(4))


def test_relaxation_ends_in_equilibrium_and_adds_up() -> None:
    late = relaxation_transfer(1e-6, 1e-6, 1e-3, 0.25)
    close(late @ [1, 0.3, -0.2, 0.5], [1, 0, 0, 0.5])  # ⟨Z⟩ = 1 − 2 · 0.25
    one, two = (relaxation_transfer(5e-5, 6e-5, s, 0.1) for s in (2e-6, 3e-6))
    close(one @ two, relaxation_transfer(5e-5, 6e-5, 5e-6, 0.1))
