"""Matrices and lists of pairs from states, in memory or streamed; which of two rows is prepared is decided here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._base import Prepared
from qkernels.engines._blockwise import Side, fill, ranges
from qkernels.engines._budget import Footprint, Request
from qkernels.engines._cache import CACHE
from qkernels.engines._draw import Draw
from qkernels.engines._parallel import run_tasks
from qkernels.engines._rows import as_scalars
from qkernels.programs import Program, is_canonical

__all__ = ["MatrixEvaluator"]

_CHUNK_BYTES = 1 << 20
"""States gathered at once on either side of single pairs."""

Values = NDArray[np.float64]


class MatrixEvaluator(ABC):
    """The part of a simulating engine that makes matrices of states (abstract).

    Noiseless engines say what a block of overlaps is (`_block`, `_pair_values`). Under noise the entry depends on which
    row is prepared and which undone, and a row with itself is less than 1: such an engine has `_noisy` set and says
    what its states give for either direction (`_directed_block`, `_directed_pairs`).
    """

    _noisy: ClassVar[bool] = False
    """Whether orientation matters and the diagonal is measured."""

    @abstractmethod
    def _compiled(self, program: Program) -> Any:
        """The program in the engine's executable form (cached)."""

    @abstractmethod
    def _with_states(self, program: Program, bound: Prepared) -> Prepared:
        """The same rows with their states, from the cache where they are there."""

    @abstractmethod
    def _state_bytes(self, program: Program) -> int:
        """Bytes of one state."""

    @abstractmethod
    def _evolve(self, compiled: Any, angles: NDArray[np.float64]) -> Any:
        """States of all rows of angles."""

    @abstractmethod
    def _select(self, states: Any, rows: slice) -> Any:
        """A range of states."""

    def _block(self, a: Any, rows: slice, b: Any, columns: slice) -> Values:
        """Overlaps of two ranges of states, shape (rows, columns), where orientation does not matter."""
        raise NotImplementedError

    def _pair_values(self, a: Any, i: NDArray[np.intp], b: Any, j: NDArray[np.intp]) -> Values:
        """Overlaps of single pairs, shape (n_pairs,), where orientation does not matter."""
        raise NotImplementedError

    def _directed_block(self, prepared: Any, rows: slice, undone: Any, columns: slice) -> Values:
        """The entries of rows prepared from one side and undone from the other, shape (rows, columns)."""
        return self._block(prepared, rows, undone, columns)

    def _directed_pairs(self, prepared: Any, i: NDArray[np.intp], undone: Any, j: NDArray[np.intp]) -> Values:
        """The same for single pairs, shape (n_pairs,)."""
        return self._pair_values(prepared, i, undone, j)

    def _block_rows(self, program: Program) -> int:
        """Rows and columns of one block of overlaps."""
        return 256

    def _pair_chunk(self, program: Program) -> int:
        """Pairs evaluated at once by one thread: the states of both sides are gathered for them."""
        return max(1, _CHUNK_BYTES // max(1, self._state_bytes(program)))

    # Orientation ------------------------------------------------------------------------------------------------

    def _sampled_block(self, draw: Draw, left: Side, rows: slice, right: Side, columns: slice) -> Values:
        """Entries of a block as the draw makes them of probabilities."""
        a, b = left.keys[rows, None], right.keys[None, columns]
        if not self._noisy:
            return draw(self._block(left.states, rows, right.states, columns), a, b)
        canonical = is_canonical(a, b)
        one_way = not draw.both and (canonical.all() or not canonical.any())
        prepares_left = prepares_right = None
        if not one_way or canonical.all():
            prepares_left = self._directed_block(left.states, rows, right.states, columns)
        if not one_way or not canonical.all():
            prepares_right = self._directed_block(right.states, columns, left.states, rows).T
        return draw(_choose(canonical, prepares_left, prepares_right, draw.both), a, b)

    def _sampled_pairs(self, draw: Draw, left: Side, i: NDArray[np.intp], right: Side, j: NDArray[np.intp]) -> Values:
        """Entries of single pairs as the draw makes them of probabilities."""
        a, b = left.keys[i], right.keys[j]
        if not self._noisy:
            return draw(self._pair_values(left.states, i, right.states, j), a, b)
        canonical = is_canonical(a, b)
        first = np.empty((2 if draw.both else 1, len(i)))
        for direction, values in enumerate(first):
            chosen = canonical == (direction == 0)
            for prepares_left in (True, False):
                k = np.flatnonzero(chosen == prepares_left)
                if not len(k):
                    continue
                if prepares_left:
                    values[k] = self._directed_pairs(left.states, i[k], right.states, j[k])
                else:
                    values[k] = self._directed_pairs(right.states, j[k], left.states, i[k])
        return draw(first if draw.both else first[0], a, b)

    # Matrices ---------------------------------------------------------------------------------------------------

    def _evaluate(self, request: Request, footprint: Footprint) -> Values:
        """The matrix over distinct rows by blocks, then expanded to all rows."""
        CACHE.count("matrices")
        program, a, b, draw = request.program, request.a, request.b, request.draw
        other = a if b is None else b
        out = np.empty((2, len(a.keys), len(other.keys)) if draw.both else (len(a.keys), len(other.keys)))
        rows = self._block_rows(program)

        def block(left: Side, i: slice, right: Side, j: slice) -> Values:
            return self._sampled_block(draw, left, i, right, j)

        if footprint.fits_whole:
            a = self._with_states(program, a)
            left = Side(0, a.keys, a.data)
            if b is None:
                right = left
            else:
                other = self._with_states(program, b)
                right = Side(0, other.keys, other.data)
            fill(out, left, right, block, rows, symmetric=b is None)
        else:
            long, short = footprint.stripes
            rows = min(rows, short)
            for i in ranges(len(a.keys), long):
                left = self._side(program, a, i)
                if b is None:
                    fill(out, left, left, block, rows, symmetric=True)
                for j in ranges(len(other.keys), short):
                    if b is None and j.stop <= i.stop:
                        continue
                    j = slice(max(j.start, i.stop), j.stop) if b is None else j
                    fill(out, left, self._side(program, other, j), block, rows, symmetric=b is None)
        if not self._noisy:
            if b is None:
                i_same = j_same = np.arange(len(a.keys))
            else:
                _, i_same, j_same = np.intersect1d(as_scalars(a.keys), as_scalars(other.keys), return_indices=True)
            out[..., i_same, j_same] = 1.0  # a row with itself, also across train and test
        if a.inverse is None and other.inverse is None:
            return out
        every_row = np.arange(len(a.keys)) if a.inverse is None else a.inverse
        every_column = np.arange(len(other.keys)) if other.inverse is None else other.inverse
        return out[..., every_row[:, None], every_column]

    def _side(self, program: Program, bound: Prepared, rows: slice) -> Side:
        """States of a range of rows, evolved now unless they are there."""
        compiled = self._compiled(program)
        states = self._evolve(compiled, bound.angles[rows]) if bound.data is None else self._select(bound.data, rows)
        return Side(rows.start, bound.keys[rows], states)

    # Single pairs -----------------------------------------------------------------------------------------------

    def _evaluate_pairs(self, request: Request, pairs: NDArray[np.intp], footprint: Footprint) -> Values:
        """Single pairs: only rows that occur in a pair to be evaluated are evolved, some at a time."""
        CACHE.count("matrices")
        program, a, b, draw = request.program, request.a, request.b or request.a, request.draw
        i = pairs[:, 0] if a.inverse is None else a.inverse[pairs[:, 0]]
        j = pairs[:, 1] if b.inverse is None else b.inverse[pairs[:, 1]]
        values = np.ones((2, len(pairs)) if draw.both else (len(pairs),))
        asked = np.arange(len(pairs)) if self._noisy else np.flatnonzero((a.keys[i] != b.keys[j]).any(axis=1))
        asked = asked[np.argsort(i[asked], kind="stable")]
        size = max(1, len(asked)) if footprint.fits_whole else max(1, footprint.rows_in_memory // 2)
        for part in ranges(len(asked), size):
            where = asked[part]
            left, ii = self._occurring(program, a, i[where])
            right, jj = self._occurring(program, b, j[where])
            chunks = [(c,) for c in ranges(len(where), self._pair_chunk(program))]

            def chunk(
                c: slice, left: Side = left, right: Side = right, ii: Any = ii, jj: Any = jj, where: Any = where
            ) -> Values:  # defaults bind the values of this round
                return self._sampled_pairs(draw.at(where[c]), left, ii[c], right, jj[c])

            for (c,), found in zip(chunks, run_tasks(chunk, chunks), strict=True):
                values[..., where[c]] = found
        return values

    def _occurring(self, program: Program, bound: Prepared, rows: NDArray[np.intp]) -> tuple[Side, NDArray[np.intp]]:
        """States of the rows that occur in a list, and the list as positions among them."""
        if bound.data is not None:
            return Side(0, bound.keys, bound.data), rows
        distinct, position = np.unique(rows, return_inverse=True)
        states = self._evolve(self._compiled(program), bound.angles[distinct])
        return Side(0, bound.keys[distinct], states), position


def _choose(
    canonical: NDArray[np.bool_], prepares_left: Values | None, prepares_right: Values | None, both: bool
) -> Values:
    """Entries in the canonical direction, or in both: shape (…) or (2, …)."""
    if prepares_left is None or prepares_right is None:
        only = prepares_left if prepares_right is None else prepares_right
        return np.array(only)
    forward = np.where(canonical, prepares_left, prepares_right)
    return np.stack([forward, np.where(canonical, prepares_right, prepares_left)]) if both else forward
