"""A budget of shots shared among pairs, and two measurements of them in one. Plain functions of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.programs._shots import MAX_SHOTS, as_numbers, as_probabilities, is_count_from

__all__ = ["allocate_shots", "pool_frequencies"]

Values = NDArray[np.float64]
Counts = NDArray[np.int64]

SAME_LOG = 1e-12
"""Shares that differ by less than this factor are one level: the difference is rounding."""


def allocate_shots(
    values: ArrayLike,
    importance: ArrayLike,
    total: int,
    *,
    minimum: int = 1,
    levels: int | None = None,
    pilot_shots: ArrayLike | None = None,
) -> Counts:
    r"""Share a budget of shots among pairs so that what depends on all of them has the least variance.

    .. math:: s_p \propto |g_p| \sqrt{k_p (1 - k_p)}, \quad s_p \ge \mathrm{minimum}, \quad \sum_p s_p = \mathrm{total}

    minimises the variance :math:`\sum_p g_p^2 k_p (1 - k_p) / s_p` of :math:`\sum_p g_p \hat k_p` (Neyman allocation).

    Parameters
    ----------
    values : array-like of shape (n_pairs,), float in [0, 1]
        k_p, one for each unordered pair: exact, or of a pilot run (`pilot_shots`).
    importance : array-like of shape (n_pairs,), float
        g_p, the derivative of what matters with respect to the measured value of the pair, which stands in a Gram
        matrix twice; only its absolute value and only ratios count. All 0 is all equal.
    total : int
        Shots to share, at least ``minimum * n_pairs``.
    minimum : int >= 0, default=1
        Shots of every pair. 0 makes sense where a pilot has measured every pair.
    levels : int >= 1, optional
        At most so many different numbers of shots, for devices where one request has one number. None is no limit.
    pilot_shots : int >= 1, or array-like of shape (n_pairs,), optional
        The shots behind `values`, where they are estimates: an entry that was 0 or 1 in all of them may not count
        as known. None takes `values` as exact.

    Returns
    -------
    ndarray of shape (n_pairs,), int64
        Their sum is `total`; with `levels`, at most `total`, and what is left is less than a shot more for the pairs
        of any level.

    Raises
    ------
    InvalidDataError
        `values` or `importance` is no vector, has NaN, infinite or (for `values`) entries outside [0, 1]; they have
        different lengths, or none.
    InvalidParameterError
        `total`, `minimum`, `levels` or `pilot_shots` breaks its rule, or `total` is less than `minimum` for every pair.

    Notes
    -----
    Shares below `minimum` are lifted to it and the others share what remains, which is the optimum under that
    constraint. Fractions of shots go to the pairs with the largest ones, to earlier pairs first where they are equal.

    With `pilot_shots` S, k is replaced by its posterior mean (kS + ½)/(S + 1) (Jeffreys' prior), which is never 0 or 1.

    With `levels` L, pairs are sorted into L classes of geometric width by their optimal number of shots; all pairs of a
    class get the same number, and the classes share the budget by the same rule with the root mean square of g√(k(1−k))
    as weight. But for whole shots, and where `minimum` lifts nothing, the variance is at most (1 + r)²/(4r) of the
    optimum if optimal numbers within a class differ by a factor up to r (the inequality of Pólya and Szegő): 1.125 for
    r = 2. What rounding leaves goes to the classes that are small enough for one more shot per pair.

    The pilot may be counted in: ``allocate_shots(k, g, total, minimum=pilot, pilot_shots=pilot) - pilot`` are the shots
    still to run if all shots are pooled (`pool_frequencies`) and `total` includes the pilot's.

    Cost: O(n_pairs log n_pairs).

    References
    ----------
    Neyman, "On the two different aspects of the representative method", Journal of the Royal Statistical Society 97,
    558 (1934).
    Xu et al., "AQKA: Active quantum kernel acquisition under a shot budget", arXiv:2605.14672.

    Examples
    --------
    >>> from qkernels.programs import allocate_shots
    >>> allocate_shots([0.5, 0.5, 0.1], [1.0, 2.0, 1.0], 3600)
    array([1000, 2000,  600])
    >>> allocate_shots([0.5, 0.5, 0.0], [1.0, 2.0, 1.0], 3600)  # 0 has no variance, if that is exact
    array([1200, 2399,    1])
    >>> allocate_shots([0.5, 0.5, 0.0], [1.0, 2.0, 1.0], 3600, pilot_shots=10)
    array([1054, 2107,  439])
    >>> allocate_shots([0.5, 0.5, 0.1], [1.0, 2.0, 1.0], 3600, levels=2)
    array([ 813, 1974,  813])
    """
    owner = "allocate_shots"
    entries = _vector(values, "values")
    gradient = np.abs(_vector(importance, "importance"))
    as_probabilities(entries, "values", owner)
    if entries.shape != gradient.shape:
        raise InvalidDataError(
            f"importance of {owner} must have one entry for each of the {len(entries)} values; got {len(gradient)}."
        )
    if not is_count_from(minimum, 0):
        raise InvalidParameterError(f"minimum of {owner} must be an integer >= 0; got {minimum!r}.")
    if levels is not None and not is_count_from(levels, 1):
        raise InvalidParameterError(f"levels of {owner} must be None or an integer >= 1; got {levels!r}.")
    if not is_count_from(total, 1) or total > MAX_SHOTS:
        raise InvalidParameterError(f"total of {owner} must be an integer from 1 to {MAX_SHOTS:.0e}; got {total!r}.")
    if total < minimum * len(entries):
        raise InvalidParameterError(
            f"total of {owner} must be at least minimum * n_pairs = {minimum} * {len(entries)} = "
            f"{minimum * len(entries)}; got {total}. Raise the budget, or measure fewer pairs."
        )
    if pilot_shots is not None:
        shots = np.asarray(pilot_shots)
        if shots.dtype.kind not in "iu" or shots.shape not in ((), entries.shape) or not (shots >= 1).all():
            raise InvalidParameterError(
                f"pilot_shots of {owner} must be None, an integer >= 1 or one for each of the {len(entries)} values; "
                f"got {pilot_shots!r}."
            )
        entries = (entries * shots + 0.5) / (shots + 1.0)
    sigma = np.sqrt(entries * (1.0 - entries))
    gradient = np.where(sigma > 0.0, gradient, 0.0)
    weights = gradient / (gradient.max() or 1.0) * sigma  # relative: squares would overflow or vanish
    ones = np.ones(len(entries), dtype=np.int64)
    if levels is None:
        return _apportion(weights, ones, int(minimum), int(total))
    classes = _geometric_classes(np.maximum(_shares(weights, ones, int(minimum), int(total)), 1.0), int(levels))
    sizes = np.bincount(classes)
    mean_square = np.bincount(classes, weights=weights**2) / sizes
    return _apportion(np.sqrt(mean_square), sizes, int(minimum), int(total))[classes]


def pool_frequencies(
    values_a: ArrayLike, shots_a: ArrayLike, values_b: ArrayLike, shots_b: ArrayLike
) -> tuple[Values, Counts]:
    r"""Pool two measurements of the same probabilities.

    .. math:: k = (k_a S_a + k_b S_b) / (S_a + S_b)

    Parameters
    ----------
    values_a, values_b : array-like of float in [0, 1]
        Relative frequencies; all four arguments broadcast against each other. Where there are no shots, the value is
        not looked at and may be NaN.
    shots_a, shots_b : array-like of int >= 0
        The shots behind them; not both 0.

    Returns
    -------
    values : ndarray of float64
        What one run with all shots would have given: the same counts over the same shots.
    shots : ndarray of int64
        S_a + S_b, of the same shape.

    Raises
    ------
    InvalidDataError
        A value is NaN or outside [0, 1], shots are no integers or negative, both are 0, or shapes do not broadcast.

    See Also
    --------
    wilson_stderr : the standard error of the pooled values.

    Notes
    -----
    Pooled counts are binomial if the shots of the second run were fixed beforehand. Where they were chosen by the first
    run's values (`allocate_shots`), pooled values have a bias of the order of the first run's variance: an entry
    that looked like 0 gets fewer shots to be corrected with.

    References
    ----------
    Neyman, "Contribution to the theory of sampling human populations", Journal of the American Statistical Association
    33, 101 (1938): double sampling.

    Examples
    --------
    >>> from qkernels.programs import pool_frequencies, wilson_stderr
    >>> values, shots = pool_frequencies([0.5, 0.0], 10, [0.6, 0.2], [90, 10])
    >>> values, shots
    (array([0.59, 0.1 ]), array([100,  20]))
    >>> wilson_stderr(values, shots).round(4)
    array([0.0489, 0.0682])
    """
    owner = "pool_frequencies"
    counted: list[tuple[Values, Counts]] = []
    for name, values, shots in (("a", values_a, shots_a), ("b", values_b, shots_b)):
        trials = np.asarray(shots)
        if trials.dtype.kind not in "iu" or not (trials >= 0).all():
            raise InvalidDataError(f"shots_{name} of {owner} must be integers >= 0; got {shots!r}.")
        entries = as_numbers(values, f"values_{name}", owner)
        try:
            frequencies, trials = np.broadcast_arrays(entries, trials.astype(np.int64))
        except ValueError as error:
            raise InvalidDataError(
                f"values_{name} and shots_{name} of {owner} must broadcast; got shapes {np.shape(values)} and "
                f"{np.shape(shots)}."
            ) from error
        measured = np.where(trials > 0, frequencies, 0.0)
        counted.append((as_probabilities(measured, f"values_{name}", owner), trials))
    (a, shots_of_a), (b, shots_of_b) = counted
    try:
        pooled = np.asarray(shots_of_a + shots_of_b)
    except ValueError as error:
        raise InvalidDataError(f"The measurements of {owner} must broadcast; got {a.shape} and {b.shape}.") from error
    if not (pooled > 0).all():
        raise InvalidDataError(
            f"shots_a and shots_b of {owner} must not both be 0; got {int((pooled == 0).sum())} such."
        )
    return np.asarray((a * shots_of_a + b * shots_of_b) / pooled), pooled


def _shares(weights: Values, sizes: Counts, minimum: int, total: int) -> Values:
    """The real s = max(minimum, c·weights) with Σ sizes · s = total: the optimum under s ≥ minimum."""
    largest = weights.max()
    weights = weights / largest if largest > 0.0 else np.ones(len(weights))  # where nothing counts, all do alike
    order = np.argsort(weights, kind="stable")
    w, n = weights[order], sizes[order]
    # With the m lightest at the minimum, the others share what remains; the first m that puts none of them below it.
    remaining = total - minimum * (np.cumsum(n) - n)
    above = remaining / np.cumsum((w * n)[::-1])[::-1] * w >= minimum
    m = int(np.argmax(above)) if above.any() else len(w) - 1  # the heaviest alone: only rounding leads here
    scale = float(remaining[m]) / float((w[m:] * n[m:]).sum())
    shares = np.empty(len(w))
    shares[order] = np.where(np.arange(len(w)) < m, minimum, np.maximum(scale * w, minimum))
    return shares


def _apportion(weights: Values, sizes: Counts, minimum: int, total: int) -> Counts:
    """Whole shots for classes of `sizes` pairs: shares rounded down, then one more by largest fraction, where it fits.

    What is left goes to the classes that are small enough for it, by the same rule. Every round drops a class at least:
    the rest is less than one shot for all classes, so one of them gets none, as it is larger than what is left then.
    """
    shots = np.zeros(len(weights), dtype=np.int64)
    active, budget = np.arange(len(weights)), total
    while len(active):
        size = sizes[active]
        shares = _shares(weights[active], size, minimum, budget)
        given = np.floor(shares).astype(np.int64)
        rest = budget - int(size @ given)
        order = np.argsort(given - shares, kind="stable")  # largest fraction first
        one_more = order[np.cumsum(size[order]) <= rest]
        given[one_more] += 1
        shots[active] = given
        rest -= int(size[one_more].sum())
        active = active[size <= rest]
        budget = rest + int(sizes[active] @ shots[active])
    return shots


def _geometric_classes(shares: Values, levels: int) -> NDArray[np.intp]:
    """Classes 0, 1, … of shares: intervals of equal width of their logarithms, without the empty ones."""
    logs = np.log(shares)
    width = (logs.max() - logs.min()) / levels
    if width <= SAME_LOG:
        return np.zeros(len(shares), dtype=np.intp)
    number = np.minimum(np.floor((logs - logs.min()) / width), levels - 1)
    return np.asarray(np.unique(number, return_inverse=True)[1])


def _vector(given: ArrayLike, name: str) -> Values:
    vector = as_numbers(given, name, "allocate_shots")
    if vector.ndim != 1 or not len(vector):
        raise InvalidDataError(f"{name} of allocate_shots must be of shape (n_pairs,); got shape {vector.shape}.")
    if not np.isfinite(vector).all():
        wrong = vector[~np.isfinite(vector)]
        raise InvalidDataError(f"{name} of allocate_shots must be finite; got {len(wrong)} entries such as {wrong[0]}.")
    return vector
