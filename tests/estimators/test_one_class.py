"""QuantumOneClassSVM: a face of scikit-learn's OneClassSVM."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from qkernels import AutoEngine, FidelityKernel
from qkernels._errors import InvalidDataError
from qkernels.estimators import QuantumOneClassSVM

X, _ = make_blobs(60, n_features=3, centers=2, cluster_std=2.0, random_state=0)
NEW = np.vstack([X + 0.2, X + 30.0])
RNG = np.random.default_rng(3)
WEIGHTS = RNG.uniform(0.2, 3.0, size=60) * (RNG.random(60) < 0.6)
KEPT = WEIGHTS > 0
SHOTS = FidelityKernel(engine=AutoEngine(shots=100, seed=0))
KERNELS = {"default": None, "numeric": FidelityKernel(bandwidth=0.1), "shots": SHOTS, "callable": rbf_kernel}
each_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)


@pytest.mark.parametrize("kernel", [None, SHOTS], ids=["exact", "shots"])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"nu": 0.1}, {"shrinking": False, "cache_size": 10}, {"tol": 1e-3}],
    ids=lambda parameters: next(iter(parameters), "default"),
)
def test_equals_one_class_svm_on_the_matrix(kernel: object, parameters: dict[str, object]) -> None:
    model = QuantumOneClassSVM(kernel, **parameters).fit(X)
    svm = OneClassSVM(kernel="precomputed", **({"tol": 1e-10} | parameters)).fit(model.kernel_.gram_)
    fitted = ("support_", "n_support_", "dual_coef_", "intercept_", "offset_", "fit_status_", "n_iter_")
    for attribute in fitted:
        np.testing.assert_array_equal(getattr(model, attribute), getattr(svm, attribute), err_msg=attribute)
    assert model.support_.dtype == svm.support_.dtype
    cross = model.kernel_.transform(NEW)
    for method in ("decision_function", "score_samples", "predict"):
        np.testing.assert_array_equal(getattr(model, method)(NEW), getattr(svm, method)(cross), err_msg=method)
    np.testing.assert_array_equal(QuantumOneClassSVM(kernel, **parameters).fit_predict(X), model.predict(X))


def test_solves_its_quadratic_program() -> None:
    # Minimise αᵀKα/2 with 0 <= α <= 1, Σα = νN. Optimal: rows with α < 1 score at least, with α > 0 at most, ρ.
    nu = 0.3
    model = QuantumOneClassSVM(nu=nu).fit(X)
    alpha = np.zeros(60)
    alpha[model.support_] = model.dual_coef_[0]
    assert alpha.sum() == pytest.approx(nu * 60)
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    scores = model.kernel_.gram_ @ alpha
    rho = model.offset_[0]
    rounding = 60 * np.finfo(np.float32).eps  # libsvm keeps its matrix in single precision
    assert scores[alpha < 1].min() >= rho - rounding
    assert scores[alpha > 0].max() <= rho + rounding
    np.testing.assert_allclose(model.score_samples(X), scores, atol=1e-12)


@pytest.mark.parametrize("nu", [0.05, 0.2, 0.5])
def test_nu_bounds_outliers_and_support(nu: float) -> None:
    model = QuantumOneClassSVM(nu=nu).fit(X)
    assert np.mean(model.decision_function(X) < -1e-8) <= nu
    assert len(model.support_) >= nu * 60


def test_far_rows_are_outliers() -> None:
    # A fidelity kernel is periodic in x, so "far" is half a period away: here by a numeric bandwidth.
    model = QuantumOneClassSVM(FidelityKernel(bandwidth=0.05), nu=0.05).fit(X)
    assert np.mean(model.predict(X + 0.2) == 1) > 0.85
    assert np.mean(model.predict(X + 30.0) == -1) == 1.0


@each_kernel
def test_weight_zero_is_the_same_as_dropping(kernel: object) -> None:
    weighted = QuantumOneClassSVM(kernel).fit(X, sample_weight=WEIGHTS)
    dropped = QuantumOneClassSVM(kernel).fit(X[KEPT], sample_weight=WEIGHTS[KEPT])
    np.testing.assert_array_equal(weighted.decision_function(NEW), dropped.decision_function(NEW))
    np.testing.assert_array_equal(weighted.support_, np.flatnonzero(KEPT)[dropped.support_])
    assert weighted.shape_fit_ == X.shape


def test_precomputed_with_weight_zero() -> None:
    kernel = FidelityKernel(bandwidth=0.1).fit(X)
    weighted = QuantumOneClassSVM("precomputed").fit(kernel.gram_, sample_weight=WEIGHTS)
    dropped = QuantumOneClassSVM(FidelityKernel(bandwidth=0.1)).fit(X[KEPT], sample_weight=WEIGHTS[KEPT])
    np.testing.assert_allclose(
        weighted.decision_function(kernel.transform(NEW)), dropped.decision_function(NEW), atol=1e-9
    )


@each_kernel
def test_integer_weights_are_repetitions(kernel: object) -> None:
    counts = np.random.default_rng(4).integers(0, 4, size=60)
    weighted = QuantumOneClassSVM(kernel).fit(X, sample_weight=counts)
    repeated = QuantumOneClassSVM(kernel).fit(X.repeat(counts, axis=0))
    np.testing.assert_allclose(weighted.decision_function(NEW), repeated.decision_function(NEW), atol=1e-6)


def test_dropped_rows_are_never_evaluated() -> None:
    seen = []

    def kernel(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        seen.append((A, B))
        return rbf_kernel(A, B)

    QuantumOneClassSVM(kernel).fit(X, sample_weight=WEIGHTS)
    [(A, B)] = seen
    np.testing.assert_array_equal(A, X[KEPT])
    np.testing.assert_array_equal(B, X[KEPT])


def test_weights_reach_the_kernel() -> None:
    model = QuantumOneClassSVM().fit(X, sample_weight=WEIGHTS)
    np.testing.assert_allclose(model.kernel_.offset_, np.average(X, axis=0, weights=WEIGHTS))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(60), "all 60 weights are 0"),
        (np.where(np.arange(60) == 2, -0.5, 1.0), r"must be >= 0; got -0\.5 for sample 2"),
        (np.ones(59), r"of shape \(60,\).* got shape \(59,\)"),
    ],
    ids=["zero", "negative", "length"],
)
def test_bad_weights_change_nothing(weights: np.ndarray, message: str) -> None:
    model = QuantumOneClassSVM().fit(X)
    want = model.decision_function(NEW)
    with pytest.raises(InvalidDataError, match=message):
        model.fit(X, sample_weight=weights)
    np.testing.assert_array_equal(model.decision_function(NEW), want)


def test_y_is_ignored() -> None:
    want = QuantumOneClassSVM().fit(X).decision_function(NEW)
    np.testing.assert_array_equal(QuantumOneClassSVM().fit(X, ["a"]).decision_function(NEW), want)


def test_search_in_a_pipeline() -> None:
    model = make_pipeline(StandardScaler(), QuantumOneClassSVM(nu=0.1))
    grid = {"quantumoneclasssvm__kernel__bandwidth": [0.2, 3.0]}
    y = np.ones(60)  # all are inliers: the share of held-out rows that are found inside
    search = GridSearchCV(model, grid, cv=3, scoring="accuracy").fit(X, y)
    assert search.best_params_["quantumoneclasssvm__kernel__bandwidth"] == 0.2
