"""Sums, products and multiples of kernels."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from qkernels import (
    CircuitMap,
    ClipSpectrum,
    CPMap,
    FidelityKernel,
    MPSEngine,
    QuantumKernelSVC,
    SeparableMap,
    StatevectorEngine,
)
from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.kernels import ProductKernel, QuantumKernel, ScaledKernel, SumKernel

RNG = np.random.default_rng(3)
X = RNG.normal(size=(9, 2))
X_NEW = RNG.normal(size=(4, 2))


def product_of_cosines(A: np.ndarray, B: np.ndarray, factor: float) -> np.ndarray:
    """The kernel of SeparableMap by its closed form."""
    return np.prod(np.cos(factor * (A[:, None] - B[None]) / 2) ** 2, axis=2)


def separable(bandwidth: float) -> FidelityKernel:
    return FidelityKernel(SeparableMap(), bandwidth=bandwidth)


COMBINATIONS = {
    "sum": (lambda: separable(0.5) + separable(1.5), lambda p, q: p + q),
    "product": (lambda: separable(0.5) * separable(1.5), lambda p, q: p * q),
    "weighted": (lambda: 0.25 * separable(0.5) + separable(1.5) * 2, lambda p, q: 0.25 * p + 2 * q),
    "summed": (lambda: sum([separable(0.5), separable(1.5) / 4]), lambda p, q: p + q / 4),
    "nested": (
        lambda: (separable(0.5) + separable(1.5)) * (separable(0.5) + 3.0 * separable(1.5)),
        lambda p, q: (p + q) * (p + 3 * q),
    ),
}


@pytest.mark.parametrize(("make", "formula"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_closed_form(
    make: Callable[[], QuantumKernel], formula: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> None:
    def want(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        return formula(product_of_cosines(A, B, 0.5), product_of_cosines(A, B, 1.5))

    kernel = make()
    np.testing.assert_allclose(kernel(X_NEW, X), want(X_NEW, X), atol=1e-13)  # nothing to learn: no fit needed
    np.testing.assert_allclose(kernel.fit_transform(X), want(X, X), atol=1e-13)
    np.testing.assert_allclose(kernel.transform(X_NEW), want(X_NEW, X), atol=1e-13)
    np.testing.assert_allclose(kernel.diag(X), np.diag(want(X, X)), atol=1e-13)
    frozen = pickle.loads(pickle.dumps(kernel.frozen()))
    np.testing.assert_array_equal(frozen(X_NEW, X), kernel(X_NEW, X))


def test_every_part_learns_its_own_scaling() -> None:
    kernel = (FidelityKernel(SeparableMap()) + FidelityKernel(CPMap(ring=False))).fit(X)
    parts = [FidelityKernel(SeparableMap()).fit(X), FidelityKernel(CPMap(ring=False)).fit(X)]
    np.testing.assert_array_equal(kernel.gram_, parts[0].gram_ + parts[1].gram_)
    np.testing.assert_array_equal(kernel.transform(X_NEW), parts[0].transform(X_NEW) + parts[1].transform(X_NEW))
    assert kernel.kernels_["k2"].feature_map_.ring is False
    assert not hasattr(kernel.k2, "gram_")  # the parameter itself is left alone


def test_weights_reach_the_parts() -> None:
    weights = np.arange(1.0, 10.0)
    kernel = (2.0 * FidelityKernel()).fit(X, sample_weight=weights)
    np.testing.assert_allclose(kernel.kernels_["kernel"].offset_, np.average(X, axis=0, weights=weights))


def test_corrections_of_the_parts_are_theirs() -> None:
    sampled = FidelityKernel(engine=StatevectorEngine(shots=20, seed=4), corrections=[ClipSpectrum()])
    kernel = (0.5 * sampled).fit(X)
    alone = clone(sampled).fit(X)
    assert np.linalg.eigvalsh(alone(X))[0] < -1e-3  # there was something to clip
    np.testing.assert_array_equal(kernel.gram_, 0.5 * alone.gram_)
    np.testing.assert_array_equal(kernel.transform(X_NEW), 0.5 * alone.transform(X_NEW))
    np.testing.assert_array_equal(kernel(X), 0.5 * alone(X))  # raw


@pytest.mark.filterwarnings("ignore::qkernels._errors.NotPSDWarning")  # raw sampled matrices, on purpose
def test_standard_errors_of_first_order() -> None:
    one = FidelityKernel(SeparableMap(), StatevectorEngine(shots=50, seed=1), corrections=[]).fit(X)
    two = FidelityKernel(CPMap(), StatevectorEngine(shots=80, seed=2), corrections=[]).fit(X)
    a, da, b, db = one.gram_, one.gram_stderr_, two.gram_, two.gram_stderr_
    np.testing.assert_allclose((one + two).fit(X).gram_stderr_, np.sqrt(da**2 + db**2))
    np.testing.assert_allclose((one * two).fit(X).gram_stderr_, np.sqrt((b * da) ** 2 + (a * db) ** 2))
    np.testing.assert_allclose((3 * one).fit(X).gram_stderr_, 3 * da)
    exact = FidelityKernel(CPMap())
    np.testing.assert_allclose((one + exact).fit(X).gram_stderr_, da)
    assert not hasattr((exact + exact).fit(X), "gram_stderr_")


def test_search_reaches_the_parts() -> None:
    X, y = load_iris(return_X_y=True)
    model = QuantumKernelSVC(0.5 * FidelityKernel() + FidelityKernel(CPMap()))
    grid = {"kernel__k1__kernel__bandwidth": ["scale", 0.1], "kernel__k1__factor": [0.1, 1.0]}
    search = GridSearchCV(model, grid, cv=3).fit(X, y)
    assert set(search.best_params_) == set(grid)
    model.set_params(kernel__k1__kernel__feature_map__reps=1)  # below a default that is None
    assert model.kernel.k1.kernel.feature_map.reps == 1
    assert "ScaledKernel(factor=0.5, kernel=FidelityKernel(" in repr(model)


def test_plan_adds_up() -> None:
    one, two = separable(1.0), FidelityKernel(CPMap(), StatevectorEngine(shots=100, seed=0))
    plan = (one + two).plan(20, n_features=4)
    parts = [k.plan(20, n_features=4) for k in (one, two)]
    assert plan.num_qubits == 4
    assert plan.shots == parts[1].shots == 19_000
    assert plan.entries == 2 * 190
    assert plan.circuits == sum(p.circuits for p in parts)
    assert plan.feasible


def test_plan_says_what_does_not_fit() -> None:
    plan = (separable(1.0) + FidelityKernel(SeparableMap(), StatevectorEngine(memory_limit=2**20))).plan(
        50, n_features=20
    )
    assert not plan.feasible
    assert "memory_limit of StatevectorEngine" in plan.reason


def test_different_feature_counts_name_the_part() -> None:
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(3)
    for i, angle in enumerate(x):
        circuit.ry(angle, i)
    kernel = FidelityKernel() + FidelityKernel(CircuitMap(circuit))
    with pytest.raises(InvalidDataError, match=r"k2 of SumKernel does not take the 2 feature\(s\) of X.*takes 3"):
        kernel.fit(X)
    with pytest.raises(InvalidDataError, match=r"k2 of SumKernel does not take the 2 feature\(s\)"):
        kernel.plan(5, n_features=2)
    assert not hasattr(kernel, "n_features_in_")


def test_kernels_fitted_on_different_tables_are_refused() -> None:
    kernel = FidelityKernel().fit(X) * FidelityKernel().fit(np.eye(3))
    with pytest.raises(InvalidDataError, match=r"different tables, k1 on 2 feature\(s\) and k2 on 3 feature\(s\)"):
        kernel.fit(X)


@pytest.mark.parametrize("factor", [0.0, -1.0, np.nan, np.inf, True, "2"])
def test_factor_must_be_positive(factor: object) -> None:
    with pytest.raises(
        InvalidParameterError, match=f"factor of ScaledKernel must be a finite number > 0; got {factor!r}"
    ):
        ScaledKernel(FidelityKernel(), factor).fit(X)


def test_parts_must_be_kernels() -> None:
    with pytest.raises(InvalidParameterError, match=r"k2 of SumKernel must be a kernel such as FidelityKernel\(\)"):
        SumKernel(FidelityKernel(), CPMap()).fit(X)
    with pytest.raises(TypeError):
        FidelityKernel() + 1.0
    with pytest.raises(TypeError):
        FidelityKernel() * "2"
    with pytest.raises(TypeError):
        FidelityKernel() / 0
    with pytest.raises(TypeError):
        1 + FidelityKernel()


def test_unfitted_raw_function_says_what_is_learned() -> None:
    with pytest.raises(NotFittedError, match="This SumKernel is not fitted"):
        (FidelityKernel() + separable(1.0))(X)


def test_frozen_does_not_follow_later_changes() -> None:
    kernel = (2.0 * separable(1.0)).fit(X)
    frozen = kernel.frozen()
    kernel.set_params(factor=5.0)
    np.testing.assert_allclose(frozen.diag(X), 2.0)


def test_thirty_features_by_matrix_product_states() -> None:
    Z = RNG.normal(size=(6, 30))
    kernel = FidelityKernel(engine=MPSEngine()) + FidelityKernel(CPMap())
    gram = kernel.fit_transform(Z)
    np.testing.assert_allclose(np.diag(gram), 2.0)


@pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix:UserWarning")
@parametrize_with_checks(
    [
        FidelityKernel() + 0.5 * FidelityKernel(SeparableMap()),
        ProductKernel(FidelityKernel(engine=StatevectorEngine(shots=100, seed=0)), separable(0.1)),
    ],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "the columns of transform are the fitted rows, so fitting "
        "repeated rows gives more columns than fitting weighted rows"
    },
)
def test_scikit_learn(estimator: QuantumKernel, check: Callable[[QuantumKernel], None]) -> None:
    check(estimator)


def test_plan_of_data_gives_every_part_its_own_angles() -> None:
    X = np.array([[0.1, 0.2], [0.3, 0.4], [0.1, 0.2]])
    engine = StatevectorEngine(shots=10, seed=0)
    one, two = (FidelityKernel(SeparableMap(), engine, bandwidth=b) for b in (1.0, 0.5))
    assert (one + two).plan(X).entries == 2
    assert (one + two).plan(3, n_features=2).entries == 6
