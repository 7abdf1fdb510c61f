"""One request for exact gradients: rows bound, memory granted, states evolved at once or by stripes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import BudgetError, InvalidDataError
from qkernels.engines._blockwise import ranges
from qkernels.engines._budget import Footprint
from qkernels.engines._cache import CACHE
from qkernels.engines._density_gradient import check_cotangent
from qkernels.engines._expectations import pauli_labels
from qkernels.engines._parallel import num_workers
from qkernels.engines._statevector_gradient import Planes, StatevectorGradient, Stripe
from qkernels.programs import ExpectationProgram, Program, format_bytes

if TYPE_CHECKING:
    from qkernels.engines._statevector import StatevectorEngine

__all__ = ["GradientRequest"]

Values = NDArray[np.float64]

_TILE_BYTES = 1 << 21
"""States and cotangents taken back together by one thread, in bytes; in sum with its work space, about its cache."""

_TILE_COPIES = 7
"""Arrays of the size of a tile that a thread holds at once."""


class GradientRequest:
    """The rows of a request; gives values and gradients, and keeps the states in between where memory allows.

    Nothing that depends on theta is put into the cache: in training no theta comes twice.

    Parameters
    ----------
    engine : StatevectorEngine
        Without shots and in double precision.
    program : OverlapProgram or ExpectationProgram
    X : array-like of shape (n_samples, num_features)
    theta : array-like of shape (num_parameters,) or None
    inputs : bool
        Whether gradients with respect to X are wanted.

    Raises
    ------
    InvalidDataError
        X does not fit the program.
    InvalidParameterError
        `program` is no program, or theta does not fit.
    UnsupportedCircuitError
        An instruction cannot be evaluated, or has no derivative.
    BudgetError
        The request does not fit into the engine's `memory_limit`.
    """

    def __init__(
        self, engine: StatevectorEngine, program: Program, X: ArrayLike, theta: ArrayLike | None, *, inputs: bool
    ) -> None:
        self._engine, self._program, self._inputs = engine, program, inputs
        self._angles = program.bind_angles(X, theta)
        if not len(self._angles):
            raise InvalidDataError("X has 0 sample(s); at least 1 is needed.")
        data = np.asarray(X, dtype=np.float64)
        shared = np.empty(0) if theta is None else np.asarray(theta, dtype=np.float64)
        self._values = np.concatenate([data, np.broadcast_to(shared, (len(data), len(shared)))], axis=1)
        self._footprint, self._tile = self._granted()
        key = ("gradient", engine._compile_tag, program.key, inputs)

        def prepare() -> StatevectorGradient:
            return StatevectorGradient(program, engine._compiled(program), engine._owner, inputs=inputs)

        self._gradient = CACHE.compute(key, prepare, lambda g: g.nbytes)
        self._compiled = self._gradient.compiled  # by identity of its steps: the cache may hold others by now
        self._shared = self._compiled.shared(self._angles, keep=True)
        self._states: Planes | None = None

    def _granted(self) -> tuple[Footprint, int]:
        """Memory of the request, and rows that a thread takes back at once."""
        program, n = self._program, len(self._angles)
        state, limit = self._engine._state_bytes(program), self._engine._limit
        observed = isinstance(program, ExpectationProgram)
        columns = len(pauli_labels(program)) if isinstance(program, ExpectationProgram) else 4 * n
        result = 8 * n * (3 * columns + 5 * self._angles.shape[1] + 4 * self._values.shape[1])
        rows = max(1, min(_TILE_BYTES, limit // 64) // (2 * state))
        rows = min(rows, -(-n // num_workers())) if n * state > _TILE_BYTES // 2 else n
        work = self._engine._work_bytes(program) + num_workers() * _TILE_COPIES * 2 * rows * state
        found = Footprint(state if observed else 4 * state, work, limit, result, n)
        if not found.feasible:
            raise BudgetError(
                f"A gradient of {n} row(s) on {program.num_qubits} qubits takes at least "
                f"{format_bytes(min(found.whole, found.smallest))}, {2 * _TILE_COPIES} states of {format_bytes(state)} "
                f"for each thread among it, but memory_limit of {self._engine._owner} is {format_bytes(limit)}. Use "
                "fewer rows or qubits (PCA, CPMap), or raise memory_limit."
            )
        return found, rows

    def expectations(self) -> Values:
        """Values of the observables, shape (n_samples, n_observables)."""
        parts = [self._gradient.expectations(states) for _, states in self._by_stripes()]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def pull(self, cotangent: ArrayLike) -> tuple[Values, Values]:
        """Gradients with respect to theta and X from the derivative with respect to the values.

        Raises
        ------
        InvalidParameterError
            `cotangent` has another shape than the values, or is not real or not finite.
        """
        array = check_cotangent(self._program, cotangent, len(self._angles))
        stripes = self._observed(array) if isinstance(self._program, ExpectationProgram) else self._paired(array)
        return self._gradient(self._values, self._angles, self._shared, stripes, self._tile)

    def _by_stripes(self) -> Iterator[tuple[slice, Planes]]:
        n = len(self._angles)
        if self._footprint.fits_whole:
            if self._states is None:
                self._states = self._evolved(slice(0, n))
            yield slice(0, n), self._states
            return
        for rows in ranges(n, self._footprint.rows_in_memory - 1):
            yield rows, self._evolved(rows)

    def _evolved(self, rows: slice) -> Planes:
        return self._engine._evolve(self._compiled, self._angles[rows], self._shared).planes

    def _observed(self, cotangent: Values) -> Iterator[Stripe]:
        """Weights of the Pauli strings."""
        weights = self._gradient.weights(cotangent)
        for rows, states in self._by_stripes():
            yield rows, states, weights[rows]

    def _paired(self, cotangent: Values) -> Iterator[Stripe]:
        """Cotangents of the states: λ_i = Σ_j (c_ij + c_ji) ⟨ψ_j|ψ_i⟩ ψ_j. A row with itself is 1 whatever it is."""
        weights = cotangent + cotangent.T
        np.fill_diagonal(weights, 0.0)
        n = len(weights)
        long, short = (n, n) if self._footprint.fits_whole else self._footprint.stripes
        for rows in ranges(n, long):
            states = self._evolved(rows)
            ends = np.zeros_like(states, dtype=np.float64)
            for columns in ranges(n, short):
                others = states if columns == rows else self._evolved(columns)
                _add_pairs(ends, states, others, weights[rows, columns])
            yield rows, states, ends


def _add_pairs(ends: Planes, states: Planes, others: Planes, weights: Values) -> None:
    """Add Σ_j w_ij ⟨ψ_j|ψ_i⟩ ψ_j over the others ψ_j to the cotangents of the states ψ_i."""
    if len(states) == 1:
        ends[0] += (weights * (states[0] @ others[0].T)) @ others[0]
        return
    re = states[0] @ others[0].T + states[1] @ others[1].T
    im = states[1] @ others[0].T - states[0] @ others[1].T
    re *= weights
    im *= weights
    ends[0] += re @ others[0] - im @ others[1]
    ends[1] += re @ others[1] + im @ others[0]
