"""The base class of ansätze: circuits W(θ) of trainable angles, for any number of qubits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression, ParameterVector
from qiskit.providers import BackendV2
from sklearn.base import BaseEstimator

from qkernels._errors import InvalidParameterError
from qkernels.circuits import Resources, circuit_resources

__all__ = ["Angles", "Ansatz"]

Angles = Sequence[ParameterExpression]


class Ansatz(BaseEstimator, ABC):
    r"""Base class of ansätze: a number of qubits → QuantumCircuit with trainable angles θ.

    A subclass stores its settings in ``__init__`` under their own names and writes two methods:
    ``_count(num_qubits)``, the number of angles, and ``_circuit(theta, num_qubits)``, the circuit for that many.
    It may also override ``identity_point``, ``readout_qubits``, ``extra_qubits`` and ``_minimum_qubits``.

    Ansätze are scikit-learn objects: ``get_params``, ``set_params`` and ``clone`` work, settings can be searched,
    and nothing is validated before `build`.

    Attributes
    ----------
    extra_qubits : int
        Qubits that the ansatz needs beyond those of the feature map; a class constant.

    Notes
    -----
    All ansätze with m angles share one `ParameterVector`, so that two builds give the same circuit. A build costs
    some microseconds per gate and is not cached; a fit builds once.

    Examples
    --------
    >>> from qkernels.variational import Ansatz
    >>> class Turns(Ansatz):
    ...     def __init__(self, axis="y"):
    ...         self.axis = axis
    ...     def _count(self, num_qubits):
    ...         return num_qubits
    ...     def _circuit(self, theta, num_qubits):
    ...         circuit = QuantumCircuit(num_qubits)
    ...         for i, angle in enumerate(theta):
    ...             getattr(circuit, "r" + self.axis)(angle, i)
    ...         return circuit
    >>> from qiskit import QuantumCircuit
    >>> Turns(axis="x")
    Turns(axis='x')
    >>> print(Turns().build(2))
         ┌──────────┐
    q_0: ┤ Ry(θ[0]) ├
         ├──────────┤
    q_1: ┤ Ry(θ[1]) ├
         └──────────┘
    """

    _minimum_qubits = 1
    extra_qubits = 0

    @abstractmethod
    def _count(self, num_qubits: int) -> int:
        """Return the number of angles; validate the settings that it depends on first."""

    @abstractmethod
    def _circuit(self, theta: Angles, num_qubits: int) -> QuantumCircuit:
        """Return a new circuit of the angles `theta`, all of them used; validate the settings first."""

    def num_parameters(self, num_qubits: int) -> int:
        """Return the number m of angles.

        Parameters
        ----------
        num_qubits : int
            Number of qubits.

        Returns
        -------
        int
            Length of θ.

        Raises
        ------
        InvalidParameterError
            If `num_qubits` is not an integer or not one that the ansatz can have, or a setting breaks its rule.
        """
        return self._count(self._checked_qubits(num_qubits))

    def parameter_vector(self, num_qubits: int) -> ParameterVector:
        """Return the vector ``θ`` that `build` uses, the same one at every call.

        Parameters
        ----------
        num_qubits : int
            Number of qubits.

        Returns
        -------
        ParameterVector
            Of length ``num_parameters(num_qubits)``.

        Raises
        ------
        InvalidParameterError
            As `num_parameters`.
        """
        return _theta_vector(self.num_parameters(num_qubits))

    def build(self, num_qubits: int, theta: Angles | None = None) -> QuantumCircuit:
        """Return the circuit on `num_qubits` qubits.

        Parameters
        ----------
        num_qubits : int
            Number of qubits.
        theta : sequence of ParameterExpression of length num_parameters(num_qubits), default=None
            The angles, in radians; None is `parameter_vector`. A model with several blocks passes a part of its
            own vector here.

        Returns
        -------
        QuantumCircuit
            Qubit 0 is the least significant bit. A new circuit at every call.

        Raises
        ------
        InvalidParameterError
            As `num_parameters`, or `theta` has another length.
        UnsupportedCircuitError
            A circuit of the user's holds an instruction that cannot be trained.
        """
        count = self.num_parameters(num_qubits)
        angles: Angles = _theta_vector(count) if theta is None else theta
        if len(angles) != count:
            raise InvalidParameterError(
                f"{type(self).__name__}: theta must hold {count} angle(s) on {num_qubits} qubit(s); got {len(angles)}."
            )
        return self._circuit(angles, int(num_qubits))

    def identity_point(self, num_qubits: int) -> NDArray[np.float64]:
        """Return angles at which the circuit is the identity, where there are any.

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
            As `num_parameters`, or the ansatz has no such angles for this number of qubits.
        """
        self.num_parameters(num_qubits)
        raise self._no_identity(num_qubits, "nothing is known about its angles")

    def readout_qubits(self, num_qubits: int) -> tuple[int, ...]:
        """Return the qubits that carry the result.

        Parameters
        ----------
        num_qubits : int
            Number of qubits.

        Returns
        -------
        tuple of int
            All qubits, unless the ansatz says otherwise.

        Raises
        ------
        InvalidParameterError
            As `num_parameters`.
        """
        return tuple(range(self._checked_qubits(num_qubits)))

    def resources(self, num_qubits: int, backend: BackendV2 | None = None) -> Resources:
        """Return qubits, gates and depth of one W(θ), and with a device the same after routing.

        Parameters
        ----------
        num_qubits : int
            Number of qubits.
        backend : BackendV2, optional
            A device or device model.

        Returns
        -------
        Resources
            Printable.

        Raises
        ------
        InvalidParameterError
            As `build`, and if `backend` is not a BackendV2 or has too few qubits.
        UnsupportedCircuitError
            As `build`.
        """
        return circuit_resources(self.build(num_qubits), backend)

    def _checked_qubits(self, num_qubits: object) -> int:
        if isinstance(num_qubits, bool) or not isinstance(num_qubits, Integral) or num_qubits < self._minimum_qubits:
            raise InvalidParameterError(
                f"{type(self).__name__}: num_qubits must be an integer >= {self._minimum_qubits}; got {num_qubits!r}."
            )
        return int(num_qubits)

    def _require_integer(self, name: str, minimum: int) -> int:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
            raise InvalidParameterError(
                f"{type(self).__name__}: {name} must be an integer >= {minimum}; got {value!r}."
            )
        return int(value)

    def _require_choice(self, name: str, choices: Sequence[object]) -> None:
        value = getattr(self, name)
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            listed = ", ".join(repr(choice) for choice in choices)
            raise InvalidParameterError(f"{type(self).__name__}: {name} must be one of {listed}; got {value!r}.")

    def _no_identity(self, num_qubits: int, reason: str) -> InvalidParameterError:
        return InvalidParameterError(
            f"{type(self).__name__} has no identity point on {num_qubits} qubit(s): {reason}. Use "
            "initial_point='small', give the angles as an array, or take an ansatz that has one, such as "
            "BrickworkAnsatz."
        )


@cache
def _theta_vector(length: int) -> ParameterVector:
    return ParameterVector("θ", length)
