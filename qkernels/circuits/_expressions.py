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
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Parameter, ParameterExpression

from qkernels._errors import InvalidDataError, UnsupportedCircuitError
from qkernels.circuits._canonical_text import canonical_text
from qkernels.circuits._polynomials import (
    PolynomialAngle,
    close,
    compile_polynomials,
    polynomial_of,
    probe_value,
    qiskit_value,
)

__all__ = ["AngleTable", "canonical_expression"]


@functools.lru_cache(maxsize=4096)
def _canonical_parameter(index: int) -> Parameter:
    """One parameter per position, shared by the process, so that equal expressions print alike."""
    return Parameter(f"v{index}")


def canonical_expression(expression: ParameterExpression, positions: Mapping[Parameter, int]) -> ParameterExpression:
    """Rename the parameters of an expression by their positions, so that names and uuids do not count."""
    return expression.subs({p: _canonical_parameter(positions[p]) for p in expression.parameters})


class _Angle:
    """One distinct expression: its canonical text and, if it is one, its polynomial."""

    __slots__ = ("expression", "is_complex", "polynomial", "positions", "text")

    def __init__(self, expression: ParameterExpression) -> None:
        self.expression = expression
        self.positions = sorted(int(p.name[1:]) for p in expression.parameters)
        probes = [{i: probe_value(i, which) for i in self.positions} for which in (0, 1)]
        reference = [qiskit_value(expression, values) for values in probes]
        self.is_complex = all(cmath.isfinite(r) and abs(r.imag) > 1e-12 * (1.0 + abs(r)) for r in reference)
        self.polynomial = polynomial_of(expression, self.positions)
        if self.polynomial is not None:
            self.text = "poly:" + ";".join(f"{','.join(map(str, m))}={c!r}" for m, c in sorted(self.polynomial.items()))
        else:
            self.text = f"expr:{canonical_text(expression)}"


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

    @property
    def columns(self) -> tuple[tuple[int, ...], ...]:
        """Columns of ``[x, theta]`` that every angle depends on, ascending."""
        return tuple(tuple(a.positions) for a in self._angles)

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
            slot = len(self._angles)
            if angle.polynomial is not None:  # others are shared only where they are written alike
                slot = self._by_text.setdefault(angle.text, slot)
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
    sum_polynomials = compile_polynomials(
        [PolynomialAngle(angles[k].expression, angles[k].polynomial or {}) for k in polynomial_slots]
    )
    others = [(k, _compile_general(a)) for k, a in enumerate(angles) if a.polynomial is None]

    def evaluate(values: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.empty((values.shape[0], len(angles)))
        out[:, polynomial_slots] = sum_polynomials(values)
        for k, function in others:
            out[:, k] = function(values)
        return out

    return evaluate


def _compile_general(angle: _Angle) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    function = _lambdified(angle)
    if function is not None:
        return function

    def bind_each(values: NDArray[np.float64]) -> NDArray[np.float64]:
        bound = [qiskit_value(angle.expression, {i: float(row[i]) for i in angle.positions}) for row in values]
        return _real_or_nan(np.asarray(bound, dtype=complex))

    return bind_each


def _real_or_nan(values: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Real parts; NaN where a value has an imaginary part, which no angle may have."""
    scale = 1e-12 * (1.0 + np.abs(values))
    return np.where(np.abs(values.imag) <= scale, values.real, np.nan)


def _lambdified(angle: _Angle) -> Callable[[NDArray[np.float64]], NDArray[np.float64]] | None:
    import sympy  # deferred: costs half a second and is needed only for expressions that are no polynomials

    try:
        symbolic = angle.expression.sympify()
    except (TypeError, ValueError, AttributeError, RuntimeError):
        return None
    if not isinstance(symbolic, sympy.Expr):  # Qiskit returns NotImplemented for number ** parameter
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
        probe = np.array([[probe_value(i, which) for i in range(width)]])
        reference = qiskit_value(angle.expression, {i: float(probe[0, i]) for i in range(width)})
        try:
            value = complex(function(probe)[0])
        except (TypeError, ValueError, NameError, AttributeError):
            return None
        both_undefined = not cmath.isfinite(value) and (not cmath.isfinite(reference) or reference.imag != 0.0)
        if not both_undefined and not close(value, reference):
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
