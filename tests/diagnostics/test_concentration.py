"""Spread of kernel entries against shot noise."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from numpy.typing import NDArray

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.diagnostics import off_diagonal_statistics


def separable_gram(num_qubits: int, num_points: int, seed: int = 0) -> NDArray[np.float64]:
    """Closed form of the separable kernel at uniform angles."""
    x = np.random.default_rng(seed).uniform(0, 2 * np.pi, (num_points, num_qubits))
    cosines = np.cos((x[:, None, :] - x[None, :, :]) / 2)
    return (cosines**2).prod(axis=-1)


@pytest.mark.parametrize("n", range(2, 9))
def test_separable_map_concentrates_as_published(n: int) -> None:
    # arXiv:2208.11060: mean 2^-n, variance (3/8)^n - 4^-n. Differences of uniform angles are uniform given
    # one of the two points: entries are pairwise uncorrelated, errors of means those of independent entries.
    stats = off_diagonal_statistics(separable_gram(n, 400))
    pairs = 400 * 399 / 2
    second, fourth = (3 / 8) ** n, (35 / 128) ** n  # E cos^4 = 3/8, E cos^8 = 35/128
    variance = second - 0.25**n
    assert stats.num_entries == pairs
    assert abs(stats.mean - 0.5**n) < 5 * np.sqrt(variance / pairs)
    error_of_variance = np.sqrt((fourth - second**2) / pairs) + 2 * 0.5**n * np.sqrt(variance / pairs)
    assert abs(stats.std**2 - variance) < 5 * error_of_variance


def test_by_hand() -> None:
    K = np.array([[1.0, 0.2, 0.4], [0.2, 1.0, 0.6], [0.4, 0.6, 1.0]])
    stats = off_diagonal_statistics(K, shots=100)
    assert stats.mean == pytest.approx(0.4)
    assert stats.std == pytest.approx(np.sqrt(0.08 / 3))
    assert stats.shot_sigma == pytest.approx(np.sqrt(0.24 / 100))
    assert stats.shot_variance == pytest.approx((0.16 + 0.24 + 0.24) / 3 / 100)
    assert stats.shots_needed == pytest.approx(4 * 0.24 / (0.08 / 3))
    assert not stats.indistinguishable
    assert off_diagonal_statistics(K, shots=35).indistinguishable  # 36 shots are needed
    assert not off_diagonal_statistics(K, shots=37).indistinguishable


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0], ids=["identity", "half", "constant"])
def test_equal_entries_are_never_resolved(value: float) -> None:
    K = np.full((5, 5), value)
    np.fill_diagonal(K, 1.0)
    stats = off_diagonal_statistics(K, shots=10**9)
    assert stats.indistinguishable
    assert stats.shots_needed == inf


def test_noise_of_the_matrix_is_not_spread() -> None:
    # A constant kernel measured with 1000 shots spreads by its shot noise only; stderr takes that off.
    rng = np.random.default_rng(5)
    K = np.triu(rng.binomial(1000, 0.3, (200, 200)) / 1000, 1)
    K = K + K.T + np.eye(200)
    stderr = np.sqrt(K * (1 - K) / 1000)
    raw, exact = (
        off_diagonal_statistics(K, shots=20_000),
        off_diagonal_statistics(K, shots=20_000, stderr=stderr),
    )
    assert raw.std == pytest.approx(np.sqrt(0.21 / 1000), rel=0.05)
    assert not raw.indistinguishable
    # 19900 entries: the variance is known to a relative 5·sqrt(2/19900) = 5 %, so what is left is below that.
    assert exact.std**2 < 0.05 * 0.21 / 1000
    assert exact.indistinguishable


@pytest.mark.parametrize("shots", [0, -5, 2.5, True, "many"], ids=str)
def test_bad_shots(shots: object) -> None:
    with pytest.raises(InvalidParameterError, match=f"shots must be a positive integer; got {shots!r}"):
        off_diagonal_statistics(np.eye(3), shots=shots)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gram", "words"),
    [
        (np.ones((3, 4)), r"square matrix with at least 2 rows; got shape \(3, 4\)"),
        (np.ones((1, 1)), r"square matrix with at least 2 rows; got shape \(1, 1\)"),
        (np.array([[1, np.nan], [np.nan, 1]]), "gram holds 2 NaN"),
        (np.array([[1, 0.5], [0.2, 1]]), "symmetric training matrix; .* up to 0.3"),
        (np.array([[1, -0.5], [-0.5, 1]]), r"probabilities in \[0, 1\]; got -0.5"),
    ],
    ids=["cross block", "one row", "NaN", "not symmetric", "negative"],
)
def test_bad_matrix(gram: NDArray[np.float64], words: str) -> None:
    with pytest.raises(InvalidDataError, match=words):
        off_diagonal_statistics(gram)


def test_stderr_of_another_shape() -> None:
    with pytest.raises(InvalidDataError, match=r"shape of gram, \(3, 3\); got \(2, 2\)"):
        off_diagonal_statistics(np.eye(3), stderr=np.eye(2))
