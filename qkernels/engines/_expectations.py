"""Expectation values of observables from those of their Pauli strings: content-keyed shots, and sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from qkernels.programs import ExpectationProgram, sample_frequencies, single_uniforms, wilson_stderr

__all__ = ["coefficients", "combine", "pauli_labels", "sample_paulis"]

Values = NDArray[np.float64]


def pauli_labels(program: ExpectationProgram) -> list[str]:
    """The distinct Pauli strings of all observables, sorted."""
    return sorted({label for terms in program.terms for label, _ in terms})


def sample_paulis(
    paulis: Values, labels: Sequence[str], keys: NDArray[np.uint64], shots: int, seed: int
) -> tuple[Values, Values]:
    """Sampled means of Pauli strings and their variances.

    Parameters
    ----------
    paulis : ndarray of shape (n_rows, n_labels)
        Expectation values.
    labels : sequence of str
        The identity is not measured.
    keys : ndarray of shape (n_rows, 2), uint64
    shots, seed : int

    Returns
    -------
    means, variances : ndarray of shape (n_rows, n_labels)
    """
    means, variances = paulis.copy(), np.zeros_like(paulis)
    for k, label in enumerate(labels):
        if set(label) == {"I"}:
            continue
        u = single_uniforms(keys, seed, f"{label},shots={shots}")
        frequency = sample_frequencies(0.5 + 0.5 * paulis[:, k], u, shots)
        means[:, k] = 2.0 * frequency - 1.0
        variances[:, k] = (2.0 * wilson_stderr(frequency, shots)) ** 2
    return means, variances


def combine(program: ExpectationProgram, paulis: Values, variances: Values | None) -> Values:
    """Values of the observables and, where there are variances, their standard errors.

    Parameters
    ----------
    program : ExpectationProgram
    paulis, variances : ndarray of shape (n_rows, n_labels)
        In the order of `pauli_labels`.

    Returns
    -------
    ndarray of shape (1 or 2, n_rows, n_observables)
    """
    matrix = coefficients(program)
    values = np.ascontiguousarray((matrix @ paulis.T).T)
    if variances is None:
        return values[None]
    return np.stack([values, np.sqrt((matrix.power(2) @ variances.T).T)])


def coefficients(program: ExpectationProgram) -> csr_array:
    """The observables as sums of Pauli strings, shape (n_observables, n_labels) in the order of `pauli_labels`."""
    position = {label: k for k, label in enumerate(pauli_labels(program))}
    rows, columns, entries = zip(
        *((k, position[label], c) for k, observable in enumerate(program.terms) for label, c in observable),
        strict=True,
    )
    # Sparse: thousands of strings with one term each would make a dense matrix of their square.
    return csr_array((entries, (rows, columns)), shape=(len(program.terms), len(position)))
