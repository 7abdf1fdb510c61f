"""Dense gate matrices by Kronecker products: no Qiskit, qubit 0 is the least significant bit."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]

I2 = np.eye(2, dtype=complex)
X = np.array([[0, 1], [1, 0]], dtype=complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1, -1]).astype(complex)
H = (X + Z) / np.sqrt(2)
PAULI = {"I": I2, "X": X, "Y": Y, "Z": Z}


def phase(angle: float) -> Matrix:
    return np.diag([1, np.exp(1j * angle)])


def exponential(generator: Matrix, angle: float) -> Matrix:
    """exp(-i angle/2 P) for P of square one."""
    return np.cos(angle / 2) * np.eye(len(generator)) - 1j * np.sin(angle / 2) * generator


def on(num_qubits: int, factors: dict[int, Matrix]) -> Matrix:
    """Tensor product with the given factors on some qubits and the identity on the others."""
    return reduce(np.kron, [factors.get(q, I2) for q in reversed(range(num_qubits))])


def rotation(num_qubits: int, pauli: str, qubits: tuple[int, ...], angle: float) -> Matrix:
    """exp(-i angle/2 P), P = pauli[0] on qubits[0], pauli[1] on qubits[1], ..."""
    generator = on(num_qubits, {q: PAULI[letter] for q, letter in zip(qubits, pauli, strict=True)})
    return exponential(generator, angle)


def cx(num_qubits: int, control: int, target: int) -> Matrix:
    zero, one = np.diag([1, 0]).astype(complex), np.diag([0, 1]).astype(complex)
    return on(num_qubits, {control: zero}) + on(num_qubits, {control: one, target: X})


def cz(num_qubits: int, a: int, b: int) -> Matrix:
    one = np.diag([0, 1]).astype(complex)
    return np.eye(2**num_qubits) - 2 * on(num_qubits, {a: one, b: one})


def sqrt_iswap(num_qubits: int, a: int, b: int) -> Matrix:
    """|01> and |10> exchanged with amplitude i/√2, the other two states as they are."""
    zero, one = np.diag([1, 0]).astype(complex), np.diag([0, 1]).astype(complex)
    raise_, lower = (X - 1j * Y) / 2, (X + 1j * Y) / 2
    equal = on(num_qubits, {a: zero, b: zero}) + on(num_qubits, {a: one, b: one})
    different = on(num_qubits, {a: zero, b: one}) + on(num_qubits, {a: one, b: zero})
    exchange = on(num_qubits, {a: raise_, b: lower}) + on(num_qubits, {a: lower, b: raise_})
    return equal + (different + 1j * exchange) / np.sqrt(2)


def product(gates: list[Matrix]) -> Matrix:
    """Matrix of gates listed in the order in which they are applied."""
    return reduce(lambda total, gate: gate @ total, gates)


def distance_up_to_phase(a: Matrix, b: Matrix) -> float:
    """Largest entry of a − e^{iφ} b at the best φ; 0 means equal up to a global phase."""
    inner = np.vdot(b, a)
    return float(np.max(np.abs(a - inner / abs(inner) * b))) if abs(inner) > 0 else float("inf")
