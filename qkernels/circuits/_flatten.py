"""Flatten a circuit into named standard gates: what the engines compile and what program keys are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import (
    AnnotatedOperation,
    Barrier,
    BoxOp,
    ControlFlowOp,
    Delay,
    Instruction,
    Measure,
    Operation,
    Parameter,
    ParameterExpression,
    QuantumCircuit,
    Reset,
)
from qiskit.circuit.annotated_operation import ControlModifier, InverseModifier, PowerModifier
from qiskit.circuit.library import PauliEvolutionGate, UnitaryGate, get_standard_gate_name_mapping
from qiskit.quantum_info import Operator

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits._decompose import definition_of, elementary_instructions, written_out
from qkernels.circuits._expressions import AngleTable, require_real
from qkernels.circuits._gates import PARAMETRIC_GATES

__all__ = ["FlatCircuit", "FlatOp", "flatten"]

_MAX_MATRIX_QUBITS = 10
"""Largest constant matrix taken as it is; a 10-qubit matrix already holds 16 MiB."""

_DIRECTIVES = ("barrier", "delay", "id")


@dataclass(frozen=True, slots=True, eq=False)
class FlatOp:
    """One gate of a flattened circuit.

    Attributes
    ----------
    name : str
        Qiskit's gate name, ``"unitary"`` for a bare matrix, ``"bound"`` for a parametric gate that is only known as
        a matrix once bound, or a directive (``"barrier"``, ``"delay"``, ``"id"``) that does not change the state.
    qubits : tuple of int
        The first one is the least significant bit of the matrix.
    angles : tuple of int or float
        Parameters of the gate: an int is a slot of the circuit's `AngleTable`, a float a constant in radians (of a
        delay, its duration).
    matrix : ndarray of shape (2**q, 2**q), complex128, or None
        None where the gate depends on the data, and for directives.
    text : str
        Canonical text, the op's part of the program key.
    gate : Operation or None
        Only for ``"bound"``: the gate whose parameters are replaced by numbers, sample by sample.
    free : tuple of Parameter
        Only for ``"bound"``: the parameters that `angles` belong to.
    unit : str
        Only for ``"delay"``: the unit of its duration.
    """

    name: str
    qubits: tuple[int, ...]
    angles: tuple[int | float, ...]
    matrix: NDArray[np.complex128] | None
    text: str
    gate: Operation | None = None
    free: tuple[Parameter, ...] = ()
    unit: str = ""

    @property
    def is_directive(self) -> bool:
        """Whether the op leaves every state as it is (barriers, delays, identities)."""
        return self.name in _DIRECTIVES

    @property
    def is_constant(self) -> bool:
        """Whether the op is the same for all samples."""
        return self.is_directive or self.matrix is not None


@dataclass(frozen=True, slots=True, eq=False)
class FlatCircuit:
    """A circuit as a list of named gates with angle slots; global phases are dropped.

    Attributes
    ----------
    num_qubits : int
    ops : tuple of FlatOp
    angles : AngleTable
        The distinct data-dependent angles as one function of ``[x, theta]``.
    num_x, num_theta : int
        Lengths of the data row and of the trainable vector.
    key : str
        sha256 of the canonical form, in hex.
    """

    num_qubits: int
    ops: tuple[FlatOp, ...]
    angles: AngleTable
    num_x: int
    num_theta: int
    key: str = field(default="")

    def __repr__(self) -> str:
        return (
            f"FlatCircuit(num_qubits={self.num_qubits}, ops={len(self.ops)}, angles={len(self.angles)}, "
            f"key={self.key[:12]}…)"
        )


def flatten(circuit: QuantumCircuit, x: Sequence[Parameter], theta: Sequence[Parameter] = ()) -> FlatCircuit:
    """Flatten a circuit into named standard gates.

    Parameters
    ----------
    circuit : QuantumCircuit
        Any circuit without mid-circuit measurement or classical control. Final measurements are ignored, resets of
        untouched qubits too (so `Initialize` works where it prepares fresh qubits).
    x : sequence of Parameter
        The data parameters in the order of the columns of X; parameters absent from the circuit are allowed.
    theta : sequence of Parameter
        The trainable parameters.

    Returns
    -------
    FlatCircuit

    Raises
    ------
    InvalidParameterError
        A parameter of the circuit stands neither in `x` nor in `theta`, or one stands there twice.
    UnsupportedCircuitError
        An instruction cannot be evaluated; the message names it and its position in ``circuit.data``.

    Notes
    -----
    A composite gate is replaced by its definition, recursively; a controlled composite by the definition Qiskit
    gives it, in which the phase of the inner circuit is no longer global. A `PauliEvolutionGate` is its definition
    (the product formula), which is what a device would run, not the exact exponential.
    """
    parameters = [*x, *theta]
    positions = {p: i for i, p in enumerate(parameters)}
    if len(positions) != len(parameters):
        twice = sorted({p.name for p in parameters if parameters.count(p) > 1})
        raise InvalidParameterError(
            f"x and theta must hold each parameter once; {twice} stand there twice. Drop the repetitions."
        )
    strangers = sorted(p.name for p in circuit.parameters if p not in positions)
    if strangers:
        raise InvalidParameterError(
            f"The circuit has the parameter(s) {strangers}, which stand neither in x nor in theta. Name every "
            "parameter of the circuit in one of them, or bind it with assign_parameters first."
        )
    walker = _Walker(AngleTable(positions), circuit.num_qubits)
    walker.walk(circuit, tuple(range(circuit.num_qubits)), "")
    digest = hashlib.sha256(f"n={circuit.num_qubits};x={len(x)};theta={len(theta)}\n".encode())
    for text in (*walker.angles.texts, *(op.text for op in walker.ops)):
        digest.update(text.encode() + b"\n")
    return FlatCircuit(circuit.num_qubits, tuple(walker.ops), walker.angles, len(x), len(theta), digest.hexdigest())


@lru_cache(maxsize=1)
def _standard_names() -> dict[type, str]:
    """Class → name of Qiskit's standard gates; an open-controlled CX is named ``cx_o0`` but has CX's class."""
    return {gate.base_class: name for name, gate in get_standard_gate_name_mapping().items()}


class _Walker:
    """Depth-first walk over a circuit; knows which qubits were touched and which measured."""

    def __init__(self, angles: AngleTable, num_qubits: int) -> None:
        self.angles = angles
        self.ops: list[FlatOp] = []
        self._touched = [False] * num_qubits
        self._measured: dict[int, str] = {}

    def walk(self, circuit: QuantumCircuit, qubits: tuple[int, ...], prefix: str, outer: str = "") -> None:
        index = {bit: qubits[i] for i, bit in enumerate(circuit.qubits)}
        for i, instruction in enumerate(circuit.data):
            self._take(instruction.operation, tuple(index[q] for q in instruction.qubits), f"{prefix}{i}", outer)

    def _take(self, op: Operation, qubits: tuple[int, ...], position: str, outer: str) -> None:
        where = f"Instruction {op.name!r} at position {position}"
        if outer:
            where += f" (inside {outer!r} at position {position.partition('.')[0]})"
        outer = outer or op.name
        if isinstance(op, BoxOp):
            self.walk(op.blocks[0], qubits, f"{position}.", outer)
            return
        if isinstance(op, ControlFlowOp):
            raise UnsupportedCircuitError(
                f"{where} is classical control flow, which a feature map cannot have. Unroll it into plain gates."
            )
        if isinstance(op, Measure):
            self._measured[qubits[0]] = where
            return
        if isinstance(op, Barrier):
            self._append("barrier", qubits)
            return
        for q in qubits:
            if q in self._measured:
                raise UnsupportedCircuitError(
                    f"{where} acts on qubit {q} after its measurement ({self._measured[q]}): mid-circuit "
                    "measurement is not supported. Measure only at the end, or remove the measurement."
                )
        if isinstance(op, Reset):
            if self._touched[qubits[0]]:
                raise UnsupportedCircuitError(
                    f"{where} resets qubit {qubits[0]} after gates acted on it; that is not unitary. Only resets of "
                    "fresh qubits (at the start of a circuit) can be taken."
                )
            return
        if isinstance(op, Delay):
            duration = self._angle(op.duration, where)
            text = f"delay{_angle_text([duration])}{op.unit}{qubits}"
            self._push(FlatOp("delay", qubits, (duration,), None, text, unit=op.unit))
            return
        self._take_gate(op, qubits, position, where, outer)

    def _take_gate(self, op: Operation, qubits: tuple[int, ...], position: str, where: str, outer: str) -> None:
        name = _standard_names().get(getattr(op, "base_class", type(op)))
        if name == "id":
            self._append("id", qubits)
        elif name == "global_phase" or (isinstance(op, UnitaryGate) and not qubits):
            pass
        elif isinstance(op, UnitaryGate):
            self._append_matrix(op, qubits, where)
        elif name is not None and self._take_standard(name, op, qubits, where):
            pass
        elif isinstance(op, AnnotatedOperation):
            self._take_annotated(op, qubits, position, where, outer)
        elif (definition := definition_of(op)) is not None:
            self.walk(definition, qubits, f"{position}.", outer)
        else:
            self._append_matrix(op, qubits, where)

    def _take_annotated(
        self, op: AnnotatedOperation, qubits: tuple[int, ...], position: str, where: str, outer: str
    ) -> None:
        try:
            definition = written_out(op, "flatten", position)
        except UnsupportedCircuitError:  # no gate form; it may still have a matrix once its parameters are numbers
            self._append_matrix(op, qubits, where)
        else:
            self.walk(definition, qubits, f"{position}.", outer)

    def _take_standard(self, name: str, op: Instruction, qubits: tuple[int, ...], where: str) -> bool:
        """Append a gate of the standard library; False where its definition has to be used."""
        controls = getattr(op, "ctrl_state", None)
        closed = controls is None or controls == 2**op.num_ctrl_qubits - 1
        if any(isinstance(p, ParameterExpression) and p.parameters for p in op.params):
            if name not in PARAMETRIC_GATES or not closed:
                return False
            angles = tuple(self._angle(p, where) for p in op.params)
            self._push(FlatOp(name, qubits, angles, None, f"{name}({_angle_text(angles)}){qubits}"))
            return True
        constants = tuple(require_real(p, where) for p in op.params)
        matrix = _standard_matrix(name, op, constants, where)
        text = f"{name}{'' if closed else f'/o{controls}'}({_angle_text(constants)}){qubits}"
        self._push(FlatOp(name if closed else "unitary", qubits, constants if closed else (), matrix, text))
        return True

    def _push(self, op: FlatOp) -> None:
        self.ops.append(op)
        if not op.is_directive:
            for q in op.qubits:
                self._touched[q] = True

    def _angle(self, parameter: ParameterExpression | float, where: str) -> int | float:
        if isinstance(parameter, ParameterExpression) and parameter.parameters:
            return self.angles.add(parameter, where)
        return require_real(parameter, where)

    def _append(self, name: str, qubits: tuple[int, ...]) -> None:
        self._push(FlatOp(name, qubits, (), None, f"{name}{qubits}"))

    def _append_matrix(self, op: Operation, qubits: tuple[int, ...], where: str) -> None:
        """A gate known only by its matrix: constant, or a function of its bound parameters."""
        if len(qubits) > _MAX_MATRIX_QUBITS:
            raise UnsupportedCircuitError(
                f"{where} is a matrix on {len(qubits)} qubits; at most {_MAX_MATRIX_QUBITS} are taken. "
                "Give it a definition in smaller gates."
            )
        free = tuple(sorted(_free_parameters(op), key=self.angles.position))
        if free:
            angles = tuple(self._angle(p, where) for p in free)
            probe = _bound_matrix(op, free, [0.1 * (i + 1) for i in range(len(free))], where)
            text = f"bound:{_digest(np.round(probe, 12))}({_angle_text(angles)}){qubits}"
            self._push(FlatOp("bound", qubits, angles, None, text, op, free))
        else:
            matrix = _matrix(op, where)
            self._push(FlatOp("unitary", qubits, (), matrix, f"unitary:{_digest(matrix)}{qubits}"))


def _angle_text(angles: Sequence[int | float]) -> str:
    return ",".join(f"a{a}" if isinstance(a, int) else repr(a) for a in angles)


def _digest(matrix: NDArray[np.complex128]) -> str:
    return hashlib.sha256(np.ascontiguousarray(matrix + 0.0).tobytes()).hexdigest()  # + 0.0: −0.0 is 0.0


def _matrix(op: Operation, where: str) -> NDArray[np.complex128]:
    try:
        if isinstance(op, AnnotatedOperation):
            matrix = _annotated_matrix(op)
        elif isinstance(op, PauliEvolutionGate):  # its own matrix is the exact exponential, not what a device runs
            matrix = np.asarray(Operator(op.definition).data, dtype=complex)
        else:
            matrix = np.asarray(Operator(op).data, dtype=complex)
    except Exception as error:
        raise UnsupportedCircuitError(
            f"{where} has neither a definition nor a matrix, so it cannot be evaluated. Replace it by gates."
        ) from error
    dim = 2**op.num_qubits
    if matrix.shape != (dim, dim) or not np.allclose(matrix @ matrix.conj().T, np.eye(dim), atol=1e-8):
        raise UnsupportedCircuitError(f"{where} has a matrix that is not unitary of shape {(dim, dim)}.")
    return matrix


_CONSTANT_GATES: dict[tuple[str, int | None, tuple[float, ...]], NDArray[np.complex128]] = {}

_MOST_CONSTANT_GATES = 4096
"""Matrices kept; a transpiled circuit has a handful of different constant gates, hundreds of times each."""


def _standard_matrix(name: str, op: Instruction, constants: tuple[float, ...], where: str) -> NDArray[np.complex128]:
    """Matrix of a standard gate without free parameters, read-only; the same array for equal gates."""
    key = (name, getattr(op, "ctrl_state", None), constants)
    matrix = _CONSTANT_GATES.get(key)
    if matrix is None:
        matrix = _matrix(_with_numbers(op, constants), where)
        if matrix.size > 64:  # wide gates are rare, and large
            return matrix
        if len(_CONSTANT_GATES) >= _MOST_CONSTANT_GATES:
            _CONSTANT_GATES.clear()
        matrix.setflags(write=False)
        _CONSTANT_GATES[key] = matrix
    return matrix


def _with_numbers(op: Instruction, values: Sequence[float]) -> Instruction:
    """The gate with its (parameter-free) expressions replaced by their values."""
    if not values:
        return op
    bound = op.copy()
    bound.params = list(values)
    return bound


def _alone(op: Operation) -> QuantumCircuit:
    circuit = QuantumCircuit(op.num_qubits)
    circuit.append(op, range(op.num_qubits))
    return circuit


def _free_parameters(op: Operation) -> set[Parameter]:
    """Parameters of a gate that is known by its matrix only."""
    params = op.base_op.params if isinstance(op, AnnotatedOperation) else getattr(op, "params", [])
    return {q for p in params if isinstance(p, ParameterExpression) for q in p.parameters}


def _bound_matrix(
    op: Operation, free: Sequence[Parameter], values: Sequence[float], where: str
) -> NDArray[np.complex128]:
    """Matrix of a gate at given values of its free parameters."""
    numbers = dict(zip(free, map(float, values), strict=True))
    try:
        if isinstance(op, AnnotatedOperation):  # assign_parameters does not look below modifiers
            inner = _alone(op.base_op).assign_parameters(numbers).data[0].operation
            return _matrix(AnnotatedOperation(inner, op.modifiers), where)
        return _matrix(_alone(op).assign_parameters(numbers).data[0].operation, where)
    except UnsupportedCircuitError:
        raise
    except Exception as error:
        raise UnsupportedCircuitError(f"{where} cannot be bound to numbers: {error}. Replace it by gates.") from error


def _dense(circuit: QuantumCircuit) -> NDArray[np.complex128]:
    """Matrix of a parameter-free circuit with its global phase, composite gates by their definitions."""
    n = circuit.num_qubits
    matrix = np.eye(2**n, dtype=complex)
    for position, piece in elementary_instructions(circuit, "flatten"):
        op = piece.operation
        if op.name in _DIRECTIVES:
            continue
        if not piece.qubits:
            matrix = matrix * np.exp(1j * float(op.params[0]))
            continue
        u = _matrix(op, f"Instruction {op.name!r} at position {position}")
        axes = [n - 1 - circuit.find_bit(q).index for q in reversed(piece.qubits)]
        moved = np.moveaxis(matrix.reshape([2] * n + [-1]), axes, range(len(axes)))
        product = (u @ moved.reshape(len(u), -1)).reshape(moved.shape)
        matrix = np.moveaxis(product, range(len(axes)), axes).reshape(2**n, 2**n)
    return matrix


def _annotated_matrix(op: AnnotatedOperation) -> NDArray[np.complex128]:
    """Matrix of an operation under its modifiers, innermost first."""
    matrix = _dense(_alone(op.base_op))
    for modifier in op.modifiers:
        if isinstance(modifier, InverseModifier):
            matrix = matrix.conj().T
        elif isinstance(modifier, PowerModifier):
            matrix = np.asarray(Operator(matrix).power(modifier.power).data)
        elif isinstance(modifier, ControlModifier):
            controls = modifier.num_ctrl_qubits
            embedded = np.eye(len(matrix) << controls, dtype=complex)
            rows = np.arange(len(matrix)) * 2**controls + int(modifier.ctrl_state)  # controls are the low bits
            embedded[np.ix_(rows, rows)] = matrix
            matrix = embedded
    return matrix


def bound_matrices(op: FlatOp, angles: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Matrices of a ``"bound"`` op: one Qiskit gate per sample, slow and always right.

    Parameters
    ----------
    op : FlatOp
        Named ``"bound"``.
    angles : ndarray of shape (n_samples, n_params), float64
        Values of its free parameters.

    Returns
    -------
    ndarray of shape (n_samples, 2**q, 2**q), complex128
    """
    where = f"Instruction {op.gate.name if op.gate is not None else op.name!r}"
    return np.stack([_bound_matrix(op.gate, op.free, row, where) for row in angles])
