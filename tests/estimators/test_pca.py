"""QuantumKernelPCA: a face of scikit-learn's KernelPCA."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import config_context
from sklearn.datasets import load_wine
from sklearn.decomposition import KernelPCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from qkernels import AutoEngine, FidelityKernel, ZZFeatureMap
from qkernels._errors import InvalidParameterError
from qkernels.estimators import QuantumKernelPCA
from tests.oracle import oracle_states

WINE, Y = load_wine(return_X_y=True)
WINE, Y = WINE[::4], Y[::4]
X = WINE[:, :3]
NEW = X + 0.1
SHOTS = FidelityKernel(engine=AutoEngine(shots=100, seed=0))


@pytest.mark.parametrize("kernel", [None, SHOTS], ids=["exact", "shots"])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_components": 4},
        {"n_components": 4, "eigen_solver": "arpack", "tol": 1e-12, "max_iter": 500, "random_state": 1},
        {"n_components": 4, "eigen_solver": "randomized", "iterated_power": 9, "random_state": 1},
        {"n_components": 40, "remove_zero_eig": True},
    ],
    ids=["all", "dense", "arpack", "randomized", "remove zeros"],
)
def test_equals_kernel_pca_on_the_matrix(kernel: object, parameters: dict[str, object]) -> None:
    model = QuantumKernelPCA(kernel, **parameters)
    features = model.fit_transform(X)
    gram, cross = model.kernel_.gram_, model.kernel_.transform(NEW)
    pca = KernelPCA(kernel="precomputed", **parameters)
    np.testing.assert_array_equal(features, pca.fit_transform(gram))
    np.testing.assert_array_equal(model.transform(NEW), pca.transform(cross))
    np.testing.assert_array_equal(model.eigenvalues_, pca.eigenvalues_)
    np.testing.assert_array_equal(model.eigenvectors_, pca.eigenvectors_)


def test_is_pca_of_the_density_matrices() -> None:
    # |⟨φ|ψ⟩|² is the inner product of the density matrices as vectors: kernel PCA is PCA of these.
    bandwidth, m = 0.05, 5
    feature_map = ZZFeatureMap()
    circuit, x = feature_map.build(3), feature_map.parameter_vector(3)

    def vectors(rows: np.ndarray) -> np.ndarray:
        states = oracle_states(circuit, x, bandwidth * rows)
        matrices = np.einsum("ni,nj->nij", states, states.conj()).reshape(len(rows), -1)
        return np.hstack([matrices.real, matrices.imag])

    points, new = vectors(X), vectors(NEW)
    mean = points.mean(axis=0)
    _, singular, axes = np.linalg.svd(points - mean, full_matrices=False)

    model = QuantumKernelPCA(FidelityKernel(feature_map, bandwidth=bandwidth), n_components=m).fit(X)
    np.testing.assert_allclose(model.eigenvalues_, singular[:m] ** 2, rtol=1e-9)
    signs = np.sign(np.sum(model.transform(X) * ((points - mean) @ axes[:m].T), axis=0))
    np.testing.assert_allclose(model.transform(NEW), (new - mean) @ (axes[:m].T * signs), atol=1e-9)


def test_by_the_eigenvectors_of_the_centred_matrix() -> None:
    model = QuantumKernelPCA(SHOTS, n_components=4).fit(X)
    K, cross = model.kernel_.gram_, model.kernel_.transform(NEW)
    n = len(K)
    H = np.eye(n) - 1.0 / n
    values, vectors = np.linalg.eigh(H @ K @ H)
    values, vectors = values[:-5:-1], vectors[:, :-5:-1]
    np.testing.assert_allclose(model.eigenvalues_, values, rtol=1e-10)
    want = (cross - K.mean(axis=0)) @ H @ vectors / np.sqrt(values)
    got = model.transform(NEW)
    np.testing.assert_allclose(got, want * np.sign(np.sum(got * want, axis=0)), atol=1e-9)


@pytest.mark.parametrize("kernel", [None, SHOTS], ids=["exact", "shots"])
def test_training_rows_transform_as_fitted(kernel: object) -> None:
    model = QuantumKernelPCA(kernel, n_components=4)
    np.testing.assert_allclose(model.fit_transform(X), model.transform(X), atol=1e-9)


def test_names_and_data_frames() -> None:
    model = QuantumKernelPCA(n_components=2).set_output(transform="pandas").fit(X)
    names = ["quantumkernelpca0", "quantumkernelpca1"]
    assert model.get_feature_names_out().tolist() == names
    for frame in (model.transform(NEW), model.fit_transform(X)):
        assert frame.columns.tolist() == names
    plain = QuantumKernelPCA(n_components=2).fit(X)
    np.testing.assert_array_equal(model.transform(NEW), plain.transform(NEW))
    with config_context(transform_output="pandas"):  # reaches scikit-learn's KernelPCA inside as well
        assert plain.transform(NEW).columns.tolist() == names


def test_more_components_than_samples() -> None:
    with pytest.raises(InvalidParameterError, match=r"n_components of QuantumKernelPCA .* 45 sample\(s\).* got 46"):
        QuantumKernelPCA(n_components=46).fit(X)
    assert QuantumKernelPCA(n_components=45).fit(X).eigenvalues_.shape == (45,)


def test_no_inverse_and_no_weights() -> None:
    model = QuantumKernelPCA().fit(X)
    assert not hasattr(model, "inverse_transform")
    with pytest.raises(TypeError, match="sample_weight"):
        model.fit(X, sample_weight=np.ones(len(X)))


def test_search_in_a_pipeline() -> None:
    model = make_pipeline(QuantumKernelPCA(n_components=6), LogisticRegression())
    grid = {"quantumkernelpca__kernel__bandwidth": ["scale", 10.0], "quantumkernelpca__n_components": [2, 6]}
    search = GridSearchCV(model, grid, cv=3).fit(WINE, Y)
    assert search.best_params_["quantumkernelpca__kernel__bandwidth"] == "scale"
    assert search.best_score_ > 0.85
    chosen = search.best_estimator_[0]
    assert chosen.transform(WINE).shape == (45, search.best_params_["quantumkernelpca__n_components"])
