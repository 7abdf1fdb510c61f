"""`assert_kernels_close`: its false-alarm rate and power, what counts as one entry, its messages and refusals."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from qkernels._errors import InvalidParameterError
from qkernels.engines import StatevectorEngine
from qkernels.feature_maps import ZZFeatureMap
from qkernels.programs import OverlapProgram, Overlaps
from qkernels.testing import assert_kernels_close

Real = NDArray[np.float64]

CIRCUIT = ZZFeatureMap().build(3)
PROGRAM = OverlapProgram(CIRCUIT, CIRCUIT.parameters)
ROWS = np.random.default_rng(0).uniform(-1, 1, size=(12, 3))
EXACT = StatevectorEngine().overlaps(PROGRAM, ROWS)


def sampled(shots: int, seed: int) -> Overlaps:
    return StatevectorEngine(shots=shots, seed=seed).overlaps(PROGRAM, ROWS)


def differs(*arguments: object, **options: object) -> bool:
    try:
        assert_kernels_close(*arguments, **options)
    except AssertionError:
        return True
    return False


# What agrees ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shots", [1, 30, 10_000])
def test_a_sampled_matrix_agrees_with_the_exact_one_and_with_another_sample(shots: int) -> None:
    assert_kernels_close(sampled(shots, 1), EXACT)
    assert_kernels_close(EXACT, sampled(shots, 1))
    assert_kernels_close(sampled(shots, 1), sampled(2 * shots, 2))
    assert_kernels_close(sampled(shots, 1).values, EXACT.values, shots=sampled(shots, 1).num_shots)
    assert_kernels_close(EXACT, EXACT.values + 9e-10)


def test_both_orientations_are_frequencies_of_all_their_shots() -> None:
    engine = StatevectorEngine(shots=101, seed=0)
    assert_kernels_close(engine.overlaps(PROGRAM, ROWS, orientation="both"), EXACT)


def test_pairs_of_different_shots() -> None:
    pairs = np.stack(np.triu_indices(12, 1), axis=1)
    shots = np.arange(1, len(pairs) + 1)
    answer = StatevectorEngine(shots=1, seed=0).overlaps(PROGRAM, ROWS, pairs=pairs, shots=shots)
    assert_kernels_close(answer, EXACT.values[tuple(pairs.T)])
    assert_kernels_close(answer.values, sampled(50, 1).values[tuple(pairs.T)], shots=shots, expected_shots=50)


# Statistics -------------------------------------------------------------------------------------------------------

REPEATS = 1000
SIGMA = 1.5  # a level of 0.134, so that false alarms are frequent enough to be counted


def alarms(draw: Callable[[np.random.Generator, Real], dict[str, object]], p: Real) -> int:
    rng = np.random.default_rng(5)
    return sum(differs(**draw(rng, p), sigma=SIGMA) for _ in range(REPEATS))


NULL: dict[str, Callable[[np.random.Generator, Real], dict[str, object]]] = {
    "exact-reference": lambda rng, p: {"actual": rng.binomial(40, p) / 40, "expected": p, "shots": 40},
    "exact-actual": lambda rng, p: {"actual": p, "expected": rng.binomial(40, p) / 40, "expected_shots": 40},
    "two-samples": lambda rng, p: {
        "actual": rng.binomial(200, p) / 200,
        "expected": rng.binomial(80, p) / 80,
        "shots": 200,
        "expected_shots": 80,
    },
    "one-shot": lambda rng, p: {"actual": rng.binomial(1, p) / 1, "expected": p, "shots": 1},
}


@pytest.mark.parametrize("name", NULL)
@pytest.mark.parametrize("width", [0.5, 0.01], ids=["spread", "near-the-edges"])
def test_false_alarms_stay_below_the_level(name: str, width: float) -> None:
    """1000 comparisons of 20 entries without a difference: at most the level, up to 5 sigma of the binomial count."""
    level = 0.13361440253771584  # P(|z| > 1.5)
    rng = np.random.default_rng(1)
    p = rng.uniform(0, width, size=20)
    p[::2] = 1 - p[::2]
    found = alarms(NULL[name], p)
    assert found <= binom.isf(3e-7, REPEATS, level)
    if name == "exact-reference" and width == 0.5:
        assert found > 0  # the test below would otherwise be about nothing


@pytest.mark.parametrize("shift", [0.03, -0.03])
@pytest.mark.parametrize("both_sampled", [False, True], ids=["exact-reference", "two-samples"])
def test_a_shift_of_one_entry_is_found(shift: float, both_sampled: bool) -> None:
    """100 entries of 20,000 shots at 0.4, one of them moved by 0.03.

    The threshold is 5.7e-9 for the entry, |z| > 5.83; the shift is z = 8.7 for one sample and 6.1 for two. It is missed
    by one sample with a probability of 0.3 %, so at most 3 times of 40 but for 1e-5; by two with about 40 %, so it is
    found at least 10 times of 40 but for 1e-5.
    """
    rng = np.random.default_rng(3)
    p = np.full(100, 0.4)
    q = p.copy()
    q[17] += shift
    found = 0
    for _ in range(40):
        actual = rng.binomial(20_000, q) / 20_000
        if both_sampled:
            reference = rng.binomial(20_000, p) / 20_000
            found += differs(actual, reference, shots=20_000, expected_shots=20_000)
        else:
            found += differs(actual, p, shots=20_000)
    assert found >= (10 if both_sampled else 37)


def test_an_impossible_count_is_a_difference_whatever_sigma() -> None:
    p = np.array([0.0, 1.0, 0.5])
    assert differs([0.001, 1.0, 0.5], p, shots=1000, sigma=37.0)
    assert differs([0.0, 0.999, 0.5], p, shots=1000, sigma=37.0)
    assert not differs([0.0, 1.0, 0.5], p, shots=1000, sigma=1e-3)


def test_sigma_sets_the_level_and_nothing_else() -> None:
    """One entry at one shot: P(1) = 0.001, two-sided 0.002, between the levels of 3.0 and 3.2 sigma."""
    assert differs([1.0], [0.001], shots=1, sigma=3.0)
    assert not differs([1.0], [0.001], shots=1, sigma=3.2)


def test_twenty_thousand_pairs_take_well_under_a_second() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=20_000)
    a, b = (rng.binomial(4096, p) / 4096 for _ in "ab")
    seconds = []
    for expected, options in ((p, {}), (b, {"expected_shots": 4096})):
        start = perf_counter()
        assert_kernels_close(a, expected, shots=4096, **options)
        seconds.append(perf_counter() - start)
    # Measured 0.04 and 0.06 s; the bound only says that nothing loops over entries.
    assert max(seconds) < 1.0


# What counts as one entry -----------------------------------------------------------------------------------------


def message(*arguments: object, **options: object) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_kernels_close(*arguments, **options)
    return str(caught.value)


def test_an_unordered_pair_counts_once() -> None:
    """Both sides are symmetric: 66 pairs and no diagonal, which noiseless engines know."""
    low = sampled(1000, 0)
    wrong = np.where(np.eye(12) > 0, 1.0, EXACT.values / 2)
    assert "of 66 sampled entries" in message(low, wrong)
    assert "of 66 sampled entries" in message(wrong, low)
    assert "of 72 sampled entries" in message(low.values[:6], wrong[:6], shots=1000)  # a cross block
    wrong[0, 1] += 0.25  # no training matrix any more
    assert "of 132 sampled entries" in message(low, wrong)


def test_the_threshold_is_that_of_distinct_pairs() -> None:
    """Two-sided tail 0.002 of a pair at one shot: rejected at the level 0.0027 of sigma=3 only where it counts once."""
    once = np.array([[1.0, 1.0], [1.0, 1.0]])
    shots = np.array([[0, 1], [1, 0]])
    assert differs(once, [[1.0, 0.001], [0.001, 1.0]], shots=shots, sigma=3.0)
    assert not differs(once, [[1.0, 0.001], [0.00100001, 1.0]], shots=shots, sigma=3.0)


def test_known_entries_are_compared_exactly_beside_sampled_ones() -> None:
    answer = sampled(1000, 0)
    expected = EXACT.values.copy()
    expected[3, 3] = 1 - 1e-6
    text = message(answer, expected)
    assert text == (
        "Kernel matrices differ: 1 of 12 exact entries by more than atol=1e-09.\n"
        "Worst entry (3, 3): actual 1.0, expected 0.999999, difference 1e-06."
    )
    assert_kernels_close(answer, expected, atol=2e-6)
    measured = StatevectorEngine(shots=1000, seed=0).overlaps(PROGRAM, ROWS, diagonal=True)
    assert differs(measured.values - np.diag([0.001] * 12), answer, shots=1000)  # 999 of 1000 where 1 is known


def test_both_kinds_of_difference_are_told() -> None:
    expected = EXACT.values.copy()
    expected[3, 3], expected[0, 1], expected[1, 0] = 0.5, 0.99, 0.99
    text = message(sampled(1000, 0), expected)
    assert "1 of 66 sampled entries" in text
    assert "1 of 12 exact entries" in text


# Messages ---------------------------------------------------------------------------------------------------------


def test_message_for_sampled_entries() -> None:
    text = message([[0.5, 0.25, 0.9]], [[0.5, 0.5, 0.5]], shots=[[100, 40, 400]])
    tail = 2 * binom.sf(359, 400, 0.5)
    assert text == (
        "Kernel matrices differ: 1 of 3 sampled entries (family-wise level 5.7e-07, sigma=5, Holm).\n"
        "Worst entry (0, 2): actual 0.9 (360 of 400 shots), expected 0.5 (exact): two-sided tail "
        f"{tail:.2g}, threshold 1.9e-07.\n"
        "Matrices with the same underlying values give such a failure in at most 1 of 1,744,278 comparisons."
    )


def test_message_for_two_samples_and_tails_below_all_floats() -> None:
    text = message([0.3, 1.0], [0.3, 0.0], shots=10**6, expected_shots=[10, 10**5])
    assert "1 of 2 sampled entries" in text
    assert "Worst entry (1,): actual 1 (1,000,000 of 1,000,000 shots), expected 0 (0 of 100,000 shots)" in text
    assert "two-sided tail below 1e-300" in text


def test_the_worst_of_several_tails_below_all_floats_is_the_largest_difference() -> None:
    assert "Worst entry (1,)" in message([0.7, 0.9, 0.8], [0.1, 0.1, 0.1], shots=10**6)


def test_message_for_exact_entries() -> None:
    assert message([0.25, 0.5, 0.75], [0.25, 0.375, 0.75 + 1e-6]) == (
        "Kernel matrices differ: 2 of 3 exact entries by more than atol=1e-09.\n"
        "Worst entry (1,): actual 0.5, expected 0.375, difference 0.125."
    )


# Misuse -----------------------------------------------------------------------------------------------------------

GOOD = [[0.5, 0.25]]
OVERLAPS = Overlaps(np.array(GOOD), num_shots=np.array([[4, 4]]))

MISUSE: dict[str, tuple[object, object, dict[str, object], str]] = {
    "shapes": (GOOD, [0.5, 0.25], {}, r"must have one shape; got \(1, 2\) and \(2,\)"),
    "text": (["a"], ["b"], {}, "actual must be a non-empty array of real numbers, or an Overlaps; got .* dtype <U1"),
    "complex": (GOOD, [[1j, 0]], {}, "expected must be a non-empty array of real numbers.* dtype complex128"),
    "empty": ([], [], {}, r"actual must be a non-empty array .* got shape \(0,\)"),
    "number": (0.5, 0.5, {}, r"actual must be a non-empty array .* got shape \(\)"),
    "nan": ([[0.5, np.nan]], GOOD, {}, r"actual must be finite; got nan in entry \(0, 1\)"),
    "infinite": (GOOD, [[-np.inf, 0]], {}, r"expected must be finite; got -inf in entry \(0, 0\)"),
    "above-one": (
        [[0.5, 1.25]],
        GOOD,
        {"shots": 4},
        r"actual must lie in \[0, 1\] .* got 1\.25 in entry \(0, 1\) of 4",
    ),
    "below-zero": (
        GOOD,
        [[0.5, -0.25]],
        {"expected_shots": 4},
        r"expected must lie in \[0, 1\] .* got -0\.25 in entry",
    ),
    "no-count": (
        [[0.5, 0.3]],
        GOOD,
        {"shots": [[4, 4]]},
        r"actual must be multiples of 1/shots .* got 0\.3 in entry \(0, 1\), which is 1\.2 of 4 shots\. Check shots\.",
    ),
    "no-expected-count": (
        GOOD,
        [[0.5, 0.3]],
        {"expected_shots": 4},
        r"expected must be multiples .* Check expected_shots",
    ),
    "exact-outside": (
        GOOD,
        [[0.5, 1.01]],
        {"shots": 4},
        r"expected must lie in \[0, 1\] where it is held .* got 1\.01",
    ),
    "actual-outside": ([[0.5, -0.01]], GOOD, {"expected_shots": 4}, r"actual must lie in \[0, 1\] .* entry \(0, 1\)"),
    "shots-twice": (OVERLAPS, GOOD, {"shots": 4}, "shots must be left out where actual is an Overlaps.* got 4"),
    "expected-shots-twice": (
        GOOD,
        OVERLAPS,
        {"expected_shots": 4},
        "expected_shots must be left out where expected is",
    ),
    "zero-shots": (GOOD, GOOD, {"shots": 0}, "shots must be >= 1; got 0"),
    "negative-shots": (GOOD, GOOD, {"shots": [[4, -4]]}, r"shots must be >= 0 \(0 says .*\); got -4"),
    "float-shots": (
        GOOD,
        GOOD,
        {"shots": 4.0},
        r"shots must be an integer, or integers of the shape \(1, 2\) of actual",
    ),
    "bool-shots": (GOOD, GOOD, {"shots": True}, "shots must be an integer.* dtype bool"),
    "shots-shape": (GOOD, GOOD, {"expected_shots": [4, 4, 4]}, r"expected_shots must be .* got shape \(3,\)"),
    "sigma-zero": (GOOD, GOOD, {"sigma": 0}, "sigma must be a finite number > 0; got 0"),
    "sigma-underflow": (GOOD, GOOD, {"sigma": 40}, r"sigma must be at most 37\.5; got 40, whose level is below"),
    "sigma-nan": (GOOD, GOOD, {"sigma": np.nan}, "sigma must be a finite number > 0; got nan"),
    "sigma-text": (GOOD, GOOD, {"sigma": "5"}, "sigma must be a finite number > 0; got '5'"),
    "atol-negative": (GOOD, GOOD, {"atol": -1e-9}, "atol must be a finite number >= 0; got -1e-09"),
    "atol-bool": (GOOD, GOOD, {"atol": True}, "atol must be a finite number >= 0; got True"),
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_is_no_difference(name: str) -> None:
    actual, expected, options, pattern = MISUSE[name]
    with pytest.raises(InvalidParameterError, match=pattern):
        assert_kernels_close(actual, expected, **options)


def test_the_largest_sigma_has_a_level() -> None:
    text = message([0.0], [1.0], shots=10**6, sigma=37.5)
    assert "two-sided tail below 1e-300" in text
    assert "in at most 1 of " in text


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_frequencies_in_low_precision_are_counts(dtype: type[np.floating]) -> None:
    """Half a unit in the last place of 1 is 6e-8 and 5e-4; counts of fewer shots than that are told apart."""
    values = np.arange(301) / 300
    low = values.astype(dtype)
    assert np.abs(low.astype(float) - values).max() > 1e-9
    assert_kernels_close(low, values, shots=300)
    assert_kernels_close(Overlaps(low, num_shots=np.full(301, 300)), values)
    with pytest.raises(InvalidParameterError, match=r"which is 150\.[45]\d* of 300 shots"):
        assert_kernels_close(np.array([150.5 / 300], dtype=dtype), [0.5], shots=300)


def test_a_refused_frequency_is_shown_as_finely_as_it_is_read() -> None:
    with pytest.raises(InvalidParameterError, match=r"got 0\.30000001 in entry .* is 300\.00001 of 1,000 shots"):
        assert_kernels_close([0.30000001], [0.3], shots=1000)


def test_rounded_frequencies_are_counts() -> None:
    """As read from a file with ten digits, or pooled from several rounds."""
    counts = np.arange(0, 4097, 7)
    values = counts / 4096
    assert_kernels_close(np.round(values, 10), values, shots=4096)
