"""QPU seconds by IBM's published formula: 2 + (rep_delay + circuit length) × executions, for each job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from qiskit import QuantumCircuit
from qiskit.transpiler import Target

__all__ = ["OVERHEAD_SECONDS", "Work", "circuit_seconds", "qpu_seconds"]

OVERHEAD_SECONDS = 2.0


class Work(NamedTuple):
    """One circuit of a job: how often it runs, and how long each time."""

    executions: int
    seconds: float


def qpu_seconds(work: Iterable[Work], rep_delay: float) -> float:
    """Seconds that a job is billed; `rep_delay` in seconds."""
    return OVERHEAD_SECONDS + sum((rep_delay + item.seconds) * item.executions for item in work)


def circuit_seconds(circuit: QuantumCircuit, target: Target) -> float:
    """Length of a circuit: each instruction starts when the last of its qubits and clbits is free."""
    free: dict[object, float] = {}
    for item in circuit.data:
        bits = [*item.qubits, *item.clbits]
        start = max((free.get(bit, 0.0) for bit in bits), default=0.0)
        where = tuple(circuit.find_bit(qubit).index for qubit in item.qubits)
        end = start + _duration(item.operation, where, target)
        free.update(dict.fromkeys(bits, end))
    return max(free.values(), default=0.0)


def _duration(operation: object, where: tuple[int, ...], target: Target) -> float:
    name = str(getattr(operation, "name", ""))
    if name == "delay":
        scale = {"dt": float(target.dt or 0.0), "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}
        return float(operation.duration) * scale[operation.unit]  # type: ignore[attr-defined]
    if name not in target.operation_names:
        return 0.0
    known = (target[name] or {}).get(where)
    return float(getattr(known, "duration", None) or 0.0)
