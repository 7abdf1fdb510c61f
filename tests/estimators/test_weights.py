"""Sample weights: zero means absent, everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import make_blobs
from sklearn.metrics.pairwise import rbf_kernel

from qkernels import FidelityKernel, QuantumKernelRidge, QuantumKernelSVC, QuantumKernelSVR, StatevectorEngine
from qkernels._errors import InvalidDataError

X, Y = make_blobs(40, n_features=3, centers=3, cluster_std=3.0, random_state=0)
RNG = np.random.default_rng(1)
WEIGHTS = RNG.uniform(0.2, 3.0, size=40) * (RNG.random(40) < 0.6)
KEPT = WEIGHTS > 0
NEW = X + 0.2

KERNELS = {
    "default": None,
    "numeric": FidelityKernel(bandwidth=0.1),
    "shots": FidelityKernel(engine=StatevectorEngine(shots=100, seed=0)),
    "callable": rbf_kernel,
}
MODELS = [QuantumKernelSVC, QuantumKernelSVR, QuantumKernelRidge]


def output(model: BaseEstimator, X: np.ndarray) -> np.ndarray:
    return model.decision_function(X) if hasattr(model, "decision_function") else model.predict(X)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("model", MODELS)
def test_weight_zero_is_the_same_as_dropping(model: type, kernel: object) -> None:
    weighted = model(kernel).fit(X, Y, sample_weight=WEIGHTS)
    dropped = model(kernel).fit(X[KEPT], Y[KEPT], sample_weight=WEIGHTS[KEPT])
    np.testing.assert_array_equal(output(weighted, NEW), output(dropped, NEW))
    assert weighted.shape_fit_ == X.shape


@pytest.mark.parametrize("model", MODELS)
def test_precomputed_with_weight_zero(model: type) -> None:
    kernel = FidelityKernel(bandwidth=0.1).fit(X)
    weighted = model("precomputed").fit(kernel.gram_, Y, sample_weight=WEIGHTS)
    dropped = model(FidelityKernel(bandwidth=0.1)).fit(X[KEPT], Y[KEPT], sample_weight=WEIGHTS[KEPT])
    np.testing.assert_allclose(output(weighted, kernel.transform(NEW)), output(dropped, NEW), atol=1e-9)


def test_support_counts_rows_of_the_given_x() -> None:
    weighted = QuantumKernelSVC().fit(X, Y, sample_weight=WEIGHTS)
    dropped = QuantumKernelSVC().fit(X[KEPT], Y[KEPT], sample_weight=WEIGHTS[KEPT])
    np.testing.assert_array_equal(weighted.support_, np.flatnonzero(KEPT)[dropped.support_])
    assert set(Y[weighted.support_]) == {0, 1, 2}
    ridge = QuantumKernelRidge().fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_array_equal(ridge.dual_coef_ != 0, KEPT)


def test_dropped_rows_are_never_evaluated() -> None:
    seen = []

    def kernel(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        seen.append((A, B))
        return rbf_kernel(A, B)

    QuantumKernelSVC(kernel).fit(X, Y, sample_weight=WEIGHTS)
    [(A, B)] = seen
    np.testing.assert_array_equal(A, X[KEPT])
    np.testing.assert_array_equal(B, X[KEPT])


@pytest.mark.parametrize("kernel", [KERNELS["default"], KERNELS["shots"]], ids=["exact", "shots"])
@pytest.mark.parametrize("model", MODELS)
def test_integer_weights_are_repetitions(model: type, kernel: object) -> None:
    counts = RNG.integers(0, 4, size=40)
    weighted = model(kernel).fit(X, Y, sample_weight=counts)
    repeated = model(kernel).fit(X.repeat(counts, axis=0), Y.repeat(counts))
    np.testing.assert_allclose(output(weighted, NEW), output(repeated, NEW), rtol=1e-6, atol=1e-6)


def test_weights_reach_the_kernel() -> None:
    model = QuantumKernelSVC().fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(model.kernel_.offset_, np.average(X, axis=0, weights=WEIGHTS))


@pytest.mark.parametrize("weight", [None, 1.0, np.ones(40), [1] * 40], ids=["None", "number", "array", "list"])
def test_unit_weights_change_nothing(weight: object) -> None:
    want = QuantumKernelSVC().fit(X, Y).decision_function(NEW)
    np.testing.assert_array_equal(QuantumKernelSVC().fit(X, Y, sample_weight=weight).decision_function(NEW), want)


@pytest.mark.filterwarnings("ignore::scipy.linalg.LinAlgWarning")  # the ridge solver, rightly: alpha is lost
@pytest.mark.parametrize("model", MODELS)
def test_huge_weights_do_not_overflow_in_the_kernel(model: type) -> None:
    kernel = model().fit(X, Y, sample_weight=np.full(40, 1e308)).kernel_
    np.testing.assert_array_equal(kernel.gram_, FidelityKernel().fit(X).gram_)


@pytest.mark.parametrize("model", MODELS)
def test_all_weights_zero(model: type) -> None:
    with pytest.raises(InvalidDataError, match="all 40 weights are 0"):
        model().fit(X, Y, sample_weight=np.zeros(40))


def test_class_that_vanishes() -> None:
    names = np.array(["left", "middle", "right"])[Y]
    with pytest.raises(InvalidDataError, match="sample_weight is 0 for every sample of class 'middle'"):
        QuantumKernelSVC().fit(X, names, sample_weight=(Y != 1).astype(float))


@pytest.mark.parametrize("model", MODELS)
def test_bad_weights(model: type) -> None:
    with pytest.raises(InvalidDataError, match=r"must be >= 0; got -0\.5 for sample 2"):
        model().fit(X, Y, sample_weight=np.where(np.arange(40) == 2, -0.5, 1.0))
    with pytest.raises(InvalidDataError, match=r"of shape \(40,\).* got shape \(39,\)"):
        model().fit(X, Y, sample_weight=np.ones(39))
