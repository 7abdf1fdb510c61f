"""Values at several noise strengths, extrapolated to none. Plain functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Extrapolation", "Fit", "extrapolate", "linear_coefficients", "richardson_coefficients"]

Fit = Literal["exponential", "linear", "richardson"]
Values = NDArray[np.float64]

_RESOLVED = 3.0
"""Standard errors that a sampled value must keep from the asymptote to count: the logarithm of a distance that is known
to a third is still nearly linear in it, one of a distance that may be 0 has no finite variance."""

_ROUNDING = 1e-12
"""The same for exact values, relative to the value and the asymptote: less than this may be rounding alone."""

_LEAST_WEIGHT = 1e-60
"""Smallest square root of a weight, relative to the largest one: products of two weights stay positive."""

_BLOCK = 1 << 16
"""Entries that are extrapolated at once: temporaries stay in the cache and small beside the result."""


@dataclass(frozen=True, slots=True, eq=False)
class Extrapolation:
    """Values at noise strength 0.

    Attributes
    ----------
    values : ndarray
    stderr : ndarray of the shape of `values`, or None
        Propagated to first order; None where nothing was sampled.
    num_linear : int
        Entries for which the exponential was not defined, so that the linear fit answers.
    """

    values: Values
    stderr: Values | None
    num_linear: int


def linear_coefficients(factors: Sequence[float]) -> Values:
    """Weights of the values at these factors in the least-squares line at 0.

    Parameters
    ----------
    factors : sequence of float, distinct, at least 2

    Returns
    -------
    ndarray of shape (n_factors,), float64
        Their sum is 1.
    """
    x = np.asarray(factors, dtype=np.float64) / max(factors)
    centred = x - x.mean()
    return np.asarray(1.0 / len(x) - x.mean() * centred / (centred @ centred))


def richardson_coefficients(factors: Sequence[float]) -> Values:
    r"""Weights of the values at these factors in the polynomial through all of them at 0.

    Parameters
    ----------
    factors : sequence of float, distinct, at least 2

    Returns
    -------
    ndarray of shape (n_factors,), float64
        :math:`\prod_{j \neq k} \lambda_j/(\lambda_j - \lambda_k)`; their sum is 1.
    """
    return np.array([prod(b / (b - a) for b in factors if b != a) for a in factors])


def extrapolate(
    values: Sequence[Values],
    factors: Sequence[float],
    fit: Fit,
    asymptote: float | Values = 0.0,
    stderr: Sequence[Values] | None = None,
) -> Extrapolation:
    r"""Extrapolate every entry to noise strength 0.

    Parameters
    ----------
    values : sequence of n_factors ndarrays of one shape
        The entries at every noise strength.
    factors : sequence of float, ascending, distinct, at least 2
        The noise strengths.
    fit : {"exponential", "linear", "richardson"}
        "linear": the least-squares line. "richardson": the polynomial through all points. "exponential":
        :math:`a + b e^{-c\lambda}` with the asymptote a known, by a least-squares line through
        :math:`\log|y_k - a|` with the weights :math:`((y_k - a)/\sigma_k)^2`, which is to first order the least-squares
        fit of the values themselves.
    asymptote : float, or ndarray that broadcasts to the shape of an entry of `values`
        a; only for "exponential".
    stderr : sequence of n_factors ndarrays, optional
        Standard errors of `values`, independent of each other; 0 where an entry is known. None is all equal.

    Returns
    -------
    Extrapolation
        Entries that are the same at all strengths stay exactly what they are.

    Notes
    -----
    The weights of "linear" and "richardson" depend on the factors alone: the result is the same linear combination of
    matrices for all entries, and unbiased wherever the model holds. "exponential" leaves out values that are closer to
    the asymptote than three standard errors (for exact values: rounding), as their logarithm says nothing. Where fewer
    than two values are left, or values on both sides of the asymptote, it is not defined and "linear" answers. All fits
    are functions of the values of one entry, whatever stands beside it.
    """
    shape = values[0].shape
    found = np.empty(shape)
    errors = None if stderr is None else np.empty(shape)
    limit = np.broadcast_to(np.asarray(asymptote, dtype=np.float64), shape)
    rows = max(1, _BLOCK // max(1, prod(shape[1:])))
    num_linear = 0
    for start in range(0, shape[0], rows):
        block = slice(start, start + rows)
        y = np.stack([v[block] for v in values])
        sigma = None if stderr is None else np.stack([s[block] for s in stderr])
        coefficients = richardson_coefficients(factors) if fit == "richardson" else linear_coefficients(factors)
        at_zero = np.tensordot(coefficients, y, axes=1)
        slopes = np.broadcast_to(coefficients.reshape(-1, *[1] * (y.ndim - 1)), y.shape)
        constant = (y == y[0]).all(axis=0)
        if fit == "exponential":
            bent, derivatives, defined = _exponential(y, factors, limit[block], sigma)
            at_zero = np.where(defined, bent, at_zero)
            slopes = np.where(defined, derivatives, slopes)
            num_linear += int((~defined & ~constant).sum())
        found[block] = np.where(constant, y[0], at_zero)
        if errors is not None and sigma is not None:
            errors[block] = np.sqrt(np.square(slopes * sigma).sum(axis=0))
    return Extrapolation(found, errors, num_linear)


def _exponential(
    y: Values, factors: Sequence[float], asymptote: Values, sigma: Values | None
) -> tuple[Values, Values, NDArray[np.bool_]]:
    """Values at 0, their derivatives with respect to y, and where both are defined."""
    distance = y - asymptote
    size = np.abs(distance)
    least = _ROUNDING * (np.abs(asymptote) + np.abs(y).max(axis=0)) if sigma is None else _RESOLVED * sigma
    resolved = (size > least) & (size > 0)
    above, count = (resolved & (distance > 0)).sum(axis=0), resolved.sum(axis=0)
    defined = (count >= 2) & ((above == count) | (above == 0))
    top = np.where(defined, np.where(resolved, size, 0.0).max(axis=0), 1.0)
    relative = np.where(defined & resolved, size / top, 1.0)
    logs = np.log(relative)
    weights = np.where(resolved, relative, 0.0)
    if sigma is not None:
        sampled = (sigma > 0).all(axis=0)
        weights *= np.where(sampled, sigma.min(axis=0) / np.where(sampled, sigma, 1.0), 1.0)
    weights /= np.where(count > 0, weights.max(axis=0), 1.0)
    weights = np.where(resolved, np.square(np.maximum(weights, _LEAST_WEIGHT)), 0.0)
    # A weighted line at 0 is the mean of the lines through two of its points, in proportion to w_i w_j (x_i - x_j)²
    # (Jacobi). Positive terms only: no cancellation where the weights differ by many orders of magnitude.
    pairs = list(combinations(range(len(factors)), 2))
    shares = np.stack([weights[i] * weights[j] * (factors[i] - factors[j]) ** 2 for i, j in pairs])
    shares /= np.where(defined, shares.sum(axis=0), 1.0)
    lines = np.stack([(factors[j] * logs[i] - factors[i] * logs[j]) / (factors[j] - factors[i]) for i, j in pairs])
    intercept = (shares * lines).sum(axis=0)
    slopes = np.zeros_like(y)
    for (i, j), share, line in zip(pairs, shares, lines, strict=True):
        reweighed = 2.0 * share * (line - intercept)  # the weights move with y, too
        slopes[i] += share * factors[j] / (factors[j] - factors[i]) + reweighed
        slopes[j] -= share * factors[i] / (factors[j] - factors[i]) - reweighed
    with np.errstate(over="ignore"):  # factors that nearly coincide
        height = top * np.exp(intercept)
    defined &= np.isfinite(height)
    height = np.where(defined, np.where(above > 0, height, -height), 0.0)
    return asymptote + height, height * slopes / np.where(defined & resolved, distance, 1.0), defined
