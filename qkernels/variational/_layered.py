"""What RealAmplitudes, EfficientSU2 and RY/RZ + CZ share: columns of rotations between layers of entanglers."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qkernels.variational._ansatz import Angles, Ansatz
from qkernels.variational._patterns import Entanglement, entangled_pairs

__all__ = ["LayeredAnsatz"]


class LayeredAnsatz(Ansatz):
    """`reps` + 1 layers of one-qubit rotations with a layer of fixed entanglers between two of them."""

    _rotations: tuple[str, ...]
    _entangler: str
    reps: int
    entanglement: Entanglement

    def _count(self, num_qubits: int) -> int:
        return num_qubits * len(self._rotations) * (self._require_integer("reps", minimum=0) + 1)

    def _circuit(self, theta: Angles, num_qubits: int) -> QuantumCircuit:
        pairs = entangled_pairs(type(self).__name__, self.entanglement, num_qubits)
        circuit = QuantumCircuit(num_qubits, name=type(self).__name__)
        angles = iter(theta)
        for layer in range(self.reps + 1):
            if layer > 0:
                for a, b in pairs:
                    getattr(circuit, self._entangler)(a, b)
            for rotation in self._rotations:
                for i in range(num_qubits):
                    getattr(circuit, rotation)(next(angles), i)
        return circuit

    def identity_point(self, num_qubits: int) -> NDArray[np.float64]:
        """Return zeros where the entanglers of all layers cancel each other; an error elsewhere.

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
            As `num_parameters`, or the entanglers do not cancel.
        """
        count = self.num_parameters(num_qubits)
        pairs = entangled_pairs(type(self).__name__, self.entanglement, num_qubits)
        if not self._cancel(pairs, num_qubits):
            raise self._no_identity(num_qubits, f"its entanglers do not cancel at reps={self.reps}")
        return np.zeros(count)

    @abstractmethod
    def _cancel(self, pairs: list[tuple[int, int]], num_qubits: int) -> bool:
        """Whether all `reps` layers of entanglers together are the identity."""
