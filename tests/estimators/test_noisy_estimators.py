"""Kernels and estimators on DensityMatrixEngine: the same rules with a measured diagonal, exact and sampled."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_iris
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from qkernels import DensityMatrixEngine, FidelityKernel, QuantumKernelSVC, StatevectorEngine
from qkernels._errors import InvalidParameterError, NotPSDWarning
from qkernels.engines import Engine, NoiseTable, clear_cache
from qkernels.estimators import GPKernel, QuantumGaussianProcessClassifier, QuantumGaussianProcessRegressor
from qkernels.feature_maps import FeatureMap, HighDimMap, ZZFeatureMap
from qkernels.kernels import ClipSpectrum, HammingKernel, LocalFidelityKernel, ProjectedKernel
from qkernels.kernels._circuit import CircuitKernel
from qkernels.programs import OverlapProgram, is_canonical, row_keys
from tests.engines.noisy import FLIP, weights_of
from tests.oracle import noise, random_inputs

Real = NDArray[np.float64]

EXACT = 1e-10
ONE, TWO = noise.random_channel(1, 0.02, 1), noise.random_channel(2, 0.04, 2)
TABLE = NoiseTable(defaults={"h": ONE, "p": ONE, "rx": ONE, "ry": ONE, "rz": ONE, "cx": TWO}, default_readout=FLIP)
NARROW = HighDimMap(qubits=2, gate="cx")
"""Any number of features on two qubits."""


def noisy(shots: int | None = None) -> DensityMatrixEngine:
    return DensityMatrixEngine(TABLE, shots, 7)


def close(found: object, expected: object, tolerance: float = EXACT) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def iris() -> tuple[Real, NDArray[np.int64]]:
    """Every fifth flower: 30 rows."""
    X, y = load_iris(return_X_y=True)
    return X[::5], y[::5]


def oracle(feature_map: FeatureMap, X: Real, Y: Real, patches: Sequence[Sequence[int]] | None = None) -> Real:
    """Outcomes (n_x, n_y, 2**n) with the row prepared whose key in the program, patches included, is smaller."""
    circuit = feature_map.build(X.shape[1])
    x = feature_map.parameter_vector(X.shape[1])
    channels = {(name, where): ONE if len(where) == 1 else TWO for name, where in noise.places(circuit)}
    readout = [FLIP] * circuit.num_qubits
    forward = noise.noisy_pairs(circuit, x, X, Y, channels, readout)
    backward = np.swapaxes(noise.noisy_pairs(circuit, x, Y, X, channels, readout), 0, 1)
    program = OverlapProgram(circuit, x, patches=patches)
    keys_x, keys_y = (row_keys(program.bind_angles(rows), program.key) for rows in (X, Y))
    return np.where(is_canonical(keys_x[:, None], keys_y[None])[..., None], forward, backward)


# scikit-learn -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix:UserWarning")
# check_class_weight_classifiers sets max_iter=1000 and weights of 1e3 and 1e-4; with tol=1e-10 the solver stops there.
@pytest.mark.filterwarnings("ignore:Solver terminated early:sklearn.exceptions.ConvergenceWarning")
# Votes of three classes may tie, and more often with shots: break_ties makes predict follow decision_function.
@parametrize_with_checks(
    [QuantumKernelSVC(FidelityKernel(NARROW, noisy(shots)), break_ties=True) for shots in (None, 100)]
)
def test_scikit_learn(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


# Kernels ----------------------------------------------------------------------------------------------------------

KERNELS: dict[str, Callable[[Engine], CircuitKernel]] = {
    "fidelity": lambda engine: FidelityKernel(ZZFeatureMap(1), engine),
    "fidelity-both": lambda engine: FidelityKernel(ZZFeatureMap(1), engine, orientation="both"),
    "hamming": lambda engine: HammingKernel(ZZFeatureMap(1), engine),
    "local": lambda engine: LocalFidelityKernel(ZZFeatureMap(1), engine, patches=2),
    "local-reduced": lambda engine: LocalFidelityKernel(ZZFeatureMap(1), engine, form="reduced"),
    "projected": lambda engine: ProjectedKernel(ZZFeatureMap(1), engine),
}
every_kernel = pytest.mark.parametrize("name", KERNELS)
every_shots = pytest.mark.parametrize("shots", [None, 200], ids=["exact", "sampled"])


@every_kernel
@every_shots
def test_transform_of_the_training_rows_is_fit_transform(name: str, shots: int | None) -> None:
    X, _ = iris()
    kernel = KERNELS[name](noisy(shots))
    first = kernel.fit_transform(X)
    np.testing.assert_array_equal(kernel.gram_, first)
    clear_cache()
    close(kernel.transform(X), first, 1e-9)
    close(clone(kernel).fit_transform(X), first, 1e-12)
    order = np.random.default_rng(0).permutation(len(X))
    clear_cache()
    close(kernel.transform(X[order]), first[order], 1e-9)


@every_kernel
@every_shots
def test_the_diagonal_is_the_measured_one(name: str, shots: int | None) -> None:
    X, _ = iris()
    kernel = KERNELS[name](noisy(shots)).fit(X)
    raw = kernel(X)
    close(kernel.diag(X), np.diag(raw), 1e-12)
    if not name.startswith(("projected", "local-reduced")):
        assert (np.diag(raw) < 1.0).all()
        assert np.ptp(np.diag(raw)) > 0


@every_shots
def test_the_default_correction_is_a_repair(shots: int | None) -> None:
    X, _ = iris()
    kernel = FidelityKernel(ZZFeatureMap(1), noisy(shots)).fit(X)
    assert [type(c) for c in kernel.corrections_] == [ClipSpectrum]
    assert np.linalg.eigvalsh(kernel.gram_)[0] >= -1e-10
    assert [type(c) for c in FidelityKernel(ZZFeatureMap(1), StatevectorEngine()).fit(X).corrections_] == []
    assert hasattr(kernel, "gram_stderr_") == (shots is not None)


@every_shots
def test_without_a_repair_the_matrix_is_not_positive_semidefinite(shots: int | None) -> None:
    """A measured diagonal below 1 beside canonical orientations."""
    X, _ = iris()
    kernel = FidelityKernel(ZZFeatureMap(1), noisy(shots), corrections=[])
    with pytest.warns(NotPSDWarning, match=r"The training matrix of FidelityKernel has eigenvalues down to -0\.\d"):
        kernel.fit(X)
    np.testing.assert_array_equal(kernel.gram_, kernel(X))
    close(kernel.transform(X), kernel.gram_, 1e-12)


@every_shots
def test_refined_entries_have_more_shots_than_others(shots: int | None) -> None:
    X, _ = iris()
    kernel = FidelityKernel(ZZFeatureMap(1), noisy(shots)).fit(X)
    importance = np.zeros((30, 30))
    importance[2, 5] = importance[3, 3] = 1.0
    if shots is None:
        with pytest.raises(InvalidParameterError, match="engine of FidelityKernel must sample for refine"):
            kernel.refine(importance, 1000)
        return
    before = kernel.gram_shots_.copy()
    kernel.refine(importance, 1000)
    assert kernel.gram_shots_[2, 5] > before[2, 5]
    assert kernel.gram_shots_[0, 1] == before[0, 1]
    close(kernel.transform(X), kernel.gram_, 1e-9)


def test_fidelity_kernel_is_the_oracle() -> None:
    X, Y = random_inputs(4, 3, seed=1) / 2, random_inputs(3, 3, seed=2) / 2
    kernel = FidelityKernel(ZZFeatureMap(1), noisy(), bandwidth=0.7)
    close(kernel(X), oracle(ZZFeatureMap(1), 0.7 * X, 0.7 * X)[..., 0])
    close(kernel(X, Y), oracle(ZZFeatureMap(1), 0.7 * X, 0.7 * Y)[..., 0])


def test_hamming_kernel_is_the_oracle() -> None:
    X, Y = random_inputs(4, 3, seed=1) / 2, random_inputs(3, 3, seed=2) / 2
    kernel = HammingKernel(ZZFeatureMap(1), noisy(), bandwidth=1.0, decay=0.8)
    score = np.exp(-0.8 * np.arange(4))
    close(kernel(X, Y), weights_of(oracle(ZZFeatureMap(1), X, Y), None) @ score)
    selves = oracle(ZZFeatureMap(1), X, X)[range(4), range(4)]
    close(kernel.diag(X), weights_of(selves, None) @ score)


def test_local_kernel_is_the_oracle() -> None:
    """Mean over patches of the probability that a patch reads zero."""
    X, Y = random_inputs(4, 3, seed=1) / 2, random_inputs(3, 3, seed=2) / 2
    patches = [[0, 2], [1]]
    p = oracle(ZZFeatureMap(1), X, Y, patches)
    kernel = LocalFidelityKernel(ZZFeatureMap(1), noisy(), bandwidth=1.0, patches=patches)
    outcomes = np.arange(8)
    expected = (p[..., outcomes & 5 == 0].sum(axis=-1) + p[..., outcomes & 2 == 0].sum(axis=-1)) / 2
    close(kernel(X, Y), expected)


def test_projected_kernel_is_the_oracle() -> None:
    X = random_inputs(4, 3, seed=1) / 2
    kernel = ProjectedKernel(ZZFeatureMap(1), noisy(), bandwidth=1.0, gamma=0.6).fit(X)
    circuit = ZZFeatureMap(1).build(3)
    channels = {(name, where): ONE if len(where) == 1 else TWO for name, where in noise.places(circuit)}
    features = noise.noisy_expectations(circuit, kernel.observables_, list(circuit.parameters), X, channels, [FLIP] * 3)
    close(kernel.features(X), features)
    squares = np.square(features[:, None] - features[None]).sum(axis=-1)
    close(kernel(X), np.exp(-0.6 * squares))


@every_shots
def test_kernels_are_pickled_with_their_engine(shots: int | None) -> None:
    X, _ = iris()
    kernel = FidelityKernel(ZZFeatureMap(1), noisy(shots)).fit(X)
    expected = kernel.transform(X[:3])
    again = pickle.loads(pickle.dumps(kernel))
    clear_cache()
    close(again.transform(X[:3]), expected, 1e-12)
    assert again.engine.noise == TABLE


# Estimators -------------------------------------------------------------------------------------------------------


@every_shots
def test_a_classifier_learns_under_noise(shots: int | None) -> None:
    X, y = iris()
    model = QuantumKernelSVC(FidelityKernel(engine=noisy(shots)), C=10.0).fit(X, y)
    assert model.score(X, y) > 0.85
    full, labels = load_iris(return_X_y=True)
    assert model.score(full, labels) > 0.75
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(full[:20]), model.predict(full[:20]))


def test_searches_take_noise_as_a_parameter() -> None:
    X, y = iris()
    model = make_pipeline(StandardScaler(), QuantumKernelSVC(FidelityKernel(ZZFeatureMap(1), noisy())))
    engines = [noisy(), noisy().scaled(4), StatevectorEngine()]
    search = GridSearchCV(model, {"quantumkernelsvc__kernel__engine": engines}, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["quantumkernelsvc__kernel__engine"] in engines
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("process", [QuantumGaussianProcessRegressor, QuantumGaussianProcessClassifier])
@every_shots
def test_marginal_likelihood_is_not_tuned_on_noise(process: type, shots: int | None) -> None:
    X, y = iris()
    engine = noisy(shots)
    model = process(FidelityKernel(ZZFeatureMap(1), engine), optimizer="fmin_l_bfgs_b")
    pattern = (
        rf"optimizer of {process.__name__} must be None unless the engine is exact; .*DensityMatrixEngine.*circuits"
    )
    with pytest.raises(InvalidParameterError, match=pattern):
        model.fit(X, y)
    untuned = process(FidelityKernel(ZZFeatureMap(1), engine)).fit(X, y)
    assert untuned.predict(X[:3]).shape == (3,)


def test_gaussian_processes_take_a_frozen_noisy_kernel() -> None:
    X, y = iris()
    kernel = FidelityKernel(ZZFeatureMap(1), noisy()).fit(X)
    model = GaussianProcessRegressor(GPKernel(kernel.frozen(), 1.0, "fixed"), alpha=0.1, optimizer=None).fit(X, y)
    assert model.score(X, y) > 0.5
