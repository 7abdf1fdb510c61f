"""How long does one new point take against a fitted kernel, also in another process after unpickling?"""

from __future__ import annotations

import json
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from benchmarks._harness import Case, Check, Goal, Result, Row, Values, judge_value, run_child
from qkernels import FidelityKernel, QuantumKernelSVC, ZZFeatureMap

__all__ = ["CASE"]

SECONDS = 5e-3


def time_calls(function: Callable[[Values], Values], points: Values) -> tuple[list[float], list[Values]]:
    """Seconds and answers of one call per point."""
    seconds, answers = [], []
    for point in points:
        start = time.perf_counter()
        answers.append(np.asarray(function(point[None])))
        seconds.append(time.perf_counter() - start)
    return seconds, answers


def serve(model: FidelityKernel | QuantumKernelSVC) -> Callable[[Values], Values]:
    """What a user calls on one new point."""
    return model.predict if isinstance(model, QuantumKernelSVC) else model.transform


class Reference:
    """FidelityStatevectorKernel on the same circuit, keeping its states: the fitted rows are simulated once."""

    settings: Mapping[str, object] = {"auto_clear_cache": False, "states of the fitted rows": "cached, not timed"}

    def __init__(self, kernel: FidelityKernel, X: Values) -> None:
        from qiskit_machine_learning.kernels import FidelityStatevectorKernel

        self._kernel = kernel
        circuit = kernel.feature_map_.build(X.shape[1])
        self._theirs = FidelityStatevectorKernel(feature_map=circuit, auto_clear_cache=False)
        self._fitted = self._encode(X)

    def _encode(self, X: Values) -> Values:
        return np.asarray((X - self._kernel.offset_) * self._kernel.factor_)

    def __call__(self, point: Values) -> Values:
        """K(point, fitted rows)."""
        return np.asarray(self._theirs.evaluate(self._encode(point), self._fitted))

    def expected(self, model: FidelityKernel | QuantumKernelSVC, rows: Values) -> Values:
        """What the model must answer, given the reference's kernel rows."""
        if isinstance(model, FidelityKernel):
            return rows
        decision = rows[:, model.support_] @ model.dual_coef_[0] + model.intercept_[0]
        return np.asarray(model.classes_[(decision > 0).astype(int)])


def measure(
    name: str, model: FidelityKernel | QuantumKernelSVC, X: Values, points: Values
) -> tuple[list[Row], dict[str, Any]]:
    """Rows for this process and for a fresh one."""
    kernel = model if isinstance(model, FidelityKernel) else model.kernel_
    reference = Reference(kernel, X)
    reference(points[:1])
    their_seconds, their_rows = time_calls(reference, points)
    expected = reference.expected(model, np.concatenate(their_rows))
    ours, answers = time_calls(serve(model), points)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pickle"
        path.write_bytes(pickle.dumps(model))
        size = path.stat().st_size
        child = run_child("benchmarks.predict_one", {"path": str(path), "points": points.tolist()})

    versus = "FidelityStatevectorKernel, states kept"
    theirs = median(their_seconds) if isinstance(model, FidelityKernel) else None
    rows = []
    for where, seconds, got in (
        ("", ours, np.concatenate(answers)),
        (", after unpickling", child["seconds"], np.array(child["answers"])),
    ):
        check = Check(float(np.abs(got - expected).max()), "FidelityStatevectorKernel")
        rows.append(
            judge_value(
                f"{name}, one new point of {len(X)}{where}",
                versus if theirs is not None else "(same matrix)",
                "s",
                median(seconds[1:]),
                Goal("value", SECONDS),
                check,
                theirs=theirs,
                settings=Reference.settings,
                note=f"first call {seconds[0] * 1e3:.1f} ms",
            )
        )
    details = {
        "engine": repr(kernel.engine_),
        "feature_map": repr(kernel.feature_map_),
        "pickle_bytes": size,
        "seconds": ours,
        "seconds_after_unpickling": child["seconds"],
        "load_seconds": child["load_seconds"],
        "their_seconds": their_seconds,
    }
    return rows, details


def run(sizes: Mapping[str, int]) -> Result:
    table = load_breast_cancer()
    n_rows, d = sizes["rows"], sizes["features"]
    X = StandardScaler().fit_transform(PCA(d, random_state=0).fit_transform(table.data))[:n_rows]
    y = table.target[:n_rows]
    rng = np.random.default_rng(0)
    models: dict[str, FidelityKernel | QuantumKernelSVC] = {
        f"FidelityKernel(), {d} qubits: transform": FidelityKernel().fit(X),
        f"FidelityKernel(ZZ full), {d} qubits: transform": FidelityKernel(ZZFeatureMap(entanglement="full")).fit(X),
        f"QuantumKernelSVC(), {d} qubits: predict": QuantumKernelSVC().fit(X, y),
    }
    rows: list[Row] = []
    details: dict[str, Any] = {"data": f"breast_cancer, PCA-{d}, standardised; points of the table plus noise of 0.1"}
    for name, model in models.items():
        # New points for every model: two that share a circuit and a scaling share the cache.
        points = X[rng.integers(n_rows, size=sizes["calls"])] + 0.1 * rng.standard_normal((sizes["calls"], d))
        more, details[name] = measure(name, model, X, points)
        rows += more
    return Result(rows, details)


def child(request: Mapping[str, Any]) -> dict[str, object]:
    """In a fresh process: load the model, answer point by point."""
    start = time.perf_counter()
    model = pickle.loads(Path(request["path"]).read_bytes())
    loading = time.perf_counter() - start
    seconds, answers = time_calls(serve(model), np.array(request["points"]))
    return {"load_seconds": loading, "seconds": seconds, "answers": np.concatenate(answers).tolist()}


CASE = Case(
    "predict_one",
    "One new point against a fitted kernel: median from the second call on",
    run,
    full={"features": 12, "rows": 569, "calls": 31},
    quick={"features": 3, "rows": 20, "calls": 4},
)

if __name__ == "__main__":
    print(json.dumps(child(json.loads(sys.argv[1]))))
