"""What the tests of RuntimeEngine share: programs, rows, exact values, entries of a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Operator

from qkernels import AutoEngine, OverlapProgram
from qkernels.feature_maps import FeatureMap
from qkernels_hardware import Ledger
from qkernels_hardware.ledger._records import BlockRecord
from qkernels_hardware.work._jobs import BlockState

Values = NDArray[np.float64]


def rows(n: int, d: int, seed: int = 0) -> Values:
    """Rows whose kernels are neither 0 nor 1."""
    return np.random.default_rng(seed).uniform(0.0, 1.0, (n, d))


def program_of(feature_map: FeatureMap, d: int) -> OverlapProgram:
    return OverlapProgram(feature_map.build(d), feature_map.parameter_vector(d))


def user_gates() -> OverlapProgram:
    """A circuit with a composite gate, a controlled one with a phase, and a gate that is only a matrix."""
    x = ParameterVector("x", 2)
    inner = QuantumCircuit(2, global_phase=0.3)
    inner.u(0.4, x[0], -0.2, 0)
    inner.cp(x[0] * x[1], 0, 1)
    circuit = QuantumCircuit(3)
    circuit.h([0, 1, 2])
    circuit.append(inner.to_gate(label="mine"), [0, 1])
    circuit.append(inner.to_gate().control(), [2, 0, 1])
    half = QuantumCircuit(1)
    half.ry(0.7, 0)
    circuit.unitary(Operator(half), [2])
    circuit.ry(x[1], 2)
    return OverlapProgram(circuit, x)


def constant() -> OverlapProgram:
    """A circuit that depends on nothing."""
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    return OverlapProgram(circuit, x)


def exact(program: OverlapProgram, X: Any, Y: Any = None, **options: Any) -> Values:
    return AutoEngine().overlaps(program, X, Y, **options).values


def blocks_of(path: Path, states: Sequence[BlockState] | None = None) -> list[BlockRecord]:
    with Ledger.open(path, read_only=True) as ledger:
        return ledger.blocks(states=states)


def entries_of(path: Path) -> int:
    """Entries that a ledger has measured."""
    return sum(block.entries for block in blocks_of(path, [BlockState.DONE]))
