"""How fast is the whole Gram matrix of CPMap, closed to a ring, on half as many qubits as features?"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks._competitors import aer_states, fidelity_statevector_kernel, numpy_product
from benchmarks._harness import (
    Case,
    Contender,
    Goal,
    Missing,
    Result,
    compare,
    compile_seconds,
    engine_contender,
    judge,
    uniform_rows,
)
from qkernels import CPMap, OverlapProgram, StatevectorEngine

__all__ = ["CASE"]


def run(sizes: Mapping[str, int]) -> Result:
    d, n_rows, rounds = sizes["features"], sizes["rows"], sizes["rounds"]
    feature_map = CPMap(ring=True)
    circuit, x = feature_map.build(d), list(feature_map.parameter_vector(d))
    engine, rows = StatevectorEngine(), uniform_rows(n_rows, d)
    compiling = compile_seconds(engine, lambda: OverlapProgram(circuit, x), rows)
    ours = engine_contender(engine, OverlapProgram(circuit, x))
    rivals: list[tuple[Contender | Missing, Goal | None]] = [
        (numpy_product(aer_states(circuit, x)), Goal("ratio", 4.0)),
        (fidelity_statevector_kernel(circuit, x), Goal("speedup", 50.0)),
    ]
    seconds, differences = compare(ours, [r for r, _ in rivals if isinstance(r, Contender)], rows, rounds)
    question = f"CPMap, {d} features ({circuit.num_qubits} qubits), N={n_rows}: whole Gram"
    details = {
        "feature_map": repr(feature_map),
        "data": "uniform in [-1, 1), new rows in every round",
        "ours": dict(ours.settings),
        "compile_seconds": compiling,
        "seconds": seconds,
    }
    return Result(judge(question, ours, rivals, seconds, differences), details)


CASE = Case(
    "gram_cpmap",
    "Whole Gram matrix of CPMap",
    run,
    full={"features": 22, "rows": 569, "rounds": 15},
    quick={"features": 5, "rows": 12, "rounds": 2},
)
