"""Fractional gates: one parametrised circuit whose RZZ angles lie in [0, π/2] for every data point.

Devices with fractional gates run RZZ(θ) for θ in [0, π/2] only, and the client does not check parametrised angles: a
job with one angle out of range fails on the device. `fractional_form` rewrites a circuit so that no row of data can
leave the range; `check_rzz_values` looks at what the transpiler made of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import pi

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Parameter, ParameterExpression, ParameterVector
from qiskit.circuit.library import get_standard_gate_name_mapping

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.circuits import StrippedCircuit
from qkernels_hardware.routing._fractional_angles import fold_rzz_angles
from qkernels_hardware.routing._fractional_checks import check_fractional_options, check_rzz_values, fold_fixed_angles
from qkernels_hardware.routing._fractional_frame import ONE, Bits, FrameWalker, Rotation, Written
from qkernels_hardware.routing._fractional_steps import Linear, elementary_steps, linear_form

__all__ = [
    "FractionalCircuit",
    "check_fractional_options",
    "check_rzz_values",
    "fold_fixed_angles",
    "fractional_form",
]


@dataclass(frozen=True, slots=True, eq=False)
class FractionalCircuit:
    """A circuit with folded RZZ angles, and the function that gives its parameters; made by `fractional_form`.

    Attributes
    ----------
    circuit : QuantumCircuit
        Each of its parameters stands in one gate, as it is. Not transpiled.
    parameters : tuple of Parameter, length k
        Those of `circuit`, in the order of ``circuit.parameters``.
    num_angles : int
        m, the number of angles that `values` takes.
    """

    circuit: QuantumCircuit
    parameters: tuple[Parameter, ...]
    num_angles: int
    _columns: _Columns = field(repr=False)

    def values(self, angles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the parameters for many rows of angles at once.

        Parameters
        ----------
        angles : ndarray of shape (P, m), float64
            Values of the expressions of the stripped circuit, in radians; any finite numbers.

        Returns
        -------
        ndarray of shape (P, k), float64
            In radians. Bound to one row, `circuit` has the unitary of the stripped circuit bound to the same row,
            up to a global phase, and every RZZ angle is in [0, π/2].

        Raises
        ------
        InvalidParameterError
            `angles` is not of shape (P, m).
        InvalidDataError
            An angle is not finite.

        Notes
        -----
        A few array operations, no loop over rows; memory a small multiple of P · (k + m) numbers. A row gives the
        same bits whatever rows stand beside it.
        """
        given = np.asarray(angles, dtype=np.float64)
        if given.ndim != 2 or given.shape[1] != self.num_angles:
            raise InvalidParameterError(
                f"FractionalCircuit.values: angles must be of shape (P, {self.num_angles}), one column per entry of "
                f"the stripped circuit's expressions; got {given.shape}."
            )
        if not np.isfinite(given).all():
            row, slot = (int(i) for i in np.argwhere(~np.isfinite(given))[0])
            raise InvalidDataError(
                f"FractionalCircuit.values: angles must be finite; row {row} holds {given[row, slot]} in column {slot}."
            )
        return self._columns.evaluate(given)


def fractional_form(stripped: StrippedCircuit, *, merge: bool, name: str = "qk_fractional") -> FractionalCircuit:
    r"""Rewrite a circuit so that its RZZ angles are in [0, π/2] for every data point.

    With θ = kπ + ρ and \|ρ\| ≤ π/2, RZZ(θ) is :math:`(Z \otimes Z)^k X^s RZZ(|\rho|) X^s` up to a phase, s being the
    sign of ρ. The Paulis are carried through the circuit by value: they turn signs of other angles or become RZ,
    which costs no pulse; only where no gate can take them up is an RX(0 or π) written.

    Parameters
    ----------
    stripped : StrippedCircuit
        As `strip_phases` gives it, before transpilation. RXX, RYY, RZX, CRX, CRY and CRZ, and CX–RZ–CX, are written
        as RZZ; other gates on two qubits stay.
    merge : bool
        Add up RZZ gates on one pair where everything between them commutes with them and there is no barrier. In an
        overlap circuit without a barrier, the last RZZ of U(x) and the first of U(y)† become one RZZ.
    name : str, default="qk_fractional"
        Of the vector of new parameters; circuits that are put side by side need different names.

    Returns
    -------
    FractionalCircuit

    Raises
    ------
    InvalidParameterError
        `stripped` holds a transpiled circuit.
    UnsupportedCircuitError
        An angle is not linear in the angle parameters; the message names the instruction.

    Notes
    -----
    Two-qubit gates: one RZZ where the default gates need two CZ. A ZZ map with linear entanglement and no barrier
    gets no extra pulse at all; with the barrier, one RX per pair, at the barrier, because the signs before and after
    differ. Each RZZ that closes a cycle between two H layers (``"full"``, ``"circular"``) costs one RX.

    Examples
    --------
    >>> import numpy as np
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from qkernels.circuits import strip_phases
    >>> circuit = QuantumCircuit(2)
    >>> _ = circuit.h([0, 1])
    >>> _ = circuit.rzz(Parameter("x"), 0, 1)
    >>> _ = circuit.h([0, 1])
    >>> form = fractional_form(strip_phases(circuit), merge=True)
    >>> column = [str(i.params[0]) for i in form.circuit.data if i.operation.name == "rzz"]
    >>> place = [p.name for p in form.parameters].index(column[0])
    >>> [round(float(v), 6) for v in form.values(np.array([[0.5], [-0.5], [3.0]]))[:, place]]
    [0.5, 0.5, 0.141593]
    """
    if stripped.circuit.layout is not None:
        raise InvalidParameterError(
            "fractional_form: stripped must hold a circuit that is not transpiled yet; this one has a layout. Pass "
            "the result of strip_phases, and transpile the result."
        )
    walker = FrameWalker(stripped.circuit.num_qubits, merge=merge)
    for step in elementary_steps(stripped):
        walker.take(step)
    resolve = _Resolver(walker.finish(), walker.edges)
    writer = _Writer(stripped, walker.edges, resolve, name)
    for written in walker.written:
        writer.write(written)
    return writer.finish()


class _Resolver:
    """Bits of a frame in terms of the edges; those of edges with a fixed angle are constants."""

    def __init__(self, wires: Sequence[Bits], edges: Sequence[Linear]) -> None:
        self._wires = wires
        self._constant: dict[tuple[str, int], bool] = {}
        for number, edge in enumerate(edges):
            if not edge.terms:
                _, negative, odd = fold_rzz_angles(np.array([edge.constant]))
                self._constant["s", number] = bool(negative[0])
                self._constant["k", number] = bool(odd[0])

    def __call__(self, bits: Bits) -> Bits:
        total: Bits = frozenset()
        for atom in bits:
            for inner in self._wires[atom[1]] if atom[0] == "x" else (atom,):
                if inner not in self._constant:
                    total ^= {inner}
                elif self._constant[inner]:
                    total ^= {ONE}
        return total


class _Writer:
    """Turns what the walker wrote into a circuit and its columns of values."""

    def __init__(self, stripped: StrippedCircuit, edges: Sequence[Linear], resolve: _Resolver, name: str) -> None:
        self._stripped = stripped
        self._slots = {p: k for k, p in enumerate(stripped.angles)}
        self._edges = edges
        self._resolve = resolve
        self._name = name
        self._gates = get_standard_gate_name_mapping()
        self._items: list[CircuitInstruction] = []
        self._columns: list[_Column] = []
        self._fresh: list[Parameter] = []

    def write(self, written: Written) -> None:
        """Append one instruction, or nothing where it is an identity."""
        qubits = [self._stripped.circuit.qubits[q] for q in written.qubits]
        if written.source is not None:
            self._items.append(self._with_columns(written.source, qubits))
        elif written.edge is not None:
            edge = self._edges[written.edge]
            angle = (
                self._parameter(_Column(Linear(), edge=written.edge))
                if edge.terms
                else float(fold_rzz_angles(np.array([edge.constant]))[0][0])
            )
            self._items.append(CircuitInstruction(self._gates["rzz"].base_class(angle), qubits))
        elif written.rotation is not None:
            rotation = self._rotation(written.rotation)
            if rotation is not None:
                self._items.append(CircuitInstruction(self._gates[written.name].base_class(rotation), qubits))
        else:
            self._items.append(CircuitInstruction(self._gates[written.name].base_class(), qubits))

    def finish(self) -> FractionalCircuit:
        """Give the parameters their names and build the circuit."""
        vector = ParameterVector(self._name, len(self._columns))
        renamed = dict(zip(self._fresh, vector, strict=True))
        circuit = self._stripped.circuit.copy_empty_like()
        circuit.global_phase = 0
        for item in self._items:
            if any(angle in renamed for angle in item.params if isinstance(angle, Parameter)):
                operation = item.operation.to_mutable()
                operation.params = [renamed.get(a, a) if isinstance(a, Parameter) else a for a in operation.params]
                item = item.replace(operation=operation)
            circuit.append(item)
        columns = _Columns(self._columns, self._edges, len(self._slots))
        return FractionalCircuit(circuit, tuple(vector), len(self._slots), columns)

    def _parameter(self, column: _Column) -> Parameter:
        self._columns.append(column)
        self._fresh.append(Parameter(f"fresh {len(self._fresh)}"))
        return self._fresh[-1]

    def _rotation(self, rotation: Rotation) -> Parameter | float | None:
        """A parameter, or a number where it is the same for all rows, or None where that is 0."""
        sign, flip = self._resolve(rotation.sign), self._resolve(rotation.flip)
        angle = rotation.angle
        turned = sign if angle.terms or angle.constant else frozenset()
        if angle.terms or (turned | flip) - {ONE}:
            return self._parameter(_Column(angle, turned, flip))
        return (-angle.constant if turned else angle.constant) + (pi if flip else 0.0) or None

    def _with_columns(self, source: CircuitInstruction, qubits: Sequence[object]) -> CircuitInstruction:
        """An instruction as it came, its free angles replaced by parameters with the same values."""
        operation = source.operation
        free = [isinstance(a, ParameterExpression) and bool(a.parameters) for a in source.params]
        if any(free):
            operation = operation.to_mutable()
            where = f"instruction {operation.name!r}"
            operation.params = [
                self._parameter(_Column(linear_form(a, self._slots, where), exact=True)) if is_free else a
                for a, is_free in zip(source.params, free, strict=True)
            ]
        return CircuitInstruction(operation, qubits, source.clbits)


@dataclass(frozen=True, slots=True)
class _Column:
    """One parameter: the folded angle of an edge, or (-1)^sign · angle + π·flip; `exact` forbids steps of 2π."""

    angle: Linear
    sign: Bits = frozenset()
    flip: Bits = frozenset()
    edge: int | None = None
    exact: bool = False


class _Columns:
    """The values of all parameters as array operations."""

    def __init__(self, columns: Sequence[_Column], edges: Sequence[Linear], num_slots: int) -> None:
        self._angles = _Sums([c.angle for c in columns], num_slots, [not c.exact for c in columns])
        self._edges = _Sums(edges, num_slots, [True] * len(edges))
        places = [("s", e) for e in range(len(edges))] + [("k", e) for e in range(len(edges))] + [ONE]
        row = {atom: k for k, atom in enumerate(places)}
        self._sign = _indices([c.sign for c in columns], row)
        self._flip = _indices([c.flip for c in columns], row)
        self._folded = [(k, c.edge) for k, c in enumerate(columns) if c.edge is not None]

    def evaluate(self, angles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of shape (P, k)."""
        folded, negative, odd = fold_rzz_angles(self._edges.evaluate(angles))
        ones = np.ones((len(angles), 1), dtype=bool)
        bits = np.concatenate([negative, odd, ones], axis=1)
        values = self._angles.evaluate(angles)
        np.negative(values, out=values, where=_parities(bits, self._sign))
        np.add(values, pi, out=values, where=_parities(bits, self._flip))
        if self._folded:
            here, there = (list(indices) for indices in zip(*self._folded, strict=True))
            values[:, here] = folded[:, there]
        return values


def _parities(bits: NDArray[np.bool_], sets: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
    """Whether an odd number of a set's bits are on, one column for each set."""
    odd = np.zeros((len(bits), len(sets)), dtype=np.bool_)
    for column, places in enumerate(sets):
        for place in places:
            odd[:, column] ^= bits[:, place]
    return odd


def _indices(sets: Sequence[Bits], row: Mapping[tuple[str, int], int]) -> list[list[int]]:
    return [sorted(row[atom] for atom in bits) for bits in sets]


class _Sums:
    """Linear forms summed term by term in a fixed order, so that a row's bits do not depend on its neighbours."""

    def __init__(self, forms: Sequence[Linear], num_slots: int, periodic: Sequence[bool]) -> None:
        length = max((len(form.terms) for form in forms), default=0)
        self._slots = np.full((length, len(forms)), num_slots)  # a column of zeros, where there is no further term
        self._coefficients = np.zeros((length, len(forms)))
        self._constants = np.array([form.constant for form in forms])
        self._periodic = np.array(periodic, dtype=bool)
        for column, form in enumerate(forms):
            for term, (slot, coefficient) in enumerate(form.terms):
                self._slots[term, column] = slot
                self._coefficients[term, column] = coefficient

    def evaluate(self, angles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of shape (P, number of forms)."""
        padded = np.concatenate([angles, np.zeros((len(angles), 1))], axis=1)
        total = np.tile(self._constants, (len(angles), 1))
        for slots, coefficients in zip(self._slots, self._coefficients, strict=True):
            terms = coefficients * padded[:, slots]
            # Rotations have period 2π up to a phase; sums of huge angles would lose digits.
            far = self._periodic & (np.abs(terms) > 2 * pi)
            terms[far] = np.arctan2(np.sin(terms[far]), np.cos(terms[far]))
            total += terms
        return total
