"""Gradients of engines with exact states: the two public calls, and what they refuse."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidParameterError
from qkernels.engines._base import CotangentOf
from qkernels.engines._gradient_request import GradientRequest
from qkernels.engines._simulation import SimulationEngine
from qkernels.programs import ExpectationProgram, Program

if TYPE_CHECKING:
    from qkernels.engines._statevector import StatevectorEngine

__all__ = ["ExactGradients"]


class ExactGradients(SimulationEngine):
    """The gradients of `StatevectorEngine` (abstract)."""

    @abstractmethod
    def _in_double(self) -> StatevectorEngine:
        """The engine, or one like it in double precision."""

    def vjp(
        self, program: Program, cotangent: ArrayLike, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Exact gradients of a scalar with respect to theta and X, by one sweep back through the fused circuit.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram
        cotangent : array-like of shape (n_samples, n_samples) or (n_samples, n_observables)
            Derivative of the scalar with respect to ``overlaps(program, X).values`` (the Gram matrix; it need not be
            symmetric) or to ``expectations(program, X).values``.
        X : array-like of shape (n_samples, num_features)
        theta : array-like of shape (num_parameters,), optional

        Returns
        -------
        ndarray of shape (num_parameters,), ndarray of shape (n_samples, num_features)

        Raises
        ------
        InvalidDataError
            X does not fit the program, or an angle has no finite derivative for a row.
        InvalidParameterError
            The engine has shots; `program` is no program; cotangent has another shape than the values or is not finite;
            theta does not fit.
        UnsupportedCircuitError
            A data-dependent gate is known by its matrix only, or an angle has no derivative.
        BudgetError
            The request does not fit into `memory_limit`.

        Notes
        -----
        Gradients are evaluated in double precision, also with ``precision="single"``.

        *Cost.* Two to four times the values, whatever the number of parameters; states are undone, not kept.

        References
        ----------
        Jones, Gacon, "Efficient calculation of gradients in classical simulations of variational quantum algorithms",
        arXiv:2009.02823.
        """
        _check_program(program, Program, "vjp")
        return self._request_gradients("vjp", program, X, theta, inputs=True).pull(cotangent)

    def expectations_and_vjp(
        self,
        program: ExpectationProgram,
        X: ArrayLike,
        cotangent_of: CotangentOf,
        *,
        theta: ArrayLike | None = None,
        inputs: bool = True,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
        """Values and gradients with the states evolved once.

        Parameters
        ----------
        program : ExpectationProgram
        X : array-like of shape (n_samples, num_features)
        cotangent_of : callable
            From the values to the derivative of the scalar with respect to them, of the same shape.
        theta : array-like of shape (num_parameters,), optional
        inputs : bool, default=True
            Whether the gradient with respect to X is wanted, too. Without it, what stands before the first gate with a
            trainable parameter is neither undone nor, in the next call with the same X, evolved again.

        Returns
        -------
        values : ndarray of shape (n_samples, n_observables)
        d_theta : ndarray of shape (num_parameters,)
        d_X : ndarray of shape (n_samples, num_features), or None without `inputs`

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError, BudgetError
            As in `vjp`; without `inputs`, derivatives with respect to X need not exist.

        Notes
        -----
        Made for training: nothing that depends on theta is cached.
        """
        _check_program(program, ExpectationProgram, "expectations_and_vjp")
        request = self._request_gradients("expectations_and_vjp", program, X, theta, inputs=inputs)
        values = request.expectations()
        d_theta, d_X = request.pull(cotangent_of(values))
        return values, d_theta, d_X if inputs else None

    def _request_gradients(
        self, method: str, program: Program, X: ArrayLike, theta: ArrayLike | None, *, inputs: bool
    ) -> GradientRequest:
        if self.shots is not None:
            raise InvalidParameterError(
                f"shots of {self._owner} must be None for {method}, got {self.shots}: sampled values have no exact "
                "gradients. Use the engine without shots, or qkernels.engines.parameter_shift with this one."
            )
        return GradientRequest(self._in_double(), program, X, theta, inputs=inputs)


def _check_program(program: object, kind: type[Program], method: str) -> None:
    if not isinstance(program, kind):
        what = "a program" if kind is Program else f"an {kind.__name__}"
        raise InvalidParameterError(f"program of {method} must be {what}, got {type(program).__name__}.")
