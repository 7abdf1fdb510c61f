"""How many kernel matrices does a grid search evaluate, in one process and in two?"""

from __future__ import annotations

import copy
import secrets
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV

from benchmarks._harness import Case, Check, Goal, Result, Row, Values, judge_value
from qkernels import FidelityKernel, QuantumKernelSVC, StatevectorEngine, ZZFeatureMap
from qkernels.engines import cache_info, clear_cache
from qkernels.programs import Overlaps

__all__ = ["CASE", "CountingEngine"]

COSTS = [0.1, 1.0, 10.0, 100.0]
BANDWIDTHS = [0.1, 0.3, 1.0]
FOLDS = 5
MATRICES = len(BANDWIDTHS) * FOLDS * 2
"""A training matrix and a test block per bandwidth and fold; C needs none."""


class CountingEngine(StatevectorEngine):
    """Appends a byte to a file for every matrix that was really evaluated, in whatever process."""

    log: Path

    def overlaps(self, *args: Any, **options: Any) -> Overlaps:
        """As the parent's."""
        before = cache_info().evaluated_matrices
        result = super().overlaps(*args, **options)
        note(self.log, cache_info().evaluated_matrices - before)
        return result


def note(log: Path, count: int) -> None:
    """Count in the file; appending is atomic, so that processes do not lose each other's."""
    with log.open("ab", buffering=0) as file:
        file.write(b"x" * count)


def our_search(X: Values, y: Values, n_jobs: int, log: Path) -> Values:
    """Scores of all candidates."""
    clear_cache()
    engine = CountingEngine()
    engine.log = log
    model = QuantumKernelSVC(FidelityKernel(ZZFeatureMap(reps=2), engine=engine))
    grid = {"C": COSTS, "kernel__bandwidth": BANDWIDTHS}
    return scores(GridSearchCV(model, grid, cv=FOLDS, n_jobs=n_jobs, refit=False).fit(X, y))


def their_search(X: Values, y: Values, log: Path) -> Values:
    """The same search with qiskit-machine-learning's QSVC; a bandwidth is another circuit there."""
    from qiskit_machine_learning.algorithms import QSVC
    from qiskit_machine_learning.kernels import FidelityStatevectorKernel

    class CountingKernel(FidelityStatevectorKernel):
        """Counts calls, each of which evaluates a matrix."""

        def evaluate(self, x_vec: Values, y_vec: Values | None = None) -> Values:
            note(log, 1)
            return np.asarray(super().evaluate(x_vec, y_vec))

        def __deepcopy__(self, memo: dict[int, object]) -> CountingKernel:  # what scikit-learn's clone does
            return CountingKernel(feature_map=copy.deepcopy(self.feature_map, memo))

    feature_map = ZZFeatureMap(reps=2)
    circuit, x = feature_map.build(X.shape[1]), feature_map.parameter_vector(X.shape[1])
    kernels = []
    for bandwidth in BANDWIDTHS:
        scaled = circuit.assign_parameters({p: bandwidth * p for p in x})
        kernels.append(CountingKernel(feature_map=scaled))
    grid = {"C": COSTS, "quantum_kernel": kernels}
    search = GridSearchCV(QSVC(quantum_kernel=kernels[0], tol=1e-10), grid, cv=FOLDS, refit=False)
    return scores(search.fit(X, y))


def scores(search: GridSearchCV) -> Values:
    """Test scores of all candidates and folds."""
    return np.array([search.cv_results_[f"split{k}_test_score"] for k in range(FOLDS)])


def run(sizes: Mapping[str, int]) -> Result:
    seed = secrets.randbelow(2**31)  # matrices shared between workers outlive a search: another run needs other data
    X, y = make_classification(sizes["rows"], sizes["features"], n_informative=2, n_redundant=0, random_state=seed)
    counts: dict[str, int] = {}
    seconds: dict[str, float] = {}
    results: dict[str, Values] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("QSVC", "n_jobs=2", "n_jobs=1"):
            log = Path(folder) / name
            log.touch()
            start = time.perf_counter()
            results[name] = their_search(X, y, log) if name == "QSVC" else our_search(X, y, int(name[-1]), log)
            seconds[name] = time.perf_counter() - start
            get_reusable_executor().shutdown(wait=True)  # else workers would idle on for minutes
            counts[name] = log.stat().st_size
    grid = f"{len(COSTS)} C x {len(BANDWIDTHS)} bandwidths x {FOLDS} folds"
    rows: list[Row] = [
        judge_value(
            f"grid search {grid}, N={sizes['rows']}, {name}",
            "qiskit-machine-learning QSVC",
            "matrices",
            counts[name],
            Goal("count", MATRICES),
            Check(
                float(np.abs(results[name] - results["QSVC"]).max()), "test scores of QSVC, all candidates and folds"
            ),
            theirs=counts["QSVC"],
            settings={"quantum_kernel": "FidelityStatevectorKernel, defaults", "tol": 1e-10, "n_jobs": 1},
            note=f"{seconds[name]:.2f} s",
        )
        for name in ("n_jobs=1", "n_jobs=2")
    ]
    details = {
        "data": f"make_classification, {X.shape[0]} x {X.shape[1]}, random_state={seed}",
        "feature_map": repr(ZZFeatureMap(reps=2)),
        "grid": {"C": COSTS, "bandwidth": BANDWIDTHS, "folds": FOLDS},
        "evaluated": counts,
        "seconds": seconds,
    }
    return Result(rows, details)


CASE = Case(
    "grid_search",
    "Kernel matrices that a grid search really evaluates",
    run,
    full={"rows": 80, "features": 4},
    quick={"rows": 40, "features": 2},
)
