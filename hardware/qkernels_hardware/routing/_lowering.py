"""From a program to what a device runs: transpiled once, cut to the qubits it uses, split at its barrier."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from math import exp, log1p

from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, ParameterVector
from qiskit.providers import BackendV2
from qiskit.transpiler import Target
from qiskit.transpiler.exceptions import TranspilerError

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import PairCircuit, circuit_of, flatten, overlap_circuit, split_halves, transpile_for
from qkernels.programs import OverlapProgram, Program

__all__ = ["DeviceCircuit", "fidelity_of", "layout_indices", "lower", "not_transpiled"]


@dataclass(frozen=True, slots=True)
class DeviceCircuit:
    """The circuit of a program on a device; ``print`` it for one line.

    Attributes
    ----------
    device : str
    layout : tuple of int
        Physical qubit that each qubit of the program starts on.
    read_from : tuple of int
        Physical qubit that each qubit of the program is read from, after routing.
    active : tuple of int
        Physical qubits that a gate acts on.
    two_qubit_gates, depth, two_qubit_depth : int
        Of U(x) and U(y)† together, where the program is an `OverlapProgram`.
    fidelity : float
        Product of 1 − error over all gates and measurements: the score of the layout. 1 where errors are unknown.
    pair : PairCircuit
        On `used` qubits, renumbered in ascending order.
    used : tuple of int
        Physical qubits of `pair`: active or read.
    """

    device: str
    layout: tuple[int, ...]
    read_from: tuple[int, ...]
    active: tuple[int, ...]
    two_qubit_gates: int
    depth: int
    two_qubit_depth: int
    fidelity: float
    pair: PairCircuit = field(repr=False, compare=False)
    used: tuple[int, ...] = field(repr=False)

    def __str__(self) -> str:
        return (
            f"{self.device}: qubits {list(self.layout)}, {len(self.active)} active, {self.two_qubit_gates} two-qubit "
            f"gates, depth {self.depth} ({self.two_qubit_depth} two-qubit), estimated fidelity {self.fidelity:.3g}"
        )


def lower(
    program: Program, backend: BackendV2, device: str, optimization_level: int, layout: tuple[int, ...] | None
) -> DeviceCircuit:
    """Transpile a program.

    Parameters
    ----------
    program : OverlapProgram or ExpectationProgram
    backend : BackendV2
    device : str
        Name, for people.
    optimization_level : int
    layout : tuple of int, or None
        None leaves it to the transpiler, which scores layouts by their errors.

    Returns
    -------
    DeviceCircuit
    """
    n = program.num_qubits
    logical, a = circuit_of(program.flat)
    b = ParameterVector("b", len(a))
    if isinstance(program, OverlapProgram):  # with its measurements, so that their errors count in the layout
        whole = overlap_circuit(logical, a, b)
        whole.add_register(ClassicalRegister(n, "read"))
        whole.measure(range(n), range(n))
    else:
        whole = logical
    if any(op.name == "delay" and isinstance(op.angles[0], int) for op in program.flat.ops):
        raise UnsupportedCircuitError(
            f"The circuit has a delay whose duration depends on data; it cannot be transpiled for {device}. Give it a "
            "number."
        )
    try:
        stripped = transpile_for(whole, backend, optimization_level, 0, layout)
    except InvalidParameterError as error:
        message = str(error).replace("transpile_for: initial_layout", "layout of AerEngine")
        raise InvalidParameterError(message.replace("transpile_for", "AerEngine")) from None
    except TranspilerError as error:
        delays = "leave them out, or use DensityMatrixEngine with the table of the qubits"
        raise not_transpiled(error, whole, backend, layout, "AerEngine", delays) from error
    transpiled = stripped.circuit
    expressions = dict(zip(stripped.angles, stripped.expressions, strict=True))
    bound = transpiled.assign_parameters(expressions, strict=False)
    initial = layout_indices(transpiled, n, final=False)
    final = layout_indices(transpiled, n, final=True)
    acted = [[bound.find_bit(q).index for q in item.qubits] for item in bound.data if item.operation.name != "barrier"]
    used = tuple(sorted({q for qubits in acted for q in qubits} | set(final)))
    small = _compact(bound, used)
    if isinstance(program, OverlapProgram):
        first, second, read_from = split_halves(small)
        measured = tuple(read_from[k] for k in range(n))
        pair = PairCircuit(flatten(first, a), flatten(second, b), measured)
    else:
        pair = PairCircuit(flatten(small, a), None, tuple(used.index(q) for q in final))
    return DeviceCircuit(
        device=device,
        layout=initial,
        read_from=tuple(used[q] for q in pair.measured),
        active=tuple(used[q] for q in pair.active),
        two_qubit_gates=small.num_nonlocal_gates(),
        depth=small.depth(lambda item: item.operation.name not in ("barrier", "measure")),
        two_qubit_depth=small.depth(lambda item: len(item.qubits) == 2 and item.operation.name != "barrier"),
        fidelity=fidelity_of(bound, backend.target),
        pair=pair,
        used=used,
    )


def not_transpiled(
    error: TranspilerError,
    circuit: QuantumCircuit,
    backend: BackendV2,
    layout: Sequence[int] | None,
    owner: str,
    delays: str,
) -> UnsupportedCircuitError:
    """Why a circuit has no form for a device, with what of it may be to blame.

    Parameters
    ----------
    error : TranspilerError
    circuit : QuantumCircuit
    backend : BackendV2
    layout : sequence of int, or None
        What was asked for.
    owner : str
        The engine, for the message.
    delays : str
        What to do about delays.
    """
    message = f"The circuit cannot be transpiled for {backend.name}: {error.message.strip().rstrip('.')}."
    if layout is not None:
        message += f" layout of {owner} was {list(layout)}: other qubits, or 'auto', may do."
    if "delay" in circuit.count_ops():
        message += (
            f" Delays must be multiples of the device's alignment, {backend.target.pulse_alignment} dt: {delays}."
        )
    return UnsupportedCircuitError(message)


def layout_indices(transpiled: QuantumCircuit, n: int, *, final: bool) -> tuple[int, ...]:
    """Physical qubits of the program's qubits at the start or at the end."""
    layout = transpiled.layout
    if layout is None:
        return tuple(range(n))
    found = layout.final_index_layout() if final else layout.initial_index_layout(filter_ancillas=True)
    return tuple(int(q) for q in found[:n])


def _compact(circuit: QuantumCircuit, used: tuple[int, ...]) -> QuantumCircuit:
    """The circuit on some of its qubits, renumbered."""
    small = QuantumCircuit(len(used), circuit.num_clbits)
    position = {circuit.qubits[q]: k for k, q in enumerate(used)}
    for item in circuit.data:
        qubits = [position[q] for q in item.qubits if q in position]
        operation = item.operation
        if operation.name == "barrier" and len(qubits) < len(item.qubits):
            operation = operation.to_mutable()
            operation._num_qubits = len(qubits)
        small.append(operation, qubits, [circuit.find_bit(c).index for c in item.clbits])
    return small


def fidelity_of(circuit: QuantumCircuit, target: Target, tile: Container[int] | None = None) -> float:
    """Product of 1 − error over the instructions of a transpiled circuit, of those on the qubits of `tile` if given."""
    total = 0.0
    for item in circuit.data:
        name, qubits = item.operation.name, tuple(circuit.find_bit(q).index for q in item.qubits)
        if tile is not None and not all(qubit in tile for qubit in qubits):
            continue
        known = target[name].get(qubits) if name in target.operation_names and target[name] else None
        error = getattr(known, "error", None)
        if error:
            total += log1p(-min(float(error), 1.0 - 1e-12))
    return exp(total)
