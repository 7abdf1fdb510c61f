"""QuantumFeatures: values by the oracle, trained and fixed angles, scikit-learn's tools, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from qkernels import VQC, QuantumFeatures, StatevectorEngine, ZZFeatureMap
from qkernels._errors import InvalidParameterError
from qkernels.variational import RealAmplitudesAnsatz
from tests.oracle.states import oracle_expectations

X, Y = load_iris(return_X_y=True)


def test_values_are_those_of_the_circuit() -> None:
    features = QuantumFeatures(observables=["ZIII", "IXYI"], random_state=0).fit(X)
    program = features._program
    angles = features.factor_ * (X[::50] - features.offset_)
    expected = oracle_expectations(
        program.circuit, ["ZIII", "IXYI"], program.x, angles, program.theta or (), features.theta_
    )
    np.testing.assert_allclose(features.transform(X[::50]), expected, atol=1e-10)


@pytest.mark.parametrize(("observables", "columns"), [("XYZ", 12), ("Z", 4), (["ZZII"], 1)])
def test_columns(observables: Any, columns: int) -> None:
    features = QuantumFeatures(observables=observables, random_state=0).fit(X)
    assert features.transform(X[:3]).shape == (3, columns)
    assert len(features.get_feature_names_out()) == columns
    assert features.get_feature_names_out()[0] == "quantumfeatures0"


def test_given_angles_are_used_as_they_are() -> None:
    theta = np.linspace(0, 1, 8)
    features = QuantumFeatures(ZZFeatureMap(), RealAmplitudesAnsatz(reps=0), theta=theta).fit(X)
    np.testing.assert_array_equal(features.theta_, theta)


def test_random_angles_are_seeded() -> None:
    a, b, c = (QuantumFeatures(random_state=s).fit(X).transform(X[:2]) for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


def test_trained_features_are_those_of_the_model() -> None:
    model = VQC(random_state=0, tol=1e-2).fit(X, Y)
    features = QuantumFeatures.of_model(model, ["IIIZ", "IIZI", "IIZZ"])
    z = features.transform(X)
    outcome0 = (1 + z.sum(axis=1)) / 4
    outcome3 = (1 - z[:, 0] - z[:, 1] + z[:, 2]) / 4
    np.testing.assert_allclose(model.predict_proba(X)[:, 0], outcome0 + outcome3 / 3, atol=1e-10)
    np.testing.assert_array_equal(features.theta_, model.theta_)
    assert features.n_features_in_ == 4


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_features_of_a_widened_model_are_fitted_again() -> None:
    """Two features and five classes: a qubit more than the map has."""
    data, classes = make_blobs(60, 2, centers=5, random_state=0)
    features = QuantumFeatures.of_model(VQC(max_iter=2, optimizer="ADAM", random_state=0).fit(data, classes))
    assert features.num_qubits == 3
    again = clone(features).fit(data)
    np.testing.assert_array_equal(again.theta_, features.theta_)
    np.testing.assert_allclose(again.transform(data), features.transform(data), atol=1e-12)


def test_classical_head_and_search() -> None:
    head = make_pipeline(QuantumFeatures(random_state=0), LogisticRegression(C=100))
    assert head.fit(X, Y).score(X, Y) > 0.93
    grid = {"quantumfeatures__feature_map__reps": [1, 2]}
    assert GridSearchCV(head, grid, cv=2).fit(X, Y).best_score_ > 0.8


def test_shots_and_plan() -> None:
    features = QuantumFeatures(engine=StatevectorEngine(shots=100, seed=0), random_state=0).fit(X)
    assert features.plan(X).shots > 0
    assert features.plan(5).shots < features.plan(X).shots
    assert np.abs(features.transform(X)).max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"observables": "ZZ"}, r"observables of QuantumFeatures must be different letters.*got 'ZZ'"),
        ({"observables": []}, r"observables of QuantumFeatures must be.*got \[\]"),
        ({"observables": ["ZZ"]}, r"observables\[0\] acts on 2 qubits, the circuit has 4"),
        ({"theta": [1.0]}, r"^theta must hold 48 finite numbers.*got \[1.0\]"),
        ({"theta": "zero"}, r"^theta must be one of 'small'.*got 'zero'"),
        ({"num_qubits": 3}, r"num_qubits must be None or an integer >= 4.*got 3"),
        ({"engine": 3}, r"engine of QuantumFeatures must be None or an engine.*got 3"),
        ({"bandwidth": 0}, r"bandwidth of QuantumFeatures must be.*got 0"),
        ({"reuploads": 0}, r"'reuploads' parameter of QuantumFeatures.*Got 0"),
    ],
    ids=str,
)
def test_bad_parameters(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        QuantumFeatures(**options).fit(X)


def test_not_fitted() -> None:
    with pytest.raises(NotFittedError):
        QuantumFeatures().transform(X)
    with pytest.raises(NotFittedError):
        QuantumFeatures.of_model(VQC())
