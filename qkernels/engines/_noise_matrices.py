"""Matrices of a noise table: what makes a channel, a readout matrix, a place; and powers of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit.quantum_info import SuperOp
from scipy.linalg import fractional_matrix_power

from qkernels._errors import InvalidParameterError
from qkernels.engines._transfer import pauli_vectors, transfer_from_superoperator

__all__ = ["Place", "checked_channel", "checked_place", "checked_qubit", "checked_stochastic", "matrix_power"]

Values = NDArray[np.float64]
Place = tuple[str, tuple[int, ...]]

_WELL_CONDITIONED = 1e4
"""Condition number of eigenvectors up to which powers are taken in them: rounding stays below 1e-11."""

_TOLERANCE = 1e-8
"""Of what makes a matrix a channel: trace preservation, and eigenvalues of its Choi matrix."""


def checked_place(place: object) -> Place:
    """An instruction name and qubits, or an error."""
    if isinstance(place, tuple) and len(place) == 2 and isinstance(place[0], str):
        qubits = tuple(place[1]) if isinstance(place[1], Iterable) else (place[1],)
        if qubits and all(map(_is_index, qubits)) and len(set(qubits)) == len(qubits):
            return place[0], tuple(int(q) for q in qubits)
    raise InvalidParameterError(
        f"channels of NoiseTable must be keyed by (instruction name, qubits) such as ('cx', (0, 1)); got {place!r}."
    )


def _is_index(qubit: object) -> bool:
    return isinstance(qubit, (int, np.integer)) and not isinstance(qubit, bool) and int(qubit) >= 0


def checked_qubit(qubit: int, owner: str) -> int:
    """A qubit as an integer, or an error."""
    if not _is_index(qubit):
        raise InvalidParameterError(f"{owner} of NoiseTable must be keyed by qubits (integers >= 0); got {qubit!r}.")
    return int(qubit)


def checked_channel(channel: ArrayLike, form: str, where: str, num_qubits: int | None = None) -> Values:
    """A given channel as a transfer matrix, checked."""
    is_matrix = not hasattr(channel, "num_qubits")
    try:  # an object of Qiskit says itself in which form it is
        matrix = np.asarray(channel if is_matrix else SuperOp(channel).data, dtype=np.complex128)
    except Exception as error:
        raise InvalidParameterError(
            f"The channel {where} of NoiseTable must be a matrix or what qiskit.quantum_info.SuperOp takes: {error}"
        ) from error
    size = matrix.shape[0] if matrix.ndim == 2 else 0
    k = max(0, size.bit_length() - 1) // 2
    if matrix.shape != (4**k, 4**k) or k == 0 or (num_qubits is not None and k != num_qubits):
        want = f"(4^k, 4^k) of k qubits, here k = {num_qubits}" if num_qubits else "(4^k, 4^k) of k >= 1 qubits"
        raise InvalidParameterError(f"The channel {where} of NoiseTable must have shape {want}; got {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise InvalidParameterError(f"The channel {where} of NoiseTable must be finite.")
    complex_transfer = matrix if form == "transfer" and is_matrix else transfer_from_superoperator(matrix)
    if (imaginary := float(np.abs(complex_transfer.imag).max())) > _TOLERANCE:
        raise InvalidParameterError(
            f"The channel {where} of NoiseTable must map Hermitian matrices to Hermitian ones: its transfer matrix "
            f"over Pauli strings must be real; imaginary parts are up to {imaginary:.2g}."
        )
    transfer = np.array(complex_transfer.real)
    trace = np.zeros(4**k)
    trace[0] = 1.0
    if (lost := float(np.abs(transfer[0] - trace).max())) > _TOLERANCE:
        raise InvalidParameterError(
            f"The channel {where} of NoiseTable must preserve the trace; it is off by {lost:.2g}."
        )
    vectors = pauli_vectors(k)
    # Choi matrix Σ R_PQ P ⊗ Q^T, up to order and a factor
    choi = np.einsum("pq,pij,qlk->ikjl", transfer, *(2 * [vectors.reshape(-1, 2**k, 2**k)]), optimize=True)
    smallest = float(np.linalg.eigvalsh(choi.reshape(4**k, 4**k))[0]) / 4**k
    if smallest < -_TOLERANCE:
        raise InvalidParameterError(
            f"The channel {where} of NoiseTable must be completely positive; its Choi matrix has the eigenvalue "
            f"{smallest:.2g}."
        )
    transfer.setflags(write=False)
    return transfer


def checked_stochastic(matrix: ArrayLike, where: str) -> Values:
    """P(read | true), read-only, or an error."""
    try:
        array = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (2, 2) or not np.isfinite(array).all() or array.min() < -_TOLERANCE:
        raise InvalidParameterError(f"{where} of NoiseTable must be a 2 × 2 matrix of probabilities; got {matrix!r}.")
    if (error := float(np.abs(array.sum(axis=0) - 1.0).max())) > _TOLERANCE:
        raise InvalidParameterError(
            f"{where} of NoiseTable must be P(read | true) with columns that sum to 1 (off by {error:.2g}); got "
            f"{array.tolist()}. Qiskit's ReadoutError has the transposed matrix."
        )
    array.setflags(write=False)
    return array


def matrix_power(matrix: Values, factor: float, where: str) -> Values:
    """A real power of a transfer or stochastic matrix, read-only, or an error."""
    if factor == 1.0:
        return matrix
    if float(factor).is_integer():
        power: Values = np.linalg.matrix_power(matrix, int(factor))
    else:
        found = _real_power(matrix, factor)
        if not np.isfinite(found).all() or np.abs(found.imag).max(initial=0.0) > _TOLERANCE:
            raise InvalidParameterError(
                f"factor of NoiseTable.scaled must be an integer for {where}, whose matrix has no real power "
                f"{factor!r}; got {factor!r}."
            )
        power = np.ascontiguousarray(found.real)
    power = np.array(power)
    power.setflags(write=False)
    return power


def _real_power(matrix: Values, factor: float) -> NDArray[np.complex128]:
    """The principal power; by eigenvectors where they are far from dependent, as those of channels are."""
    eigenvalues, vectors = np.linalg.eig(matrix)
    if np.linalg.cond(vectors) > _WELL_CONDITIONED:
        return np.asarray(fractional_matrix_power(matrix, factor), dtype=complex)
    # vectors · diag · vectors⁻¹ without the inverse
    scaled = vectors * eigenvalues.astype(complex) ** factor
    return np.asarray(np.linalg.solve(vectors.T, scaled.T).T, dtype=complex)
