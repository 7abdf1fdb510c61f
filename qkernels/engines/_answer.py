"""The answer to a request for overlaps, with what is known about its entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._base import Need
from qkernels.engines._budget import Request
from qkernels.engines._rows import equal_rows
from qkernels.programs import Overlaps, wilson_stderr

__all__ = ["Found", "answer"]

Values = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Found:
    """What was evaluated for a request.

    Attributes
    ----------
    frequencies : ndarray of shape (n_x, n_y) or (n_pairs,), with two orientations where these are kept: (2, …)
    weights, bits, outcomes, readout, diagonals
        As in `Overlaps`.
    info : dict
    stderr, num_shots : ndarray of the shape of `frequencies`, or None
        Where the engine knows better than what follows from the shots asked for.
    """

    frequencies: Values
    info: dict[str, str | int | float | bool]
    weights: Values | None = None
    bits: NDArray[np.uint8] | None = None
    outcomes: Values | None = None
    readout: Values | None = None
    diagonals: tuple[Values, Values] | None = None
    stderr: Values | None = None
    num_shots: NDArray[np.int64] | None = None


def answer(request: Request, found: Found, pairs: NDArray[np.intp] | None, need: Need, engine: str) -> Overlaps:
    """Values, standard errors and shots of a request.

    Parameters
    ----------
    request : Request
    found : Found
    pairs : ndarray of shape (n_pairs, 2), intp, or None
    need : collection of str
    engine : str
        For `Overlaps.info`.

    Returns
    -------
    Overlaps
    """
    draw, frequencies = request.draw, found.frequencies
    values = frequencies
    if draw.both:
        values = frequencies.mean(axis=0) if request.orientation == "both" else frequencies[0]
    orientations = None
    if "orientations" in need:
        orientations = frequencies if draw.both else np.stack([frequencies, frequencies])
    info = {"engine": engine, "program": request.program.key, "diagonal": _diagonal(request)} | found.info
    stderr = num_shots = None
    if draw.shots is not None:
        num_shots = np.array(np.broadcast_to(draw.total_shots, values.shape), dtype=np.int64)
        if found.num_shots is not None:
            num_shots = _combined(request, found.num_shots, np.sum).astype(np.int64)
        if found.stderr is not None:
            stderr = _combined(request, found.stderr, _root_mean_square)
        else:
            stderr = wilson_stderr(values, num_shots)
        info |= {"seed": draw.seed, "repetition": draw.repetition}
        info["shots"] = draw.total_shots if isinstance(draw.total_shots, int) else "per pair"
    sampled_ones = draw.shots is not None and request.diagonal is True
    if not request.measured_diagonal and not sampled_ones:
        known = equal_rows(request.a, request.b, pairs)
        if (values[known] != 1.0).any():  # measured by the engine, and not wanted
            values = np.where(known, 1.0, values)
            orientations = None if orientations is None else np.where(known, 1.0, orientations)
        if stderr is not None and num_shots is not None:
            stderr[known] = 0.0
            num_shots[known] = 0
    return Overlaps(
        values,
        stderr,
        num_shots,
        weights=found.weights,
        bits=found.bits,
        outcomes=found.outcomes,
        readout=found.readout,
        diagonals=found.diagonals,
        orientations=orientations,
        info=info,
    )


def _combined(request: Request, found: NDArray[Any], combine: Callable[..., NDArray[Any]]) -> NDArray[Any]:
    """Of the two orientations where both count, else of the first."""
    if not request.draw.both:
        return np.array(found)
    return np.asarray(combine(found, axis=0)) if request.orientation == "both" else np.array(found[0])


def _root_mean_square(stderr: Values, axis: int) -> Values:
    """Standard error of a mean of two."""
    return np.asarray(np.sqrt((stderr**2).sum(axis=axis)) / 2.0)


def _diagonal(request: Request) -> str:
    """How entries of a row with itself came about, for people."""
    if request.measured_diagonal:
        return "measured"
    if request.draw.shots is None:
        return "1 without noise" if request.diagonal is not False else "filled with 1"
    return {True: "sampled", False: "filled with 1", "auto": "1 without noise"}[request.diagonal]
