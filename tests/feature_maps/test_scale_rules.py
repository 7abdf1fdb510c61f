"""The scale rule of a map works where a user meets it: a table, no preparation, C = 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qkernels import FidelityKernel, QuantumKernelSVC
from qkernels.feature_maps import (
    CovariantMap,
    DenseAngleMap,
    FeatureMap,
    HeisenbergMap,
    HighDimMap,
    ScaleRule,
    YZCXMap,
)

TABLES: dict[str, Callable[..., tuple[NDArray[np.float64], NDArray[np.int64]]]] = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
}


def accuracy(feature_map: FeatureMap, table: str) -> float:
    X, y = TABLES[table](return_X_y=True)
    svc = QuantumKernelSVC(FidelityKernel(feature_map), C=1.0)
    model = make_pipeline(StandardScaler(), PCA(8), svc) if X.shape[1] > 13 else svc
    return float(cross_val_score(model, X, y, cv=StratifiedKFold(5, shuffle=True, random_state=0)).mean())


# What the docstrings of the maps claim, in this order of tables.
CLAIMS = [
    (CovariantMap(), (0.92, 0.97, 0.96)),
    (HighDimMap(), (0.95, 0.97, 0.96)),
    (YZCXMap(), (0.96, 0.98, 0.96)),
    pytest.param(HeisenbergMap(), (0.95, 0.97, 0.96), marks=pytest.mark.slow),  # 13 s for the 14 qubits of wine
    (DenseAngleMap(), (0.96, 0.98, 0.96)),
]


@pytest.mark.parametrize(("feature_map", "claims"), CLAIMS, ids=lambda value: repr(value))
def test_accuracy_is_the_one_claimed(feature_map: FeatureMap, claims: tuple[float, float, float]) -> None:
    # .015: half a digit of the claim, and one row of a table more or less on another processor
    assert [accuracy(feature_map, table) for table in TABLES] == pytest.approx(claims, abs=0.015)


def test_the_wall_of_the_heisenberg_map_matters() -> None:
    assert accuracy(HeisenbergMap(seed=2), "iris") == pytest.approx(0.87, abs=0.015)
    assert accuracy(HeisenbergMap(), "iris") == pytest.approx(0.95, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("feature_map", [CovariantMap(), HighDimMap(), YZCXMap(), DenseAngleMap()], ids=repr)
def test_a_quarter_and_four_times_the_scale_are_worse(feature_map: FeatureMap, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = feature_map.scale_rule
    best = sum(accuracy(feature_map, table) for table in TABLES)
    for factor in (0.25, 4.0):
        monkeypatch.setattr(type(feature_map), "scale_rule", ScaleRule(rule.kind, factor * rule.kappa))
        assert sum(accuracy(feature_map, table) for table in TABLES) < best


def test_dense_angles_of_a_whole_turn_are_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DenseAngleMap, "scale_rule", ScaleRule("unit", 1.0))
    assert [accuracy(DenseAngleMap(), table) for table in TABLES] == pytest.approx((0.84, 0.88, 0.91), abs=0.015)


def test_covariant_is_better_on_a_range_than_centred(monkeypatch: pytest.MonkeyPatch) -> None:
    by_rule = accuracy(CovariantMap(), "breast_cancer")
    for kappa in (0.25, 0.5, 1.0, 2.0):
        monkeypatch.setattr(CovariantMap, "scale_rule", ScaleRule("standard", kappa))
        assert accuracy(CovariantMap(), "breast_cancer") < by_rule - 0.05


def test_a_quarter_of_the_features_as_qubits_costs_accuracy_on_narrow_tables() -> None:
    for table, qubits in {"wine": 4, "breast_cancer": 2}.items():
        assert accuracy(HighDimMap(qubits=qubits), table) < accuracy(HighDimMap(), table) - 0.05
