"""RZZ angles folded into [0, π/2], with the Pauli gates that this asks for carried along as a frame.

RZZ(kπ + ρ) is (Z⊗Z)^k RZZ(ρ) up to a phase, and RZZ(-ρ) is X RZZ(ρ) X with X on either qubit. Written out, a sign
would cost two X pulses per RZZ. Instead the Paulis stay a *frame*, F = ⊗ X^x Z^z with bits that depend on the data:
the circuit up to here is F times the wanted one. F passes Clifford gates as another Pauli and turns the sign of
rotations it anticommutes with, which costs nothing in value space. Just before an H or SX a Z is a virtual gate, and
makes any X bit after it, so the X bits of a stretch between two such gates (a *wire*) can be chosen freely: each RZZ
between wires u and v asks for x_u ⊕ x_v = sign of ρ, which is solvable as long as the RZZ gates form a forest over
the wires. Where one would close a cycle, its wire is cut by one RX(π·bit).

Bits are sums modulo 2, held as sets of atoms: ("x", wire) while walking; ("s", edge), ("k", edge) and ONE afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qiskit.circuit import CircuitInstruction

from qkernels_hardware.routing._fractional_steps import Linear, Step

__all__ = ["ONE", "Bits", "FrameWalker", "Rotation", "Written"]

Bits = frozenset[tuple[str, int]]

_ZERO: Bits = frozenset()
ONE = ("1", 0)
_GROUND = 0
"""The wire whose x bit is 0: before the first gate, and after a gate that no frame passes."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """An angle (-1)^sign · angle + π·flip."""

    angle: Linear
    sign: Bits = _ZERO
    flip: Bits = _ZERO


@dataclass(frozen=True, slots=True)
class Written:
    """One instruction of the result: a fixed gate, a rotation, an RZZ (edge), or one kept as it came (source)."""

    name: str
    qubits: tuple[int, ...]
    rotation: Rotation | None = None
    edge: int | None = None
    source: CircuitInstruction | None = None


class FrameWalker:
    """Walks over the steps of a circuit in order; then `finish`."""

    def __init__(self, num_qubits: int, *, merge: bool) -> None:
        self.written: list[Written] = []
        self.edges: list[Linear] = []
        self._merge = merge
        self._wire = [_GROUND] * num_qubits
        self._z: list[Bits] = [_ZERO] * num_qubits
        self._pending = [Linear()] * num_qubits  # RZ angles not written yet; they commute with all of a stretch
        self._stretch = [0] * num_qubits  # how often a gate that RZZ does not commute with, or a barrier, came by
        self._parent = [_GROUND]  # union-find over the wires
        self._neighbours: list[list[tuple[int, int]]] = [[]]  # (wire, edge): the forest
        self._open: dict[tuple[int, int, int, int], int] = {}
        self._rules: dict[str, Callable[[Step], None]] = {
            "rz": self._take_rz,
            "rx": self._take_rx,
            "ry": self._take_ry,
            "rzz": self._take_rzz,
            "h": self._take_h,
            "sx": self._take_sx,
            "sxdg": self._take_sx,
            "x": self._take_pauli,
            "y": self._take_pauli,
            "cz": self._take_cz,
            "cx": self._take_cx,
            "barrier": self._take_directive,
            "delay": self._take_directive,
            "id": self._take_directive,
        }

    def take(self, step: Step) -> None:
        """Append one step."""
        self._rules.get(step.name, self._take_other)(step)

    def finish(self) -> list[Bits]:
        """Undo the frame that is left; return the x bits of every wire in terms of the edges' signs."""
        for qubit in range(len(self._wire)):
            self._undo_frame(qubit)
        bits: list[Bits | None] = [None] * len(self._parent)
        for root in range(len(bits)):  # the ground is wire 0, so its tree is rooted there
            if bits[root] is None:
                bits[root] = _ZERO
                stack = [root]
                while stack:
                    wire = stack.pop()
                    for other, edge in self._neighbours[wire]:
                        if bits[other] is None:
                            bits[other] = (bits[wire] or _ZERO) ^ {("s", edge)}
                            stack.append(other)
        return [b or _ZERO for b in bits]

    def _x(self, qubit: int) -> Bits:
        wire = self._wire[qubit]
        return _ZERO if wire == _GROUND else frozenset({("x", wire)})

    def _new_wire(self, qubit: int) -> Bits:
        wire = len(self._parent)
        self._parent.append(wire)
        self._neighbours.append([])
        self._wire[qubit] = wire
        return self._x(qubit)

    def _root(self, wire: int) -> int:
        while self._parent[wire] != wire:
            self._parent[wire] = wire = self._parent[self._parent[wire]]
        return wire

    def _write_rz(self, qubit: int, flip: Bits = _ZERO) -> None:
        self.written.append(Written("rz", (qubit,), Rotation(self._pending[qubit], self._x(qubit), flip)))
        self._pending[qubit] = Linear()

    def _write_x(self, qubit: int, flip: Bits) -> None:
        self.written.append(Written("rx", (qubit,), Rotation(Linear(), flip=flip)))

    def _undo_frame(self, qubit: int) -> None:
        self._write_rz(qubit, self._z[qubit])
        self._write_x(qubit, self._x(qubit))
        self._z[qubit] = _ZERO
        self._wire[qubit] = _GROUND
        self._stretch[qubit] += 1

    def _take_rz(self, step: Step) -> None:
        (qubit,) = step.qubits
        self._pending[qubit] = self._pending[qubit].plus(step.angle or Linear())

    def _take_rx(self, step: Step) -> None:
        (qubit,) = step.qubits
        self._write_rz(qubit)
        flip = self._x(qubit) ^ self._new_wire(qubit)
        self.written.append(Written("rx", step.qubits, Rotation(step.angle or Linear(), self._z[qubit], flip)))
        self._stretch[qubit] += 1

    def _take_ry(self, step: Step) -> None:
        (qubit,) = step.qubits
        self._write_rz(qubit)
        sign = self._x(qubit) ^ self._z[qubit]
        flip = self._x(qubit) ^ self._new_wire(qubit)
        self.written.append(Written("ry", step.qubits, Rotation(step.angle or Linear(), sign, flip)))
        self._z[qubit] ^= flip  # RY(π) is X and Z
        self._stretch[qubit] += 1

    def _take_h(self, step: Step) -> None:
        (qubit,) = step.qubits
        old_x, old_z, old_wire = self._x(qubit), self._z[qubit], self._wire[qubit]
        new_x = self._new_wire(qubit)
        self._fixed_after_rz(step, old_wire, old_z ^ new_x)
        self._z[qubit] = old_x

    def _take_sx(self, step: Step) -> None:
        (qubit,) = step.qubits
        old_x, old_z, old_wire = self._x(qubit), self._z[qubit], self._wire[qubit]
        new_x = self._new_wire(qubit)
        self._fixed_after_rz(step, old_wire, old_x ^ old_z ^ new_x)
        self._z[qubit] = old_x ^ new_x  # Z becomes Y, X stays

    def _fixed_after_rz(self, step: Step, old_wire: int, flip: Bits) -> None:
        """Write the pending RZ of the old wire, with a Z that makes the x bit of the new one, and the gate."""
        (qubit,) = step.qubits
        new_wire, self._wire[qubit] = self._wire[qubit], old_wire
        self._write_rz(qubit, flip)
        self._wire[qubit] = new_wire
        self.written.append(Written(step.name, step.qubits))
        self._stretch[qubit] += 1

    def _take_pauli(self, step: Step) -> None:
        (qubit,) = step.qubits
        self._write_rz(qubit)
        self.written.append(Written(step.name, step.qubits))
        self._stretch[qubit] += 1

    def _take_cz(self, step: Step) -> None:
        first, second = step.qubits
        self._z[first] ^= self._x(second)
        self._z[second] ^= self._x(first)
        self.written.append(Written("cz", step.qubits))

    def _take_cx(self, step: Step) -> None:
        control, target = step.qubits
        self._write_rz(target)
        self._write_x(target, self._x(target) ^ self._x(control))
        self._wire[target] = _GROUND
        self._z[control] ^= self._z[target]
        self._stretch[target] += 1
        self.written.append(Written("cx", step.qubits))

    def _take_directive(self, step: Step) -> None:
        for qubit in step.qubits:
            self._write_rz(qubit)
            self._stretch[qubit] += 1
        self.written.append(Written(step.name, step.qubits, source=step.source))

    def _take_other(self, step: Step) -> None:
        for qubit in step.qubits:
            self._undo_frame(qubit)
        self.written.append(Written(step.name, step.qubits, source=step.source))

    def _take_rzz(self, step: Step) -> None:
        first, second = sorted(step.qubits)
        angle = step.angle or Linear()
        key = (first, second, self._stretch[first], self._stretch[second])
        if self._merge and key in self._open:
            edge = self._open[key]
            self.edges[edge] = self.edges[edge].plus(angle)
            return
        if self._root(self._wire[first]) == self._root(self._wire[second]):
            self._write_x(second, self._x(second) ^ self._new_wire(second))
        edge = len(self.edges)
        self.edges.append(angle)
        self._open[key] = edge
        u, v = self._wire[first], self._wire[second]
        self._parent[self._root(u)] = self._root(v)
        self._neighbours[u].append((v, edge))
        self._neighbours[v].append((u, edge))
        self._z[first] ^= {("k", edge)}
        self._z[second] ^= {("k", edge)}
        self.written.append(Written("rzz", step.qubits, edge=edge))
