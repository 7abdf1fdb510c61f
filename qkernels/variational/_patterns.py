"""Which pairs of qubits the entanglers of a layered ansatz act on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import TypeAlias

from qkernels._errors import InvalidParameterError
from qkernels.feature_maps import entangled_blocks

__all__ = ["PATTERNS", "Entanglement", "brick_pairs", "cnots_cancel", "entangled_pairs"]

PATTERNS = ("linear", "reverse_linear", "full", "circular", "pairwise")

Pair: TypeAlias = tuple[int, int]
Entanglement: TypeAlias = str | Sequence[Sequence[int]]


def entangled_pairs(owner: str, entanglement: Entanglement, num_qubits: int) -> list[Pair]:
    """Pairs of one layer in the order of the gates: a name of `PATTERNS` (in Qiskit's sense), or the pairs."""
    if isinstance(entanglement, str):
        if entanglement not in PATTERNS:
            listed = ", ".join(repr(pattern) for pattern in PATTERNS)
            raise InvalidParameterError(
                f"{owner}: entanglement must be one of {listed}, or a list of pairs of qubits; got {entanglement!r}."
            )
        return [(a, b) for a, b in entangled_blocks(owner, entanglement, num_qubits)]
    if not isinstance(entanglement, Sequence):
        raise InvalidParameterError(
            f"{owner}: entanglement must be a pattern name or a list of pairs of qubits; got {entanglement!r}."
        )
    return [_checked_pair(owner, pair, num_qubits) for pair in entanglement]


def brick_pairs(qubits: Sequence[int]) -> list[Pair]:
    """Neighbours along `qubits`: first the even places, then the odd ones."""
    neighbours = list(pairwise(qubits))
    return neighbours[::2] + neighbours[1::2]


def cnots_cancel(pairs: Sequence[Pair], repetitions: int, num_qubits: int) -> bool:
    """Whether `repetitions` layers of CX on `pairs` are the identity.

    A CX adds one bit to another, so a layer is an invertible matrix of bits; ``rows[q]`` holds the inputs whose sum
    qubit q carries.
    """
    rows = [1 << q for q in range(num_qubits)]
    for _ in range(repetitions):
        for control, target in pairs:
            rows[target] ^= rows[control]
    return rows == [1 << q for q in range(num_qubits)]


def _checked_pair(owner: str, pair: object, num_qubits: int) -> Pair:
    qubits: list[object] = list(pair) if isinstance(pair, Sequence) and not isinstance(pair, str) else []
    counts = [int(q) for q in qubits if isinstance(q, Integral) and not isinstance(q, bool)]
    if len(qubits) != 2 or len(set(counts) & set(range(num_qubits))) != 2:
        raise InvalidParameterError(
            f"{owner}: entanglement must hold pairs of different qubits between 0 and {num_qubits - 1}; got {pair!r}."
        )
    return counts[0], counts[1]
