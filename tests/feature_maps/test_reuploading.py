"""ReuploadingMap: its unitary, its rows, its scale, its errors."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qkernels import FidelityKernel, OverlapProgram, QuantumKernelSVC
from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.feature_maps import ReuploadingMap, ScaleRule
from tests.feature_maps.dense import Matrix, cz, product, rotation
from tests.oracle import oracle_matrix

# qubits, features: features of each row
ROWS = {
    (8, 1): [1],
    (8, 5): [5],
    (2, 6): [6],
    (2, 7): [3, 4],
    (3, 10): [5, 5],
    (1, 7): [2, 2, 3],
    (3, 20): [6, 7, 7],
}
BRICKS = {1: [], 2: [(0, 1)], 3: [(0, 1), (1, 2)], 5: [(0, 1), (2, 3), (1, 2), (3, 4)]}


def reference(x: list[float], n: int, rows: list[int]) -> Matrix:
    values = iter(x)
    gates = []
    for row, count in enumerate(rows):
        gates += [cz(n, a, b) for a, b in BRICKS[n]] if row else []
        gates += [rotation(n, "YZX"[place // n], (place % n,), next(values)) for place in range(count)]
    return product(gates)


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_the_map_is_its_definition(case: tuple[int, int]) -> None:
    qubits, d = case
    x = list(np.random.default_rng(0).uniform(-2, 2, d))
    feature_map = ReuploadingMap(qubits)
    n = min(qubits, d)
    circuit = feature_map.build(d)
    assert circuit.num_qubits == feature_map.num_qubits(d) == n
    found = oracle_matrix(circuit, dict(zip(feature_map.parameter_vector(d), x, strict=True)))
    np.testing.assert_allclose(found, reference(x, n, ROWS[case]), atol=1e-12)


@pytest.mark.parametrize("d", [1, 8, 24, 25, 30, 64, 200])
def test_every_feature_enters_once_and_the_cost_is_that_of_the_docstring(d: int) -> None:
    circuit = ReuploadingMap().build(d)
    assert list(circuit.parameters) == list(ReuploadingMap().parameter_vector(d))
    counts = circuit.count_ops()
    assert sum(counts.get(name, 0) for name in ("rx", "ry", "rz")) == d
    rows = -(-d // 24)
    assert counts.get("cz", 0) == (rows - 1) * 7
    assert ReuploadingMap().resources(d).two_qubit_depth == 2 * (rows - 1)


@pytest.mark.parametrize("d", [9, 24, 25, 30, 64])
def test_no_feature_is_without_effect(d: int) -> None:
    # an RZ on the state 0 would be one: it only changes the phase
    x = np.random.default_rng(1).uniform(0.3, 1.2, d)
    kernel = FidelityKernel(ReuploadingMap(qubits=4), bandwidth=1.0)
    assert kernel(x[None, :], x + 0.5 * np.eye(d)).max() < 1 - 1e-4


def test_two_builds_have_one_key() -> None:
    keys = {
        OverlapProgram(m.build(30), m.parameter_vector(30)).key for m in (ReuploadingMap(), clone(ReuploadingMap()))
    }
    assert len(keys) == 1


def test_repr_and_scale_rule() -> None:
    assert repr(ReuploadingMap()) == "ReuploadingMap()"
    assert repr(ReuploadingMap(qubits=4)) == "ReuploadingMap(qubits=4)"
    assert ReuploadingMap().scale_rule == ScaleRule("standard", 2.0)


TABLES = {
    "iris": (load_iris, 0, 0.97),
    "wine": (load_wine, 0, 0.96),
    "breast_cancer in 8 components": (load_breast_cancer, 8, 0.95),
    "breast_cancer": (load_breast_cancer, 0, 0.96),
}


@pytest.mark.parametrize("table", TABLES)
def test_accuracy_is_the_one_claimed(table: str) -> None:
    load, components, claim = TABLES[table]
    X, y = load(return_X_y=True)
    svc = QuantumKernelSVC(FidelityKernel(ReuploadingMap()), C=1.0)
    model = make_pipeline(StandardScaler(), PCA(components), svc) if components else svc
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    # .015: half a digit of the claim, and one row of a table more or less on another processor
    assert cross_val_score(model, X, y, cv=folds).mean() == pytest.approx(claim, abs=0.015)


@pytest.mark.parametrize(
    ("qubits", "message"),
    [
        (0, "ReuploadingMap: qubits must be an integer >= 1; got 0"),
        (2.0, r"ReuploadingMap: qubits must be an integer >= 1; got 2\.0"),
        (True, "ReuploadingMap: qubits must be an integer >= 1; got True"),
    ],
)
def test_a_bad_number_of_qubits_is_refused(qubits: object, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ReuploadingMap(qubits).build(3)


def test_no_features_are_refused() -> None:
    with pytest.raises(InvalidDataError, match=r"at least 1 feature\(s\); got 0 feature\(s\)"):
        ReuploadingMap().build(0)
