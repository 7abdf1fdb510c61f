"""Optimizers behind one call, each on a smooth function with a known minimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit_machine_learning.optimizers import ADAM, SPSA
from qiskit_machine_learning.utils import algorithm_globals

from qkernels._errors import InvalidParameterError
from qkernels.variational import AQGD, OPTIMIZER_NAMES, Task, resolve_optimizer

Values = NDArray[np.float64]

MINIMUM = np.array([0.4, -0.3])
WITHOUT = {"COBYLA", "COBYQA", "Nelder-Mead", "Powell", "NFT", "QNSPSA", "SPSA", "UMDA"}


def loss(theta: Values) -> float:
    return float(2 - np.cos(np.asarray(theta) - MINIMUM).sum())


def gradient(theta: Values) -> Values:
    return np.asarray(np.sin(np.asarray(theta) - MINIMUM))


def fidelity(a: Values, b: Values) -> float:
    return float(np.prod(np.cos((a - b) / 2) ** 2))


class Noted:
    """A task that notes its iterates."""

    def __init__(self, max_iter: int | None = 60, with_gradient: bool = True) -> None:
        self.iterates: list[Values] = []
        self.task = Task(
            loss=loss,
            loss_and_gradient=(lambda t: (loss(t), gradient(t))) if with_gradient else None,
            gradient=gradient if with_gradient else None,
            start=np.array([1.0, 0.5]),
            max_iter=max_iter,
            tol=1e-6,
            seed=3,
            step=lambda theta, _: self.iterates.append(theta),
            fidelity=fidelity,
            num_steps=lambda: len(self.iterates),
        )


@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_every_name_finds_the_minimum(name: str) -> None:
    method, noted = resolve_optimizer(name.lower(), "VQC"), Noted(with_gradient=name not in WITHOUT)
    assert method.needs_gradient == method.takes_gradient == (name not in WITHOUT)
    outcome = method.run(noted.task)
    within = 0.3 if name in ("SPSA", "QNSPSA", "UMDA", "ADAM", "AMSGRAD") else 1e-2
    turns = np.round((outcome.theta - MINIMUM) / (2 * np.pi))  # UMDA starts anywhere
    np.testing.assert_allclose(outcome.theta - 2 * np.pi * turns, MINIMUM, atol=within)


@pytest.mark.parametrize("name", sorted(set(OPTIMIZER_NAMES) - {"ADAM", "AMSGRAD", "AQGD", "NFT"}))
def test_iterations_are_told(name: str) -> None:
    method, noted = resolve_optimizer(name, "VQC"), Noted(max_iter=5)
    assert method.tells
    method.run(noted.task)
    assert len(noted.iterates) >= 1
    assert all(theta.shape == (2,) for theta in noted.iterates)


@pytest.mark.parametrize("name", ["SPSA", "UMDA", "QNSPSA"])
def test_seed_decides_and_global_numbers_are_left_alone(name: str) -> None:
    algorithm_globals.random_seed = 99
    before = algorithm_globals.random
    first, second = (resolve_optimizer(name, "VQC").run(Noted(max_iter=4).task).theta for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert algorithm_globals.random_seed == 99
    assert algorithm_globals.random is before


class Descent:
    """Somebody's optimizer."""

    def minimize(self, fun: Any, x0: Values, jac: Any = None, bounds: Any = None) -> Any:
        for _ in range(50):
            x0 = x0 - 0.5 * jac(x0)

        class Result:
            x = x0

        return Result()


def test_any_object_with_minimize() -> None:
    method = resolve_optimizer(Descent(), "VQC")
    assert (method.needs_gradient, method.takes_gradient, method.tells) == (False, True, False)
    np.testing.assert_allclose(method.run(Noted().task).theta, MINIMUM, atol=1e-4)


def test_library_objects_keep_their_settings_and_their_callbacks() -> None:
    told: list[int] = []
    optimizer = SPSA(maxiter=3, termination_checker=lambda *args: bool(told.append(1)))
    noted = Noted(max_iter=None)
    resolve_optimizer(optimizer, "VQC").run(noted.task)
    assert len(noted.iterates) == len(told) == 3
    assert resolve_optimizer(ADAM(), "VQC").needs_gradient
    assert not resolve_optimizer(optimizer, "VQC").takes_gradient


def test_aqgd_is_momentum_on_the_gradient() -> None:
    # m ← (1 − μ) g + μ m, θ ← θ − η m
    theta, m = np.array([1.0, 0.5]), np.zeros(2)
    for _ in range(5):
        m = 0.7 * gradient(theta) + 0.3 * m
        theta = theta - 0.4 * m
    found = AQGD(5, eta=0.4, momentum=0.3, tol=0.0).minimize(loss, np.array([1.0, 0.5]), jac=gradient)
    np.testing.assert_allclose(found.x, theta, rtol=1e-12)


def test_aqgd_shifts_the_loss_as_published() -> None:
    # exact for a loss that is an expectation value, wrong by a factor for its square
    start = np.array([1.0, 0.5])
    chain = AQGD(1, momentum=0.0).minimize(loss, start, jac=gradient)
    shift = AQGD(1, momentum=0.0, gradient="loss-shift").minimize(loss, start, jac=gradient)
    np.testing.assert_allclose(shift.x, chain.x, atol=1e-12)
    np.testing.assert_array_equal(start, [1.0, 0.5])
    squared = AQGD(1, momentum=0.0, gradient="loss-shift").minimize(
        lambda t: loss(t) ** 2, start, jac=lambda t: 2 * loss(t) * gradient(t)
    )
    right = start - 2 * loss(start) * gradient(start)
    assert np.abs(squared.x - right).max() > 0.1


def test_aqgd_takes_numpy_integers() -> None:
    assert AQGD(max_iter=np.int64(5)).max_iter == 5


def test_aqgd_says_what_it_needs() -> None:
    assert resolve_optimizer(AQGD(), "VQC").needs_gradient
    assert not resolve_optimizer(AQGD(gradient="loss-shift"), "VQC").takes_gradient
    with pytest.raises(InvalidParameterError, match=r"AQGD\(gradient='chain'\) needs the gradient.*jac=None"):
        AQGD().minimize(loss, np.zeros(2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gradient": "exact"}, "gradient of AQGD must be 'chain' or 'loss-shift'; got 'exact'"),
        ({"max_iter": 0}, "max_iter of AQGD must be an integer >= 1; got 0"),
        ({"max_iter": True}, "max_iter of AQGD must be an integer >= 1; got True"),
        ({"momentum": 1.0}, r"momentum of AQGD must be in \[0, 1\); got 1.0"),
        ({"eta": 0.0}, "eta of AQGD must be > 0; got 0.0"),
    ],
)
def test_bad_settings_of_aqgd(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        AQGD(**settings)


@pytest.mark.parametrize("optimizer", ["lbfgs", None, SPSA, 3])
def test_bad_optimizers(optimizer: object) -> None:
    with pytest.raises(InvalidParameterError, match="optimizer of VQC must be one of 'L-BFGS-B'") as error:
        resolve_optimizer(optimizer, "VQC")
    assert str(error.value).endswith(f"got {optimizer!r}.")
