"""FidelityKernel as a function, as a transformer, and what it refuses."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from qiskit import QuantumCircuit
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from qkernels import (
    AutoEngine,
    ClipSpectrum,
    CPMap,
    FidelityKernel,
    MPSEngine,
    SeparableMap,
    StatevectorEngine,
    ZZFeatureMap,
)
from qkernels._errors import InvalidDataError, InvalidParameterError, QKernelsError
from qkernels.engines import Engine
from qkernels.programs import Overlaps
from tests.oracle import oracle_overlaps

RNG = np.random.default_rng(7)
X_FIT = RNG.normal(size=(12, 3)) * [1.0, 10.0, 0.1] + [5.0, 0.0, -1.0]
X_NEW = RNG.normal(size=(4, 3)) * [1.0, 10.0, 0.1] + [5.0, 0.0, -1.0]

ENGINES = {"exact": None, "shots": StatevectorEngine(shots=100, seed=1)}


def expected(feature_map: object, A: np.ndarray, B: np.ndarray | None = None) -> np.ndarray:
    """Overlaps of encoded rows by the independent oracle."""
    d = A.shape[1]
    return oracle_overlaps(feature_map.build(d), feature_map.parameter_vector(d), A, B)


# Values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("feature_map", "kappa"),
    [(ZZFeatureMap(), 0.55), (CPMap(), 2.0), (SeparableMap(), 2.0)],
    ids=["zz", "cp", "separable"],
)
def test_standard_scale_by_its_formula(feature_map: object, kappa: float) -> None:
    kernel = FidelityKernel(feature_map).fit(X_FIT)
    mean, std = X_FIT.mean(axis=0), X_FIT.std(axis=0)
    A, B = (kappa / np.sqrt(3) * (Z - mean) / std for Z in (X_FIT, X_NEW))
    np.testing.assert_allclose(kernel.gram_, expected(feature_map, A), atol=1e-10)
    np.testing.assert_allclose(kernel.transform(X_NEW), expected(feature_map, B, A), atol=1e-10)
    np.testing.assert_allclose(kernel(X_NEW), expected(feature_map, B), atol=1e-10)


def test_numeric_bandwidth_multiplies_raw_rows_and_needs_no_fit() -> None:
    kernel = FidelityKernel(bandwidth=0.3)
    want = expected(ZZFeatureMap(), 0.3 * X_NEW, 0.3 * X_FIT)
    np.testing.assert_allclose(kernel(X_NEW, X_FIT), want, atol=1e-10)
    np.testing.assert_allclose(kernel.fit(X_FIT).transform(X_NEW), want, atol=1e-10)


def test_default_map_is_zz_linear_product() -> None:
    fitted = FidelityKernel().fit(X_FIT)
    assert fitted.feature_map_.get_params() == {
        "reps": 2,
        "entanglement": "linear",
        "data_map": "product",
        "gate": "p",
        "coupling": None,
    }
    assert isinstance(fitted.engine_, AutoEngine)
    assert fitted.corrections_ == []
    assert fitted.feature_map is None
    assert fitted.engine is None


def test_default_map_takes_one_feature() -> None:
    # One qubit, no pair: H P(2θ) H P(2θ) |0⟩ in closed form by the oracle.
    kernel = FidelityKernel().fit(X_FIT[:, :1])
    A = 0.55 * (X_FIT[:, :1] - X_FIT[:, :1].mean()) / X_FIT[:, :1].std()
    np.testing.assert_allclose(kernel.gram_, expected(ZZFeatureMap(), A), atol=1e-10)


# Transformer ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize("corrections", [None, [], [ClipSpectrum()]], ids=["none", "empty", "clip"])
@pytest.mark.filterwarnings("ignore::qkernels._errors.NotPSDWarning")  # "empty" on shots: the point of the case
def test_transform_of_the_fitted_rows_is_the_training_matrix(engine: object, corrections: object) -> None:
    kernel = FidelityKernel(engine=engine, corrections=corrections)
    gram = kernel.fit_transform(X_FIT)
    np.testing.assert_allclose(kernel.transform(X_FIT), gram, atol=1e-10)
    np.testing.assert_allclose(kernel.transform(X_FIT[3:5]), gram[3:5], atol=1e-10)
    np.testing.assert_array_equal(gram, gram.T)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_shapes_and_results_are_the_callers(engine: object) -> None:
    kernel = FidelityKernel(engine=engine)
    gram, cross = kernel.fit_transform(X_FIT), kernel.transform(X_NEW)
    assert (gram.shape, cross.shape) == ((12, 12), (4, 12))
    gram[:], cross[:] = 0, 0  # writing into a result changes nothing of ours
    assert kernel.gram_[0, 0] > 0.5
    assert kernel.transform(X_NEW).max() > 0
    assert not kernel.gram_.flags.writeable


def test_stderr_is_there_only_where_sampled() -> None:
    kernel = FidelityKernel(engine=ENGINES["shots"]).fit(X_FIT)
    assert (kernel.gram_stderr_ + np.eye(12) > 0).all()
    assert kernel.gram_stderr_.max() < 0.06  # sqrt(1/4 / 100) = .05 plus Wilson's term
    kernel.set_params(engine=None).fit(X_FIT)
    assert not hasattr(kernel, "gram_stderr_")


def test_diagonal() -> None:
    assert FidelityKernel().fit(X_FIT).diag(X_NEW).tolist() == [1.0] * 4
    assert FidelityKernel(bandwidth=1.0, engine=ENGINES["shots"]).diag(X_NEW).tolist() == [1.0] * 4


@pytest.mark.parametrize("engine", [AutoEngine, MPSEngine, StatevectorEngine])
@pytest.mark.parametrize("shots", [None, 100], ids=["exact", "shots"])
def test_diagonal_without_noise_evaluates_nothing(engine: type[Engine], shots: int | None) -> None:
    class Refusing(engine):  # type: ignore[misc, valid-type]
        def overlaps(self, *args: object, **options: object) -> Overlaps:
            raise AssertionError("evaluated")

    kernel = FidelityKernel(bandwidth=1.0, engine=Refusing(shots=shots, seed=0))
    assert kernel.diag(X_NEW).tolist() == [1.0] * 4


def test_diagonal_of_other_engines_is_measured() -> None:
    class Noisy(Engine):
        is_exact = False
        prepare = expectations = plan = None

        def overlaps(self, program: object, X: np.ndarray, **options: object) -> Overlaps:
            assert options["pairs"].tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]
            return Overlaps(np.full(4, 0.9))

    assert FidelityKernel(bandwidth=1.0, engine=Noisy()).diag(X_NEW).tolist() == [0.9] * 4


def test_pandas_in_and_out() -> None:
    frame = pd.DataFrame(X_FIT, columns=["a", "b", "c"], index=range(100, 112))
    kernel = FidelityKernel().set_output(transform="pandas")
    gram = kernel.fit_transform(frame)
    assert kernel.feature_names_in_.tolist() == ["a", "b", "c"]
    assert gram.columns.tolist() == kernel.get_feature_names_out().tolist()
    assert gram.columns[0] == "fidelitykernel0"
    assert gram.index.tolist() == list(range(100, 112))
    np.testing.assert_array_equal(gram.to_numpy(), FidelityKernel().fit_transform(X_FIT))


def test_pickle_and_joblib_round_trips(tmp_path: Path) -> None:
    kernel = FidelityKernel(engine=ENGINES["shots"]).fit(X_FIT)
    joblib.dump(kernel, tmp_path / "kernel.joblib")
    for copy in (pickle.loads(pickle.dumps(kernel)), joblib.load(tmp_path / "kernel.joblib")):
        np.testing.assert_array_equal(copy.transform(X_NEW), kernel.transform(X_NEW))
        np.testing.assert_array_equal(copy.frozen()(X_NEW, X_FIT), kernel(X_NEW, X_FIT))


def test_clone_shares_the_engine_and_nothing_else() -> None:
    kernel = FidelityKernel(CPMap(), engine=ENGINES["shots"], corrections=[ClipSpectrum()]).fit(X_FIT)
    copy = clone(kernel)
    assert copy.engine is kernel.engine
    assert copy.feature_map is not kernel.feature_map
    assert copy.corrections[0] is not kernel.corrections[0]
    assert not hasattr(copy, "gram_")


def test_fit_leaves_parameters_alone() -> None:
    feature_map, clip = ZZFeatureMap(), ClipSpectrum()
    FidelityKernel(feature_map, corrections=[clip]).fit(X_FIT)
    assert not hasattr(clip, "eigenvalues_")
    assert feature_map.__dict__ == ZZFeatureMap().__dict__


def test_repr_of_a_fitted_kernel_shows_what_was_chosen() -> None:
    assert repr(FidelityKernel()) == "FidelityKernel()"
    assert repr(FidelityKernel().fit(X_FIT)) == "FidelityKernel(engine=AutoEngine(), feature_map=ZZFeatureMap())"
    sampled = repr(FidelityKernel(engine=ENGINES["shots"]).fit(X_FIT))
    assert "corrections=[ClipSpectrum()]" in sampled
    assert "seed=1" in sampled


def test_results_do_not_depend_on_the_order_of_rows() -> None:
    order = RNG.permutation(12)
    kernel = FidelityKernel(engine=ENGINES["shots"])
    gram = kernel.fit_transform(X_FIT)
    np.testing.assert_allclose(kernel.fit_transform(X_FIT[order]), gram[np.ix_(order, order)], atol=1e-10)


# The raw function and frozen() ----------------------------------------------------------------------------------


def test_call_is_raw_where_transform_is_corrected() -> None:
    kernel = FidelityKernel(engine=StatevectorEngine(shots=20, seed=3)).fit(X_FIT)
    raw = kernel(X_FIT)
    assert np.linalg.eigvalsh(raw)[0] < -1e-3
    assert np.linalg.eigvalsh(kernel.gram_)[0] > -1e-12
    assert set(np.unique(np.rint(raw * 20) - raw * 20)) <= {0.0}  # frequencies of 20 shots


@pytest.mark.parametrize("method", ["call", "diag", "frozen", "as_qiskit_kernel"])
def test_unfitted_kernel_names_the_three_right_ways(method: str) -> None:
    kernel = FidelityKernel()
    action = {
        "call": lambda: kernel(X_FIT),
        "diag": lambda: kernel.diag(X_FIT),
        "frozen": kernel.frozen,
        "as_qiskit_kernel": kernel.as_qiskit_kernel,
    }[method]
    with pytest.raises(NotFittedError) as caught:
        action()
    for way in (
        "QuantumKernelSVC(kernel)",
        "make_pipeline(kernel, SVC(kernel='precomputed'))",
        "kernel.fit(X).frozen()",
    ):
        assert way in str(caught.value)


@pytest.mark.parametrize("method", ["frozen", "as_qiskit_kernel"])
def test_unfitted_kernel_of_numeric_bandwidth_says_what_is_missing(method: str) -> None:
    kernel = FidelityKernel(bandwidth=0.5)
    with pytest.raises(NotFittedError) as caught:
        getattr(kernel, method)()
    assert f"{method}() needs fit(X) to know the number of features" in str(caught.value)
    assert "'scale'" not in str(caught.value)


def test_unfitted_kernel_as_callable_of_svc_fails_with_advice() -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.raises(NotFittedError, match="three ways"):
        SVC(kernel=FidelityKernel()).fit(X, y)


def test_frozen_keeps_its_scaling() -> None:
    k = FidelityKernel().fit(X_FIT).frozen()
    assert clone(k) is k
    assert clone(SVC(kernel=k)).kernel is k
    want = FidelityKernel().fit(X_FIT).transform(X_NEW)
    np.testing.assert_allclose(k(X_NEW, X_FIT), want, atol=1e-12)
    assert repr(k) == "FrozenKernel(ZZFeatureMap(), 3 features, AutoEngine())"


def test_three_ways_agree() -> None:
    X, y = load_iris(return_X_y=True)
    X, y = X[::3], y[::3]
    pipeline = make_pipeline(FidelityKernel(), SVC(kernel="precomputed", tol=1e-10)).fit(X, y)
    callable_ = SVC(kernel=FidelityKernel().fit(X).frozen(), tol=1e-10).fit(X, y)
    np.testing.assert_allclose(pipeline.decision_function(X), callable_.decision_function(X), atol=1e-6)


# Errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"bandwidth": -1.0}, r"bandwidth of FidelityKernel must be 'scale'.* got -1\.0"),
        ({"bandwidth": 0}, r"positive number.* got 0"),
        ({"bandwidth": True}, r"got True"),
        ({"bandwidth": float("inf")}, r"got inf"),
        ({"bandwidth": float("nan")}, r"got nan"),
        ({"bandwidth": "auto"}, r"got 'auto'"),
        ({"orientation": "random"}, r"orientation of FidelityKernel must be 'canonical' or 'both'; got 'random'"),
        ({"engine": "aer"}, r"engine of FidelityKernel must be None or an engine .* got 'aer'"),
        ({"feature_map": "zz"}, r"feature_map of FidelityKernel must be None or a feature map .* got 'zz'"),
        ({"feature_map": QuantumCircuit(1)}, r"got a QuantumCircuit; wrap it: CircuitMap\(circuit\)"),
        ({"corrections": ClipSpectrum()}, r"corrections of FidelityKernel must be None or a list .* ClipSpectrum"),
        ({"corrections": "clip"}, r"corrections .* got 'clip'"),
        ({"corrections": [3]}, r"corrections\[0\] of FidelityKernel must be a correction .* got 3"),
        ({"feature_map": ZZFeatureMap(reps=0)}, r"reps must be an integer >= 1; got 0"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    kernel = FidelityKernel(**parameters)  # storing is fine
    with pytest.raises(InvalidParameterError, match=message):
        kernel.fit(X_FIT)


@pytest.mark.parametrize("n_features", [0, -1, 2.5, True, "a"])
def test_plan_for_no_number_of_features(n_features: object) -> None:
    message = f"n_features of FidelityKernel.plan must be None or an integer >= 1; got {n_features!r}"
    with pytest.raises(InvalidParameterError, match=re.escape(message)):
        FidelityKernel().plan(5, n_features=n_features)


def test_plan_for_no_table() -> None:
    with pytest.raises(ValueError, match="Expected 2D array"):
        FidelityKernel().plan(None)


def test_too_few_features_for_the_map() -> None:
    with pytest.raises(InvalidDataError, match=r"1 feature\(s\)"):
        FidelityKernel(CPMap()).fit(X_FIT[:, :1])


def test_another_number_of_features_later() -> None:
    kernel = FidelityKernel().fit(X_FIT)
    with pytest.raises(ValueError, match="X has 2 features, but FidelityKernel is expecting 3"):
        kernel.transform(X_NEW[:, :2])
    with pytest.raises(InvalidDataError, match=r"Y has 2 feature\(s\), but this kernel was fitted on 3"):
        kernel.frozen()(X_NEW, X_FIT[:, :2])


def test_not_finite() -> None:
    broken = X_NEW.copy()
    broken[1, 1] = np.nan
    kernel = FidelityKernel().fit(X_FIT)
    for action in (FidelityKernel().fit, kernel.transform, kernel.frozen()):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            action(broken)
    with pytest.raises(ValueError, match="Input Y contains NaN"):
        kernel(X_NEW, broken)


@pytest.mark.parametrize(
    ("change", "X", "weights"),
    [
        ({"engine": StatevectorEngine(memory_limit=1)}, X_FIT[:, :2], None),
        ({"corrections": [3]}, X_FIT[:, :2], None),
        ({"orientation": "neither"}, X_FIT[:, :2], None),
        ({}, X_FIT[:, :2], [-1.0] * 12),
    ],
    ids=["engine", "corrections", "parameter", "weights"],
)
def test_a_failed_fit_changes_nothing(change: dict[str, object], X: np.ndarray, weights: object) -> None:
    kernel = FidelityKernel(engine=StatevectorEngine(shots=50, seed=0)).fit(X_FIT)
    before = {name: value for name, value in vars(kernel).items() if name not in change}
    want = kernel.transform(X_NEW)
    with pytest.raises(QKernelsError):
        kernel.set_params(**change).fit(X, sample_weight=weights)
    assert all(getattr(kernel, name) is value for name, value in before.items())
    assert vars(kernel).keys() == before.keys() | change.keys()
    np.testing.assert_array_equal(kernel.transform(X_NEW), want)
    fresh = FidelityKernel(**change)
    with pytest.raises(QKernelsError):
        fresh.fit(X, sample_weight=weights)
    assert vars(fresh) == vars(FidelityKernel(**change))


def test_transform_before_fit() -> None:
    with pytest.raises(NotFittedError, match="FidelityKernel instance is not fitted yet"):
        FidelityKernel().transform(X_NEW)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 11, r"of shape \(12,\).* got shape \(11,\)"),
        ([-1.0] + [1.0] * 11, r"must be >= 0; got -1\.0 for sample 0"),
        ([0.0] * 12, r"all 12 weights are 0"),
        ([np.nan] + [1.0] * 11, r"sample_weight contains NaN"),
        ([[1.0]] * 12, r"got shape \(12, 1\)"),
    ],
    ids=["length", "negative", "all zero", "nan", "matrix"],
)
def test_bad_weights(weights: list[float], message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        FidelityKernel().fit(X_FIT, sample_weight=weights)


def test_plan_of_data_counts_equal_rows_once() -> None:
    X = [[0.1, 0.2], [0.3, 0.4], [0.1, 0.2]]
    kernel = FidelityKernel(engine=StatevectorEngine(shots=100, seed=0), bandwidth=0.5)
    assert kernel.plan(X).entries == 1
    assert kernel.plan(3, n_features=2).entries == 3
    assert FidelityKernel(engine=StatevectorEngine(shots=100, seed=0)).plan(X).entries == 3  # no angles before the fit
    assert FidelityKernel(engine=StatevectorEngine(shots=100, seed=0)).fit(X).plan(X).entries == 1


def test_plan_of_data_refuses_what_is_no_number() -> None:
    with pytest.raises(ValueError, match="NaN"):
        FidelityKernel(bandwidth=0.5).plan([[0.1, float("nan")]])
