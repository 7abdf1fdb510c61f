"""The compute–uncompute circuit as two flattened halves: what noisy engines evaluate, logical or on a device."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Delay, Parameter, ParameterVector
from qiskit.circuit.library import UnitaryGate, get_standard_gate_name_mapping

from qkernels._errors import UnsupportedCircuitError
from qkernels.circuits._flatten import FlatCircuit, FlatOp, flatten
from qkernels.circuits._overlap import OVERLAP_BARRIER, overlap_circuit

__all__ = ["PairCircuit", "circuit_of", "circuit_of_gates", "logical_pair", "split_halves"]


@dataclass(frozen=True, slots=True, eq=False)
class PairCircuit:
    """U(x) and U(y)† as the gates that run, over one set of qubits.

    Attributes
    ----------
    prepare : FlatCircuit
        U(x); its data are the bound angles of the program (`Program.bind_angles`).
    undo : FlatCircuit or None
        U(y)†, of the same qubits and data; None where nothing is undone (expectation values).
    measured : tuple of int
        The qubit of the halves that program qubit k is read from.
    """

    prepare: FlatCircuit
    undo: FlatCircuit | None
    measured: tuple[int, ...]

    @property
    def ops(self) -> tuple[FlatOp, ...]:
        """All instructions in order, without the barrier between the halves."""
        return self.prepare.ops + (() if self.undo is None else self.undo.ops)

    @property
    def active(self) -> tuple[int, ...]:
        """Qubits that an instruction other than a barrier acts on, ascending."""
        return tuple(sorted({q for op in self.ops if op.name != "barrier" for q in op.qubits}))

    @property
    def key(self) -> str:
        """sha256 of the content, in hex."""
        undone = "" if self.undo is None else self.undo.key
        return hashlib.sha256(f"{self.prepare.key}\n{undone}\n{self.measured}".encode()).hexdigest()


def circuit_of(flat: FlatCircuit, name: str = "a") -> tuple[QuantumCircuit, ParameterVector]:
    """A flattened circuit as a Qiskit circuit, with one parameter for each distinct angle.

    Parameters
    ----------
    flat : FlatCircuit
    name : str
        Of the parameter vector.

    Returns
    -------
    circuit : QuantumCircuit
        Equal to the flattened one up to a global phase.
    angles : ParameterVector of length ``len(flat.angles)``
        In the order of the columns of ``flat.angles.evaluate``.
    """
    angles = ParameterVector(name, len(flat.angles))
    circuit = QuantumCircuit(flat.num_qubits)
    for op in flat.ops:
        _append(circuit, op, angles)
    return circuit, angles


def circuit_of_gates(flat: FlatCircuit, name: str = "a") -> tuple[QuantumCircuit, ParameterVector, tuple[int, ...]]:
    """A flattened circuit as a Qiskit circuit, with a parameter of its own for each angle of each gate.

    Parameters
    ----------
    flat : FlatCircuit
    name : str
        Of the parameter vector.

    Returns
    -------
    circuit : QuantumCircuit
        Equal to the flattened one up to a global phase where the parameters are the angles they stand for.
    angles : ParameterVector
        One for every data-dependent angle of every gate, in their order.
    slots : tuple of int
        The column of ``flat.angles.evaluate`` that each of them stands for.
    """
    slots = tuple(a for op in flat.ops for a in op.angles if isinstance(a, int))
    angles = ParameterVector(name, len(slots))
    circuit = QuantumCircuit(flat.num_qubits)
    used = itertools.count()
    for op in flat.ops:
        own = tuple(next(used) if isinstance(a, int) else a for a in op.angles)
        _append(circuit, replace(op, angles=own), angles)
    return circuit, angles, slots


def _append(circuit: QuantumCircuit, op: FlatOp, angles: Sequence[Parameter]) -> None:
    values = [angles[a] if isinstance(a, int) else a for a in op.angles]
    if op.name == "barrier":
        circuit.barrier(op.qubits)
    elif op.name == "delay":
        circuit.append(Delay(values[0], op.unit), op.qubits)
    elif op.name == "bound":
        alone = QuantumCircuit(len(op.qubits))
        alone.append(op.gate, range(len(op.qubits)))
        alone.assign_parameters(dict(zip(op.free, values, strict=True)), inplace=True)
        circuit.append(alone.data[0].operation, op.qubits)
    elif op.name == "unitary":
        circuit.append(UnitaryGate(op.matrix, check_input=False), op.qubits)
    else:
        circuit.append(_gate_classes()[op.name](*values), op.qubits)


@lru_cache(maxsize=1)
def _gate_classes() -> dict[str, Callable[..., object]]:
    return {name: gate.base_class for name, gate in get_standard_gate_name_mapping().items()}


def split_halves(circuit: QuantumCircuit) -> tuple[QuantumCircuit, QuantumCircuit, dict[int, int]]:
    """The two sides of the barrier that `overlap_circuit` puts, without measurements.

    Parameters
    ----------
    circuit : QuantumCircuit
        An overlap circuit with its labelled barrier, transpiled or not.

    Returns
    -------
    prepare, undo : QuantumCircuit
        On the qubits of `circuit`, in its parameters.
    read_from : dict of int to int
        Classical bit → qubit measured into it.

    Raises
    ------
    UnsupportedCircuitError
        The barrier is not there, or stands there more than once.
    """
    places = [i for i, item in enumerate(circuit.data) if _is_middle(item)]
    if len(places) != 1:
        raise UnsupportedCircuitError(
            f"circuit must hold one barrier labelled {OVERLAP_BARRIER!r} between its halves; it holds {len(places)}. "
            "Build it with overlap_circuit(barrier=True)."
        )
    halves = []
    read_from: dict[int, int] = {}
    for part in (circuit.data[: places[0]], circuit.data[places[0] + 1 :]):
        half = circuit.copy_empty_like()
        half.global_phase = 0
        for item in part:
            if item.operation.name == "measure":
                read_from[circuit.find_bit(item.clbits[0]).index] = circuit.find_bit(item.qubits[0]).index
            else:
                half.append(item)
        halves.append(half)
    return halves[0], halves[1], read_from


def _is_middle(item: CircuitInstruction) -> bool:
    return bool(item.operation.name == "barrier" and item.operation.label == OVERLAP_BARRIER)


def logical_pair(flat: FlatCircuit, *, undo: bool = True) -> PairCircuit:
    """The pair circuit of a program as its circuit is written.

    Parameters
    ----------
    flat : FlatCircuit
        Of the program.
    undo : bool
        Whether U(y)† is wanted, too.

    Returns
    -------
    PairCircuit

    Raises
    ------
    UnsupportedCircuitError
        An instruction has no inverse.
    """
    circuit, a = circuit_of(flat)
    measured = tuple(range(flat.num_qubits))
    if not undo:
        return PairCircuit(flatten(circuit, a), None, measured)
    b = ParameterVector("b", len(a))
    first, second, _ = split_halves(overlap_circuit(circuit, a, b))
    return PairCircuit(flatten(first, a), flatten(second, b), measured)
