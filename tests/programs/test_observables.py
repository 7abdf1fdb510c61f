"""Observables of an expectation program: which terms are kept, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qkernels._errors import InvalidParameterError
from qkernels.programs import ExpectationProgram


def program_of(labels: list[str], coefficients: object) -> ExpectationProgram:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    with np.errstate(invalid="ignore"):  # of Qiskit's product with the sign of a label
        observable = SparsePauliOp(labels, coefficients)
        return ExpectationProgram(circuit, x, observables=[observable])


@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e-30], ids=str)
def test_terms_do_not_vanish_in_a_large_unit(unit: float) -> None:
    terms = program_of(["ZI", "IZ"], [unit, 2 * unit]).terms
    assert terms == [[("IZ", 2 * unit), ("ZI", unit)]]


@pytest.mark.parametrize("unit", [1.0, 1e-9], ids=str)
def test_terms_that_cancel_but_for_rounding_are_not_measured(unit: float) -> None:
    assert 0.1 + 0.2 - 0.3 != 0
    terms = program_of(["ZI", "IZ", "ZI", "ZI"], unit * np.array([0.1, 1.0, 0.2, -0.3])).terms
    assert terms == [[("IZ", unit)]]
    assert program_of(["ZI", "ZI"], [unit, -unit]).terms == [[("II", 0.0)]]


@pytest.mark.parametrize(
    "coefficients", [[np.nan, 1.0], [1.0, np.inf], [1.0, 0.5j], [1.0, Parameter("a")]], ids=["nan", "inf", "i", "free"]
)
def test_coefficients_are_finite_real_numbers(coefficients: list[object]) -> None:
    with pytest.raises(InvalidParameterError, match=r"observables\[0\] has the coefficients .* finite real numbers"):
        program_of(["ZI", "IZ"], np.array(coefficients))
