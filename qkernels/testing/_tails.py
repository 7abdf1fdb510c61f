"""Exact tail probabilities of counts, and Holm's correction for many of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc
from scipy.stats import binom, hypergeom

__all__ = ["LARGEST_SIGMA", "binomial_tails", "holm_rejections", "level_of_sigma", "two_sample_tails"]

Values = NDArray[np.float64]
Counts = NDArray[np.int64]

LARGEST_SIGMA = 37.5
"""A level of 9e-308; from 37.6 on it is below the normal floats, and soon 0."""

_TERMS_BETWEEN_CHECKS = 32
"""Terms of a tail sum added before the entries that have converged are taken out."""


def level_of_sigma(sigma: float) -> float:
    """Probability that a normal variable lies more than `sigma` standard deviations off, on either side."""
    return float(erfc(sigma / np.sqrt(2.0)))


def binomial_tails(counts: Counts, shots: Counts, expected: Values) -> Values:
    """Two-sided p-values of counts for a known probability: twice the smaller tail of Binomial(shots, p), at most 1.

    Parameters
    ----------
    counts, shots : ndarray of shape (m,), int64
    expected : ndarray of shape (m,)
        Clipped to [0, 1].

    Returns
    -------
    ndarray of shape (m,)
        Exactly 0 for a count that a probability of 0 or 1 forbids.
    """
    p = np.clip(expected, 0.0, 1.0)
    lower, upper = binom.cdf(counts, shots, p), binom.sf(counts - 1, shots, p)
    return np.asarray(np.minimum(2.0 * np.minimum(lower, upper), 1.0))


def two_sample_tails(counts_a: Counts, shots_a: Counts, counts_b: Counts, shots_b: Counts) -> Values:
    """Two-sided p-values of two counts with one unknown probability: Fisher's exact test.

    Given the sum of both counts, the first one is hypergeometric. Twice the tail on its side of the mean, at most 1.

    Parameters
    ----------
    counts_a, shots_a, counts_b, shots_b : ndarray of shape (m,), int64

    Returns
    -------
    ndarray of shape (m,)

    Notes
    -----
    SciPy sums hypergeometric tails entry by entry. Here all entries are summed together, each away from its mean, where
    the terms fall from one to the next: some standard deviations of a count, or of the order of sqrt(shots) terms.
    """
    a_above = counts_a.astype(np.float64) * shots_b >= counts_b.astype(np.float64) * shots_a
    k, n = np.where(a_above, counts_a, counts_b), np.where(a_above, shots_a, shots_b)
    successes, trials = counts_a + counts_b, shots_a + shots_b
    first = np.exp(hypergeom.logpmf(k, trials, successes, n))
    x, hits, draws, misses = (v.astype(np.float64) for v in (k, successes, n, trials - successes - n))
    total, term = np.ones(len(k)), np.ones(len(k))
    active = np.arange(len(k))
    while len(active):
        part, x_now, t = total[active], x[active], term[active]
        h, d, m = hits[active], draws[active], misses[active]
        for _ in range(_TERMS_BETWEEN_CHECKS):
            # P(x + 1) / P(x); 0 from the last possible count on
            t = t * np.maximum((h - x_now) * (d - x_now), 0.0) / ((x_now + 1.0) * np.maximum(m + x_now + 1.0, 1.0))
            x_now = x_now + 1.0
            part = part + t
        total[active], x[active], term[active] = part, x_now, t
        active = active[t > 1e-17 * part]
    return np.asarray(np.minimum(2.0 * first * total, 1.0))


def holm_rejections(p_values: Values, level: float) -> NDArray[np.bool_]:
    """Which hypotheses Holm's step-down procedure rejects at a family-wise level.

    Parameters
    ----------
    p_values : ndarray of shape (m,)
    level : float in (0, 1)
        Probability of any false rejection, whatever the dependence.

    Returns
    -------
    ndarray of shape (m,), bool

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979) 65.
    """
    order = np.argsort(p_values)
    passes = p_values[order] <= level / np.arange(len(order), 0, -1)
    rejected = np.zeros(len(order), dtype=np.bool_)
    rejected[order[np.logical_and.accumulate(passes)]] = True
    return rejected
