"""Optimizers of other libraries behind one call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from qkernels._errors import InvalidParameterError
from qkernels.variational._aqgd import AQGD
from qkernels.variational._optimizer_objects import (
    has_converged,
    is_library_optimizer,
    iteration_limit,
    listening,
    may_draw,
    object_settings,
    scipy_callback,
    tells,
    with_limit,
)

__all__ = ["OPTIMIZER_NAMES", "Method", "OptimizerParameter", "Outcome", "Task", "resolve_optimizer"]

Values = NDArray[np.float64]
Loss = Callable[[Values], float]
Gradient = Callable[[Values], Values]
Fidelity = Callable[[Values, Values], float]
P = ParamSpec("P")
Result = TypeVar("Result")

_SCIPY_WITH_GRADIENT = ("L-BFGS-B", "BFGS", "CG", "Newton-CG", "SLSQP", "TNC", "trust-constr")
_SCIPY_WITHOUT = ("COBYLA", "COBYQA", "Nelder-Mead", "Powell")
_LIMIT = {"COBYQA": "maxfev", "TNC": "maxfun"}
"""Of scipy's options, the one that bounds what its callback counts; where it is not the usual one."""

_LIBRARY_WITH_GRADIENT = ("ADAM", "AMSGRAD", "AQGD")
_LIBRARY_WITHOUT = ("NFT", "QNSPSA", "SPSA", "UMDA")

OPTIMIZER_NAMES = (*_SCIPY_WITH_GRADIENT, *_SCIPY_WITHOUT, *_LIBRARY_WITH_GRADIENT, *_LIBRARY_WITHOUT)
"""Names that ``optimizer=`` takes: scipy's, then qiskit-machine-learning's."""

_LEARNING_RATE = 0.1
"""Of ADAM by name; the library's 1e-3 suits networks of many more parameters (0.1 is that of arXiv:2407.14055)."""


class HasMinimize(Protocol):
    """What an optimizer object must have."""

    def minimize(
        self,
        fun: Loss,
        x0: Values,
        jac: Gradient | None = None,
        bounds: list[tuple[float, float]] | None = None,
    ) -> Any:
        """Minimise `fun` from `x0`.

        Parameters
        ----------
        fun : callable
            Point of shape (n_parameters,) → loss.
        x0 : ndarray of shape (n_parameters,)
        jac : callable, optional
            Point → gradient of shape (n_parameters,); None where there is none.
        bounds : list of tuple, optional
            Not used here: None.

        Returns
        -------
        object
            With the point as its attribute ``x``.
        """


OptimizerParameter = str | HasMinimize
"""What ``optimizer=`` of an estimator takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is to be minimised.

    Attributes
    ----------
    loss : callable
        Point → loss.
    loss_and_gradient : callable, or None
        Point → loss and gradient.
    gradient : callable, or None
        Point → gradient.
    start : ndarray of shape (n_parameters,)
    max_iter : int or None
        None leaves it to an object that does not tell how many it takes.
    tol : float
    seed : int
        Of the random numbers of qiskit-machine-learning's optimizers.
    step : callable
        Called with the point, and the loss where it is known, after every iteration of an optimizer that tells.
    fidelity : callable
        Two points → fidelity of the model's states, for QNSPSA.
    num_steps : callable
        How many iterations have been counted since the start.
    """

    loss: Loss
    loss_and_gradient: Callable[[Values], tuple[float, Values]] | None
    gradient: Gradient | None
    start: Values
    max_iter: int | None
    tol: float
    seed: int
    step: Callable[[Values, float | None], None]
    fidelity: Fidelity
    num_steps: Callable[[], int]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What an optimizer found.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
    has_converged : bool or None
        None where the optimizer does not say.
    message : str
        Why it stopped, where it says so.
    """

    theta: Values
    has_converged: bool | None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """An optimizer, resolved.

    Attributes
    ----------
    name : str
        For messages.
    needs_gradient : bool
        Whether it cannot do without a gradient.
    takes_gradient : bool
        Whether it uses one.
    tells : bool
        Whether it calls ``Task.step``; otherwise iterations are counted by evaluations.
    run : callable
        Task → Outcome.
    describe : callable
        () → settings as text for checkpoints, without the limit.
    is_object : bool
        Whether it brings its own limit.
    limit : int or None
        Of an object: iterations at most, or None where it does not tell.
    """

    name: str
    needs_gradient: bool
    takes_gradient: bool
    tells: bool
    run: Callable[[Task], Outcome]
    describe: Callable[[], str]
    is_object: bool = False
    limit: int | None = None

    @property
    def settings(self) -> str:
        """All settings but the limit, as they are now."""
        return self.describe()


def resolve_optimizer(optimizer: object, owner: str) -> Method:
    """The optimizer that ``optimizer=`` of an estimator stands for.

    Parameters
    ----------
    optimizer : str or object with a method ``minimize(fun, x0, jac, bounds)``
        A name of `OPTIMIZER_NAMES`, in any case.
    owner : str
        Class name for errors.

    Returns
    -------
    Method

    Raises
    ------
    InvalidParameterError
        Neither.

    Examples
    --------
    >>> from qkernels.variational import resolve_optimizer
    >>> resolve_optimizer("l-bfgs-b", "VQC").needs_gradient
    True
    """
    if isinstance(optimizer, str):
        for name in OPTIMIZER_NAMES:
            if name.lower() == optimizer.lower():
                return _by_name(name)
    elif callable(getattr(optimizer, "minimize", None)) and not isinstance(optimizer, type):
        return _by_object(optimizer)
    names = ", ".join(repr(name) for name in OPTIMIZER_NAMES)
    raise InvalidParameterError(
        f"optimizer of {owner} must be one of {names}, or an object with a method minimize(fun, x0, jac, bounds); got "
        f"{optimizer!r}."
    )


def _by_name(name: str) -> Method:
    if name in (*_SCIPY_WITH_GRADIENT, *_SCIPY_WITHOUT):
        takes = name in _SCIPY_WITH_GRADIENT
        return Method(name, takes, takes, tells=True, run=lambda task: _run_scipy(name, task), describe=lambda: name)
    takes = name in _LIBRARY_WITH_GRADIENT
    return Method(name, takes, takes, tells=not takes, run=lambda task: _run_library(name, task), describe=lambda: name)


def _run_scipy(name: str, task: Task) -> Outcome:
    takes = name in _SCIPY_WITH_GRADIENT
    found = minimize(
        task.loss_and_gradient if takes else task.loss,
        task.start,
        jac=True if takes else None,
        method=name,
        tol=task.tol,
        options={_LIMIT.get(name, "maxiter"): task.max_iter},
        callback=scipy_callback(task.step),
    )
    return Outcome(np.asarray(found.x, dtype=np.float64), bool(found.success), str(found.message))


def _run_library(name: str, task: Task) -> Outcome:
    from qiskit_machine_learning import optimizers as library

    optimizers: Any = library  # its annotations are narrower than what it takes
    steps: Any = task.max_iter
    make: dict[str, Callable[[], Any]] = {
        "ADAM": lambda: optimizers.ADAM(maxiter=steps, lr=_LEARNING_RATE),
        "AMSGRAD": lambda: optimizers.ADAM(maxiter=steps, lr=_LEARNING_RATE, amsgrad=True),
        "AQGD": lambda: AQGD(max_iter=steps),
        "NFT": lambda: optimizers.NFT(maxiter=steps, maxfev=None),
        "QNSPSA": lambda: optimizers.QNSPSA(task.fidelity, maxiter=steps),
        "SPSA": lambda: optimizers.SPSA(maxiter=steps),
        "UMDA": lambda: optimizers.UMDA(maxiter=steps),
    }
    return _run_object(make[name](), task)


def _by_object(optimizer: Any) -> Method:
    needs, takes = getattr(optimizer, "needs_gradient", False), True
    if isinstance(optimizer, AQGD):
        takes = needs
    elif is_library_optimizer(optimizer):
        # Without a gradient these fall back on finite differences, which shot noise makes worthless.
        takes = optimizer.is_gradient_supported and not optimizer.is_gradient_ignored
        needs = takes
    return Method(
        repr(optimizer),
        bool(needs),
        bool(takes),
        tells(optimizer),
        run=lambda task: _run_object(optimizer, task),
        describe=lambda: object_settings(optimizer),
        is_object=True,
        limit=iteration_limit(optimizer),
    )


def _run_object(optimizer: Any, task: Task) -> Outcome:
    limited = with_limit(optimizer, task.max_iter)
    with _Draws(task.seed) if may_draw(limited) else nullcontext() as draws:
        loss, gradient, step = task.loss, task.gradient, task.step
        if draws is not None:
            loss, step = draws.aside(loss), draws.aside(step)
            gradient = None if gradient is None else draws.aside(gradient)
        heard = listening(limited, step) if tells(limited) else limited
        found = heard.minimize(loss, task.start.copy(), jac=gradient, bounds=None)
    point = np.asarray(getattr(found, "x", np.empty(0)), dtype=np.float64)
    if point.shape != task.start.shape:
        raise InvalidParameterError(
            f"optimizer {optimizer!r}: minimize must return an object with the point as its attribute x, of shape "
            f"{task.start.shape}; got {found!r}."
        )
    return Outcome(point, has_converged(limited, found, task.num_steps()), "it reached its last iteration")


_RANDOM_LOCK = threading.RLock()
"""Whoever holds it has the random numbers of qiskit-machine-learning, of which a process has one generator."""


class _Draws:
    """Context in which the global random numbers of qiskit-machine-learning are those of a seed.

    Optimizers of other threads wait meanwhile: they would take each other's numbers. What an optimizer calls goes on
    aside, where a callback may wait for another thread's fit.
    """

    def __init__(self, seed: int) -> None:
        from qiskit_machine_learning.utils import algorithm_globals

        self._globals = algorithm_globals
        self._own: tuple[int | None, np.random.Generator | None] = seed, None
        self._before: tuple[int | None, np.random.Generator | None] = seed, None
        self._thread = threading.get_ident()

    def __enter__(self) -> Self:
        _RANDOM_LOCK.acquire()
        self._before = self._state()
        self._set(self._own)
        return self

    def __exit__(self, *error: object) -> None:
        self._own = self._state()
        self._set(self._before)
        _RANDOM_LOCK.release()

    def aside(self, call: Callable[P, Result]) -> Callable[P, Result]:
        """A function that is called with the random numbers as they were, open to other threads."""

        def called(*args: P.args, **named: P.kwargs) -> Result:
            if threading.get_ident() != self._thread:  # an optimizer with threads of its own, which do not hold them
                return call(*args, **named)
            self.__exit__()
            try:
                return call(*args, **named)
            finally:
                self.__enter__()

        return called

    def _state(self) -> tuple[int | None, np.random.Generator | None]:
        return self._globals.random_seed, self._globals._random

    def _set(self, state: tuple[int | None, np.random.Generator | None]) -> None:
        self._globals.random_seed, self._globals._random = state
