"""Training: an optimizer on an objective, iterate by iterate."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from qkernels._errors import InvalidParameterError, QKernelsWarning
from qkernels.engines import blas_cap
from qkernels.programs import ExpectationProgram, OverlapProgram
from qkernels.variational._checkpoint import Checkpoint, State
from qkernels.variational._objective import NonFiniteLossError, Objective
from qkernels.variational._optimizers import Method, Outcome, Task

__all__ = ["Callback", "Trained", "TrainingOptions", "train"]

Values = NDArray[np.float64]
Callback = Callable[[int, Values, float], object]

_KEPT_LOSSES = 1024
"""Losses of points that are remembered until the optimizer tells which of them was an iterate."""

_SHOWN_AFTER = 3.0
"""Seconds before a progress line appears."""

_MANY_SHIFTED = 1000
"""Circuits of a gradient that are worth a warning: a circuit of matrix-product states takes 5 ms and more."""

_FIDELITY_ROWS = 10
"""Samples whose states' fidelity QNSPSA's metric is averaged over."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How training goes.

    Attributes
    ----------
    max_iter : int
        Of an optimizer by name; an object brings its own limit.
    tol : float
    seed : int
    callback : callable or None
        ``callback(iteration, theta, loss)`` after every iterate; it may raise StopIteration to end the fit.
    validation : callable or None
        Point → loss on samples kept apart.
    patience : int
        Iterates without an improvement of the validation loss by `tol` that end the fit.
    checkpoint : Checkpoint or None
    no_gradient : str
        Why there are no gradients, where there are none.
    warns_at_limit : bool
        Whether an end at the limit of iterations, without convergence, is worth a warning.
    owner : str
        Class name for messages.
    """

    max_iter: int
    tol: float
    seed: int
    callback: Callback | None = None
    validation: Callable[[Values], float] | None = None
    patience: int = 10
    checkpoint: Checkpoint | None = None
    no_gradient: str = ""
    warns_at_limit: bool = True
    owner: str = "VQC"


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What training found.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
    loss_curve : list of float
        Loss of every iterate, also of the iterates of earlier processes.
    validation_curve : list of float
    has_converged : bool
    """

    theta: Values
    loss_curve: list[float]
    validation_curve: list[float]
    has_converged: bool


class _StopTraining(Exception):
    """Ends the optimizer from within a call."""


class _LimitReached(Exception):
    """Ends an optimizer object that would take more iterations than its limit leaves after a resume."""


def train(objective: Objective, start: Values, method: Method, options: TrainingOptions) -> Trained:
    """Minimise an objective.

    Parameters
    ----------
    objective : Objective
    start : ndarray of shape (n_parameters,)
    method : Method
    options : TrainingOptions

    Returns
    -------
    Trained
        Of the optimizer's last point; of the best one where validation decides, where losses are exact, and where
        training had to stop.

    Raises
    ------
    InvalidParameterError
        The optimizer needs a gradient and the objective has none, or the checkpoint is another fit's.

    Warns
    -----
    ConvergenceWarning
        The optimizer did not converge, or a loss was not finite.
    QKernelsWarning
        An exact engine gives gradients by parameter shifts only, and they take many circuits.
    """
    if method.needs_gradient and objective.way is None:
        raise InvalidParameterError(
            f"optimizer={method.name!r} of {options.owner} needs gradients, and {objective.engine!r} gives none for "
            f"this circuit, neither exact ones nor by parameter shifts: {options.no_gradient} Choose an optimizer "
            "without gradients, such as 'SPSA' or 'COBYLA', or an engine with gradients."
        )
    limit = method.limit if method.is_object else options.max_iter
    state = options.checkpoint.read() if options.checkpoint else None
    if state is not None and state.is_done and (state.has_converged or limit is None or state.budget >= limit):
        return Trained(state.theta, state.loss_curve, state.validation_curve, state.has_converged)
    if method.takes_gradient and objective.way == "shift" and objective.engine.is_exact:
        _warn_of_shifts(objective, options.owner)
    run = _Run(objective, method, options, limit, state or State(start.copy(), [], []))
    return run()


def _warn_of_shifts(objective: Objective, owner: str) -> None:
    """Where somebody who expects exact gradients would wait for an answer that does not come."""
    count, rows = objective.circuits_of_gradient, objective.batch_size or len(objective.angles)
    if count > _MANY_SHIFTED:
        warnings.warn(
            f"{owner}: {objective.engine!r} has no exact gradients for this circuit of {objective.program.num_qubits} "
            f"qubits, so each gradient takes {count:,} circuits by parameter shifts, {count // rows:,} for each of "
            f"{rows:,} row(s). Use fewer qubits (PCA, feature_map=ReuploadingMap(8); a nested parameter such as "
            "feature_map__reps makes feature_map=None a ZZFeatureMap with a qubit for each feature), fewer rows "
            "(batch_size), or an optimizer without gradients, such as 'SPSA'.",
            QKernelsWarning,
            stacklevel=2,
        )


class _Run:
    """One call of an optimizer: at most `limit` iterations with those in `state`, as many as it likes where None."""

    def __init__(
        self, objective: Objective, method: Method, options: TrainingOptions, limit: int | None, state: State
    ) -> None:
        self.objective, self.method, self.options, self.state = objective, method, options, state
        self.limit = limit
        self.uses_gradient = method.takes_gradient and objective.way is not None
        self.asks_gradient = self.has_stepped = self.is_stopped = False
        self.losses: dict[bytes, float] = {}
        self.first_iteration = len(state.loss_curve)
        self.message = ""
        self.states: OverlapProgram | None = None
        self.progress = _ProgressLine(options.owner, limit)
        objective.num_batches = state.num_batches

    def __call__(self) -> Trained:
        remaining = None if self.limit is None else self.limit - self.first_iteration
        outcome: Outcome | None = None
        if remaining is None or remaining > 0:
            try:
                # the optimizer's own linear algebra is tiny, and threads of a BLAS pool only wait for each other there
                with blas_cap():
                    outcome = self.method.run(self._task(remaining))
                if not np.isfinite(outcome.theta).all():
                    outcome = None
                    raise NonFiniteLossError("a trainable number is not finite")
            except _StopTraining:
                pass
            except _LimitReached:
                outcome = Outcome(self.state.theta, False, "it reached its last iteration")
            except NonFiniteLossError as error:
                self.message = f"training stopped because {error}; the best point so far is kept"
            finally:
                self.progress.close()
        return self._finish(outcome)

    def _task(self, remaining: int | None) -> Task:
        return Task(
            loss=self._loss,
            loss_and_gradient=self._loss_and_gradient if self.uses_gradient else None,
            gradient=self._gradient if self.uses_gradient else None,
            start=self.state.theta.copy(),
            max_iter=remaining,
            tol=self.options.tol,
            seed=self.options.seed + self.first_iteration,
            step=self._step,
            fidelity=self._fidelity,
            num_steps=lambda: len(self.state.loss_curve) - self.first_iteration,
        )

    # What the optimizer calls -----------------------------------------------------------------------------------

    def _loss(self, theta: Values) -> float:
        # an exact gradient costs little more beside the loss than later on its own
        both = self.uses_gradient and self.objective.way == "exact" and self.method.tells
        loss = self.objective.loss_and_gradient(theta)[0] if both else self.objective.loss(theta)
        self._remember(theta, loss)
        if not self.method.tells and not self.asks_gradient:
            self._step(np.array(theta, dtype=np.float64), loss)
        return loss

    def _loss_and_gradient(self, theta: Values) -> tuple[float, Values]:
        loss, gradient = self.objective.loss_and_gradient(theta)
        self._remember(theta, loss)
        return loss, gradient

    def _gradient(self, theta: Values) -> Values:
        loss, gradient = self._loss_and_gradient(theta)
        # the first loss was an iterate already: an optimizer may have no use for the gradients that it is offered
        is_counted = not self.asks_gradient and np.array_equal(theta, self.state.theta) and self.has_stepped
        self.asks_gradient = True
        if not self.method.tells and not is_counted:
            self._step(np.array(theta, dtype=np.float64), loss)
        return gradient

    def _remember(self, theta: Values, loss: float) -> None:
        if len(self.losses) >= _KEPT_LOSSES:
            self.losses.pop(next(iter(self.losses)))
        self.losses[np.asarray(theta, dtype=np.float64).tobytes()] = loss

    def _step(self, theta: Values, loss: float | None) -> None:
        """Note an iterate; end the fit where it is time."""
        if self.method.is_object and len(self.state.loss_curve) == self.limit:
            raise _LimitReached
        known = self.losses.get(theta.tobytes(), loss)
        value = self.objective.best_loss if known is None else known
        state, options = self.state, self.options
        state.theta, self.has_stepped = theta, True
        state.loss_curve.append(value)
        iteration = len(state.loss_curve)
        self.progress.show(iteration, value)
        stop = self._has_stalled(theta) if options.validation is not None else False
        state.num_batches = self.objective.num_batches
        if options.checkpoint is not None:
            options.checkpoint.write(state)
        if options.callback is not None:
            try:
                options.callback(iteration, theta.copy(), value)
            except StopIteration:
                self.is_stopped = stop = True
        if stop:
            raise _StopTraining

    def _has_stalled(self, theta: Values) -> bool:
        """Whether the validation loss has not improved for as long as patience lasts."""
        if self.options.validation is None:
            return False
        curve = self.state.validation_curve
        loss = self.options.validation(theta)
        if not np.isfinite(loss):
            raise NonFiniteLossError(f"the validation loss is {loss}")
        if not curve or loss < min(curve):
            self.state.best_theta = theta.copy()
        curve.append(loss)
        if len(curve) <= self.options.patience:
            return False
        before = min(curve[: -self.options.patience])
        self.state.has_converged = min(curve[-self.options.patience :]) > before - self.options.tol
        return self.state.has_converged

    def _fidelity(self, first: Values, second: Values) -> float:
        """Mean fidelity of the states of some samples at two points."""
        rows = self.objective.angles[:_FIDELITY_ROWS]
        if self.states is None:
            self.states = _states(self.objective.program)
        ahead, behind = (np.hstack([rows, np.broadcast_to(t, (len(rows), len(t)))]) for t in (first, second))
        pairs = np.repeat(np.arange(len(rows)), 2).reshape(-1, 2)
        found = self.objective.engine.overlaps(self.states, ahead, behind, pairs=pairs)
        self.objective.spent.add_pairs(len(pairs), found.num_shots)
        return float(found.values.mean())

    # The result -------------------------------------------------------------------------------------------------

    def _finish(self, outcome: Outcome | None) -> Trained:
        state, objective = self.state, self.objective
        if outcome is not None:
            state.theta = outcome.theta
            state.has_converged, state.budget = outcome.has_converged is True, self.limit or 0
            if outcome.has_converged is False and self.options.warns_at_limit:
                self.message = f"the optimizer stopped before it converged ({outcome.message})"
        if state.best_theta is not None:
            state.theta = state.best_theta
        elif objective.best_theta is not None and (objective.is_deterministic or (outcome is None and self.message)):
            state.theta = objective.best_theta
        if not self.is_stopped:  # by its user, who may go on from the iterate that was written last
            state.is_done = True
            if self.options.checkpoint is not None:
                self.options.checkpoint.write(state)
        if self.message:
            state.has_converged = False
            more = "Give the optimizer more" if self.method.is_object else "Raise max_iter or tol"
            warnings.warn(
                f"{self.options.owner}: {self.message}. Iterations: {len(state.loss_curve)}{_of(self.limit)}. {more}, "
                "choose another optimizer, or another initial_point.",
                ConvergenceWarning,
                stacklevel=2,
            )
        if not state.loss_curve and np.isfinite(objective.best_loss):
            state.loss_curve.append(objective.best_loss)
        return Trained(state.theta, state.loss_curve, state.validation_curve, state.has_converged)


class _ProgressLine:
    """A line on a terminal, once a fit takes long."""

    def __init__(self, owner: str, total: int | None) -> None:
        self.owner, self.total = owner, total
        self.begun = time.monotonic()
        self.status: Any = None
        self.is_off = False

    def show(self, iteration: int, loss: float) -> None:
        if self.is_off or (self.status is None and time.monotonic() - self.begun < _SHOWN_AFTER):
            return
        if self.status is None:
            from rich.console import Console

            console = Console(stderr=True)
            self.is_off = not console.is_terminal
            if self.is_off:
                return
            self.status = console.status("")
            self.status.start()
        self.status.update(f"{self.owner}: iteration {iteration}{_of(self.total)}, loss {loss:.6g}")

    def close(self) -> None:
        if self.status is not None:
            self.status.stop()


def _of(limit: int | None) -> str:
    return "" if limit is None else f" of at most {limit}"


def _states(program: ExpectationProgram) -> OverlapProgram:
    """The states of a model with its trainable numbers as further features: two points in one request."""
    return OverlapProgram(program.circuit, [*program.x, *(program.theta or ())])
