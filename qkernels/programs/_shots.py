"""Shot rules: how many shots answer a question. Plain functions of arrays.

Everywhere k is the probability of the outcome that counts, and S shots measure it with variance k(1 − k)/S.
"""

from __future__ import annotations

from math import ceil, inf
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidDataError, InvalidParameterError

__all__ = [
    "MAX_SHOTS",
    "RESOLUTION_SIGMAS",
    "as_numbers",
    "as_probabilities",
    "is_count_from",
    "shots_for_gram_error",
    "shots_for_stderr",
    "shots_to_resolve",
]

Values = NDArray[np.float64]
Counts = NDArray[np.int64]

RESOLUTION_SIGMAS = 2.0
"""Entries that spread by less than this many shot-noise sigmas cannot be told apart (arXiv:2208.11060)."""

CEIL_SLACK = 1e-12
"""Relative. 0.25/0.01² is 2500.0000000000005 in double precision and shall not ask for shot 2501."""

MAX_SHOTS = 10**13
"""Far above any device time; below it, rounding in double precision cannot add up to a whole shot."""


def shots_for_stderr(k: ArrayLike | None, stderr: ArrayLike) -> np.int64 | Counts:
    r"""Shots that measure entries with a standard error of at most `stderr`.

    .. math:: S = \lceil k (1 - k) / \mathrm{stderr}^2 \rceil, \quad S \ge 1

    Parameters
    ----------
    k : array-like of float in [0, 1], or None
        The entries, as far as they are known; None is the worst case, k = 1/2.
    stderr : array-like of float > 0
        Broadcast against `k`.

    Returns
    -------
    ndarray of the common shape, int64; a scalar for scalars

    Raises
    ------
    InvalidDataError
        `k` holds no numbers, or an entry is NaN or outside [0, 1].
    InvalidParameterError
        A `stderr` is not a positive number, asks for more than 1e13 shots, or does not broadcast against `k`.

    Notes
    -----
    For an estimate of 0 or 1 from few shots this says 1 shot, because 0 and 1 have no variance: pass None, or the
    upper end of the estimate's interval, instead.

    References
    ----------
    Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16, 101 (2001).

    Examples
    --------
    >>> from qkernels.programs import shots_for_stderr
    >>> int(shots_for_stderr(None, 0.01))
    2500
    >>> shots_for_stderr([0.5, 0.1, 0.0], 0.01)
    array([2500,  900,    1])
    """
    entries = np.asarray(0.5) if k is None else as_probabilities(k, "k", "shots_for_stderr")
    try:
        errors = as_numbers(stderr, "stderr", "shots_for_stderr")
    except InvalidDataError as error:
        raise InvalidParameterError(str(error)) from error
    if not (errors > 0).all() or not np.isfinite(errors).all():
        raise InvalidParameterError(f"stderr of shots_for_stderr must be positive and finite; got {stderr!r}.")
    try:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # refused below
            exact = entries * (1.0 - entries) / errors**2
    except ValueError as error:
        raise InvalidParameterError(
            f"stderr of shots_for_stderr must broadcast against k of shape {entries.shape}; got shape {errors.shape}."
        ) from error
    if not (exact <= MAX_SHOTS).all():
        raise InvalidParameterError(
            f"stderr of shots_for_stderr asks for more than {MAX_SHOTS:.0e} shots; got {float(errors.min()):.3g}. "
            "Ask for less precision."
        )
    shots: Counts = np.maximum(np.ceil(exact * (1.0 - CEIL_SLACK)), 1.0).astype(np.int64)
    return shots[()]  # a scalar where the array has no dimension


def shots_to_resolve(mean: float, variance: float) -> float:
    r"""Shots per entry at which the spread of kernel entries is two sigmas of their shot noise.

    .. math:: S = 4\, \mathrm{mean} (1 - \mathrm{mean}) / \mathrm{variance}

    Parameters
    ----------
    mean : float in [0, 1]
        Of the exact off-diagonal entries.
    variance : float >= 0
        Of the exact off-diagonal entries, without the shot noise of an estimate.

    Returns
    -------
    float
        Not rounded; infinite where the entries do not spread.

    Raises
    ------
    InvalidParameterError
        `mean` is no number in [0, 1], or `variance` is no finite number >= 0.

    References
    ----------
    Thanasilp et al., "Exponential concentration in quantum kernel methods", arXiv:2208.11060.

    Examples
    --------
    A product map on n qubits has mean 2^−n and variance (3/8)^n − 4^−n: shots grow exponentially.

    >>> from qkernels.programs import shots_to_resolve
    >>> [round(shots_to_resolve(2**-n, (3 / 8) ** n - 4**-n)) for n in (2, 8, 16)]
    [10, 41, 400]
    """
    if not _is_number(mean) or not 0.0 <= mean <= 1.0:
        raise InvalidParameterError(f"mean of shots_to_resolve must be a number in [0, 1]; got {mean!r}.")
    if not _is_number(variance) or not 0.0 <= variance < inf:
        raise InvalidParameterError(f"variance of shots_to_resolve must be a number >= 0; got {variance!r}.")
    return RESOLUTION_SIGMAS**2 * (mean * (1.0 - mean)) / variance if variance > 0.0 else inf


def shots_for_gram_error(n_rows: int, error: float, *, mean: float = 0.5) -> int:
    r"""Shots per entry at which a sampled Gram matrix is within `error` of the exact one in spectral norm.

    .. math:: S = \lceil 4 N\, \mathrm{mean} (1 - \mathrm{mean}) / \mathrm{error}^2 \rceil, \quad S \ge 1

    Parameters
    ----------
    n_rows : int >= 2
        N, the rows of the matrix.
    error : float > 0
        Bound on the expected largest eigenvalue, in absolute value, of sampled minus exact matrix. The eigenvalues of
        the sampled matrix are as close to those of the exact one (Weyl's inequality).
    mean : float in [0, 1], default=0.5
        Of the off-diagonal entries. 0.5 is the worst case.

    Returns
    -------
    int

    Raises
    ------
    InvalidParameterError
        `n_rows` is no integer >= 2, `error` is not a positive number or asks for more than 1e13 shots, or `mean` is no
        number in [0, 1].

    Notes
    -----
    The shot noise is a symmetric random matrix of independent entries with variance σ² = k(1 − k)/S and a diagonal of
    0 (a noiseless diagonal is known). For equal variances its eigenvalues fill [−2σ√N, 2σ√N] (Wigner's semicircle),
    and for finite N the expected largest one lies a little below that edge. Assumed are: each unordered pair measured
    once, independently; many rows (tens); shots enough that single counts do not dominate, S·mean well above 1;
    variances that do not differ much from row to row. mean(1 − mean) is at least the mean of k(1 − k), so that spread
    entries are on the safe side; a few rows with far noisier entries than the others are not.

    References
    ----------
    Wigner, "On the distribution of the roots of certain symmetric matrices", Annals of Mathematics 67, 325 (1958).
    Bandeira and van Handel, "Sharp nonasymptotic bounds on the norm of random matrices with independent entries",
    arXiv:1408.6185.

    Examples
    --------
    >>> from qkernels.programs import shots_for_gram_error
    >>> shots_for_gram_error(100, 1.0), shots_for_gram_error(100, 1.0, mean=0.1)
    (100, 36)
    """
    if not is_count_from(n_rows, 2):
        raise InvalidParameterError(f"n_rows of shots_for_gram_error must be an integer >= 2; got {n_rows!r}.")
    if not _is_number(error) or not 0.0 < error < inf:
        raise InvalidParameterError(f"error of shots_for_gram_error must be a number > 0; got {error!r}.")
    if not _is_number(mean) or not 0.0 <= mean <= 1.0:
        raise InvalidParameterError(f"mean of shots_for_gram_error must be a number in [0, 1]; got {mean!r}.")
    noise = 4.0 * int(n_rows) * mean * (1.0 - mean)
    square = error * error  # not error**2, which raises where it overflows
    if noise > MAX_SHOTS * square:
        raise InvalidParameterError(
            f"error of shots_for_gram_error asks for more than {MAX_SHOTS:.0e} shots; got {error!r} for {n_rows} rows. "
            "Ask for less precision."
        )
    return max(ceil(noise / square * (1.0 - CEIL_SLACK)), 1) if noise else 1


def as_numbers(given: ArrayLike, name: str, owner: str) -> Values:
    """The array as float64."""
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidDataError(f"{name} of {owner} must be an array of real numbers; got {given!r}.") from error


def as_probabilities(given: ArrayLike, name: str, owner: str) -> Values:
    """The array as float64, after checking that all of it is in [0, 1]."""
    entries = as_numbers(given, name, owner)
    wrong = entries[~((entries >= 0.0) & (entries <= 1.0))]  # NaN is neither
    if wrong.size:
        raise InvalidDataError(f"{name} of {owner} must hold probabilities in [0, 1]; got {float(wrong.flat[0]):.6g}.")
    return entries


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def is_count_from(value: object, least: int) -> bool:
    """Whether a value is an integer from `least` on."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
