"""How much faster are exact values under noise, from 2N half circuits, than the circuits of all pairs?"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from benchmarks._harness import (
    Case,
    Check,
    Goal,
    Result,
    canonical_rows,
    compare,
    compile_seconds,
    engine_contender,
    judge,
    judge_value,
    run_child,
    uniform_rows,
)
from qkernels import OverlapProgram, StatevectorEngine, ZZFeatureMap
from qkernels_hardware import AerEngine

__all__ = ["CASE"]

DEVICE = "fake_manila"

VISIBLE = 1e-4
"""What noise, readout errors and orientation must each change, so that the check would see them wrong."""


def child(request: Mapping[str, Any]) -> dict[str, object]:
    """In a fresh process: from the name of the device and a Qiskit circuit to the whole matrix; imports apart."""
    import qiskit_aer  # noqa: F401
    import qiskit_ibm_runtime.fake_provider  # noqa: F401

    feature_map = ZZFeatureMap(reps=2, entanglement="linear")
    X = np.array(request["X"])
    circuit, x = feature_map.build(X.shape[1]), feature_map.parameter_vector(X.shape[1])
    start = time.perf_counter()
    K = AerEngine(DEVICE).overlaps(OverlapProgram(circuit, x), X).values
    return {"seconds": time.perf_counter() - start, "values": K.tolist()}


def run(sizes: Mapping[str, int]) -> Result:
    # Aer's client of IBM takes seconds to import, which other cases need not wait for.
    from benchmarks._noisy_competitors import aer_sampled, transpiled_by_user

    n, n_rows, shots = sizes["qubits"], sizes["rows"], sizes["shots"]
    feature_map = ZZFeatureMap(reps=2, entanglement="linear")
    circuit, x = feature_map.build(n), list(feature_map.parameter_vector(n))
    engine, plain_rows = AerEngine(DEVICE), uniform_rows(n_rows, n)
    compiling = compile_seconds(engine, lambda: OverlapProgram(circuit, x), plain_rows)
    program = OverlapProgram(circuit, x)
    rows = canonical_rows(program, plain_rows)
    routed = engine.circuit(program)
    aer = transpiled_by_user(circuit, x, DEVICE, routed.layout)

    # Exact values: Aer's density matrices for some pairs, in both orientations, and the diagonal.
    X = rows(sizes["rounds"])
    both = engine.overlaps(program, X, need={"orientations"}).orientations
    if both is None:
        raise RuntimeError("the engine gave no orientations")
    i, j = np.random.default_rng(0).integers(n_rows, size=(2, sizes["pairs"]))
    j[: len(j) // 10] = i[: len(j) // 10]
    ours = np.where(i <= j, both[0][i, j], both[1][i, j])  # rows are in the order of their keys
    theirs = aer.probabilities(X[i], X[j])
    effects = {
        "noise": np.abs(StatevectorEngine().overlaps(program, X).values[i, j] - theirs).max(),
        "readout": np.abs(aer.probabilities(X[i], X[j], readout=False) - theirs).max(),
        "orientation": np.abs(both[0] - both[1]).max(),
    }
    fresh = [run_child("benchmarks.noisy_gram", {"X": X.tolist()}) for _ in range(sizes["processes"])]
    differences = [np.abs(ours - theirs).max(), *(np.abs(np.array(f["values"]) - both[0]).max() for f in fresh)]
    visible = min(effects.values()) > VISIBLE
    exact = Check(
        float(np.max(differences)) if visible else np.inf,
        f"Aer density matrix, {len(i)} pairs, and every fresh process",
    )

    circuits = replace(
        engine_contender(
            AerEngine(DEVICE, shots=shots, strategy="circuits", seed=0),
            program,
            f"AerEngine(strategy='circuits'), {shots} shots",
        ),
        rounds=1,
        shots=shots,
    )
    factored = engine_contender(engine, program)
    sampled = aer_sampled(aer, shots)
    seconds, found = compare(factored, [circuits, sampled], rows, sizes["rounds"])
    question = f"{DEVICE}, ZZ linear reps=2, {n} qubits, N={n_rows}: exact noisy Gram"
    result = judge(question, factored, [(circuits, Goal("speedup", 1000.0)), (sampled, None)], seconds, found)
    result = [row if exact.passed else replace(row, ours=None, theirs=None, check=exact) for row in result]
    counted = found[circuits.name]  # a rival that counts wrongly has no time in any row
    result.append(
        judge_value(
            f"{question}, set-up included, in a fresh process",
            circuits.name,
            "s",
            median(f["seconds"] for f in fresh),
            Goal("speedup", 50.0),
            exact if counted == 0 else Check(counted, circuits.name, sampled=True),
            theirs=median(seconds[circuits.name]),
            settings=circuits.settings,
        )
    )
    details = {
        "feature_map": repr(feature_map),
        "data": "uniform in [-1, 1), new rows in every round",
        "device": str(routed),
        "ours": dict(factored.settings),
        "compile_seconds": compiling,
        "seconds": seconds,
        "fresh_process_seconds": [f["seconds"] for f in fresh],
        "exact_check": {
            "difference_to_aer": differences[0],
            "pairs": len(i),
            "largest_effect_on_a_value": effects,
        },
    }
    return Result(result, details)


CASE = Case(
    "noisy_gram",
    "Exact Gram matrix under the noise of a 5-qubit device, against circuits of all pairs on Aer",
    run,
    full={"qubits": 4, "rows": 200, "shots": 1024, "pairs": 500, "rounds": 9, "processes": 3},
    quick={"qubits": 3, "rows": 8, "shots": 256, "pairs": 20, "rounds": 2, "processes": 1},
)

if __name__ == "__main__":
    print(json.dumps(child(json.loads(sys.argv[1]))))
