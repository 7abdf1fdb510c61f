"""Do quantum kernels help on your table? Four maps against a tuned RBF kernel, with the verdict of a fixed rule.

    python examples/compare_maps.py                     # wine
    python examples/compare_maps.py flowers.csv species # your CSV file and its column of classes

`qkernels demo` does the same with wider searches, pictures and a device. Here every step is in sight, to be changed.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from qkernels import CPMap, FidelityKernel, QuantumKernelSVC, SeparableMap, ZZFeatureMap
from qkernels.diagnostics import (
    best_fit_rbf,
    compare_models,
    corrected_interval,
    off_diagonal_statistics,
    qpu_verdict,
)

MAPS = {
    "separable": SeparableMap(),
    "ZZ linear": ZZFeatureMap(),
    "ZZ full": ZZFeatureMap(entanglement="full"),
    "CPMap": CPMap(),
}


def load(path: Path | None, target: str | None) -> tuple[np.ndarray, np.ndarray]:
    """All columns but the target, as numbers, and the target."""
    if path is None:
        X, y = load_wine(return_X_y=True)
        return X, y
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    X = np.array([[float(value) for name, value in row.items() if name != target] for row in rows])
    return X, np.array([row[target] for row in rows])


def tuned(svm: SVC | QuantumKernelSVC, grid: dict[str, object], num_components: int) -> GridSearchCV:
    """Scaling and PCA are fitted, and parameters chosen, inside each training fold."""
    steps = [("scale", StandardScaler()), ("pca", PCA(num_components, whiten=True)), ("svm", svm)]
    return GridSearchCV(Pipeline(steps), grid, cv=StratifiedKFold(3, shuffle=True, random_state=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", type=Path, help="a CSV file with a header line")
    parser.add_argument("target", nargs="?", help="its column of classes")
    parser.add_argument("--repeats", type=int, default=2, help="of the 5 outer folds; more narrow the intervals")
    arguments = parser.parse_args()
    if arguments.table is not None and arguments.target is None:
        parser.error("say which column of the table holds the classes")

    X, y = load(arguments.table, arguments.target)
    d = min(6, X.shape[1])
    # A whitened row has length sqrt(d); kappa/sqrt(d) is what bandwidth="scale" uses. Both families search 12 points.
    factors = np.array([0.25, 0.5, 1.0, 2.0]) / np.sqrt(d)
    models = {
        "RBF": tuned(SVC(), {"svm__gamma": [0.01 / d, 0.1 / d, 1 / d, 3 / d], "svm__C": [1, 10, 100]}, d),
        **{
            name: tuned(
                QuantumKernelSVC(FidelityKernel(feature_map, bandwidth=1.0)),
                {"svm__kernel__bandwidth": feature_map.scale_rule.kappa * factors, "svm__C": [1, 10, 100]},
                d,
            )
            for name, feature_map in MAPS.items()
        },
    }
    chosen: dict[str, list[float]] = {name: [] for name in MAPS}

    def note(name: str, fold: int, search: GridSearchCV, score: float) -> None:
        if name in MAPS:
            chosen[name].append(search.best_params_["svm__kernel__bandwidth"])

    scores = compare_models(models, X, y, n_splits=5, n_repeats=arguments.repeats, on_fold=note)
    for name, result in scores.items():
        print(f"{name:10} {result}")

    features = Pipeline(models["RBF"].estimator.steps[:-1]).fit_transform(X)
    for name, feature_map in MAPS.items():
        K = FidelityKernel(feature_map, bandwidth=float(np.median(chosen[name])))(features)
        verdict = qpu_verdict(
            interval=corrected_interval(scores[name], scores["RBF"]),
            off_diagonals=off_diagonal_statistics(K, shots=4096),
            rbf=best_fit_rbf(K, features),
        )
        print(f"{name}: {verdict}")


if __name__ == "__main__":
    main()
