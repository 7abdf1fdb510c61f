"""Angle expressions: from Qiskit's symbolic parameters to one vectorised function of the data.

An angle of a gate is a `ParameterExpression` in the entries of `x` (data) and `theta` (trainable). Three ways to
evaluate it over a whole data set, tried in this order:

1. *Polynomial* (every map of ours, and most circuits people write): the coefficients follow from exact partial
   derivatives at zero, so neither SymPy nor a Python loop over samples is needed.
2. *SymPy*: `sympify` and `lambdify`, which covers trigonometric functions, logarithms and the like.
3. *Binding* sample by sample, where SymPy cannot represent the expression (Qiskit's `sympify` answers
   `NotImplemented` for ``number ** parameter``) or disagrees with Qiskit's own value.

Ways 1 and 2 are checked against Qiskit's own binding at two generic points before they are trusted.
"""

from __future__ import annotations

import cmath
import functools
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Parameter, ParameterExpression

from qkernels._errors import InvalidDataError, UnsupportedCircuitError

__all__ = ["AngleTable", "canonical_expression"]

_MAX_DEGREE = 4
"""Polynomials of higher degree go through SymPy; the number of partial derivatives grows combinatorially."""

_MAX_PARTIALS = 500
"""Give up the polynomial route beyond this many derivatives of one expression."""

_MAX_TEXT = 500
"""Characters of a derivative beyond which it is not differentiated again."""

_NOT_POLYNOMIAL = re.compile(r"[A-Za-z]\(|/\s*[^\d\s]|\*\*(?!\d+(?![\d.]))")
"""``sin(…)``, ``…/(…)``, ``…**0.5`` and the like in the text of an expression."""

_FINGERPRINT_POINTS = 8
"""Points at which an expression that is no polynomial is compared with others."""

_CHECK_RTOL = 1e-9
"""Agreement asked between a fast evaluator and Qiskit's own value at the probe points (angles are O(1))."""

Monomial = tuple[int, ...]
Polynomial = dict[Monomial, float]


@functools.lru_cache(maxsize=4096)
def _canonical_parameter(index: int) -> Parameter:
    """One parameter per position, shared by the process, so that equal expressions print alike."""
    return Parameter(f"v{index}")


def canonical_expression(expression: ParameterExpression, positions: Mapping[Parameter, int]) -> ParameterExpression:
    """Rename the parameters of an expression by their positions, so that names and uuids do not count."""
    return expression.subs({p: _canonical_parameter(positions[p]) for p in expression.parameters})


def _probe_value(index: int, which: int) -> float:
    """Generic points inside (0, 1), where arcsin, log and the like are real."""
    return (math.sqrt(2.0 + which) * (index + 1) * 0.2718281828) % 0.93 + 0.03


def _qiskit_value(expression: ParameterExpression, values: Mapping[int, float]) -> complex:
    """Qiskit's own value at one point; NaN where it has none (pole, overflow)."""
    try:
        bound = expression.bind({p: values[int(p.name[1:])] for p in expression.parameters})
        return complex(bound.numeric(strict=False))
    except (ZeroDivisionError, OverflowError, ValueError, TypeError, RuntimeError):
        return complex("nan")


class _NotPolynomial(Exception):
    pass


def _looks_polynomial(expression: ParameterExpression, positions: Sequence[int]) -> bool:
    """Rule out most other expressions by their text and their values, before any symbolic derivative.

    The derivatives of |x| or of a nested quotient grow without end, so they must not be formed on suspicion.
    """
    if _NOT_POLYNOMIAL.search(str(expression)):
        return False
    times = np.linspace(0.2, 1.0, _MAX_DEGREE + 4)
    values = [_qiskit_value(expression, {i: float(t) * _probe_value(i, 0) for i in positions}) for t in times]
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
                value = _qiskit_value(derivative, zero)
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


def _about_centre(angle: _Angle) -> Polynomial:
    """The polynomial in ``v_i − centre_i``: the same quadratic terms, no linear terms in the centred variables."""
    polynomial = angle.polynomial or {}
    if not angle.centre:
        return polynomial
    at_centre = _qiskit_value(angle.expression, {i: angle.centre.get(i, 0.0) for i in angle.positions})
    kept = {m: c for m, c in polynomial.items() if len(m) == 2 or (len(m) == 1 and m[0] not in angle.centre)}
    centred: Polynomial = {(): at_centre.real}
    return centred | kept


def _polynomial_value(polynomial: Polynomial, values: Mapping[int, float]) -> float:
    return math.fsum(c * math.prod(values[i] for i in m) for m, c in polynomial.items())


def _close(value: complex, reference: complex) -> bool:
    return cmath.isfinite(value) and abs(value - reference) <= _CHECK_RTOL * (1.0 + abs(reference))


class _Angle:
    """One distinct expression: its canonical text and, if it is one, its polynomial."""

    __slots__ = ("centre", "expression", "is_complex", "polynomial", "positions", "text")

    def __init__(self, expression: ParameterExpression) -> None:
        self.expression = expression
        self.positions = sorted(int(p.name[1:]) for p in expression.parameters)
        probes = [{i: _probe_value(i, which) for i in self.positions} for which in (0, 1)]
        reference = [_qiskit_value(expression, values) for values in probes]
        self.is_complex = all(cmath.isfinite(r) and abs(r.imag) > 1e-12 * (1.0 + abs(r)) for r in reference)
        self.polynomial: Polynomial | None = None
        self.centre: dict[int, float] = {}
        try:
            if not _looks_polynomial(expression, self.positions):
                raise _NotPolynomial
            candidate = _polynomial(expression, self.positions)
            if all(_close(_polynomial_value(candidate, v), r) for v, r in zip(probes, reference, strict=True)):
                self.polynomial = candidate
        except (_NotPolynomial, RuntimeError, TypeError, ValueError, OverflowError, ZeroDivisionError):
            pass
        if self.polynomial is not None:
            self.centre = _centre(self.polynomial)
            self.text = "poly:" + ";".join(f"{','.join(map(str, m))}={c!r}" for m, c in sorted(self.polynomial.items()))
        else:
            # Qiskit orders terms by parameter names, so the printed form depends on them; values do not.
            self.text = f"expr:{self.positions}:{_fingerprint(expression, self.positions)}"


def _fingerprint(expression: ParameterExpression, positions: Sequence[int]) -> str:
    """Values at generic points on both sides of zero, to 12 digits: what identifies a function here."""
    values = []
    for which in range(_FINGERPRINT_POINTS):
        stretch = (1.0, -1.0, 2.7, -3.1)[which % 4]
        values.append(_qiskit_value(expression, {i: stretch * _probe_value(i, which) for i in positions}))
    return ",".join(f"{v.real:.11e}{v.imag:+.11e}j" if cmath.isfinite(v) else "nan" for v in values)


class AngleTable:
    """The distinct angles of a circuit as one vectorised function of the data.

    Parameters
    ----------
    positions : mapping of Parameter to int
        Column of every parameter in the concatenation ``[x, theta]``.

    Notes
    -----
    Polynomial angles are summed term by term in a fixed order with element-wise operations, so a row gives the same
    bits whatever rows stand beside it. Exact caches and content-keyed shots rest on this.
    """

    def __init__(self, positions: Mapping[Parameter, int]) -> None:
        self._positions: dict[Parameter, int] = dict(positions)
        self._angles: list[_Angle] = []
        self._by_expression: dict[str, int] = {}
        self._by_text: dict[str, int] = {}
        self._compiled: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None

    def __len__(self) -> int:
        return len(self._angles)

    def position(self, parameter: Parameter) -> int:
        """Column of a parameter in ``[x, theta]``.

        Parameters
        ----------
        parameter : Parameter
            One of the table's.

        Returns
        -------
        int
        """
        return self._positions[parameter]

    @property
    def texts(self) -> tuple[str, ...]:
        """Canonical text of every angle, independent of names, uuids and build order of the parameters."""
        return tuple(a.text for a in self._angles)

    @property
    def polynomials(self) -> tuple[dict[tuple[int, ...], float] | None, ...]:
        """Coefficients by monomial (tuples of columns of ``[x, theta]``), None where an angle is no polynomial."""
        return tuple(a.polynomial for a in self._angles)

    def add(self, expression: ParameterExpression, where: str) -> int:
        """Register an expression; equal expressions share a slot.

        Parameters
        ----------
        expression : ParameterExpression
        where : str
            The instruction, for error messages.

        Returns
        -------
        int
            The column of `evaluate`.

        Raises
        ------
        UnsupportedCircuitError
            The expression is complex at generic real values.
        """
        name = str(expression)  # names are unique within a circuit; Qiskit cannot hash every expression
        slot = self._by_expression.get(name)
        if slot is None:
            angle = _Angle(canonical_expression(expression, self._positions))
            if angle.is_complex:
                raise UnsupportedCircuitError(
                    f"{where} has the angle {expression}, which is complex for real data; angles must be real."
                )
            slot = self._by_text.setdefault(angle.text, len(self._angles))
            if slot == len(self._angles):
                self._angles.append(angle)
                self._compiled = None
            self._by_expression[name] = slot
        return slot

    def evaluate(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Angles in radians.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_x + n_theta), float64
            Rows of ``[x, theta]``.

        Returns
        -------
        ndarray of shape (n_samples, n_angles), float64

        Raises
        ------
        InvalidDataError
            An angle is not finite or not real for some row (a logarithm of a negative feature, for example).
        """
        if self._compiled is None:
            self._compiled = _compile(self._angles)
        angles = self._compiled(values)
        if not np.isfinite(angles).all():
            row, slot = (int(i) for i in np.argwhere(~np.isfinite(angles))[0])
            raise InvalidDataError(
                f"Row {row} of X makes the angle {self._angles[slot].expression} (v0, v1, … are the columns of "
                f"[x, theta]) infinite, undefined or complex: got inputs "
                f"{[float(values[row, i]) for i in self._angles[slot].positions]}. "
                "Rescale X into the domain of the circuit's expressions."
            )
        return angles

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_compiled": None}  # lambdified functions do not pickle; rebuilt on demand


def _compile(angles: Sequence[_Angle]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    polynomial_slots = [k for k, a in enumerate(angles) if a.polynomial is not None]
    sum_polynomials = _compile_polynomials([angles[k] for k in polynomial_slots])
    others = [(k, _compile_general(a)) for k, a in enumerate(angles) if a.polynomial is None]

    def evaluate(values: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.empty((values.shape[0], len(angles)))
        out[:, polynomial_slots] = sum_polynomials(values)
        for k, function in others:
            out[:, k] = function(values)
        return out

    return evaluate


def _compile_polynomials(angles: Sequence[_Angle]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Sum the t-th terms of all polynomials at once: a gather and a few element-wise products per t."""
    polynomials = [_about_centre(a) for a in angles]
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


def _compile_general(angle: _Angle) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    function = _lambdified(angle)
    if function is not None:
        return function

    def bind_each(values: NDArray[np.float64]) -> NDArray[np.float64]:
        bound = [_qiskit_value(angle.expression, {i: float(row[i]) for i in angle.positions}) for row in values]
        return _real_or_nan(np.asarray(bound, dtype=complex))

    return bind_each


def _real_or_nan(values: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Real parts; NaN where a value has an imaginary part, which no angle may have."""
    scale = 1e-12 * (1.0 + np.abs(values))
    return np.where(np.abs(values.imag) <= scale, values.real, np.nan)


def _lambdified(angle: _Angle) -> Callable[[NDArray[np.float64]], NDArray[np.float64]] | None:
    try:
        symbolic = angle.expression.sympify()
    except (TypeError, ValueError, AttributeError, RuntimeError):
        return None
    if symbolic is NotImplemented:
        return None
    import sympy  # deferred: costs half a second and is needed only for expressions that are no polynomials

    if not isinstance(symbolic, sympy.Expr):
        return None
    symbols = [sympy.Symbol(f"v{i}") for i in angle.positions]
    if not symbolic.free_symbols <= set(symbols):
        return None
    compiled = sympy.lambdify(symbols, symbolic, modules="numpy")

    def function(values: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            result = np.asarray(compiled(*(values[:, i] for i in angle.positions)))
            return np.broadcast_to(_real_or_nan(result.astype(complex)), (values.shape[0],))

    width = angle.positions[-1] + 1
    for which in (0, 1):
        probe = np.array([[_probe_value(i, which) for i in range(width)]])
        reference = _qiskit_value(angle.expression, {i: float(probe[0, i]) for i in range(width)})
        try:
            value = complex(function(probe)[0])
        except (TypeError, ValueError, NameError, AttributeError):
            return None
        both_undefined = not cmath.isfinite(value) and (not cmath.isfinite(reference) or reference.imag != 0.0)
        if not both_undefined and not _close(value, reference):
            return None
    return function


def require_real(expression: ParameterExpression, where: str) -> float:
    """Value of a parameter-free expression.

    Raises
    ------
    UnsupportedCircuitError
        It is complex or not finite.
    """
    is_symbolic = isinstance(expression, ParameterExpression)
    value = complex(expression.numeric(strict=False) if is_symbolic else expression)
    if not cmath.isfinite(value) or abs(value.imag) > 1e-12 * (1.0 + abs(value)):
        raise UnsupportedCircuitError(f"{where} has the angle {value}; gate angles must be finite real numbers.")
    return value.real
