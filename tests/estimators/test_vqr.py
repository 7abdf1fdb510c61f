"""VQR: accuracy, units of y, the affine output, and bad input."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from qkernels import VQR, StatevectorEngine
from qkernels._errors import InvalidParameterError
from qkernels.variational import ExpectationReadout, ParityReadout, SquaredError

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (60, 2))
Y = 100 + 20 * np.sin(2 * X[:, 0]) + 10 * X[:, 1]


@pytest.fixture(scope="module")
def fitted() -> VQR:
    return VQR(random_state=0).fit(X, Y)


def test_smooth_function(fitted: VQR) -> None:
    assert fitted.score(X, Y) > 0.95


def test_diabetes() -> None:
    data, y = load_diabetes(return_X_y=True)
    assert VQR(random_state=0, tol=1e-3).fit(data[:, 2:4], y).score(data[:, 2:4], y) > 0.35


def test_units_of_y_do_not_matter(fitted: VQR) -> None:
    other = VQR(random_state=0).fit(X, 1e-3 * Y - 7)
    np.testing.assert_allclose(1e3 * (other.predict(X) + 7), fitted.predict(X), rtol=1e-4)


def test_final_loss_is_one_minus_r2(fitted: VQR) -> None:
    assert fitted.loss_ == pytest.approx(1 - fitted.score(X, Y), rel=1e-9)
    assert fitted.loss_ <= fitted.loss_curve_[-1]


def test_output_is_affine_in_the_expectation_value(fitted: VQR) -> None:
    f = fitted.engine_.expectations(fitted._program, fitted._scaling(X), theta=fitted.theta_).values[:, 0]
    np.testing.assert_allclose(fitted.predict(X), fitted.intercept_ + fitted.coef_ * f, rtol=1e-10)
    slope, intercept = np.polyfit(f, Y, 1)
    assert fitted.coef_ == pytest.approx(slope, rel=1e-3)
    assert fitted.intercept_ == pytest.approx(intercept, rel=1e-3)


def test_weights_count() -> None:
    weights = np.where(X[:, 0] > 0, 1.0, 1e-6)
    model = VQR(random_state=0, tol=1e-3).fit(X, Y, weights)
    assert model.score(X[X[:, 0] > 0], Y[X[:, 0] > 0]) > 0.9
    assert model.loss_ == pytest.approx(1 - model.score(X, Y, weights), rel=1e-9)


def test_constant_y() -> None:
    model = VQR(random_state=0, tol=1e-3).fit(X, np.full(60, 5.0))
    np.testing.assert_allclose(model.predict(X), 5.0, atol=0.2)


def test_input_gradient(fitted: VQR) -> None:
    scale = Y.std()
    gradient = fitted.input_gradient(X[:3], Y[:3])
    for f in range(2):
        step = np.eye(2)[f] * 1e-5
        ahead, behind = (((fitted.predict(X[:3] + s) - Y[:3]) / scale) ** 2 for s in (step, -step))
        np.testing.assert_allclose(gradient[:, f], (ahead - behind) / 2e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_batch_of_equal_targets_leaves_slope_and_intercept() -> None:
    line = np.linspace(-1, 1, 40)[:, None]
    y = 20 + 3 * np.sin(2 * line[:, 0])
    model = VQR(random_state=0).fit(line, y)
    before = model.coef_, model.intercept_
    model.set_params(max_iter=1, optimizer="ADAM").partial_fit(line[[5, 30]], [20.0, 20.0])
    assert (model.coef_, model.intercept_) == before


@pytest.mark.parametrize("exponent", [520, -560, 1015, -1020])
def test_targets_of_any_magnitude(fitted: VQR, exponent: int) -> None:
    """A power of two as the unit of y changes no digit, until y itself has fewer."""
    model = VQR(random_state=0).fit(X, np.ldexp(Y, exponent))
    np.testing.assert_array_equal(model.theta_, fitted.theta_)
    np.testing.assert_allclose(model.predict(X), np.ldexp(fitted.predict(X), exponent), rtol=1e-12)
    assert model.loss_ == pytest.approx(fitted.loss_, rel=1e-9)


def test_rows_of_weight_zero_do_not_set_the_unit_of_y() -> None:
    absent = np.ones(60)
    absent[0] = 0.0
    y = np.ldexp(Y, -560)
    found = VQR(random_state=0, tol=1e-2).fit(X, np.where(absent > 0, y, 1e300), absent)
    np.testing.assert_array_equal(found.theta_, VQR(random_state=0, tol=1e-2).fit(X[1:], y[1:]).theta_)


def test_partial_fit_pickle_and_engine(fitted: VQR) -> None:
    model = VQR(random_state=0, optimizer="ADAM", max_iter=5).partial_fit(X, Y)
    theta = model.theta_.copy()
    assert not np.array_equal(model.partial_fit(X, Y).theta_, theta)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))
    assert fitted.with_engine(StatevectorEngine(shots=4000, seed=0)).score(X, Y) > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"readout": "parity"}, r"readout of VQR must be None or a readout.*got 'parity'"),
        ({"readout": ParityReadout()}, r"ParityReadout has 2 outcomes.*got 1 class"),
        ({"readout": ExpectationReadout("ZZZ")}, r"observable of the readout must act on the 2 qubit.*acts on 3"),
        ({"loss": "cross_entropy"}, r"loss of VQR must be 'squared_error'.*got 'cross_entropy'"),
        ({"loss": SquaredError}, r"loss of VQR must be"),
    ],
    ids=str,
)
def test_bad_parameters(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        VQR(**options).fit(X, Y)
