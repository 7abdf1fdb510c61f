"""UnitDiagonal: cosines of training rows, induced lengths of new rows, points without length, what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from qkernels import ClipSpectrum, FidelityKernel, StatevectorEngine
from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.kernels import FlipSpectrum, UnitDiagonal

X = np.random.default_rng(11).normal(size=(12, 2))


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a / np.linalg.norm(a, axis=1)[:, None]) @ (b / np.linalg.norm(b, axis=1)[:, None]).T


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9))
def test_cosines_of_feature_vectors(seed: int, n: int, dimension: int) -> None:
    # Explicit features; more points than dimensions give singular matrices, fewer give new rows out of their span.
    rng = np.random.default_rng(seed)
    features, new = rng.normal(size=(n, dimension)), rng.normal(size=(4, dimension))
    unit = UnitDiagonal().fit(features @ features.T)
    np.testing.assert_allclose(unit.transform_gram(features @ features.T), cosines(features, features), atol=1e-10)
    projected = new @ np.linalg.pinv(features) @ features
    np.testing.assert_allclose(unit.transform_cross(new @ features.T), cosines(projected, features), atol=1e-6)


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9))
def test_training_rows_as_new_rows(seed: int, n: int, dimension: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, dimension)) * rng.uniform(0.1, 10, size=(n, 1))
    K = features @ features.T
    unit = UnitDiagonal().fit(K)
    gram = unit.transform_gram(K)
    np.testing.assert_allclose(unit.transform_cross(K), gram, atol=1e-10)
    np.testing.assert_array_equal(np.diag(gram), 1.0)
    np.testing.assert_array_equal(gram, gram.T)
    assert np.linalg.eigvalsh(gram)[0] > -1e-12 * n
    # A congruence again: nothing is left to do.
    np.testing.assert_array_equal(UnitDiagonal().fit(gram).transform_gram(gram), gram)


def test_training_rows_of_a_spectrum_that_decays_to_rounding() -> None:
    x = np.linspace(-1, 1, 60)
    K = 3.0 * np.exp(-((x[:, None] - x) ** 2)) * np.outer(1 + x**2, 1 + x**2)
    assert np.linalg.cond(K) > 1e15
    unit = UnitDiagonal().fit(K)
    np.testing.assert_allclose(unit.transform_cross(K), unit.transform_gram(K), atol=1e-10)


@given(st.integers(0, 10_000))
def test_repeated_samples_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, new = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    again = np.repeat(np.arange(5), rng.integers(1, 4, size=5))
    plain = UnitDiagonal().fit(features @ features.T, sample_weight=rng.uniform(1, 5, size=5))
    repeated = UnitDiagonal().fit((features @ features.T)[np.ix_(again, again)])
    np.testing.assert_allclose(
        repeated.transform_cross(new @ features[again].T), plain.transform_cross(new @ features.T)[:, again], atol=1e-9
    )


def test_rows_of_an_indefinite_matrix_after_a_flip() -> None:
    K = np.diag([4.0, -9.0])
    flip = FlipSpectrum().fit(K)
    unit = UnitDiagonal().fit(flip.transform_gram(K))
    np.testing.assert_allclose(unit.transform_gram(flip.transform_gram(K)), np.eye(2), atol=1e-14)
    np.testing.assert_allclose(unit.transform_cross(flip.transform_cross(np.array([[0.0, -3.0]]))), [[0.0, 1.0]])


# Points without length ------------------------------------------------------------------------------------------


def test_points_of_length_zero_stay_zero() -> None:
    K = np.zeros((3, 3))
    K[:2, :2] = [[4.0, 2.0], [2.0, 4.0]]
    unit = UnitDiagonal().fit(K)
    expected = np.zeros((3, 3))
    expected[:2, :2] = [[1.0, 0.5], [0.5, 1.0]]
    np.testing.assert_array_equal(unit.scale_, [0.5, 0.5, 0.0])
    np.testing.assert_array_equal(unit.transform_gram(K), expected)
    np.testing.assert_allclose(unit.transform_cross(K), expected, atol=1e-14)


def test_new_row_orthogonal_to_all_training_rows_is_zero() -> None:
    unit = UnitDiagonal().fit(np.eye(3))
    np.testing.assert_array_equal(unit.transform_cross(np.array([[0.0, 0.0, 0.0], [1e-7, 0.0, 0.0]])), np.zeros((2, 3)))
    # Little in common is still a direction.
    np.testing.assert_allclose(unit.transform_cross(np.array([[3e-5, 4e-5, 0.0]])), [[0.6, 0.8, 0.0]])


def test_matrix_of_zeros() -> None:
    unit = UnitDiagonal().fit(np.zeros((3, 3)))
    assert unit.root_.shape == (3, 0)
    np.testing.assert_array_equal(unit.transform_gram(np.zeros((3, 3))), np.zeros((3, 3)))
    np.testing.assert_array_equal(unit.transform_cross(np.zeros((2, 3))), np.zeros((2, 3)))


# rtol -----------------------------------------------------------------------------------------------------------


def test_rtol_leaves_small_eigenvalues_out_of_the_self_values() -> None:
    K = np.diag([1.0, 0.01])
    row = np.array([[0.5, 0.1]])  # s = 0.25 with the large eigenvalue, 0.25 + 1 with both
    np.testing.assert_allclose(UnitDiagonal().fit(K).transform_cross(row), row * [1, 10] / np.sqrt(1.25))
    np.testing.assert_allclose(UnitDiagonal(rtol=0.1).fit(K).transform_cross(row), row * [1, 10] / 0.5)


def test_parameters() -> None:
    assert clone(UnitDiagonal(rtol=1e-8)).get_params() == {"rtol": 1e-8}
    assert UnitDiagonal.guarantees_psd


# Bad input ------------------------------------------------------------------------------------------------------


def test_indefinite_matrix_is_refused() -> None:
    with pytest.raises(InvalidDataError, match=r"between -2 and 4\. Put a repair first.*ClipSpectrum\(\), UnitDiag"):
        UnitDiagonal().fit(np.array([[1.0, 3.0], [3.0, 1.0]]))


def test_negative_eigenvalue_is_refused_whatever_rtol() -> None:
    with pytest.raises(InvalidDataError, match=r"between -0\.1 and 1\."):
        UnitDiagonal(rtol=0.5).fit(np.diag([1.0, -0.1]))


@pytest.mark.parametrize("rtol", [-0.1, 1.0, "auto", True, None], ids=repr)
def test_bad_rtol(rtol: object) -> None:
    with pytest.raises(InvalidParameterError, match=rf"rtol of UnitDiagonal must be .* \[0, 1\), got {rtol!r}"):
        UnitDiagonal(rtol=rtol).fit(np.eye(2))


def test_matrix_that_is_not_square() -> None:
    with pytest.raises(InvalidDataError, match=r"UnitDiagonal must be a square matrix, got shape \(2, 3\)"):
        UnitDiagonal().fit(np.ones((2, 3)))


# In a kernel ----------------------------------------------------------------------------------------------------


def test_after_a_repair_in_a_kernel() -> None:
    kernel = FidelityKernel(engine=StatevectorEngine(shots=50, seed=2), corrections=[ClipSpectrum(), UnitDiagonal()])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gram = kernel.fit_transform(X)
    clipped = ClipSpectrum().fit(kernel(X)).transform_gram(kernel(X))
    lengths = np.sqrt(np.diag(clipped))
    assert np.abs(lengths - 1).max() > 0.01  # clipping has changed the diagonal
    np.testing.assert_allclose(gram, clipped / np.outer(lengths, lengths), atol=1e-12)
    np.testing.assert_allclose(kernel.transform(X), gram, atol=1e-10)
    assert np.abs(kernel.transform(X + 0.1)).max() <= 1 + 1e-10  # Cauchy and Schwarz


def test_without_a_repair_in_a_sampled_kernel() -> None:
    kernel = FidelityKernel(engine=StatevectorEngine(shots=50, seed=2), corrections=[UnitDiagonal()])
    with pytest.raises(InvalidDataError, match="Put a repair first"):
        kernel.fit(X)


def test_exact_fidelities_have_unit_diagonal_already() -> None:
    kernel = FidelityKernel(corrections=[UnitDiagonal()])
    np.testing.assert_array_equal(kernel.fit_transform(X), FidelityKernel().fit_transform(X))


def test_small_indefinite_matrix_is_refused_too() -> None:
    with pytest.raises(InvalidDataError, match="positive semidefinite"):
        UnitDiagonal().fit(1e-20 * np.array([[1.0, 3.0], [3.0, 1.0]]))
