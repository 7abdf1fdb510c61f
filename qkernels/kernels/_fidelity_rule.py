"""Overlaps of encoded rows, and their orientation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import InvalidParameterError
from qkernels.engines import EngineCall, Orientation
from qkernels.kernels._rule import CircuitRule
from qkernels.programs import OverlapProgram, Overlaps

__all__ = ["FidelityRule", "check_orientation", "self_pairs"]

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
        return self._named(self.engine.overlaps(self.program, A, B, need=need, orientation=self.orientation))

    def measure_selves(self, A: Values, need: frozenset[str] = frozenset()) -> Overlaps:
        pairs = self_pairs(A)
        found = self.engine.overlaps(self.program, A, pairs=pairs, need=need, orientation=self.orientation)
        return self._named(found)

    def diag(self, A: Values) -> Values:
        return np.ones(len(A)) if self.is_noiseless else np.array(self.measure_selves(A).values)

    def _named(self, found: Overlaps) -> Overlaps:
        """With the number of measured qubits, which corrections ask for."""
        return replace(found, info={"num_qubits": self.program.num_qubits, **found.info})

    def calls(
        self, A: Values | int, B: Values | int | None = None, need: frozenset[str] = frozenset()
    ) -> tuple[EngineCall, ...]:
        return (EngineCall(self.engine, self.program, A, B, {"need": need, "orientation": self.orientation}),)

    def self_calls(self, A: Values, need: frozenset[str] = frozenset()) -> tuple[EngineCall, ...]:
        if self.is_noiseless and not need:
            return ()
        options = {"pairs": self_pairs(A), "need": need, "orientation": self.orientation}
        return (EngineCall(self.engine, self.program, A, None, options),)


def self_pairs(A: Values) -> NDArray[np.intp]:
    """Every row with itself, shape (n_a, 2)."""
    return np.repeat(np.arange(len(A)), 2).reshape(-1, 2)


def check_orientation(orientation: object, owner: str) -> None:
    """Refuse what is no orientation.

    Raises
    ------
    InvalidParameterError
        Neither "canonical" nor "both".
    """
    if orientation not in ("canonical", "both"):
        raise InvalidParameterError(f"orientation of {owner} must be 'canonical' or 'both'; got {orientation!r}.")
