"""From a program to the circuit that is transpiled, and from rows of data to the values of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qkernels._errors import UnsupportedCircuitError
from qkernels.circuits import AngleTable, StrippedCircuit, circuit_of, overlap_circuit, strip_phases
from qkernels.programs import ExpectationProgram, OverlapProgram, Program

__all__ = ["MOST_ESTIMATED_QUBITS", "OVERLAP", "Recipe", "basis_of", "recipe"]

OVERLAP = "overlap"
"""Name of the compute–uncompute circuit."""

ESTIMATE = "estimate"
"""Name of the circuit whose observables an Estimator evaluates."""

MOST_ESTIMATED_QUBITS = 10
"""The projector on all zeros is a sum of 2^n Pauli strings."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """A measured circuit before transpilation.

    Attributes
    ----------
    name : str
    source : QuantumCircuit
        Logical, with its measurements in register ``t0``.
    stripped : StrippedCircuit
        The same without phases, with one parameter for every angle.
    observables : tuple of SparsePauliOp
        On the program's qubits, where an Estimator evaluates them.
    """

    name: str
    source: QuantumCircuit = field(repr=False)
    stripped: StrippedCircuit = field(repr=False)
    inputs: Callable[[Values], Values] = field(repr=False)
    table: AngleTable = field(repr=False)
    columns: tuple[int, ...] = field(repr=False)
    observables: tuple[SparsePauliOp, ...] = field(default=(), repr=False)

    def values(self, names: Sequence[str], angles: Values) -> Values:
        """Values of the parameters with these names.

        Parameters
        ----------
        names : sequence of str
            Of parameters of the transpiled circuit.
        angles : ndarray of shape (n_rows, n_angles), float64
            Bound angles of the program: for overlaps those of the prepared row, then those of the undone one.

        Returns
        -------
        ndarray of shape (n_rows, len(names)), float64

        Raises
        ------
        UnsupportedCircuitError
            A name is not one of this recipe's.
        """
        position = {parameter.name: k for k, parameter in enumerate(self.stripped.angles)}
        unknown = [name for name in names if name not in position]
        if unknown:
            raise UnsupportedCircuitError(
                f"The stored circuit has a parameter {unknown[0]!r} that this program does not have: it was made by "
                "another version. Use layout='refresh' to open a new series."
            )
        chosen = [self.columns[position[name]] for name in names]
        return np.ascontiguousarray(self.table.evaluate(self.inputs(angles))[:, chosen])


def recipe(program: Program, *, barrier: bool, basis: str | None = None, estimate: bool = False) -> Recipe:
    """The circuit of a program.

    Parameters
    ----------
    program : OverlapProgram or ExpectationProgram
    barrier : bool
        Between the two halves of an overlap.
    basis : str, optional
        Of an `ExpectationProgram`: what is measured on every qubit ("ZXY", the last letter is qubit 0).
    estimate : bool
        Observables for an Estimator instead of measurements.

    Returns
    -------
    Recipe

    Raises
    ------
    UnsupportedCircuitError
        An instruction cannot be phase-stripped, its delay depends on data, or an Estimator is to evaluate an overlap
        of more than 10 qubits.
    """
    if any(op.name == "delay" and isinstance(op.angles[0], int) for op in program.flat.ops):
        raise UnsupportedCircuitError("The circuit has a delay whose duration depends on data. Give it a number.")
    n = program.num_qubits
    logical, a = circuit_of(program.flat)
    if isinstance(program, OverlapProgram):
        b = ParameterVector("b", len(a))
        source = overlap_circuit(logical, a, b, barrier=barrier)
        parameters: list[Parameter] = [*a, *b]
    else:
        source, parameters = logical.copy(), list(a)
    observables = _observables(program) if estimate else ()
    if not estimate:
        _measure(source, basis or "Z" * n)
    name = ESTIMATE if estimate else basis or OVERLAP
    return recipe_of(name, source, parameters, observables)


def recipe_of(
    name: str,
    source: QuantumCircuit,
    parameters: Sequence[Parameter],
    observables: tuple[SparsePauliOp, ...] = (),
    inputs: Callable[[Values], Values] | None = None,
) -> Recipe:
    """A recipe around a circuit; `inputs` makes values of its parameters of bound angles, where these are not they."""
    stripped = strip_phases(source)
    table = AngleTable({parameter: k for k, parameter in enumerate(parameters)})
    columns = tuple(table.add(expression, name) for expression in stripped.expressions)
    return Recipe(name, source, stripped, inputs or _as_they_are, table, columns, observables)


def _as_they_are(angles: Values) -> Values:
    return angles


def _measure(circuit: QuantumCircuit, basis: str) -> None:
    """Append rotations into a basis and measurements."""
    n = len(basis)
    for q, letter in enumerate(reversed(basis)):
        if letter == "Y":
            circuit.sdg(q)
        if letter in "XY":
            circuit.h(q)
    register = ClassicalRegister(n, "t0")
    circuit.add_register(register)
    circuit.measure(range(n), register)


def _observables(program: Program) -> tuple[SparsePauliOp, ...]:
    n = program.num_qubits
    if isinstance(program, ExpectationProgram):
        return tuple(SparsePauliOp.from_list(list(terms), num_qubits=n) for terms in program.terms)
    if n > MOST_ESTIMATED_QUBITS:
        raise UnsupportedCircuitError(
            f"Options with resilience evaluate the overlap as 2^n Pauli strings, for at most {MOST_ESTIMATED_QUBITS} "
            f"qubits; the circuit has {n}. Use fewer features, or no resilience and ReadoutMitigation()."
        )
    zero = SparsePauliOp(["I", "Z"], [0.5, 0.5])
    projector = zero
    for _ in range(n - 1):
        projector = projector.tensor(zero)
    return (projector,)


def basis_of(labels: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Bases that measure Pauli strings, each with the strings it gives; qubits that none needs are read as Z.

    Parameters
    ----------
    labels : sequence of str
        Of one length. The identity is measured nowhere.

    Returns
    -------
    list of (str, list of str)
    """
    wanted = sorted({label for label in labels if set(label) != {"I"}})
    if not wanted:
        return []
    groups = SparsePauliOp(wanted).group_commuting(qubit_wise=True)
    bases = []
    for group in groups:
        members = sorted(group.paulis.to_labels())
        basis = ["Z"] * len(members[0])
        for label in members:
            for k, letter in enumerate(label):
                if letter != "I":
                    basis[k] = letter
        bases.append(("".join(basis), members))
    return sorted(bases)
