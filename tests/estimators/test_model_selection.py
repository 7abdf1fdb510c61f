"""The estimators inside scikit-learn's tools, and what a search costs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from qkernels import CPMap, FidelityKernel, QuantumKernelSVC, StatevectorEngine, ZZFeatureMap
from qkernels.engines import cache_info, clear_cache
from qkernels.programs import Overlaps

X, Y = load_iris(return_X_y=True)
X, Y = X[::2], Y[::2]


def test_grid_search_on_the_bare_default() -> None:
    grid = {"kernel__feature_map__reps": [1, 2], "kernel__bandwidth": ["scale", 0.01], "C": [0.1, 10.0]}
    search = GridSearchCV(QuantumKernelSVC(), grid, cv=3).fit(X, Y)
    assert len(search.cv_results_["params"]) == 8
    assert search.best_score_ > 0.85
    assert search.best_params_["kernel__bandwidth"] == "scale"
    assert search.estimator.kernel is None
    assert search.best_estimator_.kernel_.feature_map_.reps == search.best_params_["kernel__feature_map__reps"]
    # every setting had its effect: no two of the eight share a score profile by accident of a shared default
    scores = np.array([search.cv_results_[f"split{k}_test_score"] for k in range(3)]).T
    assert len(np.unique(scores, axis=0)) > 3


def test_grid_over_whole_objects_and_pipelines() -> None:
    model = make_pipeline(StandardScaler(), QuantumKernelSVC())
    grid = {
        "quantumkernelsvc__kernel": [FidelityKernel(), FidelityKernel(CPMap())],
        "quantumkernelsvc__kernel__bandwidth": ["scale", 1.0],
    }
    search = GridSearchCV(model, grid, cv=2).fit(X, Y)
    assert search.best_score_ > 0.85
    assert grid["quantumkernelsvc__kernel"][0].bandwidth == "scale"


def test_kernel_as_a_step() -> None:
    model = make_pipeline(FidelityKernel(), SVC(kernel="precomputed"))
    grid = {"fidelitykernel__feature_map__reps": [1, 2], "svc__C": [0.1, 1.0]}
    assert GridSearchCV(model, grid, cv=3).fit(X, Y).best_score_ > 0.85


def test_cross_val_predict_and_scores_learn_the_scaling_inside_the_fold() -> None:
    predicted = cross_val_predict(QuantumKernelSVC(), X, Y, cv=3)
    assert (predicted == Y).mean() > 0.85
    shifted = X + 1e3  # nothing of a constant shift survives the scaling
    np.testing.assert_array_equal(predicted, cross_val_predict(QuantumKernelSVC(), shifted, Y, cv=3))


def test_precomputed_matrix_is_split_on_both_sides() -> None:
    K = FidelityKernel(bandwidth=0.05)(X)
    whole = cross_val_score(QuantumKernelSVC(FidelityKernel(bandwidth=0.05)), X, Y, cv=3)
    np.testing.assert_array_equal(cross_val_score(QuantumKernelSVC("precomputed"), K, Y, cv=3), whole)


def test_probabilities_by_calibration() -> None:
    model = CalibratedClassifierCV(QuantumKernelSVC(), ensemble=False, cv=3).fit(X, Y)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (probabilities.argmax(axis=1) == Y).mean() > 0.85


def test_as_a_base_estimator() -> None:
    assert OneVsRestClassifier(QuantumKernelSVC()).fit(X, Y).score(X, Y) > 0.85
    assert BaggingClassifier(QuantumKernelSVC(), n_estimators=3, random_state=0).fit(X, Y).score(X, Y) > 0.85


# Cost of a search -----------------------------------------------------------------------------------------------

GRID = {"C": [0.1, 1.0, 10.0, 100.0], "kernel__bandwidth": [0.1, 0.3, 1.0]}
MATRICES = 3 * 5 * 2  # bandwidths × folds × (training matrix, test block); C costs none


class LoggedEngine(StatevectorEngine):
    """Appends a character to a file for every matrix that was really evaluated, in whatever process."""

    log: Path

    def overlaps(self, *args: object, **options: object) -> Overlaps:
        before = cache_info().evaluated_matrices
        result = super().overlaps(*args, **options)
        with self.log.open("ab", buffering=0) as file:
            file.write(b"x" * (cache_info().evaluated_matrices - before))
        return result


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_search_evaluates_every_matrix_once(n_jobs: int, tmp_path: Path) -> None:
    # Rows of this run only: a matrix left in a cache by another test would spoil the count.
    X, y = make_classification(60, 4, random_state=os.getpid() + n_jobs)
    clear_cache()
    engine = LoggedEngine()
    engine.log = tmp_path / "evaluations"
    model = QuantumKernelSVC(FidelityKernel(ZZFeatureMap(reps=1), engine=engine))
    GridSearchCV(model, GRID, cv=5, n_jobs=n_jobs, refit=False).fit(X, y)
    assert engine.log.stat().st_size == MATRICES


def test_training_scores_cost_no_further_matrix() -> None:
    X, y = make_classification(60, 4, random_state=12345)
    clear_cache()
    model = QuantumKernelSVC(FidelityKernel(ZZFeatureMap(reps=1)))
    GridSearchCV(model, GRID, cv=5, refit=False, return_train_score=True).fit(X, y)
    assert cache_info().evaluated_matrices == MATRICES
