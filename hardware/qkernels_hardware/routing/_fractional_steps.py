"""A phase-stripped circuit as Pauli rotations and a few fixed gates: what the folding of RZZ angles walks over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import pi

from qiskit.circuit import CircuitInstruction, Operation, Parameter, ParameterExpression
from qiskit.circuit.library import get_standard_gate_name_mapping

from qkernels._errors import UnsupportedCircuitError
from qkernels.circuits import StrippedCircuit

__all__ = ["Linear", "Step", "elementary_steps", "linear_form"]

_DIAGONAL = {"z": pi, "s": pi / 2, "sdg": -pi / 2, "t": pi / 4, "tdg": -pi / 4}
"""Fixed gates that are RZ up to a global phase."""

_ROTATIONS = ("rx", "ry", "rz")
_FIXED = ("h", "sx", "sxdg", "x", "y", "cx", "cz")
_DIRECTIVES = ("barrier", "delay", "id")
_TWO_QUBIT_AXES = {"rzz": "ZZ", "rxx": "XX", "ryy": "YY", "rzx": "ZX"}
_CONTROLLED_AXES = {"crx": "X", "cry": "Y", "crz": "Z"}

_TO_Z = {"X": ("h", "h"), "Y": ("sx", "sxdg"), "Z": ("", "")}
"""Gates before and after that turn a rotation about Z into one about the axis."""


@dataclass(frozen=True, slots=True)
class Linear:
    """An angle in radians: constant + Σ coefficient · angle slot."""

    terms: tuple[tuple[int, float], ...] = ()
    constant: float = 0.0

    def plus(self, other: Linear) -> Linear:
        """The sum; equal slots are added up."""
        coefficients = dict(self.terms)
        for slot, coefficient in other.terms:
            coefficients[slot] = coefficients.get(slot, 0.0) + coefficient
        kept = tuple((slot, c) for slot, c in coefficients.items() if c != 0.0)
        return Linear(kept, self.constant + other.constant)

    def times(self, factor: float) -> Linear:
        """The angle times a number."""
        return Linear(tuple((slot, factor * c) for slot, c in self.terms), factor * self.constant)


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction.

    Attributes
    ----------
    name : str
        ``"rx"``, ``"ry"``, ``"rz"``, ``"rzz"``, a fixed gate, a directive, ``"measure"`` or ``"other"``.
    qubits : tuple of int
    angle : Linear or None
        Of the rotations.
    source : CircuitInstruction or None
        Where it is written as it came: directives, measurements and others.
    """

    name: str
    qubits: tuple[int, ...]
    angle: Linear | None = None
    source: CircuitInstruction | None = None


def elementary_steps(stripped: StrippedCircuit) -> list[Step]:
    """All instructions in order; two-qubit rotations of any axes, and CX–RZ–CX, come as RZZ.

    Raises
    ------
    UnsupportedCircuitError
        An angle is no linear function of the angle slots.
    """
    slots: dict[Parameter, int] = {p: k for k, p in enumerate(stripped.angles)}
    position = {qubit: k for k, qubit in enumerate(stripped.circuit.qubits)}
    steps: list[Step] = []
    for number, item in enumerate(stripped.circuit.data):
        where = f"instruction {item.operation.name!r} at position {number}"
        steps += _steps(item, tuple(position[q] for q in item.qubits), slots, where)
    return _recognise_parities(steps)


def linear_form(angle: ParameterExpression | float, slots: Mapping[Parameter, int], where: str) -> Linear:
    """An angle of a gate as a linear function of the angle slots, or an error that names the instruction."""
    if not isinstance(angle, ParameterExpression):
        return Linear((), float(angle))
    terms = []
    for parameter in angle.parameters:
        slope = 1.0 if isinstance(angle, Parameter) else angle.gradient(parameter)
        if parameter not in slots or (isinstance(slope, ParameterExpression) and slope.parameters):
            raise UnsupportedCircuitError(
                f"fractional_form: {where} has the angle {angle}; angles must be linear in the parameters of "
                "stripped.angles. Pass the result of strip_phases."
            )
        terms.append((slots[parameter], float(slope)))
    constant = (
        0.0 if isinstance(angle, Parameter) else float(angle.bind(dict.fromkeys(angle.parameters, 0.0)).numeric())
    )
    return Linear(tuple(sorted(terms)), constant)


def _steps(
    item: CircuitInstruction, qubits: tuple[int, ...], slots: Mapping[Parameter, int], where: str
) -> Iterator[Step]:
    operation = item.operation
    name = operation.name
    if not _is_standard(operation):
        yield Step("other", qubits, source=item)
    elif name in _ROTATIONS:
        yield Step(name, qubits, linear_form(operation.params[0], slots, where))
    elif name in _DIAGONAL:
        yield Step("rz", qubits, Linear((), _DIAGONAL[name]))
    elif name in _FIXED:
        yield Step(name, qubits)
    elif name in _DIRECTIVES or name == "measure":
        yield Step(name, qubits, source=item)
    elif name in _TWO_QUBIT_AXES:
        yield from _two_qubit_rotation(_TWO_QUBIT_AXES[name], qubits, linear_form(operation.params[0], slots, where))
    elif name in _CONTROLLED_AXES:  # exp(-i θ/4 (1 - Z) P), P on the target
        half = linear_form(operation.params[0], slots, where).times(0.5)
        axis = _CONTROLLED_AXES[name]
        yield Step(f"r{axis.lower()}", qubits[1:], half)
        yield from _two_qubit_rotation(f"Z{axis}", qubits, half.times(-1.0))
    else:
        yield from _written_out(item, qubits, slots, where)


@lru_cache(maxsize=1)
def _standard_gates() -> dict[str, Operation]:
    return dict(get_standard_gate_name_mapping())


def _is_standard(operation: Operation) -> bool:
    """Whether the name says what the operation is; gates with open controls have names of their own."""
    known = _standard_gates().get(operation.name)
    is_known = known is not None and getattr(operation, "base_class", None) is known.base_class
    return operation.name == "barrier" or is_known


def _written_out(
    item: CircuitInstruction, qubits: tuple[int, ...], slots: Mapping[Parameter, int], where: str
) -> Iterator[Step]:
    """The definition of a gate on several qubits with free angles; anything else stays whole.

    A transpiler is free to translate such a gate into RZZ with an angle out of range, so it must not see one.
    """
    operation = item.operation
    is_free = any(isinstance(angle, ParameterExpression) and angle.parameters for angle in operation.params)
    definition = operation.definition if is_free and len(qubits) > 1 else None
    if definition is None:
        yield Step("other", qubits, source=item)
        return
    inside = {qubit: qubits[k] for k, qubit in enumerate(definition.qubits)}
    for inner in definition.data:
        yield from _steps(inner, tuple(inside[q] for q in inner.qubits), slots, where)


def _two_qubit_rotation(axes: str, qubits: Sequence[int], angle: Linear) -> Iterator[Step]:
    for axis, qubit in zip(axes, qubits, strict=True):
        if _TO_Z[axis][0]:
            yield Step(_TO_Z[axis][0], (qubit,))
    yield Step("rzz", tuple(qubits), angle)
    for axis, qubit in zip(axes, qubits, strict=True):
        if _TO_Z[axis][1]:
            yield Step(_TO_Z[axis][1], (qubit,))


def _recognise_parities(steps: Sequence[Step]) -> list[Step]:
    """CX(c, t), RZ(θ) on t, CX(c, t) is RZZ(θ); RZ on c may stand between, as it commutes."""
    kept: list[Step | None] = []
    history: dict[int, list[int]] = {}
    for step in steps:
        first = _opening(step, kept, history) if step.name == "cx" else None
        if first is not None:
            middle = history[step.qubits[1]].pop()
            rotation = kept[middle]
            kept[middle] = None
            kept[first] = Step("rzz", step.qubits, rotation.angle if rotation else None)
            continue
        for qubit in step.qubits:
            history.setdefault(qubit, []).append(len(kept))
        kept.append(step)
    return [step for step in kept if step is not None]


def _opening(closing: Step, kept: Sequence[Step | None], history: Mapping[int, Sequence[int]]) -> int | None:
    """Index of the CX that makes one RZZ with the rotation after it and this CX; None where there is none."""
    control, target = closing.qubits
    places = history.get(target, ())
    if len(places) < 2 or _name(kept[places[-1]]) != "rz":
        return None
    first = places[-2]
    opening = kept[first]
    if opening is None or opening.name != "cx" or opening.qubits != closing.qubits:
        return None
    since = [place for place in history[control] if place > first]
    return first if all(_name(kept[place]) == "rz" for place in since) else None


def _name(step: Step | None) -> str:
    return "" if step is None else step.name
