"""Phase stripping: a circuit without P-type gates, parametric global phase or compound angle expressions.

Why: Qiskit's transpiler turns every P(expression) into RZ(expression) and adds half the expression to the
circuit's global phase. That sum is rebuilt at every step, so the time to transpile a map of P(x_i) gates
grows exponentially with the number of features. Stripped circuits differ from the original by a global phase
only and transpile in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import pi

from qiskit import QuantumCircuit
from qiskit.circuit import (
    CircuitInstruction,
    ControlFlowOp,
    ControlledGate,
    Gate,
    Operation,
    Parameter,
    ParameterExpression,
    ParameterVector,
    Qubit,
)
from qiskit.circuit.library import RYGate, RZGate, RZZGate

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits._decompose import definition_instructions, definition_of, elementary_instructions

# Parametric standard gates that the transpiler translates with a numeric global phase only. Every other
# parametric gate is replaced by its definition until only these and the rewritten ones are left.
_KEPT_PARAMETRIC = frozenset(
    {
        *("rx", "ry", "rz", "r", "rxx", "ryy", "rzz", "rzx"),
        *("crx", "cry", "crz", "xx_plus_yy", "xx_minus_yy", "delay"),
    }
)
_REWRITTEN = frozenset({"p", "u1", "u2", "u3", "u", "cp", "cu1"})


@dataclass(frozen=True, slots=True)
class StrippedCircuit:
    """A phase-stripped circuit and the meaning of its angle parameters.

    Attributes
    ----------
    circuit : QuantumCircuit
        Its only free parameters are (a subset of) ``angles``; its global phase is 0.
    angles : ParameterVector of length m
        One fresh parameter per angle slot, in the order of the instructions.
    expressions : tuple of ParameterExpression, length m
        ``expressions[k]`` is the expression, over the original parameters, that ``angles[k]`` stands for.
        Radians.
    """

    circuit: QuantumCircuit
    angles: ParameterVector
    expressions: tuple[ParameterExpression, ...]

    def bind(self, values: Mapping[Parameter, float] | Sequence[float]) -> QuantumCircuit:
        """Return the circuit with numbers in place of the angles.

        Parameters
        ----------
        values : mapping of Parameter to float, or sequence of m floats
            Values of the *original* parameters, or the m angles themselves in radians.

        Returns
        -------
        QuantumCircuit
            A new circuit without free parameters.

        Raises
        ------
        InvalidParameterError
            If the number of angles is not m, or an original parameter has no value.
        """
        if isinstance(values, Mapping):
            numbers = [_evaluate(expression, values) for expression in self.expressions]
        else:
            numbers = [float(value) for value in values]
        if len(numbers) != len(self.expressions):
            raise InvalidParameterError(
                f"StrippedCircuit.bind: values must hold {len(self.expressions)} angles, one per entry of "
                f"expressions; got {len(numbers)}. Pass a mapping to bind the original parameters instead."
            )
        # A transpiler may drop an angle whose gate has no effect, hence strict=False.
        return self.circuit.assign_parameters(dict(zip(self.angles, numbers, strict=True)), strict=False)


def strip_phases(circuit: QuantumCircuit) -> StrippedCircuit:
    r"""Rewrite a circuit, up to a global phase, so that transpilation cannot blow up.

    Composite gates are decomposed; P and U1 become RZ; U, U2 and U3 become RZ(φ)·RY(θ)·RZ(λ); CP and CU1
    become RZ(λ/2) ⊗ RZ(λ/2) · RZZ(−λ/2); the global phase is set to 0 (a phase inside a controlled gate is a
    relative phase and is kept); and each parameter expression is replaced by a fresh parameter of its own.

    Parameters
    ----------
    circuit : QuantumCircuit
        Any circuit without control flow. Measurements, resets, barriers and delays are kept.

    Returns
    -------
    StrippedCircuit
        The new circuit, its angle parameters and the expressions they stand for.

    Raises
    ------
    UnsupportedCircuitError
        If the circuit holds control flow, or a parametric gate without a definition (``rv``); the message
        names the instruction and its position.

    Notes
    -----
    Cost: one pass over the decomposed instructions. The result has the same two-qubit gates, except that each
    CP (two CX when decomposed) is one RZZ (two CX when decomposed).

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import ParameterVector
    >>> from qkernels.circuits import strip_phases
    >>> x = ParameterVector("x", 2)
    >>> circuit = QuantumCircuit(2)
    >>> _ = circuit.p(2 * x[0], 0)
    >>> _ = circuit.cp(x[0] * x[1], 0, 1)
    >>> stripped = strip_phases(circuit)
    >>> sorted(stripped.circuit.count_ops().items())
    [('rz', 3), ('rzz', 1)]
    >>> [str(expression) for expression in stripped.expressions][0]
    '2*x[0]'
    """
    instructions = [
        piece
        for position, instruction in elementary_instructions(circuit, "strip_phases")
        for piece in _strip(instruction, position)
    ]
    expressions = [angle for instruction in instructions for angle in instruction.params if is_symbolic(angle)]
    angles = ParameterVector("angle", len(expressions))
    stripped = circuit.copy_empty_like()
    stripped.global_phase = 0
    fresh = iter(angles)
    for instruction in instructions:
        if any(is_symbolic(angle) for angle in instruction.params):
            operation = instruction.operation.to_mutable()
            operation.params = [next(fresh) if is_symbolic(angle) else angle for angle in operation.params]
            instruction = instruction.replace(operation=operation)
        stripped.append(instruction)
    return StrippedCircuit(stripped, angles, tuple(expressions))


def is_symbolic(angle: object) -> bool:
    """Whether a gate parameter is an expression with free parameters."""
    return isinstance(angle, ParameterExpression) and bool(angle.parameters)


def _evaluate(expression: ParameterExpression, values: Mapping[Parameter, float]) -> float:
    missing = [parameter.name for parameter in expression.parameters if parameter not in values]
    if missing:
        raise InvalidParameterError(
            f"StrippedCircuit.bind: values must hold every original parameter; {missing[0]!r} is missing."
        )
    return float(expression.bind({p: float(values[p]) for p in expression.parameters}).numeric())


def _strip(instruction: CircuitInstruction, position: str) -> Iterator[CircuitInstruction]:
    """Yield the stripped form of one elementary instruction, following definitions as deep as needed."""
    operation, qubits = instruction.operation, instruction.qubits
    where = f"instruction {operation.name!r} at position {position}"
    if isinstance(operation, ControlFlowOp):
        raise UnsupportedCircuitError(
            f"strip_phases: {where} is control flow, which cannot be phase-stripped. Use a circuit without "
            "classical control."
        )
    if operation.name == "global_phase":
        return
    if operation.name in _REWRITTEN and _all_controls_closed(operation):
        yield from _rewrite(operation, qubits)
    elif _is_kept(operation):
        yield instruction
    elif definition_of(operation) is None:
        raise UnsupportedCircuitError(
            f"strip_phases: {where} has free parameters and no definition, so it cannot be transpiled. "
            "Replace it by standard rotations (for example rx, ry, rz or u)."
        )
    else:
        for inner_position, inner in definition_instructions(instruction, "strip_phases", position):
            yield from _strip(inner, inner_position)


def _is_kept(operation: Operation) -> bool:
    if any(is_symbolic(angle) for angle in getattr(operation, "params", ())):
        return operation.name in _KEPT_PARAMETRIC
    return operation.name not in _REWRITTEN  # with open controls: the definition has the closed form inside


def _all_controls_closed(operation: Operation) -> bool:
    return not isinstance(operation, ControlledGate) or (operation.ctrl_state == 2**operation.num_ctrl_qubits - 1)


def _rewrite(operation: Gate, qubits: Sequence[Qubit]) -> Iterator[CircuitInstruction]:
    angles = list(operation.params)
    if operation.name in ("p", "u1"):
        yield CircuitInstruction(RZGate(angles[0]), qubits)
    elif operation.name in ("cp", "cu1"):
        half = angles[0] / 2
        yield CircuitInstruction(RZGate(half), qubits[:1])
        yield CircuitInstruction(RZGate(half), qubits[1:])
        yield CircuitInstruction(RZZGate(-half), qubits)
    else:
        theta, phi, lam = [pi / 2, *angles] if operation.name == "u2" else angles
        yield CircuitInstruction(RZGate(lam), qubits)
        yield CircuitInstruction(RYGate(theta), qubits)
        yield CircuitInstruction(RZGate(phi), qubits)
