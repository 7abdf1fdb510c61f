"""Gradients of noisy values: from cotangents of the values over those of states and effects to data and parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from qkernels._errors import BudgetError, InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import AngleDerivatives, AngleTable, FlatCircuit, FlatOp, PairCircuit
from qkernels.engines._base import Prepared
from qkernels.engines._blockwise import ranges
from qkernels.engines._budget import Footprint
from qkernels.engines._density_compile import CompiledDensity
from qkernels.engines._density_outcomes import pauli_readout
from qkernels.engines._expectations import pauli_labels
from qkernels.engines._parallel import num_workers, run_tasks
from qkernels.engines._sweep import ReverseSweep
from qkernels.programs import ExpectationProgram, Program, format_bytes

__all__ = ["DensityGradient", "check_cotangent"]

_TILE_BYTES, _FEWEST_ROWS, _MOST_ROWS = 1 << 21, 16, 256
"""Vectors swept together by one thread. They are arrays with the rows last: fewer rows make its loops short, and are
taken only where memory is."""

Values = NDArray[np.float64]

Evolve = Callable[[slice], tuple[Values, Values]]
"""States and effects of a range of distinct rows, each of shape (n_rows, 4**n)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Half:
    """One half of the pair circuit: its sweep, its angles as functions of the program's, and their derivatives."""

    sweep: ReverseSweep
    angles: AngleTable
    derivatives: AngleDerivatives


class DensityGradient:
    """A program under noise, prepared for gradients: sweeps through its halves, and derivatives of its angles.

    Parameters
    ----------
    program : OverlapProgram or ExpectationProgram
    compiled : CompiledDensity
        Of the program.
    owner : str
        The engine, for messages.

    Attributes
    ----------
    nbytes : int

    Raises
    ------
    UnsupportedCircuitError
        A data-dependent gate is known by its matrix only, or an angle has no derivative.
    """

    def __init__(self, program: Program, compiled: CompiledDensity, owner: str) -> None:
        pair = compiled.pair
        _refuse_bound(pair, owner)
        self._owner, self._n = owner, compiled.num_qubits
        self._halves = [_half(compiled.forward, self._n, compiled.zero_state, pair.prepare)]
        if pair.undo is not None:
            self._halves.append(_half(compiled.backward, self._n, compiled.zero_effect, pair.undo))
        self._from_angles = AngleDerivatives(program.flat.angles)
        self._observables = _observables(program, compiled) if isinstance(program, ExpectationProgram) else None
        self.nbytes = sum(half.sweep.nbytes for half in self._halves) + (1 << 16)

    def footprint(self, num_rows: int, limit: int, work: int) -> tuple[Footprint, int]:
        """Memory of a gradient, and the rows that a thread sweeps at once.

        Parameters
        ----------
        num_rows : int
        limit : int
            Bytes that may be taken.
        work : int
            Bytes that the evolution of states takes beside them.

        Returns
        -------
        Footprint
            A "state" is everything that is held for a row: state, effect and the cotangents of both.
        int

        Raises
        ------
        BudgetError
            Not even a row at a time fits.
        """
        vector, workers = 8 * 4**self._n, num_workers()
        kept = max(half.sweep.num_kept for half in self._halves)
        held = 1 if self._observables is not None else 5  # a product on its way into the cotangents is the fifth
        columns = num_rows if self._observables is None else self._observables.shape[0]
        num_angles = max(len(half.angles) for half in self._halves)
        result = 8 * num_rows * (5 * columns + 8 * num_angles)
        rows = min(max(_FEWEST_ROWS, _TILE_BYTES // vector), _MOST_ROWS, -(-num_rows // workers))
        while True:
            swept = workers * rows * (kept + 4) * vector
            found = Footprint(held * vector, max(work, swept), limit, result, num_rows)
            enough = found.fits_whole or (found.feasible and rows <= _FEWEST_ROWS)
            if enough or rows == 1:
                break
            rows //= 2
        if not found.feasible:
            raise BudgetError(
                f"A gradient of {num_rows} rows on {self._n} active qubits takes at least "
                f"{format_bytes(min(found.whole, found.smallest))}, {kept} vectors of {format_bytes(vector)} for each "
                f"row and thread among it, but memory_limit of {self._owner} is {format_bytes(limit)}. Use fewer rows "
                "or qubits (PCA, CPMap), or raise memory_limit."
            )
        return found, rows

    def __call__(
        self, bound: Prepared, values: Values, cotangent: Values, evolve: Evolve, footprint: Footprint, tile: int
    ) -> Values:
        """Derivatives of the scalar with respect to the rows of ``[x, theta]``, shape (n_rows, n_columns).

        Parameters
        ----------
        bound : Prepared
            The rows.
        values : ndarray of shape (n_rows, n_columns), float64
            The same rows as ``[x, theta]``.
        cotangent : ndarray of shape (n_rows, n_rows) or (n_rows, n_observables), float64
        evolve : callable
        footprint, tile
            As `footprint` gives them.

        Returns
        -------
        ndarray of shape (n_rows, n_columns), float64
        """
        rank = np.arange(len(bound.keys)) if bound.inverse is None else bound.inverse
        angles = bound.angles[rank]
        found = np.empty_like(angles)
        long, short = (len(rank), len(rank)) if footprint.fits_whole else footprint.stripes
        weights = [cotangent] if self._observables is not None else _directed(cotangent, rank, len(bound.keys))
        for stripe in ranges(len(rank), long):
            ends = self._ends([w[stripe] for w in weights], evolve, short)
            found[stripe] = self._sweep(angles[stripe], ends, tile)
        return self._from_angles(values, found)

    def _ends(self, weights: list[Values], evolve: Evolve, short: int) -> list[Values]:
        """Cotangents of states and of effects, each of shape (4**n, n_rows)."""
        if self._observables is not None:
            return [np.asarray(self._observables.T @ weights[0].T)]
        ends = [np.zeros((4**self._n, len(w))) for w in weights]
        for part in ranges(weights[0].shape[1], short):
            states, effects = evolve(part)
            for end, weight, others in zip(ends, weights, (effects, states), strict=True):
                end += others.T @ weight[:, part].T
        return ends

    def _sweep(self, angles: Values, ends: list[Values], tile: int) -> Values:
        """Cotangents of the program's angles, shape (n_rows, n_angles)."""
        tiles = list(ranges(len(angles), min(tile, -(-len(angles) // num_workers()))))
        tasks = [
            (half.sweep, own[t], end[:, t])
            for half, end in zip(self._halves, ends, strict=True)
            for own in [half.angles.evaluate(angles)]
            for t in tiles
        ]
        swept = list(run_tasks(_run, tasks))
        parts = [np.concatenate(swept[k : k + len(tiles)]) for k in range(0, len(swept), len(tiles))]
        return sum(
            (half.derivatives(angles, part) for half, part in zip(self._halves, parts, strict=True)),
            start=np.zeros(angles.shape),
        )


def _half(ops: list[FlatOp], num_qubits: int, initial: Values, flat: FlatCircuit) -> _Half:
    return _Half(ReverseSweep(ops, num_qubits, initial), flat.angles, AngleDerivatives(flat.angles))


def _run(sweep: ReverseSweep, angles: Values, cotangents: Values) -> Values:
    return sweep(angles, cotangents)


def _directed(cotangent: Values, rank: NDArray[np.intp], num_distinct: int) -> list[Values]:
    """Weights of what is paired with a row that is prepared and with one that is undone, by distinct rows.

    Of two rows the one of lower rank is prepared, for both of their entries. Equal rows share the derivatives of their
    entry, as neither is the first.
    """
    both = cotangent + cotangent.T
    weights = np.where(rank[:, None] < rank, both, np.where(rank[:, None] == rank, 0.5 * both, 0.0))
    onto = csr_array((np.ones(len(rank)), (np.arange(len(rank)), rank)), shape=(len(rank), num_distinct))
    return [np.asarray(weights @ onto), np.asarray(weights.T @ onto)]


def _observables(program: ExpectationProgram, compiled: CompiledDensity) -> csr_array:
    """The values as a linear function of the states, shape (n_observables, 4**n)."""
    labels = pauli_labels(program)
    position = {label: k for k, label in enumerate(labels)}
    terms = [(k, position[label], c) for k, observable in enumerate(program.terms) for label, c in observable]
    rows, columns, coefficients = zip(*terms, strict=True)
    shape = (len(program.terms), len(labels))
    return csr_array((coefficients, (rows, columns)), shape=shape) @ pauli_readout(compiled, labels)


def _refuse_bound(pair: PairCircuit, owner: str) -> None:
    for op in pair.ops:
        if op.name == "bound":
            raise UnsupportedCircuitError(
                f"Instruction {op.gate.name if op.gate else op.name!r} on qubits {list(op.qubits)} is known as a "
                f"matrix only, of which {owner} has no derivative. Write it out in gates with parameters."
            )


def check_cotangent(program: Program, cotangent: ArrayLike, num_rows: int) -> Values:
    """The cotangent as an array of the shape of the program's values.

    Parameters
    ----------
    program : OverlapProgram or ExpectationProgram
    cotangent : array-like
    num_rows : int

    Returns
    -------
    ndarray of shape (num_rows, num_rows) or (num_rows, n_observables), float64

    Raises
    ------
    InvalidParameterError
        It has another shape, or is not real or not finite.
    """
    array = np.asarray(cotangent)
    if isinstance(program, ExpectationProgram):
        shape, what = (num_rows, len(program.terms)), "(n_samples, n_observables)"
    else:
        shape, what = (num_rows, num_rows), "(n_samples, n_samples)"
    if array.shape != shape or array.dtype.kind not in "fiub":
        raise InvalidParameterError(
            f"cotangent of vjp must be real and of shape {what} = {shape}, that of the program's values; got shape "
            f"{array.shape} and dtype {array.dtype}."
        )
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidParameterError(f"cotangent of vjp must be finite, got {array[index]} at {index}.")
    return array
