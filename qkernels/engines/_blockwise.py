"""Matrices by blocks: rectangles of states against states, written with their mirror image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._parallel import run_tasks

__all__ = ["Side", "fill", "ranges"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """States of a range of distinct rows.

    Attributes
    ----------
    start : int
        Position of the first row in the matrix.
    keys : ndarray of shape (n, 2), uint64
    states : object
        The engine's.
    """

    start: int
    keys: NDArray[np.uint64]
    states: Any

    def place(self, rows: slice) -> slice:
        """Where rows of this side stand in the matrix."""
        return slice(self.start + rows.start, self.start + rows.stop)


def ranges(count: int, size: int) -> Iterator[slice]:
    """Consecutive ranges of at most `size` of `count` rows."""
    return (slice(i, min(i + size, count)) for i in range(0, count, size))


Block = Callable[[Side, slice, Side, slice], Values]
"""Entries of two ranges of rows, shape (…, rows, columns)."""


def fill(out: Values, left: Side, right: Side, block: Block, rows: int, *, symmetric: bool) -> None:
    """Fill one rectangle of a matrix; in a symmetric matrix its mirror image too.

    Parameters
    ----------
    out : ndarray of shape (…, n_a, n_b)
    left, right : Side
        The same object for a rectangle on the diagonal of a symmetric matrix, which is then computed by halves.
    block : callable
    rows : int
        Rows and columns of one block.
    symmetric : bool
    """
    n_left, n_right = len(left.keys), len(right.keys)
    triangle = symmetric and left is right
    columns = rows if triangle else rows * max(1, rows // n_left)  # few rows: one wide block, no threads
    tasks = [
        (i, j) for i in ranges(n_left, rows) for j in ranges(n_right, columns) if not triangle or j.start >= i.start
    ]

    def entries(i: slice, j: slice) -> Values:
        return block(left, i, right, j)

    for (i, j), values in zip(tasks, run_tasks(entries, tasks), strict=True):
        if triangle and i == j:  # exactly symmetric, whatever the rounding of the product
            values = np.triu(values) + np.swapaxes(np.triu(values, 1), -1, -2)
        out[..., left.place(i), right.place(j)] = values
        if symmetric and not (triangle and i == j):
            out[..., right.place(j), left.place(i)] = np.swapaxes(values, -1, -2)
