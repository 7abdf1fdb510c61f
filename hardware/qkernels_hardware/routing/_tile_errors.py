"""What a circuit needs of the qubits it runs on, and how much the same instructions lose elsewhere on a device."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import inf, log1p

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp
from qiskit.transpiler import Target

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError

__all__ = ["TileLoss", "used_qubits"]

_DEAD = 0.5
"""Gate error from which a qubit or coupler is out of use: IBM reports 1 where a calibration failed."""

Uses = Counter[tuple[str, tuple[int, ...]]]


def used_qubits(circuit: QuantumCircuit) -> tuple[int, ...]:
    """Qubits that an instruction other than a barrier acts on, ascending."""
    used = {q for item in circuit.data if item.operation.name != "barrier" for q in item.qubits}
    return tuple(sorted(circuit.find_bit(q).index for q in used))


@dataclass(frozen=True, slots=True)
class TileLoss:
    """The loss −Σ log(1 − error) of a circuit as a table over device qubits; infinite where it cannot run.

    Attributes
    ----------
    used : tuple of int
        The n device qubits of the circuit as given, ascending; position k below is ``used[k]``.
    pairs : tuple of (int, int)
        Positions that share a two-qubit gate, in the direction of the gate.
    on_qubit : float64 array (n, num_qubits)
        Loss of the one-qubit instructions and measurements of position k on each device qubit.
    on_pair : float64 array (len(pairs), num_qubits, num_qubits)
        Loss of the two-qubit gates of a pair on each two device qubits.
    """

    used: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    on_qubit: NDArray[np.float64]
    on_pair: NDArray[np.float64]

    @classmethod
    def of(cls, circuit: QuantumCircuit, target: Target) -> TileLoss:
        """Read a transpiled circuit and the errors of a device."""
        used = used_qubits(circuit)
        uses = _uses(circuit, target, used)
        pairs = tuple(sorted({places for _, places in uses if len(places) == 2}))
        width = target.num_qubits
        on_qubit = np.zeros((len(used), width))
        on_pair = np.zeros((len(pairs), width, width))
        for (name, places), times in sorted(uses.items()):
            if len(places) == 1:
                on_qubit[places[0]] += times * _losses(target, name, 1)
            else:
                on_pair[pairs.index(places)] += times * _losses(target, name, 2)
        return cls(used, pairs, on_qubit, on_pair)

    def of_mappings(self, mappings: NDArray[np.intp]) -> NDArray[np.float64]:
        """Loss on the device qubits of each row (n,) of `mappings`; position k runs on ``row[k]``."""
        total = self.on_qubit[np.arange(len(self.used)), mappings].sum(axis=1)
        for table, (a, b) in zip(self.on_pair, self.pairs, strict=True):
            total += table[mappings[:, a], mappings[:, b]]
        return np.asarray(total)


def _uses(circuit: QuantumCircuit, target: Target, used: tuple[int, ...]) -> Uses:
    """How often each instruction stands on which positions of the used qubits."""
    position = {qubit: k for k, qubit in enumerate(used)}
    uses: Uses = Counter()
    for item in circuit.data:
        name, qubits = item.operation.name, tuple(circuit.find_bit(q).index for q in item.qubits)
        if name == "barrier":
            continue
        if isinstance(item.operation, ControlFlowOp) or len(qubits) > 2:
            raise UnsupportedCircuitError(
                f"find_tiles: the circuit holds {name!r} on qubits {list(qubits)}; tiles are for circuits of one- and "
                "two-qubit instructions without control flow. Transpile the circuit for the device first."
            )
        if not target.instruction_supported(name, qubits):
            raise InvalidParameterError(
                f"find_tiles: circuit must be transpiled for the device; it has {name!r} on qubits {list(qubits)}, "
                "which the target has not. Transpile it with transpile_for(circuit, backend)."
            )
        uses[name, tuple(position[q] for q in qubits)] += 1
    return uses


def _losses(target: Target, name: str, width: int) -> NDArray[np.float64]:
    """−log(1 − error) of one instruction on all places of a device, infinite where it is missing or dead.

    An unknown error is none where the device knows it nowhere (delays), and a failed calibration where it knows others.
    """
    shape = (target.num_qubits,) * width
    places = target[name]
    if not places or None in places:  # the same on all qubits
        return np.zeros(shape)
    errors = {where: getattr(known, "error", None) for where, known in places.items()}
    known_somewhere = any(error is not None for error in errors.values())
    losses = np.full(shape, inf)
    for where, error in errors.items():
        value = (inf if known_somewhere else 0.0) if error is None else float(error)
        if value < _DEAD:
            losses[where] = -log1p(-value)
    return losses
