"""Composite instructions written out: what phase stripping and overlap circuits walk over.

Everything made by ``to_gate``, ``to_instruction`` or ``control``, annotated operations and product-formula
evolutions are replaced by what a device would run. Gates of the standard library, matrices and state
preparations stay whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    CircuitInstruction,
    Clbit,
    ControlledGate,
    Gate,
    Instruction,
    Operation,
    Qubit,
)
from qiskit.circuit.annotated_operation import ControlModifier, InverseModifier, PowerModifier
from qiskit.circuit.library import GlobalPhaseGate, PauliEvolutionGate, PermutationGate, UnitaryGate
from qiskit.quantum_info import Operator
from qiskit.synthesis import synth_permutation_basic

from qkernels._errors import UnsupportedCircuitError

Piece = tuple[str, CircuitInstruction]


def elementary_instructions(
    circuit: QuantumCircuit,
    owner: str,
    qubits: Sequence[Qubit] | None = None,
    clbits: Sequence[Clbit] | None = None,
    prefix: str = "",
) -> Iterator[Piece]:
    """Walk over a circuit with its composite instructions written out.

    Parameters
    ----------
    circuit : QuantumCircuit
        Any circuit.
    owner : str
        Name of the calling function, for error messages.
    qubits, clbits : sequence of bits, optional
        The bits to put in place of those of `circuit`.
    prefix : str, default=""
        Put before each position.

    Yields
    ------
    (str, CircuitInstruction)
        Position ("3", or "3.1" for instruction 1 inside composite 3) and instruction. A global phase of the
        circuit or of a definition comes as a `GlobalPhaseGate` on no qubits.

    Raises
    ------
    UnsupportedCircuitError
        If an annotated operation has no gate form.
    """
    qubits = circuit.qubits if qubits is None else qubits
    clbits = circuit.clbits if clbits is None else clbits
    if circuit.global_phase != 0:
        yield prefix.rstrip("."), CircuitInstruction(GlobalPhaseGate(circuit.global_phase), ())
    new_qubits = dict(zip(circuit.qubits, qubits, strict=True))
    new_clbits = dict(zip(circuit.clbits, clbits, strict=True))
    for index, instruction in enumerate(circuit.data):
        moved = instruction.replace(
            qubits=[new_qubits[bit] for bit in instruction.qubits],
            clbits=[new_clbits[bit] for bit in instruction.clbits],
        )
        yield from _expand(moved, owner, f"{prefix}{index}")


def definition_instructions(instruction: CircuitInstruction, owner: str, position: str) -> Iterator[Piece]:
    """Walk over the definition of one instruction; nothing where it has none."""
    definition = definition_of(instruction.operation)
    if definition is not None:
        yield from elementary_instructions(definition, owner, instruction.qubits, instruction.clbits, f"{position}.")


def definition_of(operation: Operation) -> QuantumCircuit | None:
    """Return the definition of an operation as a circuit, or None where there is none."""
    try:
        if not hasattr(operation, "definition") and hasattr(operation, "to_instruction"):
            operation = operation.to_instruction()  # Clifford and other operators
        definition = getattr(operation, "definition", None)
    except Exception:  # Qiskit's gates raise errors of many types where the definition needs bound parameters
        return None
    return definition if isinstance(definition, QuantumCircuit) else None


def _expand(instruction: CircuitInstruction, owner: str, position: str) -> Iterator[Piece]:
    operation = instruction.operation
    if isinstance(operation, AnnotatedOperation):
        circuit = written_out(operation, owner, position)
        yield from elementary_instructions(circuit, owner, instruction.qubits, (), f"{position}.")
    elif _is_composite(operation) and definition_of(operation) is not None:
        yield from definition_instructions(instruction, owner, position)
    else:
        yield position, instruction


def _is_composite(operation: Operation) -> bool:
    # circuit.to_gate(), circuit.to_instruction() and gate.control() make objects of exactly these types. An
    # evolution is what its product formula makes of it; its inverse() is not the inverse of that formula.
    return (
        type(operation) in (Gate, Instruction, ControlledGate)
        or isinstance(operation, PauliEvolutionGate)
        or not isinstance(operation, Instruction)
    )


def written_out(operation: AnnotatedOperation, owner: str, position: str) -> QuantumCircuit:
    """Apply the modifiers of an annotated operation, innermost first, gate by gate."""
    circuit = QuantumCircuit(operation.base_op.num_qubits)
    circuit.append(operation.base_op, circuit.qubits)
    try:
        for modifier in operation.modifiers:
            circuit = _flat_copy(circuit, owner)
            if isinstance(modifier, InverseModifier):
                circuit = circuit.inverse()
            elif isinstance(modifier, PowerModifier):
                circuit = _power(circuit, modifier.power)
            elif isinstance(modifier, ControlModifier):
                circuit = _controlled(circuit, modifier)
    except UnsupportedCircuitError:
        raise
    except Exception as error:  # Qiskit raises errors of many types here, by kind of gate
        raise UnsupportedCircuitError(
            f"{owner}: instruction 'annotated' at position {position} ({operation.base_op.name!r} under "
            f"{operation.modifiers}) has no gate form: {error}. Build it without annotated=True."
        ) from error
    return circuit


def _flat_copy(circuit: QuantumCircuit, owner: str) -> QuantumCircuit:
    flat = QuantumCircuit(circuit.num_qubits)
    for _, piece in elementary_instructions(circuit, owner, flat.qubits):
        flat.append(piece)
    return flat


def _power(circuit: QuantumCircuit, power: float) -> QuantumCircuit:
    result = QuantumCircuit(circuit.num_qubits)
    if power == int(power):
        step = circuit if power >= 0 else circuit.inverse()
        for _ in range(abs(int(power))):
            result.compose(step, inplace=True)
    else:
        result.append(UnitaryGate(Operator(circuit)).power(power, annotated=False), result.qubits)
    return result


def _controlled(circuit: QuantumCircuit, modifier: ControlModifier) -> QuantumCircuit:
    """Control every gate, the global phases among them; the new control qubits come first."""
    result = QuantumCircuit(modifier.num_ctrl_qubits + circuit.num_qubits)
    controls = result.qubits[: modifier.num_ctrl_qubits]
    targets = dict(zip(circuit.qubits, result.qubits[modifier.num_ctrl_qubits :], strict=True))
    for item in circuit.data:
        gate = item.operation
        if gate.name not in ("barrier", "delay"):
            wires = [*controls, *(targets[bit] for bit in item.qubits)]
            if isinstance(gate, PermutationGate):  # Qiskit cannot control one by synthesis; its swaps it can
                swaps = synth_permutation_basic(gate.pattern)
                result.compose(_controlled(swaps, modifier), wires, inplace=True)
                continue
            gate = gate.control(modifier.num_ctrl_qubits, ctrl_state=modifier.ctrl_state, annotated=False)
            result.append(gate, wires)
    return result
