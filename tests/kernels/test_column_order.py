"""Columns of a data frame that are named like the parameters of a circuit."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from sklearn.base import BaseEstimator

from qkernels import VQC, CircuitMap, FidelityKernel, NystroemFeatures, QuantumKernelSVC, SeparableMap
from qkernels._errors import QKernelsWarning
from qkernels.estimators import QuantumFeatures

A, B, C = (Parameter(name) for name in "abc")
Y = np.arange(8) % 2


def circuit_map(x: list[Parameter] | None = None) -> CircuitMap:
    circuit = QuantumCircuit(1)
    for gate, parameter in ((circuit.ry, A), (circuit.rz, B), (circuit.rx, C)):
        gate(parameter, 0)
    return CircuitMap(circuit, x=x)


def frame(columns: str) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).uniform(size=(8, len(columns))), columns=list(columns))


def kernel(x: list[Parameter] | None = None) -> FidelityKernel:
    return FidelityKernel(circuit_map(x), bandwidth=1.0)


ESTIMATORS: dict[str, Callable[[], BaseEstimator]] = {
    "kernel": kernel,
    "sum": lambda: kernel() + FidelityKernel(SeparableMap(), bandwidth=1.0),
    "svc": lambda: QuantumKernelSVC(kernel()),
    "nystroem": lambda: NystroemFeatures(kernel(), n_components=3),
    "vqc": lambda: VQC(circuit_map(), bandwidth=1.0, max_iter=1, random_state=0),
    "features": lambda: QuantumFeatures(circuit_map(), bandwidth=1.0, random_state=0),
}


@pytest.mark.filterwarnings("ignore:VQC. the optimizer stopped")  # after the one iteration that it may take
@pytest.mark.parametrize("name", ESTIMATORS)
def test_another_order_is_told(name: str) -> None:
    with pytest.warns(QKernelsWarning, match=r"column 0 is 'c' and becomes 'a'. Reorder them, X\[\['a', 'b', 'c'\]\]"):
        ESTIMATORS[name]().fit(frame("cab"), Y)


@pytest.mark.parametrize(
    ("x", "columns"),
    [(None, "abc"), (None, "xyz"), (None, "cax"), ([C, A, B], "cab")],
    ids=["same order", "other names", "some names", "the order that is wanted"],
)
def test_nothing_to_tell(x: list[Parameter] | None, columns: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernel(x).fit(frame(columns))
        kernel(x).fit(frame(columns).to_numpy())


def fit(model: BaseEstimator) -> None:
    model.fit(frame("cab"), Y)


def fit_transform(model: BaseEstimator) -> None:
    model.fit_transform(frame("cab"))


@pytest.mark.filterwarnings("ignore:VQC. the optimizer stopped")
@pytest.mark.parametrize(
    ("name", "call"), [*((name, fit) for name in ESTIMATORS), ("kernel", fit_transform), ("nystroem", fit_transform)]
)
def test_the_users_line_is_named(name: str, call: Callable[[BaseEstimator], None]) -> None:
    with pytest.warns(QKernelsWarning, match="becomes 'a'") as told:
        call(ESTIMATORS[name]())
    assert {warning.filename for warning in told if "becomes 'a'" in str(warning.message)} == {__file__}
