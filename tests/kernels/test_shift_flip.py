"""ShiftSpectrum and FlipSpectrum: what they compute, what sample weights mean, and how they act in a kernel."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.svm import SVC

from qkernels import FidelityKernel, QuantumKernelSVC, StatevectorEngine
from qkernels.kernels import Correction, FlipSpectrum, ShiftSpectrum

# The corners of a regular polygon: symmetric data, coinciding eigenvalues.
ANGLES = 2 * np.pi * np.arange(12) / 12
X = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
TARGETS = np.array([0, 1, 1, 0, 1, 0, 1, 0, 1, 1, 0, 0])


def indefinite(seed: int, n: int) -> np.ndarray:
    K = np.random.default_rng(seed).normal(size=(n, n))
    return K + K.T


# By hand --------------------------------------------------------------------------------------------------------


def test_shift_of_a_degenerate_spectrum_by_hand() -> None:
    # J − 2I on 3 points has eigenvalues 1, −2, −2.
    K = np.ones((3, 3)) - 2 * np.eye(3)
    shift = ShiftSpectrum().fit(K)
    np.testing.assert_allclose(shift.shift_, 2.0)
    np.testing.assert_allclose(shift.transform_gram(K), np.ones((3, 3)), atol=1e-14)


def test_flip_of_a_degenerate_spectrum_by_hand() -> None:
    # |J − 2I| = J/3 + 2 (I − J/3), by the map J/3 − (I − J/3), whatever basis of the pair eigh returns.
    K = np.ones((3, 3)) - 2 * np.eye(3)
    flip = FlipSpectrum().fit(K)
    np.testing.assert_allclose(flip.transform_gram(K), 2 * np.eye(3) - np.ones((3, 3)) / 3, atol=1e-14)
    np.testing.assert_allclose(flip.transform_cross(np.array([[3.0, 0.0, 0.0]])), [[-1.0, 2.0, 2.0]], atol=1e-14)


def test_flip_leaves_what_is_outside_the_span_of_the_matrix() -> None:
    K = np.diag([1.0, 0.0, -1.0])
    np.testing.assert_allclose(FlipSpectrum().fit(K).transform_cross(np.array([[1.0, 2.0, 3.0]])), [[1.0, 2.0, -3.0]])


def test_flip_of_eigenvalues_within_rtol() -> None:
    K = np.diag([1.0, -0.1, -0.8])
    flip = FlipSpectrum(rtol=0.5).fit(K)
    np.testing.assert_allclose(flip.transform_gram(K), np.diag([1.0, -0.1, 0.8]))


@pytest.mark.parametrize("repair", [ShiftSpectrum, FlipSpectrum], ids=["shift", "flip"])
def test_negative_definite_matrix(repair: type[Correction]) -> None:
    K = -np.diag([3.0, 3.0, 1.0])
    expected = {ShiftSpectrum: np.diag([0.0, 0.0, 2.0]), FlipSpectrum: np.diag([3.0, 3.0, 1.0])}[repair]
    np.testing.assert_allclose(repair().fit(K).transform_gram(K), expected, atol=1e-14)


# Laws -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.integers(2, 9))
def test_shift_moves_the_diagonal_just_enough(seed: int, n: int) -> None:
    K = indefinite(seed, n)
    before = np.linalg.eigvalsh(K)
    shift = ShiftSpectrum().fit(K)
    shifted = shift.transform_gram(K)
    np.testing.assert_allclose(np.linalg.eigvalsh(shifted), before - min(before[0], 0.0), atol=1e-12 * n)
    others = ~np.eye(n, dtype=bool)
    np.testing.assert_array_equal(shifted[others], K[others])
    cross = np.random.default_rng(seed).normal(size=(2, n))
    assert shift.transform_cross(cross) is cross


@given(st.integers(0, 10_000), st.integers(2, 9))
def test_flip_is_the_absolute_value_of_the_matrix(seed: int, n: int) -> None:
    K = indefinite(seed, n)
    flip = FlipSpectrum().fit(K)
    flipped = flip.transform_gram(K)
    # |K| is the only positive semidefinite root of K².
    assert np.linalg.eigvalsh(flipped)[0] > -1e-12 * n
    np.testing.assert_allclose(flipped @ flipped, K @ K, atol=1e-11 * n)
    np.testing.assert_array_equal(flipped, flipped.T)
    np.testing.assert_allclose(flip.transform_cross(K), flipped, atol=1e-12 * n)


@given(st.integers(0, 10_000))
def test_flip_of_training_rows_with_weights(seed: int) -> None:
    K = indefinite(seed, 6)
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, size=6) + (rng.integers(0, 6) == np.arange(6))
    flip = FlipSpectrum().fit(K, sample_weight=weights.astype(float))
    np.testing.assert_allclose(flip.transform_cross(K), flip.transform_gram(K), atol=1e-7)


@given(st.integers(0, 10_000))
def test_weights_of_a_flip_are_repetitions(seed: int) -> None:
    K = indefinite(seed, 5)
    rng = np.random.default_rng(seed)
    cross = rng.normal(size=(3, 5))
    weights = rng.integers(1, 4, size=5)
    again = np.repeat(np.arange(5), weights)
    weighted = FlipSpectrum().fit(K, sample_weight=weights.astype(float))
    repeated = FlipSpectrum().fit(K[np.ix_(again, again)])
    np.testing.assert_allclose(
        repeated.transform_gram(K[np.ix_(again, again)]), weighted.transform_gram(K)[np.ix_(again, again)], atol=1e-10
    )
    np.testing.assert_allclose(
        repeated.transform_cross(cross[:, again]), weighted.transform_cross(cross)[:, again], atol=1e-10
    )


@given(st.integers(0, 10_000))
def test_weighted_shift_is_the_mean_over_repetitions(seed: int) -> None:
    K = indefinite(seed, 5)
    weights = np.random.default_rng(seed).integers(1, 4, size=5)
    again = np.repeat(np.arange(5), weights)
    weighted = ShiftSpectrum().fit(K, sample_weight=weights.astype(float)).transform_gram(K)
    repeated = ShiftSpectrum().fit(K[np.ix_(again, again)]).transform_gram(K[np.ix_(again, again)])
    mean = (again == np.arange(5)[:, None]) / weights[:, None]
    np.testing.assert_allclose(mean @ repeated @ mean.T, weighted, atol=1e-11)
    assert np.linalg.eigvalsh(weighted)[0] > -1e-11


@given(st.integers(0, 10_000))
def test_ridge_on_a_weighted_shift_is_ridge_on_repetitions(seed: int) -> None:
    K = indefinite(seed, 5)
    rng = np.random.default_rng(seed)
    cross, y = rng.normal(size=(3, 5)), rng.normal(size=5)
    weights = rng.integers(1, 4, size=5)
    again = np.repeat(np.arange(5), weights)
    weighted = ShiftSpectrum().fit(K, sample_weight=weights.astype(float))
    repeated = ShiftSpectrum().fit(K[np.ix_(again, again)])
    # Minimise Σ w (y − f)² + f's norm: (K + W⁻¹) β = y.
    one = cross @ np.linalg.solve(weighted.transform_gram(K) + np.diag(1 / weights), y)
    big = repeated.transform_gram(K[np.ix_(again, again)]) + np.eye(len(again))
    np.testing.assert_allclose(
        one, repeated.transform_cross(cross[:, again]) @ np.linalg.solve(big, y[again]), atol=1e-9
    )


def test_support_vectors_on_a_weighted_shift_are_those_on_repetitions() -> None:
    rng = np.random.default_rng(4)
    K = indefinite(4, 8)
    cross, y = rng.normal(size=(5, 8)), np.arange(8) % 2
    weights = rng.integers(1, 4, size=8)
    again = np.repeat(np.arange(8), weights)
    weighted = ShiftSpectrum().fit(K, sample_weight=weights.astype(float))
    repeated = ShiftSpectrum().fit(K[np.ix_(again, again)])
    one = SVC(kernel="precomputed", tol=1e-10).fit(weighted.transform_gram(K), y, sample_weight=weights)
    two = SVC(kernel="precomputed", tol=1e-10).fit(repeated.transform_gram(K[np.ix_(again, again)]), y[again])
    np.testing.assert_allclose(
        one.decision_function(cross), two.decision_function(repeated.transform_cross(cross[:, again])), atol=1e-7
    )


@pytest.mark.parametrize("repair", [ShiftSpectrum, FlipSpectrum], ids=["shift", "flip"])
@pytest.mark.parametrize("size", [1e308, 1e-308], ids=str)
def test_only_ratios_of_weights_count(repair: type[Correction], size: float) -> None:
    K = indefinite(1, 5)
    weights = np.array([1.0, 0.5, 1.0, 0.25, 0.5])
    reference = repair().fit(K, sample_weight=weights).transform_gram(K)
    np.testing.assert_allclose(repair().fit(K, sample_weight=size * weights).transform_gram(K), reference, rtol=1e-12)


def test_sample_of_weight_zero_has_no_say_in_the_shift_of_others() -> None:
    K = np.eye(3)
    K[2] = K[:, 2] = [0.0, 0.0, -5.0]  # only the third point is at fault
    shift = ShiftSpectrum().fit(K, sample_weight=np.array([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(shift.shift_, [5e-6, 5e-6, 5.0])


# In a kernel ----------------------------------------------------------------------------------------------------


def sampled(correction: Correction) -> FidelityKernel:
    return FidelityKernel(engine=StatevectorEngine(shots=50, seed=2), corrections=[correction])


def test_flip_in_a_kernel() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernel = sampled(FlipSpectrum())
        gram = kernel.fit_transform(X)
    assert kernel.corrections_[0].map_ is not None
    np.testing.assert_allclose(kernel.transform(X), gram, atol=1e-12)
    assert np.linalg.eigvalsh(gram)[0] > -1e-13


def test_shift_in_a_kernel_touches_the_training_diagonal_only() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernel = sampled(ShiftSpectrum())
        gram = kernel.fit_transform(X)
    raw = kernel(X)
    assert np.linalg.eigvalsh(raw)[0] < -0.01
    np.testing.assert_allclose(gram - raw, -np.linalg.eigvalsh(raw)[0] * np.eye(len(X)), atol=1e-12)
    np.testing.assert_array_equal(kernel.transform(X), raw)


@pytest.mark.parametrize("correction", [ShiftSpectrum(), FlipSpectrum()], ids=["shift", "flip"])
def test_weights_of_a_classifier_are_repetitions(correction: Correction) -> None:
    points = np.random.default_rng(8).normal(size=(12, 2))
    weights = np.array([1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 1, 1])
    weighted = QuantumKernelSVC(sampled(correction)).fit(points, TARGETS, sample_weight=weights)
    repeated = QuantumKernelSVC(sampled(correction)).fit(points.repeat(weights, axis=0), TARGETS.repeat(weights))
    new = points + 0.1
    np.testing.assert_allclose(weighted.decision_function(new), repeated.decision_function(new), atol=1e-7)
