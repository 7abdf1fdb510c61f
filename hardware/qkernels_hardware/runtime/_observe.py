"""Expectation values from measured bits: all Pauli strings of a basis from the same shots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qkernels.programs import ExpectationProgram, wilson_stderr

__all__ = ["least_stderr", "observe"]

Values = NDArray[np.float64]


def observe(
    program: ExpectationProgram,
    bases: Sequence[tuple[str, Sequence[str]]],
    bits: Mapping[str, Sequence[NDArray[np.uint8]]],
    num_rows: int,
) -> Values:
    """Values and standard errors of observables.

    Strings that are measured in one basis share their shots, so an observable is averaged shot by shot: its standard
    error includes their correlations.

    Parameters
    ----------
    program : ExpectationProgram
    bases : sequence of (str, sequence of str)
        A basis and the Pauli strings that it gives.
    bits : mapping of str to sequence of ndarray of shape (shots, ⌈n/8⌉), uint8
        Of every basis, for every row.
    num_rows : int

    Returns
    -------
    ndarray of shape (2, num_rows, n_observables)
    """
    n, count = program.num_qubits, len(program.terms)
    values, variances = np.zeros((num_rows, count)), np.zeros((num_rows, count))
    identity = "I" * n
    values += [sum(c for label, c in terms if label == identity) for terms in program.terms]
    for basis, labels in bases:
        position = {label: k for k, label in enumerate(labels)}
        coefficients = np.zeros((len(labels), count))
        for k, terms in enumerate(program.terms):
            for label, c in terms:
                if label in position:
                    coefficients[position[label], k] += c
        reach = np.abs(coefficients).sum(axis=0)
        for row, measured in enumerate(bits[basis]):
            each = _parities(measured, labels, n) @ coefficients
            shots = len(measured)
            values[row] += each.mean(axis=0)
            least = (2.0 * reach * wilson_stderr(np.ones(1), np.array([shots]))) ** 2
            variances[row] += np.maximum(each.var(axis=0) / shots, least)
    return np.stack([values, np.sqrt(variances)])


def least_stderr(program: ExpectationProgram, shots: int) -> Values:
    """The smallest standard errors that shots can have, shape (n_observables,): those of shots that all agree."""
    identity = "I" * program.num_qubits
    reach = np.array([sum(abs(c) for label, c in terms if label != identity) for terms in program.terms])
    return np.asarray(2.0 * reach * wilson_stderr(np.ones(1), np.array([shots])))


def _parities(bits: NDArray[np.uint8], labels: Sequence[str], num_qubits: int) -> Values:
    """±1 of every shot for every Pauli string, shape (shots, n_labels)."""
    ones = np.unpackbits(bits, axis=-1)[:, ::-1][:, :num_qubits].astype(np.float64)
    support = np.array([[letter != "I" for letter in reversed(label)] for label in labels], dtype=np.float64)
    return np.asarray(1.0 - 2.0 * ((ones @ support.T) % 2.0))
