"""Whether two kernel matrices agree: exact statistics where entries were sampled, a tolerance where they are exact."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidParameterError
from qkernels.programs import Overlaps
from qkernels.testing._sides import Side, read_side
from qkernels.testing._tails import LARGEST_SIGMA, binomial_tails, holm_rejections, level_of_sigma, two_sample_tails

__all__ = ["Comparison", "assert_kernels_close", "compare"]

Values = NDArray[np.float64]


def assert_kernels_close(
    actual: ArrayLike | Overlaps,
    expected: ArrayLike | Overlaps,
    *,
    shots: ArrayLike | None = None,
    expected_shots: ArrayLike | None = None,
    sigma: float = 5.0,
    atol: float = 1e-9,
) -> None:
    r"""Raise unless two kernel matrices agree, up to shot noise where entries were sampled.

    Every entry is judged by what is known about it:

    - exact on both sides: the values differ by at most `atol`;
    - sampled on one side: exact tails of Binomial(shots, k) for the exact value k;
    - sampled on both sides: Fisher's exact test of two counts with one unknown probability.

    The p-values of all sampled entries are corrected by Holm's procedure, so the probability that *any* entry of two
    matrices with the same underlying values is found different is at most the family-wise level.

    Parameters
    ----------
    actual, expected : array-like of real numbers, or Overlaps
        Of one shape: a matrix, or the values of pairs. An `Overlaps` carries its shots. Frequencies in single or half
        precision are counts up to their rounding.
    shots, expected_shots : int >= 1, or array-like of int >= 0, optional
        Shots behind the entries of `actual` and of `expected`. None is exact; in an array, 0 marks an entry that is
        known without sampling (the diagonal of a noiseless engine).
    sigma : float in (0, 37.5], default=5.0
        Sets the family-wise level, the two-sided tail of a normal variable beyond `sigma`, and nothing else: 5 is
        5.7e-7, or one false alarm in 1.7 million comparisons; 3 is 0.0027.
    atol : float >= 0, default=1e-9
        Largest difference of entries that are exact on both sides. A frequency is held against the exact value as it
        is: one count where the value is 0 is a difference.

    Raises
    ------
    AssertionError
        The matrices differ. Says which entry is the worst, its values and shots, its tail probability and the threshold
        it is held against, how many entries fail, and the false-alarm level.
    InvalidParameterError
        The shapes differ; an array is empty, not real or not finite; shots are no integers of the right shape and size,
        or were given beside an `Overlaps`; a sampled value is outside [0, 1] or no multiple of 1/shots; an exact value
        held against a frequency is outside [0, 1]; `sigma` or `atol` break their rules.

    See Also
    --------
    check_engine : what else an engine has to keep.

    Notes
    -----
    A symmetric training matrix counts every unordered pair once, since its two entries are one measurement.

    Averages over two orientations (``orientation="both"``) are frequencies of all their shots; where the orientations
    have different probabilities, the tails are a little too large, so the level holds.

    With a fixed seed the draws are always the same: a false alarm, once there, stays until the seed changes.

    Cost: 20,000 pairs of 4,096 shots take less than 0.1 s; the test of two samples grows with the square root of the
    shots.

    References
    ----------
    Fisher, "Statistical Methods for Research Workers", 1934; Holm, Scandinavian Journal of Statistics 6 (1979) 65.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels import FidelityKernel, OverlapProgram, StatevectorEngine, ZZFeatureMap
    >>> from qkernels.testing import assert_kernels_close
    >>> circuit = ZZFeatureMap().build(2)
    >>> program = OverlapProgram(circuit, circuit.parameters)
    >>> X = np.linspace(0.0, 1.0, 8).reshape(4, 2)
    >>> exact = StatevectorEngine().overlaps(program, X)
    >>> sampled = StatevectorEngine(shots=1000, seed=0).overlaps(program, X)
    >>> assert_kernels_close(sampled, exact)
    >>> assert_kernels_close(np.round(sampled.values[0, 1:] / 2, 3), exact.values[0, 1:], shots=1000)
    Traceback (most recent call last):
    ...
    AssertionError: Kernel matrices differ: 3 of 3 sampled entries (family-wise level 5.7e-07, sigma=5, Holm).
    ...
    """
    __tracebackhide__ = True
    comparison = compare(
        read_side(actual, shots, "actual", "shots"),
        read_side(expected, expected_shots, "expected", "expected_shots"),
        sigma,
        atol,
    )
    if comparison.message:
        raise AssertionError(comparison.message)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Outcome of a comparison.

    Attributes
    ----------
    num_failed : int
        Entries found different.
    message : str
        "" where the matrices agree.
    """

    num_failed: int
    message: str


def compare(actual: Side, expected: Side, sigma: float, atol: float) -> Comparison:
    """Compare two sides.

    Parameters
    ----------
    actual, expected : Side
    sigma, atol : float
        As in `assert_kernels_close`.

    Returns
    -------
    Comparison

    Raises
    ------
    InvalidParameterError
        The shapes differ, an exact value held against a frequency is outside [0, 1], or `sigma` or `atol` break their
        rules.
    """
    for name, value, least in (("sigma", sigma, "> 0"), ("atol", atol, ">= 0")):
        allowed = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(value) and value >= 0
        if not allowed or (name == "sigma" and value == 0):
            raise InvalidParameterError(f"{name} must be a finite number {least}; got {value!r}.")
    if sigma > LARGEST_SIGMA:
        raise InvalidParameterError(
            f"sigma must be at most {LARGEST_SIGMA:g}; got {sigma!r}, whose level is below the smallest float."
        )
    if actual.values.shape != expected.values.shape:
        raise InvalidParameterError(
            f"actual and expected must have one shape; got {actual.values.shape} and {expected.values.shape}."
        )
    sampled = (actual.shots > 0) | (expected.shots > 0)
    considered = np.ones_like(sampled)
    if sampled.any() and actual.is_symmetric(atol) and expected.is_symmetric(atol):
        considered = np.triu(considered)  # K_ij and K_ji are one measurement
    exact_failed, exact_message = _compare_exact(actual, expected, np.argwhere(considered & ~sampled), atol)
    failed, message = _compare_sampled(actual, expected, np.argwhere(considered & sampled), sigma, atol)
    return Comparison(exact_failed + failed, "\n".join(part for part in (message, exact_message) if part))


def _compare_exact(actual: Side, expected: Side, where: NDArray[np.intp], atol: float) -> tuple[int, str]:
    """Entries without shots on both sides, in the words of `actual`."""
    index = tuple(where.T)
    difference = np.abs(actual.values[index] - expected.values[index])
    failed = int((difference > atol).sum())
    if failed == 0:
        return 0, ""
    k = int(np.argmax(difference))
    worst = tuple(int(i) for i in where[k])
    return failed, (
        f"Kernel matrices differ: {failed:,} of {len(where):,} {actual.noun} by more than atol={atol:g}.\n"
        f"Worst entry {worst}: actual {float(actual.values[worst])!r}, expected {float(expected.values[worst])!r}, "
        f"difference {float(difference[k]):.3g}."
    )


def _compare_sampled(
    actual: Side, expected: Side, where: NDArray[np.intp], sigma: float, atol: float
) -> tuple[int, str]:
    """Entries that at least one side measured."""
    if len(where) == 0:
        return 0, ""
    level = level_of_sigma(sigma)
    index = tuple(where.T)
    tails = _tails(actual, expected, index, atol)
    failed = int(holm_rejections(tails, level).sum())
    if failed == 0:
        return 0, ""
    difference = np.abs(actual.values[index] - expected.values[index])
    k = int(np.lexsort((-difference, tails))[0])  # tails too small for a float are all 0
    worst = tuple(int(i) for i in where[k])
    return failed, (
        f"Kernel matrices differ: {failed:,} of {len(where):,} sampled entries (family-wise level {level:.2g}, "
        f"sigma={sigma:g}, Holm).\n"
        f"Worst entry {worst}: actual {actual.describe(worst)}, expected {expected.describe(worst)}: two-sided tail "
        f"{_smallest(tails[k])}, threshold {level / len(where):.2g}.\n"
        f"Matrices with the same underlying values give such a failure in at most 1 of {1 / level:,.0f} comparisons."
    )


def _tails(actual: Side, expected: Side, index: tuple[NDArray[np.intp], ...], atol: float) -> Values:
    """Two-sided p-values of entries by the test that fits what is known about each."""
    n_a, n_b = actual.shots[index], expected.shots[index]
    k_a, k_b = actual.counts[index], expected.counts[index]
    tails = np.empty(len(n_a))
    both = (n_a > 0) & (n_b > 0)
    tails[both] = two_sample_tails(k_a[both], n_a[both], k_b[both], n_b[both])
    for here, counts, shots, known in (((n_a > 0) & ~both, k_a, n_a, expected), ((n_b > 0) & ~both, k_b, n_b, actual)):
        probabilities = known.values[index][here]
        _check_probabilities(probabilities, tuple(i[here] for i in index), known.name, atol)
        tails[here] = binomial_tails(counts[here], shots[here], probabilities)
    return tails


def _smallest(tail: float) -> str:
    return f"{tail:.2g}" if tail > 0.0 else "below 1e-300"


def _check_probabilities(values: Values, index: tuple[NDArray[np.intp], ...], name: str, atol: float) -> None:
    outside = np.flatnonzero((values < -atol) | (values > 1.0 + atol))
    if len(outside):
        where = tuple(int(i[outside[0]]) for i in index)
        raise InvalidParameterError(
            f"{name} must lie in [0, 1] where it is held against a frequency; got {float(values[outside[0]])!r} in "
            f"entry {where}. Compare matrices before mitigation or repair."
        )
