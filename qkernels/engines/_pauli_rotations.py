"""Parametric gates as Pauli rotations, and a Pauli rotation in transfer form with its derivative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._transfer import TRANSPOSED

__all__ = ["PAULI_ROTATIONS", "PauliRotation", "rotations_of"]

Values = NDArray[np.float64]

PAULI_ROTATIONS: dict[str, tuple[tuple[int | None, float, str], ...]] = {
    "rx": ((0, 1.0, "X"),),
    "ry": ((0, 1.0, "Y"),),
    "rz": ((0, 1.0, "Z"),),
    "p": ((0, 1.0, "Z"),),
    "u1": ((0, 1.0, "Z"),),
    "u": ((2, 1.0, "Z"), (0, 1.0, "Y"), (1, 1.0, "Z")),
    "u3": ((2, 1.0, "Z"), (0, 1.0, "Y"), (1, 1.0, "Z")),
    "u2": ((1, 1.0, "Z"), (None, math.pi / 2, "Y"), (0, 1.0, "Z")),
    "r": ((1, -1.0, "Z"), (0, 1.0, "X"), (1, 1.0, "Z")),
    "cp": ((0, 0.5, "ZI"), (0, 0.5, "IZ"), (0, -0.5, "ZZ")),
    "cu1": ((0, 0.5, "ZI"), (0, 0.5, "IZ"), (0, -0.5, "ZZ")),
    "crx": ((0, 0.5, "IX"), (0, -0.5, "ZX")),
    "cry": ((0, 0.5, "IY"), (0, -0.5, "ZY")),
    "crz": ((0, 0.5, "IZ"), (0, -0.5, "ZZ")),
    "rzz": ((0, 1.0, "ZZ"),),
    "rxx": ((0, 1.0, "XX"),),
    "ryy": ((0, 1.0, "YY"),),
    "rzx": ((0, 1.0, "ZX"),),
}
"""Gate name → rotations exp(−iφP/2) in the order of application, up to a global phase: (index of the gate's angle,
factor, letters of P on the gate's qubits, the first one first). φ is factor · angle, or the factor without an angle."""

_LETTERS = {"I": 0, "X": 1, "Y": 2, "Z": 3}
_PAULIS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])

Index = tuple[int | slice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PauliRotation:
    """exp(−iφP/2) on vectors over Pauli strings, held as arrays of shape (4, …, 4, n_rows), qubit 0 second to last.

    A string Q that does not commute with P is turned to cos φ Q + sin φ Q' with Q' = −iPQ; all others stay. The
    derivative of the rotation with respect to φ is therefore a constant matrix times the rotation itself.

    Attributes
    ----------
    letters : dict of int to int
        Qubit → 1, 2, 3 for X, Y, Z, the factors of P.
    pairs : tuple of (index, index)
        Where the strings Q and Q' stand in the array.
    slot : int or None
        Column of the angle; None for a rotation that is the same for all rows.
    factor : float
        φ is factor · angle, or the factor itself.
    """

    letters: dict[int, int]
    pairs: tuple[tuple[Index, Index], ...]
    slot: int | None
    factor: float

    def commutes(self, other: PauliRotation) -> bool:
        """Whether the order of two rotations does not matter."""
        return sum(letter != other.letters.get(q, letter) for q, letter in self.letters.items()) % 2 == 0

    def sine_and_cosine(self, angles: Values) -> tuple[Values, Values]:
        """Of φ for every row, shape (n_rows,) or (1,); `angles` has shape (n_angles, n_rows)."""
        phi = np.array([self.factor]) if self.slot is None else self.factor * angles[self.slot]
        return np.sin(phi), np.cos(phi)

    def turn(self, vectors: Values, sine: Values, cosine: Values) -> None:
        """Rotate in place; with minus the sine, back."""
        for first, second in self.pairs:
            a, b = vectors[first], vectors[second]
            turned = a * cosine
            turned -= b * sine
            b *= cosine
            b += a * sine
            a[...] = turned

    def slope(self, vectors: Values, cotangents: Values) -> Values:
        """Derivative of a scalar with respect to φ for every row.

        Parameters
        ----------
        vectors, cotangents : ndarray of shape (4, …, 4, n_rows)
            Behind the rotation.

        Returns
        -------
        ndarray of shape (n_rows,), float64
        """
        total = np.zeros(vectors.shape[-1])
        for first, second in self.pairs:
            product = cotangents[second] * vectors[first]
            product -= cotangents[first] * vectors[second]
            total += product.reshape(-1, len(total)).sum(axis=0)
        return total


def rotations_of(
    name: str, qubits: Sequence[int], angles: Sequence[int | float], num_qubits: int
) -> list[PauliRotation]:
    """A data-dependent instruction as rotations, in the order of application.

    Parameters
    ----------
    name : str
        A key of `PAULI_ROTATIONS` behind `TRANSFER`, or behind `TRANSPOSED`, for effects on their way back.
    qubits : sequence of int
    angles : sequence of int or float
        Slots, or constants, as in `FlatOp`.
    num_qubits : int
        Of the vectors.

    Returns
    -------
    list of PauliRotation
    """
    kind, _, gate = name.partition(":")
    parts, sign = PAULI_ROTATIONS[gate], 1.0
    if kind + ":" == TRANSPOSED:  # of a rotation: the rotation back
        parts, sign = parts[::-1], -1.0
    found = []
    for index, factor, letters in parts:
        source = 1.0 if index is None else angles[index]
        slot = source if isinstance(source, int) else None
        phi = sign * factor if slot is not None else sign * factor * source
        acting = {q: _LETTERS[letter] for q, letter in zip(qubits, letters, strict=True) if letter != "I"}
        pairs = [(_index(a, acting, num_qubits), _index(b, acting, num_qubits)) for a, b in _turning(letters)]
        found.append(PauliRotation(acting, tuple(pairs), slot, phi))
    return found


def _index(letters: Sequence[int], acting: dict[int, int], num_qubits: int) -> Index:
    """Where strings hold these letters on the qubits that are acted on."""
    index: list[int | slice] = [slice(None)] * num_qubits
    for q, letter in zip(acting, letters, strict=True):
        index[num_qubits - 1 - q] = letter
    return (*index, slice(None))


@lru_cache(maxsize=64)
def _turning(letters: str) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """Pairs (Q, Q') of strings on the qubits where P has a letter: those with PQ = −QP, and Q' = −iPQ."""
    inside = [_LETTERS[letter] for letter in letters if letter != "I"]
    strings = list(np.ndindex(*[4] * len(inside)))
    matrices = {s: reduce(np.kron, (_PAULIS[i] for i in s)) for s in strings}
    p = matrices[tuple(inside)]
    turning = []
    for first, q in matrices.items():
        for second, turned in matrices.items():
            if np.allclose(p @ q, -q @ p) and np.allclose(-1j * p @ q, turned):
                turning.append((first, second))
    return tuple(turning)
