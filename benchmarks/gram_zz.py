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


def zz_gates(num_qubits: int) -> GateList:
    """The map for other simulators: P(2x) as RZ, the pair phase as CX, RZ, CX (equal up to a global phase)."""
    pairs = list(combinations(range(num_qubits), 2))
    layer: list[tuple[str, *tuple[int, ...]]] = [("H", i) for i in range(num_qubits)]
    layer += [("RZ", i) for i in range(num_qubits)]
    for i, j in pairs:
        layer += [("CX", i, j), ("RZ", j), ("CX", i, j)]

    def angles(X: Values) -> Values:
        once = np.column_stack([2 * X, *(2 * X[:, i] * X[:, j] for i, j in pairs)])
        return np.hstack([once] * REPETITIONS)

    return GateList(num_qubits, tuple(layer) * REPETITIONS, angles)


def rzz_gates(num_qubits: int) -> GateList:
    """The same with RZZ in place of CX, RZ, CX; Aer only."""
    gates = zz_gates(num_qubits)
    short: list[tuple[str, *tuple[int, ...]]] = []
    for name, *qubits in gates.gates:
        if name == "CX":
            if short[-1][0] == "CX*":  # opening CX, then RZ was merged: this one closes
                short[-1] = ("RZZ", *short[-1][1:])
            else:
                short.append(("CX*", *qubits))
        elif not (name == "RZ" and short and short[-1][0] == "CX*"):
            short.append((name, *qubits))
    return GateList(num_qubits, tuple(short), gates.angles)


def phases(num_qubits: int, X: Values) -> Values:
    """Phase of every basis state in one layer, qubit 0 the least significant bit."""
    bits = (np.arange(2**num_qubits)[:, None] >> np.arange(num_qubits)) & 1
    pairs = list(combinations(range(num_qubits), 2))
    features = np.column_stack([bits, *(bits[:, i] ^ bits[:, j] for i, j in pairs)]).astype(float)
    values = np.column_stack([2 * X, *(2 * X[:, i] * X[:, j] for i, j in pairs)])
    return np.asarray(values @ features.T)


def run(sizes: Mapping[str, int]) -> Result:
    n, n_rows, rounds = sizes["qubits"], sizes["rows"], sizes["rounds"]
    feature_map = ZZFeatureMap(reps=REPETITIONS, entanglement="full")
    circuit, x = feature_map.build(n), list(feature_map.parameter_vector(n))
    engine, rows = StatevectorEngine(), uniform_rows(n_rows, n)
    compiling = compile_seconds(engine, lambda: OverlapProgram(circuit, x), rows(-1 % 2**32))
    ours = engine_contender(engine, OverlapProgram(circuit, x))

    rewritten = rzz_gates(n)
    rivals: list[tuple[Contender | Missing, Goal | None]] = [
        (numpy_product(aer_states(circuit, x)), Goal("ratio", 1.0)),
        (fidelity_statevector_kernel(circuit, x), Goal("speedup", 150.0)),
        (aer(circuit, x), Goal("speedup", 10.0)),
        (qulacs_loop(zz_gates(n)), Goal("speedup", 4.0)),
        (
            aer(*rewritten.circuit(), angles=rewritten.angles, name="Aer, circuit rewritten by hand + product"),
            None,
        ),
        (qulacs_diagonal(n, REPETITIONS, lambda X: phases(n, X)), None),
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
