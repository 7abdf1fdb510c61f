"""How fast is a circuit that no feature map of ours knows: deep, mixed rotations, nonlinear angles?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from benchmarks._competitors import GateList, aer, fidelity_statevector_kernel, qulacs_loop
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
from qkernels import OverlapProgram, StatevectorEngine

__all__ = ["CASE", "user_circuit"]

# The same six expressions for Qiskit's parameters and for NumPy's columns: (f, a, b) → angle.
EXPRESSIONS: tuple[Callable[[Callable[[str, Any], Any], Any, Any], Any], ...] = (
    lambda f, a, b: a * b + 0.3,
    lambda f, a, b: 2 * f("sin", 0.7 * a),
    lambda f, a, b: a**2 - b,
    lambda f, a, b: 0.2 * f("exp", 0.5 * a),
    lambda f, a, b: f("cos", a) * b,
    lambda f, a, b: 1.1 * a,
)


def user_circuit(num_qubits: int, layers: int, seed: int = 0) -> tuple[QuantumCircuit, list[Parameter], GateList]:
    """Layers of random rotations by random expressions of two features, then CX on alternating neighbours.

    Returns
    -------
    circuit, x
        In Qiskit; depth 2 · layers.
    gates : GateList
        The same for other simulators.
    """
    rng = np.random.default_rng(seed)
    x = ParameterVector("x", num_qubits)
    circuit = QuantumCircuit(num_qubits)
    gates: list[tuple[str, *tuple[int, ...]]] = []
    chosen: list[tuple[int, int, int]] = []
    for layer in range(layers):
        for qubit in range(num_qubits):
            name = ("RX", "RY", "RZ")[rng.integers(3)]
            expression, i, j = (int(rng.integers(k)) for k in (len(EXPRESSIONS), num_qubits, num_qubits))
            angle = EXPRESSIONS[expression](lambda f, value: getattr(value, f)(), x[i], x[j])
            getattr(circuit, name.lower())(angle, qubit)
            gates.append((name, qubit))
            chosen.append((expression, i, j))
        for qubit in range(layer % 2, num_qubits - 1, 2):
            circuit.cx(qubit, qubit + 1)
            gates.append(("CX", qubit, qubit + 1))

    def angles(X: Values) -> Values:
        columns = [EXPRESSIONS[e](lambda f, value: getattr(np, f)(value), X[:, i], X[:, j]) for e, i, j in chosen]
        return np.column_stack(columns)

    return circuit, list(x), GateList(num_qubits, tuple(gates), angles)


def run(sizes: Mapping[str, int]) -> Result:
    n, n_rows, rounds = sizes["qubits"], sizes["rows"], sizes["rounds"]
    circuit, x, gates = user_circuit(n, sizes["layers"])
    engine, rows = StatevectorEngine(), uniform_rows(n_rows, n)
    compiling = compile_seconds(engine, lambda: OverlapProgram(circuit, x), rows)
    ours = engine_contender(engine, OverlapProgram(circuit, x))
    rivals: list[tuple[Contender | Missing, Goal | None]] = [
        (fidelity_statevector_kernel(circuit, x), Goal("speedup", 20.0)),
        (qulacs_loop(gates), Goal("speedup", 2.0)),
        (aer(circuit, x), None),
    ]
    seconds, differences = compare(ours, [r for r, _ in rivals if isinstance(r, Contender)], rows, rounds)
    question = f"user's circuit, {n} qubits, depth {circuit.depth()}, N={n_rows}: whole Gram"
    details = {
        "circuit": {str(name): int(count) for name, count in circuit.count_ops().items()},
        "expressions": ["a b + 0.3", "2 sin(0.7 a)", "a^2 - b", "0.2 exp(0.5 a)", "cos(a) b", "1.1 a"],
        "data": "uniform in [-1, 1), new rows in every round",
        "ours": dict(ours.settings),
        "compile_seconds": compiling,
        "seconds": seconds,
    }
    return Result(judge(question, ours, rivals, seconds, differences), details)


CASE = Case(
    "user_circuit",
    "Whole Gram matrix of a deep circuit written by a user",
    run,
    full={"qubits": 12, "layers": 50, "rows": 500, "rounds": 5},
    quick={"qubits": 3, "layers": 4, "rows": 12, "rounds": 2},
)
