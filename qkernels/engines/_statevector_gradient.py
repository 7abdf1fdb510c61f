"""Exact gradients of statevector values: a program prepared for reverse mode over tiles of samples on threads."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from qkernels._errors import UnsupportedCircuitError
from qkernels.circuits import AngleDerivatives
from qkernels.engines._arrays import Workspace
from qkernels.engines._blockwise import ranges
from qkernels.engines._compiled import CompiledCircuit, Gates
from qkernels.engines._expectations import coefficients, pauli_labels
from qkernels.engines._parallel import run_tasks, shares_memory
from qkernels.engines._pauli import PauliTable
from qkernels.engines._reverse import Reverse
from qkernels.programs import ExpectationProgram, Program

__all__ = ["Planes", "StatevectorGradient", "Stripe", "TileSweep"]

Values = NDArray[np.float64]
Planes = NDArray[np.floating[Any]]
Matrices = NDArray[Any]
Stripe = tuple[slice, Planes, Planes]

_LOCAL = threading.local()


class StatevectorGradient:
    """A program prepared for gradients; call it with the states of tiles of rows and what their cotangents follow from.

    Parameters
    ----------
    program : OverlapProgram or ExpectationProgram
    compiled : CompiledCircuit
        Of the program.
    owner : str
        The engine, for messages.
    inputs : bool
        Whether derivatives with respect to data are wanted, beside those with respect to parameters.

    Attributes
    ----------
    compiled : CompiledCircuit
    sweep : TileSweep
    nbytes : int

    Raises
    ------
    UnsupportedCircuitError
        A gate that depends on something wanted is known by its matrix only, or such an angle has no derivative.
    """

    def __init__(self, program: Program, compiled: CompiledCircuit, owner: str, *, inputs: bool) -> None:
        flat = program.flat
        columns = range(0 if inputs else flat.num_x, flat.num_x + flat.num_theta)
        wanted = {k for k, used in enumerate(flat.angles.columns) if any(c in columns for c in used)}
        for op in flat.ops:
            if op.name == "bound" and wanted.intersection(a for a in op.angles if isinstance(a, int)):
                raise UnsupportedCircuitError(
                    f"Instruction {op.gate.name if op.gate else op.name!r} on qubits {list(op.qubits)} is known as a "
                    f"matrix only, of which {owner} has no derivative. Write it out in gates with parameters."
                )
        self.compiled, self._num_x = compiled, flat.num_x
        self._derivatives = AngleDerivatives(flat.angles, columns)
        self._paulis: PauliTable | None = None
        if isinstance(program, ExpectationProgram):
            labels = pauli_labels(program)
            self._paulis = PauliTable(labels, compiled.order)
            self._coefficients: csr_array = coefficients(program)
        self.sweep = TileSweep(Reverse(compiled, wanted), self._paulis)
        self.nbytes = (1 << 16) + compiled.nbytes + (0 if self._paulis is None else self._paulis.nbytes)

    def expectations(self, states: Planes) -> Values:
        """Values of the observables, shape (n_rows, n_observables), in states of shape (2 or 1, n_rows, 2**num_qubits).

        Raises
        ------
        ValueError
            The program has no observables.
        """
        if self._paulis is None:
            raise ValueError("the program has no observables")
        return np.ascontiguousarray((self._coefficients @ self._paulis.by_tiles(states).T).T)

    def weights(self, cotangent: Values) -> Values:
        """Cotangents of the Pauli strings, shape (n_rows, n_labels), from those of the values."""
        return np.ascontiguousarray(self._coefficients.T @ cotangent.T).T

    def __call__(
        self, values: Values, angles: Values, gates: Gates, stripes: Iterable[Stripe], tile: int
    ) -> tuple[Values, Values]:
        """Derivatives of the scalar.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_x + n_theta), float64
            Rows of ``[x, theta]``.
        angles : ndarray of shape (n_rows, n_angles), float64
        gates : dict
            ``compiled.shared(angles, keep=True)``.
        stripes : iterable of (slice, ndarray, ndarray)
            Rows; their states, of shape (2 or 1, n, 2**num_qubits); and weights of Pauli strings, or the cotangents of
            the states.
        tile : int
            Rows that a thread takes back together.

        Returns
        -------
        ndarray of shape (n_theta,), ndarray of shape (n_rows, n_x)
            The second one is 0 where it is not wanted.
        """
        sent = gates if shares_memory() else None  # known by identity, which a copy does not share
        found = np.zeros(angles.shape)
        reduced: list[Matrices] = []
        for rows, states, ends in stripes:
            parts = list(ranges(states.shape[1], tile))
            tasks = [(angles[rows][part], states[:, part], ends[..., part, :], sent) for part in parts]
            for part, (slopes, shared) in zip(parts, run_tasks(self.sweep, tasks), strict=True):
                found[rows][part] = slopes
                reduced = [a + b for a, b in zip(reduced, shared, strict=True)] if reduced else shared
        found[0] += self.sweep.reverse.shared_slopes(reduced, angles, gates)  # theta is the same in all rows
        slopes = self._derivatives(values, found)
        return slopes[:, self._num_x :].sum(axis=0), np.ascontiguousarray(slopes[:, : self._num_x])


@dataclass(frozen=True, slots=True, eq=False)
class TileSweep:
    """The way back of one tile, as it is sent to where it is computed."""

    reverse: Reverse
    paulis: PauliTable | None

    def __call__(
        self, angles: Values, states: Planes, ends: Planes, gates: Gates | None
    ) -> tuple[Values, list[Matrices]]:
        """Slopes of the rows of a tile, and E of the blocks of parameters.

        Parameters
        ----------
        angles : ndarray of shape (n_rows, n_angles), float64
        states : ndarray of shape (2 or 1, n_rows, 2**num_qubits)
        ends : ndarray of the same shape, or of shape (n_rows, n_labels)
            Cotangents of the states, or weights of Pauli strings.
        gates : dict or None
            ``compiled.shared(angles, keep=True)``; None evaluates it here.

        Returns
        -------
        ndarray of shape (n_rows, n_angles), list of ndarray
            As `Reverse` gives them.
        """
        if self.paulis is not None:
            ends = self.paulis.cotangents(states, ends)
        pair: Matrices = np.concatenate([states[0], ends[0]])
        if len(states) == 2:
            both = np.empty(pair.shape, dtype=complex)
            both.real, both.imag = pair, np.concatenate([states[1], ends[1]])
            pair = both
        return self.reverse(pair, angles, gates, _workspace())


def _workspace() -> Workspace:
    """Of the running thread; not the one of the way forward, which is half as large."""
    if not hasattr(_LOCAL, "workspace"):
        _LOCAL.workspace = Workspace()
    workspace: Workspace = _LOCAL.workspace
    return workspace
