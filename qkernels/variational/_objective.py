"""The objective: trainable numbers to the loss over a data set, and its gradient."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import ExecutionError, InvalidParameterError, UnsupportedCircuitError
from qkernels.engines import Engine, num_shifts, parameter_shift
from qkernels.programs import ExpectationProgram
from qkernels.variational._head import Head
from qkernels.variational._spent import Spent

__all__ = ["GradientWay", "NonFiniteLossError", "Objective", "gradient_way"]

Values = NDArray[np.float64]
GradientWay = Literal["exact", "shift"]


class NonFiniteLossError(ExecutionError, ArithmeticError):
    """The loss, its gradient or the point is not finite; training stops and keeps the best point."""


class Objective:
    """The weighted mean loss of a model over its samples, as a function of the trainable numbers.

    Everything that does not depend on them is done once, here. At a point that was evaluated last, nothing is evaluated
    again, and a gradient reuses its expectation values.

    Parameters
    ----------
    engine : Engine
    program : ExpectationProgram
    head : Head
    angles : ndarray of shape (n_samples, n_features), float64
        Scaled rows of X.
    targets : ndarray of shape (n_samples, n_outputs), float64
    weights : ndarray of shape (n_samples,), > 0
    way : {"exact", "shift", None}
        Where gradients come from, see `gradient_way`; None for none.
    batch_size : int, optional
        Samples of each evaluation, whose mean over a pass through the data is the loss of all; None is all of them.
    seed : int
        Of the order of the samples in mini-batches.

    Attributes
    ----------
    num_losses, num_gradients : int
        Evaluations so far.
    spent : Spent
        Circuits and shots so far: those of losses and of parameter shifts. An exact gradient comes with its loss.
    best_loss : float
        The lowest loss so far.
    best_theta : ndarray of shape (n_parameters,), or None
        Where it was found.
    """

    def __init__(
        self,
        engine: Engine,
        program: ExpectationProgram,
        head: Head,
        angles: Values,
        targets: Values,
        weights: Values,
        *,
        way: GradientWay | None,
        batch_size: int | None = None,
        seed: int = 0,
    ) -> None:
        self.engine, self.program, self.head, self.way = engine, program, head, way
        self.angles, self.targets, self.weights = angles, targets, weights
        self.batch_size = None if batch_size is None or batch_size >= len(angles) else batch_size
        self.seed = seed
        self.num_losses = self.num_gradients = self.num_batches = 0
        self.spent = Spent(engine, program)
        self.best_loss: float = np.inf
        self.best_theta: Values | None = None
        self._last: _Evaluation | None = None
        self._order: tuple[int, NDArray[np.intp]] | None = None

    @property
    def is_deterministic(self) -> bool:
        """Whether equal points have equal losses: all samples, no shots."""
        return self.batch_size is None and getattr(self.engine, "shots", None) is None

    @property
    def circuits_of_gradient(self) -> int:
        """Circuits of a gradient by parameter shifts, its loss included."""
        return (self.batch_size or len(self.angles)) * (1 + num_shifts(self.program, inputs=False))

    def loss(self, theta: Values) -> float:
        """The loss at a point.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)

        Returns
        -------
        float

        Raises
        ------
        ExecutionError
            A `NonFiniteLossError`: the point or its loss is not finite.
        """
        return self._evaluated(theta, needs_gradient=False).loss

    def gradient(self, theta: Values) -> Values:
        """The gradient of the loss at a point.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)

        Returns
        -------
        ndarray of shape (n_parameters,), float64
            A new array.

        Raises
        ------
        ExecutionError
            A `NonFiniteLossError`: the point, its loss or its gradient is not finite.
        InvalidParameterError
            There are no gradients.
        """
        return self.loss_and_gradient(theta)[1]

    def loss_and_gradient(self, theta: Values) -> tuple[float, Values]:
        """Both in one evaluation.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)

        Returns
        -------
        float, ndarray of shape (n_parameters,)

        Raises
        ------
        ExecutionError, InvalidParameterError
            As `gradient`.
        """
        if self.way is None:
            raise InvalidParameterError("This objective has no gradients: its engine gives none for the circuit.")
        found = self._evaluated(theta, needs_gradient=True)
        if found.gradient is None:
            raise InvalidParameterError("This objective has no gradients: its engine gives none for the circuit.")
        return found.loss, found.gradient.copy()

    # One evaluation ---------------------------------------------------------------------------------------------

    def _evaluated(self, theta: Values, needs_gradient: bool) -> _Evaluation:
        point = np.array(theta, dtype=np.float64).ravel()
        name, last = point.tobytes(), self._last
        if last is None or last.name != name:
            if not np.isfinite(point).all():
                raise NonFiniteLossError("a trainable number is not finite")
            last = _Evaluation(name, *self._next_batch())
        if not last.has_loss:
            if needs_gradient and self.way == "exact":
                self._run_both(last, point)
            else:
                self._run_values(last, point)
        if needs_gradient and last.gradient is None:
            self._run_gradient(last, point)
        self._last = last
        return last

    def _run_both(self, at: _Evaluation, point: Values) -> None:
        def cotangent_of(values: Values) -> Values:
            self._take_values(at, values, point)
            return self._cotangent(at, values)

        _, at.gradient, _ = self.engine.expectations_and_vjp(
            self.program, at.angles, cotangent_of, theta=point, inputs=False
        )
        self._check_gradient(at)

    def _run_values(self, at: _Evaluation, point: Values) -> None:
        if self.engine.is_exact:
            at.values = self.engine.fresh_expectations(self.program, at.angles, theta=point)
        else:
            at.values = self.engine.expectations(self.program, at.angles, theta=point).values
        self._take_values(at, at.values, point)

    def _take_values(self, at: _Evaluation, values: Values, point: Values) -> None:
        self.num_losses += 1
        self.spent.add(len(at.angles))
        at.loss, at.has_loss = float(at.share @ self.head.losses(values, at.targets)), True
        if not np.isfinite(at.loss):
            raise NonFiniteLossError(f"the loss is {at.loss}")
        if at.loss < self.best_loss:
            self.best_loss, self.best_theta = at.loss, point.copy()

    def _run_gradient(self, at: _Evaluation, point: Values) -> None:
        """The gradient where the values are known already."""
        if at.values is None:
            raise InvalidParameterError("The gradient at this point was not asked for together with its loss.")
        cotangent = self._cotangent(at, at.values)
        if self.way == "exact":
            _, at.gradient, _ = self.engine.expectations_and_vjp(
                self.program, at.angles, lambda _: cotangent, theta=point, inputs=False
            )
        else:
            at.gradient, _ = parameter_shift(self.engine, self.program, cotangent, at.angles, theta=point, inputs=False)
            self.spent.add(num_shifts(self.program, inputs=False) * int(cotangent.any(axis=1).sum()))
        self._check_gradient(at)

    def _cotangent(self, at: _Evaluation, values: Values) -> Values:
        """Derivative of the loss with respect to the expectation values."""
        found = self.head.cotangent(values, at.targets) * at.share[:, None]
        if not np.isfinite(found).all():
            raise NonFiniteLossError("the gradient of the loss is not finite")
        return found

    def _check_gradient(self, at: _Evaluation) -> None:
        self.num_gradients += 1
        if at.gradient is None or not np.isfinite(at.gradient).all():
            raise NonFiniteLossError("the gradient of the loss is not finite")

    def _next_batch(self) -> tuple[Values, Values, Values]:
        """Angles, targets and shares of the next mini-batch: every sample once in each pass through the data."""
        if self.batch_size is None:
            return self.angles, self.targets, self.weights / self.weights.sum()
        per_pass = len(self.angles) // self.batch_size
        number, place = divmod(self.num_batches, per_pass)
        self.num_batches += 1
        if self._order is None or self._order[0] != number:
            self._order = number, np.random.default_rng([self.seed, number]).permutation(len(self.angles))
        rows = self._order[1][place * self.batch_size : (place + 1) * self.batch_size]
        # by the mean weight of all samples, not of these: a batch's loss estimates that of the whole without bias
        share = self.weights[rows] / (self.batch_size * self.weights.mean())
        return self.angles[rows], self.targets[rows], share


class _Evaluation:
    """What is known at one point."""

    __slots__ = ("angles", "gradient", "has_loss", "loss", "name", "share", "targets", "values")

    def __init__(self, name: bytes, angles: Values, targets: Values, share: Values) -> None:
        self.name, self.angles, self.targets, self.share = name, angles, targets, share
        self.loss, self.has_loss = np.nan, False
        self.values: Values | None = None
        self.gradient: Values | None = None


def gradient_way(
    engine: Engine, program: ExpectationProgram, angles: Values, theta: Values
) -> tuple[GradientWay | None, str]:
    """How an engine gives gradients of a program: tried at one sample, with a cotangent of 0.

    Parameters
    ----------
    engine : Engine
    program : ExpectationProgram
    angles : ndarray of shape (n_samples, n_features)
    theta : ndarray of shape (n_parameters,)

    Returns
    -------
    way : {"exact", "shift", None}
        By the engine's own `expectations_and_vjp`; by parameter shifts; none.
    reason : str
        Why there is none; empty otherwise.
    """
    zero = np.zeros((1, len(program.terms)))
    try:
        if type(engine).expectations_and_vjp is Engine.expectations_and_vjp:
            # it evaluates the values first, and on a device that is a job: the second half tells as much
            engine.vjp(program, zero, angles[:1], theta=theta)
        else:
            engine.expectations_and_vjp(program, angles[:1], lambda _: zero, theta=theta, inputs=False)
        return "exact", ""
    except (UnsupportedCircuitError, InvalidParameterError):
        pass
    try:  # zeros are not evaluated: no circuit is run
        parameter_shift(engine, program, zero, angles[:1], theta=theta, inputs=False)
        return "shift", ""
    except UnsupportedCircuitError as error:
        return None, str(error)
