"""Shot rules against binomial sampling, random matrices and formulas by hand."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.programs import shots_for_gram_error, shots_for_stderr, shots_to_resolve

# shots_for_stderr -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "stderr", "shots"),
    [(0.5, 0.01, 2500), (0.1, 0.01, 900), (None, 0.01, 2500), (0.5, 0.3, 3), (0.0, 0.01, 1), (1.0, 1e-9, 1)],
    ids=str,
)
def test_shots_of_one_entry(k: float | None, stderr: float, shots: int) -> None:
    assert shots_for_stderr(k, stderr) == shots


def test_shots_are_just_enough() -> None:
    k = np.linspace(0.01, 0.99, 99)
    shots = shots_for_stderr(k, 0.013)
    assert (k * (1 - k) / shots <= 0.013**2).all()
    assert (k * (1 - k) / (shots - 1) > 0.013**2).all()


def test_arrays_broadcast() -> None:
    shots = shots_for_stderr([[0.5], [0.1]], [0.1, 0.05])
    assert shots.dtype == np.int64
    np.testing.assert_array_equal(shots, [[25, 100], [9, 36]])
    np.testing.assert_array_equal(shots_for_stderr(None, [0.1, 0.05]), [25, 100])


@pytest.mark.parametrize("k", [-0.1, 1.5, np.nan, [0.5, 2.0]], ids=str)
def test_bad_entries(k: object) -> None:
    with pytest.raises(InvalidDataError, match=r"k of shots_for_stderr must hold probabilities in \[0, 1\]; got"):
        shots_for_stderr(k, 0.1)  # type: ignore[arg-type]


def test_what_holds_no_numbers() -> None:
    with pytest.raises(InvalidDataError, match="k of shots_for_stderr must be an array of real numbers; got 'a'"):
        shots_for_stderr("a", 0.1)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match="stderr of shots_for_stderr must be an array of real numbers; got"):
        shots_for_stderr(0.5, "a")  # type: ignore[arg-type]


@pytest.mark.parametrize("stderr", [0.0, -0.1, np.nan, np.inf, [0.1, 0.0]], ids=str)
def test_bad_stderr(stderr: object) -> None:
    with pytest.raises(InvalidParameterError, match="stderr of shots_for_stderr must be positive and finite; got"):
        shots_for_stderr(0.5, stderr)  # type: ignore[arg-type]


@pytest.mark.parametrize("stderr", [1e-7, 1e-200], ids=str)
def test_stderr_out_of_reach(stderr: float) -> None:
    with pytest.raises(InvalidParameterError, match=r"more than 1e\+13 shots; got 1e-"):
        shots_for_stderr(0.5, stderr)


def test_shapes_that_do_not_broadcast() -> None:
    with pytest.raises(InvalidParameterError, match=r"k of shape \(3,\); got shape \(2,\)"):
        shots_for_stderr([0.1, 0.2, 0.3], [0.1, 0.2])


# shots_to_resolve -----------------------------------------------------------------------------------------------


def test_spread_is_two_sigmas_at_the_answer() -> None:
    mean, variance = 0.3, 0.002
    assert np.sqrt(variance) == pytest.approx(2 * np.sqrt(mean * (1 - mean) / shots_to_resolve(mean, variance)))


@pytest.mark.parametrize("mean", [0.0, 0.4, 1.0], ids=str)
def test_entries_without_spread_are_never_resolved(mean: float) -> None:
    assert shots_to_resolve(mean, 0.0) == inf


@pytest.mark.parametrize("mean", [-0.1, 1.1, np.nan, "half", True], ids=str)
def test_bad_mean_to_resolve(mean: object) -> None:
    with pytest.raises(
        InvalidParameterError, match=rf"mean of shots_to_resolve must be a number in \[0, 1\]; got {mean!r}"
    ):
        shots_to_resolve(mean, 0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("variance", [-0.1, np.nan, inf, None], ids=str)
def test_bad_variance(variance: object) -> None:
    with pytest.raises(InvalidParameterError, match=f"variance of shots_to_resolve must be .* >= 0; got {variance!r}"):
        shots_to_resolve(0.5, variance)  # type: ignore[arg-type]


# shots_for_gram_error -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [0.0, 0.2], ids=["equal entries", "spread entries"])
def test_error_of_sampled_matrices(spread: float) -> None:
    n, error, repetitions = 80, 0.5, 40
    rng = np.random.default_rng(3)
    k = np.triu(rng.uniform(0.3 - spread, 0.3 + spread, (n, n)), 1)
    shots = shots_for_gram_error(n, error, mean=0.3)
    norms = []
    for _ in range(repetitions):
        noise = rng.binomial(shots, k) / shots - k
        norms.append(np.linalg.norm(noise + noise.T, ord=2))
    deviation = 5 * np.std(norms) / np.sqrt(repetitions)
    assert np.mean(norms) < error + deviation
    # Not wasteful: for equal variances the norm is the edge up to N^(−2/3) of it, here 5 %; in the spread case the
    # variance is that of the mean entry less the spread's variance, 0.4²/12 of 0.21: 3 % of the deviation.
    assert np.mean(norms) > 0.85 * error


def test_gram_error_by_hand() -> None:
    assert shots_for_gram_error(100, 0.1) == 10_000
    assert shots_for_gram_error(100, 0.1, mean=0.1) == 3600
    assert shots_for_gram_error(100, 0.1, mean=0.0) == 1
    assert shots_for_gram_error(2, 100.0) == 1


@pytest.mark.parametrize("n_rows", [1, 0, 2.5, True, "ten"], ids=str)
def test_bad_rows(n_rows: object) -> None:
    with pytest.raises(InvalidParameterError, match=f"n_rows of shots_for_gram_error must be .* >= 2; got {n_rows!r}"):
        shots_for_gram_error(n_rows, 0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [0.0, -1.0, np.nan, inf, None], ids=str)
def test_bad_gram_error(error: object) -> None:
    with pytest.raises(InvalidParameterError, match=f"error of shots_for_gram_error must be .* > 0; got {error!r}"):
        shots_for_gram_error(10, error)  # type: ignore[arg-type]


def test_any_shots_give_a_huge_error() -> None:
    assert shots_for_gram_error(10, 1e200) == 1


@pytest.mark.parametrize("error", [1e-7, 1e-200], ids=str)
def test_gram_error_out_of_reach(error: float) -> None:
    with pytest.raises(InvalidParameterError, match=rf"more than 1e\+13 shots; got {error!r} for 10 rows"):
        shots_for_gram_error(10, error)


@pytest.mark.parametrize("mean", [-0.1, 1.1, np.nan, None], ids=str)
def test_bad_mean_of_a_gram_matrix(mean: object) -> None:
    with pytest.raises(InvalidParameterError, match=f"mean of shots_for_gram_error must be .*; got {mean!r}"):
        shots_for_gram_error(10, 0.1, mean=mean)  # type: ignore[arg-type]
