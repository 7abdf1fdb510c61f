"""What the client no longer checks: whether a device can run a circuit. Checked by us before anything is submitted."""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels_hardware.work import MAX_EXECUTIONS

__all__ = ["check_circuit", "check_executions"]


def check_circuit(circuit: QuantumCircuit, target: Target, device: str) -> None:
    """Every instruction must be one of the device, on qubits that are coupled.

    Parameters
    ----------
    circuit : QuantumCircuit
        On the qubits of the device.
    target : Target
    device : str

    Raises
    ------
    UnsupportedCircuitError
        Names the instruction and its qubits.
    """
    if target.num_qubits is not None and circuit.num_qubits > target.num_qubits:
        raise UnsupportedCircuitError(
            f"The circuit has {circuit.num_qubits} qubits, {device} has {target.num_qubits}. Use fewer features or a "
            "larger device."
        )
    for item in circuit.data:
        name = item.operation.name
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        if name == "barrier":
            continue
        if name not in target.operation_names:
            raise UnsupportedCircuitError(
                f"{device} has no instruction {name!r} (on qubits {list(qubits)}); it has "
                f"{', '.join(sorted(target.operation_names))}. Transpile the circuit for this device."
            )
        if not target.instruction_supported(name, qubits):
            raise UnsupportedCircuitError(
                f"{device} has no {name!r} on qubits {list(qubits)}: they are not coupled, or only in the other "
                "direction. Transpile the circuit for this device."
            )
    if not circuit.num_clbits and any(item.operation.name == "measure" for item in circuit.data):
        raise UnsupportedCircuitError(f"The circuit for {device} measures into no classical register.")


def check_executions(rows: int, shots: int) -> None:
    """Rows times shots must be within what one job takes.

    Raises
    ------
    InvalidParameterError
        Names both and the limit.
    """
    if rows * shots > MAX_EXECUTIONS:
        raise InvalidParameterError(
            f"shots of RuntimeEngine allow at most {MAX_EXECUTIONS:,} executions in a job (rows × shots); got "
            f"{rows} × {shots:,} = {rows * shots:,}. Use fewer shots."
        )
