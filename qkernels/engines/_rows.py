"""Rows of data as an engine sees them: distinct bound angles with content keys, and the entries of equal rows."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines._base import Prepared
from qkernels.programs import Program, row_keys

__all__ = ["as_scalars", "bind_rows", "check_pairs", "equal_rows", "theta_digest"]


def bind_rows(
    program: Program, X: ArrayLike, theta: ArrayLike | None, name: str, engine: str, *, by_key: bool = False
) -> Prepared:
    """Rows of X as distinct bound angles with their content keys; no states yet.

    `by_key` puts the distinct rows in the order of their keys: of two rows, the first one is then prepared.
    """
    angles = program.bind_angles(X, theta, name)
    if len(angles) == 0:
        raise InvalidDataError(f"{name} has 0 sample(s); at least 1 is needed.")
    shape = f"{angles.shape}".encode()  # a circuit without data has rows of no bytes
    digest = hashlib.blake2b(np.ascontiguousarray(angles).tobytes() + shape, digest_size=16).hexdigest()
    keys = row_keys(angles, program.key)
    _, first, inverse = np.unique(as_scalars(keys), return_index=True, return_inverse=True)
    distinct: NDArray[np.intp] | None = None
    if by_key or len(first) < len(keys):
        order = np.lexsort(keys[first].T[::-1]) if by_key else np.argsort(first)  # else in order of first appearance
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        first, distinct = first[order], rank[inverse]
        keys, angles = keys[first], angles[first]
    nbytes = keys.nbytes + angles.nbytes + (0 if distinct is None else distinct.nbytes)
    for array in (keys, angles):
        array.setflags(write=False)  # shared by everything that asks for these rows
    return Prepared(program.key, engine, digest, theta_digest(theta), keys, distinct, angles, None, nbytes)


def theta_digest(theta: ArrayLike | None) -> str:
    """Identity of a parameter vector."""
    if theta is None:
        return ""
    array = np.ascontiguousarray(theta, dtype=np.float64)
    return hashlib.blake2b(array.tobytes() + f"{array.shape}".encode(), digest_size=16).hexdigest()


def as_scalars(keys: NDArray[np.uint64]) -> NDArray[np.void]:
    """128-bit keys as one scalar each, for sorting and set operations."""
    return np.ascontiguousarray(keys).view([("a", "<u8"), ("b", "<u8")]).ravel()


def equal_rows(a: Prepared, b: Prepared | None, pairs: NDArray[np.intp] | None) -> NDArray[np.bool_]:
    """Which entries pair a row with itself."""
    left = a.keys if a.inverse is None else a.keys[a.inverse]
    right = left if b is None else (b.keys if b.inverse is None else b.keys[b.inverse])
    if pairs is not None:
        return np.asarray((left[pairs[:, 0]] == right[pairs[:, 1]]).all(axis=1))
    return np.asarray((left[:, None, 0] == right[None, :, 0]) & (left[:, None, 1] == right[None, :, 1]), dtype=np.bool_)


def check_pairs(pairs: ArrayLike, n_x: int, n_y: int) -> NDArray[np.intp]:
    """Index pairs as integers inside the matrix."""
    index = np.asarray(pairs)
    if index.size == 0:
        raise InvalidParameterError("pairs is empty; give at least one index pair.")
    if index.ndim != 2 or index.shape[1] != 2 or index.dtype.kind not in "iu":
        raise InvalidParameterError(
            f"pairs must be integers of shape (n_pairs, 2), got shape {index.shape} and dtype {index.dtype}."
        )
    for column, count, name in ((0, n_x, "X"), (1, n_y, "Y" if n_y != n_x else "X or Y")):
        if index[:, column].min() < 0 or index[:, column].max() >= count:
            raise InvalidParameterError(
                f"pairs[:, {column}] must lie in [0, {count}), the rows of {name}; "
                f"got {int(index[:, column].min())} to {int(index[:, column].max())}."
            )
    return index.astype(np.intp)
