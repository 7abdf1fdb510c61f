"""What is read at the end of a noisy circuit: weights, single outcomes, Pauli strings; readout errors included."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from qkernels.engines._density_compile import CompiledDensity

__all__ = ["paired", "pauli_readout"]

Values = NDArray[np.float64]

_LETTERS = {"I": 0, "X": 1, "Y": 2, "Z": 3}

_DENSE_PART = 4
"""Pairs are taken from a whole product of states and effects where they are at least a quarter of it."""

_GATHERED_BYTES = 1 << 20
"""States gathered at once where they are not."""


def paired(states: Values, i: NDArray[np.intp], effects: Values, j: NDArray[np.intp]) -> Values:
    """Distributions over classes for pairs of a state and a row of effects.

    Parameters
    ----------
    states : ndarray of shape (n_states, 4**n)
    i, j : ndarray of shape (n_pairs,), intp
        Positions in `states` and in `effects`; j is sorted.
    effects : ndarray of shape (n_undone, num_classes, 4**n)

    Returns
    -------
    ndarray of shape (n_pairs, num_classes), float64
    """
    if _DENSE_PART * len(i) >= len(states) * len(effects):
        whole = states @ effects.reshape(-1, effects.shape[-1]).T
        found = whole.reshape(len(states), len(effects), -1)[i, j]
    else:
        found = np.empty((len(i), effects.shape[1]))
        rows = max(1, _GATHERED_BYTES // (8 * states.shape[1]))
        starts = np.flatnonzero(np.diff(j, prepend=-1)).tolist()
        for start, stop in zip(starts, [*starts[1:], len(j)], strict=True):
            for k in range(start, stop, rows):
                part = slice(k, min(k + rows, stop))
                np.matmul(states[i[part]], effects[j[start]].T, out=found[part])
    return np.clip(found, 0.0, 1.0, out=found)


def pauli_readout(compiled: CompiledDensity, labels: list[str]) -> csr_array:
    """Expectation values of Pauli strings, as a device reads them, from vectors of states.

    A qubit that is rotated to the basis of P and read with P(read | true) has the effect a + b P in place of P, with
    a = (P(0|0) − P(1|0) + P(0|1) − P(1|1))/2 and b = (P(0|0) − P(1|0) − P(0|1) + P(1|1))/2.

    Parameters
    ----------
    compiled : CompiledDensity
    labels : list of str
        In Qiskit's order over the program's qubits.

    Returns
    -------
    sparse array of shape (n_labels, 4**num_qubits)
    """
    differences = compiled.readout[:, 0] - compiled.readout[:, 1]
    offset, slope = 0.5 * (differences[:, 0] + differences[:, 1]), 0.5 * (differences[:, 0] - differences[:, 1])
    rows: list[int] = []
    columns: list[int] = []
    entries: list[float] = []
    for row, label in enumerate(labels):
        terms = {0: 1.0}
        for qubit, letter in enumerate(reversed(label)):
            if letter == "I":
                continue
            place = compiled.places[qubit]
            kept = offset[qubit]
            if place is None:  # |0⟩: ⟨Z⟩ is 1, ⟨X⟩ and ⟨Y⟩ are 0
                factor = kept + (slope[qubit] if letter == "Z" else 0.0)
                terms = {index: c * factor for index, c in terms.items()}
                continue
            moved = {index + (_LETTERS[letter] << (2 * place)): c * slope[qubit] for index, c in terms.items()}
            terms = moved | ({index: c * kept for index, c in terms.items()} if kept else {})
        rows += [row] * len(terms)
        columns += terms.keys()
        entries += terms.values()
    shape = (len(labels), 4**compiled.num_qubits)
    return cast("csr_array", csr_array((entries, (rows, columns)), shape=shape))
