"""How well a measured kernel classifies the test rows, beside a tuned RBF kernel on the same rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from qkernels.cli._campaign_export import Export
from qkernels.cli._campaign_parts import Split
from qkernels.cli._models import C_GRID, GAMMA_GRID, INNER_FOLDS, TOLERANCE

__all__ = ["Accuracies", "compare_on_test_rows"]


@dataclass(frozen=True, slots=True)
class Accuracies:
    """Of one split.

    Attributes
    ----------
    measured, rbf : int
        Test rows that are classified rightly.
    rows : int
        Test rows.
    measured_C, rbf_C, rbf_gamma : float
        Chosen by cross-validation within the training rows.
    """

    measured: int
    rbf: int
    rows: int
    measured_C: float
    rbf_C: float
    rbf_gamma: float

    def __str__(self) -> str:
        return (
            f"{self.rows} test rows: {self.measured} right ({self.measured / self.rows:.1%}) with this kernel "
            f"(C = {self.measured_C:g}), {self.rbf} right ({self.rbf / self.rows:.1%}) with an RBF kernel on the same "
            f"features (gamma = {self.rbf_gamma:g}, C = {self.rbf_C:g}; all chosen within the training rows). This is "
            f"one split, where one row is {1 / self.rows:.1%}: it ranks no kernels. `qkernels demo` does."
        )


def compare_on_test_rows(found: Export, split: Split, seed: int) -> Accuracies | str:
    """Tune both machines on the training rows and count; or why that is not possible.

    Parameters
    ----------
    found : Export
    split : Split
    seed : int
        Of the inner folds.
    """
    if not len(split.y_test):
        return "no accuracy: [data] test_share is 0."
    if not found.is_complete:
        return "no accuracy: results are missing."
    if np.unique(split.y_train, return_counts=True)[1].min() < INNER_FOLDS:
        return f"no accuracy: a class has fewer than {INNER_FOLDS} training rows, too few to choose C."
    grid = {"C": C_GRID}
    measured = _search(SVC(kernel="precomputed", tol=TOLERANCE), grid, found.K_train, split.y_train, seed)
    rbf = _search(SVC(tol=TOLERANCE), {"gamma": GAMMA_GRID, **grid}, split.X_train, split.y_train, seed)
    return Accuracies(
        measured=int((measured.predict(found.K_test) == split.y_test).sum()),
        rbf=int((rbf.predict(split.X_test) == split.y_test).sum()),
        rows=len(split.y_test),
        measured_C=float(measured.best_params_["C"]),
        rbf_C=float(rbf.best_params_["C"]),
        rbf_gamma=float(rbf.best_params_["gamma"]),
    )


def _search(
    model: SVC, grid: Mapping[str, tuple[float, ...]], X: NDArray[np.float64], y: NDArray[np.generic], seed: int
) -> GridSearchCV:
    folds = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GridSearchCV(model, dict(grid), cv=folds, error_score="raise").fit(X, y)
