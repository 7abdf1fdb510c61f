"""Shots shared among pairs: optimality, whole numbers, levels, pilots; and pooled measurements."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.programs import allocate_shots, pool_frequencies, wilson_stderr


def problem(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.02, 0.98, n), rng.normal(size=n) * 10 ** rng.uniform(-1, 1, n)


def variance(k: np.ndarray, g: np.ndarray, shots: np.ndarray) -> float:
    return float((g**2 * k * (1 - k) / shots).sum())


def best_whole_numbers(k: np.ndarray, g: np.ndarray, total: int, minimum: int) -> np.ndarray:
    """Exactly optimal, since the variance is convex in every number: each further shot where it helps most."""
    w = g**2 * k * (1 - k)
    shots = np.full(len(k), minimum)
    heap = [(-w_p / (minimum * (minimum + 1)), p) for p, w_p in enumerate(w)]
    heapq.heapify(heap)
    for _ in range(total - minimum * len(k)):
        p = heap[0][1]
        shots[p] += 1
        heapq.heapreplace(heap, (-w[p] / (shots[p] * (shots[p] + 1)), p))
    return shots


# The optimum ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_variance_is_the_neyman_optimum(seed: int, n: int) -> None:
    k, g = problem(seed, n)
    total = 100_000 * n
    shots = allocate_shots(k, g, total)
    sigma = np.abs(g) * np.sqrt(k * (1 - k))
    optimum = sigma.sum() ** 2 / total
    ideal = total * sigma / sigma.sum()
    assert shots.sum() == total
    assert np.abs(shots - ideal).max() < 1  # nothing is at the minimum here
    assert optimum * (1 - 1e-12) <= variance(k, g, shots) <= optimum * (ideal / np.floor(ideal)).max()


@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 30), st.integers(0, 2000))
def test_never_worse_than_uniform(seed: int, n: int, minimum: int, extra: int) -> None:
    k, g = problem(seed, n)
    total = n * (minimum + extra)
    shots = allocate_shots(k, g, total, minimum=minimum)
    uniform = np.full(n, minimum + extra)
    # Shares are optimal; rounding one down loses less than one shot of it, and of `minimum` nothing.
    assert variance(k, g, shots) <= variance(k, g, uniform) * (1 + 1 / minimum)
    if extra > 100:
        assert variance(k, g, shots) < variance(k, g, uniform)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 20), st.integers(0, 400))
def test_against_the_best_whole_numbers(seed: int, n: int, minimum: int, extra: int) -> None:
    k, g = problem(seed, n)
    total = n * minimum + extra
    shots = allocate_shots(k, g, total, minimum=minimum)
    best = best_whole_numbers(k, g, total, minimum)
    assert shots.dtype == np.int64
    assert shots.sum() == total
    assert shots.min() >= minimum
    assert variance(k, g, shots) <= variance(k, g, best) * (1 + 1 / minimum)


def test_pairs_below_the_minimum_are_lifted_at_the_cost_of_all_others() -> None:
    # Weights 1 : 9 : 90; 100 shots at a minimum of 10 leave 90 for the others, of which 9 : 90 gives 8.2 to the second.
    k = np.full(3, 0.5)
    np.testing.assert_array_equal(allocate_shots(k, [1, 9, 90], 100, minimum=10), [10, 10, 80])
    np.testing.assert_array_equal(allocate_shots(k, [1, 9, 90], 1000, minimum=10), [10, 90, 900])


def test_minimum_for_all_is_the_whole_budget() -> None:
    np.testing.assert_array_equal(allocate_shots([0.5, 0.1, 0.2], [1, 2, 3], 21, minimum=7), [7, 7, 7])


def test_minimum_of_none() -> None:
    np.testing.assert_array_equal(allocate_shots([0.5, 0.5, 0.5], [0, 1, 3], 100, minimum=0), [0, 25, 75])


def test_largest_remainders() -> None:
    # Shares 2.6, 2.6, 7.8: the third has the largest fraction; of the equal ones the earlier goes first.
    np.testing.assert_array_equal(allocate_shots([0.5, 0.5, 0.5], [1, 1, 3], 13), [3, 2, 8])


@pytest.mark.parametrize(("k", "g"), [(0.3, 0.0), (0.0, 1.0), (1.0, 1.0)], ids=["importance", "zero", "one"])
def test_nothing_to_prefer_is_uniform(k: float, g: float) -> None:
    np.testing.assert_array_equal(allocate_shots([k] * 4, [g] * 4, 10), [3, 3, 2, 2])


def test_sign_and_size_of_importance_play_no_role() -> None:
    k, g = problem(5, 20)
    reference = allocate_shots(k, g, 12_345)
    np.testing.assert_array_equal(allocate_shots(k, -g, 12_345), reference)
    np.testing.assert_array_equal(allocate_shots(k, 2.0**900 * g, 12_345), reference)
    np.testing.assert_array_equal(allocate_shots(k, 2.0**-900 * g, 12_345), reference)


def test_importance_over_all_orders_of_magnitude() -> None:
    shots = allocate_shots([0.0, 0.5, 0.5, 1e-300], [1e300, 1e-300, 2e-300, 0.0], 300, minimum=0)
    np.testing.assert_array_equal(shots, [0, 100, 200, 0])


def test_largest_budget_adds_up() -> None:
    k, g = problem(6, 5000)
    assert allocate_shots(k, g, 10**13).sum() == 10**13


# Levels ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 8), st.integers(0, 3), st.integers(0, 500))
def test_levels_are_few_and_within_the_budget(seed: int, n: int, levels: int, minimum: int, extra: int) -> None:
    k, g = problem(seed, n)
    total = max(n * (minimum + extra), 1)
    shots = allocate_shots(k, g, total, minimum=minimum, levels=levels)
    numbers, sizes = np.unique(shots, return_counts=True)
    assert len(numbers) <= levels
    assert shots.min() >= minimum
    # What is left is too little for one more shot of any level (levels may coincide, so sizes are sums of classes).
    assert 0 <= total - shots.sum() < sizes.max()


@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 10))
def test_levels_are_within_the_bound_of_polya_and_szego(seed: int, n: int, levels: int) -> None:
    k, g = problem(seed, n)
    total = 1_000_000 * n
    shots = allocate_shots(k, g, total, levels=levels)
    sigma = np.abs(g) * np.sqrt(k * (1 - k))
    ratio = (sigma.max() / sigma.min()) ** (1 / levels)
    bound = (1 + ratio) ** 2 / (4 * ratio) * sigma.sum() ** 2 / total
    assert variance(k, g, shots) <= bound * (1 + 1 / (shots.min() - 1))


def test_one_level_is_uniform() -> None:
    k, g = problem(7, 10)
    np.testing.assert_array_equal(allocate_shots(k, g, 1009, levels=1), np.full(10, 100))


def test_as_many_levels_as_it_takes_is_no_limit() -> None:
    k, g = np.full(4, 0.5), np.array([1.0, 4.0, 16.0, 64.0])
    np.testing.assert_array_equal(allocate_shots(k, g, 8500, levels=4), allocate_shots(k, g, 8500))


def test_classes_share_by_their_root_mean_square() -> None:
    # Importances 1, 7 | 50 in two geometric classes (the border is √50): root mean squares 5 and 50.
    np.testing.assert_array_equal(allocate_shots([0.5] * 3, [1, 7, 50], 6000, levels=2), [500, 500, 5000])


def test_rest_goes_to_classes_that_are_small_enough() -> None:
    # Weights 1 (three pairs) and 9: shares of 14 shots are 14/12 and 10.5; 3 + 10 leave one, too little for the three.
    np.testing.assert_array_equal(allocate_shots([0.5] * 4, [1, 1, 1, 9], 14, levels=2), [1, 1, 1, 11])


def test_level_of_pairs_without_importance() -> None:
    np.testing.assert_array_equal(allocate_shots([0.5] * 3, [0, 1, 1], 8, levels=2), [2, 3, 3])


# Pilots ---------------------------------------------------------------------------------------------------------


def test_pilot_of_all_or_no_counts_is_not_certain() -> None:
    values, g = np.array([0.0, 1.0, 0.5]), np.ones(3)
    np.testing.assert_array_equal(allocate_shots(values, g, 1000), [1, 1, 998])
    # Jeffreys: (0 + 1/2)/(8 + 1) = 1/18, deviation √17/18, beside 1/2.
    deviations = np.array([17**0.5 / 18, 17**0.5 / 18, 0.5])
    shots = allocate_shots(values, g, 100_000, pilot_shots=8)
    assert np.abs(shots - 100_000 * deviations / deviations.sum()).max() < 1


def test_pilot_with_shots_of_every_pair() -> None:
    values, g = np.zeros(2), np.ones(2)
    smoothed = np.array([0.5 / 5, 0.5 / 101])
    deviations = np.sqrt(smoothed * (1 - smoothed))
    shots = allocate_shots(values, g, 100_000, pilot_shots=[4, 100])
    assert np.abs(shots - 100_000 * deviations / deviations.sum()).max() < 1


def test_pilot_that_is_counted_in() -> None:
    # 30 shots each, of 300: the rest makes the pooled numbers optimal.
    k, g = np.full(3, 0.5), np.array([1.0, 1.0, 8.0])
    more = allocate_shots(k, g, 300, minimum=30, pilot_shots=30) - 30
    np.testing.assert_array_equal(more, [0, 0, 210])


# Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "importance", "words"),
    [
        ([[0.5]], [1.0], r"values of allocate_shots must be of shape \(n_pairs,\); got shape \(1, 1\)"),
        ([], [], r"values of allocate_shots must be of shape \(n_pairs,\); got shape \(0,\)"),
        ([0.5], 1.0, r"importance of allocate_shots must be of shape \(n_pairs,\); got shape \(\)"),
        ([0.5, np.nan], [1.0, 1.0], "values of allocate_shots must be finite; got 1 entries such as nan"),
        ([0.5, 0.5], [1.0, np.inf], "importance of allocate_shots must be finite; got 1 entries such as inf"),
        ([0.5, -0.25], [1.0, 1.0], r"values of allocate_shots must hold probabilities in \[0, 1\]; got -0.25"),
        ([0.5, 1.25], [1.0, 1.0], r"values of allocate_shots must hold probabilities in \[0, 1\]; got 1.25"),
        ([0.5, 0.5], [1.0], "importance of allocate_shots must have one entry for each of the 2 values; got 1"),
        (["a"], [1.0], r"values of allocate_shots must be an array of real numbers; got \['a'\]"),
        ([0.5], [1j], r"importance of allocate_shots must be an array of real numbers; got \[1j\]"),
    ],
    ids=["matrix", "empty", "scalar", "nan", "inf", "negative", "above one", "lengths", "text", "complex"],
)
def test_bad_data(values: object, importance: object, words: str) -> None:
    with pytest.raises(InvalidDataError, match=words):
        allocate_shots(values, importance, 100)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"total": 3}, r"at least minimum \* n_pairs = 2 \* 2 = 4; got 3"),
        ({"total": 0, "minimum": 0}, r"total of allocate_shots must be an integer from 1 to 1e\+13; got 0"),
        ({"total": -5}, r"total .* got -5"),
        ({"total": 10.0}, r"total .* got 10.0"),
        ({"total": True}, r"total .* got True"),
        ({"total": 10**14}, r"total .* got 100000000000000"),
        ({"minimum": -1}, "minimum of allocate_shots must be an integer >= 0; got -1"),
        ({"minimum": 1.5}, "minimum .* got 1.5"),
        ({"levels": 0}, "levels of allocate_shots must be None or an integer >= 1; got 0"),
        ({"levels": 2.0}, "levels .* got 2.0"),
        ({"pilot_shots": 0}, "pilot_shots of allocate_shots must be None, an integer >= 1 or one for each .* got 0"),
        ({"pilot_shots": [10, 0]}, r"pilot_shots .* got \[10, 0\]"),
        ({"pilot_shots": [10, 10, 10]}, r"pilot_shots .* each of the 2 values; got \[10, 10, 10\]"),
        ({"pilot_shots": 2.5}, r"pilot_shots .* got 2.5"),
    ],
    ids=str,
)
def test_bad_parameters(options: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidParameterError, match=words):
        allocate_shots([0.5, 0.5], [1.0, 2.0], **{"total": 100, "minimum": 2, **options})  # type: ignore[arg-type]


# Pooling --------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000))
def test_pooled_is_one_run_with_all_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shots_a, shots_b = rng.integers(0, 50, 20), rng.integers(1, 500, 20)
    counts_a, counts_b = rng.binomial(shots_a, 0.4), rng.binomial(shots_b, 0.4)
    with np.errstate(invalid="ignore"):
        values, shots = pool_frequencies(counts_a / shots_a, shots_a, counts_b / shots_b, shots_b)
    np.testing.assert_array_equal(shots, shots_a + shots_b)
    assert shots.dtype == np.int64
    np.testing.assert_allclose(values, (counts_a + counts_b) / shots, rtol=1e-14)
    # Wilson's half-width at one sigma, by its textbook form.
    expected = np.sqrt(values * (1 - values) * shots + 0.25) / (shots + 1)
    np.testing.assert_allclose(wilson_stderr(values, shots), expected, rtol=1e-12)


def test_pooling_broadcasts() -> None:
    values, shots = pool_frequencies(0.5, 10, [[0.5, 1.0]], [[10], [30]])
    np.testing.assert_allclose(values, [[0.5, 0.75], [0.5, 0.875]])
    np.testing.assert_array_equal(shots, [[20, 20], [40, 40]])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0.5], [10], [1.5], [10]), r"values_b of pool_frequencies must hold probabilities in \[0, 1\]; got 1.5"),
        (([np.nan], [10], [0.5], [10]), "values_a .* got nan"),
        (([0.5], [-1], [0.5], [10]), r"shots_a of pool_frequencies must be integers >= 0; got \[-1\]"),
        (([0.5], [10], [0.5], [2.5]), r"shots_b of pool_frequencies must be integers >= 0; got \[2.5\]"),
        (([0.5, 0.5], [0, 1], [0.5, 0.5], [0, 1]), "must not both be 0; got 1 such"),
        (([0.5, 0.5], [1, 1, 1], [0.5], [1]), r"must broadcast; got shapes \(2,\) and \(3,\)"),
        (([0.5, 0.5], [1, 1], [0.5] * 3, [1] * 3), r"measurements of .* must broadcast; got \(2,\) and \(3,\)"),
        (([0.5], [10], ["a"], [10]), r"values_b of pool_frequencies must be an array of real numbers; got \['a'\]"),
    ],
    ids=["above one", "nan", "negative shots", "no integers", "no shots", "shapes", "measurements", "text"],
)
def test_bad_measurements(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(InvalidDataError, match=words):
        pool_frequencies(*arguments)  # type: ignore[arg-type]
