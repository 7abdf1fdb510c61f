"""What does FidelityQuantumKernel take under the same noise, and what is Tr ρ(x)ρ(y) beside what it measures?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from benchmarks._harness import (
    Case,
    Check,
    Result,
    Values,
    canonical_rows,
    compare,
    engine_contender,
    judge,
    uniform_rows,
)
from qkernels import OverlapProgram, StatevectorEngine, ZZFeatureMap
from qkernels_hardware import AerEngine

__all__ = ["CASE"]

DEVICE = "fake_manila"


def spread(values: Values, reference: Values) -> dict[str, float]:
    """What a matrix looks like beside another one: diagonal and the rest apart."""
    off = ~np.eye(len(values), dtype=bool)
    return {
        "mean_diagonal": float(np.diag(values).mean()),
        "mean_off_diagonal": float(values[off].mean()),
        "mean_difference_diagonal": float(np.diag(values - reference).mean()),
        "mean_difference_off_diagonal": float((values - reference)[off].mean()),
        "mean_absolute_difference_off_diagonal": float(np.abs(values - reference)[off].mean()),
        "largest_absolute_difference": float(np.abs(values - reference).max()),
    }


def explanation(traces: Values, well_read: Values, measured: Values) -> str:
    """Why Tr ρ(x)ρ(y) is another quantity, and by how much here."""
    off = ~np.eye(len(measured), dtype=bool)
    diagonals = " / ".join(f"{np.diag(K).mean():.3f}" for K in (traces, well_read, measured))
    apart = " / ".join(f"{np.abs(K - traces)[off].mean():.4f}" for K in (well_read, measured))
    return (
        f"mean diagonal of Tr ρ(x)ρ(y) / compute–uncompute read without errors / as the device reads: {diagonals}; "
        f"mean distance of the other entries from Tr ρ(x)ρ(y): {apart}. Tr ρ(x)ρ(y) compares two states that were both "
        "prepared. The circuit prepares x and takes y back with gates that err as well: Tr M(y)ρ(x), with M(y) the "
        "effect 'all read 0' pulled back through the adjoint channels. Readout errors are in M and not in ρ. With "
        "perfect readout M = ρ where errors are their own adjoints and commute with the gates (global depolarizing); "
        "relaxation is not: it leads to |0…0⟩, which is what is counted."
    )


def run(sizes: Mapping[str, int]) -> Result:
    from benchmarks._noisy_competitors import fidelity_quantum_kernel, transpiled_by_user

    n, n_rows, shots = sizes["qubits"], sizes["rows"], sizes["shots"]
    feature_map = ZZFeatureMap(reps=2, entanglement="linear")
    circuit, x = feature_map.build(n), list(feature_map.parameter_vector(n))
    engine, program = AerEngine(DEVICE), OverlapProgram(circuit, x)
    rows = canonical_rows(program, uniform_rows(n_rows, n))
    layout = engine.circuit(program).layout
    engine.overlaps(program, rows(sizes["rounds"]))
    aer = transpiled_by_user(circuit, x, DEVICE, layout)
    ours = engine_contender(engine, program)
    theirs = fidelity_quantum_kernel(circuit, x, DEVICE, layout, shots)
    seconds, differences = compare(ours, [theirs], rows, sizes["rounds"])

    X = rows(0)
    i, j = np.triu_indices(n_rows)

    def symmetric(values: Values) -> Values:
        K = np.empty((n_rows, n_rows))
        K[i, j] = K[j, i] = values
        return K

    measured = engine.overlaps(program, X).values
    by_aer = symmetric(aer.probabilities(X[i], X[j]))
    exact = Check(float(np.abs(measured - by_aer).max()), "Aer density matrix, all pairs")
    states = aer.density_matrices(X)
    traces = np.einsum("nab,mba->nm", states, states).real
    well_read = symmetric(aer.probabilities(X[i], X[j], readout=False))
    counted = np.asarray(theirs.prepare(X)())
    table = {
        "without noise": spread(StatevectorEngine().overlaps(program, X).values, measured),
        "Tr ρ(x)ρ(y), density matrices of Aer": spread(traces, measured),
        "compute–uncompute, readout without errors": spread(well_read, measured),
        "compute–uncompute": spread(measured, measured),
        theirs.name: spread(counted, measured),
        "Tr ρ(x)ρ(y) beside compute–uncompute, readout without errors": spread(traces, well_read),
    }
    note = explanation(traces, well_read, measured)
    details = {
        "feature_map": repr(feature_map),
        "data": "uniform in [-1, 1), new rows in every round",
        "device": str(engine.circuit(program)),
        "ours": dict(ours.settings),
        "seconds": seconds,
        "values": table,
        "exact_check": exact.difference,
        "note": note,
    }
    question = f"{DEVICE}, ZZ linear reps=2, {n} qubits, N={n_rows}: noisy Gram"
    rows_found = judge(question, ours, [(theirs, None)], seconds, differences)
    rows_found = [row if exact.passed else replace(row, ours=None, theirs=None, check=exact) for row in rows_found]
    return Result(rows_found, details)


CASE = Case(
    "noisy_fidelity",
    "FidelityQuantumKernel under the same noise, and Tr ρ(x)ρ(y) beside what it measures",
    run,
    full={"qubits": 4, "rows": 20, "shots": 1024, "rounds": 1},
    quick={"qubits": 3, "rows": 5, "shots": 256, "rounds": 1},
)
