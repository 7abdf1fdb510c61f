"""QCNNAnsatz: convolution and pooling."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qkernels._errors import InvalidParameterError
from qkernels.variational._ansatz import Angles, Ansatz
from qkernels.variational._blocks import BLOCK_SIZES, BLOCKS
from qkernels.variational._patterns import brick_pairs

__all__ = ["QCNNAnsatz"]

_POOL_SIZE = 2


class QCNNAnsatz(Ansatz):
    r"""Quantum convolutional network: per level a convolution over neighbours, then a pooling that halves the qubits.

    On a level with qubits a_0, a_1, … alive:

    1. convolution: a block on (a_0,a_1), (a_2,a_3), …, then (a_1,a_2), (a_3,a_4), …;
    2. pooling on (a_0,a_1), (a_2,a_3), …: CRZ(θ_0) controlled by the first qubit on the second, then
       CRX(θ_1) controlled by the first being 0. The second of each pair stays alive, and so does a last qubit
       without partner.

    Levels follow until at most `readout` qubits are alive.

    Parameters
    ----------
    block : {"su4", "ry"}, default="su4"
        The block of the convolution: ``"su4"``, a general two-qubit block of 15 angles (see `BrickworkAnsatz`), or
        ``"ry"``, RY on both qubits and CX(first→second).
    shared : bool, default=True
        One set of angles for all blocks of a level and one for all its poolings, as in a convolution; False gives
        every gate its own.
    readout : int, default=1
        Largest number of qubits to read, at least 1. Read `readout_qubits` for those that remain.

    See Also
    --------
    TreeAnsatz : no convolution between pairs.

    Notes
    -----
    Angles per level: those of the block (15 or 2), then 2 of the pooling, each times the number of gates where
    they are not shared. Cost per level of m qubits: m − 1 blocks of 3 CX (``"ry"``: 1) and ⌊m/2⌋ poolings of 4
    CX; fewer than 2n blocks in all.

    Measuring the first qubit of a pair and rotating the second one by the outcome is the same as the controlled
    rotations here, since the first qubit is not used again.

    Identity point: zeros, for ``"su4"``.

    References
    ----------
    Cong, Choi and Lukin, "Quantum convolutional neural networks", arXiv:1810.03787.
    Hur, Kim and Park, "Quantum convolutional neural network for classical data classification",
    arXiv:2108.00661: the pooling.

    Examples
    --------
    >>> from qkernels.variational import QCNNAnsatz
    >>> QCNNAnsatz().num_parameters(8), QCNNAnsatz(shared=False).num_parameters(8)
    (51, 179)
    >>> QCNNAnsatz().readout_qubits(8), QCNNAnsatz(readout=2).readout_qubits(8)
    ((7,), (3, 7))
    """

    _minimum_qubits = 2

    def __init__(self, block: Literal["su4", "ry"] = "su4", shared: bool = True, readout: int = 1) -> None:
        self.block = block
        self.shared = shared
        self.readout = readout

    def _count(self, num_qubits: int) -> int:
        self._require_choice("block", tuple(BLOCKS))
        self._require_choice("shared", (True, False))
        total = 0
        for alive in self._levels(num_qubits):
            convolutions, poolings = (1, 1) if self.shared else (len(alive) - 1, len(alive) // 2)
            total += BLOCK_SIZES[self.block] * convolutions + _POOL_SIZE * poolings
        return total

    def _circuit(self, theta: Angles, num_qubits: int) -> QuantumCircuit:
        circuit = QuantumCircuit(num_qubits, name=type(self).__name__)
        size, start = BLOCK_SIZES[self.block], 0
        for alive in self._levels(num_qubits):
            pairs = brick_pairs(alive)
            for k, (a, b) in enumerate(pairs):
                at = start if self.shared else start + k * size
                BLOCKS[self.block](circuit, theta[at : at + size], a, b)
            start += size if self.shared else size * len(pairs)
            pooled = pairs[: len(alive) // 2]
            for k, (a, b) in enumerate(pooled):
                at = start if self.shared else start + k * _POOL_SIZE
                _append_pooling(circuit, theta[at : at + _POOL_SIZE], a, b)
            start += _POOL_SIZE if self.shared else _POOL_SIZE * len(pooled)
        return circuit

    def readout_qubits(self, num_qubits: int) -> tuple[int, ...]:
        """Return the qubits that the last pooling leaves, at most `readout`, in ascending order.

        Parameters
        ----------
        num_qubits : int
            Number of qubits.

        Returns
        -------
        tuple of int
            Some of 0 to num_qubits − 1.

        Raises
        ------
        InvalidParameterError
            As `num_parameters`.
        """
        return _survivors(self._levels(self._checked_qubits(num_qubits))[-1])

    def identity_point(self, num_qubits: int) -> NDArray[np.float64]:
        """Return zeros for ``block="su4"``; an error for ``"ry"``, whose CX stay.

        Parameters
        ----------
        num_qubits : int
            Number of qubits.

        Returns
        -------
        ndarray of shape (num_parameters(num_qubits),), float64
            In radians.

        Raises
        ------
        InvalidParameterError
            As `num_parameters`, or `block` is ``"ry"``.
        """
        count = self.num_parameters(num_qubits)
        if self.block == "ry":
            raise self._no_identity(num_qubits, "the CX of block='ry' stay")
        return np.zeros(count)

    def _levels(self, num_qubits: int) -> list[tuple[int, ...]]:
        """The qubits alive at the start of each level."""
        readout = self._require_integer("readout", minimum=1)
        if readout >= num_qubits:
            raise InvalidParameterError(
                f"QCNNAnsatz: readout must be less than the number of qubits, {num_qubits}, so that there is a level "
                f"to train; got {readout}."
            )
        levels = [tuple(range(num_qubits))]
        while len(alive := _survivors(levels[-1])) > readout:
            levels.append(alive)
        return levels


def _survivors(alive: tuple[int, ...]) -> tuple[int, ...]:
    return alive[1::2] + (alive[-1:] if len(alive) % 2 else ())


def _append_pooling(circuit: QuantumCircuit, theta: Angles, first: int, second: int) -> None:
    """CRZ where the first qubit is 1, CRX where it is 0."""
    circuit.crz(theta[0], first, second)
    circuit.x(first)
    circuit.crx(theta[1], first, second)
    circuit.x(first)
