"""The lower bounds are honest: pinned, installed and tested by `make test-minimum`."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from qiskit.circuit import Parameter, ParameterExpression, QuantumCircuit

ROOT = Path(__file__).parents[2]


def lower_bounds() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = {}
    for line in project["dependencies"]:
        requirement = Requirement(line)
        lower = [spec.version for spec in requirement.specifier if spec.operator == ">="]
        assert len(lower) == 1, f"{line} has no single lower bound"
        bounds[requirement.name] = lower[0]
    return bounds


def test_pins_equal_the_lower_bounds() -> None:
    lines = (ROOT / "requirements-minimum.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert pins == lower_bounds()


def test_qiskit_bound_excludes_the_wrong_simplification() -> None:
    # Measured on wheels: 2.4.2, 2.5.0 and 2.5.1 still bind a**2 - b**2 to (a - b)**2; 2.5.2 does not.
    assert Version(lower_bounds()["qiskit"]) >= Version("2.5.2")


# Forms that qiskit <= 2.5.1 simplified wrongly (Qiskit issues 16259, 16262, 16263), with their arithmetic.
FORMS: dict[str, Callable[[ParameterExpression, ParameterExpression], ParameterExpression]] = {
    "difference of powers": lambda a, b: a**2 - b**2,
    "sum of powers": lambda a, b: a**2 + b**2,
    "quotient plus": lambda a, b: (2 / a) + a + 0 * b,
    "quotient minus": lambda a, b: a - (2 / a) + 0 * b,
    "nested quotient": lambda a, b: (2 / a) / (3 / b),
    "product over quotient": lambda a, b: (2 * a) / (3 / b),
    "quotient over product": lambda a, b: (2 / a) / (3 * b),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("values", [(2.0, 3.0), (5.0, 3.0), (-1.5, 0.25)], ids=str)
def test_qiskit_binds_expressions_to_their_arithmetic(
    form: Callable[[ParameterExpression, ParameterExpression], ParameterExpression],
    values: tuple[float, float],
) -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.rx(form(a, b), 0)
    bound = circuit.assign_parameters({a: values[0], b: values[1]}).data[0].operation.params[0]
    assert math.isclose(float(bound), form(*values), rel_tol=1e-12)
