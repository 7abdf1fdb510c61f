"""Bandwidth: how data become angles. Every rule is an affine map of each feature.

A quantum kernel on raw or standardised data is near chance; scaled, it is close to a tuned RBF (arXiv:2111.05451,
arXiv:2206.06686). A per-feature scale is needed: one factor for all features cannot serve columns of different units.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import BandwidthWarning, InvalidParameterError
from qkernels.feature_maps._base import ScaleRule

__all__ = ["AffineScaling", "Bandwidth", "check_bandwidth", "fit_scaling"]

Bandwidth = float | Literal["scale"]
Values = NDArray[np.float64]

TARGET_MEAN = 0.55
"""Mean off-diagonal entry that the search aims at: far from both the identity and the all-ones matrix."""

TARGET_TOLERANCE = 0.005

SEARCH_POINTS = 100

SEARCH_RANGE = (2.0**-20, 2.0**20)
"""Factors tried, by doubling: beyond a million, the circuit does not depend on the data in any useful way."""


@dataclass(frozen=True, slots=True, eq=False)
class AffineScaling:
    """θ = factor · (x − offset), feature by feature.

    Attributes
    ----------
    offset, factor : ndarray of shape (n_features,), float64
    """

    offset: Values
    factor: Values

    def __call__(self, X: Values) -> Values:
        """Angles for the rows of X.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_features), float64, C-contiguous
        """
        return np.ascontiguousarray((X - self.offset) * self.factor)


def check_bandwidth(bandwidth: object, owner: str) -> Bandwidth:
    """The bandwidth, validated.

    Parameters
    ----------
    bandwidth : object
    owner : str
        Class name for errors.

    Returns
    -------
    "scale" or float

    Raises
    ------
    InvalidParameterError
        Neither "scale" nor a positive finite number.
    """
    if isinstance(bandwidth, str) and bandwidth == "scale":
        return "scale"
    if isinstance(bandwidth, Real) and not isinstance(bandwidth, bool) and 0 < float(bandwidth) < inf:
        return float(bandwidth)
    raise InvalidParameterError(
        f"bandwidth of {owner} must be 'scale' (learned from the data) or a positive number that multiplies raw X; "
        f"got {bandwidth!r}."
    )


def fit_scaling(
    bandwidth: Bandwidth,
    rule: ScaleRule,
    X: Values,
    weights: Values,
    mean_overlap: Callable[[Values], float],
) -> AffineScaling:
    """Learn the scaling from training data.

    The magnitude of a feature plays no role, down to the smallest normal number (2e-308); below, it counts as constant.

    Parameters
    ----------
    bandwidth : "scale" or float
    rule : ScaleRule
        Of the feature map.
    X : ndarray of shape (n_samples, n_features)
    weights : ndarray of shape (n_samples,), >= 0, not all 0, of a finite sum
    mean_overlap : callable
        Angles of shape (n_points, n_features) → mean off-diagonal entry of their kernel matrix. Only called for the
        rule "auto".

    Returns
    -------
    AffineScaling

    Warns
    -----
    BandwidthWarning
        No feature varies, or no factor gives the mean overlap that the rule "auto" looks for.
    """
    d = X.shape[1]
    if bandwidth != "scale":
        return AffineScaling(np.zeros(d), np.full(d, bandwidth))
    kappa = 1.0 if rule.kappa is None else rule.kappa
    X, weights = X[weights > 0], weights[weights > 0]
    scaling = _unit(X, kappa) if rule.kind == "unit" else _standard(X, weights, kappa / sqrt(d))
    if not scaling.factor.any():
        warnings.warn(
            f"bandwidth='scale' finds no variation in X: all of its {d} feature(s) are constant (or below 2e-308) over "
            f"the {len(X)} training row(s) of positive weight. Such features become 0, so every kernel entry is 1, for "
            "new rows too. Pass data that vary, or a numeric bandwidth, which multiplies raw X.",
            BandwidthWarning,
            stacklevel=2,
        )
    elif rule.kind == "auto":
        factor = _search_factor(scaling(_representatives(X)), mean_overlap)
        return AffineScaling(scaling.offset, _finite(scaling.factor * factor))
    return scaling


def _standard(X: Values, weights: Values, kappa: float) -> AffineScaling:
    # In units of a power of two per column, which costs no rounding: squares of 1e160 overflow, of 1e-165 underflow.
    _, exponent = np.frexp(np.abs(X).max(axis=0))
    X = np.ldexp(X, -exponent)
    total = weights.sum()
    mean = weights @ X / total
    variance = weights @ (X - mean) ** 2 / total
    # The rounding error of a two-pass variance (Chan, Golub, LeVeque 1983) has this size: a column whose variance is
    # no larger is constant, and dividing by its "deviation" would blow rounding up to angles of order one.
    n, eps = len(X), np.finfo(np.float64).eps
    varies = variance > n * eps * variance + (n * mean * eps) ** 2
    factor = np.zeros_like(mean)
    np.divide(kappa, np.sqrt(variance), out=factor, where=varies)
    with np.errstate(over="ignore"):
        factor = np.ldexp(factor, -exponent)
    return AffineScaling(np.ldexp(mean, exponent), _finite(factor))


def _unit(X: Values, kappa: float) -> AffineScaling:
    low, high = X.min(axis=0), X.max(axis=0)
    half = high / 2 - low / 2  # the whole range may exceed the largest number
    factor = np.zeros_like(low)
    with np.errstate(over="ignore"):
        np.divide(kappa / 2, half, out=factor, where=half > 0)
    return AffineScaling(low, _finite(factor))


def _finite(factor: Values) -> Values:
    """Factors of columns so small that no number scales them up are 0, as for constant columns."""
    return np.where(np.isfinite(factor), factor, 0.0)


def _representatives(X: Values) -> Values:
    """At most 100 distinct rows, chosen by their content: the same in any order and with any repetition of rows."""
    rows = np.unique(X, axis=0)
    if len(rows) <= SEARCH_POINTS:
        return rows
    digests = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows + 0.0]  # −0.0 is 0.0
    return rows[np.sort(np.argsort(np.array(digests, dtype="S16"), kind="stable")[:SEARCH_POINTS])]


def _search_factor(angles: Values, mean_overlap: Callable[[Values], float]) -> float:
    """Bisect log(factor) until the mean off-diagonal entry is about .55; 1 where no factor reaches it."""
    if len(angles) < 2:
        return 1.0
    low = high = 1.0
    mean = mean_overlap(angles)
    if mean >= TARGET_MEAN:
        while mean >= TARGET_MEAN and high < SEARCH_RANGE[1]:
            low, high = high, 2 * high
            mean = mean_overlap(high * angles)
        reached = mean < TARGET_MEAN
    else:
        while mean < TARGET_MEAN and low > SEARCH_RANGE[0]:
            low, high = low / 2, low
            mean = mean_overlap(low * angles)
        reached = mean >= TARGET_MEAN
    if not reached:
        warnings.warn(
            f"bandwidth='scale' found no factor with a mean off-diagonal kernel entry of {TARGET_MEAN}: it is "
            f"{mean:.3g} at the end of the search. The circuit may not depend on X. Standardised X is used unscaled; "
            f"pass a numeric bandwidth to choose yourself.",
            BandwidthWarning,
            stacklevel=2,
        )
        return 1.0
    for _ in range(30):
        factor = sqrt(low * high)
        mean = mean_overlap(factor * angles)
        if abs(mean - TARGET_MEAN) <= TARGET_TOLERANCE:
            break
        low, high = (factor, high) if mean > TARGET_MEAN else (low, factor)
    return factor
