"""Means over outcomes of products of one factor per qubit: from packed bits, or from probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean_and_spread", "mean_of_outcomes"]

Values = NDArray[np.float64]

_BLOCK_BYTES = 32 * 2**20
"""Memory of the weights of a block of shots."""


def mean_and_spread(bits: NDArray[np.uint8], factors: Values) -> tuple[Values, Values]:
    """Mean and variance over shots of the product of one factor per qubit.

    Parameters
    ----------
    bits : ndarray of shape (..., shots, n_bytes), uint8
        Packed as in Qiskit's ``BitArray``: the lowest bit of the last byte is qubit 0.
    factors : ndarray of shape (n_qubits, 2)
        What bit b of a qubit multiplies, with n_bytes = ⌈n_qubits/8⌉.

    Returns
    -------
    mean, variance : ndarray of shape (...), float64
        The variance is that of the shots, not of the mean.

    Notes
    -----
    Every byte is looked up in a table of the products of its 8 qubits; blocks of entries take bounded memory.
    """
    shape, shots, n_bytes = bits.shape[:-2], bits.shape[-2], bits.shape[-1]
    tables = _tables(factors, n_bytes)
    entries = bits.reshape(-1, shots, n_bytes)
    mean, variance = np.empty(len(entries)), np.empty(len(entries))
    step = max(1, _BLOCK_BYTES // (16 * shots))
    for start in range(0, len(entries), step):
        block = entries[start : start + step]
        weights = tables[0][block[..., 0]]
        for position in range(1, n_bytes):
            weights *= tables[position][block[..., position]]
        mean[start : start + step] = weights.mean(axis=1)
        variance[start : start + step] = weights.var(axis=1)
    return mean.reshape(shape), variance.reshape(shape)


def _tables(factors: Values, n_bytes: int) -> Values:
    """For every byte position the product for each of its 256 values, shape (n_bytes, 256); bits beyond are ignored."""
    padded = np.ones((8 * n_bytes, 2))
    padded[: len(factors)] = factors
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    by_byte = padded.reshape(n_bytes, 8, 2)[::-1]  # qubits 0 to 7 are in the last byte
    chosen = np.where(bits[None, :, :] == 1, by_byte[:, None, :, 1], by_byte[:, None, :, 0])
    return np.asarray(chosen.prod(axis=2))


def mean_of_outcomes(outcomes: Values, factors: Values) -> Values:
    """Mean over a distribution of the product of one factor per qubit.

    Parameters
    ----------
    outcomes : ndarray of shape (..., 2**n_qubits), float64
        Probabilities; qubit 0 is the lowest bit of the index.
    factors : ndarray of shape (n_qubits, 2)

    Returns
    -------
    ndarray of shape (...), float64

    Notes
    -----
    One qubit is summed over at a time: n_qubits passes over arrays that halve, never a matrix of outcomes.
    """
    left = outcomes
    for zero, one in factors[::-1]:  # the highest bit splits the rest into two halves
        half = left.shape[-1] // 2
        left = zero * left[..., :half] + one * left[..., half:]
    return np.asarray(left[..., 0])
