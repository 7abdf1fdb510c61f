"""Overlaps of encoded rows, and their orientation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import InvalidParameterError
from qkernels.engines import Orientation
from qkernels.kernels._rule import CircuitRule
from qkernels.programs import OverlapProgram, Overlaps, Plan

__all__ = ["FidelityRule", "check_orientation"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FidelityRule(CircuitRule):
    """Overlaps of encoded rows.

    Attributes
    ----------
    program : OverlapProgram
    orientation : {"canonical", "both"}
    """

    program: OverlapProgram
    orientation: Orientation

    def measure(self, A: Values, B: Values | None = None, need: frozenset[str] = frozenset()) -> Overlaps:
        return self.engine.overlaps(self.program, A, B, need=need, orientation=self.orientation)

    def diag(self, A: Values) -> Values:
        if self.is_noiseless:
            return np.ones(len(A))
        pairs = np.repeat(np.arange(len(A)), 2).reshape(-1, 2)
        return np.array(self.engine.overlaps(self.program, A, pairs=pairs, orientation=self.orientation).values)

    def plan(self, n_rows: int, n_columns: int | None = None) -> Plan:
        return self.engine.plan(self.program, n_rows, n_columns, orientation=self.orientation)


def check_orientation(orientation: object, owner: str) -> None:
    """Refuse what is no orientation.

    Raises
    ------
    InvalidParameterError
        Neither "canonical" nor "both".
    """
    if orientation not in ("canonical", "both"):
        raise InvalidParameterError(f"orientation of {owner} must be 'canonical' or 'both'; got {orientation!r}.")
