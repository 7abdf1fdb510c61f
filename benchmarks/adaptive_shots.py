"""Does it help to spend shots where the classifier is sensitive, at equal total shots?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import Statevector
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks._harness import Case, Check, Result, Row, Values, judge_value
from qkernels import FidelityKernel, QuantumKernelSVC, StatevectorEngine, ZZFeatureMap

__all__ = ["CASE"]

BANDWIDTH, C = 0.15, 10.0
"""A sensible kernel machine on these tables: fixed before any shots were drawn."""

CHECKED_ROWS = 12


def tables() -> dict[str, tuple[Values, NDArray[np.int_]]]:
    """Two binary tables."""
    X, y = load_digits(return_X_y=True)
    some = (y == 3) | (y == 5)
    return {"digits 3 vs 5": (X[some], y[some]), "breast_cancer": load_breast_cancer(return_X_y=True)}


def exact_difference(angles: Values, gram: Values) -> float:
    """Largest difference of exact entries to Qiskit's states."""
    feature_map = ZZFeatureMap(entanglement="full")
    circuit, x = feature_map.build(angles.shape[1]), feature_map.parameter_vector(angles.shape[1])
    states = np.array([Statevector(circuit.assign_parameters(dict(zip(x, a, strict=True)))).data for a in angles])
    return float(np.abs(np.abs(states @ states.conj().T) ** 2 - gram).max())


def one_split(
    X: Values, y: NDArray[np.int_], train: NDArray[np.intp], test: NDArray[np.intp], shots: int, seed: int
) -> dict[str, float]:
    """Accuracy and error of the decision function of both ways, against the exact kernel on the same split."""
    scaler = make_pipeline(PCA(8, random_state=0), StandardScaler()).fit(X[train])
    A, B = scaler.transform(X[train]), scaler.transform(X[test])
    exact = FidelityKernel(ZZFeatureMap(entanglement="full"), bandwidth=BANDWIDTH)
    reference = QuantumKernelSVC(exact, C=C, tol=1e-3).fit(A, y[train])
    cross = exact(B, A)  # of the test rows exactly, for both: what differs is the training matrix
    pairs = len(A) * (len(A) - 1) // 2
    half = shots // 2
    ways = {
        "uniform": (shots, None),
        "adaptive": (half, (shots - half) * pairs),
    }
    scores = {
        "exact": float(np.mean(reference.predict(B) == y[test])),
        "difference": exact_difference(BANDWIDTH * A[:CHECKED_ROWS], exact(A[:CHECKED_ROWS])),
    }
    for name, (first, more) in ways.items():
        kernel = FidelityKernel(
            ZZFeatureMap(entanglement="full"), StatevectorEngine(shots=first, seed=seed), bandwidth=BANDWIDTH
        )
        model = QuantumKernelSVC(kernel, C=C, tol=1e-3, refine_shots=more).fit(A, y[train])
        spent = int(model.kernel_.gram_shots_[np.triu_indices(len(A), 1)].sum())
        if spent != shots * pairs:
            raise RuntimeError(f"{name} spent {spent} shots instead of {shots * pairs}")
        solver = SVC(kernel="precomputed", C=C).fit(model.kernel_.gram_, y[train])
        corrected = cross
        for correction in model.kernel_.corrections_:
            corrected = correction.transform_cross(corrected)
        scores[name] = float(np.mean(solver.predict(corrected) == y[test]))
        error = solver.decision_function(corrected) - reference.decision_function(B)
        scores[f"{name} error"] = float(np.sqrt(np.mean(error**2)))
    return scores


def run(sizes: Mapping[str, int]) -> Result:
    rows: list[Row] = []
    details: dict[str, object] = {"bandwidth": BANDWIDTH, "C": C, "pilot": "half of the shots, uniformly", "rounds": 2}
    for table, (X, y) in tables().items():
        splits = StratifiedShuffleSplit(sizes["splits"], train_size=sizes["rows"], random_state=0)
        for shots in (4, 16, 64)[: sizes["budgets"]]:
            found = [one_split(X, y, a, b, shots, seed) for seed, (a, b) in enumerate(splits.split(X, y))]
            mean = {name: float(np.mean([scores[name] for scores in found])) for name in found[0]}
            gains = 100 * np.array([scores["adaptive"] - scores["uniform"] for scores in found])
            spread = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else float("nan")
            versus = f"uniform shots (gain {gains.mean():+.1f} ± {spread:.1f} points)"
            share = mean["adaptive error"] / mean["uniform error"]
            note = (
                f"± is one standard error over splits; error of the decision function {share:.2f} of uniform; "
                f"exact kernel {100 * mean['exact']:.1f} %"
            )
            check = Check(max(scores["difference"] for scores in found), "Qiskit Statevector")
            question = f"{table}, {sizes['rows']} rows, {shots} shots per pair on average: accuracy"
            ours, theirs = 100 * mean["adaptive"], 100 * mean["uniform"]
            rows.append(judge_value(question, versus, "%", ours, None, check, theirs=theirs, note=note))
            details[question] = found
    return Result(rows, details)


CASE = Case(
    "adaptive_shots",
    "Accuracy at equal total shots, spent where the classifier is sensitive or uniformly",
    run,
    full={"rows": 120, "splits": 20, "budgets": 3},
    quick={"rows": 20, "splits": 2, "budgets": 1},
)
