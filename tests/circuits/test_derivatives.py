"""Derivatives of angle expressions against derivatives written by hand, and against differences of the angles."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression, ParameterVector

from qkernels._errors import InvalidDataError, UnsupportedCircuitError
from qkernels.circuits import AngleDerivatives, AngleTable, flatten

Column = NDArray[np.float64]
Symbolic = Callable[[Parameter, Parameter], ParameterExpression]
Numeric = Callable[[Column, Column], Column | float]

# Expression, and its derivatives with respect to p and to q, both in [-2.5, 2.5].
EXPRESSIONS: dict[str, tuple[Symbolic, Numeric, Numeric]] = {
    "parameter": (lambda p, q: p, lambda p, q: 1.0, lambda p, q: 0.0),
    "linear": (lambda p, q: 0.3 - 2 * p + q / 4, lambda p, q: -2.0, lambda p, q: 0.25),
    "product": (lambda p, q: p * q, lambda p, q: q, lambda p, q: p),
    "square": (lambda p, q: p**2, lambda p, q: 2 * p, lambda p, q: 0.0),
    "difference_of_squares": (lambda p, q: p**2 - q**2, lambda p, q: 2 * p, lambda p, q: -2 * q),
    "cube": (lambda p, q: p**3 / 3 - p + q, lambda p, q: p**2 - 1, lambda p, q: 1.0),
    "quartic": (lambda p, q: p**3 * q + p * q, lambda p, q: (3 * p**2 + 1) * q, lambda p, q: p**3 + p),
    "ninth_power": (lambda p, q: (p / 2) ** 9, lambda p, q: 4.5 * (p / 2) ** 8, lambda p, q: 0.0),
    "havlicek": (lambda p, q: (np.pi - p) * (np.pi - q), lambda p, q: q - np.pi, lambda p, q: p - np.pi),
    "cancelling": (lambda p, q: p * q - q * p + p, lambda p, q: 1.0, lambda p, q: 0.0),
    "vanishing": (lambda p, q: p - p + 0 * q, lambda p, q: 0.0, lambda p, q: 0.0),
    "sin": (lambda p, q: (2 * p).sin(), lambda p, q: 2 * np.cos(2 * p), lambda p, q: 0.0),
    "cos": (lambda p, q: (p * q).cos(), lambda p, q: -q * np.sin(p * q), lambda p, q: -p * np.sin(p * q)),
    "tan": (lambda p, q: (p / 2).tan(), lambda p, q: 0.5 / np.cos(p / 2) ** 2, lambda p, q: 0.0),
    "arcsin": (lambda p, q: (p / 3).arcsin(), lambda p, q: 1 / np.sqrt(9 - p**2), lambda p, q: 0.0),
    "arccos": (lambda p, q: (p / 3).arccos(), lambda p, q: -1 / np.sqrt(9 - p**2), lambda p, q: 0.0),
    "arctan": (
        lambda p, q: (p - q).arctan(),
        lambda p, q: 1 / (1 + (p - q) ** 2),
        lambda p, q: -1 / (1 + (p - q) ** 2),
    ),
    "exp": (lambda p, q: (p / 2).exp(), lambda p, q: np.exp(p / 2) / 2, lambda p, q: 0.0),
    "log": (lambda p, q: (q + 4).log(), lambda p, q: 0.0, lambda p, q: 1 / (q + 4)),
    "abs": (lambda p, q: p.abs() * q, lambda p, q: np.sign(p) * q, lambda p, q: np.abs(p)),
    "conjugate": (lambda p, q: p.conjugate() + q, lambda p, q: 1.0, lambda p, q: 1.0),
    "quotient": (lambda p, q: p / (q + 4), lambda p, q: 1 / (q + 4), lambda p, q: -p / (q + 4) ** 2),
    "root": (lambda p, q: (p + 4) ** 0.5, lambda p, q: 0.5 / np.sqrt(p + 4), lambda p, q: 0.0),
    "power": (
        lambda p, q: (p + 4) ** q,
        lambda p, q: q * (p + 4) ** (q - 1),
        lambda p, q: np.log(p + 4) * (p + 4) ** q,
    ),
    "number_power": (lambda p, q: 2**p + q, lambda p, q: np.log(2) * 2.0**p, lambda p, q: 1.0),
    "sine_plus_linear": (lambda p, q: q + 1e-7 * p.sin(), lambda p, q: 1e-7 * np.cos(p), lambda p, q: 1.0),
    "nested": (
        lambda p, q: ((p * q).sin() + 2).log(),
        lambda p, q: q * np.cos(p * q) / (np.sin(p * q) + 2),
        lambda p, q: p * np.cos(p * q) / (np.sin(p * q) + 2),
    ),
}


def table_of(*expressions: ParameterExpression, x: ParameterVector, theta: tuple[Parameter, ...] = ()) -> AngleTable:
    circuit = QuantumCircuit(1)
    for expression in expressions:
        circuit.rx(expression, 0)
    return flatten(circuit, x, theta).angles


def rows_of(count: int = 40, width: int = 2) -> NDArray[np.float64]:
    return np.random.default_rng(5).uniform(-2.5, 2.5, size=(count, width))


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_derivatives_equal_those_by_hand(name: str) -> None:
    symbolic, by_p, by_q = EXPRESSIONS[name]
    x, rows = ParameterVector("x", 2), rows_of()
    p, q = rows.T
    table = table_of(symbolic(*x), x=x)
    weights = np.random.default_rng(1).normal(size=(len(rows), len(table)))  # no angle where parameters cancelled
    found = AngleDerivatives(table)(rows, weights)
    of_angle = weights[:, 0] if len(table) else np.zeros(len(rows))
    expected = np.stack([of_angle * by_p(p, q), of_angle * by_q(p, q)], axis=1)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_cotangents_of_all_angles_add_up() -> None:
    x, theta = ParameterVector("x", 3), tuple(ParameterVector("t", 2))
    table = table_of(
        x[0] * theta[1], x[1], (x[0] + theta[0]).sin(), 2 * x[1] ** 3 - x[0], theta[0] ** 2, x=x, theta=theta
    )
    values = rows_of(7, 5)
    weights = np.random.default_rng(2).normal(size=(7, 5))
    a, b, _, s, t = values.T
    w = weights.T
    expected = np.stack(
        [
            w[0] * t + w[2] * np.cos(a + s) - w[3],
            w[1] + 6 * b**2 * w[3],
            np.zeros(7),
            w[2] * np.cos(a + s) + 2 * s * w[4],
            w[0] * a,
        ],
        axis=1,
    )
    derivatives = AngleDerivatives(table)
    np.testing.assert_allclose(derivatives(values, weights), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(derivatives(values[2:4], weights[2:4]), derivatives(values, weights)[2:4])


def test_quadratic_derivatives_lose_no_digits_far_from_zero() -> None:
    """d/dp of (1000 − p)³ is −3 (1000 − p)²: expanded about zero, it would be off by 3 · 10⁶ · 2⁻⁵²."""
    x = ParameterVector("x", 1)
    rows = 1000.0 + rows_of(30, 1)
    found = AngleDerivatives(table_of((1000 - x[0]) ** 3, x=x))(rows, np.ones((30, 1)))
    np.testing.assert_allclose(found, -3 * (1000 - rows) ** 2, rtol=1e-12)


@pytest.mark.parametrize("width", [0, 2])
def test_a_circuit_without_angles_has_no_derivatives(width: int) -> None:
    table = table_of(x=ParameterVector("x", width))
    np.testing.assert_array_equal(AngleDerivatives(table)(rows_of(3, width), np.empty((3, 0))), np.zeros((3, width)))


def test_a_table_from_another_process_has_the_same_derivatives() -> None:
    x, rows = ParameterVector("x", 2), rows_of()
    table = table_of(x[0] * x[1], (x[0] * x[1]).sin(), x[1].exp() + x[0], x=x)
    weights = np.random.default_rng(1).normal(size=(len(rows), 3))
    again = AngleDerivatives(pickle.loads(pickle.dumps(table)))
    np.testing.assert_array_equal(again(rows, weights), AngleDerivatives(table)(rows, weights))


@pytest.mark.parametrize(
    "expression",
    [lambda p, q: p.sign() + q, lambda p, q: (p * q).sign() * 0.4, lambda p, q: p.sign() * p * q],
    ids=["sum", "of_product", "times_polynomial"],
)
def test_an_angle_without_derivative_is_refused(expression: Symbolic) -> None:
    x = ParameterVector("x", 2)
    table = table_of(expression(*x), x=x)
    with pytest.raises(UnsupportedCircuitError, match=r"The angle .*sign.* has no derivative with respect to v0"):
        AngleDerivatives(table)


class WrongDerivative:
    """An expression that says its derivative is itself."""

    def __init__(self, expression: ParameterExpression) -> None:
        self.expression = expression
        self.parameters = expression.parameters

    def __str__(self) -> str:
        return str(self.expression)

    def bind(self, values: dict[Parameter, float]) -> ParameterExpression:
        return self.expression.bind(values)

    def gradient(self, parameter: Parameter) -> ParameterExpression:
        return self.expression


def test_a_derivative_that_contradicts_the_angle_is_refused() -> None:
    angle = SimpleNamespace(expression=WrongDerivative(Parameter("v0").sin()), polynomial=None)
    table = SimpleNamespace(_angles=[angle], _positions={Parameter("x"): 0})
    with pytest.raises(UnsupportedCircuitError, match=r"The angle sin\(v0\) .* changes with v0 otherwise .* sin\(v0\)"):
        AngleDerivatives(table)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expression", "value"),
    [(lambda p: p.abs(), 0.0), (lambda p: (p + 1) ** 0.5, -1.0)],
    ids=["kink", "root"],
)
def test_a_point_without_derivative_is_named(
    expression: Callable[[Parameter], ParameterExpression], value: float
) -> None:
    x = ParameterVector("x", 1)
    derivatives = AngleDerivatives(table_of(expression(x[0]), x=x))
    rows = np.array([[0.7], [value], [0.4]])
    pattern = rf"Row 1 of X makes the derivative of an angle, .*v0.* undefined .* got inputs \[{value}\]"
    with pytest.raises(InvalidDataError, match=pattern):
        derivatives(rows, np.ones((3, 1)))
    assert np.isfinite(derivatives(rows[[0, 2]], np.ones((2, 1)))).all()
