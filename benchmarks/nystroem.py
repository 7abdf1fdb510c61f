"""How long do Nyström features of many rows take, and how much memory, in a process of its own?"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks._harness import Case, Check, Goal, Result, judge_value, run_child
from benchmarks.memory import reset_peak, resident
from qkernels import FidelityKernel, NystroemFeatures, ZZFeatureMap

__all__ = ["CASE"]

CHECKED_ROWS = 32


def child(request: Mapping[str, Any]) -> dict[str, object]:
    """In a fresh process: the first features that it computes, compilation included; then the check."""
    n, n_rows, m = request["qubits"], request["rows"], request["components"]
    X = np.random.default_rng(0).normal(size=(n_rows, n))
    feature_map = ZZFeatureMap(reps=2, entanglement="full")
    transformer = NystroemFeatures(FidelityKernel(feature_map), n_components=m, random_state=0)
    method = reset_peak()
    before = resident("VmRSS")
    start = time.perf_counter()
    features = transformer.fit_transform(X)
    seconds = time.perf_counter() - start
    peak = resident("VmHWM") - before

    from qiskit.quantum_info import Statevector

    circuit, x = feature_map.build(n), feature_map.parameter_vector(n)
    angles = 0.55 / np.sqrt(n) * (X - X.mean(axis=0)) / X.std(axis=0)  # bandwidth="scale" by its formula
    some = np.sort(np.random.default_rng(1).choice(n_rows, min(CHECKED_ROWS, n_rows), replace=False))
    chosen = np.concatenate([some, transformer.component_indices_])
    states = np.array(
        [Statevector(circuit.assign_parameters(dict(zip(x, a, strict=True)))).data for a in angles[chosen]]
    )
    overlaps = np.abs(states @ states[len(some) :].conj().T) ** 2
    values, vectors = np.linalg.eigh(overlaps[len(some) :])
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    # φ(x) K_ZZ^½ = K(x, Z): undoing the root on our side would compare rounding errors of a condition number
    difference = np.abs(features[some] @ root - overlaps[: len(some)]).max()
    return {"seconds": seconds, "peak_bytes": peak, "method": method, "difference": float(difference)}


def run(sizes: Mapping[str, int]) -> Result:
    n, n_rows, m = sizes["qubits"], sizes["rows"], sizes["components"]
    got = run_child("benchmarks.nystroem", {"qubits": n, "rows": n_rows, "components": m})
    check = Check(got["difference"], f"Qiskit Statevector, {min(CHECKED_ROWS, n_rows)} rows and all landmarks")
    question = f"ZZ full, {n} qubits, N={n_rows}, m={m}: Nyström features"
    rows = [
        judge_value(question, "30 s", "s", got["seconds"], Goal("value", 30.0), check, note="compilation included"),
        judge_value(f"{question}, peak", "2 GB", "B", float(got["peak_bytes"]), Goal("value", 2e9), check),
    ]
    return Result(rows, {"data": "standard normal", **got})


CASE = Case(
    "nystroem",
    "Nyström features of many rows, in a process of its own",
    run,
    full={"qubits": 10, "rows": 20000, "components": 200},
    quick={"qubits": 3, "rows": 60, "components": 8},
)

if __name__ == "__main__":
    print(json.dumps(child(json.loads(sys.argv[1]))))
