"""Options of a request, checked before anything is evaluated."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidParameterError
from qkernels.engines._base import Diagonal, Need, Orientation

__all__ = ["check_options", "check_shots"]


def check_options(
    diagonal: Diagonal,
    need: Need,
    orientation: Orientation,
    *,
    available: Collection[str],
    owner: str,
    shots: int | None,
) -> None:
    """Refuse options that break their rule or that the engine does not have.

    Parameters
    ----------
    diagonal, need, orientation
        As in `Engine.overlaps`.
    available : collection of str
        What the engine can be asked for by `need`.
    owner : str
        Name of the engine.
    shots : int or None
        Of the engine.
    """
    if not (diagonal is True or diagonal is False or (isinstance(diagonal, str) and diagonal == "auto")):
        raise InvalidParameterError(f"diagonal must be 'auto', True or False, got {diagonal!r}.")
    if isinstance(need, str):
        raise InvalidParameterError(f"need must be a set of names such as {{{need!r}}}, got the string {need!r}.")
    if unknown := sorted(set(need) - set(available)):
        where = "Outcome weights come from StatevectorEngine and noisy engines. " if "weights" in unknown else ""
        raise InvalidParameterError(
            f"need={unknown} is not available from {owner}, which gives {sorted(available)}. {where}Measured bits come "
            "from noisy engines (DensityMatrixEngine, AerEngine)."
        )
    if orientation not in ("canonical", "both"):
        raise InvalidParameterError(f"orientation must be 'canonical' or 'both', got {orientation!r}.")
    if "orientations" in need and orientation != "both" and shots is not None:
        raise InvalidParameterError(
            "need={'orientations'} of sampled values takes orientation='both'; got 'canonical', which draws each "
            "pair once."
        )
    if orientation == "both" and shots is not None and shots < 2:
        raise InvalidParameterError(
            f"orientation='both' splits the shots over two circuits: shots of {owner} must be >= 2, got {shots}."
        )


def check_shots(
    shots: ArrayLike | None,
    repetition: int,
    num_pairs: int | None,
    orientation: Orientation,
    *,
    owner: str,
    engine_shots: int | None,
) -> int | NDArray[np.int64] | None:
    """The shots of a request: the engine's, or the given ones of each pair.

    Parameters
    ----------
    shots, repetition, orientation
        As in `Engine.overlaps`.
    num_pairs : int or None
        Where single pairs are asked for.
    owner : str
        Name of the engine.
    engine_shots : int or None

    Returns
    -------
    int, ndarray of shape (num_pairs,) of int64, or None for exact values
    """
    if isinstance(repetition, bool) or not isinstance(repetition, Integral) or repetition < 0:
        raise InvalidParameterError(f"repetition must be an integer >= 0, got {repetition!r}.")
    if engine_shots is None and (repetition or shots is not None):
        given = "shots were given for each pair" if shots is not None else f"repetition={repetition} was asked for"
        raise InvalidParameterError(
            f"{given}, but this {owner} is exact and draws nothing. Sample with {owner}(shots=…, seed=…)."
        )
    if shots is None:
        return engine_shots
    if num_pairs is None:
        raise InvalidParameterError(
            "shots of overlaps are the shots of each pair and need pairs; whole matrices take the shots of the engine, "
            f"{owner}(shots=…)."
        )
    array = np.asarray(shots)
    if array.shape != (num_pairs,) or array.dtype.kind not in "iu":
        raise InvalidParameterError(
            f"shots must be integers of shape ({num_pairs},), one for each pair, got shape {array.shape} and dtype "
            f"{array.dtype}."
        )
    least = 2 if orientation == "both" else 1
    if array.min() < least:
        reason = ": orientation='both' splits them over two circuits" if least == 2 else ""
        raise InvalidParameterError(
            f"shots of every pair must be >= {least}{reason}; got {int(array.min())} for pair {int(array.argmin())}. "
            "Leave out pairs that need none."
        )
    return array.astype(np.int64)
