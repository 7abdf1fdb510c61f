"""Likeness to a Gaussian kernel."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics.pairwise import rbf_kernel

from qkernels._errors import InvalidDataError
from qkernels.diagnostics import best_fit_rbf

X = np.random.default_rng(3).normal(size=(60, 4))


@pytest.mark.parametrize("gamma", [1e-3, 0.05, 0.7, 5.0], ids=str)
@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0], ids=str)
def test_a_gaussian_kernel_is_found_again(gamma: float, scale: float) -> None:
    found = best_fit_rbf(rbf_kernel(X, gamma=gamma), X * scale)
    assert found.correlation == pytest.approx(1.0, abs=1e-9)
    assert found.gamma == pytest.approx(gamma / scale**2, rel=1e-3)


def test_correlation_is_the_best_over_gamma() -> None:
    K = (1 + X @ X.T / 4) ** 2
    K /= np.sqrt(np.outer(np.diag(K), np.diag(K)))
    found = best_fit_rbf(K, X)
    upper = np.triu_indices(60, 1)
    others = [np.corrcoef(rbf_kernel(X, gamma=gamma)[upper], K[upper])[0, 1] for gamma in np.logspace(-4, 2, 400)]
    assert found.correlation == pytest.approx(max(others), abs=1e-4)
    at_gamma = np.corrcoef(rbf_kernel(X, gamma=found.gamma)[upper], K[upper])[0, 1]
    assert found.correlation == pytest.approx(at_gamma)


def test_an_unlike_kernel_scores_low() -> None:
    rng = np.random.default_rng(0)
    K = rng.uniform(size=(60, 60))
    found = best_fit_rbf((K + K.T) / 2, X)
    # 1770 independent entries: at one gamma, chance stays below 5/sqrt(1770) = 0.12; about 60 are tried.
    assert abs(found.correlation) < 0.2


@pytest.mark.parametrize(("value", "gamma"), [(0.0, inf), (1.0, 0.0)], ids=["identity", "constant"])
def test_limits_of_gaussian_kernels(value: float, gamma: float) -> None:
    K = np.full((60, 60), value)
    np.fill_diagonal(K, 1.0)
    assert best_fit_rbf(K, X).gamma == gamma
    assert best_fit_rbf(K, X).correlation == 1.0


@pytest.mark.parametrize(
    ("gram", "points", "words"),
    [
        (np.eye(60)[:2, :2], X[:2], "at least 3 rows"),
        (np.eye(60), X[:50], r"one row per row of gram \(60\); got shape \(50, 4\)"),
        (np.eye(60), np.full((60, 4), np.nan), "X must be a finite array"),
        (rbf_kernel(X), np.ones((60, 4)), "same distance between all rows"),
    ],
    ids=["two rows", "other rows", "NaN", "equal rows"],
)
def test_bad_data(gram: NDArray[np.float64], points: NDArray[np.float64], words: str) -> None:
    with pytest.raises(InvalidDataError, match=words):
        best_fit_rbf(gram, points)
