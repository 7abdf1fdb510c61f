"""Corrections in a row: the training matrix with its standard errors, and cross blocks by the same rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qkernels.kernels._correction import Correction
from qkernels.programs import Overlaps

__all__ = ["Corrected", "as_column", "correct_cross", "correct_gram", "correct_new", "union_of_needs"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """A corrected training matrix.

    Attributes
    ----------
    gram : ndarray of shape (n_fit, n_fit)
    stderr : ndarray of shape (n_fit, n_fit), or None
        Where entries were sampled.
    self_values : tuple of ndarray of shape (n_fit,) or None
        The diagonal that each correction found; None where a correction before it has no rule for new rows, or where
        the diagonal was not asked for.
    """

    gram: Values
    stderr: Values | None
    self_values: tuple[Values | None, ...]


def union_of_needs(corrections: Sequence[Correction]) -> frozenset[str]:
    """What an engine has to give beside the values."""
    return frozenset().union(*(correction.requires for correction in corrections))


def correct_gram(corrections: Sequence[Correction], overlaps: Overlaps, weights: Values) -> Corrected:
    """Fit corrections one after the other to a measured training matrix.

    Parameters
    ----------
    corrections : sequence of Correction
        Fitted in place.
    overlaps : Overlaps
        Of the training rows, with what the corrections require.
    weights : ndarray of shape (n_fit,)
        Sample weights.
    """
    gram, stderr, told = overlaps.values, overlaps.stderr, overlaps
    known = overlaps.diagonals is not None
    self_values: list[Values | None] = []
    for correction in corrections:
        diagonal = np.diag(gram).copy() if known else None
        self_values.append(diagonal)
        told = replace(told, diagonals=None if diagonal is None else (diagonal, diagonal))
        correction.fit(gram, told, weights)
        if stderr is not None:
            stderr = correction.transform_stderr(stderr, gram, told)
        gram = correction.transform_gram(gram, told)
        told = correction.inform(told)
        known = known and correction.entrywise
    return Corrected(gram, stderr, tuple(self_values))


def correct_cross(
    corrections: Sequence[Correction],
    overlaps: Overlaps,
    self_values: Sequence[Values | None],
    measure_selves: Callable[[], Overlaps],
) -> Values:
    """K(X_new, X_fit) after fitted corrections.

    Parameters
    ----------
    corrections : sequence of Correction
    overlaps : Overlaps
        Of the new rows with the training rows.
    self_values : sequence of ndarray of shape (n_fit,) or None
        `Corrected.self_values` of the training matrix.
    measure_selves : callable
        Gives the overlaps of the new rows with themselves, shape (n_new,), with what the corrections require; called
        where a correction that looks at more than an entry needs the self-values that one before it has changed.
    """
    cross, told = overlaps.values, overlaps
    own = None if overlaps.diagonals is None else overlaps.diagonals[0]
    column: Overlaps | None = None
    for position, (correction, fitted) in enumerate(zip(corrections, self_values, strict=True)):
        told = replace(told, diagonals=None if own is None or fitted is None else (own, fitted))
        cross = correction.transform_cross(cross, told)
        asked_for = any("diagonal" in c.requires and not c.entrywise for c in corrections[position + 1 :])
        if own is not None and asked_for and correction.entrywise:
            column = as_column(measure_selves()) if column is None else column
            own = correction.transform_cross(own[:, None], replace(column, info=told.info))[:, 0]
        else:
            own = None
        told = correction.inform(told)
    return cross


def correct_new(corrections: Sequence[Correction], overlaps: Overlaps, *, is_column: bool) -> Values:
    """Entries of new rows among themselves after fitted corrections, as far as these are rules for single entries.

    Parameters
    ----------
    corrections : sequence of Correction
    overlaps : Overlaps
        Of new rows, with what the corrections require: all pairs of them, shape (n_new, n_new), with a measured
        diagonal, or every row with itself, shape (n_new, 1).
    is_column : bool
        Whether it is the second.

    Returns
    -------
    ndarray of the shape of the values
    """
    values, told = overlaps.values, replace(overlaps, diagonals=None)
    for correction in corrections:
        own = values[:, 0] if is_column else np.diag(values)
        values = correction.transform_new(values, own[:, None], own[:, None] if is_column else own[None, :], told)
        told = correction.inform(told)
    return values


def as_column(selves: Overlaps) -> Overlaps:
    """Overlaps of shape (n,) as a matrix of one column."""
    names = ("values", "stderr", "num_shots", "weights", "bits", "outcomes")
    found = {name: getattr(selves, name) for name in names}
    arrays = {name: array[:, None] for name, array in found.items() if array is not None}
    return replace(selves, **arrays, diagonals=None, orientations=None)
