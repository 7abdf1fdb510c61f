"""Nyström features: exact at full rank, N·m entries, and scikit-learn's rules."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from qkernels import ClipSpectrum, CPMap, FidelityKernel, NystroemFeatures, SeparableMap, StatevectorEngine
from qkernels._errors import InvalidDataError, InvalidParameterError, QKernelsError
from qkernels.engines import cache_info, clear_cache
from qkernels.kernels import HammingKernel, ShiftSpectrum
from qkernels.programs import OverlapProgram, Overlaps

RNG = np.random.default_rng(11)
X = RNG.normal(size=(40, 3))
X_NEW = RNG.normal(size=(7, 3))


class CountingEngine(StatevectorEngine):
    """Notes how many entries every request asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[int] = []

    def overlaps(
        self, program: OverlapProgram, X: ArrayLike, Y: ArrayLike | None = None, **options: object
    ) -> Overlaps:
        n = len(X)
        self.requests.append(n * (n - 1) // 2 if Y is None else n * len(Y))
        return super().overlaps(program, X, Y, **options)


def test_all_rows_as_landmarks_give_the_kernel() -> None:
    exact = FidelityKernel().fit(X)
    features = NystroemFeatures(n_components=40).fit(X)
    phi, phi_new = features.transform(X), features.transform(X_NEW)
    np.testing.assert_allclose(phi @ phi.T, exact.gram_, atol=1e-8)  # the root of a condition number costs digits
    np.testing.assert_allclose(phi_new @ phi.T, exact.transform(X_NEW), atol=1e-8)


@pytest.mark.parametrize("selection", ["uniform", "kmeans++"])
def test_features_are_those_of_the_formula(selection: str) -> None:
    features = NystroemFeatures(n_components=8, selection=selection, random_state=3).fit(X)
    K = FidelityKernel().fit(X).gram_  # scaling is learned from all rows
    z = features.component_indices_
    np.testing.assert_array_equal(features.components_, X[z])
    values, vectors = np.linalg.eigh(K[np.ix_(z, z)])
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    np.testing.assert_allclose(features.fit_transform(X), K[:, z] @ root, atol=1e-8)
    np.testing.assert_allclose(features.normalization_, root, rtol=1e-6, atol=1e-8)


def test_entries_evaluated_are_no_more_than_n_times_m() -> None:
    engine = CountingEngine()
    features = NystroemFeatures(FidelityKernel(engine=engine), n_components=10, random_state=0)
    features.fit_transform(X)
    assert engine.requests == [10 * 9 // 2, 30 * 10]
    engine.requests.clear()
    features.fit(X)
    assert engine.requests == [10 * 9 // 2]
    engine.requests.clear()
    features.transform(X_NEW)
    assert engine.requests == [7 * 10]


def test_kmeans_finds_the_clusters_that_a_uniform_draw_can_miss() -> None:
    centres = np.array([[0.0, 0.0], [30.0, 0.0], [0.0, 30.0], [30.0, 30.0]])
    Z = np.repeat(centres, [97, 1, 1, 1], axis=0) + 1e-3 * RNG.normal(size=(100, 2))
    kernel = FidelityKernel(SeparableMap(), bandwidth=0.05)
    for seed in range(5):
        chosen = NystroemFeatures(kernel, 4, "kmeans++", random_state=seed).fit(Z).components_
        assert {tuple(np.round(row, -1)) for row in chosen} == {tuple(c) for c in centres}


def test_sampled_kernel_repeats_itself() -> None:
    kernel = FidelityKernel(engine=StatevectorEngine(shots=50, seed=1))
    features = NystroemFeatures(kernel, n_components=12, random_state=0)
    phi = features.fit_transform(X)
    assert isinstance(features.kernel_.corrections_[0], ClipSpectrum)
    assert features.kernel_.corrections_[0].eigenvalues_[0] < 0  # there was something to clip
    np.testing.assert_allclose(features.transform(X), phi, atol=1e-10)
    copy = pickle.loads(pickle.dumps(features))
    np.testing.assert_array_equal(copy.transform(X_NEW), features.transform(X_NEW))


def test_duplicate_landmarks_are_one_direction() -> None:
    Z = np.repeat(X[:5], 4, axis=0)
    phi = NystroemFeatures(n_components=20).fit_transform(Z)
    assert np.linalg.matrix_rank(phi, tol=1e-6) == 5
    np.testing.assert_allclose(phi @ phi.T, FidelityKernel().fit(Z).gram_, atol=1e-8)


def test_landmarks_are_rows_like_others() -> None:
    sampled = StatevectorEngine(shots=100, seed=0)
    features = NystroemFeatures(FidelityKernel(engine=sampled, corrections=[ShiftSpectrum()]), 30, random_state=0)
    phi = features.fit_transform(X)
    assert features.kernel_.corrections_[0].shift_.max() > 0.01  # of the training diagonal alone
    np.testing.assert_allclose(features.transform(X), phi, atol=1e-10)


def test_repaired_landmarks_are_not_evaluated_twice() -> None:
    clear_cache()
    NystroemFeatures(HammingKernel(), n_components=10, random_state=0).fit_transform(X)
    assert cache_info().evaluated_weights == 2  # of the landmarks, and of the other rows


def test_kernel_without_positive_eigenvalues_gives_zeros() -> None:
    features = NystroemFeatures(lambda A, B: -np.ones((len(A), len(B))), n_components=7)
    np.testing.assert_array_equal(features.fit_transform(X), 0.0)


def test_callable_kernel() -> None:
    features = NystroemFeatures(rbf_kernel, n_components=40)
    phi = features.fit_transform(X)
    np.testing.assert_allclose(phi @ phi.T, rbf_kernel(X), atol=1e-8)


@pytest.mark.slow
def test_linear_model_in_a_search() -> None:
    X, y = load_digits(n_class=4, return_X_y=True)
    model = make_pipeline(PCA(6, random_state=0), NystroemFeatures(n_components=40, random_state=0), LinearSVC())
    grid = {"nystroemfeatures__kernel__feature_map": [None, CPMap()], "nystroemfeatures__n_components": [5, 60]}
    search = GridSearchCV(model, grid, cv=3).fit(X[:300], y[:300])
    assert search.best_params_["nystroemfeatures__n_components"] == 60
    assert search.score(X[300:], y[300:]) > 0.9
    assert model.set_params(nystroemfeatures__kernel__bandwidth=0.5)[1].kernel.bandwidth == 0.5


def test_default_is_a_hundred_or_all_rows() -> None:
    assert NystroemFeatures().fit(X).components_.shape == (40, 3)
    assert NystroemFeatures(random_state=0).fit(RNG.normal(size=(150, 2))).components_.shape == (100, 2)
    names = NystroemFeatures(n_components=2).fit(X).get_feature_names_out()
    assert names.tolist() == ["nystroemfeatures0", "nystroemfeatures1"]


def test_more_components_than_rows() -> None:
    with pytest.raises(InvalidDataError, match="got n_components=41 and n_samples=40"):
        NystroemFeatures(n_components=41).fit(X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components of NystroemFeatures must be None or an integer >= 1; got 0"),
        ({"n_components": 2.0}, "got 2.0"),
        ({"n_components": True}, "got True"),
        ({"selection": "random"}, "selection of NystroemFeatures must be 'uniform' or 'kmeans.*'; got 'random'"),
        ({"kernel": "precomputed"}, "kernel of NystroemFeatures must be a kernel that can be evaluated"),
        ({"kernel": CPMap()}, r"Make a kernel of the feature map: FidelityKernel\(CPMap\(\)\)"),
    ],
    ids=["zero", "float", "bool", "selection", "precomputed", "map"],
)
def test_bad_parameters(options: dict[str, object], message: str) -> None:
    fitted = NystroemFeatures(n_components=3, random_state=0).fit(X)
    before = fitted.transform(X_NEW)
    with pytest.raises(InvalidParameterError, match=message):
        fitted.set_params(**options).fit(X)
    np.testing.assert_array_equal(fitted.transform(X_NEW), before)  # a failed fit loses nothing


def test_engine_refusals_come_through() -> None:
    kernel = FidelityKernel(SeparableMap(), StatevectorEngine(memory_limit=2**20))
    with pytest.raises(QKernelsError, match="memory_limit"):
        NystroemFeatures(kernel, n_components=5).fit(RNG.normal(size=(30, 20)))


@pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix:UserWarning")
@parametrize_with_checks(
    [
        NystroemFeatures(random_state=0),
        NystroemFeatures(FidelityKernel(engine=StatevectorEngine(shots=100, seed=0)), 1, "kmeans++", random_state=0),
    ]
)
def test_scikit_learn(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)
