"""The compute-uncompute circuit U(x), barrier, U(y)†; its all-zeros probability is a kernel entry."""

from __future__ import annotations

from collections.abc import Sequence

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, ControlFlowOp, Parameter, ParameterVector
from qiskit.circuit.library import Initialize

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError

OVERLAP_BARRIER = "qkernels.overlap"
"""Label of the barrier between the two halves; `measure_all` and users' circuits add barriers of their
own."""


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
    result = QuantumCircuit(*circuit.qregs, name=circuit.name, global_phase=circuit.global_phase)
    result.add_bits([bit for bit in circuit.qubits if bit not in set(result.qubits)])
    _append_unitary(result, circuit, circuit.qubits, touched=set(), measured=set(), inside="")
    return result


def _append_unitary(
    result: QuantumCircuit,
    circuit: QuantumCircuit,
    qubits: Sequence[object],
    touched: set[object],
    measured: set[object],
    inside: str,
) -> None:
    for position, instruction in enumerate(circuit.data):
        operation = instruction.operation
        targets = [qubits[circuit.find_bit(bit).index] for bit in instruction.qubits]
        where = f"{operation.name!r} at position {position}{inside} on qubits {_indices(result, targets)}"
        if operation.name == "barrier":
            result.append(operation, targets)
            continue
        if isinstance(operation, ControlFlowOp) or operation.name == "store":
            raise UnsupportedCircuitError(
                f"overlap_circuit: instruction {where} is classical control; a kernel needs a unitary "
                "circuit. Remove it or bind the branch you want."
            )
        if measured.intersection(targets) and operation.name != "measure":
            raise UnsupportedCircuitError(
                f"overlap_circuit: instruction {where} follows a measurement of the same qubit (mid-circuit "
                "measurement); a kernel needs a unitary circuit. Remove the measurement."
            )
        if operation.name == "measure":
            measured.update(targets)
            continue
        if isinstance(operation, Initialize) or operation.name == "reset":
            if touched.intersection(targets):
                raise UnsupportedCircuitError(
                    f"overlap_circuit: instruction {where} resets qubits that earlier gates have used; a "
                    "kernel needs a unitary circuit. Move it to the start of the circuit or remove it."
                )
            if operation.name == "reset":  # of |0>: nothing to do
                continue
        if not hasattr(operation, "inverse") and hasattr(operation, "to_instruction"):
            operation = operation.to_instruction()  # Clifford and friends
        if not _has_inverse(
            instruction, operation
        ):  # Initialize ends here: its definition is reset, preparation
            definition = getattr(operation, "definition", None)
            if definition is None:
                raise UnsupportedCircuitError(
                    f"overlap_circuit: instruction {where} has no inverse and no definition; a kernel needs "
                    "a unitary circuit. Replace it by gates."
                )
            _append_unitary(
                result, definition, targets, touched, measured, f" inside {operation.name!r}{inside}"
            )
            result.global_phase += definition.global_phase
            continue
        result.append(operation, targets)
        touched.update(targets)


def _has_inverse(instruction: CircuitInstruction, operation: object) -> bool:
    if instruction.is_standard_gate():
        return True
    if instruction.clbits:
        return False
    try:
        operation.inverse()  # type: ignore[attr-defined]
    except (
        Exception
    ):  # Qiskit raises CircuitError, NotImplementedError or AttributeError, by kind of operation
        return False
    return True


def _indices(circuit: QuantumCircuit, qubits: Sequence[object]) -> list[int]:
    return [circuit.find_bit(bit).index for bit in qubits]
