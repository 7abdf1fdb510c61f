"""What do tiles save on a device, and do they change the entries?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import norm

from benchmarks._harness import FAMILY_WISE, Case, Check, Goal, Result, Values, judge_value, uniform_rows
from qkernels import OverlapProgram, ZZFeatureMap
from qkernels.testing import assert_kernels_close
from qkernels_hardware import RuntimeEngine

__all__ = ["CASE"]

DEVICE = "fake_fez"


def two_sample(actual: Values, expected: Values, shots: int) -> tuple[float, str]:
    """0 where two sampled matrices agree by the exact two-sample test of every entry, infinity and why otherwise."""
    try:
        assert_kernels_close(
            actual, expected, shots=shots, expected_shots=shots, sigma=float(norm.isf(FAMILY_WISE / 2))
        )
    except AssertionError as error:
        return float("inf"), str(error)
    return 0.0, ""


def run(sizes: Mapping[str, int]) -> Result:
    n, n_rows, shots, tiles = sizes["qubits"], sizes["rows"], sizes["shots"], sizes["tiles"]
    feature_map = ZZFeatureMap(reps=2, entanglement="linear")
    program = OverlapProgram(feature_map.build(n), list(feature_map.parameter_vector(n)))
    X = uniform_rows(n_rows, n)(0)
    plain = RuntimeEngine(DEVICE, shots=shots, seed=0)
    tiled = RuntimeEngine(DEVICE, shots=shots, seed=1, tiles=tiles)
    plans = plain.plan(program, X), tiled.plan(program, X)
    placed = tiled.circuit(program)
    one, many = (engine.overlaps(program, X).values for engine in (plain, tiled))
    i, j = np.triu_indices(n_rows)
    difference, why = two_sample(many[i, j], one[i, j], shots)
    check = Check(difference, "the untiled matrix; every entry by the exact two-sample test", sampled=True)
    question = f"{DEVICE}, ZZ linear reps=2, {n} qubits, N={n_rows}, {tiles} tiles"
    losses = 1.0 - placed.fidelity, 1.0 - placed.worst_fidelity
    rows = [
        judge_value(
            f"{question}: executions",
            "one tile",
            "executions",
            plans[1].executions,
            Goal("speedup", tiles),
            check,
            theirs=plans[0].executions,
            note="a last row of parameter values is filled up where the entries leave some tiles free",
        ),
        judge_value(
            f"{question}: estimated QPU time",
            "one tile",
            "s",
            plans[1].qpu_seconds,
            None,
            check,
            theirs=plans[0].qpu_seconds,
            note="by IBM's formula",
        ),
        judge_value(
            f"{question}: infidelity of the worst tile",
            "the best tile",
            "%",
            100.0 * losses[1],
            Goal("ratio", 1.5),
            check,
            theirs=100.0 * losses[0],
        ),
    ]
    off = ~np.eye(n_rows, dtype=bool)
    details = {
        "feature_map": repr(feature_map),
        "data": "uniform in [-1, 1)",
        "shots": shots,
        "circuit": str(placed),
        "tiles": [list(tile) for tile in placed.layout],
        "family_wise_level": FAMILY_WISE,
        "mean_diagonal": {"one tile": float(np.diag(one).mean()), "tiles": float(np.diag(many).mean())},
        "mean_difference_off_diagonal": float((many - one)[off].mean()),
        "largest_difference": float(np.abs(many - one).max()),
        "why_the_test_failed": why,
    }
    return Result(rows, details)


CASE = Case(
    "runtime_tiling",
    "Eight copies of a kernel circuit side by side: executions, errors, and whether entries change",
    run,
    full={"qubits": 4, "rows": 31, "shots": 1024, "tiles": 8},
    quick={"qubits": 2, "rows": 4, "shots": 128, "tiles": 3},
)
