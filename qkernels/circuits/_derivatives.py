"""Derivatives of angle expressions: from cotangents of angles to cotangents of the data and the parameters."""

from __future__ import annotations

import cmath
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Parameter, ParameterExpression
from scipy.sparse import csr_array

from qkernels._errors import InvalidDataError, UnsupportedCircuitError
from qkernels.circuits._expressions import AngleTable
from qkernels.circuits._polynomials import PolynomialAngle, compile_polynomials, probe_value, qiskit_value

__all__ = ["AngleDerivatives"]

_STEP = 1e-5
"""Of the central difference that a symbolic derivative is compared with: its error is 2e-11 times the third derivative
and, from rounding, 1e-11 times the value."""

_CHECK_RTOL = 1e-6
"""Agreement asked for."""

Values = NDArray[np.float64]
Polynomial = dict[tuple[int, ...], float]


class AngleDerivatives:
    """The derivatives of the angles of a circuit, compiled; call it to take cotangents back to the data.

    Derivatives of polynomial angles follow from their coefficients. Those of other angles are Qiskit's symbolic ones,
    compared with central differences before they are trusted, and evaluated over whole data sets as angles are.

    Parameters
    ----------
    table : AngleTable
        Of a flattened circuit.
    columns : collection of int, optional
        Columns of ``[x, theta]`` that derivatives are wanted for; those for others are 0. None is all.

    Raises
    ------
    UnsupportedCircuitError
        An angle is no polynomial, and Qiskit has no derivative of it (``sign``) or one that contradicts its values.

    Notes
    -----
    *Cost.* A call evaluates every partial derivative once for every row.

    Examples
    --------
    >>> import numpy as np
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import ParameterVector
    >>> from qkernels.circuits import AngleDerivatives, flatten
    >>> x = ParameterVector("x", 2)
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.rx(x[0] * x[1], 0)
    >>> derivatives = AngleDerivatives(flatten(circuit, x).angles)
    >>> derivatives(np.array([[3.0, 5.0]]), np.array([[2.0]])).tolist()
    [[10.0, 6.0]]
    """

    def __init__(self, table: AngleTable, columns: Collection[int] | None = None) -> None:
        angles = table._angles
        self._derived = AngleTable({p: _column(p) for a in angles for p in a.expression.parameters})
        polynomials: list[PolynomialAngle] = []
        summed: list[tuple[int, int]] = []  # (angle, column) of the derivatives that are polynomials
        others: list[tuple[int, int]] = []
        self._slots: list[int] = []
        for k, angle in enumerate(angles):
            for parameter in sorted(angle.expression.parameters, key=_column):
                column = _column(parameter)
                if columns is not None and column not in columns:
                    continue
                if angle.polynomial is not None:
                    gradient = angle.expression.gradient(parameter)
                    polynomial: Polynomial | None = _derivative(angle.polynomial, column)
                else:
                    gradient = _symbolic_gradient(angle.expression, parameter)
                    polynomial = _constant(gradient)
                if polynomial is None:
                    self._slots.append(self._derived.add(gradient, f"The derivative of the angle {angle.expression}"))
                    others.append((k, column))
                elif polynomial:
                    polynomials.append(PolynomialAngle(gradient, polynomial))
                    summed.append((k, column))
        self._sum = compile_polynomials(polynomials)
        partials = np.array([*summed, *others], dtype=np.intp).reshape(-1, 2)
        self._angle_of = partials[:, 0]
        shape = (len(table._positions), len(partials))
        self._collect = csr_array((np.ones(len(partials)), (partials[:, 1], np.arange(len(partials)))), shape=shape)

    def __call__(self, values: Values, cotangents: Values) -> Values:
        """Cotangents of the data: Σ_k c_k ∂angle_k/∂v for every column v.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_x + n_theta), float64
            Rows of ``[x, theta]``.
        cotangents : ndarray of shape (n_samples, n_angles), float64
            Derivatives of a scalar with respect to the angles, in the order of the table.

        Returns
        -------
        ndarray of shape (n_samples, n_x + n_theta), float64

        Raises
        ------
        InvalidDataError
            A derivative is not finite or not real for some row (of a root at 0, for example).
        """
        try:
            others = self._derived.evaluate(values)[:, self._slots]
        except InvalidDataError as error:
            message = str(error).replace("makes the angle", "makes the derivative of an angle,", 1)
            raise InvalidDataError(message) from None
        partials = np.concatenate([self._sum(values), others], axis=1)
        return np.ascontiguousarray((self._collect @ (cotangents[:, self._angle_of] * partials).T).T)


def _column(parameter: Parameter) -> int:
    """Column of ``[x, theta]`` of a canonical parameter: v0, v1, …"""
    return int(parameter.name[1:])


def _derivative(polynomial: Polynomial, column: int) -> Polynomial:
    """Coefficients of a partial derivative; empty where it vanishes."""
    found: Polynomial = {}
    for monomial, c in polynomial.items():
        if (power := monomial.count(column)) > 0:
            first = monomial.index(column)
            found[monomial[:first] + monomial[first + 1 :]] = power * c
    return found


def _constant(gradient: ParameterExpression | complex) -> Polynomial | None:
    """A derivative without parameters as a polynomial; None where it has some."""
    if not isinstance(gradient, ParameterExpression):
        return {(): complex(gradient).real}
    return None if gradient.parameters else {(): qiskit_value(gradient, {}).real}


def _symbolic_gradient(expression: ParameterExpression, parameter: Parameter) -> ParameterExpression | complex:
    """Qiskit's derivative of an expression, once it agrees with the expression's values at a generic point."""
    try:
        gradient: ParameterExpression | complex = expression.gradient(parameter)
    except (RuntimeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UnsupportedCircuitError(
            f"The angle {expression} (v0, v1, … are the columns of [x, theta]) has no derivative with respect to "
            f"{parameter.name}: {error}. Write it without the functions that have none."
        ) from error
    gaps: list[float] = []
    for which in (0, 1):
        point = {_column(p): probe_value(_column(p), which) for p in expression.parameters}
        ahead, behind = (
            qiskit_value(expression, point | {_column(parameter): point[_column(parameter)] + step})
            for step in (_STEP, -_STEP)
        )
        slope = (ahead - behind) / (2.0 * _STEP)
        value = qiskit_value(gradient, point) if isinstance(gradient, ParameterExpression) else complex(gradient)
        if cmath.isfinite(slope):  # the expression is defined here
            gaps.append(abs(value - slope) / (1.0 + abs(slope)))
    if gaps and not any(gap <= _CHECK_RTOL for gap in gaps):  # a kink may lie at one of the points, hardly at both
        raise UnsupportedCircuitError(
            f"The angle {expression} (v0, v1, … are the columns of [x, theta]) changes with {parameter.name} otherwise "
            f"than its symbolic derivative {gradient} says. Write it in another way."
        )
    return gradient
