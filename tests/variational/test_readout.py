"""Readouts against probabilities of outcomes counted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp
from sklearn.base import clone

from qkernels._errors import InvalidParameterError
from qkernels.variational import (
    BoundReadout,
    ClassesReadout,
    ExpectationReadout,
    ObservablesReadout,
    ParityReadout,
    Readout,
    as_readout,
)
from tests.oracle.states import observable_matrix

Values = NDArray[np.float64]


def random_states(num_qubits: int, count: int = 6) -> NDArray[np.complex128]:
    rng = np.random.default_rng(num_qubits)
    states = rng.normal(size=(count, 2**num_qubits)) + 1j * rng.normal(size=(count, 2**num_qubits))
    return states / np.linalg.norm(states, axis=1, keepdims=True)


def values_of(readout: BoundReadout, states: NDArray[np.complex128]) -> Values:
    matrices = [observable_matrix(o) for o in readout.observables]
    return np.array([[np.vdot(s, m @ s).real for m in matrices] for s in states])


def outcome(index: int, qubits: tuple[int, ...]) -> int:
    """What the qubits read in a basis state, the first one the lowest bit."""
    return sum((index >> q & 1) << i for i, q in enumerate(qubits))


@pytest.mark.parametrize(
    ("qubits", "num_classes"), [((0, 1, 2), 3), ((2, 0), 3), ((1, 2, 0), 7), ((2, 1), 2), ((1,), 2)]
)
def test_classes_are_outcomes_and_the_rest_is_shared(qubits: tuple[int, ...], num_classes: int) -> None:
    states = random_states(3)
    bound = ClassesReadout().bind(3, qubits, num_classes)
    m = int(np.ceil(np.log2(num_classes)))
    expected = np.zeros((len(states), num_classes))
    for index, p in enumerate((np.abs(states) ** 2).T):
        k = outcome(index, qubits[:m])
        if k < num_classes:
            expected[:, k] += p
        else:
            expected += p[:, None] / num_classes
    outputs = bound.outputs(values_of(bound, states))
    np.testing.assert_allclose(outputs, expected, atol=1e-12)
    np.testing.assert_allclose(outputs.sum(axis=1), 1.0, atol=1e-12)


@pytest.mark.parametrize("num_classes", [2, 3, 5, 6, 7])
def test_every_class_can_be_predicted(num_classes: int) -> None:
    bound = ClassesReadout().bind(3, (0, 1, 2), num_classes)
    basis = np.eye(8, dtype=complex)[:num_classes]
    outputs = bound.outputs(values_of(bound, basis))
    np.testing.assert_allclose(outputs, np.eye(num_classes), atol=1e-12)


@pytest.mark.parametrize("qubits", [(0, 1, 2), (0, 2), (1,)])
def test_parity_counts_ones_of_the_measured_qubits(qubits: tuple[int, ...]) -> None:
    states = random_states(3)
    odd = np.array([outcome(i, qubits).bit_count() % 2 for i in range(8)])
    expected = np.stack([np.abs(states) ** 2 @ (1 - odd), np.abs(states) ** 2 @ odd], axis=1)
    bound = ParityReadout().bind(3, qubits, 2)
    np.testing.assert_allclose(bound.outputs(values_of(bound, states)), expected, atol=1e-12)


def test_observables_are_scores() -> None:
    states = random_states(2)
    bound = ObservablesReadout(["XI", SparsePauliOp(["ZZ", "IY"], [0.5, 0.25])], scale=3.0).bind(2, (0, 1), 2)
    matrices = [observable_matrix("XI"), 0.5 * observable_matrix("ZZ") + 0.25 * observable_matrix("IY")]
    expected = 3 * np.array([[np.vdot(s, m @ s).real for m in matrices] for s in states])
    assert bound.kind == "scores"
    np.testing.assert_allclose(bound.outputs(values_of(bound, states)), expected, atol=1e-12)


def test_expectation_is_the_mean_of_z_by_default() -> None:
    states = random_states(2)
    bound = ExpectationReadout(span=2.0).bind(2, (0, 1), 1)
    mean_z = np.abs(states) ** 2 @ np.array([1.0, 0.0, 0.0, -1.0])
    np.testing.assert_allclose(bound.outputs(values_of(bound, states))[:, 0], 2 * mean_z, atol=1e-12)


@pytest.mark.parametrize(
    "bound",
    [
        ParityReadout().bind(2, (0, 1), 2),
        ClassesReadout().bind(2, (0, 1), 3),
        ObservablesReadout(scale=2.0).bind(2, (0, 1), 2),
        ExpectationReadout().bind(2, (0, 1), 1),
    ],
    ids=["parity", "classes", "observables", "expectation"],
)
def test_pull_back_is_the_transpose(bound: BoundReadout) -> None:
    rng = np.random.default_rng(0)
    values, change = rng.normal(size=(2, 4, len(bound.observables)))
    cotangent = rng.normal(size=(4, bound.num_outputs))
    moved = bound.outputs(values + change) - bound.outputs(values)
    assert np.sum(cotangent * moved) == pytest.approx(np.sum(bound.pull_back(cotangent) * change), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "num_classes", "kind"),
    [
        ("auto", 2, ParityReadout),
        ("auto", 3, ClassesReadout),
        ("parity", 2, ParityReadout),
        ("classes", 2, ClassesReadout),
    ],
)
def test_names(name: str, num_classes: int, kind: type[Readout]) -> None:
    assert type(as_readout(name, num_classes, "VQC")) is kind


def test_settings_are_scikit_learn_parameters() -> None:
    assert clone(ObservablesReadout(scale=2.0)).get_params()["scale"] == 2.0


@pytest.mark.parametrize(
    ("readout", "num_qubits", "qubits", "num_outputs", "message"),
    [
        (ParityReadout(), 2, (0, 1), 3, r"ParityReadout has 2 outcomes.*got 3 class"),
        (
            ClassesReadout(),
            3,
            (1,),
            3,
            r"ClassesReadout needs 2 measured qubit\(s\) for 3 class.*leaves 1, \(1,\)",
        ),
        (ObservablesReadout(), 2, (0, 1), 3, r"ObservablesReadout needs 3 measured qubit\(s\) for 3 class"),
        (ObservablesReadout(["ZI"]), 2, (0, 1), 2, r"observables of ObservablesReadout must be a sequence of 2.*got 1"),
        (ObservablesReadout("ZI"), 2, (0, 1), 2, r"must be a sequence of 2.*got 'ZI'"),
        (ObservablesReadout(["ZI", "Z"]), 2, (0, 1), 2, r"observables\[1\].*2 qubit\(s\).*it acts on 1"),
        (ObservablesReadout(["ZI", "Q?"]), 2, (0, 1), 2, r"observables\[1\] = 'Q\?' is no Pauli label"),
        (
            ObservablesReadout(scale=0.0),
            2,
            (0, 1),
            2,
            r"scale of ObservablesReadout must be a positive.*got 0.0",
        ),
        (
            ExpectationReadout(span=-1.0),
            2,
            (0, 1),
            1,
            r"span of ExpectationReadout must be a positive.*got -1.0",
        ),
    ],
)
def test_bad_readouts(
    readout: Readout, num_qubits: int, qubits: tuple[int, ...], num_outputs: int, message: str
) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        readout.bind(num_qubits, qubits, num_outputs)


def test_unknown_name() -> None:
    with pytest.raises(InvalidParameterError, match=r"readout of VQC must be 'auto'.*got 'parities'"):
        as_readout("parities", 2, "VQC")
