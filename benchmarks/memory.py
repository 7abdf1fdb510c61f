"""How much memory does a Gram matrix take at its peak, beside the states and the matrix themselves?"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._harness import Case, Check, Goal, Result, Row, judge_value, run_child
from qkernels import OverlapProgram, StatevectorEngine, ZZFeatureMap

__all__ = ["CASE"]

CHECKED_ROWS = 32

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")


def resident(field: str) -> int:
    """A line of the kernel's account of this process, in bytes: VmRSS is what it holds now, VmHWM its peak."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def reset_peak() -> str:
    """Let the peak start again from what is held now, where the system can do that; the name of the method."""
    try:
        CLEAR_REFS.write_text("5")
    except OSError:
        return "ru_maxrss, less ru_maxrss before"
    return "VmHWM after a reset, less VmRSS before"


def child(request: Mapping[str, Any]) -> dict[str, object]:
    """In a fresh process: import, compile, evaluate one row; then measure the whole matrix, then check it."""
    n, n_rows = request["qubits"], request["rows"]
    feature_map = ZZFeatureMap(reps=2, entanglement="full")
    circuit, x = feature_map.build(n), list(feature_map.parameter_vector(n))
    X = np.random.default_rng(0).uniform(-1.0, 1.0, size=(n_rows, n))
    engine = StatevectorEngine(memory_limit=request["memory_limit"])
    program = OverlapProgram(circuit, x)
    engine.overlaps(program, X[:1] + 1.0)

    method = reset_peak()
    resettable = method.startswith("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    before = resident("VmRSS") if resettable else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    start = time.perf_counter()
    K = engine.overlaps(program, X).values
    seconds = time.perf_counter() - start
    after = resident("VmHWM") if resettable else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    from qiskit.quantum_info import Statevector

    rows = np.sort(np.random.default_rng(1).choice(n_rows, min(CHECKED_ROWS, n_rows), replace=False))
    states = np.array([Statevector(circuit.assign_parameters(X[i])).data for i in rows])
    difference = np.abs(K[np.ix_(rows, rows)] - np.abs(states @ states.conj().T) ** 2).max()
    return {
        "peak_bytes": after - before,
        "before_bytes": before,
        "method": method,
        "seconds": seconds,
        "difference": float(difference),
        "checked_rows": len(rows),
    }


def run(sizes: Mapping[str, int]) -> Result:
    n_many, many = sizes["qubits_many"], sizes["rows_many"]
    state, matrix = (16 << n_many) * many, 8 * many**2
    plans: list[tuple[int, int, int | str, str]] = [
        (sizes["qubits"], sizes["rows"], "auto", ""),
        (sizes["qubits_more"], sizes["rows"], "auto", ""),
        (n_many, many, 8 * 10**9, " within 8 GB"),
        # The engine reserves 1.5 times the matrix and its work space (16 MB and more); half the states fit beside it.
        (n_many, many, matrix * 3 // 2 + max(state // 2, 60 << 20), ", states streamed"),
    ]
    rows: list[Row] = []
    details: dict[str, Any] = {}
    for n, n_rows, limit, label in plans:
        name = f"ZZ full, {n} qubits, N={n_rows}{label}"
        got = run_child("benchmarks.memory", {"qubits": n, "rows": n_rows, "memory_limit": limit})
        content = (16 << n) * n_rows + 8 * n_rows**2
        check = Check(got["difference"], f"Qiskit Statevector, {got['checked_rows']} rows")
        question, note = f"{name}: peak", f"{got['seconds']:.1f} s"
        peak, versus = float(got["peak_bytes"]), "states + K"
        rows.append(
            judge_value(question, versus, "B", peak, Goal("ratio", 2.5), check, theirs=float(content), note=note)
        )
        if label:
            rows.append(judge_value(question, "8 GB", "B", peak, Goal("value", 8e9), check, note=note))
        details[name] = {"memory_limit": limit, "states_and_matrix_bytes": content, **got}
    return Result(rows, details)


CASE = Case(
    "memory",
    "Peak memory of a Gram matrix above imports and compilation, in a process of its own",
    run,
    full={"qubits": 10, "qubits_more": 12, "rows": 2000, "qubits_many": 8, "rows_many": 20000},
    quick={"qubits": 4, "qubits_more": 5, "rows": 40, "qubits_many": 3, "rows_many": 60},
)

if __name__ == "__main__":
    print(json.dumps(child(json.loads(sys.argv[1]))))
