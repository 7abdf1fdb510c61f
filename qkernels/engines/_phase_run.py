"""Runs of diagonal gates and basis permutations as one phase polynomial and one linear map of bits.

A run of CX, X, SWAP and diagonal gates maps a basis state to a basis state times a phase,

    |b⟩ → exp(i φ(b)) |L(b)⟩,     φ(b) = Σ_S w_S Z_S(b),     Z_S(b) = (−1)^(parity of b on S),

where L is an affine map over bits and every weight w_S is a linear combination of the circuit's angles. A CX–P–CX pair
phase is then a single term on two qubits, whatever stands around it, and the ZZ map's whole entangling layer is one
vector of phases per sample. (Amy, Maslov, Mosca, Roetteler 2013, arXiv:1206.0758, call it the sum over paths.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qkernels.circuits import DIAGONAL_PARITIES, FlatOp

__all__ = ["PhaseRun", "Signature", "parity", "signs"]

_PERMUTATIONS = {"x", "cx", "swap", "y", "dcx", "iswap"}

_MAX_DIAGONAL_QUBITS = 4
"""Constant diagonal gates up to this width become terms (2^width of them)."""

Weight = dict[int, float]
"""Linear combination of angle slots; slot −1 is the constant 1."""

CONSTANT = -1

Signature = tuple[tuple[int, tuple[tuple[int, float], ...]], ...]
"""The phases of a run, comparable."""


class PhaseRun:
    """A run under construction.

    Attributes
    ----------
    num_qubits : int
    terms : dict of int to dict
        Bit mask S (over the *input* bits of the run; bit q is qubit q) → weight w_S: angle slot → coefficient, slot −1
        for the constant part. Global phases are dropped.
    masks : list of int
        Output bit q is the parity of the input bits in ``masks[q]``, xor ``flips[q]``.
    flips : list of int
    per_row : bool
        Whether phases differ from sample to sample of a call.
    """

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self.terms: dict[int, Weight] = {}
        self.masks = [1 << q for q in range(num_qubits)]
        self.flips = [0] * num_qubits
        self.per_row = False

    @staticmethod
    def accepts(op: FlatOp) -> bool:
        """Whether an op maps basis states to basis states in a way that a run can hold."""
        if op.name in _PERMUTATIONS or op.name in DIAGONAL_PARITIES:
            return True
        return op.matrix is not None and len(op.qubits) <= _MAX_DIAGONAL_QUBITS and _is_diagonal(op.matrix)

    @property
    def is_diagonal(self) -> bool:
        """Whether the bits come out as they went in."""
        return self.masks == [1 << q for q in range(self.num_qubits)] and not any(self.flips)

    @property
    def depends_on_data(self) -> bool:
        """Whether any weight has an angle slot."""
        return any(slot != CONSTANT for weight in self.terms.values() for slot in weight)

    @property
    def signature(self) -> Signature:
        """Its phases without the map of bits: layers of one feature map repeat them."""
        return tuple((mask, tuple(sorted(self.terms[mask].items()))) for mask in sorted(self.terms))

    def add(self, op: FlatOp) -> None:
        """Append an accepted op."""
        q = op.qubits
        self.per_row = self.per_row or not op.is_constant
        if op.name == "x":
            self.flips[q[0]] ^= 1
        elif op.name == "y":  # Y = i X Z
            self._phase((q[0],), CONSTANT, -math.pi / 2)
            self.flips[q[0]] ^= 1
        elif op.name == "cx":
            self._cx(q[0], q[1])
        elif op.name == "dcx":
            self._cx(q[0], q[1])
            self._cx(q[1], q[0])
        elif op.name in ("swap", "iswap"):
            if op.name == "iswap":  # a factor i where the two bits differ
                self._phase((q[0], q[1]), CONSTANT, -math.pi / 4)
            for bits in (self.masks, self.flips):
                bits[q[0]], bits[q[1]] = bits[q[1]], bits[q[0]]
        elif op.name in DIAGONAL_PARITIES:
            angle = op.angles[0]
            for subset, coefficient in DIAGONAL_PARITIES[op.name]:
                qubits = tuple(q[i] for i in subset)
                if isinstance(angle, int):
                    self._phase(qubits, angle, coefficient)
                else:
                    self._phase(qubits, CONSTANT, coefficient * angle)
        elif op.matrix is not None:
            for subset, value in _walsh_phases(op.matrix):
                self._phase(tuple(q[i] for i in subset), CONSTANT, value)

    def _cx(self, control: int, target: int) -> None:
        self.masks[target] ^= self.masks[control]
        self.flips[target] ^= self.flips[control]

    def _phase(self, qubits: tuple[int, ...], slot: int, coefficient: float) -> None:
        mask, flip = 0, 0
        for q in qubits:
            mask ^= self.masks[q]
            flip ^= self.flips[q]
        if mask:
            weight = self.terms.setdefault(mask, {})
            weight[slot] = weight.get(slot, 0.0) + (-coefficient if flip else coefficient)

    def output_index(self) -> NDArray[np.intp]:
        """L(b) for every basis state b, shape (2**num_qubits,)."""
        b = np.arange(1 << self.num_qubits)
        out = np.zeros_like(b)
        for q in range(self.num_qubits):
            out |= (parity(b & self.masks[q]) ^ self.flips[q]) << q
        return out.astype(np.intp)


def parity(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Parity (0 or 1) of the bits of non-negative integers."""
    v = values.copy()
    for shift in (32, 16, 8, 4, 2, 1):
        v ^= v >> shift
    return v & 1


def signs(masks: Sequence[int], num_bits: int) -> NDArray[np.float64]:
    """(−1)^(mask·b) for all basis states b, shape (n_masks, 2**num_bits)."""
    b = np.arange(1 << num_bits)
    return np.stack([1.0 - 2.0 * parity(b & mask) for mask in masks])


def _is_diagonal(matrix: NDArray[np.complex128]) -> bool:
    return bool((np.abs(matrix - np.diag(np.diagonal(matrix))) <= 1e-15).all())


def _walsh_phases(matrix: NDArray[np.complex128]) -> list[tuple[tuple[int, ...], float]]:
    """Phases of a diagonal gate as coefficients of Z_S, by the Walsh–Hadamard transform of the phase vector."""
    phases = np.angle(np.diagonal(matrix))
    k = len(phases).bit_length() - 1
    b = np.arange(len(phases))
    terms = []
    for mask in range(1, len(phases)):
        value = float((phases * (1 - 2 * parity(b & mask))).mean())
        if value:
            terms.append((tuple(i for i in range(k) if mask >> i & 1), value))
    return terms
