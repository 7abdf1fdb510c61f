"""How does the cost of simulating rows under noise grow with their number, the product apart?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

import numpy as np

from benchmarks._harness import Case, Check, Goal, Result, canonical_rows, judge_value, uniform_rows
from benchmarks.noisy_device import DEVICES
from qkernels import CPMap, OverlapProgram
from qkernels_hardware import AerEngine

__all__ = ["CASE"]

_LINEAR = Goal("about", 1.0, within=0.1)


def exponent(counts: list[int], seconds: list[float]) -> float:
    """Slope of log seconds against log N."""
    return float(np.polyfit(np.log(counts), np.log(seconds), 1)[0])


def run(sizes: Mapping[str, int]) -> Result:
    from benchmarks._noisy_competitors import transpiled_as_engine

    device, d = DEVICES[sizes["device_qubits"]], sizes["features"]
    feature_map, engine = CPMap(ring=True), AerEngine(device)
    program = OverlapProgram(feature_map.build(d), feature_map.parameter_vector(d))
    counts = [sizes["fewest_rows"] * 2**k for k in range(sizes["doublings"] + 1)]
    rows = canonical_rows(program, uniform_rows(counts[-1], d))
    engine.overlaps(program, rows(sizes["rounds"])[: counts[0]])  # compiling, thread pools
    simulating: dict[int, list[float]] = {n: [] for n in counts}
    multiplying: dict[int, list[float]] = {n: [] for n in counts}
    for number in range(sizes["rounds"]):
        X = rows(number)
        for n in counts[:: 1 if number % 2 else -1]:
            some = np.sort(np.random.default_rng([number, n]).choice(len(X), n, replace=False))
            start = time.perf_counter()
            prepared = engine.prepare(program, X[some])
            middle = time.perf_counter()
            K = engine.overlaps(program, prepared).values
            multiplying[n].append(time.perf_counter() - middle)
            simulating[n].append(middle - start)

    i, j = np.sort(np.random.default_rng(0).integers(len(some), size=(2, sizes["pairs"])), axis=0)
    expected = transpiled_as_engine(engine, program, device).probabilities(X[some[i]], X[some[j]])
    check = Check(float(np.abs(K[i, j] - expected).max()), f"Aer density matrix, {len(i)} pairs")
    medians = {
        kind: [median(seconds[n]) for n in counts]
        for kind, seconds in (("simulation", simulating), ("product", multiplying))
    }
    routed = engine.circuit(program)
    question = f"CPMap, {d} features ({len(routed.active)} active qubits) on {device}"
    half = sizes["doublings"] // 2
    few, many = slice(half + 1), slice(half, None)
    result = [
        judge_value(
            f"{question}, N={counts[part][0]} to {counts[part][-1]}: {what}",
            versus,
            "exponent",
            exponent(counts[part], medians[kind][part]),
            goal,
            check,
            note=note,
        )
        for kind, what, versus, part, goal, note in (
            ("simulation", "simulation", "N", few, _LINEAR, "below 1 while fixed costs of a call count"),
            ("simulation", "simulation", "N", many, _LINEAR, ""),
            ("product", "product of ready rows", "N²", few, None, "below 2 while fixed costs of a call count"),
            ("product", "product of ready rows", "N²", many, None, ""),
        )
    ]
    details = {
        "data": "uniform in [-1, 1), new rows in every round",
        "device": str(routed),
        "ours": {"engine": repr(engine)},
        "rows": counts,
        "median_seconds": medians,
        "simulation_seconds": simulating,
        "product_seconds": multiplying,
    }
    return Result(result, details)


CASE = Case(
    "noisy_scaling",
    "How simulation under noise grows with the number of rows, the product apart",
    run,
    full={"device_qubits": 156, "features": 10, "fewest_rows": 50, "doublings": 6, "rounds": 7, "pairs": 10},
    quick={"device_qubits": 5, "features": 4, "fewest_rows": 4, "doublings": 4, "rounds": 2, "pairs": 4},
)
