"""Checks shared by the diagnostics of a kernel matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidDataError


def off_diagonal(gram: ArrayLike, *, name: str, minimum_rows: int = 2) -> NDArray[np.float64]:
    """Entries above the diagonal of a symmetric matrix, after checking it; shape (n(n−1)/2,)."""
    K = square_matrix(gram, name=name, minimum_rows=minimum_rows)
    if not np.allclose(K, K.T, rtol=0.0, atol=1e-8):
        worst = float(np.abs(K - K.T).max())
        raise InvalidDataError(
            f"{name} must be a symmetric training matrix; it differs from its transpose by up to "
            f"{worst:.2g}. Pass K(X, X), not a cross block."
        )
    return K[np.triu_indices(len(K), k=1)]


def square_matrix(matrix: ArrayLike, *, name: str, minimum_rows: int = 2) -> NDArray[np.float64]:
    """The matrix as float64, after checking its shape and that all of it is finite."""
    K = np.asarray(matrix, dtype=np.float64)
    if K.ndim != 2 or K.shape[0] != K.shape[1] or len(K) < minimum_rows:
        raise InvalidDataError(
            f"{name} must be a square matrix with at least {minimum_rows} rows; got shape {K.shape}."
        )
    if not np.isfinite(K).all():
        raise InvalidDataError(f"{name} holds {int((~np.isfinite(K)).sum())} NaN or infinite entries.")
    return K
