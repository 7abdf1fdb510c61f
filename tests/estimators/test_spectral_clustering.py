"""QuantumSpectralClustering: a face of scikit-learn's SpectralClustering."""

from __future__ import annotations

from typing import Self

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import SpectralClustering
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import linear_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qkernels import AutoEngine, FidelityKernel
from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.estimators import QuantumSpectralClustering
from qkernels.kernels import Correction, ProjectedKernel
from qkernels.programs import Overlaps

X, TRUE = make_blobs(60, n_features=3, centers=3, cluster_std=0.8, random_state=1)
SHOTS = FidelityKernel(engine=AutoEngine(shots=100, seed=0))


class Minus(Correction):
    """A mitigation that overshoots: subtracts a constant from every value."""

    def __init__(self, amount: float = 0.5) -> None:
        self.amount = amount

    def fit(self, gram: np.ndarray, overlaps: Overlaps | None = None, sample_weight: object = None) -> Self:
        return self

    def transform_gram(self, gram: np.ndarray, overlaps: Overlaps | None = None) -> np.ndarray:
        return gram - self.amount

    def transform_cross(self, cross: np.ndarray, overlaps: Overlaps | None = None) -> np.ndarray:
        return cross - self.amount


@pytest.mark.parametrize("kernel", [None, SHOTS], ids=["exact", "shots"])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_components": 2, "n_init": 3},
        {"assign_labels": "discretize"},
        {"assign_labels": "cluster_qr"},
        {"eigen_solver": "lobpcg", "eigen_tol": 1e-8},
    ],
    ids=lambda parameters: "-".join(map(str, parameters.values())) or "default",
)
def test_equals_spectral_clustering_on_the_matrix(kernel: object, parameters: dict[str, object]) -> None:
    model = QuantumSpectralClustering(kernel, 3, random_state=5, **parameters).fit(X)
    gram = model.kernel_.gram_
    sklearn = SpectralClustering(3, affinity="precomputed", random_state=5, **parameters).fit(gram)
    np.testing.assert_array_equal(model.labels_, sklearn.labels_)
    np.testing.assert_array_equal(model.affinity_matrix_, gram)
    np.testing.assert_array_equal(clone(model).fit_predict(X), model.labels_)
    assert model.labels_.dtype == sklearn.labels_.dtype


@pytest.mark.parametrize("kernel", [None, SHOTS], ids=["exact", "shots"])
def test_finds_blobs(kernel: object) -> None:
    assert adjusted_rand_score(TRUE, QuantumSpectralClustering(kernel, 3, random_state=0).fit_predict(X)) > 0.9
    scaled = make_pipeline(
        StandardScaler(), QuantumSpectralClustering(FidelityKernel(bandwidth=0.3), 3, random_state=0)
    )
    assert adjusted_rand_score(TRUE, scaled.fit_predict(X)) > 0.9


def test_two_clusters_are_the_signs_of_the_second_eigenvector() -> None:
    two = X[TRUE < 2]
    model = QuantumSpectralClustering(n_clusters=2, random_state=0).fit(two)
    W = model.kernel_.gram_ - np.eye(len(two))
    degrees = W.sum(axis=1)
    _, vectors = np.linalg.eigh(np.eye(len(two)) - W / np.sqrt(np.outer(degrees, degrees)))
    assert adjusted_rand_score(vectors[:, 1] > 0, model.labels_) == 1.0


@pytest.mark.filterwarnings("ignore::qkernels._errors.NotPSDWarning")  # what overshoots is not repaired, on purpose
def test_negative_values_of_corrections_become_zero() -> None:
    kernel = FidelityKernel(corrections=[Minus()])
    model = QuantumSpectralClustering(kernel, 3, random_state=0).fit(X)
    assert model.kernel_.gram_.min() < -0.1
    np.testing.assert_array_equal(model.affinity_matrix_, np.maximum(model.kernel_.gram_, 0.0))


@pytest.mark.filterwarnings("ignore:Graph is not fully connected:UserWarning")
def test_negative_values_of_the_repair_of_shots_become_zero() -> None:
    kernel = FidelityKernel(bandwidth=0.3, engine=AutoEngine(shots=20, seed=0))
    model = QuantumSpectralClustering(kernel, 3, random_state=0).fit(X)
    assert model.kernel_.gram_.min() < -1e-3
    assert model.affinity_matrix_.min() == 0.0


def test_kernel_with_negative_values() -> None:
    def kernel(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        return linear_kernel(A - X.mean(axis=0), B - X.mean(axis=0))

    K = kernel(X, X)
    row, column = np.unravel_index(np.argmin(K), K.shape)
    place = f"gives {K.min():.3g} between rows {row} and {column}"
    with pytest.raises(InvalidDataError, match=f"kernel of QuantumSpectralClustering must not have.*{place}"):
        QuantumSpectralClustering(kernel, 3).fit(X)
    place = f"got {K.min():.3g} in row {row}, column {column}"
    with pytest.raises(InvalidDataError, match=f"Negative values in data passed to QuantumSpectral.*{place}"):
        QuantumSpectralClustering("precomputed", 3).fit(K)


def test_quantum_kernel_with_negative_values() -> None:
    kernel = ProjectedKernel(outer="linear", bandwidth=0.3)
    smallest = ProjectedKernel(outer="linear", bandwidth=0.3)(X).min()
    with pytest.raises(InvalidDataError, match=rf"kernel of .*; ProjectedKernel\(.* gives {smallest:.3g} between rows"):
        QuantumSpectralClustering(kernel, 3).fit(X)
    labels = QuantumSpectralClustering(ProjectedKernel(), 3, random_state=0).fit_predict(X)
    assert adjusted_rand_score(TRUE, labels) > 0.9


def test_rounding_below_zero_is_no_negative_value() -> None:
    K = FidelityKernel().fit(X).gram_.copy()
    K[0, 1] = K[1, 0] = -1e-15
    model = QuantumSpectralClustering("precomputed", 3, random_state=0).fit(K)
    assert model.affinity_matrix_[0, 1] == 0.0


@pytest.mark.parametrize("name", ["n_clusters", "n_components"])
def test_more_than_samples(name: str) -> None:
    with pytest.raises(InvalidParameterError, match=rf"{name} of QuantumSpectral.* 5 sample\(s\) here; got 6"):
        QuantumSpectralClustering(**{"n_clusters": 2, name: 6}).fit(X[:5])


def test_one_row() -> None:
    with pytest.raises(InvalidDataError, match="at least 2 rows; got n_samples=1"):
        QuantumSpectralClustering(n_clusters=1).fit(X[:1])


def test_no_predict() -> None:
    assert not hasattr(QuantumSpectralClustering().fit(X), "predict")
