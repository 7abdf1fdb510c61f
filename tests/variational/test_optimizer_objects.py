"""Optimizer objects: their limits, what of them a checkpoint belongs to, and whether they say that they converged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import repeat
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit_machine_learning.optimizers import (
    ADAM,
    COBYLA,
    L_BFGS_B,
    NELDER_MEAD,
    NFT,
    SLSQP,
    SPSA,
    TNC,
    UMDA,
    GradientDescent,
    Optimizer,
    SciPyOptimizer,
)

from qkernels.variational import AQGD, Method, Task, resolve_optimizer

pytestmark = pytest.mark.filterwarnings("ignore:scipy.optimize. The `disp` and `iprint` options:DeprecationWarning")

Values = NDArray[np.float64]
Make = Callable[..., Any]

MINIMUM = np.array([0.4, -0.3])

KNOWN: list[Make] = [
    lambda n: ADAM(maxiter=n, tol=0),
    lambda n: AQGD(n, tol=0),
    lambda n: COBYLA(maxiter=n, tol=1e-9),
    lambda n: GradientDescent(maxiter=n, tol=0),
    lambda n: L_BFGS_B(maxiter=n),
    lambda n: NELDER_MEAD(maxiter=n),
    lambda n: NFT(maxiter=n),
    lambda n: SPSA(maxiter=n),
    lambda n: UMDA(maxiter=n),
    lambda n: SciPyOptimizer("BFGS", options={"maxiter": n}),
]
NAMES = [
    "ADAM",
    "AQGD",
    "COBYLA",
    "GradientDescent",
    "L_BFGS_B",
    "NELDER_MEAD",
    "NFT",
    "SPSA",
    "UMDA",
    "SciPyOptimizer",
]


def loss(theta: Values) -> float:
    x = np.asarray(theta) - MINIMUM
    return float(2 - np.cos(x).sum() + 0.3 * np.sin(x[0]) * np.sin(x[1]))


def gradient(theta: Values) -> Values:
    x = np.asarray(theta) - MINIMUM
    return np.sin(x) + 0.3 * np.cos(x) * np.sin(x[::-1])


class Counted:
    """A task that counts as training does: iterations that are told, else gradients, else losses."""

    def __init__(self, method: Method, max_iter: int | None) -> None:
        self.told = self.gradients = self.losses = 0
        self.method = method
        self.task = Task(
            loss=self.loss,
            loss_and_gradient=lambda t: (loss(t), gradient(t)),
            gradient=self.gradient if method.takes_gradient else None,
            start=np.array([1.0, 0.5]),
            max_iter=max_iter,
            tol=1e-6,
            seed=3,
            step=self.step,
            fidelity=lambda a, b: 1.0,
            num_steps=lambda: self.steps,
        )

    def loss(self, theta: Values) -> float:
        self.losses += 1
        return loss(theta)

    def gradient(self, theta: Values) -> Values:
        self.gradients += 1
        return gradient(theta)

    def step(self, theta: Values, value: float | None) -> None:
        self.told += 1

    @property
    def steps(self) -> int:
        return self.told if self.method.tells else self.gradients or self.losses


@pytest.mark.parametrize("make", KNOWN, ids=NAMES)
@pytest.mark.parametrize("left", [None, 4])
def test_takes_as_many_iterations_as_are_left(make: Make, left: int | None) -> None:
    optimizer = make(5)
    method = resolve_optimizer(optimizer, "VQC")
    assert (method.is_object, method.limit) == (True, 5)
    counted = Counted(method, left)
    method.run(counted.task)
    expected = 5 if left is None or isinstance(optimizer, COBYLA) else left  # which training ends itself
    least = 1 if isinstance(optimizer, UMDA) else expected - 2  # some do not tell of the first or the last one
    assert least <= counted.steps <= expected
    assert method.limit == 5 == resolve_optimizer(optimizer, "VQC").limit  # the object itself stays as it is


@pytest.mark.parametrize("make", KNOWN, ids=NAMES)
def test_limit_is_no_part_of_the_settings(make: Make) -> None:
    assert resolve_optimizer(make(5), "VQC").settings == resolve_optimizer(make(9), "VQC").settings


def checks(*args: object) -> bool:
    return False


def also_checks(*args: object) -> bool:
    return False


class Remembers:
    """A check for termination that remembers what it has seen."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.values: list[float] = []

    def __call__(self, nfev: int, point: Values, loss: float, *details: Any) -> bool:
        self.values.append(loss)
        return False


class Mine:
    """Somebody's optimizer."""

    def __init__(self, rate: float) -> None:
        self._rate = rate

    def minimize(self, fun: Any, x0: Values, jac: Any = None, bounds: Any = None) -> Any:
        raise NotImplementedError


class Derived(Optimizer):
    """An optimizer on the library's base, without its `settings`."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._rate = rate

    def get_support_level(self) -> dict[str, Any]:
        return {"gradient": 0, "bounds": 0, "initial_point": 0}

    def minimize(self, fun: Any, x0: Values, jac: Any = None, bounds: Any = None) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ADAM(lr=1e-4), ADAM(lr=0.2)),
        (ADAM(), ADAM(amsgrad=True)),
        (AQGD(eta=0.1), AQGD(eta=0.2)),
        (L_BFGS_B(ftol=1e-3), L_BFGS_B(ftol=1e-6)),
        (L_BFGS_B(), SLSQP()),
        (COBYLA(tol=1e-3), COBYLA(tol=1e-6)),
        (SciPyOptimizer("BFGS"), SciPyOptimizer("CG")),
        (SciPyOptimizer("BFGS", options={"gtol": 1e-3}), SciPyOptimizer("BFGS", options={"gtol": 1e-6})),
        (SPSA(learning_rate=0.1, perturbation=0.1), SPSA(learning_rate=0.2, perturbation=0.1)),
        (SPSA(termination_checker=checks), SPSA(termination_checker=also_checks)),
        (SPSA(termination_checker=Remembers(2)), SPSA(termination_checker=Remembers(3))),
        (UMDA(alpha=0.5), UMDA(alpha=0.6)),
        (Mine(0.1), Mine(0.2)),
        (Derived(0.1), Derived(0.2)),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_other_settings_are_told_apart(first: object, second: object) -> None:
    assert resolve_optimizer(first, "VQC").settings != resolve_optimizer(second, "VQC").settings


@pytest.mark.parametrize(
    "make",
    [
        lambda: SPSA(callback=lambda *args: None, termination_checker=lambda *args: False),
        lambda: UMDA(callback=lambda *args: None),
        lambda: GradientDescent(learning_rate=lambda: iter([0.1] * 100)),
        lambda: Mine(0.1),
    ],
    ids=["SPSA", "UMDA", "GradientDescent", "Mine"],
)
def test_settings_hold_no_addresses(make: Make) -> None:
    first, second = make(), make()
    assert resolve_optimizer(first, "VQC").settings == resolve_optimizer(second, "VQC").settings
    assert "0x" not in resolve_optimizer(first, "VQC").settings


class Listed:
    """Somebody's optimizer with a history."""

    def __init__(self) -> None:
        self._history: list[float] = []

    def minimize(self, fun: Any, x0: Values, jac: Any = None, bounds: Any = None) -> Any:
        self._history.append(fun(x0))
        return SimpleNamespace(x=x0)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize(
    "optimizer",
    [ADAM(maxiter=3), SPSA(maxiter=3, termination_checker=Remembers(2)), Listed(), TNC(maxiter=3)],
    ids=lambda one: type(one).__name__,
)
def test_use_changes_no_settings(optimizer: Any) -> None:
    method = resolve_optimizer(optimizer, "VQC")
    before = method.settings
    method.run(Counted(method, None).task)
    assert method.settings == before


def test_tnc_that_is_interrupted_stays_as_it_is() -> None:
    """The library's TNC renames an option and takes that back only where it comes to its end."""
    optimizer = TNC(maxiter=4)
    before = dict(optimizer._options)
    method = resolve_optimizer(optimizer, "VQC")

    def interrupt(*_: object) -> Any:
        raise Interrupted

    with pytest.raises(Interrupted):
        method.run(replace(Counted(method, None).task, loss=interrupt))
    assert optimizer._options == before


@pytest.mark.parametrize(
    "make",
    [
        lambda n, eta: GradientDescent(maxiter=n, learning_rate=lambda: repeat(eta)),
        lambda n, eta: SPSA(maxiter=n, learning_rate=lambda: repeat(eta), perturbation=lambda: repeat(0.1)),
    ],
    ids=["GradientDescent", "SPSA"],
)
def test_schedules_hold_no_limit_and_are_told_apart(make: Make) -> None:
    """A schedule goes on as long as it is asked to; a limit says how long."""
    settings = [resolve_optimizer(make(*given), "VQC").settings for given in ((5, 0.1), (9, 0.1), (5, 0.2))]
    assert settings[0] == settings[1] != settings[2]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ("ADAM", False),
        ("AMSGRAD", False),
        ("AQGD", False),
        ("SPSA", None),  # these have no other end than their last iteration
        ("QNSPSA", None),
        ("NFT", None),
        (ADAM(maxiter=2), False),
        (ADAM(maxiter=500, lr=0.1, tol=1e-2), True),
        (GradientDescent(maxiter=2), False),
        (GradientDescent(maxiter=500, learning_rate=0.5, tol=1e-3), True),
        (COBYLA(maxiter=5), False),
        (COBYLA(maxiter=500), True),
        (TNC(maxiter=3), False),
        (L_BFGS_B(maxiter=1), False),
        (L_BFGS_B(maxiter=100), True),
        (NELDER_MEAD(maxiter=3), False),
        (NFT(maxiter=3), None),
        (SPSA(maxiter=3), None),
        (SPSA(maxiter=3, termination_checker=checks), False),
        (SPSA(maxiter=50, termination_checker=lambda *args: args[0] > 60), True),
        (UMDA(maxiter=60), None),  # it ends after a fifth of its limit without progress, so a larger one goes on
        (AQGD(2), False),
        (AQGD(2, gradient="loss-shift"), False),
        (AQGD(500, tol=1e-2), True),
        (AQGD(500, tol=1e-2, gradient="loss-shift"), True),
    ],
    ids=lambda value: (
        value if isinstance(value, str) else type(value).__name__ if hasattr(value, "minimize") else str(value)
    ),
)
def test_whether_an_optimizer_has_converged(optimizer: object, expected: bool | None) -> None:
    method = resolve_optimizer(optimizer, "VQC")
    assert method.run(Counted(method, 2 if isinstance(optimizer, str) else None).task).has_converged is expected


def test_own_callback_of_scipy_is_called_too() -> None:
    told: list[Values] = []
    results: list[float] = []

    def watch(intermediate_result: Any) -> None:
        results.append(intermediate_result.fun)

    for callback in (told.append, watch):
        method = resolve_optimizer(L_BFGS_B(maxiter=3, callback=callback), "VQC")
        counted = Counted(method, None)
        method.run(counted.task)
        assert counted.told == 3
    assert len(told) == len(results) == 3


@pytest.mark.parametrize(
    "optimizer", [Mine(0.1), AQGD(gradient="loss-shift"), NFT(), Derived(0.1)], ids=lambda one: type(one).__name__
)
def test_limits_that_are_not_known(optimizer: object) -> None:
    assert resolve_optimizer(optimizer, "VQC").limit is None
