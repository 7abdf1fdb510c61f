"""How the entries of a noiseless engine are sampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._base import Orientation
from qkernels.programs import pair_uniforms, sample_frequencies

__all__ = ["Draw"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Draw:
    """Turns probabilities into entries: themselves, or content-keyed frequencies.

    Attributes
    ----------
    shots : int or None
        Shots of the engine; None for exact values.
    seed : int
    both : bool
        Two independent draws per pair, one for each orientation, at half the shots.
    """

    shots: int | None = None
    seed: int = 0
    both: bool = False

    @classmethod
    def of(cls, shots: int | None, seed: int, orientation: Orientation) -> Draw:
        """The draw of an engine's settings; all exact draws are equal, whatever the seed."""
        return cls() if shots is None else cls(shots, seed, orientation == "both")

    @property
    def num_values(self) -> int:
        """Values kept for every pair."""
        return 2 if self.both else 1

    @property
    def total_shots(self) -> int:
        """Shots behind one entry; an odd number is rounded down to two equal halves."""
        if self.shots is None:
            return 0
        return 2 * (self.shots // 2) if self.both else self.shots

    def __call__(self, p: Values, a: NDArray[np.uint64], b: NDArray[np.uint64]) -> Values:
        """Entries for probabilities p and row keys a, b; shape (2, …) for both orientations."""
        np.clip(p, 0.0, 1.0, out=p)
        if self.shots is None:
            return p
        if not self.both:
            return sample_frequencies(p, pair_uniforms(a, b, self.seed, f"shots={self.shots}"), self.shots)
        half = self.shots // 2
        streams = (f"shots={half},forward", f"shots={half},backward")
        return np.stack([sample_frequencies(p, pair_uniforms(a, b, self.seed, s), half) for s in streams])
