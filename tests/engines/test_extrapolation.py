"""Fits to noise strength 0, as functions of numbers: exact where the model holds, and against NumPy's polynomials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from qkernels.engines._extrapolation import (
    Fit,
    extrapolate,
    linear_coefficients,
    richardson_coefficients,
)

Values = NDArray[np.float64]
EPS = float(np.finfo(float).eps)

FACTORS = [(1, 2, 3), (1, 3, 5), (1, 2), (1.0, 1.5, 2.0, 4.0), (2, 3, 5, 7, 11)]
every_factors = pytest.mark.parametrize("factors", FACTORS, ids=str)


def strengths(factors: tuple[float, ...], a: float | Values, b: Values, c: Values) -> list[Values]:
    """a + b exp(−c λ) at every factor."""
    return [a + b * np.exp(-c * f) for f in factors]


# Coefficients -----------------------------------------------------------------------------------------------------


@every_factors
def test_linear_is_the_line_of_polyfit(factors: tuple[float, ...]) -> None:
    y = np.random.default_rng(0).normal(size=len(factors))
    line = Polynomial.fit(factors, y, 1)
    assert linear_coefficients(factors) @ y == pytest.approx(line(0.0), abs=1e-12)


@every_factors
def test_richardson_is_exact_for_polynomials(factors: tuple[float, ...]) -> None:
    polynomial = Polynomial(np.random.default_rng(1).normal(size=len(factors)))
    values = [np.array([polynomial(f)]) for f in factors]
    # values of size v carry v·eps, a coefficient makes h·v·eps of it; twice for evaluating the polynomial itself
    bound = 4 * len(factors) * EPS * float(np.abs(richardson_coefficients(factors)) @ np.abs(np.concatenate(values)))
    found = extrapolate(values, factors, "richardson")
    assert abs(found.values[0] - polynomial(0.0)) <= bound


def test_the_coefficients_of_one_two_three() -> None:
    np.testing.assert_allclose(richardson_coefficients((1, 2, 3)), [3, -3, 1], rtol=0, atol=8 * EPS)
    np.testing.assert_allclose(linear_coefficients((1, 2, 3)), [4 / 3, 1 / 3, -2 / 3], rtol=0, atol=8 * EPS)


@pytest.mark.parametrize("coefficients", [linear_coefficients, richardson_coefficients])
@given(scale=st.floats(1e-150, 1e150))
def test_coefficients_do_not_depend_on_the_unit_of_the_factors(coefficients, scale: float) -> None:
    scaled = coefficients([scale * f for f in (1, 2, 3)])
    np.testing.assert_allclose(scaled, coefficients((1, 2, 3)), rtol=0, atol=1e-12)


# The exponential --------------------------------------------------------------------------------------------------


@every_factors
@given(
    a=st.floats(-1, 1),
    b=st.floats(0.05, 2).flatmap(lambda size: st.sampled_from([size, -size])),
    c=st.floats(0, 1),
)
def test_exponential_is_exact_where_the_values_are(factors: tuple[float, ...], a: float, b: float, c: float) -> None:
    values = strengths(factors, a, np.array([b]), np.array([c]))
    found = extrapolate(values, factors, "exponential", a)
    # A distance d from the asymptote has the absolute error (|a| + |d|)·eps of value and subtraction, its logarithm
    # that over d, and a few eps of its own; a line through two of the points multiplies it by at most 2 λ/Δλ.
    least = abs(b) * np.exp(-c * factors[-1])
    spacing = min(np.diff(factors))
    error = (4 * (abs(a) + abs(b)) / least + 4 * (1 + c * factors[-1])) * EPS
    assert abs(found.values[0] - (a + b)) <= 2 * factors[-1] / spacing * error * abs(b) + 2 * EPS
    assert found.num_linear == 0


def test_exponential_is_the_weighted_line_through_the_logarithms() -> None:
    rng = np.random.default_rng(3)
    factors, a = (1.0, 1.5, 3.0, 4.0), 0.25
    y = a + np.exp(-rng.uniform(0.1, 2.0, size=(4, 50)))
    sigma = rng.uniform(0.001, 0.01, size=y.shape)
    for errors in (None, list(sigma)):
        found = extrapolate(list(y), factors, "exponential", a, errors).values
        for k in range(y.shape[1]):
            weight = (y[:, k] - a) / (
                1.0 if errors is None else sigma[:, k]
            )  # polynomials take square roots of weights
            line = Polynomial.fit(factors, np.log(y[:, k] - a), 1, w=weight)
            assert found[k] == pytest.approx(a + np.exp(line(0.0)), rel=1e-11)


@given(exponent=st.integers(-140, 140))
def test_exponential_does_not_depend_on_the_unit_of_the_values(exponent: int) -> None:
    y = [np.array([0.9, -0.5]), np.array([0.5, -0.45]), np.array([0.31, -0.3])]
    scale = 2.0**exponent
    plain = extrapolate(y, (1, 2, 3), "exponential").values
    np.testing.assert_array_equal(extrapolate([scale * v for v in y], (1, 2, 3), "exponential").values, scale * plain)
    factors = tuple(scale * f for f in (1, 2, 3))
    np.testing.assert_allclose(extrapolate(y, factors, "exponential").values, plain, rtol=1e-13)


def test_weights_of_any_ratio_keep_the_line_defined() -> None:
    y = [np.array([1.0]), np.array([1e-100]), np.array([1e-200])]
    found = extrapolate(y, (1, 2, 3), "exponential", 0.0, [1e-3 * v for v in y])
    assert found.values[0] == pytest.approx(1e100, rel=1e-12)
    assert found.num_linear == 0


def test_an_asymptote_for_every_column() -> None:
    a, b = np.array([0.0, 0.5, -0.25]), np.array([[1.0, 0.2, -0.3], [0.4, -0.2, 0.7]])
    values = strengths((1, 2, 3), a, b, np.full_like(b, 0.3))
    np.testing.assert_allclose(extrapolate(values, (1, 2, 3), "exponential", a).values, a + b, rtol=0, atol=1e-13)


# Where the exponential is not defined -----------------------------------------------------------------------------


def test_other_signs_leave_it_to_the_line() -> None:
    y = [np.array([0.3, 0.3, 0.25, 0.2]), np.array([0.26, 0.2, 0.25, 0.2]), np.array([0.254, 0.3, 0.25, 0.2])]
    found = extrapolate(y, (1, 2, 3), "exponential", 0.25)
    line = extrapolate(y, (1, 2, 3), "linear").values
    assert found.num_linear == 1  # 0.3, 0.2, 0.3; three equal values need no fit, also at the asymptote
    assert found.values[1] == line[1]
    assert found.values[0] > 0.3
    assert found.values[2:].tolist() == [0.25, 0.2]


def test_distances_within_rounding_are_no_distances() -> None:
    y = [np.array([0.5 + d]) for d in (3e-16, 2e-16, 1e-16)]
    found = extrapolate(y, (1, 2, 3), "exponential", 0.5)
    assert abs(found.values[0] - 0.5) < 1e-15


def test_distances_within_shot_noise_are_no_distances() -> None:
    y = [np.array([0.3, 0.3, 0.3, 0.029]), np.array([0.1, 0.1, 0.02, -0.3]), np.array([0.031, -0.029, 0.01, 0.01])]
    sigma = [np.full(4, 0.01)] * 3
    found = extrapolate(y, (1, 2, 3), "exponential", 0.0, sigma)
    line = extrapolate(y, (1, 2, 3), "linear", 0.0, sigma)
    two = extrapolate([v[:2] for v in y[:2]], (1, 2), "exponential", 0.0, [s[:2] for s in sigma[:2]])
    assert found.stderr is not None
    assert line.stderr is not None
    assert two.stderr is not None
    assert found.num_linear == 2
    assert found.values[0] != two.values[0] == pytest.approx(0.9)  # 3.1 standard errors: counts
    assert found.values[1] == pytest.approx(two.values[1], rel=1e-14)  # 2.9 below: left out
    assert found.stderr[1] == pytest.approx(two.stderr[1], rel=1e-14)
    np.testing.assert_array_equal(found.values[2:], line.values[2:])  # one value does not make a curve
    np.testing.assert_array_equal(found.stderr[2:], line.stderr[2:])


def test_factors_that_nearly_coincide_do_not_overflow() -> None:
    y = [np.array([0.9]), np.array([0.1])]
    found = extrapolate(y, (1.0, 1.001), "exponential")
    assert found.num_linear == 1
    assert np.isfinite(found.values).all()


# Standard errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["linear", "richardson", "exponential"])
def test_standard_errors_are_the_derivatives(fit: Fit) -> None:
    rng = np.random.default_rng(5)
    factors, a = (1.0, 2.0, 3.5), 0.125
    y = np.sort(rng.uniform(0.2, 0.9, size=(3, 40)), axis=0)[::-1]
    sigma = rng.uniform(0.001, 0.02, size=y.shape)
    found = extrapolate(list(y), factors, fit, a, list(sigma))
    variance, step = np.zeros(40), 1e-6
    for k in range(3):
        moved = []
        for sign in (1, -1):
            shifted = y.copy()
            shifted[k] += sign * step
            moved.append(extrapolate(list(shifted), factors, fit, a, list(sigma)).values)
        variance += ((moved[0] - moved[1]) / (2 * step) * sigma[k]) ** 2
    assert found.stderr is not None
    np.testing.assert_allclose(found.stderr, np.sqrt(variance), rtol=1e-6)


def test_known_entries_stay_known() -> None:
    y = [np.array([1.0, 0.8]), np.array([1.0, 0.7]), np.array([1.0, 0.65])]
    sigma = [np.array([0.0, 0.01])] * 3
    for fit in ("linear", "richardson", "exponential"):
        found = extrapolate(y, (1, 2, 3), fit, 0.25, sigma)  # type: ignore[arg-type]
        assert found.values[0] == 1.0
        assert found.stderr is not None
        assert found.stderr[0] == 0.0
        assert found.stderr[1] > 0.01


def test_nothing_sampled_has_no_standard_error() -> None:
    assert extrapolate([np.ones(2), np.ones(2)], (1, 2), "linear").stderr is None


# Entries are alone ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["linear", "richardson", "exponential"])
def test_an_entry_does_not_depend_on_its_neighbours(fit: Fit) -> None:
    rng = np.random.default_rng(7)
    shape = (301, 450)  # more than one block
    y = [np.exp(-rng.uniform(0, 1, size=shape) * f) for f in (1, 2, 3)]
    sigma = [np.full(shape, 1e-3)] * 3
    whole = extrapolate(y, (1, 2, 3), fit, 0.1, sigma)
    some = [(0, 0), (150, 449), (300, 17)]
    for i, j in some:
        alone = extrapolate([v[i : i + 1, j] for v in y], (1, 2, 3), fit, 0.1, [np.full(1, 1e-3)] * 3)
        assert whole.values[i, j] == pytest.approx(alone.values[0], rel=1e-14)
        assert whole.stderr is not None
        assert alone.stderr is not None
        assert whole.stderr[i, j] == pytest.approx(alone.stderr[0], rel=1e-12)
    transposed = extrapolate([v.T for v in y], (1, 2, 3), fit, 0.1, [s.T for s in sigma])
    np.testing.assert_allclose(transposed.values.T, whole.values, rtol=1e-14)
    assert transposed.num_linear == whole.num_linear
