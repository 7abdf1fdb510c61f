"""BrickworkAnsatz: general two-qubit blocks on neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qkernels.variational._ansatz import Angles, Ansatz
from qkernels.variational._blocks import SU4_SIZE, append_su4
from qkernels.variational._patterns import brick_pairs

__all__ = ["BrickworkAnsatz"]


class BrickworkAnsatz(Ansatz):
    r"""A wall of SU(4) blocks: per repetition on the pairs (0,1), (2,3), …, then (1,2), (3,4), ….

    A block on (a, b) has 15 angles: Euler angles RZ, RY, RZ on a, then on b;
    :math:`\exp(-\tfrac{i}{2}(\theta_6 XX + \theta_7 YY + \theta_8 ZZ))`; Euler angles on a, then on b. It reaches
    every two-qubit unitary.

    Parameters
    ----------
    reps : int, default=1
        Repetitions, at least 1.

    See Also
    --------
    TreeAnsatz, MPSAnsatz : the same blocks, each pair once, one qubit read.
    HamiltonianEmbedding : these layers between exponentials of the data.

    Notes
    -----
    15·(n − 1)·reps angles, blocks in the order of the gates. Cost: 3 CX per block, two-qubit depth 6 per
    repetition.

    Neighbouring blocks share a rotation of the qubit between them, so that not all angles are independent.

    Identity point: zeros.

    References
    ----------
    Vatan and Williams, "Optimal quantum circuits for general two-qubit gates", arXiv:quant-ph/0308006.

    Examples
    --------
    >>> from qkernels.variational import BrickworkAnsatz
    >>> BrickworkAnsatz().num_parameters(3)
    30
    >>> BrickworkAnsatz(reps=2).resources(4).num_cx
    18
    """

    _minimum_qubits = 2

    def __init__(self, reps: int = 1) -> None:
        self.reps = reps

    def _count(self, num_qubits: int) -> int:
        return SU4_SIZE * (num_qubits - 1) * self._require_integer("reps", minimum=1)

    def _circuit(self, theta: Angles, num_qubits: int) -> QuantumCircuit:
        circuit = QuantumCircuit(num_qubits, name=type(self).__name__)
        pairs = brick_pairs(range(num_qubits)) * self.reps
        for k, (a, b) in enumerate(pairs):
            append_su4(circuit, theta[SU4_SIZE * k : SU4_SIZE * (k + 1)], a, b)
        return circuit

    def identity_point(self, num_qubits: int) -> NDArray[np.float64]:
        """Return zeros.

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
            As `num_parameters`.
        """
        return np.zeros(self.num_parameters(num_qubits))
