"""Rows drawn so that classes keep their shares, and no class is lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

__all__ = ["draw_rows"]


def draw_rows(y: NDArray[np.generic], size: int, seed: int, *, least: int = 0, spare: int = 0) -> NDArray[np.intp]:
    """Draw rows, stratified by class.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Labels.
    size : int
        Rows to draw, less than n_rows.
    seed : int
    least : int, default=0
        Rows drawn of every class, where its share is smaller; all of a class that has fewer.
    spare : int, default=0
        Rows of every class that are not drawn.

    Returns
    -------
    ndarray of shape (size,), ascending
        The caller sees to it that `size` leaves room for `least` and `spare`.
    """
    _, kinds, counts = np.unique(y, return_inverse=True, return_counts=True)
    low, high = np.minimum(counts, least), counts - spare
    if counts.min() > 1 and min(size, len(y) - size) >= len(counts):  # what scikit-learn's split takes
        rows, _ = train_test_split(np.arange(len(y)), train_size=size, stratify=y, random_state=seed)
        drawn = np.bincount(kinds[rows], minlength=len(counts))
        if (drawn >= low).all() and (drawn <= high).all():
            return np.sort(rows)
    sizes, shares = low.copy(), counts * (size / len(y))
    while sizes.sum() < size:  # one by one, where most is missing to the share
        sizes[np.argmax(np.where(sizes < high, shares - sizes, -np.inf))] += 1
    draw = np.random.default_rng(seed)
    chosen = [draw.choice(np.flatnonzero(kinds == kind), n, replace=False) for kind, n in enumerate(sizes)]
    return np.sort(np.concatenate(chosen))
