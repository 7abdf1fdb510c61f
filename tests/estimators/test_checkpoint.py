"""Checkpoints of variational fits: what they belong to, and how a fit goes on from them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit_machine_learning.optimizers import ADAM, COBYLA, L_BFGS_B, NFT, SPSA, TNC, UMDA
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from qkernels import VQC, VQR, DensityMatrixEngine, MPSEngine, StatevectorEngine
from qkernels._errors import InvalidParameterError
from qkernels.engines import Engine, NoiseTable

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:scipy.optimize. The `disp` and `iprint` options:DeprecationWarning"),
]

Values = NDArray[np.float64]

X, Y = (part[:100:5] for part in load_iris(return_X_y=True))
X = X[:, :2]


class Stop(Exception):
    pass


def stops_at(iteration: int, error: type[Exception] = Stop) -> Callable[[int, Values, float], None]:
    def callback(k: int, theta: Values, loss: float) -> None:
        if k == iteration:
            raise error

    return callback


def noisy(error: float) -> DensityMatrixEngine:
    channel = np.diag([1.0, *[1 - error] * 15])
    return DensityMatrixEngine(NoiseTable(defaults={"cx": channel}, ideal=["h", "p", "ry", "rz"], form="transfer"))


def named(optimizer: object) -> str:
    return optimizer if isinstance(optimizer, str) else f"{type(optimizer).__name__} object"


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., VQC]:
    return lambda **options: VQC(
        **{"reuploads": 1, "random_state": 0, "max_iter": 2, "checkpoint": tmp_path / "fit.npz", **options}
    )


# What a checkpoint belongs to -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (noisy(0.01), noisy(0.3)),
        (noisy(0.01), noisy(0.01).scaled(30)),
        (StatevectorEngine(shots=50, seed=0), StatevectorEngine(shots=50, seed=1)),
        (StatevectorEngine(shots=50, seed=0), StatevectorEngine(shots=60, seed=0)),
        (StatevectorEngine(), StatevectorEngine(precision="single")),
        (StatevectorEngine(), MPSEngine()),
    ],
    ids=["noise", "scale of the noise", "seed", "shots", "precision", "kind"],
)
def test_of_another_engine_is_refused(first: Engine, second: Engine, model: Callable[..., VQC]) -> None:
    model(engine=first, optimizer="NFT").fit(X, Y)
    with pytest.raises(InvalidParameterError, match=r"fit.npz' belongs to a fit of other data or settings"):
        model(engine=second, optimizer="NFT").fit(X, Y)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"optimizer": ADAM(maxiter=2, lr=1e-4)}, {"optimizer": ADAM(maxiter=2, lr=0.2)}),
        ({"optimizer": "ADAM"}, {"optimizer": "AMSGRAD"}),
        ({"early_stopping": True, "n_iter_no_change": 1}, {"early_stopping": True, "n_iter_no_change": 50}),
        ({"readout": "parity"}, {"readout": "classes"}),
        ({"loss": "cross_entropy"}, {"loss": "squared_error"}),
        ({"batch_size": 5}, {"batch_size": 6}),
        ({"random_state": 0}, {"random_state": 1}),
        ({"initial_point": "small"}, {"initial_point": "random"}),
    ],
    ids=lambda options: ",".join(options),
)
def test_of_other_settings_is_refused(first: dict[str, Any], second: dict[str, Any], model: Callable[..., VQC]) -> None:
    model(**{"optimizer": "ADAM", **first}).fit(X, Y)
    with pytest.raises(InvalidParameterError, match="belongs to a fit of other data or settings"):
        model(**{"optimizer": "ADAM", **second}).fit(X, Y)


def made() -> Callable[..., bool]:
    """A function as another process would make it."""
    return lambda *args: False


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"optimizer": SPSA(2, callback=made())}, {"optimizer": SPSA(2, callback=made())}),
        ({"optimizer": SPSA(2, termination_checker=made())}, {"optimizer": SPSA(2, termination_checker=made())}),
        (
            {"engine": StatevectorEngine(shots=9), "optimizer": "SPSA"},
            {"engine": StatevectorEngine(shots=9), "optimizer": "SPSA"},
        ),
        ({"engine": StatevectorEngine(seed=1)}, {"engine": StatevectorEngine(seed=2, memory_limit=1 << 30)}),
        ({"random_state": 3}, {"random_state": np.int64(3)}),
        ({"n_iter_no_change": 3, "validation_fraction": 0.2}, {"n_iter_no_change": 5}),  # of no use
        ({"callback": stops_at(9)}, {"callback": None}),
        ({"max_iter": 2}, {"max_iter": 1}),
    ],
    ids=[
        "callback of the optimizer",
        "termination check",
        "drawn seed",
        "seed without shots",
        "NumPy seed",
        "settings that are not in use",
        "callback",
        "fewer iterations",
    ],
)
def test_of_the_same_fit_is_taken(first: dict[str, Any], second: dict[str, Any], model: Callable[..., VQC]) -> None:
    before = model(**first).fit(X, Y)
    after = model(**second).fit(X, Y)
    np.testing.assert_array_equal(before.theta_, after.theta_)
    assert after.loss_curve_ == before.loss_curve_


# Going on -------------------------------------------------------------------------------------------------------------


class Remembers:
    """A check for termination that remembers what it has seen."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def __call__(self, nfev: int, point: Values, loss: float, *details: Any) -> bool:
        self.values.append(loss)
        return False


@pytest.mark.parametrize(
    "optimizer", [SPSA(maxiter=3, termination_checker=Remembers()), TNC(maxiter=4)], ids=lambda one: type(one).__name__
)
def test_an_object_that_was_used_takes_its_own_checkpoint(optimizer: Any, model: Callable[..., VQC]) -> None:
    first = model(optimizer=optimizer).fit(X, Y)
    again = model(optimizer=optimizer).fit(X, Y)
    np.testing.assert_array_equal(first.theta_, again.theta_)


class Counting(StatevectorEngine):
    """An engine that counts its requests, and says no more about its identity than the base does."""

    _calls = 0
    identity = Engine.identity

    def expectations(self, *arguments: Any, **options: Any) -> Any:
        self._calls += 1
        return super().expectations(*arguments, **options)


def test_an_engine_that_was_used_takes_its_own_checkpoint(model: Callable[..., VQC]) -> None:
    engine = Counting()
    first = model(engine=engine, optimizer="NFT").fit(X, Y)
    assert engine._calls
    again = model(engine=engine, optimizer="NFT").fit(X, Y)
    np.testing.assert_array_equal(first.theta_, again.theta_)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: ADAM(maxiter=n, lr=0.02, tol=0),
        lambda n: COBYLA(maxiter=n),
        lambda n: L_BFGS_B(maxiter=n, ftol=0),
        lambda n: SPSA(maxiter=n),
    ],
    ids=["ADAM", "COBYLA", "L_BFGS_B", "SPSA"],
)
@pytest.mark.parametrize("iteration", [5, 22])
def test_interrupted_object_takes_its_own_number_of_iterations(
    make: Callable[[int], Any], iteration: int, model: Callable[..., VQC]
) -> None:
    with pytest.raises(Stop):
        model(optimizer=make(30), max_iter=10, callback=stops_at(iteration)).fit(X, Y)
    found = model(optimizer=make(30), max_iter=10).fit(X, Y)
    assert found.n_iter_ == 30 == model(optimizer=make(30), checkpoint=None).fit(X, Y).n_iter_


@pytest.mark.parametrize(
    "make",
    [
        lambda n: ADAM(maxiter=n),
        lambda n: COBYLA(maxiter=8 * n),
        lambda n: L_BFGS_B(maxiter=n),
        lambda n: NFT(maxiter=n),
        lambda n: UMDA(size_gen=6, maxiter=8 * n),
    ],
    ids=["ADAM", "COBYLA", "L_BFGS_B", "NFT", "UMDA"],
)
def test_raised_limit_of_an_object_goes_on(make: Callable[[int], Any], model: Callable[..., VQC]) -> None:
    first = model(optimizer=make(5)).fit(X, Y)
    more = model(optimizer=make(8)).fit(X, Y)
    assert more.n_iter_ > first.n_iter_
    assert more.loss_curve_[: first.n_iter_] == first.loss_curve_


class Descent:
    """Somebody's optimizer, which tells neither its iterations nor how many it takes."""

    steps = 6

    def minimize(self, fun: Any, x0: Values, jac: Any = None, bounds: Any = None) -> Any:
        for _ in range(self.steps):
            x0 = x0 - 0.1 * jac(x0)

        class Result:
            x = x0

        return Result()


def test_object_of_unknown_limit_begins_anew_at_the_last_iterate(model: Callable[..., VQC]) -> None:
    with pytest.raises(Stop):
        model(optimizer=Descent(), max_iter=1, callback=stops_at(4)).fit(X, Y)
    found = model(optimizer=Descent(), max_iter=1).fit(X, Y)
    assert found.n_iter_ == 4 + 6
    again = model(optimizer=Descent(), max_iter=1).fit(X, Y)  # finished
    assert again.loss_curve_ == found.loss_curve_
    np.testing.assert_array_equal(again.theta_, found.theta_)


@pytest.mark.parametrize("optimizer", ["L-BFGS-B", "ADAM"])
def test_fit_that_its_callback_has_ended_goes_on(optimizer: str, model: Callable[..., VQC]) -> None:
    stopped = model(optimizer=optimizer, max_iter=9, callback=stops_at(3, StopIteration)).fit(X, Y)
    assert stopped.n_iter_ == 3
    found = model(optimizer=optimizer, max_iter=9).fit(X, Y)
    assert found.n_iter_ == 9
    assert found.loss_curve_[:3] == stopped.loss_curve_


# Limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["ADAM", "AMSGRAD", "AQGD", "L-BFGS-B", ADAM(maxiter=2)], ids=named)
def test_end_at_the_limit_warns(optimizer: Any) -> None:
    with pytest.warns(ConvergenceWarning, match=r"VQC: the optimizer stopped before it converged .* of at most 2\. "):
        VQC(optimizer=optimizer, max_iter=2, random_state=0).fit(X, Y)


@pytest.mark.parametrize("optimizer", ["SPSA", "QNSPSA", "NFT", SPSA(maxiter=2)], ids=named)
def test_end_of_optimizers_that_have_no_other_is_silent(optimizer: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        VQC(optimizer=optimizer, max_iter=2, random_state=0).fit(X, Y)


@pytest.mark.parametrize("kind", [VQC, VQR])
def test_limit_of_partial_fit_is_silent(kind: type[VQC | VQR]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kind(optimizer="ADAM", max_iter=1, random_state=0).partial_fit(X, Y).partial_fit(X, Y)


@pytest.mark.parametrize("name", ["max_iter", "batch_size", "reuploads", "n_iter_no_change"])
def test_truth_values_are_no_numbers(name: str) -> None:
    with pytest.raises(InvalidParameterError, match=f"{name} of VQC must be an integer; got True"):
        VQC(**{name: True}).fit(X, Y)
