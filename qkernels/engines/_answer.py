"""The answer to a request for overlaps, with what is known about its entries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._base import Need
from qkernels.engines._budget import Request
from qkernels.engines._rows import equal_rows
from qkernels.programs import Overlaps, wilson_stderr

__all__ = ["answer"]

Values = NDArray[np.float64]


def answer(
    request: Request,
    frequencies: Values,
    weights: Values | None,
    pairs: NDArray[np.intp] | None,
    need: Need,
    engine: str,
) -> Overlaps:
    """Values, standard errors and shots of a request.

    Parameters
    ----------
    request : Request
    frequencies : ndarray of shape (n_x, n_y) or (n_pairs,), with two orientations where these are drawn: (2, …)
    weights : ndarray, or None
    pairs : ndarray of shape (n_pairs, 2), intp, or None
    need : collection of str
    engine : str
        For `Overlaps.info`.

    Returns
    -------
    Overlaps
    """
    draw, diagonal = request.draw, request.diagonal
    how = {True: "sampled", False: "filled with 1", "auto": "1 without noise"}[diagonal]
    info: dict[str, str | int | float | bool] = {"engine": engine, "program": request.program.key}
    if draw.shots is None:
        info["diagonal"] = how if diagonal is not True else "1 without noise"
        orientations = np.stack([frequencies, frequencies]) if "orientations" in need else None
        return Overlaps(frequencies, weights=weights, orientations=orientations, info=info)
    values = frequencies.mean(axis=0) if draw.both else frequencies
    num_shots = np.array(np.broadcast_to(draw.total_shots, values.shape), dtype=np.int64)
    stderr = wilson_stderr(values, num_shots)
    if diagonal is not True:
        known = equal_rows(request.a, request.b, pairs)
        stderr[known] = 0.0
        num_shots[known] = 0
    info |= {"diagonal": how, "seed": draw.seed, "repetition": draw.repetition}
    info["shots"] = draw.total_shots if isinstance(draw.total_shots, int) else "per pair"
    orientations = frequencies if "orientations" in need else None
    return Overlaps(values, stderr, num_shots, weights, orientations=orientations, info=info)
