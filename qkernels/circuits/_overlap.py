"""The compute-uncompute circuit U(x), barrier, U(y)†; its all-zeros probability is a kernel entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, ControlFlowOp, Parameter, ParameterVector, Qubit
from qiskit.circuit.library import Initialize

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits._decompose import (
    definition_instructions,
    definition_of,
    elementary_instructions,
)

OVERLAP_BARRIER = "qkernels.overlap"
"""Label of the barrier between the two halves; `measure_all` and users' circuits add barriers of their
own."""

_IDLE = frozenset({"barrier", "delay", "id"})


def overlap_circuit(
    circuit: QuantumCircuit,
    x: Sequence[Parameter],
    y: Sequence[Parameter] | None = None,
    *,
    barrier: bool = True,
) -> QuantumCircuit:
    r"""Return U(x) followed by U(y)†: the probability of all zeros is :math:`|\langle 0|U(y)^\dagger
    U(x)|0\rangle|^2`.

    Parameters
    ----------
    circuit : QuantumCircuit
        The feature map U. An `Initialize` (or reset) on qubits that no gate has touched counts as state
        preparation (or nothing); measurements after the last gate of their qubit are dropped.
    x : sequence of Parameter, length d
        The features in `circuit`. Other parameters (trainable θ) are shared by both halves.
    y : sequence of Parameter, length d, optional
        Parameters of the second half. By default ``ParameterVector("y", d)``.
    barrier : bool, default=True
        Separate the halves by a barrier labelled ``"qkernels.overlap"``. It keeps the transpiler from moving
        gates across, so that x occurs only before and y only after; without it some maps lose gates between
        the halves.

    Returns
    -------
    QuantumCircuit
        2× the gates of `circuit`; no measurements.

    Raises
    ------
    InvalidParameterError
        If `x` and `y` differ in length, or share a parameter.
    UnsupportedCircuitError
        If `circuit` holds a mid-circuit measurement, a reset or `Initialize` after a gate, control flow, or
        an operation without inverse; the message names the instruction and its position.

    References
    ----------
    Havlíček et al., "Supervised learning with quantum-enhanced feature spaces", arXiv:1804.11326.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import ParameterVector
    >>> from qkernels.circuits import overlap_circuit
    >>> x = ParameterVector("x", 1)
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.rx(x[0], 0)
    >>> [(i.operation.name, [str(p) for p in i.params]) for i in overlap_circuit(circuit, x)]
    [('rx', ['x[0]']), ('barrier', []), ('rx', ['-y[0]'])]
    """
    first = _unitary_part(circuit)
    second_features = ParameterVector("y", len(x)) if y is None else y
    if len(second_features) != len(x):
        raise InvalidParameterError(
            f"overlap_circuit: y must be as long as x ({len(x)} parameters); got {len(second_features)}."
        )
    shared = set(x) & set(second_features)
    if shared:
        raise InvalidParameterError(
            f"overlap_circuit: y must hold other parameters than x; both hold "
            f"{min(p.name for p in shared)!r}. Pass a new ParameterVector."
        )
    second = first.assign_parameters(dict(zip(x, second_features, strict=True)), strict=False).inverse()
    result = first.copy()
    if barrier:
        result.barrier(label=OVERLAP_BARRIER)
    result.compose(second, inplace=True, copy=False)
    return result


def _unitary_part(circuit: QuantumCircuit) -> QuantumCircuit:
    """Copy the unitary instructions of a circuit, or say which instruction is not unitary, and where."""
    result = QuantumCircuit(circuit.qubits, name=circuit.name)  # bits first: registers may share them
    for register in circuit.qregs:
        result.add_register(register)
    touched: set[Qubit] = set()
    measured: set[Qubit] = set()
    for position, instruction in elementary_instructions(circuit, "overlap_circuit"):
        for inner_position, piece in _invertible_pieces(position, instruction, touched):
            _append(result, piece, inner_position, touched, measured)
    return result


def _invertible_pieces(
    position: str, instruction: CircuitInstruction, touched: set[Qubit]
) -> Iterator[tuple[str, CircuitInstruction]]:
    """Yield an instruction, or what its definition consists of where it has no inverse itself."""
    is_preparation = isinstance(instruction.operation, Initialize)
    if is_preparation and not touched.intersection(instruction.qubits):
        pieces = definition_instructions(instruction, "overlap_circuit", position)
        yield from (piece for piece in pieces if piece[1].operation.name != "reset")
    elif is_preparation or _has_inverse(instruction) or definition_of(instruction.operation) is None:
        yield position, instruction
    else:
        for inner_position, piece in definition_instructions(instruction, "overlap_circuit", position):
            yield from _invertible_pieces(inner_position, piece, touched)


def _append(
    result: QuantumCircuit,
    instruction: CircuitInstruction,
    position: str,
    touched: set[Qubit],
    measured: set[Qubit],
) -> None:
    operation, qubits = instruction.operation, instruction.qubits
    indices = [result.find_bit(bit).index for bit in qubits]
    where = f"overlap_circuit: instruction {operation.name!r} at position {position} on qubits {indices}"
    if isinstance(operation, ControlFlowOp) or operation.name == "store":
        raise UnsupportedCircuitError(
            f"{where} is classical control; a kernel needs a unitary circuit. Remove it or unroll it into gates."
        )
    if operation.name == "measure":
        measured.update(qubits)
        return
    if operation.name != "barrier" and measured.intersection(qubits):
        raise UnsupportedCircuitError(
            f"{where} follows a measurement of the same qubit (mid-circuit measurement); a kernel needs a "
            "unitary circuit. Remove the measurement."
        )
    if operation.name in ("reset", "initialize"):
        if touched.intersection(qubits):
            raise UnsupportedCircuitError(
                f"{where} resets qubits that earlier gates have used; a kernel needs a unitary circuit. "
                "Move it to the start of the circuit or remove it."
            )
        return  # a reset of |0>
    if instruction.clbits or not _has_inverse(instruction):
        raise UnsupportedCircuitError(f"{where} has no inverse; a kernel needs a unitary circuit. Replace it by gates.")
    result.append(operation, qubits)
    if operation.name not in _IDLE:
        touched.update(qubits)


def _has_inverse(instruction: CircuitInstruction) -> bool:
    if instruction.is_standard_gate():
        return True
    try:
        instruction.operation.inverse()
    except Exception:  # Qiskit raises errors of many types here, by kind of operation
        return False
    return True
