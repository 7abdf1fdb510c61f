"""What do exact kernels under the noise of a 156-qubit device cost: set-up, time, and memory at 9 active qubits?"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import numpy as np

from benchmarks._harness import (
    Case,
    Check,
    Goal,
    Result,
    Row,
    Values,
    canonical_rows,
    judge_value,
    run_child,
    uniform_rows,
)
from benchmarks.memory import reset_peak, resident
from qkernels import CPMap, OverlapProgram, ZZFeatureMap
from qkernels.feature_maps import FeatureMap
from qkernels_hardware import AerEngine

__all__ = ["CASE", "DEVICES"]

DEVICES = {5: "fake_manila", 156: "fake_fez"}

SETUP_SECONDS, GRAM_SECONDS, PEAK_BYTES = 0.5, 5.0, 8e9


def program_of(feature_map: FeatureMap, n_features: int) -> OverlapProgram:
    return OverlapProgram(feature_map.build(n_features), feature_map.parameter_vector(n_features))


def rows_of(program: OverlapProgram, n_rows: int) -> Callable[[int], Values]:
    return canonical_rows(program, uniform_rows(n_rows, program.num_features))


def checked_pairs(n_rows: int, count: int) -> tuple[Values, Values]:
    """Indices i <= j of some entries, one of the diagonal among them."""
    pairs = np.sort(np.random.default_rng(1).integers(n_rows, size=(2, count)), axis=0)
    pairs[1, 0] = pairs[0, 0]
    return pairs[0], pairs[1]


def child(request: Mapping[str, Any]) -> dict[str, object]:
    """In a fresh process: the device's first load, set-up of one program, then Gram matrices and their peak memory."""
    device, d, n_rows, rounds = request["device"], request["features"], request["rows"], request["rounds"]
    start = time.perf_counter()
    small = ZZFeatureMap(reps=1)
    AerEngine(device).overlaps(program_of(small, 2), np.zeros((1, 2)))  # thread pools as well
    load = time.perf_counter() - start

    feature_map = CPMap(ring=True)
    circuit, x = feature_map.build(d), feature_map.parameter_vector(d)
    X = uniform_rows(2, d, seed=1)(0)
    start = time.perf_counter()
    engine = AerEngine(device)
    program = OverlapProgram(circuit, x)
    engine.overlaps(program, X[:1])
    first = time.perf_counter() - start
    start = time.perf_counter()
    engine.overlaps(program, X[1:])
    setup = first - (time.perf_counter() - start)

    rows = rows_of(program, n_rows)
    method = reset_peak()
    resettable = method.startswith("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    before = resident("VmRSS") if resettable else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    seconds = []
    for number in range(rounds):
        X = rows(number)
        start = time.perf_counter()
        K = engine.overlaps(program, X).values
        seconds.append(time.perf_counter() - start)
    after = resident("VmHWM") if resettable else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    i, j = checked_pairs(n_rows, request["pairs"])
    return {
        "load_seconds": load,
        "setup_seconds": setup,
        "seconds": seconds,
        "peak_bytes": after - before,
        "before_bytes": before,
        "method": method,
        "values": K[i, j].tolist(),
        "circuit": str(engine.circuit(program)),
        "active": len(engine.circuit(program).active),
    }


def aer_check(request: Mapping[str, Any], values: list[list[float]]) -> Check:
    """Values of the last round against Aer's density matrices, for the circuit that the engine transpiled."""
    from benchmarks._noisy_competitors import transpiled_as_engine

    engine, program = AerEngine(request["device"]), program_of(CPMap(ring=True), request["features"])
    X = rows_of(program, request["rows"])(request["rounds"] - 1)
    i, j = checked_pairs(request["rows"], request["pairs"])
    expected = transpiled_as_engine(engine, program, request["device"]).probabilities(X[i], X[j])
    return Check(float(np.abs(np.array(values) - expected).max()), f"Aer density matrix, {len(i)} pairs")


def run(sizes: Mapping[str, int]) -> Result:
    device = DEVICES[sizes["device_qubits"]]
    narrow = {
        "device": device,
        "features": sizes["features"],
        "rows": sizes["rows"],
        "rounds": sizes["rounds"],
        "pairs": sizes["pairs"],
    }
    wide = {
        "device": device,
        "features": sizes["features_wide"],
        "rows": sizes["rows_wide"],
        "rounds": 1,
        "pairs": sizes["pairs_wide"],
    }
    got = [run_child("benchmarks.noisy_device", narrow) for _ in range(sizes["processes"])]
    got_wide = run_child("benchmarks.noisy_device", wide)
    check = aer_check(narrow, [one["values"] for one in got])
    wide_check = aer_check(wide, [got_wide["values"]])

    name = f"CPMap, {narrow['features']} features ({got[0]['active']} active qubits) on {device}"
    name_wide = f"CPMap, {wide['features']} features ({got_wide['active']} active qubits), N={wide['rows']}"
    load, setup = (median(one[key] for one in got) for key in ("load_seconds", "setup_seconds"))
    gram = median(seconds for one in got for seconds in one["seconds"])
    rows: list[Row] = [
        judge_value(
            f"{name}: set-up after the device's first load", "0.5 s", "s", setup, Goal("value", SETUP_SECONDS), check
        ),
        judge_value(f"{device}: first load, once per process", "", "s", load, None, check),
        judge_value(f"{name}, N={narrow['rows']}: Gram", "5 s", "s", gram, Goal("value", GRAM_SECONDS), check),
        judge_value(
            f"{name_wide}: peak", "8 GB", "B", float(got_wide["peak_bytes"]), Goal("value", PEAK_BYTES), wide_check
        ),
        judge_value(f"{name_wide}: Gram", "", "s", got_wide["seconds"][0], None, wide_check),
    ]
    details = {
        "data": "uniform in [-1, 1), new rows in every round",
        "set-up": "AerEngine by name, transpiling, noise, compiling, first value, less the time of a second value",
        name: got,
        name_wide: got_wide,
    }
    return Result(rows, details)


CASE = Case(
    "noisy_device",
    "Set-up, time and memory of exact Gram matrices under the noise of a 156-qubit device",
    run,
    full={
        "device_qubits": 156,
        "features": 10,
        "rows": 200,
        "rounds": 3,
        "pairs": 20,
        "processes": 3,
        "features_wide": 16,
        "rows_wide": 50,
        "pairs_wide": 4,
    },
    quick={
        "device_qubits": 5,
        "features": 4,
        "rows": 6,
        "rounds": 2,
        "pairs": 4,
        "processes": 1,
        "features_wide": 6,
        "rows_wide": 200,
        "pairs_wide": 2,
    },
)

if __name__ == "__main__":
    print(json.dumps(child(json.loads(sys.argv[1]))))
