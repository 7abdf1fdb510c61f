"""How data become angles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels import CircuitMap, FidelityKernel, HamiltonianMap, StatevectorEngine, ZZFeatureMap
from qkernels._errors import BandwidthWarning
from qkernels.feature_maps import FeatureMap

RNG = np.random.default_rng(3)


def rotations(d: int) -> CircuitMap:
    """RY(x_i) on qubit i: k = Π cos²((x_i − y_i)/2)."""
    x = ParameterVector("x", d)
    circuit = QuantumCircuit(d)
    for i in range(d):
        circuit.ry(x[i], i)
    return CircuitMap(circuit)


def off_diagonal_mean(K: np.ndarray) -> float:
    n = len(K)
    return float((K.sum() - np.trace(K)) / (n * (n - 1)))


@given(st.lists(st.integers(0, 3), min_size=5, max_size=5).filter(lambda weights: sum(map(bool, weights)) > 1))
def test_weights_are_repetitions(weights: list[int]) -> None:
    X = np.arange(15.0).reshape(5, 3) ** 1.5
    weighted = FidelityKernel().fit(X, sample_weight=weights)
    repeated = FidelityKernel().fit(X.repeat(weights, axis=0))
    np.testing.assert_allclose(weighted.offset_, repeated.offset_, rtol=1e-12)
    np.testing.assert_allclose(weighted.factor_, repeated.factor_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8 + 0.3, -7e-9], ids=str)
def test_constant_features_become_zero(value: float) -> None:
    X = RNG.normal(size=(50, 3))
    X[:, 1] = value
    kernel = FidelityKernel().fit(X)
    assert kernel.factor_[1] == 0.0
    assert (kernel.factor_[[0, 2]] > 0).all()
    moved = X.copy()
    moved[:, 1] += 100.0  # what was constant in training has no influence later
    np.testing.assert_array_equal(kernel.transform(moved), kernel.gram_)


@pytest.mark.parametrize(
    ("X", "weights"),
    [
        (RNG.normal(size=(1, 3)), None),
        (np.full((4, 3), 0.1), None),
        ([[1.0], [1.0]], None),
        ([[1.0, 5.0], [2.0, 6.0]], [1, 0]),
        ([[1e-310], [3e-310]], None),
    ],
    ids=["one row", "equal rows", "one feature", "one row of positive weight", "subnormal"],
)
@pytest.mark.parametrize(
    "feature_map",
    [lambda d: None, lambda d: HamiltonianMap(), lambda d: rotations(d)],
    ids=["standard", "unit", "auto"],
)
def test_data_without_variation_warn(
    feature_map: Callable[[int], FeatureMap | None], X: object, weights: list[int] | None
) -> None:
    n, d = np.shape(X)
    message = rf"all of its {d} feature\(s\) are constant .* {sum(weights) if weights else n} training row\(s\)"
    with pytest.warns(BandwidthWarning, match=message):
        kernel = FidelityKernel(feature_map(d)).fit(X, sample_weight=weights)
    np.testing.assert_array_equal(kernel.gram_, np.ones((n, n)))


@pytest.mark.parametrize("feature_map", [None, HamiltonianMap(), rotations(3)], ids=["standard", "unit", "auto"])
@pytest.mark.parametrize("unit", [1e-300, 1e-165, 1e160, 1e200, 1e307], ids=str)
def test_units_of_the_data_play_no_role(unit: float, feature_map: FeatureMap | None) -> None:
    X = RNG.normal(size=(20, 3))
    plain = FidelityKernel(feature_map).fit(X)
    rescaled = FidelityKernel(feature_map).fit(X * unit)
    np.testing.assert_allclose(rescaled.gram_, plain.gram_, atol=1e-9)
    np.testing.assert_allclose(rescaled.transform(0.9 * X * unit), plain.transform(0.9 * X), atol=1e-9)
    mixed = X * [unit, 1.0, 1 / unit]
    np.testing.assert_allclose(FidelityKernel(feature_map).fit_transform(mixed), plain.gram_, atol=1e-9)


@pytest.mark.parametrize("size", [1e308, 1e-308, 5e-324], ids=str)
def test_size_of_weights_plays_no_role(size: float) -> None:
    X = RNG.normal(size=(10, 3))
    kernel = FidelityKernel().fit(X, sample_weight=np.full(10, size))
    np.testing.assert_array_equal(kernel.gram_, FidelityKernel().fit(X).gram_)
    kernel.fit(X, sample_weight=np.repeat([size, 0.0], 5))
    np.testing.assert_array_equal(kernel.factor_, FidelityKernel().fit(X[:5]).factor_)


@pytest.mark.parametrize(
    "feature_map", [HamiltonianMap(), ZZFeatureMap(data_map="havlicek")], ids=["hamiltonian", "havlicek"]
)
def test_unit_rule_is_min_max(feature_map: object) -> None:
    X = RNG.normal(size=(20, 3)) * [1.0, 50.0, 0.0]
    kernel = FidelityKernel(feature_map).fit(X)
    angles = (X - kernel.offset_) * kernel.factor_
    np.testing.assert_allclose(angles.min(axis=0), [0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(angles.max(axis=0), [1, 1, 0], atol=1e-12)


def test_unit_rule_ignores_rows_of_weight_zero() -> None:
    X = np.array([[0.0, 0.0], [1.0, 2.0], [100.0, -100.0]])
    kernel = FidelityKernel(HamiltonianMap()).fit(X, sample_weight=[1, 1, 0])
    np.testing.assert_allclose(kernel.factor_, [1.0, 0.5])


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e4], ids=str)
def test_auto_rule_reaches_its_target(d: int, spread: float) -> None:
    X = RNG.normal(size=(80, d)) * spread
    kernel = FidelityKernel(rotations(d)).fit(X)
    assert abs(off_diagonal_mean(kernel.gram_) - 0.55) < 0.006


def test_auto_rule_searches_upwards_and_downwards() -> None:
    X = RNG.normal(size=(80, 2))
    x = ParameterVector("x", 2)
    for gain in (1e-3, 1e3):
        circuit = QuantumCircuit(2)
        circuit.ry(gain * x[0], 0)
        circuit.ry(gain * x[1], 1)
        K = FidelityKernel(CircuitMap(circuit)).fit_transform(X)
        assert abs(off_diagonal_mean(K) - 0.55) < 0.006


def test_auto_rule_chooses_its_rows_by_content() -> None:
    X = RNG.normal(size=(150, 2))
    order = RNG.permutation(150)
    weights = RNG.integers(1, 3, size=150)
    fitted = FidelityKernel(rotations(2)).fit(X, sample_weight=weights)
    shuffled = FidelityKernel(rotations(2)).fit(X[order], sample_weight=weights[order])
    repeated = FidelityKernel(rotations(2)).fit(X.repeat(weights, axis=0))
    np.testing.assert_allclose(shuffled.factor_, fitted.factor_, rtol=1e-12)
    np.testing.assert_allclose(repeated.factor_, fitted.factor_, rtol=1e-12)


def test_auto_rule_is_exact_on_sampling_engines() -> None:
    X = RNG.normal(size=(30, 2))
    sampled = FidelityKernel(rotations(2), engine=StatevectorEngine(shots=10, seed=0)).fit(X)
    np.testing.assert_array_equal(sampled.factor_, FidelityKernel(rotations(2)).fit(X).factor_)


def test_auto_rule_warns_where_nothing_depends_on_the_data() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(1)
    circuit.rz(x[0] + x[1], 0)  # acts on |0⟩ as a phase
    X = RNG.normal(size=(10, 2))
    with pytest.warns(BandwidthWarning, match=r"found no factor .* it is 1 at the end of the search"):
        kernel = FidelityKernel(CircuitMap(circuit)).fit(X)
    np.testing.assert_allclose(kernel.factor_, 1 / np.sqrt(2) / X.std(axis=0))


def test_numeric_bandwidth_learns_nothing() -> None:
    X = RNG.normal(size=(10, 2)) + 5
    kernel = FidelityKernel(bandwidth=0.25).fit(X, sample_weight=np.arange(10))
    assert kernel.offset_.tolist() == [0.0, 0.0]
    assert kernel.factor_.tolist() == [0.25, 0.25]
