"""Two-qubit blocks that ansätze are made of."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

from qiskit import QuantumCircuit

from qkernels.variational._ansatz import Angles

__all__ = ["BLOCKS", "BLOCK_SIZES", "SU4_GENERATORS", "SU4_SIZE", "append_su4"]

SU4_GENERATORS = (
    *(("Z", 0), ("Y", 0), ("Z", 0), ("Z", 1), ("Y", 1), ("Z", 1)),
    *(("XX", None), ("YY", None), ("ZZ", None)),
    *(("Z", 0), ("Y", 0), ("Z", 0), ("Z", 1), ("Y", 1), ("Z", 1)),
)
"""Angle j of an SU(4) block is exp(−i θ_j P_j/2); one letter acts on the given qubit of the pair, two on both."""

SU4_SIZE = len(SU4_GENERATORS)


def append_su4(circuit: QuantumCircuit, theta: Angles, a: int, b: int) -> None:
    """Append a general SU(4) on qubits a and b: Euler angles, exp(−i/2 (αXX + βYY + γZZ)), Euler angles.

    The middle is written with 3 CX (Vatan and Williams, arXiv:quant-ph/0308006), half of what three Pauli
    rotations cost on a device.
    """
    _append_euler(circuit, theta[:3], a)
    _append_euler(circuit, theta[3:6], b)
    xx, yy, zz = theta[6:9]
    circuit.rz(-pi / 2, b)
    circuit.cx(b, a)
    circuit.rz(zz + pi / 2, a)
    circuit.ry(-xx - pi / 2, b)
    circuit.cx(a, b)
    circuit.ry(yy + pi / 2, b)
    circuit.cx(b, a)
    circuit.rz(pi / 2, a)
    circuit.global_phase += pi / 4
    _append_euler(circuit, theta[9:12], a)
    _append_euler(circuit, theta[12:], b)


def _append_euler(circuit: QuantumCircuit, theta: Angles, qubit: int) -> None:
    circuit.rz(theta[0], qubit)
    circuit.ry(theta[1], qubit)
    circuit.rz(theta[2], qubit)


def _append_ry(circuit: QuantumCircuit, theta: Angles, a: int, b: int) -> None:
    circuit.ry(theta[0], a)
    circuit.ry(theta[1], b)
    circuit.cx(a, b)


BLOCKS: dict[str, Callable[[QuantumCircuit, Angles, int, int], None]] = {"su4": append_su4, "ry": _append_ry}
"""``"su4"`` reaches every two-qubit unitary and is the identity at zero; ``"ry"`` is RY on both, CX(a→b)."""

BLOCK_SIZES = {"su4": SU4_SIZE, "ry": 2}
