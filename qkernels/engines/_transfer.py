"""Channels as real matrices over Pauli strings: the form in which noisy circuits are evaluated.

A density matrix is its vector of Pauli expectation values r_P = Tr(P ρ), a channel the matrix that maps r to r', an
effect M the vector m_P = Tr(P M)/2^n, so that Tr(M ρ) = m · r is a product of real numbers. The Pauli index of a qubit
is 0, 1, 2, 3 for I, X, Y, Z; two bits for every qubit, the first qubit least significant, as in Qiskit.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels.circuits import gate_matrices

__all__ = [
    "TRANSFER",
    "TRANSPOSED",
    "as_transfer",
    "is_transfer",
    "parametric_transfer",
    "pauli_vectors",
    "relaxation_transfer",
    "transfer_from_superoperator",
    "transfer_of_unitary",
]

Values = NDArray[np.float64]

TRANSFER, TRANSPOSED = "transfer:", "transposed:"
"""What names of data-dependent instructions begin with: the transfer matrix of the gate named, or its transpose, which
takes effects back through it."""

_PAULIS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


@lru_cache(maxsize=8)
def pauli_vectors(num_qubits: int) -> NDArray[np.complex128]:
    """Conjugated Pauli strings as rows, flattened column by column: row P times vec(ρ) is Tr(P ρ).

    Parameters
    ----------
    num_qubits : int

    Returns
    -------
    ndarray of shape (4**num_qubits, 4**num_qubits), complex128
        Read-only.
    """
    rows = []
    for index in range(4**num_qubits):
        letters = [_PAULIS[(index >> (2 * q)) & 3] for q in reversed(range(num_qubits))]
        rows.append(reduce(np.kron, letters).conj().reshape(-1, order="F"))
    vectors = np.array(rows)
    vectors.setflags(write=False)
    return vectors


def transfer_from_superoperator(superoperator: ArrayLike) -> NDArray[np.complex128]:
    """The transfer matrix of a superoperator in Qiskit's convention (column-stacking).

    Parameters
    ----------
    superoperator : array-like of shape (4**k, 4**k), complex

    Returns
    -------
    ndarray of shape (4**k, 4**k), complex128
        R_PQ = Tr(P Λ(Q))/2^k; real up to rounding for a map between Hermitian matrices.
    """
    matrix = np.asarray(superoperator, dtype=complex)
    k = (len(matrix).bit_length() - 1) // 2
    vectors = pauli_vectors(k)
    return np.asarray(vectors @ matrix @ vectors.conj().T / 2**k)


def transfer_of_unitary(unitary: NDArray[np.complexfloating]) -> Values:
    """Transfer matrices of unitaries.

    Parameters
    ----------
    unitary : ndarray of shape (…, 2**k, 2**k), complex

    Returns
    -------
    ndarray of shape (…, 4**k, 4**k), float64
    """
    dim = unitary.shape[-1]
    k = dim.bit_length() - 1
    vectors = pauli_vectors(k)
    # U ⊗ U* in column-stacking order acts on vec(ρ): vec(UρU†) = (U* ⊗ U) vec(ρ)
    doubled = np.einsum("...ac,...bd->...abcd", unitary.conj(), unitary)
    superoperator = doubled.reshape(*unitary.shape[:-2], dim * dim, dim * dim)
    return np.ascontiguousarray((vectors @ superoperator @ vectors.conj().T).real / dim)


def relaxation_transfer(t1: float, t2: float, seconds: float, excited: float = 0.0) -> Values:
    """Transfer matrix of thermal relaxation.

    Parameters
    ----------
    t1, t2 : float > 0, seconds
        May be infinite; t2 <= 2 t1.
    seconds : float >= 0
    excited : float in [0, 1]
        Population of the excited state in equilibrium.

    Returns
    -------
    ndarray of shape (4, 4), float64
    """
    decay, dephasing = np.exp(-seconds / t1), np.exp(-seconds / t2)
    transfer = np.diag([1.0, dephasing, dephasing, decay])
    transfer[3, 0] = (1.0 - decay) * (1.0 - 2.0 * excited)
    return transfer


def is_transfer(name: str) -> bool:
    """Whether a name means the transfer matrix of a gate, transposed or not."""
    return name.startswith((TRANSFER, TRANSPOSED))


def as_transfer(name: str, unitaries: NDArray[Any]) -> Values:
    """Transfer matrices of the unitaries of an instruction, transposed where its name says so."""
    found = transfer_of_unitary(unitaries)
    return np.ascontiguousarray(np.swapaxes(found, -1, -2)) if name.startswith(TRANSPOSED) else found


def parametric_transfer(name: str, angles: Values) -> Values:
    """Transfer matrices of a parametric gate for many angles.

    Parameters
    ----------
    name : str
        A gate of `gate_matrices` behind `TRANSFER` or `TRANSPOSED`.
    angles : ndarray of shape (n_samples, n_angles), float64

    Returns
    -------
    ndarray of shape (n_samples, 4**k, 4**k), float64
    """
    kind, _, gate = name.partition(":")
    if gate in _ROTATED:  # two sines instead of products of 4 × 4 matrices
        first, second = _ROTATED[gate]
        transfer = np.zeros((len(angles), 4, 4))
        transfer[:] = np.eye(4)
        cosine, sine = np.cos(angles[:, 0]), np.sin(angles[:, 0])
        if kind + ":" == TRANSPOSED:
            sine = -sine
        transfer[:, first, first] = transfer[:, second, second] = cosine
        transfer[:, second, first] = sine
        transfer[:, first, second] = -sine
        return transfer
    return as_transfer(name, gate_matrices(gate, angles))


_ROTATED = {"rz": (1, 2), "p": (1, 2), "u1": (1, 2), "rx": (2, 3), "ry": (3, 1)}
"""Rotations about an axis: the Pauli that turns, and what it turns to."""
