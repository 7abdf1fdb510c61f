"""Polynomial angles: their coefficients by exact derivatives, and their sum over whole data sets."""

from __future__ import annotations

import cmath
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import ParameterExpression

__all__ = ["PolynomialAngle", "close", "compile_polynomials", "polynomial_of", "probe_value", "qiskit_value"]

_MAX_DEGREE = 4
"""Polynomials of higher degree go through SymPy; the number of partial derivatives grows combinatorially."""

_MAX_PARTIALS = 500
"""Give up the polynomial route beyond this many derivatives of one expression."""

_MAX_TEXT = 500
"""Characters of a derivative beyond which it is not differentiated again."""

_NOT_POLYNOMIAL = re.compile(r"[A-Za-z]\(|/\s*[^\d\s]|\*\*(?!\d+(?![\d.]))")
"""``sin(…)``, ``…/(…)``, ``…**0.5`` and the like in the text of an expression."""

_CHECK_RTOL = 1e-9
"""Agreement asked between a fast evaluator and Qiskit's own value at the probe points (angles are O(1))."""

Monomial = tuple[int, ...]
Polynomial = dict[Monomial, float]


def probe_value(index: int, which: int) -> float:
    """Generic points inside (0, 1), where arcsin, log and the like are real."""
    return (math.sqrt(2.0 + which) * (index + 1) * 0.2718281828) % 0.93 + 0.03


def qiskit_value(expression: ParameterExpression, values: Mapping[int, float]) -> complex:
    """Qiskit's own value at one point; NaN where it has none (pole, overflow)."""
    try:
        bound = expression.bind({p: values[int(p.name[1:])] for p in expression.parameters})
        return complex(bound.numeric(strict=False))
    except (ZeroDivisionError, OverflowError, ValueError, TypeError, RuntimeError):
        return complex("nan")


class _NotPolynomial(Exception):
    """Give up this route."""


def _looks_polynomial(expression: ParameterExpression, positions: Sequence[int]) -> bool:
    """Rule out most other expressions by their text and their values, before any symbolic derivative.

    The derivatives of |x| or of a nested quotient grow without end, so they must not be formed on suspicion.
    """
    if _NOT_POLYNOMIAL.search(str(expression)):
        return False
    times = np.linspace(0.2, 1.0, _MAX_DEGREE + 4)
    values = [qiskit_value(expression, {i: float(t) * probe_value(i, 0) for i in positions}) for t in times]
    samples = np.asarray(values)
    if not np.isfinite(samples).all() or (samples.imag != 0.0).any():
        return False
    powers = np.vander(times, _MAX_DEGREE + 1)
    residual = samples.real - powers @ np.linalg.lstsq(powers, samples.real, rcond=None)[0]
    return bool(np.abs(residual).max() <= _CHECK_RTOL * (1.0 + np.abs(samples).max()))


def _polynomial(expression: ParameterExpression, positions: Sequence[int]) -> Polynomial:
    """Coefficients of a polynomial from its partial derivatives at zero (Taylor's formula, finite for polynomials)."""
    by_position = {int(p.name[1:]): p for p in expression.parameters}
    zero = dict.fromkeys(positions, 0.0)
    coefficients: Polynomial = {}
    level: dict[Monomial, ParameterExpression | complex] = {(): expression}
    for degree in range(_MAX_DEGREE + 1):
        following: dict[Monomial, ParameterExpression | complex] = {}
        for monomial, derivative in level.items():
            if not isinstance(derivative, ParameterExpression):
                value: complex = complex(derivative)
            else:
                value = qiskit_value(derivative, zero)
            if not cmath.isfinite(value) or value.imag != 0.0:
                raise _NotPolynomial
            if value.real != 0.0:
                multiplicity = math.prod(math.factorial(len(list(g))) for _, g in itertools.groupby(monomial))
                coefficients[monomial] = value.real / multiplicity
            if isinstance(derivative, ParameterExpression) and derivative.parameters:
                if len(str(derivative)) > _MAX_TEXT:
                    raise _NotPolynomial
                for i in positions:
                    if monomial and i < monomial[-1]:
                        continue  # partial derivatives commute: visit each multiset of variables once
                    following[(*monomial, i)] = derivative.gradient(by_position[i])
            if len(following) > _MAX_PARTIALS:
                raise _NotPolynomial
        if not following:
            return coefficients
        if degree == _MAX_DEGREE:
            raise _NotPolynomial
        level = following
    raise _NotPolynomial


def _centre(polynomial: Polynomial) -> dict[int, float]:
    """Stationary point of a quadratic polynomial, by position; empty for other degrees.

    ``(c − x)(c − y)`` expanded about zero cancels for data near c. About its stationary point the linear terms vanish
    and nothing cancels.
    """
    if max((len(m) for m in polynomial), default=0) != 2:
        return {}
    positions = sorted({i for m in polynomial if len(m) == 2 for i in m})
    place = {i: k for k, i in enumerate(positions)}
    hessian, gradient = np.zeros((len(positions), len(positions))), np.zeros(len(positions))
    for m, c in polynomial.items():
        if len(m) == 2:
            hessian[place[m[0]], place[m[1]]] += c
            hessian[place[m[1]], place[m[0]]] += c
        elif len(m) == 1 and m[0] in place:
            gradient[place[m[0]]] += c
    if not gradient.any():
        return {}
    point = np.linalg.lstsq(hessian, -gradient, rcond=None)[0]
    if np.abs(hessian @ point + gradient).max() > 1e-12 * np.abs(gradient).max():
        return {}  # degenerate: linear along some direction, so there is no stationary point
    return {i: float(p) for i, p in zip(positions, point, strict=True)}


def _polynomial_value(polynomial: Polynomial, values: Mapping[int, float]) -> float:
    return math.fsum(c * math.prod(values[i] for i in m) for m, c in polynomial.items())


def close(value: complex, reference: complex) -> bool:
    return cmath.isfinite(value) and abs(value - reference) <= _CHECK_RTOL * (1.0 + abs(reference))


def polynomial_of(expression: ParameterExpression, positions: Sequence[int]) -> Polynomial | None:
    """Coefficients of an expression by monomial, or None where it is no polynomial of low degree.

    The result is trusted only if it agrees with Qiskit's own values at two generic points.
    """
    try:
        if not _looks_polynomial(expression, positions):
            return None
        candidate = _polynomial(expression, positions)
    except (_NotPolynomial, RuntimeError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    for which in (0, 1):
        values = {i: probe_value(i, which) for i in positions}
        if not close(_polynomial_value(candidate, values), qiskit_value(expression, values)):
            return None
    return candidate


class PolynomialAngle:
    """A polynomial written about the point where it loses no digits.

    Attributes
    ----------
    terms : dict of tuple of int to float
        Coefficients by monomial in ``v_i − centre_i``.
    centre : dict of int to float
    """

    __slots__ = ("centre", "terms")

    def __init__(self, expression: ParameterExpression, polynomial: Polynomial) -> None:
        self.centre = _centre(polynomial)
        self.terms: Polynomial = polynomial
        if self.centre:  # a quadratic has no linear terms about its stationary point
            positions = (int(p.name[1:]) for p in expression.parameters)  # some may have no part in the value
            at_centre = qiskit_value(expression, {i: self.centre.get(i, 0.0) for i in positions})
            constant: Polynomial = {(): at_centre.real}
            self.terms = constant | {
                m: c for m, c in polynomial.items() if len(m) == 2 or (len(m) == 1 and m[0] not in self.centre)
            }


def compile_polynomials(angles: Sequence[PolynomialAngle]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Sum the t-th terms of all polynomials at once: a gather and a few element-wise products per t."""
    polynomials = [a.terms for a in angles]
    n_terms = max((len(p) for p in polynomials), default=0)
    degree = max((len(m) for p in polynomials for m in p), default=0)
    coefficient = np.zeros((n_terms, len(polynomials)))
    column = np.zeros((n_terms, degree, len(polynomials)), dtype=np.intp)  # column 0 is the constant 1
    centre = np.zeros((n_terms, degree, len(polynomials)))
    for k, (angle, polynomial) in enumerate(zip(angles, polynomials, strict=True)):
        for t, (monomial, c) in enumerate(sorted(polynomial.items())):
            coefficient[t, k] = c
            column[t, : len(monomial), k] = np.add(monomial, 1)
            centre[t, : len(monomial), k] = [angle.centre.get(i, 0.0) for i in monomial]

    def evaluate(values: NDArray[np.float64]) -> NDArray[np.float64]:
        with_one = np.concatenate([np.ones((values.shape[0], 1)), values], axis=1)
        total = np.zeros((values.shape[0], len(polynomials)))
        for t in range(n_terms):
            term = np.broadcast_to(coefficient[t], total.shape)
            for factor in range(degree):
                if column[t, factor].any():
                    term = term * (with_one[:, column[t, factor]] - centre[t, factor])
            total += term
        return total

    return evaluate
