"""A20: labels of 10 % of the rows, spread over the graph of a quantum kernel, reach the rest of the table.

Nothing is held out: all rows are known from the start, without their labels (transduction), so scaler and PCA see all
of them. The reference values are not the paper's but those of an independent NumPy computation of this setting: means
over 10 random choices of the labelled rows, other ones than ours. Both means scatter, so what is allowed is three
standard errors of their difference, taken from our scatter, and the rounding of the target. At c = 1 the claim is
"clearly worse": by three standard errors of the paired difference. The reference values there are shown and not
checked: little of the data is left in the graph, and what is depends on details such as how labels are drawn and how
the graph is made symmetric (36 to 44 % on wine).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import sqrt

import numpy as np
from _common import Check, Paper, Target, about, main
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

from qkernels import FidelityKernel, QuantumLabelPropagation, ZZFeatureMap

PAPER = Paper(
    "A20",
    "Gholipour et al. 2024",
    "A Laplacian-based quantum graph neural network for semi-supervised learning",
    "2408.05498",
    own_numbers=False,
)
MAP = ZZFeatureMap(reps=2, entanglement="full", data_map="product")
# Loader, and reference accuracies at c = 0.1 and at c = 1.
TABLES = {
    "iris": (load_iris, 0.91, 0.62),
    "wine": (load_wine, 0.94, 0.47),
    "breast_cancer": (load_breast_cancer, 0.92, 0.63),
}
ROUNDING = 0.005
REFERENCE_SEEDS = 10
UNKNOWN = -1
GAMMAS = (0.01, 0.03, 0.1, 0.3, 1.0)

Values = NDArray[np.float64]
Labels = NDArray[np.int64]
Kernel = Callable[[Values], Values]


def transduce(kernel: Kernel, X: Values, y: Labels) -> Labels:
    """Labels of all rows: F = (I − 0.9 S)⁻¹ Y on the graph that joins each row to the 10 most similar ones."""
    return np.asarray(QuantumLabelPropagation(kernel, n_neighbors=10, alpha=0.9).fit(X, y).transduction_)


def accuracy(kernel: Kernel, X: Values, y: Labels, hidden: Labels) -> float:
    """Share of the rows in `hidden`, whose labels are hidden, that get their label back."""
    known = y.copy()
    known[hidden] = UNKNOWN
    return float(np.mean(transduce(kernel, X, known)[hidden] == y[hidden]))


def tuned_gamma(X: Values, y: Labels, labelled: Labels) -> float:
    """The γ that best recovers a third of the given labels from the other two thirds."""
    known = np.full_like(y, UNKNOWN)
    known[labelled] = y[labelled]
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(labelled, y[labelled]))
    return max(
        GAMMAS, key=lambda g: sum(accuracy(partial(rbf_kernel, gamma=g), X, known, labelled[hide]) for _, hide in folds)
    )


def run(quick: bool) -> list[Check]:
    seeds = 5 if quick else 10
    checks = []
    for name, (load, good, bad) in TABLES.items():
        X, y = load(return_X_y=True)
        X = StandardScaler().fit_transform(X)
        if X.shape[1] > 8:
            X = PCA(8).fit_transform(X)
        scores = []
        for seed in range(seeds):
            labelled, hidden = train_test_split(np.arange(len(y)), train_size=0.1, stratify=y, random_state=seed)
            gamma = tuned_gamma(X, y, labelled)
            kernels = (*(FidelityKernel(MAP, bandwidth=c) for c in (0.1, 1.0)), partial(rbf_kernel, gamma=gamma))
            scores.append([accuracy(kernel, X, y, hidden) for kernel in kernels])
        narrow, wide, rbf = np.array(scores).T
        tolerance = ROUNDING + 3 * float(narrow.std(ddof=1)) * sqrt(1 / seeds + 1 / REFERENCE_SEEDS)
        clearly = 3 * float((narrow - wide).std(ddof=1)) / sqrt(seeds)
        at = f"{name}, 10 % labelled, {seeds} seeds"
        target = Target(high=float(narrow.mean()) - clearly)
        checks += [
            Check(f"{at}, c = 0.1", float(narrow.mean()), about(good, tolerance), float(rbf.mean())),
            Check(f"{at}, c = 1 (reference {bad:.0%})", float(wide.mean()), target, float(rbf.mean())),
        ]
    return checks


if __name__ == "__main__":
    main(PAPER, run, __doc__)
