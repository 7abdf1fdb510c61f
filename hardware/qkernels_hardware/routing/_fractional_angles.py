"""The arithmetic of folding: an RZZ angle as kπ + ρ with ρ in [-π/2, π/2]."""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import NDArray

__all__ = ["fold_rzz_angles"]


def fold_rzz_angles(angles: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Write angles as kπ + ρ with ρ in [-π/2, π/2].

    Parameters
    ----------
    angles : ndarray of float64
        Radians, finite.

    Returns
    -------
    folded : ndarray of float64
        The absolute value of ρ, in [0, π/2]; the angle itself where it is in this range.
    negative, odd : ndarray of bool
        Whether ρ is below 0, and whether k is odd.
    """
    # Sine and cosine reduce huge angles exactly; subtracting multiples of a rounded π would not.
    sine, cosine = np.sin(angles), np.cos(angles)
    small = np.abs(angles) <= pi / 2
    folded = np.where(small, np.abs(angles), np.arctan2(np.abs(sine), np.abs(cosine)))
    odd = ~small & (cosine < 0.0)
    return folded, (sine < 0.0) ^ odd, odd
