"""ProjectedKernel: values against dense reduced states, outer kernels, gamma, errors of sampled entries, refusals."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Pauli, SparsePauliOp
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process.kernels import (
    RBF,
    CompoundKernel,
    ConstantKernel,
    DotProduct,
    Exponentiation,
    ExpSineSquared,
    GenericKernelMixin,
    Kernel,
    Matern,
    NormalizedKernelMixin,
    PairwiseKernel,
    RationalQuadratic,
    StationaryKernelMixin,
    WhiteKernel,
)
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from qkernels import (
    AutoEngine,
    CircuitMap,
    ClipSpectrum,
    CPMap,
    FidelityKernel,
    MPSEngine,
    QuantumKernelSVC,
    SeparableMap,
    StatevectorEngine,
    ZZFeatureMap,
)
from qkernels._errors import (
    BandwidthWarning,
    InvalidDataError,
    InvalidParameterError,
    NotPSDWarning,
    QKernelsError,
    UnsupportedCircuitError,
)
from qkernels.kernels import Correction, NystroemFeatures, ProjectedKernel
from tests.oracle import oracle_expectations, oracle_states

RNG = np.random.default_rng(11)
X_FIT = RNG.normal(size=(12, 3)) * [1.0, 10.0, 0.1] + [5.0, 0.0, -1.0]
X_NEW = RNG.normal(size=(4, 3)) * [1.0, 10.0, 0.1] + [5.0, 0.0, -1.0]
ANGLES = RNG.uniform(-1, 1, size=(6, 3))

SHOTS = StatevectorEngine(shots=100, seed=1)


def entangled(num_qubits: int = 3) -> CircuitMap:
    """A circuit whose one-qubit states have all three Bloch components and are mixed."""
    x = ParameterVector("x", num_qubits)
    circuit = QuantumCircuit(num_qubits)
    for q in range(num_qubits):
        circuit.ry(0.4 + x[q], q)
        circuit.rz(0.3 * q + x[q] * x[(q + 1) % num_qubits], q)
    for q in range(num_qubits - 1):
        circuit.rxx(0.9 + x[q], q, q + 1)
    return CircuitMap(circuit)


MAPS = {"zz": ZZFeatureMap(), "cp": CPMap(ring=True), "separable": SeparableMap(), "circuit": entangled()}


def reduced_states(feature_map: object, A: np.ndarray) -> np.ndarray:
    """Density matrices of single qubits from dense states, shape (n_rows, n_qubits, 2, 2)."""
    d = A.shape[1]
    states = oracle_states(feature_map.build(d), feature_map.parameter_vector(d), A)
    n = int(np.log2(states.shape[1]))
    found = []
    for state in states:
        tensor = state.reshape((2,) * n)  # axis 0 is the highest qubit
        rows = [np.moveaxis(tensor, n - 1 - q, 0).reshape(2, -1) for q in range(n)]
        found.append([row @ row.conj().T for row in rows])
    return np.array(found)


def squared_distances(F: np.ndarray, G: np.ndarray) -> np.ndarray:
    return ((F[:, None] - G[None]) ** 2).sum(axis=2)


FORMULAS: dict[str, Callable[[float, np.ndarray, np.ndarray], np.ndarray]] = {
    "rbf": lambda gamma, F, G: np.exp(-gamma * squared_distances(F, G)),
    "matern": lambda gamma, F, G: (
        (1 + np.sqrt(6 * gamma * squared_distances(F, G))) * np.exp(-np.sqrt(6 * gamma * squared_distances(F, G)))
    ),
    "rational_quadratic": lambda gamma, F, G: 1 / (1 + gamma * squared_distances(F, G)),
    "linear": lambda gamma, F, G: F @ G.T,
}


# Values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [StatevectorEngine(), MPSEngine(), None], ids=["statevector", "mps", "auto"])
@pytest.mark.parametrize("feature_map", MAPS.values(), ids=MAPS)
def test_default_is_the_kernel_of_reduced_states(feature_map: object, engine: object) -> None:
    if isinstance(engine, MPSEngine) and isinstance(feature_map, CPMap):
        feature_map = SeparableMap()  # CPMap entangles qubits that are no neighbours
    rho = reduced_states(feature_map, ANGLES)
    frobenius = (np.abs(rho[:, None] - rho[None]) ** 2).sum(axis=(2, 3, 4))
    kernel = ProjectedKernel(feature_map, engine, bandwidth=1.0, gamma=0.35)
    np.testing.assert_allclose(
        kernel(ANGLES), np.exp(-(2 * 0.35) * frobenius), rtol=0, atol=1e-12
    )  # γ of arXiv:2011.01938


def test_product_states_in_closed_form() -> None:
    # Bloch vectors (cos x, sin x, 0), at squared distance 4 sin²((x − y)/2)
    X, Y = RNG.uniform(-3, 3, size=(2, 5, 3))
    kernel = ProjectedKernel(SeparableMap(), bandwidth=1.0, gamma=0.2)
    expected = np.exp(-0.2 * (4 * np.sin((X[:, None] - Y[None]) / 2) ** 2).sum(axis=2))
    np.testing.assert_allclose(kernel(X, Y), expected, rtol=0, atol=1e-14)
    features = np.hstack([np.cos(X), np.sin(X), np.zeros((5, 3))])  # letter by letter, qubit 0 first
    np.testing.assert_allclose(kernel.features(X), features, atol=1e-14)


@pytest.mark.parametrize(
    ("observables", "labels"),
    [
        ("Z", [["IIZ"], ["IZI"], ["ZII"]]),
        ("YX", [["IIY"], ["IYI"], ["YII"], ["IIX"], ["IXI"], ["XII"]]),
        (["ZZI", "IXY"], [["ZZI"], ["IXY"]]),
        ([Pauli("YIZ"), SparsePauliOp(["ZII", "XXY"], [0.5, -2.0])], [["YIZ"], ["ZII", "XXY"]]),
        (SparsePauliOp(["XII", "III"], [0.5, 0.5]), [["III", "XII"]]),
        (Pauli("YXI"), [["YXI"]]),
    ],
    ids=["letter", "letters", "labels", "mixed", "operator", "pauli"],
)
def test_features_are_the_expectation_values(observables: object, labels: list[list[str]]) -> None:
    kernel = ProjectedKernel(entangled(), bandwidth=1.0, observables=observables, gamma=0.7).fit(ANGLES)
    assert [sorted(o.paulis.to_labels()) for o in kernel.observables_] == [sorted(label) for label in labels]
    circuit = entangled()
    expected = oracle_expectations(circuit.build(3), kernel.observables_, circuit.parameter_vector(3), ANGLES)
    np.testing.assert_allclose(kernel.features(ANGLES), expected, atol=1e-12)
    np.testing.assert_allclose(kernel.gram_, FORMULAS["rbf"](0.7, expected, expected), atol=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_outer_kernels_by_their_formulas(name: str) -> None:
    kernel = ProjectedKernel(entangled(), bandwidth=1.0, outer=name, gamma=0.8).fit(ANGLES)
    F, G = kernel.features(ANGLES), kernel.features(-ANGLES[:4])
    np.testing.assert_allclose(kernel.gram_, FORMULAS[name](0.8, F, F), atol=1e-14)
    np.testing.assert_allclose(kernel.transform(-ANGLES[:4]), FORMULAS[name](0.8, G, F), atol=1e-14)
    np.testing.assert_allclose(kernel.diag(ANGLES), np.diag(kernel.gram_), atol=1e-14)
    np.testing.assert_allclose(kernel.outer_(F, G), FORMULAS[name](0.8, F, G), atol=1e-14)


def test_many_rows_are_compared_tile_by_tile() -> None:
    X = np.linspace(-1, 1, 3000).reshape(1000, 3)  # tiles of 120 by 120
    kernel = ProjectedKernel(SeparableMap(), bandwidth=1.0, gamma=0.5)
    F = kernel.features(X)
    gram = kernel(X)
    np.testing.assert_allclose(gram, np.exp(-0.5 * cdist(F, F, "sqeuclidean")), atol=1e-15)
    np.testing.assert_array_equal(gram, gram.T)


@pytest.mark.parametrize(
    "outer",
    [
        RBF(0.7),
        RBF(length_scale=[0.5, 1.0, 2.0] * 3),
        ConstantKernel(2.0) * Matern(0.8, nu=2.5) + DotProduct(0.3),
        Exponentiation(RationalQuadratic(), 2),
        PairwiseKernel(gamma=0.3, metric="polynomial"),
    ],
    ids=["rbf", "anisotropic", "combination", "power", "pairwise"],
)
def test_kernel_instances_are_used_as_they_are(outer: object) -> None:
    kernel = ProjectedKernel(entangled(), bandwidth=1.0, outer=outer)
    F, G = kernel.features(ANGLES), kernel.features(-ANGLES[:4])
    np.testing.assert_allclose(kernel(ANGLES), outer(F), atol=1e-14)  # nothing to learn: no fit
    np.testing.assert_allclose(kernel.fit(ANGLES).transform(-ANGLES[:4]), outer(G, F), atol=1e-14)
    np.testing.assert_allclose(kernel.diag(ANGLES), outer.diag(F), atol=1e-14)
    assert kernel.outer_ == outer
    assert kernel.outer_ is not outer
    assert not hasattr(kernel, "gamma_")


@pytest.mark.parametrize("engine", [None, SHOTS], ids=["exact", "shots"])
@pytest.mark.parametrize("name", [n for n in FORMULAS if n != "linear"])
def test_equal_rows_are_exactly_one(name: str, engine: object) -> None:
    X = np.vstack([X_FIT, X_FIT[:3]])
    kernel = ProjectedKernel(engine=engine, outer=name).fit(X)
    np.testing.assert_array_equal(kernel.gram_, kernel.gram_.T)
    assert np.diag(kernel.gram_).tolist() == [1.0] * 15
    assert np.diag(kernel.gram_[12:]).tolist() == [1.0] * 3
    cross = kernel.transform(X_FIT[3:6])  # in another call the features may differ by rounding
    np.testing.assert_allclose(np.diag(cross[:, 3:]), 1.0, rtol=0, atol=2 * np.finfo(float).eps)
    assert kernel.diag(X_NEW).tolist() == [1.0] * 4


def test_diagonal_of_radial_kernels_evaluates_nothing() -> None:
    class Refusing(StatevectorEngine):
        def expectations(self, *args: object, **options: object) -> None:
            raise AssertionError("evaluated")

    assert ProjectedKernel(engine=Refusing(), bandwidth=1.0, gamma=1.0).diag(X_NEW).tolist() == [1.0] * 4


def test_thirty_features_as_matrix_product_states() -> None:
    X = np.random.default_rng(3).uniform(-0.5, 0.5, size=(4, 30))
    chosen = ProjectedKernel(bandwidth=1.0, gamma=0.05)
    mps = ProjectedKernel(engine=MPSEngine(), bandwidth=1.0, gamma=0.05)
    np.testing.assert_allclose(chosen(X), mps(X), atol=1e-12)
    # Reduced states of the first qubits do not see qubits that are 3 or more away: 2 layers of neighbours.
    few = ProjectedKernel(bandwidth=1.0)
    n = 7
    narrow, wide = few.features(X[:, :n]).reshape(4, 3, n), few.features(X).reshape(4, 3, 30)
    np.testing.assert_allclose(wide[:, :, : n - 3], narrow[:, :, : n - 3], atol=1e-10)


# What is learned ------------------------------------------------------------------------------------------------


def test_gamma_scale_by_its_formula() -> None:
    kernel = ProjectedKernel().fit(X_FIT)
    A = 0.55 / np.sqrt(3) * (X_FIT - X_FIT.mean(axis=0)) / X_FIT.std(axis=0)
    zz = ZZFeatureMap()
    labels = ["IIX", "IXI", "XII", "IIY", "IYI", "YII", "IIZ", "IZI", "ZII"]
    F = oracle_expectations(zz.build(3), labels, zz.parameter_vector(3), A)
    assert kernel.gamma_ == pytest.approx(1 / (9 * F.var()), rel=1e-10)
    np.testing.assert_allclose(kernel.gram_, FORMULAS["rbf"](1 / (9 * F.var()), F, F), atol=1e-10)
    assert kernel.outer_.length_scale == pytest.approx(1 / np.sqrt(2 * kernel.gamma_))


def test_gamma_scale_is_that_of_scikit_learn() -> None:
    kernel = ProjectedKernel().fit(X_FIT)
    y = [0, 1] * 6
    classical = SVC(gamma="scale", tol=1e-10).fit(kernel.features(X_FIT), y)
    ours = QuantumKernelSVC(ProjectedKernel()).fit(X_FIT, y)
    expected = classical.decision_function(kernel.features(X_NEW))
    np.testing.assert_allclose(ours.decision_function(X_NEW), expected, atol=1e-6)


@pytest.mark.parametrize("bandwidth", ["scale", 0.3])
def test_weight_two_is_a_repeated_row(bandwidth: object) -> None:
    weights = [2.0] * 5 + [1.0] * 6 + [0.0]
    weighted = ProjectedKernel(bandwidth=bandwidth).fit(X_FIT, sample_weight=weights)
    repeated = ProjectedKernel(bandwidth=bandwidth).fit(np.vstack([X_FIT[:11], X_FIT[:5]]))
    assert weighted.gamma_ == pytest.approx(repeated.gamma_, rel=1e-12)
    assert weighted.gamma_ != pytest.approx(ProjectedKernel(bandwidth=bandwidth).fit(X_FIT).gamma_, rel=1e-3)
    np.testing.assert_allclose(weighted.transform(X_NEW)[:, :11], repeated.transform(X_NEW)[:, :11], atol=1e-12)


def test_gamma_of_constant_outputs_is_one_with_a_warning() -> None:
    equator = ["ZII", "IZI", "IIZ"]  # 0 up to rounding
    with pytest.warns(BandwidthWarning, match=r"gamma='scale' of ProjectedKernel finds no variation: each of the 3"):
        kernel = ProjectedKernel(SeparableMap(), observables=equator).fit(X_FIT)
    assert kernel.gamma_ == 1.0
    np.testing.assert_array_equal(kernel.gram_, np.ones((12, 12)))


def test_constant_table_warns_once() -> None:
    with pytest.warns(BandwidthWarning) as caught:
        kernel = ProjectedKernel().fit(np.ones((4, 3)))
    assert len(caught) == 1
    assert "bandwidth='scale' finds no variation" in str(caught[0].message)
    assert kernel.gamma_ == 1.0


def test_gamma_ignores_variation_of_rows_without_weight() -> None:
    X = np.ones((4, 3))
    X[3] = 2.0
    with pytest.warns(BandwidthWarning, match="gamma='scale'"):
        ProjectedKernel(bandwidth=1.0).fit(X, sample_weight=[1.0, 1.0, 1.0, 0.0])


def test_learned_gamma_leaves_with_the_outer_kernel_that_used_it() -> None:
    kernel = ProjectedKernel().fit(X_FIT)
    assert kernel.gamma_ > 0
    kernel.set_params(outer="linear").fit(X_FIT)
    assert not hasattr(kernel, "gamma_")
    kernel.set_params(outer="matern", gamma=0.3).fit(X_FIT)
    assert kernel.gamma_ == 0.3


class Counting(StatevectorEngine):
    """Counts the rows whose expectation values it is asked for."""

    rows = 0

    def expectations(self, program: object, X: np.ndarray, **options: object) -> object:
        Counting.rows += len(X)
        return super().expectations(program, X, **options)


@pytest.mark.parametrize("gamma", ["scale", 0.5])
def test_every_training_row_is_measured_once_in_its_life(gamma: object) -> None:
    Counting.rows = 0
    kernel = ProjectedKernel(engine=Counting(shots=50, seed=0), gamma=gamma).fit(X_FIT)
    assert Counting.rows == 12
    expected = kernel.transform(X_NEW)
    assert Counting.rows == 12 + 4
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(kernel)).transform(X_NEW), expected)
    assert Counting.rows == 12 + 4 + 4
    kernel.transform(X_FIT)  # the training matrix is known
    assert Counting.rows == 12 + 4 + 4
    (kernel + FidelityKernel()).fit(X_FIT)
    assert Counting.rows == 12 + 4 + 4 + 12
    NystroemFeatures(kernel, n_components=3, random_state=0).fit(X_FIT)  # gamma is learned from all rows
    assert Counting.rows == 12 + 4 + 4 + 12 + (12 if gamma == "scale" else 3)


def test_later_fit_forgets_earlier_outputs() -> None:
    kernel = ProjectedKernel(bandwidth=0.1, gamma=0.5).fit(X_FIT)
    other = ProjectedKernel(CPMap(), bandwidth=0.1, gamma=0.5).fit(X_FIT)
    kernel.set_params(feature_map=CPMap()).fit(X_FIT)  # the same angles through another circuit
    np.testing.assert_array_equal(kernel.gram_, other.gram_)


# Shots ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outer", [*FORMULAS, Matern(0.5, nu=2.5)], ids=lambda o: o if isinstance(o, str) else "given")
def test_sampled_matrices_are_positive_semidefinite_without_corrections(outer: object) -> None:
    kernel = ProjectedKernel(engine=StatevectorEngine(shots=10, seed=2), outer=outer).fit(X_FIT)
    assert kernel.corrections_ == []
    assert np.linalg.eigvalsh(kernel.gram_)[0] > -1e-12
    np.testing.assert_array_equal(kernel.gram_, kernel.gram_.T)
    np.testing.assert_allclose(kernel.transform(X_FIT[2:5]), kernel.gram_[2:5], atol=1e-14)
    np.testing.assert_allclose(kernel(X_FIT), kernel.gram_, atol=1e-14)


def test_sampled_entries_do_not_depend_on_the_order_of_rows() -> None:
    order = RNG.permutation(12)
    kernel = ProjectedKernel(engine=SHOTS, bandwidth=0.2, gamma=0.4)
    np.testing.assert_array_equal(kernel(X_FIT[order]), kernel(X_FIT)[np.ix_(order, order)])


REPEATS = 400
PRECISE = 10_000
"""Shots: terms of second order and Wilson's width then change a standard error by less than 5 %."""


@pytest.fixture(scope="module")
def repeated_features() -> np.ndarray:
    """Sampled features of ANGLES for many seeds, shape (REPEATS, 6, 9)."""
    program = ProjectedKernel(entangled(), bandwidth=1.0).fit(ANGLES).frozen().rule.program
    engines = [StatevectorEngine(shots=PRECISE, seed=seed) for seed in range(1, REPEATS + 1)]
    return np.array([engine.expectations(program, ANGLES).values for engine in engines])


GIVEN = ConstantKernel(0.5) * RBF([0.7, 1.0, 2.0] * 3) + Exponentiation(DotProduct(1.0), 2)


@pytest.mark.parametrize("outer", [*FORMULAS, GIVEN], ids=lambda o: o if isinstance(o, str) else "given")
def test_standard_errors_are_the_spread_over_seeds(outer: object, repeated_features: np.ndarray) -> None:
    kernel = ProjectedKernel(
        entangled(),
        StatevectorEngine(shots=PRECISE, seed=0),
        bandwidth=1.0,
        outer=outer,
        gamma=0.6 if isinstance(outer, str) else "scale",
    ).fit(ANGLES)
    if isinstance(outer, str):
        matrices = np.array([FORMULAS[outer](0.6, F, F) for F in repeated_features])
    else:
        matrices = np.array([outer(F) for F in repeated_features])
    observed, claimed = matrices.std(axis=0, ddof=1), kernel.gram_stderr_
    # The deviation of a sample deviation is 1/sqrt(2 (R − 1)) of it; five of them, and the 5 % of PRECISE.
    tolerance = 5 / np.sqrt(2 * (REPEATS - 1)) + 0.05
    constant = outer in ("rbf", "matern", "rational_quadratic")
    compared = ~np.eye(6, dtype=bool) if constant else np.ones((6, 6), dtype=bool)
    ratio = claimed[compared] / observed[compared]
    assert ratio.max() < 1 + tolerance
    assert ratio.min() > 1 - tolerance
    if constant:
        assert np.diag(claimed).tolist() == [0.0] * 6


def test_standard_errors_of_equal_rows() -> None:
    X = np.vstack([ANGLES, ANGLES[:1]])
    radial = ProjectedKernel(entangled(), SHOTS, bandwidth=1.0, gamma=0.6).fit(X)
    assert radial.gram_stderr_[0, 6] == radial.gram_stderr_[6, 0] == 0.0  # one measurement, twice
    assert radial.gram_stderr_[0, 1] == radial.gram_stderr_[6, 1] > 0
    linear = ProjectedKernel(entangled(), SHOTS, bandwidth=1.0, outer="linear").fit(X)
    assert linear.gram_stderr_[0, 6] == linear.gram_stderr_[0, 0] > 0


def test_differences_agree_with_derivatives() -> None:
    options = {"feature_map": entangled(), "engine": StatevectorEngine(shots=10**6, seed=0), "bandwidth": 1.0}
    exact = ProjectedKernel(outer="rbf", gamma=0.6, **options).fit(ANGLES)
    numeric = ProjectedKernel(outer=RBF(1 / np.sqrt(1.2)), **options).fit(ANGLES)
    np.testing.assert_allclose(numeric.gram_, exact.gram_, atol=1e-14)
    np.testing.assert_allclose(numeric.gram_stderr_, exact.gram_stderr_, rtol=1e-4, atol=1e-9)


def test_exact_values_have_no_standard_error() -> None:
    kernel = ProjectedKernel(engine=SHOTS).fit(X_FIT)
    assert kernel.gram_stderr_.shape == (12, 12)
    assert not hasattr(kernel.set_params(engine=None).fit(X_FIT), "gram_stderr_")


# Outer kernels that are not positive semidefinite ---------------------------------------------------------------


def test_instance_that_may_be_indefinite_is_clipped_by_default() -> None:
    outer = PairwiseKernel(metric="sigmoid", gamma=2.0)
    kernel = ProjectedKernel(outer=outer).fit(X_FIT)
    assert np.linalg.eigvalsh(kernel(X_FIT))[0] < -1e-3
    assert [type(c) for c in kernel.corrections_] == [ClipSpectrum]
    assert np.linalg.eigvalsh(kernel.gram_)[0] > -1e-12
    with pytest.warns(NotPSDWarning, match="The training matrix of ProjectedKernel has eigenvalues down to"):
        ProjectedKernel(outer=outer, corrections=[]).fit(X_FIT)


@pytest.mark.parametrize(
    ("outer", "clipped"),
    [
        (RBF() + WhiteKernel(0.1), False),
        (ConstantKernel(2.0) * RationalQuadratic() ** 2, False),
        (RBF() ** 0.5, True),
        (RBF() * ExpSineSquared(), True),
    ],
    ids=["sum", "product", "root", "periodic"],
)
def test_combinations_of_known_kernels_need_no_repair(outer: object, clipped: bool) -> None:
    kernel = ProjectedKernel(outer=outer).fit(X_FIT)
    assert [type(c) for c in kernel.corrections_] == ([ClipSpectrum] if clipped else [])


# The raw function, features() and frozen() ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "learned", "numeric"),
    [
        ({}, r"bandwidth='scale' and gamma='scale' are learned", "a numeric bandwidth and a numeric gamma"),
        ({"bandwidth": 1.0}, r"gamma='scale' is learned", "With a numeric gamma"),
        ({"gamma": 1.0}, r"bandwidth='scale' is learned", "With a numeric bandwidth"),
        ({"outer": "linear"}, r"bandwidth='scale' is learned", "With a numeric bandwidth"),
        ({"outer": RBF()}, r"bandwidth='scale' is learned", "With a numeric bandwidth"),
    ],
    ids=["both", "gamma", "bandwidth", "linear", "given"],
)
def test_unfitted_kernel_says_what_is_learned(parameters: dict[str, object], learned: str, numeric: str) -> None:
    kernel = ProjectedKernel(**parameters)
    for action in (kernel, kernel.diag, lambda X: kernel.frozen()):
        with pytest.raises(NotFittedError, match=learned) as caught:
            action(X_FIT)
        assert numeric in str(caught.value)


@pytest.mark.parametrize("parameters", [{"gamma": 0.5}, {"outer": "linear"}, {"outer": Matern()}], ids=str)
def test_numbers_need_no_fit(parameters: dict[str, object]) -> None:
    kernel = ProjectedKernel(bandwidth=0.1, **parameters)
    cross = kernel(X_NEW, X_FIT)
    np.testing.assert_allclose(kernel.fit(X_FIT).transform(X_NEW), cross, atol=1e-14)


def test_features_need_the_bandwidth_only() -> None:
    unfitted = ProjectedKernel(bandwidth=0.1).features(X_NEW)
    np.testing.assert_array_equal(ProjectedKernel(bandwidth=0.1).fit(X_FIT).features(X_NEW), unfitted)
    with pytest.raises(NotFittedError, match=r"bandwidth='scale' is learned.* features\(X\) then needs no fit"):
        ProjectedKernel().features(X_NEW)
    fitted = ProjectedKernel().fit(X_FIT)
    features = fitted.features(X_NEW)
    features[:] = 0  # the caller's own
    assert fitted.features(X_NEW).any()
    with pytest.raises(ValueError, match="X has 2 features, but ProjectedKernel is expecting 3"):
        fitted.features(X_NEW[:, :2])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fitted.features(np.full((1, 3), np.nan))


def test_frozen_keeps_scaling_and_gamma() -> None:
    kernel = ProjectedKernel().fit(X_FIT)
    k = pickle.loads(pickle.dumps(kernel.frozen()))
    np.testing.assert_allclose(k(X_NEW, X_FIT), kernel.transform(X_NEW), atol=1e-14)
    np.testing.assert_array_equal(k(X_FIT), kernel.gram_)
    assert clone(k) is k
    assert repr(k) == "FrozenKernel(ZZFeatureMap(), 3 features, AutoEngine())"


@pytest.mark.parametrize("engine", [None, SHOTS], ids=["exact", "shots"])
def test_plan_counts_states_not_pairs(engine: object) -> None:
    kernel = ProjectedKernel(engine=engine)
    plan = kernel.plan(100, n_features=4)
    assert (plan.num_qubits, plan.circuits, plan.entries) == (4, 100, 100 * 12)
    assert plan.shots == (0 if engine is None else 100 * 12 * 100)
    assert kernel.plan(100, 20, n_features=4).circuits == 120
    assert kernel.fit(X_FIT).plan(X_NEW, X_FIT).entries == 16 * 9


# scikit-learn ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_iris, load_wine], ids=["iris", "wine"])
@pytest.mark.parametrize("engine", [None, StatevectorEngine(shots=1000, seed=0)], ids=["exact", "shots"])
def test_accuracy(load: Callable[..., tuple[np.ndarray, np.ndarray]], engine: object) -> None:
    X, y = load(return_X_y=True)
    scores = cross_val_score(QuantumKernelSVC(ProjectedKernel(engine=engine)), X[::2], y[::2], cv=3)
    assert scores.mean() > 0.9  # a tuned RBF reaches .95 on both


def test_search_over_outer_kernels_and_their_parameters() -> None:
    X, y = load_iris(return_X_y=True)
    X, y = X[::3], y[::3]
    pipeline = make_pipeline(ProjectedKernel(), SVC(kernel="precomputed"))
    grid = [
        {"projectedkernel__outer": ["rbf", "linear"], "projectedkernel__gamma": ["scale", 0.5]},
        {"projectedkernel__outer": [RBF()], "projectedkernel__outer__length_scale": [0.5, 1.0]},
    ]
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9
    assert len(search.cv_results_["params"]) == 6


def test_parameters_of_an_instance_are_set_below_it() -> None:
    given = RBF(1.0)
    kernel = clone(ProjectedKernel(outer=given)).set_params(outer__length_scale=0.3)
    assert kernel.outer == RBF(0.3)
    assert given == RBF(1.0)
    kernel.fit(X_FIT)
    kernel.outer.length_scale = 5.0  # what was fitted stays
    assert kernel.outer_ == RBF(0.3)
    with pytest.raises(InvalidParameterError, match="outer__length_scale of ProjectedKernel cannot be set: outer is"):
        ProjectedKernel().set_params(outer__length_scale=0.3)


def test_clone_and_repr() -> None:
    kernel = ProjectedKernel(CPMap(), SHOTS, observables=[SparsePauliOp("ZZ")], outer=Matern()).fit(X_FIT)
    copy = clone(kernel)
    assert copy.engine is SHOTS
    assert copy.outer == kernel.outer
    assert copy.outer is not kernel.outer
    assert copy.observables == kernel.observables
    assert not hasattr(copy, "gram_")
    assert repr(ProjectedKernel()) == "ProjectedKernel()"
    assert repr(ProjectedKernel(outer="linear").fit(X_FIT)) == (
        "ProjectedKernel(engine=AutoEngine(), feature_map=ZZFeatureMap(), outer='linear')"
    )


def test_pandas() -> None:
    frame = pd.DataFrame(X_FIT, columns=["a", "b", "c"])
    kernel = ProjectedKernel().set_output(transform="pandas")
    gram = kernel.fit_transform(frame)
    assert gram.columns[0] == "projectedkernel0"
    assert kernel.feature_names_in_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(kernel.features(frame), ProjectedKernel().fit(X_FIT).features(X_FIT))


def test_as_qiskit_kernel() -> None:
    kernel = ProjectedKernel().fit(X_FIT)
    theirs = kernel.as_qiskit_kernel()
    np.testing.assert_allclose(theirs.evaluate(X_NEW, X_FIT), kernel.transform(X_NEW), atol=1e-14)
    np.testing.assert_allclose(theirs.evaluate(X_FIT), kernel.gram_, atol=1e-14)


def test_algebra_with_other_kernels() -> None:
    projected, fidelity = ProjectedKernel(engine=SHOTS), FidelityKernel()
    combined = (0.5 * projected + fidelity * projected).fit(X_FIT)
    p, f = clone(projected).fit(X_FIT), clone(fidelity).fit(X_FIT)
    np.testing.assert_allclose(combined.gram_, 0.5 * p.gram_ + f.gram_ * p.gram_, atol=1e-14)
    cross_p, cross_f = p.transform(X_NEW), f.transform(X_NEW)
    np.testing.assert_allclose(combined.transform(X_NEW), 0.5 * cross_p + cross_f * cross_p, atol=1e-14)
    np.testing.assert_allclose(combined.frozen()(X_NEW, X_FIT), 0.5 * cross_p + cross_f * cross_p, atol=1e-12)
    np.testing.assert_allclose(
        combined.gram_stderr_, np.hypot(0.5 * p.gram_stderr_, f.gram_ * p.gram_stderr_), atol=1e-14
    )


def test_landmarks() -> None:
    features = NystroemFeatures(ProjectedKernel(), n_components=12, random_state=0).fit_transform(X_FIT)
    np.testing.assert_allclose(features @ features.T, ProjectedKernel().fit(X_FIT).gram_, atol=1e-8)


@given(
    st.lists(st.lists(st.floats(-3, 3), min_size=2, max_size=2), min_size=2, max_size=6),
    st.sampled_from([n for n in FORMULAS if n != "linear"]),
    st.sampled_from([None, 20]),
    st.floats(0.01, 100.0),
)
def test_invariants(rows: list[list[float]], outer: str, shots: int | None, gamma: float) -> None:
    X = np.array(rows)
    engine = StatevectorEngine(shots=shots, seed=0)
    gram = ProjectedKernel(engine=engine, bandwidth=1.0, outer=outer, gamma=gamma)(X)
    np.testing.assert_array_equal(gram, gram.T)
    assert np.diag(gram).tolist() == [1.0] * len(X)
    assert ((gram >= 0) & (gram <= 1)).all()
    assert np.linalg.eigvalsh(gram)[0] > -1e-12


# Refusals -------------------------------------------------------------------------------------------------------


class OfTexts(GenericKernelMixin, NormalizedKernelMixin, StationaryKernelMixin, Kernel):
    """A kernel of structured objects."""

    def __init__(self) -> None:  # scikit-learn asks for a signature
        return None

    def __call__(self, X: list[str], Y: list[str] | None = None, eval_gradient: bool = False) -> np.ndarray:
        return np.array([[float(x.upper() == y.upper()) for y in Y or X] for x in X])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"gamma": 0.0}, r"gamma of ProjectedKernel must be 'scale' .* positive number .* got 0\.0"),
        ({"gamma": -1}, r"got -1"),
        ({"gamma": float("nan")}, r"got nan"),
        ({"gamma": float("inf")}, r"got inf"),
        ({"gamma": "auto"}, r"got 'auto'"),
        ({"gamma": True}, r"got True"),
        ({"gamma": None}, r"got None"),
        ({"gamma": -1, "outer": "linear"}, r"got -1"),
        ({"outer": "precomputed"}, r"outer of ProjectedKernel must be one of 'rbf', .* got 'precomputed'"),
        ({"outer": "gaussian"}, r"got 'gaussian'"),
        ({"outer": None}, r"got None"),
        ({"outer": RBF}, r"got the class RBF; make an instance: RBF\(\)"),
        ({"outer": FidelityKernel()}, r"got FidelityKernel\(\)"),
        (
            {"outer": RBF(), "gamma": 0.5},
            r"gamma of ProjectedKernel must stay 'scale' .* got gamma=0\.5 with outer=RBF",
        ),
        (
            {"outer": RBF(length_scale=[1.0, 2.0])},
            r"outer of ProjectedKernel cannot be evaluated on vectors of 9 expectation value\(s\).*same number of dim",
        ),
        (
            {"outer": RBF(length_scale=[1.0, 2.0]) + RBF(), "observables": ["ZII"]},
            r"vectors of 1 expectation value\(s\)",
        ),
        ({"outer": OfTexts()}, r"cannot be evaluated on vectors of 9 .* OfTexts\(\), which says: .* 'upper'"),
        ({"outer": CompoundKernel([RBF(), RBF()])}, r"finite matrix of shape \(2, 2\).* shape \(2, 2, 2\)"),
        ({"outer": ConstantKernel(np.inf)}, r"values that are not finite"),
        ({"outer": PairwiseKernel(metric="chi2")}, r"cannot be evaluated on vectors of 9 .*negative values"),
        ({"observables": ""}, r"observables of ProjectedKernel must be different letters from 'XYZ' .* got ''"),
        ({"observables": "XX"}, r"got 'XX'.* \['ZZ'\]"),
        ({"observables": "ZIZ"}, r"got 'ZIZ'"),
        ({"observables": "xyz"}, r"got 'xyz'"),
        ({"observables": 3}, r"got 3"),
        ({"observables": []}, r"observables of ProjectedKernel do not fit .* observables is empty"),
        ({"observables": [3]}, r"observables\[0\] = 3 is neither a Pauli label"),
        ({"observables": ["ZIZ", "ZZ"]}, r"on 3 feature\(s\): observables\[1\] acts on 2 qubits, the circuit has 3"),
        ({"observables": SparsePauliOp("ZZZZ")}, r"observables\[0\] acts on 4 qubits, the circuit has 3"),
        ({"observables": SparsePauliOp(["ZZZ"], [1j])}, r"so that the observable is Hermitian"),
        ({"bandwidth": 0.0}, r"bandwidth of ProjectedKernel"),
        ({"feature_map": "zz"}, r"feature_map of ProjectedKernel"),
        ({"engine": "aer"}, r"engine of ProjectedKernel"),
        ({"corrections": "clip"}, r"corrections of ProjectedKernel"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_bad_parameters(parameters: dict[str, object], message: str) -> None:
    kernel = ProjectedKernel(**parameters)  # storing is fine
    with pytest.raises(InvalidParameterError, match=message):
        kernel.fit(X_FIT)


@pytest.mark.parametrize("need", ["weights", "bits", "diagonal", "orientations"])
def test_corrections_that_require_more_than_values_are_refused(need: str) -> None:
    class Needy(ClipSpectrum):
        requires = frozenset({need})

    assert issubclass(Needy, Correction)
    with pytest.raises(InvalidParameterError, match=rf"corrections of ProjectedKernel cannot require \['{need}'\]"):
        ProjectedKernel(corrections=[Needy()]).fit(X_FIT)
    rule = ProjectedKernel().fit(X_FIT).frozen().rule
    with pytest.raises(InvalidParameterError, match="no circuit measures an entry"):
        rule.measure(X_FIT, None, frozenset({need}))


def test_too_few_features_for_the_map() -> None:
    with pytest.raises(InvalidDataError, match=r"1 feature\(s\)"):
        ProjectedKernel(CPMap()).fit(X_FIT[:, :1])


def test_engine_that_cannot_take_the_circuit() -> None:
    with pytest.raises(UnsupportedCircuitError):
        ProjectedKernel(ZZFeatureMap(entanglement="full"), MPSEngine()).fit(X_FIT)


@pytest.mark.parametrize(
    "change",
    [
        {"outer": PairwiseKernel(metric="chi2")},
        {"engine": StatevectorEngine(memory_limit=1)},
        {"observables": ["ZZ"]},
        {"corrections": [3]},
    ],
    ids=str,
)
def test_a_failed_fit_changes_nothing(change: dict[str, object]) -> None:
    kernel = ProjectedKernel(engine=SHOTS).fit(X_FIT)
    expected = kernel.transform(X_NEW)
    before = {name: value for name, value in vars(kernel).items() if name not in change}
    with pytest.raises(QKernelsError):
        kernel.set_params(**change).fit(X_FIT + 1.0)
    assert {name: value for name, value in vars(kernel).items() if name not in change} == before
    np.testing.assert_array_equal(kernel.transform(X_NEW), expected)


def test_default_engine_is_chosen_once() -> None:
    assert isinstance(ProjectedKernel().fit(X_FIT).engine_, AutoEngine)
