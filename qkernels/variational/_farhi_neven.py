"""FarhiNevenAnsatz: a readout qubit coupled to every data qubit."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qkernels._errors import InvalidParameterError
from qkernels.variational._ansatz import Angles, Ansatz

__all__ = ["FarhiNevenAnsatz"]

_GATES = {"ZX": "rzx", "XX": "rxx"}


class FarhiNevenAnsatz(Ansatz):
    r"""Two-qubit rotations between each data qubit and one readout qubit.

    The last of n qubits is the readout r, the others hold the data. RX(θ_0) on r; then, `reps` times, for each of
    the interactions a rotation :math:`\exp(-i\theta_j/2 \, P_j X_r)` with P = Z or X on every data qubit j. The
    label is the sign of ⟨Y_r⟩.

    Parameters
    ----------
    reps : int, default=1
        Repetitions, at least 1.
    interactions : sequence of {"ZX", "XX"}, default=("ZX", "XX")
        The layers of one repetition; the first letter acts on the data qubit, the second on the readout.

    Attributes
    ----------
    extra_qubits : int
        1: the readout stands beside the qubits of the feature map.

    Notes
    -----
    1 + reps·len(interactions)·(n − 1) angles. Cost: one two-qubit rotation (2 CX) per angle but the first, all of
    them on the readout: the two-qubit depth is their number.

    All gates commute with X on the readout. So θ_0 also chooses what is read: the ansatz with θ_0 + π/2 has in
    ⟨Z_r⟩ what it had in ⟨Y_r⟩, which is how a classifier that measures in the computational basis reads it.

    Identity point: zeros. There ⟨Y_r⟩ = 0 for all data.

    References
    ----------
    Farhi and Neven, "Classification with quantum neural networks on near term processors", arXiv:1802.06002. Its
    readout starts in Z = +1, Qiskit's state 0; its bit z_j is 0 where Z_j = +1.

    Examples
    --------
    Parity of the data bits 0 and 2 of "101" (qubit 0 is the right-most letter), exactly:

    >>> from qiskit.quantum_info import Pauli, Statevector
    >>> from qkernels.variational import FarhiNevenAnsatz
    >>> ansatz = FarhiNevenAnsatz()
    >>> circuit = ansatz.build(4).assign_parameters(ansatz.parity_point(4, subset=[0, 2]))
    >>> round(Statevector.from_label("0101").evolve(circuit).expectation_value(Pauli("YIII")).real, 12)
    1.0
    """

    _minimum_qubits = 2
    extra_qubits = 1

    def __init__(self, reps: int = 1, interactions: Sequence[Literal["ZX", "XX"]] = ("ZX", "XX")) -> None:
        self.reps = reps
        self.interactions = interactions

    def parity_point(
        self, num_qubits: int, subset: Sequence[int] | None = None, basis: Literal["Y", "Z"] = "Y"
    ) -> NDArray[np.float64]:
        r"""Return the angles of :math:`e^{i\pi/4 X_r} \prod_j e^{i\pi/2 \, a_j (1-Z_j)/2 \, X_r}`.

        On a data string z the readout then gives :math:`1 - 2 (\sum_j a_j z_j \bmod 2)` exactly.

        Parameters
        ----------
        num_qubits : int
            Number of qubits, the readout included.
        subset : sequence of int, default=None
            The data qubits with a_j = 1; None is all of them.
        basis : {"Y", "Z"}, default="Y"
            The Pauli operator of the readout that is measured.

        Returns
        -------
        ndarray of shape (num_parameters(num_qubits),), float64
            In radians.

        Raises
        ------
        InvalidParameterError
            As `num_parameters`; `subset` does not hold different data qubits; `basis` is neither; or
            `interactions` has no ``"ZX"``.
        """
        data = self._checked_qubits(num_qubits) - 1
        chosen = list(range(data)) if subset is None else list(subset)
        if len(set(chosen)) != len(chosen) or not set(chosen) <= set(range(data)):
            raise InvalidParameterError(
                f"FarhiNevenAnsatz: subset must hold different data qubits between 0 and {data - 1}; got {subset!r}."
            )
        weights = np.zeros(data)
        weights[chosen] = pi / 2
        # RX(2φ) = exp(−iφX): π/4 of the bias and π/4 of the constant part of every factor
        return self._point(num_qubits, -(pi / 2) * (1 + len(chosen)), weights, basis)

    def majority_point(self, num_qubits: int, basis: Literal["Y", "Z"] = "Y") -> NDArray[np.float64]:
        r"""Return the angles of :math:`\exp(i \tfrac{\beta}{2} \sum_j Z_j X_r)`, β = 0.9 π/m for m data qubits.

        On a data string z the readout gives sin(β·Σ_j Z_j), whose sign is that of the majority.

        Parameters
        ----------
        num_qubits : int
            Number of qubits, the readout included.
        basis : {"Y", "Z"}, default="Y"
            The Pauli operator of the readout that is measured.

        Returns
        -------
        ndarray of shape (num_parameters(num_qubits),), float64
            In radians.

        Raises
        ------
        InvalidParameterError
            As `num_parameters`; `basis` is neither; or `interactions` has no ``"ZX"``.
        """
        data = self._checked_qubits(num_qubits) - 1
        return self._point(num_qubits, 0.0, np.full(data, -0.9 * pi / data), basis)

    def readout_qubits(self, num_qubits: int) -> tuple[int, ...]:
        """Return the last qubit.

        Parameters
        ----------
        num_qubits : int
            Number of qubits.

        Returns
        -------
        tuple of int
            ``(num_qubits - 1,)``.

        Raises
        ------
        InvalidParameterError
            As `num_parameters`.
        """
        return (self._checked_qubits(num_qubits) - 1,)

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

    def _count(self, num_qubits: int) -> int:
        reps = self._require_integer("reps", minimum=1)
        return 1 + reps * len(self._checked_interactions()) * (num_qubits - 1)

    def _circuit(self, theta: Angles, num_qubits: int) -> QuantumCircuit:
        readout = num_qubits - 1
        circuit = QuantumCircuit(num_qubits, name=type(self).__name__)
        angles = iter(theta)
        circuit.rx(next(angles), readout)
        for _ in range(self.reps):
            for interaction in self._checked_interactions():
                for j in range(readout):
                    getattr(circuit, _GATES[interaction])(next(angles), j, readout)
        return circuit

    def _checked_interactions(self) -> list[str]:
        given = self.interactions
        names = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
        if not names or any(name not in _GATES for name in names):
            raise InvalidParameterError(
                f"FarhiNevenAnsatz: interactions must be a non-empty sequence of 'ZX' and 'XX'; got {given!r}."
            )
        return [str(name) for name in names]

    def _point(
        self, num_qubits: int, bias: float, weights: NDArray[np.float64], basis: Literal["Y", "Z"]
    ) -> NDArray[np.float64]:
        point = np.zeros(self.num_parameters(num_qubits))
        names = self._checked_interactions()
        if basis not in ("Y", "Z"):
            raise InvalidParameterError(f"FarhiNevenAnsatz: basis must be one of 'Y', 'Z'; got {basis!r}.")
        if "ZX" not in names:
            raise InvalidParameterError(
                f"FarhiNevenAnsatz: interactions must hold 'ZX' for parity and majority; got {self.interactions!r}."
            )
        first = 1 + names.index("ZX") * len(weights)
        point[0] = bias + (pi / 2 if basis == "Z" else 0.0)
        point[first : first + len(weights)] = weights
        return point
