"""What the faces without (all) labels share: PCA, one-class SVM, spectral clustering, label propagation."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from qiskit_machine_learning.kernels import FidelityStatevectorKernel
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.metrics.pairwise import rbf_kernel

from qkernels import AutoEngine, FidelityKernel, StatevectorEngine, ZZFeatureMap
from qkernels._errors import InvalidDataError, InvalidParameterError, QKernelsError
from qkernels.estimators import (
    QuantumKernelPCA,
    QuantumLabelPropagation,
    QuantumOneClassSVM,
    QuantumSpectralClustering,
)

X, TRUE = make_blobs(40, n_features=3, centers=3, cluster_std=1.5, random_state=0)
NEW = X + 0.2
FEW = np.where(np.arange(40) % 4, -1, TRUE)
SHOTS = FidelityKernel(engine=AutoEngine(shots=100, seed=0))

MODELS = {
    "pca": QuantumKernelPCA(n_components=3),
    "one-class": QuantumOneClassSVM(nu=0.2),
    "clustering": QuantumSpectralClustering(n_clusters=3, random_state=0),
    "labels": QuantumLabelPropagation(n_neighbors=5),
}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
exact_and_shots = pytest.mark.parametrize("kernel", [None, SHOTS], ids=["exact", "shots"])


def with_kernel(model: BaseEstimator, kernel: object) -> BaseEstimator:
    return clone(model).set_params(kernel=kernel)


def output(model: BaseEstimator, X: np.ndarray) -> np.ndarray:
    """Whatever the fitted model says about rows; of a clustering, its matrix and labels."""
    for method in ("transform", "decision_function", "predict_proba"):
        if hasattr(model, method):
            return getattr(model, method)(X)
    return np.column_stack([model.affinity_matrix_, model.labels_])


@each_model
def test_constructor_only_stores(model: BaseEstimator) -> None:
    names = [name for name in inspect.signature(type(model)).parameters if name != "random_state"]
    odd = {name: object() for name in names}
    built = type(model)(**odd)
    assert {name: getattr(built, name) for name in names} == odd
    assert type(model)().get_params()["kernel"] is None


@each_model
def test_repr_shows_what_was_chosen(model: BaseEstimator) -> None:
    fitted = clone(model).fit(X, FEW)
    shown = "kernel=FidelityKernel(engine=AutoEngine(), feature_map=ZZFeatureMap())"
    assert shown in repr(fitted)
    assert "kernel=" not in repr(model)
    assert fitted.kernel is None


@each_model
def test_parameters_below_the_default_kernel(model: BaseEstimator) -> None:
    first, second = clone(model), clone(model)
    first.set_params(kernel__bandwidth=0.05, kernel__feature_map__reps=1).fit(X, FEW)
    assert second.kernel is None
    want = FidelityKernel(ZZFeatureMap(reps=1), bandwidth=0.05).fit(X)
    np.testing.assert_array_equal(first.kernel_.gram_, want.gram_)


@each_model
@exact_and_shots
def test_same_again(model: BaseEstimator, kernel: object) -> None:
    first, second = (with_kernel(model, kernel).fit(X, FEW) for _ in range(2))
    np.testing.assert_array_equal(output(first, NEW), output(second, NEW))


@each_model
@exact_and_shots
def test_pickle_joblib_and_clone(model: BaseEstimator, kernel: object, tmp_path: Path) -> None:
    fitted = with_kernel(model, kernel).fit(X, FEW)
    joblib.dump(fitted, tmp_path / "model.joblib")
    want = output(fitted, NEW)
    copies = [pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "model.joblib"), clone(fitted).fit(X, FEW)]
    for copy in copies:
        np.testing.assert_array_equal(output(copy, NEW), want)


@each_model
def test_fit_leaves_the_kernel_parameter_alone(model: BaseEstimator) -> None:
    kernel = FidelityKernel()
    fitted = with_kernel(model, kernel).fit(X, FEW)
    assert fitted.kernel is kernel
    assert not hasattr(kernel, "gram_")


@each_model
def test_other_kernels(model: BaseEstimator) -> None:
    theirs = FidelityStatevectorKernel(feature_map=ZZFeatureMap().build(3))
    given = {
        "BaseKernel": (theirs, theirs.evaluate),
        "callable": (rbf_kernel, rbf_kernel),
        "frozen": (FidelityKernel().fit(X).frozen(), FidelityKernel().fit(X).frozen()),
    }
    for name, (kernel, function) in given.items():
        fitted = with_kernel(model, kernel).fit(X, FEW)
        matrix = with_kernel(model, "precomputed").fit(function(X, X), FEW)
        assert matrix.kernel_ == "precomputed"
        np.testing.assert_array_equal(output(fitted, NEW), output(matrix, function(NEW, X)), err_msg=name)


@each_model
def test_precomputed(model: BaseEstimator) -> None:
    kernel = FidelityKernel().fit(X)
    matrix = with_kernel(model, "precomputed").fit(kernel.gram_, FEW)
    direct = clone(model).fit(X, FEW)
    np.testing.assert_array_equal(output(matrix, kernel.transform(NEW)), output(direct, NEW))
    assert matrix.__sklearn_tags__().input_tags.pairwise
    assert not direct.__sklearn_tags__().input_tags.pairwise
    with pytest.raises(InvalidDataError, match=rf"{type(model).__name__} .*square matrix.* got shape \(40, 3\)"):
        with_kernel(model, "precomputed").fit(X, FEW)


@each_model
def test_pandas(model: BaseEstimator) -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    fitted = clone(model).fit(frame, FEW)
    assert fitted.feature_names_in_.tolist() == ["a", "b", "c"]
    assert fitted.n_features_in_ == 3
    assert fitted.shape_fit_ == (40, 3)
    np.testing.assert_array_equal(output(fitted, frame), output(clone(model).fit(X, FEW), X))
    kernel = FidelityKernel().set_output(transform="pandas")
    np.testing.assert_array_equal(output(with_kernel(model, kernel).fit(X, FEW), X), output(fitted, frame))


@each_model
@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ("rbf", "kernel of {owner} must be None.* got 'rbf'.*scikit-learn's estimators"),
        (ZZFeatureMap(), "kernel of {owner} must be None.* got ZZFeatureMap"),
        (FidelityKernel(bandwidth=-2), "bandwidth of FidelityKernel .* got -2"),
    ],
    ids=["name", "feature map", "bandwidth"],
)
def test_bad_kernels(model: BaseEstimator, kernel: object, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message.format(owner=type(model).__name__)):
        with_kernel(model, kernel).fit(X, FEW)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("pca", {"n_components": 0}, r"'n_components' parameter of QuantumKernelPCA .* Got 0"),
        ("pca", {"eigen_solver": "full"}, r"'eigen_solver' parameter of QuantumKernelPCA .* Got 'full'"),
        ("pca", {"tol": -1.0}, r"'tol' parameter of QuantumKernelPCA .* Got -1\.0"),
        ("pca", {"max_iter": 0}, r"'max_iter' parameter of QuantumKernelPCA .* Got 0"),
        ("pca", {"iterated_power": -3}, r"'iterated_power' parameter of QuantumKernelPCA .* Got -3"),
        ("pca", {"remove_zero_eig": "no"}, r"'remove_zero_eig' parameter of QuantumKernelPCA .* Got 'no'"),
        ("pca", {"random_state": "a"}, r"'random_state' parameter of QuantumKernelPCA .* Got 'a'"),
        ("one-class", {"nu": 0.0}, r"'nu' parameter of QuantumOneClassSVM .* Got 0\.0"),
        ("one-class", {"nu": 1.5}, r"'nu' parameter of QuantumOneClassSVM .* Got 1\.5"),
        ("one-class", {"tol": 0.0}, r"'tol' parameter of QuantumOneClassSVM .* Got 0\.0"),
        ("one-class", {"cache_size": 0}, r"'cache_size' parameter of QuantumOneClassSVM .* Got 0"),
        ("one-class", {"shrinking": 2}, r"'shrinking' parameter of QuantumOneClassSVM .* Got 2"),
        ("one-class", {"max_iter": -2}, r"'max_iter' parameter of QuantumOneClassSVM .* Got -2"),
        ("clustering", {"n_clusters": 0}, r"'n_clusters' parameter of QuantumSpectralClustering .* Got 0"),
        ("clustering", {"n_init": 0}, r"'n_init' parameter of QuantumSpectralClustering .* Got 0"),
        ("clustering", {"eigen_tol": -1.0}, r"'eigen_tol' parameter of QuantumSpectralClustering .* Got -1\.0"),
        ("clustering", {"assign_labels": "cut"}, r"'assign_labels' parameter of QuantumSpectral.* Got 'cut'"),
        ("clustering", {"eigen_solver": "dense"}, r"'eigen_solver' parameter of QuantumSpectral.* Got 'dense'"),
        ("labels", {"n_neighbors": 0}, r"'n_neighbors' parameter of QuantumLabelPropagation .* Got 0"),
        ("labels", {"alpha": 1.0}, r"'alpha' parameter of QuantumLabelPropagation .* Got 1\.0"),
        ("labels", {"max_iter": 0}, r"'max_iter' parameter of QuantumLabelPropagation .* Got 0"),
        ("labels", {"tol": -1.0}, r"'tol' parameter of QuantumLabelPropagation .* Got -1\.0"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_parameters(name: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        clone(MODELS[name]).set_params(**parameters).fit(X, FEW)


@each_model
@pytest.mark.parametrize(
    "kernel",
    [
        FidelityKernel(engine=StatevectorEngine(memory_limit=1)),
        lambda A, B: np.full((len(A), len(B)), np.nan),
        "precomputed",
        "rbf",
    ],
    ids=["memory", "bad callable", "not square", "name"],
)
def test_a_failed_fit_changes_nothing(model: BaseEstimator, kernel: object) -> None:
    fitted = clone(model).fit(X, FEW)
    want = output(fitted, NEW)
    fitted.kernel = kernel
    with pytest.raises((ValueError, QKernelsError)):
        fitted.fit(np.hstack([X, X]), FEW)
    assert fitted.n_features_in_ == 3
    fitted.kernel = None
    np.testing.assert_array_equal(output(fitted, NEW), want)
    before = vars(fresh := with_kernel(model, kernel)).copy()
    with pytest.raises((ValueError, QKernelsError)):
        fresh.fit(np.hstack([X, X]), FEW)
    assert vars(fresh) == before


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("pca", "transform"),
        ("pca", "get_feature_names_out"),
        ("one-class", "predict"),
        ("one-class", "decision_function"),
        ("one-class", "score_samples"),
        ("labels", "predict"),
        ("labels", "predict_proba"),
    ],
)
def test_before_fit_and_another_width(name: str, method: str) -> None:
    model = clone(MODELS[name])
    owner = type(model).__name__
    arguments = [X] if method != "get_feature_names_out" else []
    with pytest.raises(NotFittedError, match=f"{owner} instance is not fitted"):
        getattr(model, method)(*arguments)
    model.fit(X, FEW)
    if arguments:
        with pytest.raises(ValueError, match=f"X has 2 features, but {owner} is expecting 3"):
            getattr(model, method)(X[:, :2])


@each_model
def test_one_feature(model: BaseEstimator) -> None:
    fitted = clone(model).fit(X[:, :1], FEW)
    assert fitted.n_features_in_ == 1
    assert np.isfinite(output(fitted, NEW[:, :1])).all()
