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
    """How entries are sampled: the arguments of the content-keyed draw."""

    shots: int | None
    seed: int
    orientation: Orientation

    def __call__(self, p: Values, a: NDArray[np.uint64], b: NDArray[np.uint64]) -> Values:
        """Sampled entries, or the probabilities themselves; shape (2, …) where both orientations are measured."""
        np.clip(p, 0.0, 1.0, out=p)
        if self.shots is None:
            return p
        if self.orientation == "canonical":
            return sample_frequencies(p, pair_uniforms(a, b, self.seed, f"shots={self.shots}"), self.shots)
        half = self.shots // 2
        streams = (f"shots={half},forward", f"shots={half},backward")
        return np.stack([sample_frequencies(p, pair_uniforms(a, b, self.seed, s), half) for s in streams])
