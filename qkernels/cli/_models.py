"""The models of the demo: one tuned RBF machine and four tuned quantum ones, on the same preprocessed features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from qkernels.estimators import QuantumKernelSVC
from qkernels.feature_maps import CPMap, FeatureMap, SeparableMap, ZZFeatureMap
from qkernels.kernels import FidelityKernel

INNER_FOLDS = 3
C_GRID = (1.0, 10.0, 100.0, 1000.0)
# Powers of two times the factor that bandwidth="scale" would use; after `UnitNorm`, one grid fits all tables.
BANDWIDTH_FACTORS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0)
# As many values for the RBF: it gets no smaller search than the quantum kernels.
GAMMA_GRID = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
# scikit-learn's own default for SVC; accuracy does not change below it, time does.
TOLERANCE = 1e-3

PCA_SEED = 0
"""Of its randomised solver, which scikit-learn takes for large tables."""

RBF = "RBF SVM"


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """One line of the comparison.

    Attributes
    ----------
    name : str
    search : estimator
        A grid search around a pipeline.
    feature_map : FeatureMap or None
        None for classical models.
    """

    name: str
    search: BaseEstimator
    feature_map: FeatureMap | None = None

    @property
    def is_baseline(self) -> bool:
        """Whether the kernel is a product of one-qubit kernels, which no device is needed for."""
        return isinstance(self.feature_map, SeparableMap)


class UnitNorm(TransformerMixin, BaseEstimator):
    """Divide all features by one number, the root mean square norm of the training rows.

    Keeps the geometry of PCA, and makes a bandwidth (or a gamma) mean the same on every table.
    """

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn the norm of centred X."""
        norm = float(np.sqrt((np.asarray(X) ** 2).sum(axis=1).mean()))
        self.norm_ = norm if norm > 0.0 else 1.0
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Divide."""
        return np.asarray(X, dtype=np.float64) / self.norm_


def preprocessing(num_components: int) -> list[tuple[str, BaseEstimator]]:
    """Steps shared by all models, fitted inside each fold."""
    return [("scale", StandardScaler()), ("pca", PCA(num_components, random_state=PCA_SEED)), ("norm", UnitNorm())]


def bandwidth_grid(feature_map: FeatureMap) -> list[float]:
    """Bandwidths to search: factors around the map's own scale rule, in radians per unit norm."""
    kappa = feature_map.scale_rule.kappa or 1.0
    return [kappa * factor for factor in BANDWIDTH_FACTORS]


def build_models(num_components: int, num_columns: int, seed: int) -> list[Model]:
    """The tuned RBF machine first, then the quantum kernels, then the RBF machine on all columns."""
    models = [Model(RBF, _rbf_search(preprocessing(num_components), seed))]
    maps: list[tuple[str, FeatureMap]] = [
        ("Separable", SeparableMap()),
        ("ZZ-linear", ZZFeatureMap()),
        ("ZZ-full", ZZFeatureMap(entanglement="full")),
    ]
    if num_components > 1:
        maps.append(("CPMap", CPMap()))  # has no circuit for one feature
    for name, feature_map in maps:
        steps = [
            *preprocessing(num_components),
            ("svm", QuantumKernelSVC(FidelityKernel(feature_map, bandwidth=1.0), tol=TOLERANCE)),
        ]
        grid = {"svm__kernel__bandwidth": bandwidth_grid(feature_map), "svm__C": C_GRID}
        models.append(Model(name, _search(steps, grid, seed), feature_map))
    if num_columns > num_components:
        every_column = [("scale", StandardScaler()), ("norm", UnitNorm())]
        models.append(Model("RBF, all columns", _rbf_search(every_column, seed)))
    return models


def _rbf_search(steps: list[tuple[str, BaseEstimator]], seed: int) -> BaseEstimator:
    grid = {"svm__gamma": GAMMA_GRID, "svm__C": C_GRID}
    return _search([*steps, ("svm", SVC(tol=TOLERANCE))], grid, seed)


def _search(steps: list[tuple[str, BaseEstimator]], grid: Mapping[str, object], seed: int) -> BaseEstimator:
    inner = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    return GridSearchCV(Pipeline(steps), dict(grid), cv=inner, error_score="raise")
