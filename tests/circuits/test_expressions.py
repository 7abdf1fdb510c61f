"""Every operator and function of Qiskit's ParameterExpression, against NumPy written by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression, ParameterVector

from qkernels._errors import InvalidDataError, UnsupportedCircuitError
from qkernels.circuits import flatten

Column = NDArray[np.float64]
Symbolic = Callable[[Parameter, Parameter], ParameterExpression]
Numeric = Callable[[Column, Column], Column]

# Both functions take p and q in [-2.5, 2.5].
EXPRESSIONS: dict[str, tuple[Symbolic, Numeric]] = {
    "parameter": (lambda p, q: p, lambda p, q: p),
    "positive": (lambda p, q: +p, lambda p, q: p),
    "negative": (lambda p, q: -p, lambda p, q: -p),
    "add": (lambda p, q: p + q, lambda p, q: p + q),
    "add_number": (lambda p, q: p + 0.3, lambda p, q: p + 0.3),
    "number_add": (lambda p, q: 0.3 + p, lambda p, q: p + 0.3),
    "add_integer": (lambda p, q: 2 + p, lambda p, q: p + 2),
    "add_numpy": (lambda p, q: p + np.float64(0.3), lambda p, q: p + 0.3),
    "subtract": (lambda p, q: p - q, lambda p, q: p - q),
    "subtract_number": (lambda p, q: p - 0.3, lambda p, q: p - 0.3),
    "number_subtract": (lambda p, q: 0.3 - p, lambda p, q: 0.3 - p),
    "multiply": (lambda p, q: p * q, lambda p, q: p * q),
    "multiply_number": (lambda p, q: p * 0.3, lambda p, q: 0.3 * p),
    "number_multiply": (lambda p, q: 0.3 * p, lambda p, q: 0.3 * p),
    "divide": (lambda p, q: p / (q + 4), lambda p, q: p / (q + 4)),
    "divide_by_number": (lambda p, q: p / 3, lambda p, q: p / 3),
    "number_divide": (lambda p, q: 2 / (p + 4), lambda p, q: 2 / (p + 4)),
    "power": (lambda p, q: (p + 4) ** q, lambda p, q: (p + 4) ** q),
    "square": (lambda p, q: p**2, lambda p, q: p**2),
    "cube": (lambda p, q: p**3, lambda p, q: p**3),
    "ninth_power": (lambda p, q: (p / 2) ** 9, lambda p, q: (p / 2) ** 9),
    "zeroth_power": (lambda p, q: p**0 + q, lambda p, q: 1 + q),
    "negative_power": (lambda p, q: (p + 4) ** -2, lambda p, q: (p + 4) ** -2.0),
    "root": (lambda p, q: (p + 4) ** 0.5, lambda p, q: np.sqrt(p + 4)),
    "number_power": (lambda p, q: 2**p, lambda p, q: 2.0**p),
    "float_power": (lambda p, q: 1.7 ** (p * q), lambda p, q: 1.7 ** (p * q)),
    "number_power_inside": (lambda p, q: (2**p).sin() + q, lambda p, q: np.sin(2.0**p) + q),
    "sin": (lambda p, q: p.sin(), lambda p, q: np.sin(p)),
    "cos": (lambda p, q: p.cos(), lambda p, q: np.cos(p)),
    "tan": (lambda p, q: (p / 2).tan(), lambda p, q: np.tan(p / 2)),
    "arcsin": (lambda p, q: (p / 3).arcsin(), lambda p, q: np.arcsin(p / 3)),
    "arccos": (lambda p, q: (p / 3).arccos(), lambda p, q: np.arccos(p / 3)),
    "arctan": (lambda p, q: p.arctan(), lambda p, q: np.arctan(p)),
    "exp": (lambda p, q: p.exp(), lambda p, q: np.exp(p)),
    "log": (lambda p, q: (p + 4).log(), lambda p, q: np.log(p + 4)),
    "abs": (lambda p, q: p.abs(), lambda p, q: np.abs(p)),
    "builtin_abs": (lambda p, q: abs(p * q), lambda p, q: np.abs(p * q)),
    "sign": (lambda p, q: p.sign(), lambda p, q: np.sign(p)),
    "conjugate": (lambda p, q: p.conjugate(), lambda p, q: p),
    # Functions whose pieces differ outside the places where an implementation may probe them.
    "abs_with_a_kink_at_minus_one": (lambda p, q: (p + 1).abs(), lambda p, q: np.abs(p + 1)),
    "abs_with_a_kink_at_two": (lambda p, q: abs(2 - p) * q, lambda p, q: np.abs(2 - p) * q),
    "sign_with_a_jump_at_minus_one": (lambda p, q: (p + 1).sign() + q, lambda p, q: np.sign(p + 1) + q),
    "sign_times_polynomial": (lambda p, q: p.sign() * p * q, lambda p, q: np.abs(p) * q),
    "sign_of_product": (lambda p, q: (p * q).sign() * 0.4, lambda p, q: np.sign(p * q) * 0.4),
    "root_of_square": (lambda p, q: (p**2) ** 0.5, lambda p, q: np.abs(p)),
    "square_of_root": (lambda p, q: ((p + 4) ** 0.5) ** 2, lambda p, q: p + 4),
    "log_of_square": (lambda p, q: (p * p).log(), lambda p, q: np.log(p * p)),
    "arccos_of_cos": (lambda p, q: p.cos().arccos(), lambda p, q: np.abs(p)),
    "arcsin_of_sin": (lambda p, q: p.sin().arcsin(), lambda p, q: np.arcsin(np.sin(p))),
    "arctan_of_tan": (lambda p, q: (p / 2).tan().arctan(), lambda p, q: p / 2),
    "exp_of_log": (lambda p, q: (p + 4).log().exp(), lambda p, q: p + 4),
    # Simplifications that went wrong in one version of Qiskit or another, and cancellations.
    "difference_of_squares": (lambda p, q: p**2 - q**2, lambda p, q: p**2 - q**2),
    "product_of_conjugates": (lambda p, q: (p - q) * (p + q), lambda p, q: p**2 - q**2),
    "cancelling": (lambda p, q: p * q - q * p + p, lambda p, q: p),
    "vanishing": (lambda p, q: p - p, lambda p, q: np.zeros_like(p)),
    "constant_after_cancelling": (lambda p, q: 0 * p - 2, lambda p, q: np.full_like(p, -2.0)),
    "havlicek": (lambda p, q: (np.pi - p) * (np.pi - q), lambda p, q: (np.pi - p) * (np.pi - q)),
    "ratio_of_polynomials": (lambda p, q: (p * q - 1) / (p * p + 1), lambda p, q: (p * q - 1) / (p * p + 1)),
    "tiny_coefficient": (lambda p, q: 1e-9 * p**3 + q, lambda p, q: 1e-9 * p**3 + q),
    "tiny_nonlinearity": (lambda p, q: q + 1e-7 * p.sin(), lambda p, q: q + 1e-7 * np.sin(p)),
    "nested": (
        lambda p, q: ((p * q).sin() + 2).log() * (q / 3).arcsin() - (p.abs() + 1) ** -0.5,
        lambda p, q: np.log(np.sin(p * q) + 2) * np.arcsin(q / 3) - (np.abs(p) + 1) ** -0.5,
    ),
}


def angles_of(expression: ParameterExpression, x: ParameterVector, X: NDArray[np.float64]) -> NDArray[np.float64]:
    circuit = QuantumCircuit(1)
    circuit.rx(expression, 0)
    flat = flatten(circuit, x)
    (op,) = flat.ops
    if op.is_constant:  # the expression lost its parameters
        assert isinstance(op.angles[0], float)
        return np.full(len(X), op.angles[0])
    return flat.angles.evaluate(X)[:, op.angles[0]]


@pytest.fixture(scope="module")
def rows() -> NDArray[np.float64]:
    return np.random.default_rng(5).uniform(-2.5, 2.5, size=(60, 2))


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_angle_equals_numpy(name: str, rows: NDArray[np.float64]) -> None:
    symbolic, numeric = EXPRESSIONS[name]
    x = ParameterVector("x", 2)
    angles = angles_of(symbolic(*x), x, rows)
    assert angles.dtype == np.float64
    np.testing.assert_allclose(angles, numeric(rows[:, 0], rows[:, 1]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_angle_equals_binding_in_qiskit(name: str, rows: NDArray[np.float64]) -> None:
    x = ParameterVector("x", 2)
    expression = EXPRESSIONS[name][0](*x)
    angles = angles_of(expression, x, rows)
    for row, angle in zip(rows, angles, strict=True):
        bound = expression.bind({p: v for p, v in zip(x, row, strict=True) if p in expression.parameters})
        assert angle == pytest.approx(complex(bound.numeric(strict=False)).real, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize(
    ("symbolic", "numeric"),
    [
        (lambda p: (p - 2000) ** 2 / 4, lambda p: (p - 2000) ** 2 / 4),
        (lambda p: (p - 2000) ** 4 / 8, lambda p: (p - 2000) ** 4 / 8),
        (lambda p: (p - 2000) * (2001 - p), lambda p: (p - 2000) * (2001 - p)),
        (lambda p: (p - 2000).sin(), lambda p: np.sin(p - 2000)),
    ],
    ids=["square", "fourth_power", "product", "sin"],
)
def test_data_far_from_zero_lose_no_digits(
    symbolic: Callable[[Parameter], ParameterExpression], numeric: Callable[[Column], Column]
) -> None:
    """Raw columns (years, hertz) are centred by the circuit's author; expanding the square would cancel."""
    x = ParameterVector("x", 1)
    X = np.linspace(1998.3, 2001.9, 7)[:, None]
    np.testing.assert_allclose(angles_of(symbolic(x[0]), x, X), numeric(X[:, 0]), rtol=0, atol=1e-12)


POLYNOMIALS = ["parameter", "negative", "add", "number_subtract", "multiply", "square", "cube", "havlicek"]


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_a_row_gives_the_same_bits_alone_and_in_company(name: str, rows: NDArray[np.float64]) -> None:
    x = ParameterVector("x", 2)
    expression = EXPRESSIONS[name][0](*x)
    together = angles_of(expression, x, rows)
    alone = np.concatenate([angles_of(expression, x, row[None]) for row in rows])
    np.testing.assert_array_equal(alone, together)


def test_every_method_of_parameter_expression_is_covered() -> None:
    """A new function of Qiskit's expressions fails here until it has a line in the table."""
    covered = {"sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log", "abs", "sign", "conjugate"}
    not_functions = {
        "assign", "bind", "bind_all", "gradient", "is_real", "is_symbol", "num_parameters", "numeric",
        "parameters", "simplify", "structurally_equal", "subs", "sympify",
    }  # fmt: skip
    public = {name for name in dir(ParameterExpression) if not name.startswith("_")}
    assert public <= covered | not_functions
    assert covered <= set(EXPRESSIONS)


def test_x_may_be_loose_parameters_in_any_order() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.rx(2 * a - b, 0)
    flat = flatten(circuit, [b, a])
    np.testing.assert_allclose(flat.angles.evaluate(np.array([[1.0, 10.0]])), [[19.0]])


def test_theta_comes_after_x() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.rx(2 * a - b, 0)
    flat = flatten(circuit, [b], [a])
    np.testing.assert_allclose(flat.angles.evaluate(np.array([[1.0, 10.0]])), [[19.0]])


def test_equal_angles_are_evaluated_once() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    for angle in (a * b, b * a, a * b + a - a, a.sin(), a.sin()):
        circuit.rx(angle, 0)
    flat = flatten(circuit, [a, b])
    assert [op.angles for op in flat.ops] == [flat.ops[0].angles] * 3 + [flat.ops[3].angles] * 2
    assert len(flat.angles) == 2


@pytest.mark.parametrize("value", [-30.0, -7.0, -6.0, 0.4, 8.0, 40.0])
def test_angles_that_agree_near_zero_are_kept_apart(value: float) -> None:
    """Kinks and jumps may lie outside any interval that an implementation probes."""
    p = Parameter("p")
    functions: list[tuple[ParameterExpression, float]] = [
        ((p + 5).sin(), np.sin(value + 5)),
        ((p + 5).abs().sin(), np.sin(abs(value + 5))),
        ((p + 5).sin() * (p + 20).sign(), np.sin(value + 5) * np.sign(value + 20)),
        ((p + 5).sin() * (30 - p).sign(), np.sin(value + 5) * np.sign(30 - value)),
        ((p + 5).abs().sin() * (p + 7).sin(), np.sin(abs(value + 5)) * np.sin(value + 7)),
        ((p + 5).sin() * (p + 7).abs().sin(), np.sin(value + 5) * np.sin(abs(value + 7))),
        (p + 5, value + 5),
        ((p + 5).abs(), abs(value + 5)),
        (((p + 5) ** 2) ** 0.5, abs(value + 5)),
    ]
    circuit = QuantumCircuit(1)
    for expression, _ in functions:
        circuit.rx(expression, 0)
    flat = flatten(circuit, [p])
    angles = flat.angles.evaluate(np.array([[value]]))[0]
    found = [angles[op.angles[0]] for op in flat.ops]
    np.testing.assert_allclose(found, [number for _, number in functions], rtol=0, atol=1e-12)


def test_number_of_columns_may_exceed_a_dozen() -> None:
    """x[10] stands before x[2] in the alphabet, not in the data."""
    x = ParameterVector("x", 13)
    circuit = QuantumCircuit(1)
    for i, p in enumerate(x):
        circuit.rx(p + i, 0)
    flat = flatten(circuit, x)
    X = np.arange(26.0).reshape(2, 13)
    slots = [op.angles[0] for op in flat.ops]
    np.testing.assert_allclose(flat.angles.evaluate(X)[:, slots], X + np.arange(13))


@pytest.mark.parametrize(
    ("symbolic", "bad"),
    [
        (lambda p: p.log(), -1.0),
        (lambda p: p.log(), 0.0),
        (lambda p: p**0.5, -1.0),
        (lambda p: p.arcsin(), 1.5),
        (lambda p: p.arccos(), -1.5),
        (lambda p: 1 / p, 0.0),
        (lambda p: p.exp().exp(), 100.0),
    ],
    ids=["log_negative", "log_zero", "root_negative", "arcsin", "arccos", "pole", "overflow"],
)
def test_a_row_outside_the_domain_is_named(symbolic: Callable[[Parameter], ParameterExpression], bad: float) -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(1)
    circuit.rx(symbolic(x[1]), 0)
    flat = flatten(circuit, x)
    X = np.array([[9.0, 0.5], [9.0, 0.25], [9.0, bad]])
    assert np.isfinite(flat.angles.evaluate(X[:2])).all()
    with pytest.raises(InvalidDataError, match=r"Row 2 of X") as caught:
        flat.angles.evaluate(X)
    assert repr(bad) in str(caught.value)


def test_an_angle_that_is_always_complex_is_refused_with_its_position() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.rx(x[0] * 1j + 1, 0)
    with pytest.raises(UnsupportedCircuitError, match=r"'rx' at position 1"):
        flatten(circuit, x)


def test_complex_constants_that_cancel_are_real() -> None:
    x = ParameterVector("x", 1)
    X = np.array([[0.4], [-1.2]])
    np.testing.assert_allclose(angles_of(x[0] * 1j * -1j, x, X), X[:, 0])
