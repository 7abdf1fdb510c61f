"""A10: the bandwidth decides. The same kernel is near perfect at c = 0.1 and near chance at c = 1.

The finding is the paper's; the targets are not its numbers but those of an independent NumPy computation of this
setting. Data and folds are fixed, so they are numbers to be met, not estimates. What is allowed is the rounding of the
target and one of the 365 rows, which may change sides with the last digits of the solver.
"""

from __future__ import annotations

import numpy as np
from _common import Check, Paper, about, main, tuned_rbf
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qkernels import FidelityKernel, QuantumKernelSVC, ZZFeatureMap

PAPER = Paper(
    "A10",
    "Shaydulin and Wild 2022",
    "Importance of kernel bandwidth in quantum machine learning",
    "2111.05451",
    own_numbers=False,
)
MAP = ZZFeatureMap(reps=2, entanglement="full", data_map="product")
ACCURACIES = {0.01: 0.781, 0.03: 0.967, 0.1: 0.989, 0.3: 0.964, 1.0: 0.581, 3.0: 0.501}
TOLERANCE = 0.003


def run(quick: bool) -> list[Check]:
    X, y = load_digits(return_X_y=True)
    X, y = X[np.isin(y, (3, 5))], y[np.isin(y, (3, 5))]
    folds = StratifiedKFold(5, shuffle=True, random_state=0)

    def accuracy(bandwidth: float) -> float:
        machine = QuantumKernelSVC(FidelityKernel(MAP, bandwidth=bandwidth), C=1.0)
        return float(cross_val_score(make_pipeline(PCA(8), StandardScaler(), machine), X, y, cv=folds).mean())

    found = {c: accuracy(c) for c in ACCURACIES}
    rbf = cross_val_score(tuned_rbf(PCA(8), StandardScaler()), X, y, cv=folds).mean()
    checks = [
        Check(f"digits 3 and 5, 8 qubits, c = {c:g}: QSVC accuracy", found[c], about(target, TOLERANCE), rbf)
        for c, target in ACCURACIES.items()
    ]
    best = max(found, key=found.__getitem__)
    return [*checks, Check("the best c of the sweep, neither end of it", best, about(0.1), form="g")]


if __name__ == "__main__":
    main(PAPER, run, __doc__)
