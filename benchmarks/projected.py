"""How fast is a projected kernel: expectation values of all qubits, then a Gaussian of their distances?"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from benchmarks._competitors import GateList, aer_projected, qulacs_projected, squlearn_projected
from benchmarks._harness import Case, Contender, Goal, Missing, Result, Values, compare, judge, uniform_rows
from qkernels import ZZFeatureMap
from qkernels.engines import clear_cache
from qkernels.kernels import ProjectedKernel

__all__ = ["CASE"]

REPETITIONS = 2

GAMMA = 0.5
"""Multiplies the squared distance of expectation values in all contenders; entries are spread over (0, 1]."""


def linear_zz_gates(num_qubits: int) -> GateList:
    """The map for other simulators, up to a global phase."""
    layer: list[tuple[str, *tuple[int, ...]]] = [("H", i) for i in range(num_qubits)]
    layer += [("RZ", i) for i in range(num_qubits)]
    for i in range(num_qubits - 1):
        layer += [("CX", i, i + 1), ("RZ", i + 1), ("CX", i, i + 1)]

    def angles(X: Values) -> Values:
        return np.hstack([2 * X, 2 * X[:, :-1] * X[:, 1:]] * REPETITIONS)

    return GateList(num_qubits, tuple(layer) * REPETITIONS, angles)


def run(sizes: Mapping[str, int]) -> Result:
    n, n_rows, rounds = sizes["qubits"], sizes["rows"], sizes["rounds"]
    feature_map = ZZFeatureMap(reps=REPETITIONS, entanglement="linear")
    circuit, x = feature_map.build(n), list(feature_map.parameter_vector(n))
    rows = uniform_rows(n_rows, n)
    kernel = ProjectedKernel(feature_map, bandwidth=1.0, gamma=GAMMA)

    warm = rows(2**31 + 1)
    ProjectedKernel(feature_map, bandwidth=1.0, gamma=GAMMA).fit(warm[:2, :2])  # imports, thread pools
    clear_cache()
    start = time.perf_counter()
    frozen = kernel.fit(warm[:2]).frozen()
    compiling = time.perf_counter() - start

    ours = Contender("qkernels", lambda X: lambda: frozen(X), {"kernel": repr(kernel)})
    rivals: list[tuple[Contender | Missing, Goal | None]] = [
        (squlearn_projected(circuit, x, GAMMA), Goal("speedup", 20.0)),
        (qulacs_projected(linear_zz_gates(n), GAMMA), None),
        (aer_projected(circuit, x, GAMMA), None),
    ]
    seconds, differences = compare(ours, [r for r, _ in rivals if isinstance(r, Contender)], rows, rounds)
    question = f"ZZ linear reps=2, {n} qubits, N={n_rows}: projected kernel, {3 * n} expectation values"
    details = {
        "feature_map": repr(feature_map),
        "data": "uniform in [-1, 1), new rows in every round",
        "gamma": GAMMA,
        "ours": dict(ours.settings),
        "compile_seconds": compiling,
        "seconds": seconds,
    }
    return Result(judge(question, ours, rivals, seconds, differences), details)


CASE = Case(
    "projected",
    "Kernel matrix of one-qubit expectation values",
    run,
    full={"qubits": 10, "rows": 1000, "rounds": 9},
    quick={"qubits": 3, "rows": 12, "rounds": 2},
)
