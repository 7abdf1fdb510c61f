"""QuantumKernelSVC: a face of scikit-learn's SVC."""

from __future__ import annotations

import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, make_moons
from sklearn.exceptions import NotFittedError
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

from qkernels import QSVC, FidelityKernel, QuantumKernelSVC, StatevectorEngine, ZZFeatureMap
from qkernels._errors import InvalidDataError, InvalidParameterError, QKernelsError
from qkernels.engines import cache_info, clear_cache

X, Y = load_iris(return_X_y=True)
X, Y = X[::3], Y[::3]
BINARY = Y > 0
SHOTS = FidelityKernel(engine=StatevectorEngine(shots=100, seed=0))


def reference(model: QuantumKernelSVC, y: np.ndarray, **parameters: object) -> SVC:
    return SVC(kernel="precomputed", tol=1e-10, **parameters).fit(model.kernel_.gram_, y)


def test_alias() -> None:
    assert QSVC is QuantumKernelSVC


@pytest.mark.parametrize("kernel", [None, SHOTS], ids=["exact", "shots"])
@pytest.mark.parametrize("rows", [slice(None), BINARY], ids=["three classes", "two classes"])
def test_equals_svc_on_the_matrix(kernel: object, rows: object) -> None:
    model = QuantumKernelSVC(kernel, C=2.0).fit(X[rows], Y[rows])
    svc = reference(model, Y[rows], C=2.0)
    for attribute in ("classes_", "support_", "n_support_", "dual_coef_", "intercept_", "fit_status_", "n_iter_"):
        np.testing.assert_array_equal(getattr(model, attribute), getattr(svc, attribute), err_msg=attribute)
    assert model.support_.dtype == svc.support_.dtype
    assert model.shape_fit_ == X[rows].shape
    cross = model.kernel_.transform(X + 0.1)
    np.testing.assert_array_equal(model.decision_function(X + 0.1), svc.decision_function(cross))
    np.testing.assert_array_equal(model.predict(X + 0.1), svc.predict(cross))


@pytest.mark.parametrize(
    "parameters",
    [
        {"class_weight": "balanced"},
        {"class_weight": {0: 1.0, 1: 5.0, 2: 0.2}},
        {"decision_function_shape": "ovo"},
        {"break_ties": True},
        {"shrinking": False, "cache_size": 10},
    ],
    ids=lambda parameters: next(iter(parameters)),
)
def test_parameters_reach_the_solver(parameters: dict[str, object]) -> None:
    model = QuantumKernelSVC(**parameters).fit(X, Y)
    svc = reference(model, Y, **parameters)
    np.testing.assert_array_equal(model.decision_function(X), svc.decision_function(model.kernel_.gram_))
    np.testing.assert_array_equal(model.predict(X), svc.predict(model.kernel_.gram_))
    np.testing.assert_array_equal(model.class_weight_, svc.class_weight_)


def test_string_labels() -> None:
    names = np.array(["setosa", "versicolor", "virginica"])[Y]
    model = QuantumKernelSVC().fit(X, names)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    np.testing.assert_array_equal(model.predict(X) == names, QuantumKernelSVC().fit(X, Y).predict(X) == Y)


def test_precomputed() -> None:
    kernel = FidelityKernel().fit(X)
    model = QuantumKernelSVC("precomputed").fit(kernel.gram_, Y)
    direct = QuantumKernelSVC().fit(X, Y)
    np.testing.assert_array_equal(model.decision_function(kernel.transform(X + 0.1)), direct.decision_function(X + 0.1))
    assert model.kernel_ == "precomputed"
    assert model.__sklearn_tags__().input_tags.pairwise
    assert not direct.__sklearn_tags__().input_tags.pairwise


def test_pandas() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = QuantumKernelSVC().fit(frame, pd.Series(Y))
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert model.n_features_in_ == 4
    np.testing.assert_array_equal(model.predict(frame), QuantumKernelSVC().fit(X, Y).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"a": "z"}))


def test_pandas_output_of_the_kernel_does_not_disturb() -> None:
    kernel = FidelityKernel().set_output(transform="pandas")
    np.testing.assert_array_equal(
        QuantumKernelSVC(kernel).fit(X, Y).predict(X), QuantumKernelSVC().fit(X, Y).predict(X)
    )


@pytest.mark.parametrize("kernel", [None, SHOTS], ids=["exact", "shots"])
def test_pickle_joblib_and_clone(kernel: object, tmp_path: Path) -> None:
    model = QuantumKernelSVC(kernel).fit(X, Y)
    joblib.dump(model, tmp_path / "model.joblib")
    want = model.decision_function(X + 0.1)
    for copy in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib"), clone(model).fit(X, Y)):
        np.testing.assert_array_equal(copy.decision_function(X + 0.1), want)


def test_fit_leaves_the_kernel_parameter_alone() -> None:
    kernel = FidelityKernel()
    model = QuantumKernelSVC(kernel).fit(X, Y)
    assert model.kernel is kernel
    assert not hasattr(kernel, "gram_")


def test_one_feature() -> None:
    # One qubit has three real dimensions: a boundary or two, not more.
    assert QuantumKernelSVC().fit(X[:, 2:3], Y).score(X[:, 2:3], Y) > 0.75


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"C": -1.0}, r"'C' parameter of QuantumKernelSVC must be a float .* Got -1\.0"),
        ({"tol": 0.0}, r"'tol' parameter of QuantumKernelSVC .* Got 0\.0"),
        ({"max_iter": 1.5}, r"'max_iter' parameter of QuantumKernelSVC .* Got 1\.5"),
        ({"class_weight": "even"}, r"'class_weight' parameter of QuantumKernelSVC .* Got 'even'"),
        ({"decision_function_shape": "all"}, r"'decision_function_shape' parameter .* Got 'all'"),
        ({"kernel": FidelityKernel(bandwidth=-2)}, r"bandwidth of FidelityKernel .* got -2"),
        ({"kernel": FidelityKernel(ZZFeatureMap(reps=0))}, "reps must be"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        QuantumKernelSVC(**parameters).fit(X, Y)


def test_no_probability_parameter() -> None:
    with pytest.raises(TypeError, match="probability"):
        QuantumKernelSVC(probability=True)
    assert not hasattr(QuantumKernelSVC(), "predict_proba")


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.zeros(len(Y)), InvalidDataError, r"at least two classes; got one class, 0\.0"),
        (np.linspace(0, 1, len(Y)), ValueError, "Unknown label type: continuous"),
        (Y[:-1], ValueError, "inconsistent numbers of samples"),
    ],
    ids=["one class", "numbers", "length"],
)
def test_bad_targets(y: np.ndarray, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        QuantumKernelSVC().fit(X, y)


@pytest.mark.parametrize(
    ("y", "weights", "kernel"),
    [
        (np.zeros(len(Y)), None, None),
        (np.linspace(0, 1, len(Y)), None, None),
        (Y, -np.ones(len(Y)), None),
        (Y, (Y > 0).astype(float), None),
        (Y, None, FidelityKernel(engine=StatevectorEngine(memory_limit=1))),
        (Y, None, lambda A, B: np.full((len(A), len(B)), np.nan)),
        (Y, None, "precomputed"),
    ],
    ids=["one class", "numbers", "weights", "vanished class", "memory", "bad callable", "not square"],
)
def test_a_failed_fit_changes_nothing(y: np.ndarray, weights: object, kernel: object) -> None:
    model = QuantumKernelSVC().fit(X, Y)
    want = model.decision_function(X)
    model.kernel = kernel
    with pytest.raises((ValueError, QKernelsError)):
        model.fit(np.hstack([X, X]), y, sample_weight=weights)
    assert model.n_features_in_ == 4
    model.kernel = None
    np.testing.assert_array_equal(model.decision_function(X), want)
    with pytest.raises((ValueError, QKernelsError)):
        (fresh := QuantumKernelSVC(kernel)).fit(np.hstack([X, X]), y, sample_weight=weights)
    assert vars(fresh) == vars(QuantumKernelSVC(kernel))


def test_precomputed_matrix_that_is_not_square() -> None:
    with pytest.raises(InvalidDataError, match=r"must be a square matrix.* got shape \(50, 4\)"):
        QuantumKernelSVC("precomputed").fit(X, Y)


@pytest.mark.parametrize("method", ["predict", "decision_function"])
def test_before_fit(method: str) -> None:
    with pytest.raises(NotFittedError, match="QuantumKernelSVC instance is not fitted"):
        getattr(QuantumKernelSVC(), method)(X)


def test_another_number_of_features() -> None:
    with pytest.raises(ValueError, match="X has 2 features, but QuantumKernelSVC is expecting 4"):
        QuantumKernelSVC().fit(X, Y).predict(X[:, :2])


# Shots where they matter ----------------------------------------------------------------------------------------


def sampled_kernel(shots: int = 10) -> FidelityKernel:
    return FidelityKernel(engine=StatevectorEngine(shots=shots, seed=0))


def test_refine_shots_go_to_support_vectors() -> None:
    X, y = load_iris(return_X_y=True)
    model = QuantumKernelSVC(sampled_kernel(), C=100.0, refine_shots=50_000, refine_rounds=2).fit(X[:100], y[:100])
    shots = model.kernel_.gram_shots_[np.triu_indices(100, 1)]
    distinct = len(np.unique(X[:100], axis=0))
    extra = (shots - 10).clip(min=0)
    pairs = np.stack(np.triu_indices(100, 1), axis=1)[extra > 0]
    assert len(pairs) < 0.7 * len(extra)  # many pairs hold no support vector of either round
    measured = np.unique(np.sort(np.unique(X[:100], axis=0, return_inverse=True)[1][pairs], axis=1), axis=0)
    assert len(measured) <= distinct * (distinct - 1) // 2
    assert model.score(X[:100], y[:100]) > 0.9


def test_refined_model_is_the_solver_on_the_refined_matrix() -> None:
    X, y = load_iris(return_X_y=True)
    model = QuantumKernelSVC(sampled_kernel(), refine_shots=20_000).fit(X, y)
    solver = SVC(kernel="precomputed", tol=1e-10).fit(model.kernel_.gram_, y)
    np.testing.assert_array_equal(model.support_, solver.support_)
    np.testing.assert_allclose(model.dual_coef_, solver.dual_coef_, atol=1e-8)
    cross = model.kernel_.transform(X[:5] + 0.1)
    np.testing.assert_allclose(model.decision_function(X[:5] + 0.1), solver.decision_function(cross), atol=1e-8)


def test_refined_model_decides_row_by_row() -> None:
    model = QuantumKernelSVC(sampled_kernel(), refine_shots=20_000).fit(X, Y)
    together = model.decision_function(X)
    np.testing.assert_allclose(model.decision_function(X[:4]), together[:4], atol=1e-8)
    np.testing.assert_allclose(model.decision_function(X[::-1]), together[::-1], atol=1e-8)


def test_refine_shots_of_another_kernel_are_refused_before_anything_is_measured() -> None:
    clear_cache()
    with pytest.raises(InvalidParameterError, match=r"refine_shots of QuantumKernelSVC .* got kernel=SumKernel"):
        QuantumKernelSVC(sampled_kernel() + sampled_kernel(), refine_shots=100).fit(X, Y)
    assert cache_info().evaluated_matrices == 0


def test_refining_brings_the_dual_objective_closer_at_equal_shots() -> None:
    """Fixed seeds; the mean over them is compared, with the standard error of the difference as the bound."""
    X, y = make_moons(80, noise=0.2, random_state=0)
    exact = FidelityKernel().fit(X).gram_
    pairs = 80 * 79 // 2

    def error(model: QuantumKernelSVC) -> float:
        alphas = np.zeros(80)
        alphas[model.support_] = model.dual_coef_[0]
        difference = model.kernel_(X) if model.refine_shots is None else model.kernel_._measured.values
        return abs(float(alphas @ (difference - exact) @ alphas))

    gains = []
    for seed in range(12):
        uniform = FidelityKernel(engine=StatevectorEngine(shots=40, seed=seed))
        pilot = FidelityKernel(engine=StatevectorEngine(shots=10, seed=seed))
        a = QuantumKernelSVC(uniform, C=10.0).fit(X, y)
        b = QuantumKernelSVC(pilot, C=10.0, refine_shots=30 * pairs).fit(X, y)
        assert b.kernel_.gram_shots_[np.triu_indices(80, 1)].sum() == 40 * pairs
        gains.append(error(a) - error(b))
    assert np.mean(gains) > np.std(gains, ddof=1) / np.sqrt(len(gains))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"refine_shots": 0}, "refine_shots"),
        ({"refine_shots": 1.5}, "refine_shots"),
        ({"refine_rounds": 0}, "refine_rounds"),
        ({"refine_shots": 10, "kernel": rbf_kernel}, "refine_shots of QuantumKernelSVC needs a FidelityKernel"),
        ({"refine_shots": 10, "kernel": "precomputed"}, "refine_shots of QuantumKernelSVC needs a FidelityKernel"),
        ({"refine_shots": 10, "kernel": None}, "refine_shots of QuantumKernelSVC needs .* got kernel=None"),
    ],
    ids=["zero", "float", "rounds", "callable", "precomputed", "exact"],
)
def test_refine_refusals(options: dict[str, object], message: str) -> None:
    K = np.eye(6)
    with pytest.raises(InvalidParameterError, match=message):
        QuantumKernelSVC(**options).fit(K, [0, 1, 0, 1, 0, 1])
