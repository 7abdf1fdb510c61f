"""Other people's kernels as ours, and ours as theirs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit.circuit.library import zz_feature_map
from qiskit_machine_learning.algorithms import QSVC, PegasosQSVC
from qiskit_machine_learning.kernels import BaseKernel, FidelityStatevectorKernel
from qiskit_machine_learning.utils import algorithm_globals
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

from qkernels import CircuitMap, FidelityKernel, QuantumKernelSVC, StatevectorEngine, ZZFeatureMap
from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.kernels import ForeignKernel, as_kernel

X, Y = load_iris(return_X_y=True)
X, Y = X[::4, :3], Y[::4]
BINARY = Y < 2


# Ours as theirs -------------------------------------------------------------------------------------------------


def test_evaluate_is_the_raw_matrix() -> None:
    kernel = FidelityKernel(engine=StatevectorEngine(shots=50, seed=0)).fit(X)
    theirs = kernel.as_qiskit_kernel()
    assert isinstance(theirs, BaseKernel)
    assert (theirs.num_features, theirs.feature_map.num_qubits, theirs.enforce_psd) == (3, 3, False)
    np.testing.assert_array_equal(theirs.evaluate(X), kernel(X))
    np.testing.assert_array_equal(theirs.evaluate(X[:5] + 0.1, X), kernel(X[:5] + 0.1, X))
    np.testing.assert_array_equal(theirs.evaluate(X[3], X[:7]), kernel(X)[3:4, :7])
    assert theirs.evaluate(X[:2], X[:0]).shape == (2, 0)


def test_entries_between_fitted_rows_are_looked_up() -> None:
    class Counting(StatevectorEngine):
        calls = 0

        def overlaps(self, *args: object, **options: object) -> object:
            Counting.calls += 1
            return super().overlaps(*args, **options)

    theirs = FidelityKernel(engine=Counting()).fit(X).as_qiskit_kernel()
    Counting.calls = 0
    theirs.evaluate(X[4:9], X[20:])
    assert Counting.calls == 0


def test_evaluate_refuses_other_shapes() -> None:
    theirs = FidelityKernel().fit(X).as_qiskit_kernel()
    with pytest.raises(InvalidDataError, match=r"x_vec must have shape \(n, 3\).* got \(2, 2\)"):
        theirs.evaluate(X[:2, :2])
    with pytest.raises(InvalidDataError, match=r"y_vec must have shape \(n, 3\).* got \(5,\)"):
        theirs.evaluate(X, np.ones(5))


def test_clone_hands_on_our_kernel_with_its_engine() -> None:
    theirs = FidelityKernel().fit(X).as_qiskit_kernel()
    assert clone(theirs) is theirs
    assert clone(QuantumKernelSVC(theirs)).kernel is theirs
    assert clone(QuantumKernelSVC(theirs)).fit(X, Y).score(X, Y) > 0.9


def test_evaluate_of_one_feature_says_so() -> None:
    theirs = FidelityKernel().fit(X).as_qiskit_kernel()
    with pytest.raises(InvalidDataError, match=r"fitted on 3 feature\(s\); got \(\d+, 1\), 1 feature\(s\)"):
        theirs.evaluate(X[:, :1])
    with pytest.raises(InvalidDataError, match=r"fitted on 1 feature\(s\); got \(\d+, 3\)"):
        FidelityKernel().fit(X[:, :1]).as_qiskit_kernel().evaluate(X)


def test_their_qsvc_on_our_kernel() -> None:
    kernel = FidelityKernel().fit(X)
    theirs = QSVC(quantum_kernel=kernel.as_qiskit_kernel()).fit(X, Y)
    ours = SVC(kernel="precomputed").fit(kernel.gram_, Y)
    np.testing.assert_allclose(theirs.decision_function(X), ours.decision_function(kernel.gram_), atol=1e-9)


def test_their_pegasos_on_our_kernel() -> None:
    algorithm_globals.random_seed = 0
    kernel = FidelityKernel().fit(X[BINARY])
    theirs = PegasosQSVC(quantum_kernel=kernel.as_qiskit_kernel(), C=100, num_steps=200)
    assert theirs.fit(X[BINARY], Y[BINARY]).score(X[BINARY] + 1e-3, Y[BINARY]) > 0.95


# Theirs as ours -------------------------------------------------------------------------------------------------


def test_their_kernel_equals_ours_on_their_circuit() -> None:
    circuit = zz_feature_map(3, reps=1, entanglement="linear")
    theirs = QuantumKernelSVC(FidelityStatevectorKernel(feature_map=circuit)).fit(X, Y)
    ours = QuantumKernelSVC(FidelityKernel(ZZFeatureMap(reps=1, data_map="havlicek"), bandwidth=1.0)).fit(X, Y)
    wrapped = QuantumKernelSVC(FidelityKernel(CircuitMap(circuit), bandwidth=1.0)).fit(X, Y)
    np.testing.assert_allclose(theirs.kernel_.gram_, ours.kernel_.gram_, atol=1e-9)
    for model in (ours, wrapped):
        np.testing.assert_allclose(theirs.decision_function(X + 0.1), model.decision_function(X + 0.1), atol=1e-6)
    assert isinstance(theirs.kernel_, ForeignKernel)


def test_their_kernel_survives_clone() -> None:
    model = QuantumKernelSVC(FidelityStatevectorKernel(feature_map=zz_feature_map(3)))
    np.testing.assert_array_equal(clone(model).fit(X, Y).predict(X), model.fit(X, Y).predict(X))


def test_our_kernel_through_theirs_and_back() -> None:
    kernel = FidelityKernel().fit(X)
    back = QuantumKernelSVC(kernel.as_qiskit_kernel()).fit(X, Y)
    np.testing.assert_allclose(
        back.decision_function(X + 0.1), QuantumKernelSVC().fit(X, Y).decision_function(X + 0.1), atol=1e-9
    )


@pytest.mark.parametrize("kernel", [rbf_kernel, FidelityKernel().fit(X).frozen()], ids=["function", "frozen"])
def test_callable(kernel: object) -> None:
    ours = QuantumKernelSVC(kernel).fit(X, Y)
    theirs = SVC(kernel=kernel, tol=1e-10).fit(X, Y)
    np.testing.assert_allclose(ours.decision_function(X + 0.1), theirs.decision_function(X + 0.1), atol=1e-9)


def test_our_kernels_are_cloned() -> None:
    kernel = FidelityKernel()
    assert as_kernel(kernel, "owner") is not kernel
    assert isinstance(as_kernel(None, "owner"), FidelityKernel)


def broken(values: NDArray[np.float64]) -> object:
    def k(A: NDArray[np.float64], B: NDArray[np.float64]) -> NDArray[np.float64]:
        return values

    return k


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((2, 2)), r"must return a matrix of shape \(38, 38\).* got shape \(2, 2\)"),
        (np.array(1.0), r"got shape \(\)\. A function of two vectors needs a loop"),
        (np.full((38, 38), np.nan), r"must return finite values; got nan in row 0, column 0"),
    ],
    ids=["shape", "scalar", "nan"],
)
def test_callable_with_a_bad_answer(values: NDArray[np.float64], message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        QuantumKernelSVC(broken(values)).fit(X, Y)


def test_foreign_kernel_before_fit() -> None:
    with pytest.raises(NotFittedError, match=r"ForeignKernel\(<function rbf_kernel.* is not fitted"):
        as_kernel(rbf_kernel, "owner").cross(X)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ("rbf", r"kernel of QuantumKernelSVC must be None, .* got 'rbf'\. For classical kernels by name"),
        (3, r"got 3\.$"),
        (FidelityKernel, r"Pass an instance: FidelityKernel\(\)"),
        (ZZFeatureMap(), r"got ZZFeatureMap\(\)\. .* FidelityKernel\(ZZFeatureMap\(\)\)"),
    ],
    ids=["name", "number", "class", "feature map"],
)
def test_what_is_no_kernel(kernel: object, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        QuantumKernelSVC(kernel).fit(X, Y)
