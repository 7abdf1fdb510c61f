"""What a fit has asked of its engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkernels.engines import Engine
from qkernels.programs import ExpectationProgram

__all__ = ["Spent"]


class Spent:
    """Circuits and shots of the rows that were evaluated, by the engine's own plan for one row.

    Parameters
    ----------
    engine : Engine
    program : ExpectationProgram

    Attributes
    ----------
    num_circuits, num_shots : int
        So far. Rows whose answer a cache or a ledger has are counted like the others.
    """

    def __init__(self, engine: Engine, program: ExpectationProgram) -> None:
        self._engine, self._program = engine, program
        self._of_a_row: tuple[int, int] | None = None
        self.num_circuits = self.num_shots = 0

    def add(self, num_rows: int) -> None:
        """Count rows at one point of the trainable numbers.

        Parameters
        ----------
        num_rows : int
        """
        if self._of_a_row is None:
            self._of_a_row = (1, 0)
            if not self._engine.is_exact:  # a row may take a circuit for each basis, or for each strength of noise
                plan = self._engine.plan(self._program, 1)
                self._of_a_row = plan.circuits, plan.shots
        circuits, shots = self._of_a_row
        self.num_circuits += num_rows * circuits
        self.num_shots += num_rows * shots

    def add_pairs(self, num_pairs: int, num_shots: NDArray[np.int64] | None) -> None:
        """Count overlaps of pairs of states.

        Parameters
        ----------
        num_pairs : int
        num_shots : ndarray of int64, or None
            As in `Overlaps`.
        """
        self.num_circuits += num_pairs
        self.num_shots += 0 if num_shots is None else int(num_shots.sum())
