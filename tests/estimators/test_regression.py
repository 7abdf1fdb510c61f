"""QuantumKernelSVR and QuantumKernelRidge: faces of scikit-learn's SVR and KernelRidge."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVR

from qkernels import QSVR, FidelityKernel, QuantumKernelRidge, QuantumKernelSVR, StatevectorEngine
from qkernels._errors import InvalidParameterError

RNG = np.random.default_rng(5)
X = RNG.uniform(-2, 2, size=(60, 2))
Y = np.sin(X[:, 0]) + 0.3 * X[:, 1]
SHOTS = FidelityKernel(engine=StatevectorEngine(shots=100, seed=0))


def test_alias() -> None:
    assert QSVR is QuantumKernelSVR


@pytest.mark.parametrize("kernel", [None, SHOTS], ids=["exact", "shots"])
def test_svr_equals_svr_on_the_matrix(kernel: object) -> None:
    model = QuantumKernelSVR(kernel, C=5.0, epsilon=0.05, shrinking=False).fit(X, Y)
    svr = SVR(kernel="precomputed", C=5.0, epsilon=0.05, tol=1e-10).fit(model.kernel_.gram_, Y)
    np.testing.assert_allclose(model.predict(X), svr.predict(model.kernel_.gram_), atol=1e-6)
    for attribute in ("support_", "n_support_"):
        np.testing.assert_array_equal(getattr(model, attribute), getattr(svr, attribute))
    assert model.fit_status_ == 0
    assert model.n_iter_ > 0


@pytest.mark.parametrize("alpha", [0.1, [0.1, 10.0]], ids=["one alpha", "alpha per target"])
def test_ridge_by_its_normal_equations(alpha: object) -> None:
    targets = np.column_stack([Y, Y**2]) if isinstance(alpha, list) else Y
    model = QuantumKernelRidge(alpha=alpha).fit(X, targets)
    K = FidelityKernel().fit_transform(X)
    alphas = np.atleast_1d(alpha)
    columns = targets.reshape(len(Y), -1).T
    want = np.array([np.linalg.solve(K + a * np.eye(60), y) for a, y in zip(alphas, columns, strict=True)]).T
    np.testing.assert_allclose(model.dual_coef_.reshape(want.shape), want, atol=1e-8)
    np.testing.assert_allclose(model.predict(X).reshape(want.shape), K @ want, atol=1e-8)
    assert model.predict(X).shape == targets.shape


def test_ridge_equals_kernel_ridge_with_weights() -> None:
    weights = RNG.uniform(0.1, 2, size=60)
    model = QuantumKernelRidge().fit(X, Y, sample_weight=weights)
    ridge = KernelRidge(kernel="precomputed").fit(model.kernel_.gram_, Y, sample_weight=weights)
    np.testing.assert_allclose(model.dual_coef_, ridge.dual_coef_)


@pytest.mark.parametrize("model", [QuantumKernelSVR(C=10), QuantumKernelRidge(alpha=0.05)], ids=["svr", "ridge"])
def test_learns_a_smooth_function(model: object) -> None:
    assert cross_val_score(model, X, Y, cv=3).mean() > 0.8
    fitted = model.fit(X, Y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X + 0.1), fitted.predict(X + 0.1))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (QuantumKernelSVR(epsilon=-1.0), r"'epsilon' parameter of QuantumKernelSVR .* Got -1\.0"),
        (QuantumKernelRidge(alpha=-1.0), r"'alpha' parameter of QuantumKernelRidge .* Got -1\.0"),
        (QuantumKernelRidge(alpha=[1.0, 2.0]), r"one for each of the 1 target\(s\) of y; got \[1.0, 2.0\]"),
        (
            QuantumKernelRidge(alpha=[-1.0]),
            r"alpha of QuantumKernelRidge must be a finite number >= 0, .* got \[-1.0\]",
        ),
        (QuantumKernelRidge(alpha=["a"]), r"alpha of QuantumKernelRidge .* got \['a'\]"),
        (QuantumKernelRidge("linear"), "kernel of QuantumKernelRidge must be None.* got 'linear'"),
    ],
    ids=["epsilon", "alpha", "alphas", "negative alphas", "text", "kernel"],
)
def test_bad_parameters(model: object, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        model.fit(X, Y)


@pytest.mark.parametrize("model", [QuantumKernelSVR(), QuantumKernelRidge()], ids=["svr", "ridge"])
def test_before_fit_and_bad_targets(model: object) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        model.predict(X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, Y[:-1])
