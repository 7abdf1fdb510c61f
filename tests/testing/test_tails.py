"""Tail probabilities against exact rational arithmetic, and Holm's correction against its definition."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact, norm

from qkernels.testing._tails import binomial_tails, holm_rejections, level_of_sigma, two_sample_tails

# A tail is a product and a sum of at most 300 rounded numbers; log-binomials of up to 300 are off by 300 eps.
ROUNDING = 1e-11


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def binomial_oracle(k: int, n: int, p: Fraction) -> Fraction:
    mass = [comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(n + 1)]
    return min(2 * min(sum(mass[: k + 1], Fraction()), sum(mass[k:], Fraction())), Fraction(1))


def fisher_oracle(k_a: int, n_a: int, k_b: int, n_b: int) -> Fraction:
    """Twice the hypergeometric tail on the side of the larger frequency, at most 1."""
    if k_a * n_b < k_b * n_a:
        k_a, n_a, k_b, n_b = k_b, n_b, k_a, n_a
    hits = k_a + k_b
    tail = sum(comb(n_a, i) * comb(n_b, hits - i) for i in range(k_a, min(hits, n_a) + 1))
    return min(Fraction(2 * tail, comb(n_a + n_b, hits)), Fraction(1))


@given(n=st.integers(1, 60), data=st.data())
def test_binomial_tails_are_exact(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    p = data.draw(st.fractions(0, 1, max_denominator=1000))
    found = binomial_tails(whole(k), whole(n), np.array([float(p)]))
    np.testing.assert_allclose(found, float(binomial_oracle(k, n, Fraction(float(p)))), rtol=ROUNDING)


@given(data=st.data())
def test_two_sample_tails_are_exact(data: st.DataObject) -> None:
    n_a, n_b = (data.draw(st.integers(1, 150)) for _ in "ab")
    k_a, k_b = (data.draw(st.integers(0, n)) for n in (n_a, n_b))
    found = two_sample_tails(whole(k_a), whole(n_a), whole(k_b), whole(n_b))
    np.testing.assert_allclose(found, float(fisher_oracle(k_a, n_a, k_b, n_b)), rtol=ROUNDING)
    np.testing.assert_array_equal(found, two_sample_tails(whole(k_b), whole(n_b), whole(k_a), whole(n_a)))


def test_two_sample_tails_equal_scipy_at_many_shots() -> None:
    rng = np.random.default_rng(0)
    shots = rng.integers(1, 10**6, size=(2, 40))
    p = rng.uniform(size=40)
    k_a, k_b = rng.binomial(shots[0], p), rng.binomial(shots[1], np.clip(p + rng.normal(0, 1e-3, 40), 0, 1))
    found = two_sample_tails(k_a, shots[0], k_b, shots[1])
    for i in range(40):
        table = [[k_a[i], k_b[i]], [shots[0, i] - k_a[i], shots[1, i] - k_b[i]]]
        more = k_a[i] * shots[1, i] >= k_b[i] * shots[0, i]
        tail = fisher_exact(table, alternative="greater" if more else "less").pvalue
        # Logarithms of binomials of 2e6 shots are of the order of 2e7, each rounded to eps.
        assert found[i] == pytest.approx(min(2 * tail, 1.0), rel=1e-7)


@pytest.mark.parametrize(
    ("k", "n", "p", "tail"),
    [
        (0, 5, 0.0, 1.0),
        (1, 5, 0.0, 0.0),  # a count that cannot be
        (5, 5, 1.0, 1.0),
        (4, 5, 1.0, 0.0),
        (0, 1, 0.25, 1.0),
        (1, 1, 0.25, 0.5),  # twice P(1)
        (1, 1, 0.5, 1.0),
        (0, 1, 1.0, 0.0),
        (7, 10, 1 + 1e-16, 0.0),  # rounding beyond 1
        (0, 10, -1e-17, 1.0),
    ],
)
def test_binomial_tails_at_the_edges(k: int, n: int, p: float, tail: float) -> None:
    np.testing.assert_allclose(binomial_tails(whole(k), whole(n), np.array([p])), tail, rtol=1e-14)


@pytest.mark.parametrize(
    ("a", "b", "tail"),
    [
        ((0, 1), (0, 1), 1.0),
        ((1, 1), (1, 1), 1.0),
        ((0, 1), (1, 1), 1.0),  # 2 · 1/2
        ((0, 1000), (0, 3), 1.0),
        ((3, 3), (1000, 1000), 1.0),
        ((4, 4), (0, 4), 2 / 70),  # 2 / C(8, 4)
        ((0, 4), (4, 4), 2 / 70),
        ((1, 1), (0, 9), 0.2),
    ],
)
def test_two_sample_tails_at_the_edges(a: tuple[int, int], b: tuple[int, int], tail: float) -> None:
    np.testing.assert_allclose(two_sample_tails(*map(whole, a), *map(whole, b)), tail, rtol=1e-13)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0, 3.0, 5.0, 8.0])
def test_level_is_the_two_sided_tail_of_a_normal_variable(sigma: float) -> None:
    assert level_of_sigma(sigma) == pytest.approx(2 * norm.sf(sigma), rel=1e-12)


@given(p=st.lists(st.floats(0, 0.05), min_size=1, max_size=12), level=st.floats(0.001, 0.2))
def test_holm_rejects_step_by_step(p: list[float], level: float) -> None:
    """By the definition: the smallest against level/m, the next against level/(m − 1), …, until one stays."""
    rejected, left = set(), sorted(range(len(p)), key=lambda i: p[i])
    while left and p[left[0]] <= level / len(left):
        rejected.add(left.pop(0))
    assert set(np.flatnonzero(holm_rejections(np.array(p), level)).tolist()) == rejected
