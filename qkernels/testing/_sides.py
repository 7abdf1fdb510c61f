"""One side of a comparison: values, and the counts behind those that were sampled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidParameterError
from qkernels.programs import Overlaps

__all__ = ["Side", "read_side"]

_WHOLE = 1e-9
"""How far a frequency may lie from a multiple of 1/shots: far above rounding, also that of a file with ten digits."""

Values = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Side:
    """What `actual` or `expected` holds.

    Attributes
    ----------
    name : str
    values : ndarray of float64, at least one entry
    shots : ndarray of the shape of `values`, int64
        0 where an entry is exact.
    noun : str, default="exact entries"
        What entries without shots are called.
    rounding : float, default=1e-9
        How far a frequency may lie from a multiple of 1/shots.
    """

    name: str
    values: Values
    shots: Counts
    noun: str = "exact entries"
    rounding: float = _WHOLE

    @cached_property
    def counts(self) -> Counts:
        """Shots that read zero; meaningless where there are no shots."""
        return np.rint(self.values * self.shots).astype(np.int64)

    @cached_property
    def broken(self) -> NDArray[np.bool_]:
        """Sampled entries that are no multiples of 1/shots."""
        off = np.abs(self.values - self.counts / np.maximum(self.shots, 1))
        return np.asarray((self.shots > 0) & (off > self.rounding))

    def is_symmetric(self, atol: float) -> bool:
        """Whether it is a training matrix: frequencies equal their transpose, exact entries up to a tolerance."""
        v, shots = self.values, self.shots
        if v.ndim != 2 or v.shape[0] != v.shape[1] or (shots != shots.T).any():
            return False
        return bool((np.abs(v - v.T) <= np.where(shots > 0, 0.0, atol)).all())

    def describe(self, where: tuple[int, ...]) -> str:
        """One entry for a message."""
        value, shots = float(self.values[where]), int(self.shots[where])
        if shots == 0:
            return f"{value!r} (exact)"
        return f"{value:.6g} ({int(self.counts[where]):,} of {shots:,} shots)"


def read_side(given: ArrayLike | Overlaps, shots: ArrayLike | None, name: str, shots_name: str) -> Side:
    """Values and shots of one side, checked.

    Parameters
    ----------
    given : array-like of real numbers, or Overlaps
    shots : int or array-like of int, optional
    name, shots_name : str
        What the caller calls them.

    Returns
    -------
    Side

    Raises
    ------
    InvalidParameterError
        As documented in `assert_kernels_close`.
    """
    if isinstance(given, Overlaps):
        if shots is not None:
            raise InvalidParameterError(
                f"{shots_name} must be left out where {name} is an Overlaps, which knows the shots of its entries; got "
                f"{shots!r}. Pass {name}.values with {shots_name}, or {name} alone."
            )
        array, shots = _real_array(given.values, name), given.num_shots
    else:
        array = _real_array(given, name)
    # Half a unit in the last place of 1, in the precision that the values were given in.
    rounding = _WHOLE if array.dtype.kind != "f" else max(_WHOLE, 0.5 * float(np.spacing(array.dtype.type(1))))
    counts = _shots_array(shots, array.shape, name, shots_name)
    side = Side(name, array.astype(np.float64), counts, rounding=rounding)
    _check_frequencies(side, shots_name)
    return side


def _real_array(given: ArrayLike, name: str) -> NDArray[np.generic]:
    array = np.asarray(given)
    if array.dtype.kind not in "fiu" or array.size == 0 or array.ndim == 0:
        raise InvalidParameterError(
            f"{name} must be a non-empty array of real numbers, or an Overlaps; got shape {array.shape} and dtype "
            f"{array.dtype}."
        )
    if not np.isfinite(array).all():
        where = _first(~np.isfinite(array))
        raise InvalidParameterError(f"{name} must be finite; got {array[where]} in entry {where}.")
    return array


def _shots_array(shots: ArrayLike | None, shape: tuple[int, ...], name: str, shots_name: str) -> Counts:
    if shots is None:
        return np.zeros(shape, dtype=np.int64)
    array = np.asarray(shots)
    if array.dtype.kind not in "iu" or array.shape not in ((), shape):
        raise InvalidParameterError(
            f"{shots_name} must be an integer, or integers of the shape {shape} of {name}; got shape {array.shape} and "
            f"dtype {array.dtype}."
        )
    least = 1 if array.ndim == 0 else 0
    if array.min() < least:
        meaning = " (0 says that an entry is known without sampling)" if least == 0 else ""
        raise InvalidParameterError(f"{shots_name} must be >= {least}{meaning}; got {int(array.min())}.")
    return np.array(np.broadcast_to(array, shape), dtype=np.int64)


def _check_frequencies(side: Side, shots_name: str) -> None:
    values, shots = side.values, side.shots
    outside = (shots > 0) & ((values < 0.0) | (values > 1.0))
    if outside.any():
        where = _first(outside)
        raise InvalidParameterError(
            f"{side.name} must lie in [0, 1] where it was sampled; got {float(values[where])!r} in entry {where} of "
            f"{int(shots[where]):,} shots. {_ONLY_RAW}"
        )
    if side.broken.any():
        where = _first(side.broken)
        raise InvalidParameterError(
            f"{side.name} must be multiples of 1/shots where it was sampled; got {float(values[where])!r} in entry "
            f"{where}, which is {float(values[where] * shots[where]):.12g} of {int(shots[where]):,} shots. Check "
            f"{shots_name}. {_ONLY_RAW}"
        )


_ONLY_RAW = "Only raw frequencies have exact statistics: compare matrices before mitigation or repair."


def _first(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])
