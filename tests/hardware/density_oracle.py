"""What a noise table says about a circuit, computed with plain NumPy density matrices: the reference of noise tests."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Operator

from qkernels.engines import NoiseTable

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

LETTERS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def paulis(k: int) -> Complex:
    """All Pauli strings on k qubits; two bits of the index per qubit, I, X, Y, Z, the first qubit least significant."""
    return np.array(
        [reduce(np.kron, [LETTERS[(index >> 2 * q) & 3] for q in reversed(range(k))]) for index in range(4**k)]
    )


def embedded(matrix: Complex, qubits: tuple[int, ...], n: int) -> Complex:
    """A matrix on some qubits as one on all, entry by entry."""
    full = np.zeros((2**n, 2**n), dtype=complex)
    rest = [q for q in range(n) if q not in qubits]
    for row in range(2**n):
        for column in range(2**n):
            if all((row >> q & 1) == (column >> q & 1) for q in rest):
                i = sum((row >> q & 1) << k for k, q in enumerate(qubits))
                j = sum((column >> q & 1) << k for k, q in enumerate(qubits))
                full[row, column] = matrix[i, j]
    return full


def apply_transfer(transfer: Real, rho: Complex, qubits: tuple[int, ...]) -> Complex:
    """Λ(ρ) from R_PQ = Tr(P Λ(Q))/2^k: the part of ρ at Q on these qubits becomes Σ_P R_PQ P, the rest stays."""
    n = len(rho).bit_length() - 1
    strings = [embedded(p, qubits, n) for p in paulis(len(qubits))]
    after = np.zeros_like(rho)
    for q, before in enumerate(strings):
        # ρ = Σ_Q Q ⊗ ρ_Q / 2^k: project on Q by tracing these qubits out with Q, which leaves 1 ⊗ ρ_Q
        part = sum(p @ before @ rho @ p.conj().T for p in strings) / 4 ** len(qubits)
        for p, string in enumerate(strings):
            after += transfer[p, q] * string @ part
    return after


def noisy_state(circuit: QuantumCircuit, table: NoiseTable) -> Complex:
    """Density matrix of a bound circuit without measurements from |0…0⟩, under the channels of a noise table."""
    n = circuit.num_qubits
    rho = np.zeros((2**n, 2**n), dtype=complex)
    rho[0, 0] = 1.0
    for item in circuit.data:
        where = tuple(circuit.find_bit(q).index for q in item.qubits)
        name, operation = item.operation.name, item.operation
        if name == "reset":
            zero, lower = np.array([[1, 0], [0, 0]]), np.array([[0, 1], [0, 0]])
            rho = sum(embedded(k, where, n) @ rho @ embedded(k, where, n).conj().T for k in (zero, lower))
        elif name == "delay":
            if (relaxation := table.relaxation(where[0])) is not None:
                seconds = operation.duration * (table.dt if operation.unit == "dt" else SECONDS[operation.unit])
                rho = apply_transfer(relaxation.transfer(seconds), rho, where)
        elif name != "barrier":
            unitary = embedded(Operator(operation).data, where, n)
            rho = unitary @ rho @ unitary.conj().T
        if (transfer := table.transfer(name, where)) is not None:
            rho = apply_transfer(transfer, rho, where)
    return rho


def noisy_outcomes(circuit: QuantumCircuit, table: NoiseTable) -> Real:
    """Probabilities of what is read after `noisy_state`; qubit 0 is the lowest bit."""
    true = np.diag(noisy_state(circuit, table)).real
    return reduce(np.kron, [table.readout_matrix(q) for q in reversed(range(circuit.num_qubits))]) @ true


def random_circuit(
    names: tuple[str, ...], num_qubits: int, length: int, seed: int, pairs: list[tuple[int, int]] | None = None
) -> QuantumCircuit:
    """Gates of these names with random angles on random qubits; pairs only where given."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(num_qubits)
    for _ in range(length):
        name = str(rng.choice(names))
        if name == "delay":
            circuit.delay(int(rng.integers(1, 50)), int(rng.integers(num_qubits)), unit=str(rng.choice(["us", "dt"])))
            continue
        if name == "reset":
            circuit.reset(int(rng.integers(num_qubits)))
            continue
        gate = get_standard_gate_name_mapping()[name]
        gate = gate.base_class(*rng.uniform(-np.pi, np.pi, len(gate.params)))
        if gate.num_qubits == 2 and pairs is not None:
            where = pairs[rng.integers(len(pairs))]
        else:
            where = rng.permutation(num_qubits)[: gate.num_qubits].tolist()
        circuit.append(gate, where)
    return circuit
