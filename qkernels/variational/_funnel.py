"""What tree- and MPS-shaped ansätze share: n − 1 blocks that lead from all qubits to one."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qkernels.variational._ansatz import Angles, Ansatz
from qkernels.variational._blocks import BLOCK_SIZES, BLOCKS

__all__ = ["FunnelAnsatz"]


class FunnelAnsatz(Ansatz):
    """One block per pair; the second qubit of the last pair is read. A last RY there where blocks end in a CX."""

    _minimum_qubits = 2
    block: Literal["su4", "ry"]

    @abstractmethod
    def _pairs(self, num_qubits: int) -> list[tuple[int, int]]:
        """The n − 1 pairs in the order of the gates."""

    def _count(self, num_qubits: int) -> int:
        self._require_choice("block", tuple(BLOCKS))
        return BLOCK_SIZES[self.block] * (num_qubits - 1) + (self.block == "ry")

    def _circuit(self, theta: Angles, num_qubits: int) -> QuantumCircuit:
        circuit = QuantumCircuit(num_qubits, name=type(self).__name__)
        size = BLOCK_SIZES[self.block]
        pairs = self._pairs(num_qubits)
        for k, (a, b) in enumerate(pairs):
            BLOCKS[self.block](circuit, theta[size * k : size * (k + 1)], a, b)
        if self.block == "ry":
            circuit.ry(theta[-1], pairs[-1][1])
        return circuit

    def readout_qubits(self, num_qubits: int) -> tuple[int, ...]:
        """Return the qubit that all blocks lead to: the second one of the last pair.

        Parameters
        ----------
        num_qubits : int
            Number of qubits.

        Returns
        -------
        tuple of int
            One qubit.

        Raises
        ------
        InvalidParameterError
            As `num_parameters`.
        """
        return (self._pairs(self._checked_qubits(num_qubits))[-1][1],)

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
