"""What noisy engines share: orientation, measured diagonals, outcomes from distributions of pairs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._blockwise import ranges
from qkernels.engines._budget import Footprint, Request
from qkernels.engines._simulation import SimulationEngine
from qkernels.engines._weights import OutcomeClasses, PairList, gather
from qkernels.programs import OverlapProgram

__all__ = ["NoisyEngine", "packed_bits"]

_BITS_AT_ONCE = 1 << 22
"""Shots whose bits are unpacked together."""

Values = NDArray[np.float64]


class NoisyEngine(SimulationEngine):
    """Base of noisy engines (abstract): a subclass gives distributions over outcomes pair by pair."""

    _noisy: ClassVar[bool] = True
    _available: frozenset[str] = frozenset({"diagonal", "orientations", "weights", "bits"})

    @property
    def is_exact(self) -> bool:
        return False

    @abstractmethod
    def _distributions(
        self, program: OverlapProgram, classes: OutcomeClasses | None, pairs: PairList, footprint: Footprint
    ) -> Iterator[tuple[slice | NDArray[np.intp], Values]]:
        """Parts of the pairs of a list with their distributions.

        Parameters
        ----------
        program : OverlapProgram
        classes : OutcomeClasses or None
            Distributions over these classes; None is over all 2^n outcomes, qubit 0 of the program the lowest bit.
        pairs : PairList
        footprint : Footprint
        """

    def _weigh(
        self, pairs: PairList, request: Request, footprint: Footprint
    ) -> Iterator[tuple[NDArray[np.intp], Values]]:
        program = request.program
        if not isinstance(program, OverlapProgram):
            return
        for span, p in self._distributions(program, self._weight_classes(program), pairs, footprint):
            prepared, undone = _keys(pairs, span)
            draw = request.draw.at(pairs.where[span])
            yield pairs.where[span], draw.weights(p, pairs.zero[span], prepared, undone, pairs.direction)

    def _weight_classes(self, program: OverlapProgram) -> OutcomeClasses:
        return OutcomeClasses(program, tuple(reversed(range(program.num_qubits))))

    def _read(
        self, request: Request, frequencies: Values, index: NDArray[np.intp] | None, footprint: Footprint
    ) -> tuple[NDArray[np.uint8] | None, Values | None]:
        program, draw = request.program, request.draw
        if not isinstance(program, OverlapProgram):
            return None, None
        if draw.shots is None:

            def outcomes() -> Values:
                def evaluate(pairs: PairList) -> Iterator[tuple[NDArray[np.intp], Values]]:
                    for span, p in self._distributions(program, None, pairs, footprint):
                        p[:, 0] = pairs.zero[span]  # the same rounding as the entry
                        yield pairs.where[span], p

                return np.asarray(gather(request, frequencies, index, evaluate, np.zeros(2**program.num_qubits)))

            return None, self._cached("outcomes", request, outcomes) if index is None else outcomes()
        empty = np.zeros((draw.num_values * int(draw.shots_per_value), -(-program.num_qubits // 8)), dtype=np.uint8)

        def bits(pairs: PairList) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
            return self._bits(pairs, request, footprint)

        return gather(request, frequencies, index, bits, empty), None

    def _bits(
        self, pairs: PairList, request: Request, footprint: Footprint
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
        """Flat positions and measured bits of the pairs of a list, drawn within the weights that are drawn alone."""
        program, draw = request.program, request.draw
        if not isinstance(program, OverlapProgram):
            return
        classes = self._weight_classes(program)
        for span, p in self._distributions(program, None, pairs, footprint):
            prepared, undone = _keys(pairs, span)
            weights = draw.weights(classes(p), pairs.zero[span], prepared, undone, pairs.direction)
            counts = draw.outcomes(p, classes.class_of, weights, prepared, undone, pairs.direction)
            size = max(1, _BITS_AT_ONCE // max(1, int(counts[0].sum())))
            for part in ranges(len(counts), size):
                yield pairs.where[span][part], packed_bits(counts[part], program.num_qubits)


def _keys(pairs: PairList, span: slice | NDArray[np.intp]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Row keys of the prepared and of the undone side."""
    return pairs.prepared.keys[pairs.i[span]], pairs.undone.keys[pairs.j[span]]


def packed_bits(counts: NDArray[np.int64], num_qubits: int) -> NDArray[np.uint8]:
    """Measured bits from counts of outcomes.

    Parameters
    ----------
    counts : ndarray of shape (n_pairs, 2**num_qubits), int64
        Every row sums to the shots.
    num_qubits : int

    Returns
    -------
    ndarray of shape (n_pairs, shots, ⌈num_qubits/8⌉), uint8
        In the layout of Qiskit's ``BitArray``, sorted by outcome.
    """
    outcomes, num_bytes = np.arange(counts.shape[1]), -(-num_qubits // 8)
    bits = np.empty((len(counts), int(counts[0].sum()), num_bytes), dtype=np.uint8)
    for k in range(num_bytes):
        byte = (outcomes >> 8 * (num_bytes - 1 - k) & 0xFF).astype(np.uint8)
        bits[..., k] = np.repeat(np.tile(byte, len(counts)), counts.ravel()).reshape(bits.shape[:2])
    return bits
