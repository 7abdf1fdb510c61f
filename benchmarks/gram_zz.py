"""How fast is the whole Gram matrix of a fully entangled ZZ map, against one matrix product on ready states?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from benchmarks._competitors import (
    GateList,
    aer,
    aer_states,
    fidelity_statevector_kernel,
    numpy_product,
    qulacs_diagonal,
    qulacs_loop,
)
from benchmarks._harness import (
    Case,
    Contender,
    Goal,
    Missing,
    Result,
    Values,
    compare,
    compile_seconds,
    engine_contender,
    judge,
    uniform_rows,
)
from qkernels import OverlapProgram, StatevectorEngine, ZZFeatureMap

__all__ = ["CASE"]

REPETITIONS = 2


def zz_gates(num_qubits: int, *, rzz: bool = False) -> GateList:
    """The map for other simulators, up to a global phase: P(2x) as RZ, the pair phase as CX, RZ, CX or one RZZ."""
    pairs = list(combinations(range(num_qubits), 2))
    layer: list[tuple[str, *tuple[int, ...]]] = [("H", i) for i in range(num_qubits)]
    layer += [("RZ", i) for i in range(num_qubits)]
    for i, j in pairs:
        layer += [("RZZ", i, j)] if rzz else [("CX", i, j), ("RZ", j), ("CX", i, j)]
    return GateList(num_qubits, tuple(layer) * REPETITIONS, lambda X: np.hstack([layer_angles(X)] * REPETITIONS))


def layer_angles(X: Values) -> Values:
    """2 x_i, then 2 x_i x_j for all pairs."""
    pairs = combinations(range(X.shape[1]), 2)
    return np.column_stack([2 * X, *(2 * X[:, i] * X[:, j] for i, j in pairs)])


def layer_phases(X: Values) -> Values:
    """Phases of all basis states in one layer, shape (n_rows, 2**n); qubit 0 is the least significant bit."""
    n = X.shape[1]
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    differ = [bits[:, i] ^ bits[:, j] for i, j in combinations(range(n), 2)]
    return np.asarray(layer_angles(X) @ np.column_stack([bits, *differ]).T.astype(float))


def run(sizes: Mapping[str, int]) -> Result:
    n, n_rows, rounds = sizes["qubits"], sizes["rows"], sizes["rounds"]
    feature_map = ZZFeatureMap(reps=REPETITIONS, entanglement="full")
    circuit, x = feature_map.build(n), list(feature_map.parameter_vector(n))
    engine, rows = StatevectorEngine(), uniform_rows(n_rows, n)
    compiling = compile_seconds(engine, lambda: OverlapProgram(circuit, x), rows)
    ours = engine_contender(engine, OverlapProgram(circuit, x))

    rewritten = zz_gates(n, rzz=True)
    rivals: list[tuple[Contender | Missing, Goal | None]] = [
        (numpy_product(aer_states(circuit, x)), Goal("ratio", 1.0)),
        (fidelity_statevector_kernel(circuit, x), Goal("speedup", 150.0)),
        (aer(circuit, x), Goal("speedup", 10.0)),
        (qulacs_loop(zz_gates(n)), Goal("speedup", 4.0)),
        (
            aer(*rewritten.circuit(), angles=rewritten.angles, name="Aer, circuit rewritten by hand + product"),
            None,
        ),
        (qulacs_diagonal(n, REPETITIONS, layer_phases), None),
    ]
    seconds, differences = compare(ours, [r for r, _ in rivals if isinstance(r, Contender)], rows, rounds)
    question = f"ZZ full reps=2, {n} qubits, N={n_rows}: whole Gram"
    details = {
        "feature_map": repr(feature_map),
        "data": "uniform in [-1, 1), new rows in every round",
        "ours": dict(ours.settings),
        "compile_seconds": compiling,
        "seconds": seconds,
    }
    return Result(judge(question, ours, rivals, seconds, differences), details)


CASE = Case(
    "gram_zz",
    "Whole Gram matrix (states and overlaps) of a fully entangled ZZ map",
    run,
    full={"qubits": 10, "rows": 2000, "rounds": 9},
    quick={"qubits": 3, "rows": 12, "rounds": 2},
)
