"""States that are ready for any number of overlaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Prepared"]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """States of the rows of X, ready for any number of overlaps: the opaque answer of `Engine.prepare`.

    Attributes
    ----------
    program_key : str
        The program whose circuit prepared the states.
    engine : str
        Which engine's states these are, precision included; another engine refuses them.
    digest : str
        Hash of the bound angles, the identity of the data.
    theta : str
        Hash of the trainable parameters they were bound with.
    keys : ndarray of shape (n_unique, 2), uint64
        Content keys of the distinct rows.
    inverse : ndarray of shape (n_samples,), intp, or None
        Position of every sample among the distinct rows; None where all rows differ.
    angles : ndarray of shape (n_unique, n_angles), float64
    data : object or None
        The states in the engine's own form; None where they are rebuilt block by block to save memory.
    nbytes : int
        Memory held.
    """

    program_key: str
    engine: str
    digest: str
    theta: str
    keys: NDArray[np.uint64]
    inverse: NDArray[np.intp] | None
    angles: NDArray[np.float64]
    data: object
    nbytes: int

    @property
    def num_samples(self) -> int:
        """Rows of X."""
        return len(self.keys) if self.inverse is None else len(self.inverse)

    def __reduce__(self) -> str:
        raise TypeError("Prepared states are not pickled; keep X and call engine.prepare again (it is cached).")
