"""The part of RuntimeEngine that looks requests up in the ledger: nothing is asked for or changed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels.engines import Diagonal, Need, Orientation
from qkernels.programs import OverlapProgram, Program
from qkernels_hardware.ledger import BlockRecord, Ledger
from qkernels_hardware.runtime._differences import why_new
from qkernels_hardware.runtime._held import blocks_with, held_entries
from qkernels_hardware.runtime._measure import MeasuringEngine

__all__ = ["LookupEngine"]


class LookupEngine(MeasuringEngine):
    """Base of RuntimeEngine: which entries of a request the ledger has, and in which blocks."""

    def held(
        self,
        program: Program,
        X: ArrayLike,
        Y: ArrayLike | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
        shots: ArrayLike | None = None,
        repetition: int = 0,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which entries of a request the ledger has results of; nothing is asked for or changed.

        Parameters
        ----------
        program, X, Y, theta, pairs, diagonal, need, orientation, shots, repetition
            As in `submit`. What `need` asks for beside the entries is not looked for.

        Returns
        -------
        blocks, tiles : ndarray of int64
            Of the shape of `Overlaps.values`, or (n_samples,) for an `ExpectationProgram`: the block of the ledger that
            measured the entry and the tile it was measured on. −1 where there is no result, or its file cannot be used.
            Entries of a row with itself are looked for, too, where ``diagonal=False`` does not measure them.

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError
            As in `overlaps`.
        ExecutionError
            The ledger cannot be read.
        """
        a, b = self._sides(program, X, Y, theta)
        request, index = self._request(program, a, b, pairs, diagonal, need, orientation, shots, repetition)
        current = self._current(program)
        if not isinstance(program, OverlapProgram):
            found = held_entries(self.ledger_path, self._all_wanted(request, index), current, len(a.keys))
            found = found if a.inverse is None else found[:, a.inverse]
            return found[0], found[1]
        i, j = self._all_pairs(request) if index is None else self._listed_pairs(request, index)
        wanted = self._wanted(self._batches(request, a, i, b or a, j))
        found = held_entries(self.ledger_path, wanted, current, len(i))
        if index is None:
            entries, other = found, b or a
            found = np.full((2, len(a.keys), len(other.keys)), -1, dtype=np.int64)
            found[:, i, j] = entries
            if b is None:
                found[:, j, i] = entries
            rows, columns = (np.arange(len(s.keys)) if s.inverse is None else s.inverse for s in (a, other))
            found = found[:, rows[:, None], columns]
        return found[0], found[1]

    def blocks(
        self,
        program: Program,
        X: ArrayLike,
        Y: ArrayLike | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
        shots: ArrayLike | None = None,
        repetition: int = 0,
    ) -> tuple[BlockRecord, ...]:
        """Blocks of the ledger with entries of a request, in whatever state; nothing is asked for or changed.

        Parameters
        ----------
        program, X, Y, theta, pairs, diagonal, need, orientation, shots, repetition
            As in `submit`.

        Returns
        -------
        tuple of BlockRecord
            Oldest first. They may have entries of other requests, too.

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError
            As in `overlaps`.
        ExecutionError
            The ledger cannot be read.
        """
        a, b = self._sides(program, X, Y, theta)
        request, index = self._request(program, a, b, pairs, diagonal, need, orientation, shots, repetition)
        return tuple(blocks_with(self.ledger_path, self._all_wanted(request, index), self._current(program)))

    def why_new(
        self,
        program: Program,
        X: ArrayLike,
        Y: ArrayLike | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
        shots: ArrayLike | None = None,
        repetition: int = 0,
    ) -> str:
        """What keeps a request from the measurements of the ledger: other shots, settings, angles or circuits.

        Parameters
        ----------
        program, X, Y, theta, pairs, diagonal, need, orientation, shots, repetition
            As in `submit`.

        Returns
        -------
        str
            "" where the ledger has some of the entries, measured or not, or no measurements at all.

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError
            As in `overlaps`.
        ExecutionError
            The ledger cannot be read.
        """
        a, b = self._sides(program, X, Y, theta)
        request, index = self._request(program, a, b, pairs, diagonal, need, orientation, shots, repetition)
        wanted = self._all_wanted(request, index)
        if not self.ledger_path.exists() or blocks_with(self.ledger_path, wanted, self._current(program)):
            return ""
        with Ledger.open(self.ledger_path, read_only=True) as ledger:
            return why_new(ledger, self._series, program, wanted)
