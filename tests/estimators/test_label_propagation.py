"""QuantumLabelPropagation: a face of scikit-learn's LabelSpreading on the neighbour graph of a kernel."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import linear_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading

from qkernels import AutoEngine, FidelityKernel
from qkernels._errors import InvalidDataError, QKernelsWarning
from qkernels.estimators import QuantumLabelPropagation

X, TRUE = make_blobs(45, n_features=3, centers=3, cluster_std=1.2, random_state=1)
NEW = X + 0.3
Y = np.where(np.arange(45) % 5, -1, TRUE)
SHOTS = FidelityKernel(engine=AutoEngine(shots=100, seed=0))
exact_and_shots = pytest.mark.parametrize("kernel", [None, SHOTS], ids=["exact", "shots"])


def neighbour_graph(K: np.ndarray, k: int) -> np.ndarray:
    """W by its definition, one row at a time; K without ties."""
    W = np.zeros_like(K)
    for i, row in enumerate(K):
        others = [j for j in np.argsort(-row) if j != i]
        for j in others[:k]:
            W[i, j] = W[j, i] = K[i, j]
    return W


def closed_form(W: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """F = (I − αS)^{-1} Y, rows divided by their sums."""
    degrees = W.sum(axis=1)
    S = W / np.sqrt(np.outer(degrees, degrees))
    labels = np.array([y == label for label in np.unique(y[y != -1])], dtype=float).T
    F = np.linalg.solve(np.eye(len(W)) - alpha * S, labels)
    return F / F.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("alpha", [0.2, 0.9, 0.99])
@pytest.mark.parametrize("k", [3, 10])
def test_closed_form(k: int, alpha: float) -> None:
    model = QuantumLabelPropagation(n_neighbors=k, alpha=alpha, max_iter=10_000, tol=1e-11).fit(X, Y)
    W = neighbour_graph(model.kernel_.gram_, k)
    np.testing.assert_array_equal(model.graph_.toarray(), W)
    want = closed_form(W, Y, alpha)
    np.testing.assert_allclose(model.label_distributions_, want, atol=1e-8)
    np.testing.assert_array_equal(model.transduction_, want.argmax(axis=1))
    assert model.classes_.tolist() == [0, 1, 2]


def test_closed_form_with_every_edge() -> None:
    model = QuantumLabelPropagation(n_neighbors=None, tol=1e-11).fit(X, Y)
    W = model.kernel_.gram_ - np.eye(45)
    np.testing.assert_allclose(model.label_distributions_, closed_form(W, Y, 0.9), atol=1e-8)
    np.testing.assert_array_equal(model.graph_, W)


def test_default_tolerance_reaches_the_closed_form() -> None:
    model = QuantumLabelPropagation().fit(X, Y)
    want = closed_form(neighbour_graph(model.kernel_.gram_, 10), Y, 0.9)
    np.testing.assert_allclose(model.label_distributions_, want, atol=1e-4)
    assert 1 < model.n_iter_ < 1000


@exact_and_shots
@pytest.mark.parametrize("k", [None, 5], ids=["dense", "sparse"])
def test_equals_label_spreading_on_the_graph(kernel: object, k: int | None) -> None:
    model = QuantumLabelPropagation(kernel, n_neighbors=k, alpha=0.8, max_iter=500, tol=1e-9).fit(X, Y)
    graph = model.graph_ if k is None else model.graph_.toarray()
    spreading = LabelSpreading(kernel=lambda *_: graph, alpha=0.8, max_iter=500, tol=1e-9).fit(X, Y)
    np.testing.assert_allclose(model.label_distributions_, spreading.label_distributions_, atol=1e-12)
    np.testing.assert_array_equal(model.transduction_, spreading.transduction_)
    np.testing.assert_array_equal(model.classes_, spreading.classes_)
    assert model.n_iter_ == spreading.n_iter_
    if k is None:  # what scikit-learn does with new rows, every fitted row being a neighbour
        cross = model.kernel_.transform(NEW)
        spreading.kernel = lambda *_: cross.T
        np.testing.assert_allclose(model.predict_proba(NEW), spreading.predict_proba(NEW), atol=1e-12)


@exact_and_shots
def test_new_rows_average_their_neighbours(kernel: object) -> None:
    model = QuantumLabelPropagation(kernel, n_neighbors=4).fit(X, Y)
    want = []
    for row in model.kernel_.transform(NEW):
        kept = np.flatnonzero(row >= np.sort(row)[-4])
        average = row[kept] @ model.label_distributions_[kept]
        want.append(average / average.sum())
    np.testing.assert_allclose(model.predict_proba(NEW), want, atol=1e-12)
    np.testing.assert_array_equal(model.predict(NEW), np.argmax(want, axis=1))


@pytest.mark.parametrize("k", [None, 5], ids=["dense", "sparse"])
def test_training_rows_are_new_rows_to_predict(k: int | None) -> None:
    # One by one they cannot be recognised as the training rows; together they must give the same.
    model = QuantumLabelPropagation(n_neighbors=k).fit(X, Y)
    alone = np.vstack([model.predict_proba(row[None]) for row in X])
    np.testing.assert_allclose(model.predict_proba(X), alone, atol=1e-9)


@exact_and_shots
def test_few_labels_are_enough(kernel: object) -> None:
    few = np.full(45, -1)
    for label in range(3):
        few[np.argmax(label == TRUE)] = label
    model = QuantumLabelPropagation(kernel, n_neighbors=5).fit(X, few)
    assert np.mean(model.transduction_ == TRUE) > 0.9
    assert model.score(NEW, TRUE) > 0.9


@exact_and_shots
def test_order_of_rows_does_not_matter(kernel: object) -> None:
    order = np.random.default_rng(2).permutation(45)
    kernel = FidelityKernel(bandwidth=0.1) if kernel is None else SHOTS
    model = QuantumLabelPropagation(kernel, n_neighbors=3).fit(X, Y)
    permuted = QuantumLabelPropagation(kernel, n_neighbors=3).fit(X[order], Y[order])
    np.testing.assert_allclose(permuted.label_distributions_, model.label_distributions_[order], atol=1e-9)


def test_ties_are_all_neighbours() -> None:
    K = np.full((6, 6), 0.5)
    K[0, 1] = K[1, 0] = 0.9
    np.fill_diagonal(K, 1.0)
    K[2, 3] = K[3, 2] = 0.5 * (1 + 1e-14)  # the same value, rounded
    model = QuantumLabelPropagation("precomputed", n_neighbors=1).fit(K, [0, -1, 1, -1, -1, -1])
    want = np.full((6, 6), 0.5) - 0.5 * np.eye(6)
    want[0, 1] = want[1, 0] = 0.9
    np.testing.assert_allclose(model.graph_.toarray(), want)


def test_either_of_two_makes_them_neighbours() -> None:
    # Row 2 is nearest to row 1, whose nearest is row 0.
    K = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.8], [0.1, 0.8, 1.0]])
    model = QuantumLabelPropagation("precomputed", n_neighbors=1).fit(K, [0, -1, 1])
    np.testing.assert_array_equal(model.graph_.toarray(), [[0, 0.9, 0], [0.9, 0, 0.8], [0, 0.8, 0]])


def test_more_neighbours_than_rows_is_every_row() -> None:
    every = QuantumLabelPropagation(n_neighbors=None).fit(X, Y)
    many = QuantumLabelPropagation(n_neighbors=1000).fit(X, Y)
    np.testing.assert_allclose(many.label_distributions_, every.label_distributions_, atol=1e-12)
    np.testing.assert_allclose(many.predict_proba(NEW), every.predict_proba(NEW), atol=1e-12)


def test_rows_without_a_path_to_a_label() -> None:
    K = np.kron(np.eye(3), np.full((2, 2), 0.6)) + 0.4 * np.eye(6)
    y = [4, -1, 7, -1, -1, -1]
    message = "2 of 6 rows given to QuantumLabelPropagation, row 4 the first, .* first class, 4.* n_neighbors .now 3"
    with pytest.warns(QKernelsWarning, match=message):
        model = QuantumLabelPropagation("precomputed", n_neighbors=3).fit(K, y)
    np.testing.assert_allclose(model.label_distributions_, [[1, 0], [1, 0], [0, 1], [0, 1], [0, 0], [0, 0]])
    assert model.transduction_.tolist() == [4, 4, 7, 7, 4, 4]
    new = [[0.2, 0, 0.6, 0, 0, 0], [0, 0, 0, 0, 0.5, 0.5], np.zeros(6), np.full(6, -0.1)]
    np.testing.assert_allclose(model.predict_proba(new), [[0.25, 0.75], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])


def test_warning_as_an_error_changes_nothing() -> None:
    model = QuantumLabelPropagation(n_neighbors=5).fit(X, Y)
    before = dict(vars(model))
    model.kernel = "precomputed"
    with pytest.raises(QKernelsWarning):  # the suite turns warnings into errors
        model.fit(np.eye(4), [0, 1, -1, -1])
    model.kernel = None
    assert vars(model) == before


def test_every_row_labelled() -> None:
    model = QuantumLabelPropagation().fit(X, TRUE)
    assert model.score(X, TRUE) > 0.9
    names = np.array(["a", "b", "c"])[TRUE]
    named = QuantumLabelPropagation().fit(X, names)
    np.testing.assert_array_equal(named.predict(NEW), np.array(["a", "b", "c"])[model.predict(NEW)])
    assert named.transduction_.dtype == names.dtype


MIXED = r"mixes texts with the mark -1 .* got labels \['-1', 'b'"


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.full(45, -1), InvalidDataError, "must label at least one row; all 45 entries are -1"),
        (np.where(Y == -1, "-1", "b"), InvalidDataError, MIXED),
        (np.array([-1, "b", "c"] * 15, dtype=object), InvalidDataError, MIXED),
        (np.linspace(0, 1, 45), ValueError, "Unknown label type: continuous"),
        (Y[:-1], ValueError, "inconsistent numbers of samples"),
        (None, ValueError, "requires y to be passed"),
    ],
    ids=["none", "texts", "objects", "numbers", "length", "no y"],
)
def test_bad_targets(y: object, error: type[Exception], message: str) -> None:
    model = QuantumLabelPropagation().fit(X, Y)
    want = model.predict_proba(NEW)
    with pytest.raises(error, match=message):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(NEW), want)


def test_kernel_with_negative_values() -> None:
    K = linear_kernel(X)
    with pytest.raises(InvalidDataError, match=r"kernel of QuantumLabelPropagation must not have .* gives -\d"):
        QuantumLabelPropagation(linear_kernel).fit(X, Y)
    with pytest.raises(InvalidDataError, match=f"Negative values in data .* got {K.min():.3g} in row"):
        QuantumLabelPropagation("precomputed").fit(K, Y)


def test_iteration_that_does_not_end() -> None:
    with pytest.warns(ConvergenceWarning, match="max_iter=2 was reached"):
        QuantumLabelPropagation(max_iter=2).fit(X, Y)


def test_the_matrix_is_pickled_once() -> None:
    model = QuantumLabelPropagation(FidelityKernel()).fit(X, Y)
    kernel = len(pickle.dumps(model.kernel_))
    assert len(pickle.dumps(model)) < kernel + 0.7 * model.kernel_.gram_.nbytes


def test_search_in_a_pipeline() -> None:
    model = make_pipeline(StandardScaler(), QuantumLabelPropagation(n_neighbors=3))
    grid = {"quantumlabelpropagation__kernel__bandwidth": [0.3, 30.0], "quantumlabelpropagation__alpha": [0.5, 0.9]}
    search = GridSearchCV(model, grid, cv=3).fit(X, TRUE)
    assert search.best_params_["quantumlabelpropagation__kernel__bandwidth"] == 0.3
    assert search.best_score_ > 0.9
